/* The session table: ids, order of expiry, the packet window, against simple models. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "engine/state/sessions.h"

struct table {
    struct arena arena;
    struct sessions sessions;
};

static int setup(void **state)
{
    struct table *table = calloc(1, sizeof(*table));
    assert_int_equal(arena_init(&table->arena, sessions_arena_bytes(100)), 0);
    static const struct siphash_key hash_key = {{1, 2}};
    sessions_init(&table->sessions, &table->arena, 100, &hash_key);
    arena_seal(&table->arena);
    *state = table;
    return 0;
}

static int teardown(void **state)
{
    struct table *table = *state;
    arena_deinit(&table->arena);
    free(table);
    return 0;
}

static void test_sessions_names_sessions_by_their_record(void **state)
{
    (void)state;
    assert_int_not_equal(sessions_id(1, 0), 0);
    assert_true(sessions_id(1, 4095) < sessions_id(2, 0));
    assert_true(sessions_is_future(sessions_id(8, 0), 7));
    assert_false(sessions_is_future(sessions_id(7, 4095), 7));
}

static void test_sessions_opens_finds_and_closes(void **state)
{
    struct table *table = *state;
    struct sessions *sessions = &table->sessions;
    for (uint32_t round = 0; round < 3; round++) {
        for (uint32_t i = 0; i < 100; i++)
            assert_non_null(sessions_open(sessions, sessions_id(round + 1, i), 5));
        assert_null(sessions_open(sessions, sessions_id(9, 0), 5));
        for (uint32_t i = 0; i < 100; i++) {
            struct session *session = sessions_find(sessions, sessions_id(round + 1, i));
            assert_non_null(session);
            assert_int_equal(session->floor, 1);
            sessions_close(sessions, session);
            assert_null(sessions_find(sessions, sessions_id(round + 1, i)));
        }
        assert_int_equal(sessions->count, 0);
        assert_null(sessions_any(sessions));
    }
}

static void test_sessions_finds_each_by_its_nonce_until_it_is_closed(void **state)
{
    struct table *table = *state;
    struct sessions *sessions = &table->sessions;
    for (uint32_t round = 0; round < 3; round++) {
        for (uint32_t i = 0; i < 100; i++) {
            struct session *session = sessions_open(sessions, sessions_id(round + 1, i), 5);
            assert_null(sessions_find_nonce(sessions, 1000 + i));
            if (i % 3 != 0)
                sessions_set_nonce(sessions, session, 1000 + i);
        }
        sessions_check_invariants(sessions, 5);
        for (uint32_t i = 0; i < 100; i++) {
            struct session *session = sessions_find(sessions, sessions_id(round + 1, i));
            assert_ptr_equal(sessions_find_nonce(sessions, 1000 + i), i % 3 != 0 ? session : NULL);
            sessions_close(sessions, session);
            assert_null(sessions_find_nonce(sessions, 1000 + i));
        }
    }
}

static void touch_and_rest(struct sessions *sessions, uint32_t ordinal, uint64_t log_time_ns)
{
    struct session *session = sessions_find(sessions, sessions_id(1, ordinal));
    sessions_touch(sessions, session, log_time_ns);
    sessions_rest(sessions, session);
}

static void test_sessions_expires_the_idle_ones_first(void **state)
{
    struct table *table = *state;
    struct sessions *sessions = &table->sessions;
    for (uint32_t i = 0; i < 10; i++)
        sessions_open(sessions, sessions_id(1, i), i);
    touch_and_rest(sessions, 0, 10);
    touch_and_rest(sessions, 5, 11);
    touch_and_rest(sessions, 5, 12);
    assert_int_equal(sessions_expire(sessions, &(struct sessions_oldest){.idle_ns = 4}, 2), 2);
    assert_int_equal(sessions_expire(sessions, &(struct sessions_oldest){.idle_ns = 4}, 64), 1);
    assert_int_equal(sessions_expire(sessions, &(struct sessions_oldest){.idle_ns = 4}, 64), 0);
    assert_null(sessions_find(sessions, sessions_id(1, 3)));
    assert_non_null(sessions_find(sessions, sessions_id(1, 4)));
    assert_int_equal(sessions_expire(sessions, &(struct sessions_oldest){.idle_ns = 12}, 64), 6);
    assert_non_null(sessions_find(sessions, sessions_id(1, 5)));
    assert_int_equal(sessions->count, 1);
}

/* Those that are idle end sooner, each kind from its oldest on. */
static void test_sessions_expires_each_kind_by_its_own_time(void **state)
{
    struct table *table = *state;
    struct sessions *sessions = &table->sessions;
    const struct sessions_oldest oldest = {.active_ns = 3, .idle_ns = 14};
    for (uint32_t i = 0; i < 10; i++)
        sessions_open(sessions, sessions_id(1, i), 0);
    for (uint32_t i = 0; i < 10; i++)
        sessions_touch(sessions, sessions_find(sessions, sessions_id(1, i)), i);
    for (uint32_t i = 5; i < 8; i++)
        touch_and_rest(sessions, i, 8 + i);
    sessions_check_invariants(sessions, 16);
    assert_int_equal(sessions_expire(sessions, &oldest, 2), 2); /* 5, and 0 of the others */
    assert_int_equal(sessions_expire(sessions, &oldest, 64), 2);
    for (uint32_t i = 0; i < 10; i++)
        assert_int_equal(sessions_find(sessions, sessions_id(1, i)) == NULL, i < 3 || i == 5);
    sessions_check_invariants(sessions, 16);
}

/* An outcome from the floor on is open, whatever was said. */
static void test_sessions_with_an_outcome_are_not_idle(void **state)
{
    struct table *table = *state;
    struct sessions *sessions = &table->sessions;
    struct session *session = sessions_open(sessions, sessions_id(1, 0), 0);
    const struct session_outcome outcome = {.seq = 5, .outcome = 1};
    assert_true(session->is_idle);
    sessions_touch(sessions, session, 1);
    session_remember(session, &outcome);
    sessions_rest(sessions, session);
    assert_false(session->is_idle);
    session->floor = 5;
    sessions_rest(sessions, session);
    assert_false(session->is_idle);
    session->floor = 6;
    sessions_rest(sessions, session);
    assert_true(session->is_idle);
}

static void test_sessions_outcomes_take_the_place_of_finished_ones(void **state)
{
    struct table *table = *state;
    struct session *session = sessions_open(&table->sessions, 99, 0);
    for (uint64_t seq = 1; seq < 3 * SESSION_WINDOW; seq++) {
        if (seq > SESSION_WINDOW)
            session->floor = seq - SESSION_WINDOW + 1;
        struct session_outcome outcome = {.seq = seq, .version = seq * 7, .outcome = 1};
        assert_null(session_outcome_of(session, seq));
        session_remember(session, &outcome);
        for (uint64_t known = session->floor; known <= seq; known++)
            assert_int_equal(session_outcome_of(session, known)->version, known * 7);
    }
}

/* Against a set that remembers everything. */
static void test_sessions_accept_each_packet_once(void **state)
{
    struct table *table = *state;
    struct session *session = sessions_open(&table->sessions, 99, 0);
    enum { NUMBERS = 4000 };
    static bool seen[NUMBERS];
    uint64_t highest = 0;
    uint64_t draw = 88172645463325252u;
    uint32_t accepted = 0;
    for (uint32_t i = 0; i < 20000; i++) {
        draw ^= draw << 13;
        draw ^= draw >> 7;
        draw ^= draw << 17;
        uint64_t jump = draw % 97 == 0 ? 300 : 3;
        uint64_t number = highest + draw % jump;
        uint64_t back = draw >> 32 & 255;
        number = number > back ? number - back : number;
        if (number >= NUMBERS)
            break;
        bool is_new = !seen[number] && (number > highest || highest - number < PACKET_WINDOW);
        assert_int_equal(packet_window_accept(&session->packets, number), is_new);
        if (is_new) {
            seen[number] = true;
            accepted++;
        }
        highest = number > highest ? number : highest;
    }
    assert_true(accepted > 500);
}

static void test_sessions_hash_is_of_the_replicated_part(void **state)
{
    struct table *table = *state;
    struct sessions *sessions = &table->sessions;
    struct session *a = sessions_open(sessions, 1000, 1);
    sessions_open(sessions, 2000, 1);
    uint64_t hash = sessions_state_hash(sessions);
    assert_true(packet_window_accept(&a->packets, 5));
    assert_true(sessions_state_hash(sessions) == hash);
    struct session_outcome outcome = {.seq = 4, .outcome = 1};
    session_remember(a, &outcome);
    assert_true(sessions_state_hash(sessions) != hash);
    /* Below the floor it is finished and counts no more. */
    a->floor = 5;
    uint64_t raised = sessions_state_hash(sessions);
    a->outcomes[4].outcome = 2;
    assert_true(sessions_state_hash(sessions) == raised);
    a->outcomes[4].seq = 0;
    a->floor = 1;
    assert_true(sessions_state_hash(sessions) != hash); /* it was used */
    a->is_used = false;
    assert_true(sessions_state_hash(sessions) == hash);
    sessions_set_nonce(sessions, a, 7);
    assert_true(sessions_state_hash(sessions) != hash);
    /* Other slots, the same state. */
    sessions_close(sessions, a);
    sessions_close(sessions, sessions_find(sessions, 2000));
    sessions->next_rank = 0;
    assert_ptr_not_equal(sessions_open(sessions, 1000, 1), a);
    sessions_open(sessions, 2000, 1);
    assert_true(sessions_state_hash(sessions) == hash);
    /* The order in which they would expire belongs to the state. */
    sessions_touch(sessions, sessions_find(sessions, 1000), 1);
    assert_true(sessions_state_hash(sessions) != hash);
}

/* Nonces that a multiplication by a known constant would put into one bucket. */
static void test_sessions_spread_nonces_that_were_chosen_to_collide(void **state)
{
    static const uint64_t inverse = UINT64_C(0xf1de83e19937733d); /* of 0x9e3779b97f4a7c15 */
    struct table *table = *state;
    struct sessions *sessions = &table->sessions;
    assert_true(inverse * UINT64_C(0x9e3779b97f4a7c15) == 1);
    for (uint64_t i = 1; i <= 100; i++) {
        struct session *session = sessions_open(sessions, sessions_id(i, 0), 1);
        assert_non_null(session);
        sessions_set_nonce(sessions, session, i * inverse);
    }
    for (uint32_t bucket = 0; bucket <= sessions->buckets_mask; bucket++) {
        uint32_t length = 0;
        for (uint32_t slot = sessions->nonces[bucket]; slot != 0;
             slot = sessions->slots[slot].next_of_nonce)
            length++;
        assert_in_range(length, 0, 8);
    }
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_sessions_names_sessions_by_their_record),
        T(test_sessions_opens_finds_and_closes),
        T(test_sessions_finds_each_by_its_nonce_until_it_is_closed),
        T(test_sessions_expires_the_idle_ones_first),
        T(test_sessions_expires_each_kind_by_its_own_time),
        T(test_sessions_with_an_outcome_are_not_idle),
        T(test_sessions_outcomes_take_the_place_of_finished_ones),
        T(test_sessions_accept_each_packet_once),
        T(test_sessions_hash_is_of_the_replicated_part),
        T(test_sessions_spread_nonces_that_were_chosen_to_collide),
    };
#undef T
    return cmocka_run_group_tests(tests, NULL, NULL);
}
