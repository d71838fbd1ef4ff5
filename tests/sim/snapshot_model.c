/* Snapshots on the simulated medium; told in snapshot_model.h. */
#include "tests/sim/snapshot_model.h"

#include "base/check.h"
#include "base/crc32c.h"
#include "base/le.h"

void snapshot_subject_init(struct snapshot_subject *subject, struct medium_sim *sim)
{
    *subject = (struct snapshot_subject){
        .sim = sim,
        .options = {.path = SNAPSHOT_MODEL_PATH,
                    .size_bytes = snapshots_file_bytes((uint64_t)SNAPSHOT_MODEL_BLOCKS *
                                                       SNAPSHOT_BLOCK_BYTES),
                    .identity = {.cluster_id = 7, .node = 2, .shard = 1}}};
}

enum error snapshot_subject_open(struct snapshot_subject *subject)
{
    size_t arena_bytes = snapshots_arena_bytes(&subject->options);
    snapshot_subject_deinit(subject);
    CHECK(arena_init(&subject->arena, arena_bytes) == OK);
    return snapshots_open(&subject->options, &subject->arena, &subject->snapshots,
                          &subject->recovery);
}

void snapshot_subject_close(struct snapshot_subject *subject)
{
    snapshots_close(subject->snapshots);
    subject->snapshots = NULL;
}

void snapshot_subject_deinit(struct snapshot_subject *subject)
{
    if (subject->snapshots != NULL)
        snapshot_subject_close(subject);
    if (subject->arena.base != NULL)
        arena_deinit(&subject->arena);
    subject->arena = (struct arena){0};
}

struct snapshot_label snapshot_model_label(uint64_t number)
{
    return (struct snapshot_label){
        .id = number * UINT64_C(0x9e3779b97f4a7c15), .index = number * 100, .term = number};
}

/* The mixer of splitmix64. */
uint8_t snapshot_model_byte(uint64_t id, uint64_t offset)
{
    uint64_t block = offset / SNAPSHOT_BLOCK_BYTES;
    uint64_t mixed = id + (block % 2 == 0 ? offset / 1024 : offset);
    mixed = (mixed ^ (mixed >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    mixed = (mixed ^ (mixed >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (uint8_t)(mixed >> 56);
}

void snapshot_model_fill(uint64_t id, uint64_t offset, uint8_t *bytes, size_t size_bytes)
{
    for (size_t i = 0; i < size_bytes; i++)
        bytes[i] = snapshot_model_byte(id, offset + i);
}

struct snapshot_info snapshot_model_info(uint64_t number, uint64_t stream_bytes)
{
    static uint8_t block[SNAPSHOT_BLOCK_BYTES];
    struct snapshot_info info = {.label = snapshot_model_label(number),
                                 .stream_bytes = stream_bytes};
    for (uint64_t at = 0; at < stream_bytes; at += SNAPSHOT_BLOCK_BYTES) {
        uint64_t rest = stream_bytes - at;
        size_t size_bytes = rest < SNAPSHOT_BLOCK_BYTES ? (size_t)rest : SNAPSHOT_BLOCK_BYTES;
        uint8_t crc[4];
        snapshot_model_fill(info.label.id, at, block, size_bytes);
        le32_store(crc, crc32c(0, block, size_bytes));
        info.content_crc = crc32c(info.content_crc, crc, sizeof(crc));
        info.block_count++;
    }
    return info;
}

struct snapshots_progress snapshot_subject_poll(struct snapshot_subject *subject)
{
    struct snapshots_progress progress;
    subject->now_ns += SNAPSHOT_MODEL_POLL_NS;
    medium_sim_set_now(subject->sim, subject->now_ns);
    snapshots_poll(subject->snapshots, &progress);
    return progress;
}

struct snapshots_progress snapshot_subject_await(struct snapshot_subject *subject)
{
    struct snapshots_progress progress = snapshot_subject_poll(subject);
    for (uint32_t i = 0; progress.state == SNAPSHOTS_BUSY; i++) {
        CHECK(i < SNAPSHOT_MODEL_POLLS);
        progress = snapshot_subject_poll(subject);
    }
    return progress;
}

struct snapshots_progress snapshot_subject_write(struct snapshot_subject *subject, uint64_t number,
                                                 uint64_t stream_bytes)
{
    static uint8_t bytes[10000]; /* no part of a block's size */
    const struct snapshot_label label = snapshot_model_label(number);
    uint64_t at = 0;
    CHECK(snapshots_write_begin(subject->snapshots, &label) == OK);
    while (at < stream_bytes) { /* the stream and the polls that it waits for */
        uint64_t rest = stream_bytes - at;
        size_t size_bytes = rest < sizeof(bytes) ? (size_t)rest : sizeof(bytes);
        if (snapshots_room_bytes(subject->snapshots) < size_bytes) {
            struct snapshots_progress progress = snapshot_subject_poll(subject);
            if (progress.state != SNAPSHOTS_BUSY)
                return progress;
            continue;
        }
        snapshot_model_fill(label.id, at, bytes, size_bytes);
        if (snapshots_write(subject->snapshots, span_of(bytes, size_bytes)) != OK)
            return snapshot_subject_await(subject);
        at += size_bytes;
    }
    snapshots_write_end(subject->snapshots);
    return snapshot_subject_await(subject);
}

const char *snapshot_subject_read(struct snapshot_subject *subject,
                                  const struct snapshot_info *info)
{
    static uint8_t buffer[SNAPSHOT_BLOCK_BYTES];
    static uint8_t expected[SNAPSHOT_BLOCK_BYTES];
    uint64_t at = 0;
    for (uint32_t number = 0; number < info->block_count; number++) {
        struct span raw;
        enum error error =
            snapshots_read_block(subject->snapshots, info->generation, number, buffer, &raw);
        if (error != OK)
            return error_name(error);
        snapshot_model_fill(info->label.id, at, expected, raw.size_bytes);
        if (!span_is_equal(raw, span_of(expected, raw.size_bytes)))
            return "other bytes";
        at += raw.size_bytes;
    }
    return at == info->stream_bytes ? NULL : "another size";
}
