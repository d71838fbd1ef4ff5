/* The command line: options anywhere, each wrong argument named, defaults from the environment. */
#include "tools/cli/cli_arguments.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define WORDS_MAX 24

static char reason[256];
static char line[512];
static char *words[WORDS_MAX];

/* Parses a command line given as one text, cut at spaces. */
static bool parse(const char *text, struct cli_arguments *ret_arguments)
{
    int count = 0;
    assert_true(strlen(text) < sizeof(line));
    memcpy(line, text, strlen(text) + 1);
    for (char *at = line; at != NULL && count < WORDS_MAX - 1;) {
        char *space = strchr(at, ' ');
        words[count++] = at;
        if (space != NULL)
            *space++ = '\0';
        at = space;
    }
    words[count] = NULL;
    return cli_arguments_parse(count, words, ret_arguments, reason, sizeof(reason));
}

static void test_cli_arguments_takes_options_anywhere(void **state)
{
    (void)state;
    struct cli_arguments arguments;
    assert_true(parse("pollux -e a:1,b:2 swap --cluster=demo key -o json new --blocking old "
                      "--timeout 20ms --fence-wait=3s",
                      &arguments));
    assert_string_equal(arguments.endpoints, "a:1,b:2");
    assert_string_equal(arguments.cluster, "demo");
    assert_string_equal(arguments.command, "swap");
    assert_int_equal(arguments.operand_count, 3);
    assert_string_equal(arguments.operands[0], "key");
    assert_string_equal(arguments.operands[1], "new");
    assert_string_equal(arguments.operands[2], "old");
    assert_int_equal(arguments.format, CLI_JSON);
    assert_true(arguments.is_blocking && arguments.timeout_ns == 20000000);
    assert_true(arguments.fence_wait_ns == UINT64_C(3000000000));
}

static void test_cli_arguments_reads_the_options_of_logs(void **state)
{
    (void)state;
    struct cli_arguments arguments;
    assert_true(parse("pollux logs take --server web1 --file a.1 --file a --format integer "
                      "--lease 30s",
                      &arguments));
    assert_string_equal(arguments.server, "web1");
    assert_int_equal(arguments.file_count, 2);
    assert_string_equal(arguments.files[0], "a.1");
    assert_string_equal(arguments.files[1], "a");
    assert_true(arguments.is_integer_format && arguments.lease_ns == UINT64_C(30000000000));
    assert_true(parse("pollux logs take --format rfc3339", &arguments));
    assert_false(arguments.is_integer_format);
    assert_false(parse("pollux logs take --format iso", &arguments));
    assert_string_equal(reason, "--format iso: not one of rfc3339, integer");
    assert_false(parse("pollux logs take --lease soon", &arguments));
    assert_string_equal(reason, "--lease soon: not a time such as 250ms or 2s");
    assert_false(parse("pollux logs take --file=1 --file=2 --file=3 --file=4 --file=5 --file=6 "
                       "--file=7 --file=8 --file=9 --file=10 --file=11 --file=12 --file=13 "
                       "--file=14 --file=15 --file=16 --file=17",
                       &arguments));
    assert_string_equal(reason, "--file 17: more than 16 files");
}

static void test_cli_arguments_reads_the_options_of_keys(void **state)
{
    (void)state;
    struct cli_arguments arguments;
    assert_true(parse("pollux key new web --root r --out=w --generation 4294967295", &arguments));
    assert_string_equal(arguments.root, "r");
    assert_string_equal(arguments.out, "w");
    assert_true(arguments.generation == UINT32_MAX && arguments.key_id == 0);
    assert_true(cli_arguments_fit(&arguments, reason, sizeof(reason)));
    assert_true(parse("pollux key new web --out=w --id 255", &arguments));
    assert_int_equal(arguments.key_id, 255);
    assert_true(cli_arguments_fit(&arguments, reason, sizeof(reason)));
    assert_false(parse("pollux key new web --id 256", &arguments));
    assert_string_equal(reason, "--id 256: not a number from 1 to 255");
    assert_false(parse("pollux key new web --id 0", &arguments));
    assert_false(parse("pollux key new web --generation 4294967296", &arguments));
    assert_string_equal(reason, "--generation 4294967296: not a number from 0 to 4294967295");
    assert_false(parse("pollux key new web --generation 1x", &arguments));
}

static void test_cli_arguments_of_keys_are_of_keys_alone(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        const char *reason;
    } wrong[] = {
        {"pollux get k --out f", "--out: only of key new"},
        {"pollux get k --root f", "--root: only of key new"},
        {"pollux get k --id 1", "--id: only of key new, without --root"},
        {"pollux key new k --id 1 --root f", "--id: only of key new, without --root"},
        {"pollux get k --drop-pending", "--drop-pending: only of auth revoke NAME and auth remove"},
        {"pollux key new k --generation 1",
         "--generation: only of key new --root, auth add and auth revoke"},
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct cli_arguments arguments;
        assert_true(parse(wrong[i].line, &arguments));
        assert_false(cli_arguments_fit(&arguments, reason, sizeof(reason)));
        assert_string_equal(reason, wrong[i].reason);
    }
}

static void test_cli_arguments_reads_bounds_of_staleness(void **state)
{
    (void)state;
    struct cli_arguments arguments;
    assert_true(parse("pollux get k --relaxed --max-age 2s --min-index 17", &arguments));
    assert_true(arguments.max_age_ns == UINT64_C(2000000000) && arguments.min_index == 17);
    assert_false(parse("pollux get k --max-age old", &arguments));
    assert_string_equal(reason, "--max-age old: not a time such as 250ms or 2s");
    assert_false(parse("pollux get k --min-index 0", &arguments));
    assert_string_equal(reason, "--min-index 0: not an index, from 1");
    assert_false(parse("pollux get k --min-index 5x", &arguments));
}

static void test_cli_arguments_reads_every_flag(void **state)
{
    (void)state;
    struct cli_arguments arguments;
    assert_true(
        parse("pollux get k --relaxed --preferred 2 --absent --expect-absent --raw", &arguments));
    assert_true(arguments.is_relaxed && arguments.is_absent && arguments.is_expect_absent);
    assert_true(arguments.is_raw && !arguments.is_blocking);
    assert_int_equal(arguments.preferred, 2);
    assert_true(parse("pollux --help", &arguments) && arguments.is_help);
    assert_true(parse("pollux --version", &arguments) && arguments.is_version);
    assert_null(arguments.command);
    assert_int_equal(arguments.preferred, -1);
    assert_true(parse("pollux set k -- -1", &arguments));
    assert_string_equal(arguments.operands[1], "-1");
    assert_true(parse("pollux member replace 3 --yes", &arguments) && arguments.is_yes);
    assert_true(parse("pollux set k -", &arguments));
    assert_string_equal(arguments.operands[1], "-");
}

static void test_cli_arguments_names_what_is_wrong(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *named;
    } cases[] = {
        {"pollux -o xml get k", "-o xml: not one of"},
        {"pollux --timeout soon get k", "--timeout soon: "},
        {"pollux --timeout 0 get k", "--timeout 0: "},
        {"pollux --timeout 20 get k", "--timeout 20: "},
        {"pollux --fence-wait 3 get k", "--fence-wait 3: "},
        {"pollux get k --relaxed --max-age 3", "--max-age 3: "},
        {"pollux list --limit 0", "--limit 0: "},
        {"pollux import f --from-line x", "--from-line x: "},
        {"pollux logs take --lease 60", "--lease 60: "},
        {"pollux --fence-wait 1x get k", "--fence-wait 1x: "},
        {"pollux --preferred first get k", "--preferred first: "},
        {"pollux --preferred -1 get k", "--preferred -1: "},
        {"pollux --nonsense get k", "--nonsense: unknown option"},
        {"pollux -x get k", "-x: unknown option"},
        {"pollux get k -e", "-e: its value is missing"},
        {"pollux get k --preferred", "--preferred: its value is missing"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct cli_arguments arguments = {.command = "untouched"};
        assert_false(parse(cases[i].text, &arguments));
        assert_string_equal(arguments.command, "untouched");
        if (strncmp(reason, cases[i].named, strlen(cases[i].named)) != 0)
            fail_msg("'%s' does not begin with '%s'", reason, cases[i].named);
    }
}

static void test_cli_arguments_takes_defaults_from_the_environment(void **state)
{
    (void)state;
    struct cli_arguments arguments;
    assert_int_equal(setenv("POLLUX_ENDPOINTS", "c:3", 1), 0);
    assert_int_equal(setenv("POLLUX_CLUSTER", "", 1), 0);
    assert_true(parse("pollux status", &arguments));
    assert_string_equal(arguments.endpoints, "c:3");
    assert_null(arguments.cluster);
    assert_true(parse("pollux status --servers d:4", &arguments));
    assert_string_equal(arguments.endpoints, "d:4");
    assert_int_equal(unsetenv("POLLUX_ENDPOINTS"), 0);
    assert_true(parse("pollux status", &arguments));
    assert_null(arguments.endpoints);
}

static void test_cli_arguments_reads_durations(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t ns;
    } cases[] = {{"1ns", 1},
                 {"5us", 5000},
                 {"250ms", 250000000},
                 {"7", 0},
                 {"2s", 2000000000},
                 {"5min", 300000000000},
                 {"1h", 3600000000000},
                 {"18446744073709551615ns", UINT64_MAX},
                 {"", 0},
                 {"ms", 0},
                 {"-1s", 0},
                 {" 1s", 0},
                 {"1m", 0},
                 {"1s ", 0},
                 {"18446744073709551616ns", 0},
                 {"18446744073709551615us", 0},
                 {"0s", 0}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint64_t ns = 0;
        assert_true(cli_duration_parse(cases[i].text, &ns) == (cases[i].ns != 0));
        assert_true(ns == cases[i].ns);
    }
}

/* A set that was meant to happen only where nothing is stored must not happen at all. */
static void test_cli_arguments_refuses_options_that_would_be_ignored(void **state)
{
    (void)state;
    static const struct {
        struct cli_arguments arguments;
        const char *named; /* NULL: it fits */
    } cases[] = {
        {{.command = "set", .is_expect_absent = true}, "--expect-absent"},
        {{.command = "swap", .is_expect_absent = true, .is_absent = true}, NULL},
        {{.command = "get", .is_absent = true}, "--absent"},
        {{.command = "set", .is_absent = true}, NULL},
        {{.command = "get", .max_age_ns = 1}, "--max-age"},
        {{.command = "export", .limit = 1}, "--limit"},
        {{.command = "export", .has_values = true}, "--values"},
        {{.command = "list", .is_if_absent = true}, "--if-absent"},
        {{.command = "export", .from_line = 2}, "--from-line"},
        {{.command = "import", .is_relaxed = true}, "--relaxed"},
        {{.command = "list", .max_age_ns = 1}, "--max-age"},
        {{.command = "get", .min_index = 1}, "--min-index"},
        {{.command = "set", .is_relaxed = true, .min_index = 1}, "--min-index"},
        {{.command = "get", .is_relaxed = true, .min_index = 1, .max_age_ns = 1}, NULL},
        {{.command = "load", .lease_ns = 1}, "--lease"},
        {{.command = "logs", .lease_ns = 1}, NULL},
        {{.command = "transfer", .is_yes = true}, "--yes"},
        {{.command = "config", .has_shard = true}, "--shard"},
        {{.command = "sessions", .has_shard = true}, NULL},
        {{.command = "member", .is_yes = true}, NULL},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        bool fits = cli_arguments_fit(&cases[i].arguments, reason, sizeof(reason));
        assert_true(fits == (cases[i].named == NULL));
        if (!fits)
            assert_non_null(strstr(reason, cases[i].named));
    }
}

static void test_cli_arguments_standard_input_is_read_once(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        bool fits;
    } cases[] = {
        {"pollux set - -", true}, /* a key that is called so */
        {"pollux swap - - old", true},
        {"pollux swap k - -", false},
        {"pollux swap - - -", false},
        {"pollux get -", true},
        {"pollux load -", true},
        {"pollux logs take --server s --file - --file -", false},
        {"pollux logs take --server s --file a --file -", true},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct cli_arguments arguments;
        assert_true(parse(cases[i].line, &arguments));
        if (cli_arguments_fit(&arguments, reason, sizeof(reason)) != cases[i].fits)
            fail_msg("%s", cases[i].line);
        if (!cases[i].fits)
            assert_non_null(strstr(reason, "- is given "));
    }
}

static void test_cli_arguments_reads_escapes_of_operands(void **state)
{
    (void)state;
    struct cli_arguments arguments;
    struct plx_bytes bytes;
    assert_true(parse("pollux --escaped set a\\x00b \\x2d", &arguments));
    assert_true(cli_arguments_fit(&arguments, reason, sizeof(reason)));
    assert_true(cli_operand_read(&arguments, 0, &bytes, reason, sizeof(reason)));
    assert_int_equal(bytes.size_bytes, 3);
    assert_memory_equal(bytes.data, "a\0b", 3);
    assert_true(cli_operand_read(&arguments, 1, &bytes, reason, sizeof(reason)));
    assert_int_equal(bytes.size_bytes, 1);
    assert_true(parse("pollux set a\\x00b c", &arguments));
    assert_true(cli_operand_read(&arguments, 0, &bytes, reason, sizeof(reason)));
    assert_int_equal(bytes.size_bytes, 6);
    assert_true(parse("pollux --escaped set a b\\qc", &arguments));
    assert_false(cli_operand_read(&arguments, 1, &bytes, reason, sizeof(reason)));
    assert_non_null(strstr(reason, "operand 2: at '\\qc'"));
    assert_true(parse("pollux --escaped status", &arguments));
    assert_false(cli_arguments_fit(&arguments, reason, sizeof(reason)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cli_arguments_takes_options_anywhere),
        cmocka_unit_test(test_cli_arguments_reads_the_options_of_logs),
        cmocka_unit_test(test_cli_arguments_reads_the_options_of_keys),
        cmocka_unit_test(test_cli_arguments_of_keys_are_of_keys_alone),
        cmocka_unit_test(test_cli_arguments_reads_bounds_of_staleness),
        cmocka_unit_test(test_cli_arguments_reads_every_flag),
        cmocka_unit_test(test_cli_arguments_names_what_is_wrong),
        cmocka_unit_test(test_cli_arguments_takes_defaults_from_the_environment),
        cmocka_unit_test(test_cli_arguments_reads_durations),
        cmocka_unit_test(test_cli_arguments_refuses_options_that_would_be_ignored),
        cmocka_unit_test(test_cli_arguments_standard_input_is_read_once),
        cmocka_unit_test(test_cli_arguments_reads_escapes_of_operands),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
