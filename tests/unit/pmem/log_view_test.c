/*
 * A log that is read and not opened: the same log as its owner has, or one that it had, while the
 * owner goes on. What is damaged: log_view_damage_test.c.
 */
#include "tests/unit/pmem/log_view_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void test_log_view_has_the_log_of_its_owner(void **state)
{
    struct log_view_fixture *fixture = *state;
    log_view_fixture_append_many(fixture, 20);
    log_write_hard_state(fixture->log, 5, 88);
    log_write_commit_hint(fixture->log, 17);
    log_hear(fixture->log, 99, 4711);
    log_view_fixture_persist(fixture);
    const struct log_view_state *found = log_view_fixture_view(fixture);
    log_view_fixture_expect(fixture, 1, 20);
    assert_int_equal(found->birth, 77);
    assert_int_equal(found->term, 5);
    assert_int_equal(found->vote, 88);
    assert_int_equal(found->commit_index, 17);
    assert_int_equal(found->segment_count, LOG_VIEW_FIXTURE_SEGMENTS);
    assert_int_equal(found->start_count, 1);
    assert_int_equal(log_view_start(fixture->view, 0), log_start(fixture->log));
    assert_int_equal(log_view_start(fixture->view, 1), 0);
    const struct log_heard *heard = log_heard(log_view_log(fixture->view), 0);
    assert_int_equal(heard->start, 4711);
    uint64_t birth;
    assert_true(log_view_voted(fixture->view, 0, &birth));
    assert_int_equal(birth, 88);
    assert_int_equal(fixture->findings.count, 0);
    assert_int_equal(log_view_fixture_count(fixture, LOG_VIEW_TAKEN), 20);
}

static void count_store(void *context, const char *path)
{
    (void)path;
    ++*(uint32_t *)context;
}

static void test_log_view_stores_nothing(void **state)
{
    struct log_view_fixture *fixture = *state;
    log_view_fixture_append_many(fixture, 5);
    log_view_fixture_flip(fixture, LOG_VIEW_FIXTURE_RECORDS + 2 * LOG_VIEW_FIXTURE_ROOM);
    log_view_fixture_flip(fixture, 4096);
    medium_sim_set_watch(fixture->sim, (struct medium_sim_watch){.before_store = count_store,
                                                                 .context = &fixture->stores});
    (void)log_view_fixture_view(fixture);
    assert_int_equal(fixture->stores, 0);
    medium_sim_set_watch(fixture->sim, (struct medium_sim_watch){0});
}

static void test_log_view_shows_what_was_superseded(void **state)
{
    struct log_view_fixture *fixture = *state;
    log_view_fixture_append_many(fixture, 5);
    log_truncate(fixture->log, 4);
    log_view_fixture_append(fixture, 4);
    log_view_fixture_persist(fixture);
    (void)log_view_fixture_view(fixture);
    log_view_fixture_expect(fixture, 1, 4);
    assert_int_equal(log_view_fixture_count(fixture, LOG_VIEW_SUPERSEDED), 2);
    assert_int_equal(fixture->findings.count, 0);
}

/* The node goes on between any two reads. */
static void go_on(void *context)
{
    struct log_view_fixture *fixture = context;
    if (fixture->reader.reads % 2 == 0 &&
        log_append_room_bytes(fixture->log) >= LOG_VIEW_FIXTURE_ROOM)
        log_view_fixture_append_many(fixture, 1);
}

static void test_log_view_of_a_node_that_appends_is_an_earlier_log(void **state)
{
    struct log_view_fixture *fixture = *state;
    log_view_fixture_append_many(fixture, 10);
    fixture->reader.before_read = go_on;
    fixture->reader.context = fixture;
    const struct log_view_state *found = log_view_fixture_view(fixture);
    assert_true(found->last_index >= 10);
    log_view_fixture_expect(fixture, 1, found->last_index);
    assert_int_equal(view_findings_damage(&fixture->findings), 0);
}

/* Appends, drops and wipes, so that what is being read goes away; for a while. */
static void go_round(void *context)
{
    struct log_view_fixture *fixture = context;
    if (fixture->reader.reads < 6)
        log_view_fixture_run_round(fixture);
}

static void test_log_view_reads_again_what_was_dropped_meanwhile(void **state)
{
    struct log_view_fixture *fixture = *state;
    log_view_fixture_append_many(fixture, 10);
    fixture->reader.before_read = go_round;
    fixture->reader.context = fixture;
    const struct log_view_state *found = log_view_fixture_view(fixture);
    assert_false(found->is_changing);
    assert_int_equal(found->last_index, log_last_index(fixture->log));
    log_view_fixture_expect(fixture, log_first_index(fixture->log), found->last_index);
    assert_int_equal(view_findings_damage(&fixture->findings), 0);
}

/* The writer of the third record was interrupted in the middle of it, and goes on at the second
 * wait. */
static struct log_view_fixture *interrupted;

static bool wait_for_writer(uint32_t turn)
{
    if (turn == 1)
        log_view_fixture_flip(interrupted,
                              LOG_VIEW_FIXTURE_RECORDS + 2 * LOG_VIEW_FIXTURE_ROOM + 100);
    return turn < 3;
}

static void test_log_view_waits_for_a_writer_that_was_interrupted(void **state)
{
    interrupted = *state;
    log_view_fixture_append_many(interrupted, 3);
    log_view_fixture_flip(interrupted, LOG_VIEW_FIXTURE_RECORDS + 2 * LOG_VIEW_FIXTURE_ROOM + 100);
    interrupted->reader.reader.wait = wait_for_writer;
    assert_false(log_view_fixture_view(interrupted)->is_changing);
    log_view_fixture_expect(interrupted, 1, 3);
    assert_int_equal(view_findings_damage(&interrupted->findings), 0);
}

static bool wait_in_vain(uint32_t turn)
{
    return turn < 3;
}

static void test_log_view_waits_for_no_writer_for_ever(void **state)
{
    struct log_view_fixture *fixture = *state;
    log_view_fixture_append_many(fixture, 3);
    log_view_fixture_flip(fixture, LOG_VIEW_FIXTURE_RECORDS + 2 * LOG_VIEW_FIXTURE_ROOM + 100);
    fixture->reader.reader.wait = wait_in_vain;
    assert_false(log_view_fixture_view(fixture)->is_changing);
    log_view_fixture_expect(fixture, 1, 2);
    assert_non_null(view_findings_of(&fixture->findings, FINDING_TORN));
}

static void go_round_for_ever(void *context)
{
    log_view_fixture_run_round(context);
}

static void test_log_view_says_that_it_could_not_keep_up(void **state)
{
    struct log_view_fixture *fixture = *state;
    log_view_fixture_append_many(fixture, 10);
    fixture->reader.before_read = go_round_for_ever;
    fixture->reader.context = fixture;
    assert_true(log_view_fixture_view(fixture)->is_changing);
    assert_non_null(view_findings_of(&fixture->findings, FINDING_CHANGING));
    fixture->reader.before_read = NULL;
}

static void test_log_view_is_of_a_file_without_records(void **state)
{
    struct log_view_fixture *fixture = *state;
    const struct log_view_state *found = log_view_fixture_view(fixture);
    assert_int_equal(found->first_index, 1);
    assert_int_equal(found->last_index, 0);
    assert_int_equal(fixture->findings.count, 0);
    struct log_view_segment segment;
    uint32_t in_row = 0;
    for (uint32_t slot = 0; log_view_segment(fixture->view, slot, &segment); slot++)
        in_row += segment.state == LOG_VIEW_ROW;
    assert_int_equal(in_row, 3); /* one to append to, two made ready */
}

static void test_log_view_knows_a_storage_that_was_set_back(void **state)
{
    struct log_view_fixture *fixture = *state;
    assert_int_equal(log_view_fixture_view(fixture)->ended, LOG_END_NONE);
    log_end(fixture->log, LOG_END_SET_BACK);
    log_view_fixture_persist(fixture);
    assert_int_equal(log_view_fixture_view(fixture)->ended, LOG_END_SET_BACK);
    log_view_fixture_reopen(fixture);
    assert_int_equal(log_view_fixture_view(fixture)->start_count, 2);
}

int main(void)
{
#define TEST(name)                                                                                 \
    cmocka_unit_test_setup_teardown(name, log_view_fixture_setup, log_view_fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_log_view_has_the_log_of_its_owner),
        TEST(test_log_view_stores_nothing),
        TEST(test_log_view_shows_what_was_superseded),
        TEST(test_log_view_of_a_node_that_appends_is_an_earlier_log),
        TEST(test_log_view_reads_again_what_was_dropped_meanwhile),
        TEST(test_log_view_waits_for_a_writer_that_was_interrupted),
        TEST(test_log_view_waits_for_no_writer_for_ever),
        TEST(test_log_view_says_that_it_could_not_keep_up),
        TEST(test_log_view_is_of_a_file_without_records),
        TEST(test_log_view_knows_a_storage_that_was_set_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
