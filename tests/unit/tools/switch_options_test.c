/* The command line of the switch. */
#include "tools/switch/options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#define ARGUMENTS_MAX 16

static enum error parse(const char *const *words, struct switch_options *options, char *reason)
{
    static char text[ARGUMENTS_MAX][64];
    char *arguments[ARGUMENTS_MAX + 1] = {NULL};
    int count = 0;
    for (; words[count] != NULL; count++) {
        snprintf(text[count], sizeof(text[count]), "%s", words[count]);
        arguments[count] = text[count];
    }
    return switch_options_parse(count, arguments, options, reason, 256);
}

static void test_options_has_defaults(void **state)
{
    (void)state;
    const char *const words[] = {"pollux-switch", "/run/x", NULL};
    struct switch_options options;
    char reason[256];
    assert_int_equal(parse(words, &options, reason), OK);
    assert_string_equal(options.run_dir, "/run/x");
    assert_int_equal(options.node_count, 5);
    assert_int_equal(options.client_count, 0);
    assert_int_equal(options.udp_base, 7400);
    assert_int_equal(options.node_port, 7400);
    assert_int_equal(options.idle.sleep_max_ns, 50000);
    assert_false(options.is_help);
}

static void test_options_reads_all(void **state)
{
    (void)state;
    const char *const words[] = {"pollux-switch",
                                 "--nodes=9",
                                 "-c",
                                 "7",
                                 "--udp-base",
                                 "0",
                                 "--node-port=1",
                                 "--shards=2",
                                 "--seed=77",
                                 "--spin-turns=3",
                                 "--sleep-max-us=0",
                                 "--pool-size=512",
                                 "--memory-mib=64",
                                 "--hugepages",
                                 "dir",
                                 NULL};
    struct switch_options options;
    char reason[256];
    assert_int_equal(parse(words, &options, reason), OK);
    assert_int_equal(options.node_count, 9);
    assert_int_equal(options.client_count, 7);
    assert_int_equal(options.udp_base, 0);
    assert_int_equal(options.node_port, 1);
    assert_int_equal(options.shard_count, 2);
    assert_int_equal(options.seed, 77);
    assert_int_equal(options.idle.spin_turns, 3);
    assert_int_equal(options.idle.yield_turns, UINT32_MAX);
    assert_int_equal(options.pool_size, 512);
    assert_int_equal(options.memory_mib, 64);
    assert_true(options.is_hugepages);
}

static void test_options_shows_help(void **state)
{
    (void)state;
    const char *const words[] = {"pollux-switch", "--help", NULL};
    struct switch_options options;
    char reason[256];
    assert_int_equal(parse(words, &options, reason), OK);
    assert_true(options.is_help);
    assert_non_null(strstr(switch_options_help(), "--udp-base"));
}

static void assert_refused(const char *option, const char *naming)
{
    const char *const words[] = {"pollux-switch", option, "dir", NULL};
    struct switch_options options = {.node_count = 99};
    char reason[256] = "";
    assert_int_equal(parse(words, &options, reason), ERR_ARGUMENT);
    assert_non_null(strstr(reason, naming));
    assert_int_equal(options.node_count, 99);
}

static void test_options_refuses_by_name(void **state)
{
    (void)state;
    assert_refused("--nodes=10", "--nodes: '10'");
    assert_refused("--nodes=0", "--nodes: '0'");
    assert_refused("--nodes=", "--nodes: ''");
    assert_refused("--nodes=2x", "--nodes: '2x'");
    assert_refused("--seed=-1", "--seed: '-1'");
    assert_refused("--seed=99999999999999999999", "--seed");
    assert_refused("--udp-base=65536", "--udp-base");
    assert_refused("--unheard-of", "'--unheard-of'");
    assert_refused("second-dir", "more than one");
}

static void test_options_needs_a_directory(void **state)
{
    (void)state;
    const char *const words[] = {"pollux-switch", NULL};
    struct switch_options options;
    char reason[256] = "";
    assert_int_equal(parse(words, &options, reason), ERR_ARGUMENT);
    assert_non_null(strstr(reason, "RUN_DIR"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_options_has_defaults),
        cmocka_unit_test(test_options_reads_all),
        cmocka_unit_test(test_options_shows_help),
        cmocka_unit_test(test_options_refuses_by_name),
        cmocka_unit_test(test_options_needs_a_directory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
