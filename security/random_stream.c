/* See random_stream.h. */
#include "security/random_stream.h"

#include "base/check.h"
#include "base/le.h"

#define BLOCK_BYTES 64

void random_stream_init(struct random_stream *stream, const struct secret *seed)
{
    *stream = (struct random_stream){.seed = *seed};
}

void random_stream_draw(struct random_stream *stream, uint8_t *ret_bytes, size_t size_bytes)
{
    uint8_t number[8];
    uint8_t block[BLOCK_BYTES];
    CHECK(size_bytes > 0 && size_bytes <= sizeof(block));
    le64_store(number, stream->block_count++);
    const struct span part = span_of(number, sizeof(number));
    const struct secret_digest digest = {
        .secret = &stream->seed, .label = "pollux random", .parts = &part, .part_count = 1};
    secret_digest(&digest, block, sizeof(block));
    memcpy(ret_bytes, block, size_bytes);
    secret_wipe(block, sizeof(block));
}
