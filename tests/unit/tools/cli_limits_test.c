/* Limits on the command line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "tools/cli/cli_limits.h"

static char reason[128];

static bool takes(const char *text, struct cli_limits *limits)
{
    return cli_limits_parse(text, limits, reason, sizeof(reason));
}

static void test_limits_take_numbers_and_sizes(void **state)
{
    (void)state;
    struct cli_limits limits = {0};
    assert_true(takes("keys_max=2M", &limits));
    assert_true(takes("store_size=3GiB", &limits));
    assert_true(takes("sessions_max=4096", &limits));
    assert_int_equal(limits.values[CLI_KEYS_MAX], 2000000);
    assert_int_equal(limits.values[CLI_STORE_SIZE], UINT64_C(3) << 30);
    assert_int_equal(limits.values[CLI_SESSIONS_MAX], 4096);
}

static void test_limits_refuse_anything_else(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "keys_max",
                                      "keys_max=",
                                      "keys_max=0",
                                      "keys_max=-1",
                                      "keys_max=2MiB",
                                      "keys=5",
                                      "store_size=77",
                                      "store_size=2M",
                                      "=5",
                                      "keys_max=1 M",
                                      "keys_max=99999999999999999999",
                                      "keys_max=18446744073709551615K"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct cli_limits limits = {0};
        reason[0] = 0;
        assert_false(takes(bad[i], &limits));
        assert_true(reason[0] != 0);
    }
    struct cli_limits limits = {0};
    assert_true(takes("keys_max=1", &limits));
    assert_false(takes("keys_max=2", &limits));
    assert_non_null(strstr(reason, "twice"));
}

static void test_limits_are_divided_among_shards_as_nodes_do(void **state)
{
    (void)state;
    assert_int_equal(cli_limit_of_shard(CLI_KEYS_MAX, 1000001, 4), 250001);
    assert_int_equal(cli_limit_of_shard(CLI_STORE_SIZE, 1000 * 128 + 77, 3), 334 * 128);
    assert_int_equal(cli_limit_of_shard(CLI_SESSIONS_MAX, 64, 3), 64);
    assert_int_equal(cli_limit_of_node(CLI_KEYS_MAX, 250001, 4), 1000004);
    assert_int_equal(cli_limit_of_node(CLI_SESSIONS_MAX, 64, 3), 64);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_limits_take_numbers_and_sizes),
        cmocka_unit_test(test_limits_refuse_anything_else),
        cmocka_unit_test(test_limits_are_divided_among_shards_as_nodes_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
