/* Digests of what was applied: equal for equal histories, kept for a few round indexes. */
#include "engine/state/state_digest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static void fold(struct state_digest *digest, uint64_t index, const char *payload)
{
    const struct digest_record record = {
        .index = index, .term = 1, .kind = 2, .payload = span_of(payload, strlen(payload))};
    state_digest_fold(digest, &record, 1, 1);
}

static uint64_t mark_at(const struct state_digest *digest, uint64_t index)
{
    for (uint32_t i = 0; i < STATE_MARKS_MAX; i++) {
        if (digest->marks[i].index == index)
            return digest->marks[i].digest;
    }
    return 0;
}

static void test_state_digest_is_equal_for_equal_histories_only(void **state)
{
    (void)state;
    struct state_digest one = {0};
    struct state_digest same = {0};
    struct state_digest other = {0};
    fold(&one, 1, "X.......");
    fold(&same, 1, "X.......");
    fold(&other, 1, "W.......");
    assert_true(one.value == same.value && one.value != other.value && one.value != 0);
    /* What comes later does not make them equal again. */
    fold(&one, 2, "Y.......");
    fold(&other, 2, "Y.......");
    assert_true(one.value != other.value);
}

static void test_state_digest_tells_terms_and_outcomes_apart(void **state)
{
    (void)state;
    struct state_digest one = {0};
    struct state_digest term = {0};
    struct state_digest keys = {0};
    struct state_digest blocks = {0};
    struct digest_record record = {.index = 1, .term = 1, .kind = 1};
    state_digest_fold(&one, &record, 3, 3);
    state_digest_fold(&keys, &record, 4, 3);
    state_digest_fold(&blocks, &record, 3, 4);
    record.term = 2;
    state_digest_fold(&term, &record, 3, 3);
    assert_true(one.value != keys.value && one.value != blocks.value && one.value != term.value);
}

static void test_state_digest_keeps_round_indexes_near_and_far(void **state)
{
    (void)state;
    struct state_digest digest = {0};
    for (uint64_t index = 1; index <= 5000; index++)
        fold(&digest, index, "a record");
    static const uint64_t kept[] = {4992, 4976, 4960, 4944, 4864, 4608, 4352, 4096};
    for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
        assert_true(mark_at(&digest, kept[i]) != 0);
    assert_true(mark_at(&digest, 4928) == 0 && mark_at(&digest, 16) == 0);
}

static void test_state_digest_goes_on_from_a_snapshot(void **state)
{
    (void)state;
    struct state_digest whole = {0};
    struct state_digest loaded = {0};
    for (uint64_t index = 1; index <= 40; index++) {
        if (index == 20)
            state_digest_begin(&loaded, whole.value);
        fold(&whole, index, "a record");
        fold(&loaded, index, "a record");
    }
    assert_true(whole.value == loaded.value);
    assert_true(mark_at(&whole, 32) == mark_at(&loaded, 32) && mark_at(&whole, 32) != 0);
    assert_true(mark_at(&whole, 16) != 0 && mark_at(&loaded, 16) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_state_digest_is_equal_for_equal_histories_only),
        cmocka_unit_test(test_state_digest_tells_terms_and_outcomes_apart),
        cmocka_unit_test(test_state_digest_keeps_round_indexes_near_and_far),
        cmocka_unit_test(test_state_digest_goes_on_from_a_snapshot),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
