/* The line of each second. */
#include "bench/load_progress.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static char *text;
static size_t text_size;

static FILE *text_open(void)
{
    FILE *file = open_memstream(&text, &text_size);
    assert_non_null(file);
    return file;
}

static void hand_over(struct load_progress *progress, uint64_t second, uint64_t finished)
{
    struct load_pulse pulse = {.offered = finished + 1, .finished = finished, .errors = 2};
    for (uint64_t i = 0; i < finished; i++) {
        histogram_record(&pulse.latencies, 8000);
    }
    load_progress_hand_over(progress, second, &pulse);
}

static void test_load_progress_prints_when_all_have_handed_over(void **state)
{
    (void)state;
    struct load_progress progress;
    FILE *file = text_open();
    load_progress_init(&progress, file, 2);
    load_progress_begin(&progress);
    hand_over(&progress, 0, 3);
    fflush(file);
    assert_int_equal(text_size, 0);
    hand_over(&progress, 0, 4);
    hand_over(&progress, 1, 1);
    hand_over(&progress, 1, 1);
    fclose(file);
    assert_string_equal(text, "   1 s: offered 9/s, finished 7/s, p50 8 us, p99 8 us, errors 4\n"
                              "   2 s: offered 4/s, finished 2/s, p50 8 us, p99 8 us, errors 4\n");
    load_progress_deinit(&progress);
    free(text);
}

static void test_load_progress_does_not_wait_for_a_late_thread(void **state)
{
    (void)state;
    struct load_progress progress;
    FILE *file = text_open();
    load_progress_init(&progress, file, 2);
    load_progress_begin(&progress);
    hand_over(&progress, 0, 3);
    hand_over(&progress, 1, 3); /* the other thread has not handed over second 0 */
    hand_over(&progress, 0, 5);
    hand_over(&progress, 1, 3);
    fclose(file);
    assert_non_null(strstr(text, "   1 s: offered 4/s, finished 3/s"));
    assert_non_null(strstr(text, "   2 s: offered 14/s, finished 11/s"));
    load_progress_deinit(&progress);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_load_progress_prints_when_all_have_handed_over),
        cmocka_unit_test(test_load_progress_does_not_wait_for_a_late_thread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
