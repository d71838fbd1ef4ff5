/* The arguments of pollux-dump. */
#include "tools/dump/options.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define ARGUMENTS_MAX 16

static struct dump_options options;
static char reason[256];

static enum error read_all(const char *const *words)
{
    char *arguments[ARGUMENTS_MAX] = {"pollux-dump"};
    int count = 1;
    for (; words[count - 1] != NULL; count++)
        arguments[count] = (char *)words[count - 1];
    reason[0] = '\0';
    return dump_options_read(count, arguments, &options, reason, sizeof(reason));
}

#define READ(...) read_all((const char *const[]){__VA_ARGS__, NULL})

static void test_options_have_defaults(void **state)
{
    (void)state;
    assert_int_equal(READ("/data"), OK);
    assert_string_equal(options.path, "/data");
    assert_int_equal(options.parts, DUMP_ALL);
    assert_int_equal(options.format, OUTPUT_TEXT);
    assert_int_equal(options.from_index, 0);
    assert_int_equal(options.to_index, INDEX_MAX);
    assert_false(options.has_values);
    assert_true(dump_options_has_shard(&options, 5));
}

static void test_options_are_read(void **state)
{
    (void)state;
    assert_int_equal(READ("--only", "log,journal", "--shard", "2", "--shard=4", "/data", "--from",
                          "7", "--to", "9", "--records", "--values", "-o", "jsonl"),
                     OK);
    assert_int_equal(options.parts, DUMP_LOG | DUMP_JOURNAL);
    assert_true(dump_options_has_shard(&options, 2));
    assert_true(dump_options_has_shard(&options, 4));
    assert_false(dump_options_has_shard(&options, 3));
    assert_int_equal(options.from_index, 7);
    assert_int_equal(options.to_index, 9);
    assert_true(options.has_records && options.has_values);
    assert_false(options.has_keys || options.has_blocks || options.has_sessions);
    assert_int_equal(options.format, OUTPUT_LINES);
    assert_string_equal(options.path, "/data");
    assert_int_equal(READ("--blocks", "--keys", "--sessions", "-ojson", "/data"), OK);
    assert_true(options.has_keys && options.has_blocks && options.has_sessions);
    assert_int_equal(options.format, OUTPUT_JSON);
}

static void test_options_need_no_path_for_help(void **state)
{
    (void)state;
    assert_int_equal(READ("--help"), OK);
    assert_true(options.is_help);
    assert_int_equal(READ("-V"), OK);
    assert_true(options.is_version);
}

static void refused(enum error error, const char *word)
{
    assert_int_equal(error, ERR_ARGUMENT);
    assert_non_null(strstr(reason, word));
}

static void test_options_refuse_and_say_what(void **state)
{
    (void)state;
    refused(READ("--records"), "name one");
    refused(READ("/data", "/other"), "name one");
    refused(READ("--only", "logs", "/data"), "logs");
    refused(READ("--only", "", "/data"), "--only");
    refused(READ("--only", "log,", "/data"), "log,");
    refused(READ("--shard", "64", "/data"), "64");
    refused(READ("--shard", "-1", "/data"), "-1");
    refused(READ("--from", "x", "/data"), "--from");
    refused(READ("--from", "99999999999999999999", "/data"), "--from");
    refused(READ("--to", "5x", "/data"), "5x");
    refused(READ("--from", "9", "--to", "8", "/data"), "--from is behind --to");
    refused(READ("-o", "xml", "/data"), "xml");
    refused(READ("--nothing", "/data"), "--nothing");
    refused(READ("/data", "--from"), "--from");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_options_have_defaults),
        cmocka_unit_test(test_options_are_read),
        cmocka_unit_test(test_options_need_no_path_for_help),
        cmocka_unit_test(test_options_refuse_and_say_what),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
