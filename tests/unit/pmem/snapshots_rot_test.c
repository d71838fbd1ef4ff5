/*
 * Snapshots on the simulated medium: what rot, a lost write and somebody else's files do to them.
 * Power loss: tests/sim/snapshot_states.c.
 */
#include "base/format.h"
#include "base/le.h"
#include "tests/sim/snapshot_model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define COMPLETION_OFFSET 4096u
#define SLOTS_OFFSET      8192u

struct fixture {
    struct medium_sim *sim;
    struct snapshot_subject subject;
};

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    const struct medium_sim_options options = {
        .seed = 5, .granularity = MEDIUM_PAGE, .sync_delay_min_ns = 100, .sync_delay_max_ns = 100};
    fixture->sim = medium_sim_create(&options);
    medium_sim_use(fixture->sim);
    snapshot_subject_init(&fixture->subject, fixture->sim);
    *state = fixture;
    return snapshot_subject_open(&fixture->subject) == OK ? 0 : -1;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    snapshot_subject_deinit(&fixture->subject);
    medium_sim_destroy(fixture->sim);
    free(fixture);
    return 0;
}

static void write_good(struct fixture *fixture, uint64_t number)
{
    struct snapshots_progress progress =
        snapshot_subject_write(&fixture->subject, number, SNAPSHOT_MODEL_BYTES);
    assert_int_equal(progress.state, SNAPSHOTS_GOOD);
    assert_int_equal(progress.info.label.index, number * 100);
}

static void assert_newest(struct fixture *fixture, uint64_t number)
{
    struct snapshot_info info;
    assert_true(snapshots_newest(fixture->subject.snapshots, &info));
    assert_int_equal(info.label.index, number * 100);
    assert_null(snapshot_subject_read(&fixture->subject, &info));
}

static bool has_older(struct fixture *fixture)
{
    struct snapshot_info info;
    return snapshots_older(fixture->subject.snapshots, &info);
}

static void assert_note(const struct fixture *fixture, const char *words)
{
    assert_non_null(strstr(fixture->subject.recovery.note, words));
}

/* Snapshot 1 lies in file 0, snapshot 2 in file 1. */
static void rot_try(struct fixture *fixture, uint32_t block, size_t offset)
{
    struct snapshot_info info;
    size_t at = SLOTS_OFFSET + (size_t)block * SNAPSHOT_SLOT_BYTES + offset;
    medium_sim_flip_bit(fixture->sim, SNAPSHOT_MODEL_FILE_1, at, (uint32_t)(at % 8));
    assert_int_equal(snapshot_subject_open(&fixture->subject), OK);
    assert_true(snapshots_newest(fixture->subject.snapshots, &info));
    assert_int_equal(info.label.index, 200);
    assert_string_equal(snapshot_subject_read(&fixture->subject, &info), "ERR_CHECKSUM");
    assert_newest(fixture, 1);
    assert_false(has_older(fixture));
    medium_sim_flip_bit(fixture->sim, SNAPSHOT_MODEL_FILE_1, at, (uint32_t)(at % 8));
}

static void test_snapshots_fall_back_from_a_rotten_block(void **state)
{
    struct fixture *fixture = *state;
    write_good(fixture, 1);
    write_good(fixture, 2);
    for (uint32_t block = 0; block < SNAPSHOT_MODEL_BLOCKS; block++) {
        for (size_t offset = 0; offset < SNAPSHOT_BLOCK_HEADER_BYTES + 5; offset++)
            rot_try(fixture, block, offset);
    }
    for (size_t offset = 100; offset < SNAPSHOT_SLOT_BYTES; offset += 1000)
        rot_try(fixture, 1, offset);
    rot_try(fixture, 1, SNAPSHOT_SLOT_BYTES - 1); /* this one is not compressed */
}

static void test_snapshots_overwrite_the_rotten_one(void **state)
{
    struct fixture *fixture = *state;
    struct snapshot_info info;
    write_good(fixture, 1);
    write_good(fixture, 2);
    medium_sim_flip_bit(fixture->sim, SNAPSHOT_MODEL_FILE_1, SLOTS_OFFSET + 100, 0);
    assert_true(snapshots_newest(fixture->subject.snapshots, &info));
    assert_string_equal(snapshots_path_of(fixture->subject.snapshots, info.generation),
                        SNAPSHOT_MODEL_FILE_1);
    assert_string_equal(snapshot_subject_read(&fixture->subject, &info), "ERR_CHECKSUM");
    assert_null(snapshots_path_of(fixture->subject.snapshots, info.generation));
    write_good(fixture, 3);
    assert_newest(fixture, 3);
    assert_true(snapshots_older(fixture->subject.snapshots, &info));
    assert_int_equal(info.label.index, 100);
    assert_null(snapshot_subject_read(&fixture->subject, &info));
}

static void test_snapshots_fall_back_from_a_rotten_completion_record(void **state)
{
    struct fixture *fixture = *state;
    write_good(fixture, 1);
    write_good(fixture, 2);
    for (size_t offset = 0; offset < 64; offset++) {
        medium_sim_flip_bit(fixture->sim, SNAPSHOT_MODEL_FILE_1, COMPLETION_OFFSET + offset, 3);
        assert_int_equal(snapshot_subject_open(&fixture->subject), OK);
        assert_note(fixture, SNAPSHOT_MODEL_FILE_1 ": offset 4096: the completion record");
        assert_newest(fixture, 1);
        assert_false(has_older(fixture));
        medium_sim_flip_bit(fixture->sim, SNAPSHOT_MODEL_FILE_1, COMPLETION_OFFSET + offset, 3);
    }
    assert_int_equal(snapshot_subject_open(&fixture->subject), OK);
    assert_string_equal(fixture->subject.recovery.note, "");
    assert_newest(fixture, 2);
    assert_true(has_older(fixture));
}

/* A device that loses a write or rots at once: the read-back sees it before anything is told. */
static void test_snapshots_are_good_only_when_read_back(void **state)
{
    struct fixture *fixture = *state;
    const struct snapshot_label label = snapshot_model_label(3);
    static uint8_t bytes[SNAPSHOT_MODEL_BYTES];
    write_good(fixture, 1);
    write_good(fixture, 2);
    snapshot_model_fill(label.id, 0, bytes, sizeof(bytes));
    assert_int_equal(snapshots_write_begin(fixture->subject.snapshots, &label), OK);
    assert_int_equal(snapshots_write(fixture->subject.snapshots, span_of(bytes, sizeof(bytes))),
                     OK);
    snapshots_write_end(fixture->subject.snapshots);
    while (medium_sim_pending_count(fixture->sim, SNAPSHOT_MODEL_FILE_0) < 5000)
        assert_int_equal(snapshot_subject_poll(&fixture->subject).state, SNAPSHOTS_BUSY);
    medium_sim_flip_bit(fixture->sim, SNAPSHOT_MODEL_FILE_0,
                        SLOTS_OFFSET + SNAPSHOT_SLOT_BYTES + 5000, 1);
    struct snapshots_progress progress = snapshot_subject_await(&fixture->subject);
    assert_int_equal(progress.state, SNAPSHOTS_FAILED);
    assert_int_equal(progress.error, ERR_CHECKSUM);
    assert_string_equal(progress.path, SNAPSHOT_MODEL_FILE_0);
    assert_newest(fixture, 2);
    assert_int_equal(snapshot_subject_open(&fixture->subject), OK);
    assert_newest(fixture, 2);
    assert_false(has_older(fixture));
}

static void test_snapshots_repair_one_copy_of_the_header(void **state)
{
    struct fixture *fixture = *state;
    write_good(fixture, 1);
    medium_sim_flip_bit(fixture->sim, SNAPSHOT_MODEL_FILE_0, 20, 1);
    assert_int_equal(snapshot_subject_open(&fixture->subject), OK);
    assert_note(fixture, SNAPSHOT_MODEL_FILE_0 ": offsets 0 and 2048: a damaged copy");
    assert_newest(fixture, 1);
    medium_sim_flip_bit(fixture->sim, SNAPSHOT_MODEL_FILE_0, 2048 + 20, 1);
    assert_int_equal(snapshot_subject_open(&fixture->subject), OK);
    assert_newest(fixture, 1);
}

static void refused(struct fixture *fixture, enum error error, const char *words)
{
    assert_int_equal(snapshot_subject_open(&fixture->subject), error);
    assert_note(fixture, words);
    fixture->subject.snapshots = NULL; /* was never opened */
}

static void test_snapshots_refuse_files_of_others(void **state)
{
    struct fixture *fixture = *state;
    struct log_identity *identity = &fixture->subject.options.identity;
    write_good(fixture, 1);
    identity->cluster_id++;
    refused(fixture, ERR_CLUSTER, "belongs to cluster 7, not 8");
    identity->cluster_id--;
    identity->node++;
    refused(fixture, ERR_NODE, "belongs to node 2, not 3");
    identity->node--;
    identity->shard++;
    refused(fixture, ERR_SHARD, "belongs to shard 1, not 2");
    identity->shard--;
    assert_int_equal(snapshot_subject_open(&fixture->subject), OK);
    assert_newest(fixture, 1);
}

/* The newest snapshot is lost with its file, which is set aside; the other one is there. */
static void damaged(struct fixture *fixture, const char *words)
{
    assert_int_equal(snapshot_subject_open(&fixture->subject), OK);
    assert_note(fixture, words);
    assert_note(fixture, SNAPSHOT_MODEL_FILE_1);
    assert_true(fixture->subject.recovery.is_damaged);
    assert_true(medium_sim_exists(fixture->sim, SNAPSHOT_MODEL_FILE_1 ".damaged"));
    assert_newest(fixture, 1);
    assert_false(has_older(fixture));
    write_good(fixture, 2);
    assert_newest(fixture, 2);
    assert_true(has_older(fixture));
    snapshot_subject_close(&fixture->subject);
}

static void test_snapshots_set_a_damaged_file_aside(void **state)
{
    struct fixture *fixture = *state;
    write_good(fixture, 1);
    write_good(fixture, 2);
    snapshot_subject_close(&fixture->subject);
    medium_sim_flip_bit(fixture->sim, SNAPSHOT_MODEL_FILE_1, 40, 1);
    medium_sim_flip_bit(fixture->sim, SNAPSHOT_MODEL_FILE_1, 2048 + 40, 1);
    damaged(fixture, "both copies of the header are damaged");
    medium_sim_flip_bit(fixture->sim, SNAPSHOT_MODEL_FILE_1, 0, 1);
    medium_sim_flip_bit(fixture->sim, SNAPSHOT_MODEL_FILE_1, 2048, 1);
    damaged(fixture, "not a snapshot file of Pollux");
    medium_sim_cut(fixture->sim, SNAPSHOT_MODEL_FILE_1, 2 * SNAPSHOT_SLOT_BYTES);
    damaged(fixture, "it was cut off");
    medium_sim_cut(fixture->sim, SNAPSHOT_MODEL_FILE_1, 8192);
    damaged(fixture, "no room for a block");
    medium_sim_cut(fixture->sim, SNAPSHOT_MODEL_FILE_1, 100);
    damaged(fixture, "is now called");
    medium_sim_spoil_page(fixture->sim, SNAPSHOT_MODEL_FILE_1, 4096);
    damaged(fixture, "offset 4096: the device cannot read this page");
}

/* A block that cannot be read is a rotten one, and the next snapshot is written over it. */
static void test_snapshots_write_over_a_page_that_cannot_be_read(void **state)
{
    struct fixture *fixture = *state;
    struct snapshot_info info;
    write_good(fixture, 1);
    write_good(fixture, 2);
    medium_sim_spoil_page(fixture->sim, SNAPSHOT_MODEL_FILE_1, SLOTS_OFFSET);
    assert_true(snapshots_newest(fixture->subject.snapshots, &info));
    assert_string_equal(snapshot_subject_read(&fixture->subject, &info), "ERR_CHECKSUM");
    write_good(fixture, 3);
    assert_newest(fixture, 3);
    assert_true(snapshots_newest(fixture->subject.snapshots, &info));
    assert_null(snapshot_subject_read(&fixture->subject, &info));
}

static void test_snapshots_say_that_there_is_no_room_for_another_file(void **state)
{
    struct fixture *fixture = *state;
    snapshot_subject_close(&fixture->subject);
    medium_sim_set_space(fixture->sim, 1);
    medium_sim_cut(fixture->sim, SNAPSHOT_MODEL_FILE_1, 8192);
    refused(fixture, ERR_NO_SPACE, SNAPSHOT_MODEL_FILE_1);
}

static void test_snapshots_refuse_wrong_options(void **state)
{
    struct fixture *fixture = *state;
    struct snapshots_options *options = &fixture->subject.options;
    snapshot_subject_close(&fixture->subject);
    options->size_bytes += 8;
    refused(fixture, ERR_ARGUMENT, "must be a multiple of 4096");
    options->size_bytes = 8192;
    refused(fixture, ERR_ARGUMENT, "have room for a block");
}

/* A larger configuration finds the old files: they work, and the operator is told. */
static void test_snapshots_keep_the_size_of_their_files(void **state)
{
    struct fixture *fixture = *state;
    write_good(fixture, 1);
    fixture->subject.options.size_bytes = snapshots_file_bytes(8 * SNAPSHOT_BLOCK_BYTES);
    assert_int_equal(snapshot_subject_open(&fixture->subject), OK);
    assert_note(fixture, "has room for 3 blocks, the configuration wants 8");
    struct snapshots_progress progress =
        snapshot_subject_write(&fixture->subject, 2, 3 * SNAPSHOT_BLOCK_BYTES + 1);
    assert_int_equal(progress.state, SNAPSHOTS_FAILED);
    assert_int_equal(progress.error, ERR_TOO_LARGE);
    /* And with a smaller one what is there stays readable. */
    fixture->subject.options.size_bytes = snapshots_file_bytes(SNAPSHOT_BLOCK_BYTES);
    assert_int_equal(snapshot_subject_open(&fixture->subject), OK);
    assert_newest(fixture, 1);
    progress = snapshot_subject_write(&fixture->subject, 2, SNAPSHOT_BLOCK_BYTES + 1);
    assert_int_equal(progress.error, ERR_TOO_LARGE);
    progress = snapshot_subject_write(&fixture->subject, 2, SNAPSHOT_BLOCK_BYTES);
    assert_int_equal(progress.state, SNAPSHOTS_GOOD);
    assert_newest(fixture, 2);
}

static void assert_versions(const struct fixture *fixture, uint32_t first, uint32_t second)
{
    char path[SNAPSHOT_PATH_SIZE];
    const uint32_t versions[SNAPSHOT_FILES] = {first, second};
    for (uint32_t i = 0; i < SNAPSHOT_FILES; i++) {
        assert_true(snapshots_file_path(fixture->subject.options.path, i, path));
        assert_int_equal(le32_load(medium_sim_persisted(fixture->sim, path) + 8), versions[i]);
    }
}

/* A file states the format of the snapshot that is written to it; the other one stays as it is. An
 * older program opens neither. */
static void test_snapshots_state_the_format_in_force(void **state)
{
    struct fixture *fixture = *state;
    fixture->subject.options.format_max = FORMAT_KNOWN;
    assert_int_equal(snapshot_subject_open(&fixture->subject), OK);
    write_good(fixture, 1);
    snapshots_raise(fixture->subject.snapshots, 1);
    assert_versions(fixture, 1, 1);
    write_good(fixture, 2);
    assert_versions(fixture, 1, 2);
    assert_newest(fixture, 2);
    assert_int_equal(snapshot_subject_open(&fixture->subject), OK);
    assert_newest(fixture, 2);
    assert_versions(fixture, 1, 2);
    fixture->subject.options.format_max = 0;
    assert_int_equal(snapshot_subject_open(&fixture->subject), ERR_VERSION);
    assert_note(fixture, "format version 2, this program knows 1 to 1; start the newer program");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_snapshots_fall_back_from_a_rotten_block),
        TEST(test_snapshots_overwrite_the_rotten_one),
        TEST(test_snapshots_fall_back_from_a_rotten_completion_record),
        TEST(test_snapshots_are_good_only_when_read_back),
        TEST(test_snapshots_repair_one_copy_of_the_header),
        TEST(test_snapshots_refuse_files_of_others),
        TEST(test_snapshots_set_a_damaged_file_aside),
        TEST(test_snapshots_write_over_a_page_that_cannot_be_read),
        TEST(test_snapshots_say_that_there_is_no_room_for_another_file),
        TEST(test_snapshots_state_the_format_in_force),
        TEST(test_snapshots_refuse_wrong_options),
        TEST(test_snapshots_keep_the_size_of_their_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
