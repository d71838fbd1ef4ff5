/* When blocks of a snapshot are asked for, and asked for again. */
#include "server/fetch_pace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define MS UINT64_C(1000000)
#define S  (1000 * MS)

static struct fetch_pace pace_of(uint16_t shard)
{
    struct fetch_pace pace = {0};
    fetch_pace_begin(&pace, shard);
    return pace;
}

static void test_fetch_pace_follows_the_rate_while_blocks_come(void **state)
{
    (void)state;
    struct fetch_pace pace = pace_of(0);
    assert_int_equal(fetch_pace_due_ns(&pace), 0);
    fetch_pace_ask(&pace, 2, S, S + 3 * MS);
    fetch_pace_block(&pace, S + MS);
    assert_int_equal(fetch_pace_due_ns(&pace), S + MS + FETCH_SILENCE_NS_MIN);
    fetch_pace_block(&pace, S + 2 * MS);
    assert_int_equal(fetch_pace_due_ns(&pace), S + 3 * MS);
    fetch_pace_wait(&pace, S + 4 * MS);
    assert_int_equal(fetch_pace_due_ns(&pace), S + 4 * MS);
}

/* A slow path brings one block after the other: that is no silence. */
static void test_fetch_pace_counts_the_silence_from_the_last_block(void **state)
{
    (void)state;
    struct fetch_pace pace = pace_of(0);
    fetch_pace_ask(&pace, 2, S, S);
    assert_int_equal(fetch_pace_due_ns(&pace), S + FETCH_SILENCE_NS_MIN);
    fetch_pace_block(&pace, S + 19 * MS);
    assert_int_equal(fetch_pace_due_ns(&pace), S + 19 * MS + FETCH_SILENCE_NS_MIN);
}

/* Asks whenever that is due, and nothing comes. Returns how often it has asked until `end_ns`. */
static uint32_t ask_in_vain(struct fetch_pace *pace, uint64_t now_ns, uint64_t end_ns)
{
    uint32_t asked = 0;
    while (now_ns < end_ns) {
        fetch_pace_ask(pace, 2, now_ns, now_ns);
        assert_true(fetch_pace_due_ns(pace) > now_ns);
        now_ns = fetch_pace_due_ns(pace);
        asked++;
    }
    return asked;
}

static void test_fetch_pace_asks_more_seldom_when_nothing_comes(void **state)
{
    (void)state;
    struct fetch_pace pace = pace_of(0);
    fetch_pace_ask(&pace, 2, S, S);
    assert_int_equal(fetch_pace_due_ns(&pace), S + FETCH_SILENCE_NS_MIN);
    fetch_pace_ask(&pace, 2, 2 * S, 2 * S);
    assert_int_equal(fetch_pace_due_ns(&pace), 2 * S + 2 * FETCH_SILENCE_NS_MIN);
    assert_true(ask_in_vain(&pace, 3 * S, 13 * S) <= 10 * S / FETCH_SILENCE_NS_MAX + 5);
    assert_int_equal(pace.silence_ns, FETCH_SILENCE_NS_MAX);
}

static void test_fetch_pace_is_as_fast_as_before_when_blocks_come_again(void **state)
{
    (void)state;
    struct fetch_pace pace = pace_of(0);
    (void)ask_in_vain(&pace, S, 10 * S);
    fetch_pace_block(&pace, 10 * S);
    fetch_pace_block(&pace, 10 * S);
    for (uint64_t i = 0; i < 60; i++) { /* 4 MiB */
        fetch_pace_ask(&pace, 1, 11 * S + i * MS, 0);
        fetch_pace_block(&pace, 11 * S + i * MS);
    }
    fetch_pace_ask(&pace, 1, 12 * S, 0);
    assert_true(fetch_pace_due_ns(&pace) < 12 * S + 2 * FETCH_SILENCE_NS_MIN);
}

static void test_fetch_pace_keeps_what_it_has_learned(void **state)
{
    (void)state;
    struct fetch_pace pace = pace_of(0);
    (void)ask_in_vain(&pace, S, 10 * S);
    fetch_pace_begin(&pace, 0);
    assert_int_equal(fetch_pace_due_ns(&pace), 0); /* the first question does not wait */
    fetch_pace_ask(&pace, 2, 11 * S, 11 * S);
    assert_int_equal(fetch_pace_due_ns(&pace), 11 * S + FETCH_SILENCE_NS_MAX);
}

/* Shards that began at one moment do not go on together. */
static void test_fetch_pace_spreads_the_shards_of_a_lane(void **state)
{
    (void)state;
    for (uint16_t shard = 1; shard < 8; shard++) {
        struct fetch_pace pace = pace_of(shard);
        struct fetch_pace before = pace_of((uint16_t)(shard - 1));
        fetch_pace_ask(&pace, 2, S, S);
        fetch_pace_ask(&before, 2, S, S);
        assert_true(fetch_pace_due_ns(&pace) > fetch_pace_due_ns(&before));
        assert_true(fetch_pace_due_ns(&pace) < S + 2 * FETCH_SILENCE_NS_MIN);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fetch_pace_follows_the_rate_while_blocks_come),
        cmocka_unit_test(test_fetch_pace_counts_the_silence_from_the_last_block),
        cmocka_unit_test(test_fetch_pace_asks_more_seldom_when_nothing_comes),
        cmocka_unit_test(test_fetch_pace_is_as_fast_as_before_when_blocks_come_again),
        cmocka_unit_test(test_fetch_pace_keeps_what_it_has_learned),
        cmocka_unit_test(test_fetch_pace_spreads_the_shards_of_a_lane),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
