/* What the journal may forget: only what the next start is sure to decide again. */
#include "server/vouch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static struct vouch_mark mark(uint64_t seq, uint64_t index)
{
    return (struct vouch_mark){.seq = seq, .index = index};
}

static void test_vouch_forgets_nothing_before_a_durable_record_carries_the_commit(void **state)
{
    (void)state;
    struct vouch vouch;
    vouch_begin(&vouch, 10);
    assert_int_equal(vouch_advance(&vouch, 12, mark(100, 12)), 0);
    /* Record 12 decided entry 100; record 13, which says that 12 is committed, is not durable. */
    vouch_note_record(&vouch, 13, 12);
    assert_int_equal(vouch_advance(&vouch, 12, mark(100, 12)), 0);
    /* It is. */
    assert_int_equal(vouch_advance(&vouch, 13, mark(120, 13)), 100);
    /* What 13 decided waits for the next. */
    assert_int_equal(vouch_advance(&vouch, 13, mark(120, 13)), 100);
}

static void test_vouch_forgets_at_once_what_recovery_vouches_for(void **state)
{
    (void)state;
    struct vouch vouch;
    vouch_begin(&vouch, 10);
    assert_int_equal(vouch_advance(&vouch, 10, mark(90, 10)), 0);
    assert_int_equal(vouch_advance(&vouch, 10, mark(90, 10)), 90);
}

static void test_vouch_watches_one_record_until_it_is_durable(void **state)
{
    (void)state;
    struct vouch vouch;
    vouch_begin(&vouch, 0);
    assert_int_equal(vouch_advance(&vouch, 0, mark(5, 3)), 0);
    vouch_note_record(&vouch, 4, 3);
    vouch_note_record(&vouch, 5, 4); /* does not take the place of 4 */
    assert_int_equal(vouch_advance(&vouch, 4, mark(6, 4)), 5);
    vouch_note_record(&vouch, 6, 4);
    assert_int_equal(vouch_advance(&vouch, 6, mark(7, 5)), 6);
}

static void test_vouch_starts_over_when_the_watched_record_is_truncated(void **state)
{
    (void)state;
    struct vouch vouch;
    vouch_begin(&vouch, 0);
    assert_int_equal(vouch_advance(&vouch, 0, mark(5, 3)), 0);
    vouch_note_record(&vouch, 9, 3);
    /* Records 7 to 9 were replaced; the new 7 says less than was known of the commit. */
    vouch_note_record(&vouch, 7, 2);
    assert_int_equal(vouch_advance(&vouch, 9, mark(5, 3)), 0);
    vouch_note_record(&vouch, 8, 3);
    assert_int_equal(vouch_advance(&vouch, 8, mark(5, 3)), 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vouch_forgets_nothing_before_a_durable_record_carries_the_commit),
        cmocka_unit_test(test_vouch_forgets_at_once_what_recovery_vouches_for),
        cmocka_unit_test(test_vouch_watches_one_record_until_it_is_durable),
        cmocka_unit_test(test_vouch_starts_over_when_the_watched_record_is_truncated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
