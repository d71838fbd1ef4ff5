/*
 * Wiping a log on the simulated medium: in what order things go, and what a crash between two steps
 * leaves.
 */
#include "tests/unit/pmem/log_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define FILE_BYTES (64u * 1024)
#define PATH       LOG_FIXTURE_PATH
#define RECORDS    20u /* one line each */
#define STEP_BYTES 256u
#define STEPS_MAX  600u

/* Of the medium. */
static uint64_t now_ns;

static void append(struct log_fixture *fixture, uint8_t kind)
{
    const struct log_record record = {
        .index = log_last_index(fixture->log) + 1, .term = 1, .kind = kind};
    assert_int_equal(log_append(fixture->log, &record), OK);
}

static void persist(struct log_fixture *fixture)
{
    assert_int_equal(log_fixture_persist(fixture), log_last_index(fixture->log));
}

static int setup(void **state)
{
    const struct medium_sim_options options = {
        .seed = 5, .granularity = MEDIUM_PAGE, .sync_delay_min_ns = 10, .sync_delay_max_ns = 10};
    struct log_fixture *fixture = log_fixture_new(&options, FILE_BYTES, 0);
    *state = fixture;
    now_ns = 0;
    if (log_fixture_open(fixture) != OK)
        return -1;
    for (uint32_t i = 0; i < RECORDS; i++)
        append(fixture, 2);
    persist(fixture);
    return 0;
}

/* One step, and what it asked for becomes durable. True when the log is empty. */
static bool step(struct log_fixture *fixture)
{
    bool is_done = false;
    assert_int_equal(log_wipe(fixture->log, STEP_BYTES, &is_done), OK);
    medium_sim_set_now(fixture->sim, now_ns += 20);
    return is_done;
}

static void wipe(struct log_fixture *fixture)
{
    uint32_t steps = 0;
    while (!step(fixture))
        assert_true(++steps < STEPS_MAX);
}

static void assert_zero_behind(const struct log_fixture *fixture, size_t offset)
{
    const uint8_t *bytes = medium_sim_persisted(fixture->sim, PATH);
    for (size_t i = offset; i < FILE_BYTES; i++)
        assert_int_equal(bytes[i], 0);
}

static void test_wipe_makes_the_log_as_created(void **state)
{
    struct log_fixture *fixture = *state;
    size_t room_bytes = log_room_bytes(fixture->log) + RECORDS * 64;
    log_write_commit_hint(fixture->log, 5);
    log_settle(fixture->log);
    wipe(fixture);
    assert_true(log_is_blank(fixture->log));
    assert_int_equal(log_room_bytes(fixture->log), room_bytes);
    assert_int_equal(log_last_index(fixture->log), 0);
    assert_zero_behind(fixture, 5120);
    append(fixture, 3);
    append(fixture, 3);
    persist(fixture);
    log_fixture_reopen(fixture);
    assert_int_equal(fixture->recovery.last_index, 2);
    assert_int_equal(fixture->recovery.commit_index, 0);
    assert_false(fixture->recovery.is_suspect);
    assert_int_equal(fixture->recovery.torn_bytes, 0);
}

static void test_wipe_takes_small_steps(void **state)
{
    struct log_fixture *fixture = *state;
    (void)step(fixture);
    assert_true(log_is_wiping(fixture->log));
    bool is_done = false;
    assert_int_equal(log_wipe(fixture->log, STEP_BYTES, &is_done), OK);
    assert_in_range(medium_sim_pending_count(fixture->sim, PATH), 1, STEP_BYTES / 8);
}

/* A step waits until what must come first is durable. */
static void test_wipe_waits_for_its_syncs(void **state)
{
    struct log_fixture *fixture = *state;
    bool is_done = false;
    medium_sim_set_delay(fixture->sim, PATH, 0, MEDIUM_SIM_STALLED);
    for (uint32_t i = 0; i < 10; i++)
        assert_int_equal(log_wipe(fixture->log, STEP_BYTES, &is_done), OK);
    assert_false(is_done);
    assert_int_equal(medium_sim_pending_count(fixture->sim, PATH), 1); /* the first word */
    medium_sim_lose_power(fixture->sim, PATH, 0);
    log_fixture_reopen(fixture);
    assert_int_equal(fixture->recovery.last_index, RECORDS);
    assert_false(log_is_wiping(fixture->log));
}

/* From the first durable step on nothing is found, and the wipe can be done again from anywhere. */
static void test_wipe_survives_a_crash_anywhere(void **state)
{
    static const uint32_t chances[] = {0, 500000, 1000000};
    struct log_fixture *fixture = *state;
    for (uint32_t steps = 1; steps < 12; steps++)
        for (uint32_t i = 0; i < 3; i++) {
            for (uint32_t j = 0; j < steps && !log_is_blank(fixture->log); j++)
                (void)step(fixture);
            bool is_done = false;
            if (!log_is_blank(fixture->log)) /* under way, not durable */
                assert_int_equal(log_wipe(fixture->log, STEP_BYTES, &is_done), OK);
            medium_sim_lose_power(fixture->sim, PATH, chances[i]);
            log_fixture_reopen(fixture);
            assert_int_equal(fixture->recovery.last_index, 0);
            wipe(fixture);
            assert_zero_behind(fixture, 8192);
            for (uint32_t j = 0; j < RECORDS; j++)
                append(fixture, 2);
            persist(fixture);
        }
}

/* Zeros that a failed sync left in the page cache look like the end of the log, and are not. */
static void test_wipe_does_not_trust_zeros_that_no_sync_confirmed(void **state)
{
    struct log_fixture *fixture = *state;
    uint32_t steps = 0;
    bool is_done = false;
    while (medium_data(log_medium(fixture->log))[8192 + (RECORDS - 1) * 64 + 8] != 0) {
        (void)step(fixture);
        if (steps++ == 0)
            medium_sim_fail_sync(fixture->sim, PATH);
        assert_true(steps < STEPS_MAX);
    }
    assert_int_equal(log_wipe(fixture->log, STEP_BYTES, &is_done), ERR_SYNC);
    assert_int_equal(log_wipe(fixture->log, STEP_BYTES, &is_done), ERR_SYNC);
    log_fixture_reopen(fixture);
    assert_true(log_is_wiping(fixture->log));
    wipe(fixture);
    append(fixture, 3);
    persist(fixture);
    medium_sim_lose_power(fixture->sim, PATH, 0);
    log_fixture_reopen(fixture);
    assert_int_equal(fixture->recovery.last_index, 1); /* no record 2 of long ago behind it */
    assert_int_equal(fixture->recovery.torn_bytes, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, log_fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_wipe_makes_the_log_as_created),
        TEST(test_wipe_takes_small_steps),
        TEST(test_wipe_waits_for_its_syncs),
        TEST(test_wipe_survives_a_crash_anywhere),
        TEST(test_wipe_does_not_trust_zeros_that_no_sync_confirmed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
