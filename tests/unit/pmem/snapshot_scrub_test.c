/* Snapshots that rot while they are open: the thread behind them finds it, and writes a head again;
 * what was asked of a snapshot that has made way since is void. */
#include "tests/sim/snapshot_model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COMPLETION_OFFSET 4096u
#define SLOTS_OFFSET      8192u
#define POLLS_MAX         10

struct fixture {
    struct medium_sim *sim;
    struct snapshot_subject subject;
};

static void write_good(struct fixture *fixture, uint64_t number)
{
    struct snapshots_progress progress =
        snapshot_subject_write(&fixture->subject, number, SNAPSHOT_MODEL_BYTES);
    assert_int_equal(progress.state, SNAPSHOTS_GOOD);
}

/* Snapshot 1 lies in file 0, snapshot 2 in file 1. */
static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    const struct medium_sim_options options = {
        .seed = 5, .granularity = MEDIUM_PAGE, .sync_delay_min_ns = 100, .sync_delay_max_ns = 100};
    fixture->sim = medium_sim_create(&options);
    medium_sim_use(fixture->sim);
    snapshot_subject_init(&fixture->subject, fixture->sim);
    *state = fixture;
    if (snapshot_subject_open(&fixture->subject) != OK)
        return -1;
    write_good(fixture, 1);
    write_good(fixture, 2);
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    snapshot_subject_deinit(&fixture->subject);
    medium_sim_destroy(fixture->sim);
    free(fixture);
    return 0;
}

static struct snapshots_scrubbed answer_await(struct fixture *fixture)
{
    struct snapshots_scrubbed scrubbed = {.error = ERR_NOT_YET};
    int polls = 0;
    while (!snapshots_scrub_poll(fixture->subject.snapshots, &scrubbed))
        assert_true(++polls < POLLS_MAX);
    assert_false(snapshots_scrub_is_asked(fixture->subject.snapshots));
    return scrubbed;
}

static struct snapshots_scrubbed head_scrub(struct fixture *fixture, uint32_t file)
{
    snapshots_scrub_head(fixture->subject.snapshots, file);
    return answer_await(fixture);
}

static struct snapshots_scrubbed block_scrub(struct fixture *fixture, uint32_t file, uint32_t block)
{
    snapshots_scrub_block(fixture->subject.snapshots, file, block);
    return answer_await(fixture);
}

static void test_scrub_says_nothing_of_whole_snapshots(void **state)
{
    struct fixture *fixture = *state;
    for (uint32_t file = 0; file < SNAPSHOT_FILES; file++) {
        assert_int_equal(head_scrub(fixture, file).error, OK);
        for (uint32_t block = 0; block < SNAPSHOT_MODEL_BLOCKS; block++)
            assert_int_equal(block_scrub(fixture, file, block).error, OK);
    }
}

static void test_scrub_finds_a_rotten_block(void **state)
{
    struct fixture *fixture = *state;
    uint32_t block_count;
    size_t slot = SLOTS_OFFSET + SNAPSHOT_SLOT_BYTES;
    medium_sim_flip_bit(fixture->sim, SNAPSHOT_MODEL_FILE_0, slot + 100, 3);
    assert_int_equal(block_scrub(fixture, 0, 0).error, OK);
    struct snapshots_scrubbed scrubbed = block_scrub(fixture, 0, 1);
    assert_int_equal(scrubbed.error, ERR_CHECKSUM);
    assert_int_equal(scrubbed.offset, slot);
    snapshots_lose(fixture->subject.snapshots, 0);
    assert_int_equal(snapshots_generation_of(fixture->subject.snapshots, 0, &block_count), 0);
    assert_int_equal(block_count, 0);
    write_good(fixture, 3); /* over it */
    assert_int_not_equal(snapshots_generation_of(fixture->subject.snapshots, 0, &block_count), 0);
    assert_int_equal(block_scrub(fixture, 0, 1).error, OK);
}

static void head_try(struct fixture *fixture, size_t offset, size_t told)
{
    medium_sim_flip_bit(fixture->sim, SNAPSHOT_MODEL_FILE_1, offset, 3);
    struct snapshots_scrubbed scrubbed = head_scrub(fixture, 1);
    assert_int_equal(scrubbed.error, ERR_CHECKSUM);
    assert_int_equal(scrubbed.offset, told);
    assert_int_equal(head_scrub(fixture, 1).error, OK);
}

static void test_scrub_writes_a_rotten_head_again(void **state)
{
    struct fixture *fixture = *state;
    struct snapshot_info info;
    for (size_t offset = 0; offset < 64; offset++) {
        head_try(fixture, offset, 0);
        head_try(fixture, 2048 + offset, 2048);
        head_try(fixture, COMPLETION_OFFSET + offset, COMPLETION_OFFSET);
    }
    medium_sim_zero_page(fixture->sim, SNAPSHOT_MODEL_FILE_1, 0);
    medium_sim_zero_page(fixture->sim, SNAPSHOT_MODEL_FILE_1, COMPLETION_OFFSET);
    assert_int_equal(head_scrub(fixture, 1).error, ERR_CHECKSUM);
    assert_int_equal(snapshot_subject_open(&fixture->subject), OK);
    assert_string_equal(fixture->subject.recovery.note, "");
    assert_true(snapshots_newest(fixture->subject.snapshots, &info));
    assert_int_equal(info.label.index, 200);
    assert_null(snapshot_subject_read(&fixture->subject, &info));
}

/* The file has no snapshot any more when the thread comes to it, and must get none. */
static void test_scrub_of_a_snapshot_that_makes_way_is_void(void **state)
{
    struct fixture *fixture = *state;
    struct snapshot_info info;
    snapshots_scrub_head(fixture->subject.snapshots, 0);
    const struct snapshot_label label = snapshot_model_label(3);
    assert_int_equal(snapshots_write_begin(fixture->subject.snapshots, &label), OK);
    assert_int_equal(answer_await(fixture).error, ERR_NOT_YET);
    /* Asked while the file is being written. */
    snapshots_scrub_head(fixture->subject.snapshots, 0);
    assert_int_equal(answer_await(fixture).error, ERR_NOT_YET);
    snapshots_abandon(fixture->subject.snapshots);
    (void)snapshot_subject_await(&fixture->subject);
    assert_int_equal(head_scrub(fixture, 0).error, OK);
    assert_int_equal(snapshot_subject_open(&fixture->subject), OK);
    assert_true(snapshots_newest(fixture->subject.snapshots, &info));
    assert_int_equal(info.label.index, 200);
    assert_false(snapshots_older(fixture->subject.snapshots, &info));
}

static void test_scrub_reads_another_file_ahead(void **state)
{
    struct fixture *fixture = *state;
    struct medium *medium;
    char reason[256];
    const struct medium_options options = {
        .path = "/media/other", .size_bytes = 64 * 1024, .is_created = true};
    assert_int_equal(medium_open(&options, &medium, reason, sizeof(reason)), OK);
    snapshots_scrub_fetch(fixture->subject.snapshots, medium, 4096, 8192);
    assert_true(snapshots_scrub_is_asked(fixture->subject.snapshots));
    assert_int_equal(answer_await(fixture).error, OK);
    medium_close(medium);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_scrub_says_nothing_of_whole_snapshots),
        TEST(test_scrub_finds_a_rotten_block),
        TEST(test_scrub_writes_a_rotten_head_again),
        TEST(test_scrub_of_a_snapshot_that_makes_way_is_void),
        TEST(test_scrub_reads_another_file_ahead),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
