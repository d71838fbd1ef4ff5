/*
 * Snapshots from arbitrary bytes, on the simulated medium. A small snapshot is written through the
 * real code; then the first byte of the input chooses what the rest does to its file:
 *    0  patches: offset (two bytes), length (one), so many bytes
 *    1  a completion record, its checksum made right
 *    2  the stored bytes of block 0, behind their size (four bytes), the checksum made right
 * Whatever is there, opening ends in an error or in snapshots whose blocks can be asked for, and a
 * block is refused or is what its own checksum says. The next snapshot becomes good and is found by
 * a second opening.
 */
#include "base/check.h"
#include "base/crc32c.h"
#include "base/le.h"
#include "pmem/log_internal.h"
#include "pmem/snapshots_internal.h"
#include "tests/fuzz/canary.h"
#include "tests/sim/snapshot_model.h"

#include <string.h>

#define STREAM_BYTES 100u
#define FILE_BYTES   65536u /* that a patch can reach */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

static void patch(struct medium *medium, const uint8_t *data, size_t size_bytes)
{
    for (size_t at = 0; at + 3 <= size_bytes;) {
        size_t offset = data[at] | (size_t)data[at + 1] << 8;
        size_t length = data[at + 2];
        at += 3;
        length = length < size_bytes - at ? length : size_bytes - at;
        length = length < FILE_BYTES - offset ? length : FILE_BYTES - offset;
        medium_write(medium, offset, data + at, length);
        at += length;
    }
}

static void completion_make(struct medium *medium, uint32_t seed, const uint8_t *data,
                            size_t size_bytes)
{
    uint8_t record[SNAPSHOT_COMPLETION_BYTES] = {0};
    size_t room_bytes = sizeof(record) - 4;
    memcpy(record + 4, data, size_bytes < room_bytes ? size_bytes : room_bytes);
    le32_store(record, crc32c(seed, record + 4, room_bytes));
    medium_write(medium, SNAPSHOT_COMPLETION_OFFSET, record, sizeof(record));
}

static void slot_make(struct medium *medium, uint32_t seed, const uint8_t *data, size_t size_bytes)
{
    static uint8_t slot[SNAPSHOT_SLOT_BYTES];
    uint8_t place[20];
    if (size_bytes < 4)
        return;
    uint32_t stored_bytes = le32_load(data);
    size_t given_bytes = size_bytes - 4;
    memcpy(slot, medium_data(medium) + snapshot_slot_offset(0), sizeof(slot));
    le32_store(slot + 28, stored_bytes);
    given_bytes = given_bytes < SNAPSHOT_BLOCK_BYTES ? given_bytes : SNAPSHOT_BLOCK_BYTES;
    memcpy(slot + SNAPSHOT_BLOCK_HEADER_BYTES, data + 4, given_bytes);
    if (stored_bytes <= SNAPSHOT_BLOCK_BYTES) {
        memcpy(place, slot + 8, 16);
        le32_store(place + 16, 0);
        le32_store(slot, crc32c(crc32c(seed, place, sizeof(place)), slot + 4,
                                SNAPSHOT_BLOCK_HEADER_BYTES - 4 + stored_bytes));
    }
    medium_write(medium, snapshot_slot_offset(0), slot, sizeof(slot));
}

static void file_deface(const struct snapshots_options *options, const uint8_t *data,
                        size_t size_bytes)
{
    const struct medium_options medium_options = {.path = SNAPSHOT_MODEL_FILE_0,
                                                  .size_bytes = options->size_bytes};
    struct medium *medium = NULL;
    char reason[256];
    uint32_t seed = log_header_seed(&options->identity);
    if (size_bytes == 0)
        return;
    CHECK(medium_open(&medium_options, &medium, reason, sizeof(reason)) == OK);
    if (data[0] % 3 == 0)
        patch(medium, data + 1, size_bytes - 1);
    else if (data[0] % 3 == 1)
        completion_make(medium, seed, data + 1, size_bytes - 1);
    else
        slot_make(medium, seed, data + 1, size_bytes - 1);
    CHECK(medium_persist_wait(medium) == OK);
    medium_close(medium);
}

static void blocks_read(struct snapshot_subject *subject, const struct snapshot_info *info)
{
    static uint8_t block[SNAPSHOT_BLOCK_BYTES];
    uint64_t sum_bytes = 0;
    CHECK(info->block_count <= SNAPSHOT_MODEL_BLOCKS);
    for (uint32_t number = 0; number < info->block_count; number++) {
        struct span raw = {0};
        enum error error =
            snapshots_read_block(subject->snapshots, info->generation, number, block, &raw);
        /* A rotten block is handed out. */
        CANARY(error = OK);
        if (error != OK) {
            CHECK(error == ERR_CHECKSUM);
            CHECK(snapshots_path_of(subject->snapshots, info->generation) == NULL);
            return;
        }
        sum_bytes += raw.size_bytes;
    }
    CHECK(sum_bytes == info->stream_bytes);
}

static void recover(struct snapshot_subject *subject)
{
    struct snapshot_info info;
    if (snapshot_subject_open(subject) != OK) {
        CHECK(subject->recovery.note[0] != '\0');
        subject->snapshots = NULL;
        return;
    }
    if (snapshots_newest(subject->snapshots, &info)) {
        blocks_read(subject, &info);
        if (info.generation == INDEX_MAX) /* no node comes near it */
            return;
    }
    struct snapshots_progress progress = snapshot_subject_write(subject, 9, STREAM_BYTES);
    CHECK(progress.state == SNAPSHOTS_GOOD);
    CHECK(snapshot_subject_open(subject) == OK);
    CHECK(snapshots_newest(subject->snapshots, &info));
    CHECK(info.generation == progress.info.generation);
    CHECK(snapshot_subject_read(subject, &info) == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    const struct medium_sim_options options = {.seed = 1, .granularity = MEDIUM_PAGE};
    struct medium_sim *sim = medium_sim_create(&options);
    struct snapshot_subject subject;
    medium_sim_use(sim);
    snapshot_subject_init(&subject, sim);
    CHECK(snapshot_subject_open(&subject) == OK);
    CHECK(snapshot_subject_write(&subject, 1, STREAM_BYTES).state == SNAPSHOTS_GOOD);
    snapshot_subject_deinit(&subject);
    file_deface(&subject.options, data, size_bytes);
    recover(&subject);
    snapshot_subject_deinit(&subject);
    medium_sim_destroy(sim);
    return 0;
}
