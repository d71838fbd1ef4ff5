/*
 * Offset, size and meaning of each field:
 *    0  u32  fingerprint
 *    4  u32  drops; in format 0 (base/format.h) zero
 *    8  u32  cluster
 *   12  u32  era
 *   16  u64  birth of the sender's storage
 *   24  u64  start of the sender
 *   32       request
 */
#include "wire/wire_forward.h"
#include "wire/wire_internal.h"

#define HEAD_SIZE_BYTES 32

static_assert(HEAD_SIZE_BYTES + RECORD_PAYLOAD_SIZE_BYTES_MAX <= MESSAGE_SIZE_BYTES_MAX,
              "a request that fits a record can be forwarded");

void wire_forward_encode(struct wire_writer *writer, const struct wire_forward *forward)
{
    CHECK(forward->birth != 0 && forward->start != 0 && forward->request.size_bytes > 0);
    uint8_t *to = wire_writer_grow(writer, HEAD_SIZE_BYTES + forward->request.size_bytes);
    if (to == NULL)
        return;
    le32_store(to, forward->fingerprint);
    le32_store(to + 4, forward->drops);
    le32_store(to + 8, forward->cluster);
    le32_store(to + 12, forward->era);
    le64_store(to + 16, forward->birth);
    le64_store(to + 24, forward->start);
    memcpy(to + HEAD_SIZE_BYTES, forward->request.data, forward->request.size_bytes);
}

enum error wire_forward_decode(struct span bytes, struct wire_forward *ret_forward)
{
    if (bytes.size_bytes <= HEAD_SIZE_BYTES)
        return ERR_SHORT;
    const uint8_t *from = bytes.data;
    struct wire_forward forward = {
        .fingerprint = le32_load(from),
        .drops = le32_load(from + 4),
        .cluster = le32_load(from + 8),
        .era = le32_load(from + 12),
        .birth = le64_load(from + 16),
        .start = le64_load(from + 24),
        .request = span_of(from + HEAD_SIZE_BYTES, bytes.size_bytes - HEAD_SIZE_BYTES)};
    if (forward.birth == 0 || forward.start == 0)
        return ERR_RANGE;
    *ret_forward = forward;
    return OK;
}
