/* The help, and that the manual page names the same options. */
#include "bench/load_help.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define TEXT_BYTES   65536
#define OPTION_BYTES 32

static char help[TEXT_BYTES];
static char page[TEXT_BYTES];

static int texts_read(void **state)
{
    (void)state;
    char path[4096];
    const char *root = getenv("POLLUX_SOURCE_ROOT");
    FILE *to = fmemopen(help, sizeof(help), "w");
    snprintf(path, sizeof(path), "%s/bench/pollux-bench.1.scd", root == NULL ? "." : root);
    FILE *from = fopen(path, "re");
    if (to == NULL || from == NULL) {
        return -1;
    }
    load_help_print(to);
    page[fread(page, 1, sizeof(page) - 1, from)] = '\0';
    fclose(from);
    return fclose(to);
}

/* Copies the option at `at`, which begins with two hyphens; returns what follows it. */
static const char *option_read(const char *at, char *ret_option)
{
    size_t length = strspn(at, "abcdefghijklmnopqrstuvwxyz-");
    assert_true(length < OPTION_BYTES);
    memcpy(ret_option, at, length);
    ret_option[length] = '\0';
    return at + length;
}

static void test_load_help_ends_with_three_examples(void **state)
{
    (void)state;
    const char *at = strstr(help, "\nExamples:\n");
    int count = 0;
    assert_non_null(at);
    while ((at = strstr(at, "    pollux-bench --servers ")) != NULL) {
        at++;
        count++;
    }
    assert_int_equal(count, 3);
}

static void test_load_help_and_page_name_the_same_options(void **state)
{
    (void)state;
    char option[OPTION_BYTES];
    char marked[OPTION_BYTES + 2];
    int count = 0;
    for (const char *at = help; (at = strstr(at, "\n  --")) != NULL; count++) {
        at = option_read(at + 3, option);
        snprintf(marked, sizeof(marked), "*%s*", option);
        if (strstr(page, marked) == NULL) {
            fail_msg("pollux-bench.1.scd does not name %s", option);
        }
    }
    assert_true(count > 25);
    for (const char *at = page; (at = strstr(at, "\n*--")) != NULL;) {
        at = option_read(at + 2, option);
        if (strstr(help, option) == NULL) {
            fail_msg("the help does not name %s", option);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_load_help_ends_with_three_examples),
        cmocka_unit_test(test_load_help_and_page_name_the_same_options),
    };
    return cmocka_run_group_tests(tests, texts_read, NULL);
}
