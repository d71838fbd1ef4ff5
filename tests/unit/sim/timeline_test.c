/* The greatest value of a group before a moment, beside others, and where there is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/prng.h"
#include "tests/sim/timeline.h"

static void test_timeline_knows_nothing_when_empty(void **state)
{
    (void)state;
    struct timeline timeline;
    timeline_init(&timeline);
    timeline_seal(&timeline);
    assert_null(timeline_greatest(&timeline, 0, UINT64_MAX));
    timeline_deinit(&timeline);
}

static void test_timeline_tells_the_greatest_of_its_group_before_a_moment(void **state)
{
    (void)state;
    struct timeline timeline;
    timeline_init(&timeline);
    timeline_add(&timeline, &(struct timeline_note){.group = 2, .at_ns = 5, .value = 90, .op = 1});
    timeline_add(&timeline, &(struct timeline_note){.group = 1, .at_ns = 9, .value = 30, .op = 2});
    timeline_add(&timeline, &(struct timeline_note){.group = 1, .at_ns = 3, .value = 50, .op = 3});
    timeline_add(&timeline, &(struct timeline_note){.group = 1, .at_ns = 12, .value = 60, .op = 4});
    timeline_seal(&timeline);
    assert_null(timeline_greatest(&timeline, 1, 3)); /* not yet before 3 */
    assert_int_equal(timeline_greatest(&timeline, 1, 4)->op, 3);
    assert_int_equal(timeline_greatest(&timeline, 1, 10)->op, 3);
    assert_int_equal(timeline_greatest(&timeline, 1, 13)->op, 4);
    assert_int_equal(timeline_greatest(&timeline, 2, 6)->op, 1);
    assert_null(timeline_greatest(&timeline, 3, 100));
    timeline_deinit(&timeline);
}

/* Against a walk over all notes. */
static void test_timeline_agrees_with_a_walk(void **state)
{
    (void)state;
    struct prng prng;
    struct timeline timeline;
    struct timeline_note notes[300];
    prng_init(&prng, 11);
    timeline_init(&timeline);
    for (uint32_t i = 0; i < 300; i++) {
        notes[i] = (struct timeline_note){.group = prng_range(&prng, 0, 4),
                                          .at_ns = prng_range(&prng, 0, 60),
                                          .value = prng_range(&prng, 0, 1000),
                                          .op = i};
        timeline_add(&timeline, &notes[i]);
    }
    timeline_seal(&timeline);
    for (uint64_t question = 0; question < 300; question++) {
        uint64_t group = prng_range(&prng, 0, 5);
        uint64_t before_ns = prng_range(&prng, 0, 61);
        uint64_t greatest = 0;
        for (uint32_t i = 0; i < 300; i++) {
            if (notes[i].group == group && notes[i].at_ns < before_ns && notes[i].value >= greatest)
                greatest = notes[i].value + 1;
        }
        const struct timeline_note *note = timeline_greatest(&timeline, group, before_ns);
        assert_int_equal(note == NULL ? 0 : note->value + 1, greatest);
    }
    timeline_deinit(&timeline);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_timeline_knows_nothing_when_empty),
        cmocka_unit_test(test_timeline_tells_the_greatest_of_its_group_before_a_moment),
        cmocka_unit_test(test_timeline_agrees_with_a_walk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
