/* Relaxed sessions by themselves: what a table of identities that clients choose must stand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "engine/relaxed/relaxed_sessions.h"

/* Ids that a multiplication by a known constant would put into one bucket. */
static void test_relaxed_sessions_spread_ids_that_were_chosen_to_collide(void **state)
{
    static const uint64_t inverse = UINT64_C(0xf1de83e19937733d); /* of 0x9e3779b97f4a7c15 */
    static const struct siphash_key hash_key = {{1, 2}};
    struct arena arena;
    struct relaxed_sessions sessions;
    uint32_t longest = 0;
    (void)state;
    assert_int_equal(arena_init(&arena, relaxed_sessions_arena_bytes()), OK);
    relaxed_sessions_init(&sessions, &arena, &hash_key);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_relaxed_sessions_spread_ids_that_were_chosen_to_collide),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
