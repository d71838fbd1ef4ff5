/*
 * The list of starts of a storage: what it knows after restarts, what a power loss, rot or an older
 * copy of the file leave of it. On the simulated medium.
 */
#include "pmem/log.h"
#include "tests/sim/medium_sim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define FILE_BYTES (64u * 1024)
#define PATH       "/media/one.log"
#define STARTS_AT  64u                              /* offset of the list */
#define COUNT_AT   7680u                            /* of the word that counts them */
#define RANDOM(i)  ((UINT64_C(0x1000) + (i)) << 32) /* of start i, from 1 */
#define START(i)   (RANDOM(i) + (i)-1)              /* its number: the low bits count */

struct fixture {
    struct medium_sim *sim;
    struct arena arena;
    struct log *log;
};

static enum error start(struct fixture *fixture, uint64_t number)
{
    struct log_recovery recovery;
    const struct log_options options = {.path = PATH,
                                        .size_bytes = FILE_BYTES,
                                        .is_created = true,
                                        .birth = 77,
                                        .start = number,
                                        .identity = {.cluster_id = 7, .node = 2, .shard = 1}};
    if (fixture->arena.base != NULL)
        arena_deinit(&fixture->arena);
    assert_int_equal(arena_init(&fixture->arena, log_arena_bytes(FILE_BYTES)), OK);
    return log_open(&options, &fixture->arena, &fixture->log, &recovery);
}

static void start_times(struct fixture *fixture, uint64_t first, uint64_t count)
{
    for (uint64_t i = first; i < first + count; i++) {
        assert_int_equal(start(fixture, RANDOM(i)), OK);
        log_close(fixture->log);
    }
}

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    const struct medium_sim_options options = {.seed = 5, .granularity = MEDIUM_CACHE_LINE};
    fixture->sim = medium_sim_create(&options);
    medium_sim_use(fixture->sim);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    if (fixture->arena.base != NULL)
        arena_deinit(&fixture->arena);
    medium_sim_destroy(fixture->sim);
    free(fixture);
    return 0;
}

static void test_starts_are_known_to_later_starts(void **state)
{
    struct fixture *fixture = *state;
    start_times(fixture, 1, 3);
    assert_int_equal(start(fixture, RANDOM(4)), OK);
    assert_true(log_start(fixture->log) == START(4));
    for (uint64_t i = 1; i <= 4; i++)
        assert_true(log_had_start(fixture->log, START(i)));
    assert_false(log_had_start(fixture->log, START(5)));
    assert_false(log_had_start(fixture->log, 0));
    log_close(fixture->log);
}

static void test_starts_of_a_bank_are_not_noted(void **state)
{
    struct fixture *fixture = *state;
    start_times(fixture, 1, 1);
    assert_int_equal(start(fixture, 0), OK);
    assert_true(log_start(fixture->log) == 0);
    assert_true(log_had_start(fixture->log, START(1)));
    log_close(fixture->log);
}

static void test_starts_older_than_the_list_are_believed(void **state)
{
    struct fixture *fixture = *state;
    start_times(fixture, 1, LOG_STARTS_MAX + 3);
    assert_int_equal(start(fixture, RANDOM(LOG_STARTS_MAX + 4)), OK);
    for (uint64_t i = 1; i <= LOG_STARTS_MAX + 4; i++) /* the first four are believed */
        assert_true(log_had_start(fixture->log, START(i)));
    for (uint64_t i = 5; i <= LOG_STARTS_MAX + 4; i++) /* of these the numbers are there */
        assert_false(log_had_start(fixture->log, START(i) ^ RANDOM(0)));
    assert_false(log_had_start(fixture->log, START(LOG_STARTS_MAX + 5))); /* is to come */
    log_close(fixture->log);
}

/* The number is in the file before anybody can hear of it. */
static void test_starts_are_durable_when_the_log_is_open(void **state)
{
    struct fixture *fixture = *state;
    start_times(fixture, 1, 1);
    assert_int_equal(start(fixture, RANDOM(2)), OK);
    medium_sim_lose_power(fixture->sim, PATH, 0);
    log_close(fixture->log);
    assert_int_equal(start(fixture, RANDOM(3)), OK);
    assert_true(log_had_start(fixture->log, START(2)));
    log_close(fixture->log);
}

/* The count rots: the list is still known, and goes on. */
static void test_starts_outlive_their_count(void **state)
{
    struct fixture *fixture = *state;
    start_times(fixture, 1, 5);
    medium_sim_flip_bit(fixture->sim, PATH, COUNT_AT, 3);
    start_times(fixture, 6, 1);
    assert_int_equal(start(fixture, RANDOM(7)), OK);
    for (uint64_t i = 3; i <= 5; i++)
        assert_true(log_had_start(fixture->log, START(i)));
    assert_true(log_start(fixture->log) == RANDOM(7) + 1); /* counted anew */
    assert_true(log_had_start(fixture->log, log_start(fixture->log) - 1 + RANDOM(6) - RANDOM(7)));
    log_close(fixture->log);
}

static void test_a_rotten_start_is_missing(void **state)
{
    struct fixture *fixture = *state;
    start_times(fixture, 1, 2);
    medium_sim_flip_bit(fixture->sim, PATH, STARTS_AT + 8, 1);
    assert_int_equal(start(fixture, RANDOM(3)), OK);
    assert_true(log_had_start(fixture->log, START(1)));
    assert_false(log_had_start(fixture->log, START(2)));
    log_close(fixture->log);
}

static uint64_t heard_of(const struct log *log, uint64_t birth)
{
    for (uint32_t place = 0; place < LOG_HEARD_PLACES; place++) {
        const struct log_heard *heard = log_heard(log, place);
        if (heard != NULL && heard->birth == birth)
            return heard->start;
    }
    return 0;
}

static void test_heard_starts_survive_a_restart(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(start(fixture, RANDOM(1)), OK);
    for (uint64_t i = 1; i <= 3 * LOG_HEARD_PLACES; i++)
        log_hear(fixture->log, 100 + i % 5, i);
    for (uint64_t i = 0; i < 5; i++)
        assert_true(heard_of(fixture->log, 100 + i) ==
                    3 * LOG_HEARD_PLACES - (3 * LOG_HEARD_PLACES + 5 - i) % 5);
    log_persist(fixture->log);
    medium_sim_lose_power(fixture->sim, PATH, 0);
    log_close(fixture->log);
    assert_int_equal(start(fixture, RANDOM(2)), OK);
    for (uint64_t i = 0; i < 5; i++)
        assert_true(heard_of(fixture->log, 100 + i) ==
                    3 * LOG_HEARD_PLACES - (3 * LOG_HEARD_PLACES + 5 - i) % 5);
    log_close(fixture->log);
}

/* Whatever of a new start gets lost, it or the one before is known. */
static void test_heard_starts_outlive_a_torn_write(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(start(fixture, RANDOM(1)), OK);
    log_hear(fixture->log, 100, 1);
    log_persist(fixture->log);
    log_close(fixture->log);
    for (uint64_t survivors = 0; survivors < 8; survivors++) {
        assert_int_equal(start(fixture, RANDOM(survivors + 2)), OK);
        uint64_t before = heard_of(fixture->log, 100);
        log_hear(fixture->log, 100, before + 1);
        medium_sim_lose_power_but(fixture->sim, PATH, &survivors);
        log_close(fixture->log);
        assert_int_equal(start(fixture, RANDOM(survivors + 2)), OK);
        uint64_t after = heard_of(fixture->log, 100);
        assert_true(after == before + (survivors == 7) || (survivors != 0 && after == before + 1));
        log_close(fixture->log);
    }
}

static void test_forgotten_births_make_way(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(start(fixture, RANDOM(1)), OK);
    log_hear(fixture->log, 7, 70);
    for (uint64_t birth = 1000; birth < 1000 + 2 * LOG_HEARD_PLACES; birth++) {
        log_hear(fixture->log, birth, 1);
        assert_true(heard_of(fixture->log, birth) == 1);
        log_unhear(fixture->log, birth);
        assert_true(heard_of(fixture->log, birth) == 0);
    }
    assert_true(heard_of(fixture->log, 7) == 70);
    log_persist(fixture->log);
    log_close(fixture->log);
    assert_int_equal(start(fixture, RANDOM(2)), OK);
    assert_true(heard_of(fixture->log, 7) == 70);
    log_close(fixture->log);
}

static void test_an_ended_storage_is_set_aside(void **state)
{
    struct fixture *fixture = *state;
    const struct log_options options = {.path = PATH,
                                        .identity = {.cluster_id = 7, .node = 2, .shard = 1}};
    struct log_aside aside;
    char note[384];
    assert_int_equal(log_set_aside(&options, &aside, note, sizeof(note)), OK);
    assert_int_equal(aside.reason, LOG_END_NONE); /* there is no file */
    assert_int_equal(start(fixture, RANDOM(1)), OK);
    log_close(fixture->log);
    assert_int_equal(log_set_aside(&options, &aside, note, sizeof(note)), OK);
    assert_int_equal(aside.reason, LOG_END_NONE);
    for (enum log_end_reason reason = LOG_END_SET_BACK; reason <= LOG_END_ERA_OVER; reason++) {
        assert_int_equal(start(fixture, RANDOM(2)), OK);
        log_end(fixture->log, reason);
        log_persist(fixture->log);
        log_close(fixture->log);
        assert_int_equal(log_set_aside(&options, &aside, note, sizeof(note)), OK);
        assert_int_equal(aside.reason, reason);
        assert_string_equal(aside.name, reason == LOG_END_SET_BACK
                                            ? PATH ".set-back.000000000000004d"
                                            : PATH ".era-over.000000000000004d");
        assert_true(medium_sim_exists(fixture->sim, aside.name));
        assert_false(medium_sim_exists(fixture->sim, PATH));
    }
}

#define SNAPSHOT PATH ".snapshot"

static void make_file(const char *path)
{
    struct medium *medium;
    char note[384];
    const struct medium_options options = {.path = path, .size_bytes = 8192, .is_created = true};
    assert_int_equal(medium_open(&options, &medium, note, sizeof(note)), OK);
    medium_close(medium);
}

/* What it holds may be lost in the later era, so a new storage must not begin with it. */
static void test_snapshots_of_an_era_that_is_over_are_set_aside(void **state)
{
    struct fixture *fixture = *state;
    const struct log_options options = {.path = PATH,
                                        .identity = {.cluster_id = 7, .node = 2, .shard = 1}};
    char note[384];
    make_file(SNAPSHOT "-1");
    for (enum log_end_reason reason = LOG_END_NONE; reason <= LOG_END_ERA_OVER; reason++) {
        bool is_over = reason == LOG_END_ERA_OVER;
        assert_int_equal(start(fixture, RANDOM(2)), OK);
        if (reason != LOG_END_NONE)
            log_end(fixture->log, reason);
        log_persist(fixture->log);
        log_close(fixture->log);
        assert_int_equal(log_set_snapshots_aside(&options, SNAPSHOT, note, sizeof(note)), OK);
        assert_int_equal(medium_sim_exists(fixture->sim, SNAPSHOT "-1"), !is_over);
        assert_int_equal(medium_sim_exists(fixture->sim, SNAPSHOT "-1.era-over.000000000000004d"),
                         is_over);
        assert_true(medium_sim_exists(fixture->sim, PATH)); /* it comes last */
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_starts_are_known_to_later_starts),
        TEST(test_starts_of_a_bank_are_not_noted),
        TEST(test_starts_older_than_the_list_are_believed),
        TEST(test_starts_are_durable_when_the_log_is_open),
        TEST(test_starts_outlive_their_count),
        TEST(test_a_rotten_start_is_missing),
        TEST(test_heard_starts_survive_a_restart),
        TEST(test_heard_starts_outlive_a_torn_write),
        TEST(test_forgotten_births_make_way),
        TEST(test_an_ended_storage_is_set_aside),
        TEST(test_snapshots_of_an_era_that_is_over_are_set_aside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
