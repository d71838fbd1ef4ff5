/* See tests/unit/tools/backup_maker.h. */
#include "tests/unit/tools/backup_maker.h"

#include "base/check.h"
#include "base/crc32c.h"
#include "base/le.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define STREAM_BYTES_MAX (MAKER_KEYS * (MAKER_VALUE + 128) + 1024)

static uint8_t *item_add(uint8_t *stream, size_t *size, enum snapshot_item type, size_t body_bytes)
{
    uint8_t *to = stream + *size;
    le32_store(to, (uint32_t)type);
    le32_store(to + 4, (uint32_t)body_bytes);
    *size += SNAPSHOT_ITEM_HEADER_BYTES + body_bytes;
    return to + SNAPSHOT_ITEM_HEADER_BYTES;
}

static void head_add(uint8_t *stream, size_t *size)
{
    uint8_t *to = item_add(stream, size, SNAPSHOT_HEAD, SNAPSHOT_HEAD_BYTES);
    le64_store(to, SNAPSHOT_MAGIC);
    le32_store(to + 8, SNAPSHOT_VERSION);
    le64_store(to + 16, MAKER_INDEX);
    le64_store(to + 24, 5000000000);
    le64_store(to + 32, MAKER_KEYS);
    le64_store(to + 64, 60000000000);
    le64_store(to + 72, 7);
}

static void entry_add(uint8_t *stream, size_t *size, uint16_t shard, uint32_t number)
{
    char key[32];
    size_t key_size = (size_t)snprintf(key, sizeof(key), "s%u-%u", shard, number);
    uint8_t *to =
        item_add(stream, size, SNAPSHOT_ENTRY, SNAPSHOT_ENTRY_BYTES + key_size + MAKER_VALUE);
    le64_store(to, MAKER_INDEX - number);
    le32_store(to + 8, MAKER_VALUE);
    le16_store(to + 12, (uint16_t)key_size);
    memcpy(to + SNAPSHOT_ENTRY_BYTES, key, key_size);
    memset(to + SNAPSHOT_ENTRY_BYTES + key_size, (int)('a' + number % 26), MAKER_VALUE);
}

uint8_t *maker_stream(uint16_t shard, size_t *ret_size_bytes)
{
    uint8_t *stream = calloc(1, STREAM_BYTES_MAX);
    size_t size = 0;
    CHECK(stream != NULL);
    head_add(stream, &size);
    (void)item_add(stream, &size, SNAPSHOT_NODE, SNAPSHOT_NODE_BYTES);
    (void)item_add(stream, &size, SNAPSHOT_SESSION, SNAPSHOT_SESSION_BYTES);
    for (uint32_t i = 0; i < MAKER_KEYS; i++)
        entry_add(stream, &size, shard, i);
    size_t before = size;
    uint8_t *end = item_add(stream, &size, SNAPSHOT_END, SNAPSHOT_END_BYTES);
    le64_store(end, before);
    le64_store(end + 8, MAKER_KEYS + 3);
    CHECK(size > SNAPSHOT_BLOCK_BYTES && size < STREAM_BYTES_MAX);
    *ret_size_bytes = size;
    return stream;
}

static size_t block_bytes(size_t size_bytes, uint32_t number)
{
    size_t left = size_bytes - (size_t)number * SNAPSHOT_BLOCK_BYTES;
    return left < SNAPSHOT_BLOCK_BYTES ? left : SNAPSHOT_BLOCK_BYTES;
}

struct backup_shard maker_shard(uint16_t shard, const uint8_t *stream, size_t size_bytes)
{
    struct backup_shard described = {.id = 77 + shard,
                                     .index = MAKER_INDEX,
                                     .term = 3,
                                     .stream_bytes = size_bytes,
                                     .block_count = 2,
                                     .cluster = 99,
                                     .keys = MAKER_KEYS,
                                     .node = 2};
    for (uint32_t number = 0; number < 2; number++) {
        uint8_t crc[4];
        le32_store(crc, crc32c(0, stream + (size_t)number * SNAPSHOT_BLOCK_BYTES,
                               block_bytes(size_bytes, number)));
        described.content_crc = crc32c(described.content_crc, crc, sizeof(crc));
    }
    return described;
}

void maker_write_shard(struct backup_writer *writer, uint16_t shard)
{
    uint8_t body[BACKUP_BODY_BYTES_MAX];
    size_t size;
    uint8_t *stream = maker_stream(shard, &size);
    struct backup_shard described = maker_shard(shard, stream, size);
    struct backup_frame frame = {.kind = BACKUP_SHARD, .shard = shard};
    frame.body = span_of(body, backup_shard_encode(&described, body));
    CHECK(backup_write_frame(writer, &frame) == OK);
    for (uint32_t number = 0; number < 2; number++) {
        frame =
            (struct backup_frame){.kind = BACKUP_BLOCK,
                                  .shard = shard,
                                  .block = number,
                                  .body = span_of(stream + (size_t)number * SNAPSHOT_BLOCK_BYTES,
                                                  block_bytes(size, number))};
        CHECK(backup_write_frame(writer, &frame) == OK);
    }
    free(stream);
}

int maker_backup(void)
{
    struct backup_writer writer = {.fd = memfd_create("backup", MFD_CLOEXEC), .is_file = true};
    struct backup_head head = {
        .id = 4711, .created_s = 1000, .shard_count = MAKER_SHARDS, .cluster = "made"};
    struct backup_node node = {.node = 3, .pending = 5, .endpoint = "host:7400"};
    uint8_t body[BACKUP_BODY_BYTES_MAX];
    CHECK(writer.fd >= 0);
    CHECK(backup_write_head(&writer, &head) == OK);
    struct backup_frame frame = {.kind = BACKUP_NODE};
    frame.body = span_of(body, backup_node_encode(&node, body));
    CHECK(backup_write_frame(&writer, &frame) == OK);
    for (uint16_t shard = 0; shard < MAKER_SHARDS; shard++)
        maker_write_shard(&writer, shard);
    CHECK(backup_write_end(&writer, MAKER_SHARDS * MAKER_KEYS) == OK);
    CHECK(lseek(writer.fd, 0, SEEK_SET) == 0);
    return writer.fd;
}

enum error maker_verify(int fd, char *ret_text, size_t text_size)
{
    struct backup_reader reader;
    struct backup_judge judge = {0};
    CHECK(lseek(fd, 0, SEEK_SET) == 0);
    enum error error = backup_read_begin(&reader, fd);
    if (error != OK) {
        snprintf(ret_text, text_size, "offset 0: %s", error_text(error));
    } else {
        CHECK(backup_judge_init(&judge, reader.head.shard_count, NULL));
        error = backup_verify(&reader, &judge, ret_text, text_size);
    }
    backup_judge_deinit(&judge);
    backup_read_deinit(&reader);
    return error;
}
