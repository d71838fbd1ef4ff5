/*
 * Installing another node's snapshot: pieces in any order, pieces that are refused, and what is
 * found when all of them are here.
 */
#include "tests/sim/snapshot_model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define BLOCKS SNAPSHOT_MODEL_BLOCKS

struct fixture {
    struct medium_sim *sim;
    struct snapshot_subject subject;
    struct snapshot_info info; /* what is sent */
};

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    const struct medium_sim_options options = {.seed = 5, .granularity = MEDIUM_CACHE_LINE};
    fixture->sim = medium_sim_create(&options);
    medium_sim_use(fixture->sim);
    snapshot_subject_init(&fixture->subject, fixture->sim);
    fixture->info = snapshot_model_info(1, SNAPSHOT_MODEL_BYTES);
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

static void begin(struct fixture *fixture)
{
    assert_int_equal(snapshots_install_begin(fixture->subject.snapshots, &fixture->info), OK);
}

/* The block as the sender has it; with a size that may be wrong. */
static enum error send_sized(struct fixture *fixture, uint64_t label_number, uint32_t number,
                             size_t size_bytes)
{
    static uint8_t block[SNAPSHOT_BLOCK_BYTES + 1];
    const struct snapshot_label label = snapshot_model_label(label_number);
    snapshot_model_fill(label.id, (uint64_t)number * SNAPSHOT_BLOCK_BYTES, block, size_bytes);
    return snapshots_install_block(fixture->subject.snapshots, &label, number,
                                   span_of(block, size_bytes));
}

static enum error send_block(struct fixture *fixture, uint32_t number)
{
    return send_sized(fixture, 1, number,
                      number == BLOCKS - 1 ? SNAPSHOT_MODEL_BYTES % SNAPSHOT_BLOCK_BYTES
                                           : SNAPSHOT_BLOCK_BYTES);
}

static void assert_newest(struct fixture *fixture, uint64_t number)
{
    struct snapshot_info info;
    assert_true(snapshots_newest(fixture->subject.snapshots, &info));
    assert_int_equal(info.label.index, number * 100);
    assert_null(snapshot_subject_read(&fixture->subject, &info));
}

static void test_install_takes_blocks_in_any_order(void **state)
{
    struct fixture *fixture = *state;
    struct snapshots *snapshots = fixture->subject.snapshots;
    begin(fixture);
    assert_int_equal(snapshots_install_missing(snapshots, 0), 0);
    assert_int_equal(send_block(fixture, 2), OK);
    assert_int_equal(send_block(fixture, 0), OK);
    assert_int_equal(snapshots_install_missing(snapshots, 0), 1);
    assert_int_equal(snapshots_install_missing(snapshots, 2), BLOCKS);
    assert_int_equal(snapshots_install_end(snapshots), ERR_NOT_YET);
    assert_int_equal(snapshot_subject_poll(&fixture->subject).state, SNAPSHOTS_BUSY);
    assert_int_equal(send_block(fixture, 1), OK);
    assert_int_equal(snapshots_install_missing(snapshots, 0), BLOCKS);
    assert_int_equal(snapshots_install_end(snapshots), OK);
    struct snapshots_progress progress = snapshot_subject_await(&fixture->subject);
    assert_int_equal(progress.state, SNAPSHOTS_GOOD);
    assert_int_equal(progress.info.content_crc, fixture->info.content_crc);
    assert_newest(fixture, 1);
    assert_int_equal(snapshot_subject_open(&fixture->subject), OK);
    assert_newest(fixture, 1);
}

/* What a sender has written says the same of itself as what a receiver has installed. */
static void test_install_agrees_with_what_was_written(void **state)
{
    struct fixture *fixture = *state;
    struct snapshots_progress progress =
        snapshot_subject_write(&fixture->subject, 1, SNAPSHOT_MODEL_BYTES);
    assert_int_equal(progress.state, SNAPSHOTS_GOOD);
    assert_int_equal(progress.info.content_crc, fixture->info.content_crc);
    assert_int_equal(progress.info.block_count, fixture->info.block_count);
    assert_int_equal(progress.info.stream_bytes, fixture->info.stream_bytes);
}

static void test_install_refuses_pieces_of_another_snapshot(void **state)
{
    struct fixture *fixture = *state;
    struct snapshots *snapshots = fixture->subject.snapshots;
    static uint8_t block[SNAPSHOT_BLOCK_BYTES];
    struct span raw = span_of(block, sizeof(block));
    begin(fixture);
    struct snapshot_label label = fixture->info.label;
    label.id++;
    assert_int_equal(snapshots_install_block(snapshots, &label, 0, raw), ERR_SNAPSHOT);
    label = fixture->info.label;
    label.index++;
    assert_int_equal(snapshots_install_block(snapshots, &label, 0, raw), ERR_SNAPSHOT);
    label = fixture->info.label;
    label.term++;
    assert_int_equal(snapshots_install_block(snapshots, &label, 0, raw), ERR_SNAPSHOT);
    assert_int_equal(snapshots_install_missing(snapshots, 0), 0);
}

static void test_install_refuses_pieces_that_do_not_fit(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(send_block(fixture, 0), ERR_SNAPSHOT); /* nothing is being installed */
    begin(fixture);
    assert_int_equal(send_block(fixture, BLOCKS), ERR_RANGE);
    assert_int_equal(send_sized(fixture, 1, 0, SNAPSHOT_BLOCK_BYTES - 1), ERR_SHORT);
    assert_int_equal(send_sized(fixture, 1, 0, SNAPSHOT_BLOCK_BYTES + 1), ERR_TRAILING);
    assert_int_equal(send_sized(fixture, 1, BLOCKS - 1, SNAPSHOT_BLOCK_BYTES), ERR_TRAILING);
    assert_int_equal(send_block(fixture, 0), OK);
    assert_int_equal(send_block(fixture, 0), ERR_EXISTS);
    assert_int_equal(snapshots_install_missing(fixture->subject.snapshots, 0), 1);
}

static void test_install_refuses_numbers_that_contradict(void **state)
{
    struct fixture *fixture = *state;
    struct snapshots *snapshots = fixture->subject.snapshots;
    struct snapshot_info info = fixture->info;
    info.block_count++;
    assert_int_equal(snapshots_install_begin(snapshots, &info), ERR_RANGE);
    info = fixture->info;
    info.stream_bytes = SNAPSHOT_STREAM_BYTES_MAX + 1;
    assert_int_equal(snapshots_install_begin(snapshots, &info), ERR_RANGE);
    info = fixture->info;
    info.label.term = TERM_MAX + 1;
    assert_int_equal(snapshots_install_begin(snapshots, &info), ERR_RANGE);
    info = fixture->info;
    info.label.index = INDEX_MAX + 1;
    assert_int_equal(snapshots_install_begin(snapshots, &info), ERR_RANGE);
    info = fixture->info;
    info.stream_bytes += SNAPSHOT_BLOCK_BYTES;
    info.block_count++;
    assert_int_equal(snapshots_install_begin(snapshots, &info), ERR_TOO_LARGE);
    assert_int_equal(snapshots_install_begin(snapshots, &fixture->info), OK);
    assert_int_equal(snapshots_install_begin(snapshots, &fixture->info), ERR_NOT_YET);
    assert_int_equal(snapshots_write_begin(snapshots, &fixture->info.label), ERR_NOT_YET);
}

/* The labels agree, the bytes do not: it shows at the end, and what was there stays. */
static void test_install_tells_other_contents(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(snapshot_subject_write(&fixture->subject, 3, SNAPSHOT_MODEL_BYTES).state,
                     SNAPSHOTS_GOOD);
    fixture->info.content_crc ^= 1;
    begin(fixture);
    for (uint32_t number = 0; number < BLOCKS; number++)
        assert_int_equal(send_block(fixture, number), OK);
    assert_int_equal(snapshots_install_end(fixture->subject.snapshots), OK);
    struct snapshots_progress progress = snapshot_subject_await(&fixture->subject);
    assert_int_equal(progress.state, SNAPSHOTS_FAILED);
    assert_int_equal(progress.error, ERR_CORRUPT);
    assert_newest(fixture, 3);
    assert_int_equal(snapshot_subject_open(&fixture->subject), OK);
    assert_newest(fixture, 3);
}

static void test_install_begins_anew_after_it_was_given_up(void **state)
{
    struct fixture *fixture = *state;
    struct snapshots *snapshots = fixture->subject.snapshots;
    begin(fixture);
    assert_int_equal(send_block(fixture, 1), OK);
    snapshots_abandon(snapshots);
    assert_int_equal(send_block(fixture, 0), ERR_SNAPSHOT);
    assert_int_equal(snapshots_install_begin(snapshots, &fixture->info), ERR_NOT_YET);
    assert_int_equal(snapshot_subject_await(&fixture->subject).state, SNAPSHOTS_IDLE);
    begin(fixture);
    assert_int_equal(snapshots_install_missing(snapshots, 1), 1);
}

/* More blocks than the ring holds: it pushes back until the worker has written some. */
static void test_install_pushes_back_when_the_ring_is_full(void **state)
{
    struct fixture *fixture = *state;
    const uint32_t count = SNAPSHOT_RING_BLOCKS + 4;
    struct snapshot_subject *subject = &fixture->subject;
    snapshot_subject_deinit(subject);
    medium_sim_remove(fixture->sim, SNAPSHOT_MODEL_FILE_0);
    subject->options.size_bytes = snapshots_file_bytes((uint64_t)count * SNAPSHOT_BLOCK_BYTES);
    assert_int_equal(snapshot_subject_open(subject), OK);
    fixture->info = snapshot_model_info(1, (uint64_t)count * SNAPSHOT_BLOCK_BYTES);
    begin(fixture);
    uint32_t sent = 0;
    while (send_sized(fixture, 1, sent, SNAPSHOT_BLOCK_BYTES) == OK)
        sent++;
    assert_int_equal(sent, SNAPSHOT_RING_BLOCKS);
    assert_int_equal(snapshots_install_room(subject->snapshots), 0);
    assert_int_equal(send_sized(fixture, 1, sent, SNAPSHOT_BLOCK_BYTES), ERR_FULL);
    while (sent < count) {
        if (snapshots_install_room(subject->snapshots) == 0)
            assert_int_equal(snapshot_subject_poll(subject).state, SNAPSHOTS_BUSY);
        else
            assert_int_equal(send_sized(fixture, 1, sent++, SNAPSHOT_BLOCK_BYTES), OK);
    }
    assert_int_equal(snapshots_install_end(subject->snapshots), OK);
    assert_int_equal(snapshot_subject_await(subject).state, SNAPSHOTS_GOOD);
    assert_newest(fixture, 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_install_takes_blocks_in_any_order),
        TEST(test_install_agrees_with_what_was_written),
        TEST(test_install_refuses_pieces_of_another_snapshot),
        TEST(test_install_refuses_pieces_that_do_not_fit),
        TEST(test_install_refuses_numbers_that_contradict),
        TEST(test_install_tells_other_contents),
        TEST(test_install_begins_anew_after_it_was_given_up),
        TEST(test_install_pushes_back_when_the_ring_is_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
