/*
 * What recovery makes of torn tails, holes and rot, place by place. The many states that power loss
 * can leave are enumerated in tests/sim/crash_states.c.
 */
#include "tests/unit/pmem/log_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define FILE_BYTES    (64u * 1024)
#define PATH          LOG_FIXTURE_PATH
#define RECORD_OFFSET 8192u
#define RECORD_BYTES  64u /* of the records here: one line each */
#define LOST_COUNT    3

static int setup_on(void **state, enum medium_granularity granularity)
{
    const struct medium_sim_options options = {.seed = 5, .granularity = granularity};
    struct log_fixture *fixture = log_fixture_new(&options, FILE_BYTES, 0);
    *state = fixture;
    return log_fixture_open(fixture) == OK ? 0 : -1;
}

/* A quorum has settled the log, and that is durable. */
static void settle(struct log_fixture *fixture)
{
    uint64_t ticket = 0;
    uint64_t index = 0;
    log_settle(fixture->log);
    assert_int_equal(medium_persist_wait(log_medium(fixture->log)), OK);
    assert_int_equal(log_persisted(fixture->log, &ticket, &index), OK);
    assert_int_equal(medium_persist_wait(log_medium(fixture->log)), OK);
}

static int setup(void **state)
{
    return setup_on(state, MEDIUM_CACHE_LINE);
}

static int setup_page(void **state)
{
    return setup_on(state, MEDIUM_PAGE);
}

static void append(struct log_fixture *fixture, uint64_t term, char letter)
{
    const struct log_record record = {.index = log_last_index(fixture->log) + 1,
                                      .term = term,
                                      .kind = 2,
                                      .payload = span_of(&letter, 1)};
    assert_int_equal(log_append(fixture->log, &record), OK);
}

/* Each letter a record, each durable before the next, so that the later vouch for the earlier. */
static void append_durably(struct log_fixture *fixture, uint64_t term, const char *letters)
{
    for (; *letters != '\0'; letters++) {
        append(fixture, term, *letters);
        log_fixture_persist(fixture);
    }
}

static void rot(struct log_fixture *fixture, uint32_t position)
{
    medium_sim_flip_bit(fixture->sim, PATH, RECORD_OFFSET + position * RECORD_BYTES + 48, 0);
}

/* Empty, and suspect up to record LOST_COUNT: the first of so many records has rotted. */
static void lose_begin(struct log_fixture *fixture)
{
    append_durably(fixture, 1, "xyz"); /* LOST_COUNT */
    rot(fixture, 0);
    log_fixture_reopen(fixture);
    assert_true(fixture->recovery.is_suspect);
    assert_true(fixture->recovery.is_history_lost);
    assert_int_equal(log_last_index(fixture->log), 0);
}

static void assert_letters(const struct log_fixture *fixture, const char *letters)
{
    assert_int_equal(log_last_index(fixture->log), strlen(letters));
    for (uint64_t index = 1; index <= strlen(letters); index++) {
        struct log_record record;
        log_read(fixture->log, index, &record);
        assert_int_equal(record.payload.data[0], letters[index - 1]);
    }
}

static void test_recovery_takes_zeros_for_a_clean_end(void **state)
{
    struct log_fixture *fixture = *state;
    append_durably(fixture, 1, "abc");
    medium_sim_lose_power(fixture->sim, PATH, 0);
    log_fixture_reopen(fixture);
    assert_letters(fixture, "abc");
    assert_false(fixture->recovery.is_suspect);
    assert_string_equal(fixture->recovery.note, "");
}

static void test_recovery_reports_a_torn_tail(void **state)
{
    struct log_fixture *fixture = *state;
    append_durably(fixture, 1, "ab");
    append(fixture, 1, 'c');
    const uint64_t survivors = 1; /* of the first line only its first word */
    medium_sim_lose_power_but(fixture->sim, PATH, &survivors);
    log_fixture_reopen(fixture);
    assert_letters(fixture, "ab");
    assert_true(fixture->recovery.is_suspect);
    assert_int_equal(fixture->recovery.torn_bytes, RECORD_BYTES);
    assert_int_equal(fixture->recovery.hole_first_index, 0);
    assert_non_null(strstr(fixture->recovery.note, PATH ": offset 8320: 64 bytes behind record 2"));
}

static void test_recovery_never_revives_what_lay_behind_a_torn_record(void **state)
{
    struct log_fixture *fixture = *state;
    append_durably(fixture, 1, "ab");
    append(fixture, 1, 'c');
    append(fixture, 1, 'd');
    size_t words = medium_sim_pending_count(fixture->sim, PATH);
    const uint64_t survivors = ~(uint64_t)0 << (words / 2); /* "d" whole, nothing of "c" */
    medium_sim_lose_power_but(fixture->sim, PATH, &survivors);
    log_fixture_reopen(fixture);
    assert_letters(fixture, "ab");
    assert_true(fixture->recovery.is_suspect);
    append_durably(fixture, 2, "C");
    log_fixture_reopen(fixture);
    assert_letters(fixture, "abC");
    assert_true(fixture->recovery.is_suspect); /* "d" may have been acknowledged */
    append_durably(fixture, 2, "D");
    log_fixture_reopen(fixture);
    assert_letters(fixture, "abCD");
    assert_false(fixture->recovery.is_suspect);
}

static void test_recovery_reports_a_hole(void **state)
{
    struct log_fixture *fixture = *state;
    append_durably(fixture, 1, "abcd");
    rot(fixture, 1);
    log_fixture_reopen(fixture);
    assert_letters(fixture, "a");
    assert_true(fixture->recovery.is_suspect);
    assert_int_equal(fixture->recovery.hole_first_index, 2);
    assert_int_equal(fixture->recovery.torn_bytes, 0);
    assert_non_null(
        strstr(fixture->recovery.note, PATH ": offset 8256: records from 2 on are damaged"));
}

static void test_recovery_stays_suspect_until_the_lost_records_are_back(void **state)
{
    struct log_fixture *fixture = *state;
    append_durably(fixture, 1, "abcd");
    rot(fixture, 1);
    log_fixture_reopen(fixture);
    append_durably(fixture, 1, "bc");
    log_fixture_reopen(fixture);
    assert_letters(fixture, "abc");
    assert_true(fixture->recovery.is_suspect);
    assert_int_equal(fixture->recovery.hole_first_index, 0);
    assert_non_null(strstr(fixture->recovery.note, "records up to 4 may have been lost"));
    append_durably(fixture, 1, "d");
    log_fixture_reopen(fixture);
    assert_letters(fixture, "abcd");
    assert_false(fixture->recovery.is_suspect);
    assert_string_equal(fixture->recovery.note, "");
}

static void test_recovery_ends_the_suspicion_when_settled(void **state)
{
    struct log_fixture *fixture = *state;
    append_durably(fixture, 1, "abcd");
    rot(fixture, 1);
    log_fixture_reopen(fixture);
    settle(fixture);
    append_durably(fixture, 2, "B");
    log_fixture_reopen(fixture);
    assert_letters(fixture, "aB");
    assert_false(fixture->recovery.is_suspect);
}

/* A log that never had a record has nothing to lose, however often it is opened and whatever it has
 * voted for. */
static void test_recovery_trusts_a_log_that_never_had_a_record(void **state)
{
    struct log_fixture *fixture = *state;
    assert_true(fixture->recovery.is_created);
    assert_false(fixture->recovery.is_suspect);
    log_write_hard_state(fixture->log, 3, 77);
    assert_int_equal(medium_persist_wait(log_medium(fixture->log)), OK);
    log_fixture_reopen(fixture);
    assert_false(fixture->recovery.is_created);
    assert_false(fixture->recovery.is_suspect);
    assert_false(fixture->recovery.is_history_lost);
    assert_string_equal(fixture->recovery.note, "");
    append_durably(fixture, 3, "abc");
    log_fixture_reopen(fixture);
    assert_letters(fixture, "abc");
    assert_false(fixture->recovery.is_suspect);
}

/* Every record has rotted away to zeros, but a word names one of them. */
static void test_recovery_suspects_an_empty_log_whose_words_name_a_record(void **state)
{
    struct log_fixture *fixture = *state;
    static const uint8_t zeros[3 * RECORD_BYTES];
    append_durably(fixture, 1, "abc");
    log_write_commit_hint(fixture->log, 2);
    assert_int_equal(medium_persist_wait(log_medium(fixture->log)), OK);
    medium_write(log_medium(fixture->log), RECORD_OFFSET, zeros, sizeof(zeros));
    assert_int_equal(medium_persist_wait(log_medium(fixture->log)), OK);
    log_fixture_reopen(fixture);
    assert_letters(fixture, "");
    assert_true(fixture->recovery.is_suspect);
}

static void test_recovery_believes_the_settled_mark(void **state)
{
    struct log_fixture *fixture = *state;
    lose_begin(fixture);
    append_durably(fixture, 1, "a");
    settle(fixture);
    medium_sim_lose_power(fixture->sim, PATH, 0);
    log_fixture_reopen(fixture);
    assert_letters(fixture, "a");
    assert_false(fixture->recovery.is_suspect);
    assert_string_equal(fixture->recovery.note, "");
}

/* Not before the vote that goes with it is durable. */
static void test_recovery_settles_only_what_is_durable(void **state)
{
    struct log_fixture *fixture = *state;
    uint64_t ticket = 0;
    uint64_t index = 0;
    lose_begin(fixture);
    append_durably(fixture, 1, "a");
    medium_sim_set_delay(fixture->sim, PATH, 0, MEDIUM_SIM_STALLED);
    log_write_hard_state(fixture->log, 1, 2);
    log_settle(fixture->log);
    append(fixture, 1, 'b');
    assert_int_equal(log_persisted(fixture->log, &ticket, &index), OK);
    medium_sim_lose_power(fixture->sim, PATH, 1000000);
    log_fixture_reopen(fixture);
    assert_letters(fixture, "ab");
    assert_true(fixture->recovery.is_suspect);
}

/* It may stay behind when the log before its record is lost. */
static void test_recovery_loses_the_settled_mark_with_its_record(void **state)
{
    struct log_fixture *fixture = *state;
    lose_begin(fixture);
    append_durably(fixture, 1, "ab");
    settle(fixture);
    log_fixture_persist(fixture);
    rot(fixture, LOST_COUNT); /* "b", which the mark names, is whole, and hangs in the air */
    log_fixture_reopen(fixture);
    assert_letters(fixture, "");
    assert_true(fixture->recovery.is_suspect);
    append_durably(fixture, 1, "A");
    log_fixture_reopen(fixture);
    assert_letters(fixture, "A");
    assert_true(fixture->recovery.is_suspect);
}

static void test_recovery_passes_over_rot_in_superseded_records(void **state)
{
    struct log_fixture *fixture = *state;
    append_durably(fixture, 1, "abcd");
    log_truncate(fixture->log, 2);
    append_durably(fixture, 2, "BC");
    rot(fixture, 2);
    log_fixture_reopen(fixture);
    assert_letters(fixture, "aBC");
    assert_false(fixture->recovery.is_suspect);
    assert_int_equal(fixture->recovery.hole_first_index, 0);
}

static void test_recovery_does_not_mix_two_histories(void **state)
{
    struct log_fixture *fixture = *state;
    append_durably(fixture, 1, "abc");
    log_truncate(fixture->log, 2);
    append_durably(fixture, 2, "BCD");
    rot(fixture, 3); /* "B": then "C" and "D" would fit behind the old "b" by index alone */
    log_fixture_reopen(fixture);
    assert_letters(fixture, "abc");
    assert_true(fixture->recovery.is_suspect);
}

static void test_recovery_reports_rot_and_a_torn_tail_together(void **state)
{
    struct log_fixture *fixture = *state;
    append_durably(fixture, 1, "abc");
    append(fixture, 1, 'd');
    const uint64_t survivors = 2;
    medium_sim_lose_power_but(fixture->sim, PATH, &survivors);
    rot(fixture, 1);
    log_fixture_reopen(fixture);
    assert_letters(fixture, "a");
    assert_int_equal(fixture->recovery.hole_first_index, 2);
    assert_int_equal(fixture->recovery.torn_bytes, RECORD_BYTES);
}

/* The hint reached the medium, the record it names did not; another one then takes its place. */
static void test_recovery_takes_no_hint_for_a_record_that_is_not_there(void **state)
{
    struct log_fixture *fixture = *state;
    append_durably(fixture, 1, "a");
    append(fixture, 1, 'b');
    log_write_commit_hint(fixture->log, 2);
    const uint64_t survivors = UINT64_C(1) << (medium_sim_pending_count(fixture->sim, PATH) - 1);
    medium_sim_lose_power_but(fixture->sim, PATH, &survivors);
    log_fixture_reopen(fixture);
    assert_letters(fixture, "a");
    assert_int_equal(fixture->recovery.commit_index, 0);
    append_durably(fixture, 2, "B");
    log_fixture_reopen(fixture);
    assert_letters(fixture, "aB");
    assert_int_equal(fixture->recovery.commit_index, 0);
}

static void test_recovery_keeps_what_a_killed_process_had_stored(void **state)
{
    struct log_fixture *fixture = *state;
    append_durably(fixture, 1, "a");
    append(fixture, 1, 'b');
    medium_sim_kill(fixture->sim, PATH);
    log_fixture_reopen(fixture);
    assert_letters(fixture, "ab");
    medium_sim_lose_power(fixture->sim, PATH, 0); /* the start had made "b" durable */
    log_fixture_reopen(fixture);
    assert_letters(fixture, "ab");
    assert_false(fixture->recovery.is_suspect);
}

/* Or a restart could show less than the one before it. */
static void test_recovery_keeps_the_commit_hint_of_a_killed_process(void **state)
{
    struct log_fixture *fixture = *state;
    append_durably(fixture, 1, "ab");
    log_write_commit_hint(fixture->log, 2);
    medium_sim_kill(fixture->sim, PATH);
    log_fixture_reopen(fixture);
    assert_int_equal(fixture->recovery.commit_index, 2);
    medium_sim_lose_power(fixture->sim, PATH, 0);
    log_fixture_reopen(fixture);
    assert_int_equal(fixture->recovery.commit_index, 2);
}

static void test_recovery_makes_good_what_a_failed_sync_left(void **state)
{
    struct log_fixture *fixture = *state;
    uint64_t ticket = 0;
    uint64_t index = 0;
    append_durably(fixture, 1, "a");
    append(fixture, 1, 'b');
    medium_sim_fail_sync(fixture->sim, PATH);
    log_persist(fixture->log);
    assert_int_equal(log_persisted(fixture->log, &ticket, &index), ERR_SYNC);
    assert_int_equal(log_persisted(fixture->log, &ticket, &index), ERR_SYNC);
    assert_int_equal(medium_persist_wait(log_medium(fixture->log)), ERR_SYNC);
    log_fixture_reopen(fixture); /* the next process, the same kernel */
    assert_letters(fixture, "ab");
    medium_sim_lose_power(fixture->sim, PATH, 0);
    log_fixture_reopen(fixture);
    assert_letters(fixture, "ab");
}

static void test_recovery_fails_where_its_sync_fails(void **state)
{
    struct log_fixture *fixture = *state;
    append_durably(fixture, 1, "a");
    log_close(fixture->log);
    medium_sim_fail_sync(fixture->sim, PATH);
    assert_int_equal(log_fixture_open(fixture), ERR_SYNC);
    assert_non_null(strstr(fixture->recovery.note, PATH));
    assert_int_equal(log_fixture_open(fixture), OK);
    assert_letters(fixture, "a");
}

static void test_recovery_is_not_deceived_by_a_record_inside_a_payload(void **state)
{
    struct log_fixture *fixture = *state;
    uint8_t payload[16 + 4 * RECORD_BYTES] = {0};
    append_durably(fixture, 1, "abc");
    memcpy(payload + 16, medium_data(log_medium(fixture->log)) + RECORD_OFFSET + RECORD_BYTES,
           2 * RECORD_BYTES);
    const struct log_record record = {
        .index = 4, .term = 1, .kind = 2, .payload = span_of(payload, sizeof(payload))};
    assert_int_equal(log_append(fixture->log, &record), OK);
    log_fixture_persist(fixture);
    append_durably(fixture, 1, "e");
    rot(fixture, 3);
    log_fixture_reopen(fixture);
    assert_letters(fixture, "abc");
    assert_int_equal(fixture->recovery.hole_first_index, 4);
}

static void test_recovery_tells_stalled_from_durable(void **state)
{
    struct log_fixture *fixture = *state;
    uint64_t ticket = 0;
    uint64_t index = 0;
    medium_sim_set_delay(fixture->sim, PATH, 0, MEDIUM_SIM_STALLED);
    append(fixture, 1, 'a');
    log_persist(fixture->log);
    medium_sim_set_now(fixture->sim, 1000000000);
    assert_int_equal(log_persisted(fixture->log, &ticket, &index), OK);
    assert_int_equal(index, 0);
    medium_sim_set_delay(fixture->sim, PATH, 5, 5);
    assert_int_equal(medium_sim_deadline_ns(fixture->sim, PATH), 1000000005);
    append(fixture, 1, 'b');
    log_persist(fixture->log);
    medium_sim_set_now(fixture->sim, 1000000005);
    assert_int_equal(log_persisted(fixture->log, &ticket, &index), OK);
    assert_int_equal(index, 1);
    medium_sim_set_now(fixture->sim, 1000000010);
    assert_int_equal(log_persisted(fixture->log, &ticket, &index), OK);
    assert_int_equal(index, 2);
}

int main(void)
{
#define TEST(name)      cmocka_unit_test_setup_teardown(name, setup, log_fixture_teardown)
#define TEST_PAGE(name) cmocka_unit_test_setup_teardown(name, setup_page, log_fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_recovery_takes_zeros_for_a_clean_end),
        TEST(test_recovery_reports_a_torn_tail),
        TEST(test_recovery_never_revives_what_lay_behind_a_torn_record),
        TEST(test_recovery_reports_a_hole),
        TEST(test_recovery_stays_suspect_until_the_lost_records_are_back),
        TEST(test_recovery_ends_the_suspicion_when_settled),
        TEST(test_recovery_trusts_a_log_that_never_had_a_record),
        TEST(test_recovery_suspects_an_empty_log_whose_words_name_a_record),
        TEST(test_recovery_believes_the_settled_mark),
        TEST_PAGE(test_recovery_settles_only_what_is_durable),
        TEST(test_recovery_loses_the_settled_mark_with_its_record),
        TEST(test_recovery_passes_over_rot_in_superseded_records),
        TEST(test_recovery_does_not_mix_two_histories),
        TEST(test_recovery_reports_rot_and_a_torn_tail_together),
        TEST(test_recovery_takes_no_hint_for_a_record_that_is_not_there),
        TEST(test_recovery_keeps_what_a_killed_process_had_stored),
        TEST(test_recovery_keeps_the_commit_hint_of_a_killed_process),
        TEST_PAGE(test_recovery_makes_good_what_a_failed_sync_left),
        TEST_PAGE(test_recovery_fails_where_its_sync_fails),
        TEST(test_recovery_is_not_deceived_by_a_record_inside_a_payload),
        TEST_PAGE(test_recovery_tells_stalled_from_durable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
