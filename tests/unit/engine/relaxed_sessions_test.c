/* Relaxed sessions by themselves: what a table of identities that clients choose must stand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "engine/relaxed/relaxed_sessions.h"

static void table_open(struct arena *arena, struct relaxed_sessions *sessions)
{
    static const struct siphash_key hash_key = {{1, 2}};
    assert_int_equal(arena_init(arena, relaxed_sessions_arena_bytes()), OK);
    relaxed_sessions_init(sessions, arena, &hash_key);
}

/* Ids that a multiplication by a known constant would put into one bucket. */
static void test_relaxed_sessions_spread_ids_that_were_chosen_to_collide(void **state)
{
    static const uint64_t inverse = UINT64_C(0xf1de83e19937733d); /* of 0x9e3779b97f4a7c15 */
    struct arena arena;
    struct relaxed_sessions sessions;
    uint32_t longest = 0;
    (void)state;
    table_open(&arena, &sessions);
    for (uint64_t i = 1; i <= RELAXED_SESSIONS_MAX; i++)
        assert_non_null(relaxed_sessions_take(&sessions, i * inverse, 1));
    for (uint64_t i = 1; i <= RELAXED_SESSIONS_MAX; i++) {
        const struct relaxed_session *session = relaxed_sessions_find(&sessions, i * inverse);
        uint32_t behind = 0;
        assert_non_null(session);
        for (uint32_t slot = session->next; slot != 0; slot = sessions.slots[slot].next)
            behind++;
        longest = behind > longest ? behind : longest;
    }
    assert_in_range(longest, 1, 8);
    arena_deinit(&arena);
}

static void test_relaxed_sessions_given_back_make_room(void **state)
{
    struct arena arena;
    struct relaxed_sessions sessions;
    const struct address host = address_of_ipv4((const uint8_t[4]){10, 0, 0, 1}, 7);
    (void)state;
    table_open(&arena, &sessions);
    for (uint64_t id = 1; id <= RELAXED_SESSIONS_MAX; id++) {
        struct relaxed_session *session = relaxed_sessions_take(&sessions, id, 1);
        assert_non_null(session);
        relaxed_sessions_note_opener(&sessions, session, &host);
    }
    assert_null(relaxed_sessions_take(&sessions, 5000, 2));
    assert_true(relaxed_sessions_is_over_share(&sessions, &host, 2));
    for (uint64_t id = 10; id < RELAXED_SESSIONS_MAX; id++)
        assert_true(relaxed_sessions_give_back(&sessions, id, 40 + id, 3));
    assert_null(relaxed_sessions_find(&sessions, 10));
    assert_non_null(relaxed_sessions_find(&sessions, RELAXED_SESSIONS_MAX));
    for (uint64_t id = 1; id < 10; id++)
        assert_true(relaxed_sessions_give_back(&sessions, id, 1, 3));
    assert_false(relaxed_sessions_is_over_share(&sessions, &host, 4));
    for (uint64_t id = 1; id < RELAXED_SESSIONS_MAX; id++)
        assert_non_null(relaxed_sessions_take(&sessions, 5000 + id, 4));
    assert_null(relaxed_sessions_take(&sessions, 7000, 4));
    arena_deinit(&arena);
}

/* What may be a copy is told from what is not; of a session that nobody could remember, too. */
static void test_relaxed_sessions_remember_what_was_given_back(void **state)
{
    struct arena arena;
    struct relaxed_sessions sessions;
    uint64_t id = 1;
    (void)state;
    table_open(&arena, &sessions);
    assert_true(relaxed_sessions_give_back(&sessions, 77, 40, 1)); /* there is none */
    assert_false(relaxed_sessions_is_late(&sessions, 77, 40));
    struct relaxed_session *session = relaxed_sessions_take(&sessions, 77, 1);
    assert_true(packet_window_accept(&session->packets, 50));
    assert_true(relaxed_sessions_give_back(&sessions, 77, 40, 1));
    assert_true(relaxed_sessions_is_late(&sessions, 77, 1));
    assert_true(relaxed_sessions_is_late(&sessions, 77, 50));
    assert_false(relaxed_sessions_is_late(&sessions, 77, 51));
    assert_false(relaxed_sessions_is_late(&sessions, 78, 1));
    for (bool is_remembered = true; is_remembered; id++) {
        assert_non_null(relaxed_sessions_take(&sessions, 1000 + id, 2));
        is_remembered = relaxed_sessions_give_back(&sessions, 1000 + id, 9, 2);
        assert_true(!is_remembered || relaxed_sessions_is_late(&sessions, 1000 + id, 9));
    }
    assert_true(id > CLOSED_SESSIONS_MAX / 4);
    assert_non_null(relaxed_sessions_find(&sessions, 999 + id));
    assert_true(relaxed_sessions_is_late(&sessions, 77, 50));
    assert_true(relaxed_sessions_give_back(&sessions, 999 + id, 10, 3 + RELAXED_PACKET_NS));
    assert_null(relaxed_sessions_find(&sessions, 999 + id));
    arena_deinit(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_relaxed_sessions_spread_ids_that_were_chosen_to_collide),
        cmocka_unit_test(test_relaxed_sessions_given_back_make_room),
        cmocka_unit_test(test_relaxed_sessions_remember_what_was_given_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
