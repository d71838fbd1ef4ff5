/* Opening: every option out of its range is refused by name; nothing is sent. */
#include "tests/unit/client/fake_node.h"

#include <fcntl.h>
#include <sys/resource.h>

#define SLEEP_NS 3000000

static struct plx_options good_options(void)
{
    struct plx_options options;
    plx_options_init(&options);
    options.endpoints = "127.0.0.1:7400,localhost:7401";
    options.cluster = "test";
    return options;
}

static void assert_refused(const struct plx_options *options, const char *named)
{
    char reason[256] = "";
    struct plx_client *client = (struct plx_client *)&reason;
    assert_int_equal(plx_open(options, &client, reason, sizeof(reason)), PLX_E_ARGUMENT);
    assert_null(client);
    if (strncmp(reason, named, strlen(named)) != 0)
        fail_msg("reason '%s' does not begin with '%s'", reason, named);
    assert_int_equal(plx_open(options, &client, NULL, 0), PLX_E_ARGUMENT);
}

static void test_open_refuses_bad_endpoints(void **state)
{
    (void)state;
    static const char *const bad[] = {"",       "host",       "host:",        ":7400",
                                      "host:0", "host:65536", "host:7x",      "host: 1",
                                      "[::1]",  "[::1:7400",  "127.0.0.1:1,", ",127.0.0.1:1",
                                      "[]:1",   "::1]:7400",  "256.1.1.1:1",  "nosuch.invalid.:1"};
    struct plx_options options = good_options();
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        options.endpoints = bad[i];
        assert_refused(&options, "endpoints: ");
    }
    options.endpoints = NULL;
    assert_refused(&options, "endpoints: none given");
    static char many[PLX_ENDPOINTS_MAX * 16 + 32];
    for (int i = 0; i <= PLX_ENDPOINTS_MAX; i++)
        snprintf(many + strlen(many), 16, "%s127.0.0.1:1", i == 0 ? "" : ",");
    options.endpoints = many;
    assert_refused(&options, "endpoints: more than");
    char longest[300];
    memset(longest, 'x', sizeof(longest));
    memcpy(longest + 200, ":1", 3);
    options.endpoints = longest;
    assert_refused(&options, "endpoints: ");
}

static void test_open_refuses_options_out_of_range(void **state)
{
    (void)state;
    struct plx_options options = good_options();
    options.cluster = NULL;
    assert_refused(&options, "cluster: ");
    options.cluster = "";
    assert_refused(&options, "cluster: ");
    options.cluster = "a-name-of-a-cluster-that-is-longer-than-any-name-has-a-right-to-be-";
    assert_refused(&options, "cluster: ");
    options = good_options();
    options.window = 0;
    assert_refused(&options, "window: ");
    options.window = PLX_WINDOW_MAX + 1;
    assert_refused(&options, "window: ");
    options = good_options();
    options.packet_ops_max = PLX_PACKET_OPS_MAX + 1;
    assert_refused(&options, "packet_ops_max: ");
    options = good_options();
    options.timeout_ns = 0;
    assert_refused(&options, "timeout_ns: ");
    options = good_options();
    options.rto_min_ns = 0;
    assert_refused(&options, "rto_min_ns: ");
    options = good_options();
    options.leader_fresh_ns = 0;
    assert_refused(&options, "leader_fresh_ns: ");
    options = good_options();
    options.preferred_endpoint = 2;
    assert_refused(&options, "preferred_endpoint: ");
}

static void test_open_takes_names_ipv4_and_ipv6(void **state)
{
    (void)state;
    struct plx_options options = good_options();
    struct plx_client *client;
    assert_int_equal(plx_open(&options, &client, NULL, 0), PLX_OK);
    assert_int_equal(plx_endpoint_count(client), 2);
    assert_string_equal(plx_endpoint_name(client, 0), "127.0.0.1:7400");
    assert_string_equal(plx_endpoint_name(client, 1), "localhost:7401");
    assert_null(plx_endpoint_name(client, 2));
    assert_true(plx_descriptor(client) >= 0);
    plx_close(client);
    options.endpoints = "[::1]:7400,127.0.0.1:7401";
    assert_int_equal(plx_open(&options, &client, NULL, 0), PLX_OK);
    assert_string_equal(plx_endpoint_name(client, 0), "[::1]:7400");
    plx_close(client);
    plx_close(NULL);
}

static void test_open_fails_cleanly_without_descriptors(void **state)
{
    (void)state;
    struct plx_options options = good_options();
    options.endpoints = "127.0.0.1:7400";
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    struct rlimit none = {.rlim_cur = 3, .rlim_max = before.rlim_max};
    char reason[256] = "";
    struct plx_client *client;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    enum plx_outcome outcome = plx_open(&options, &client, reason, sizeof(reason));
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(outcome, PLX_E_IO);
    assert_non_null(strstr(reason, "socket"));
}

static uint32_t descriptor_count(void)
{
    uint32_t count = 0;
    for (int fd = 0; fd < 1024; fd++)
        count += fcntl(fd, F_GETFD) != -1;
    return count;
}

static void test_open_takes_one_descriptor_and_sleeping_another(void **state)
{
    (void)state;
    struct plx_options options = good_options();
    options.endpoints = "127.0.0.1:7400";
    options.spin_ns = 0;
    struct plx_client *client;
    uint32_t before = descriptor_count();
    assert_int_equal(plx_open(&options, &client, NULL, 0), PLX_OK);
    assert_int_equal(plx_poll(client, 0), 0);
    plx_cancel(client); /* nobody sleeps, nobody has slept */
    assert_int_equal(descriptor_count(), before + 1);
    assert_int_equal(plx_poll(client, SLEEP_NS), 0);
    assert_int_equal(descriptor_count(), before + 2);
    plx_close(client);
    assert_int_equal(descriptor_count(), before);
}

static void test_open_sleeps_without_a_descriptor_left(void **state)
{
    (void)state;
    struct plx_options options = good_options();
    options.endpoints = "127.0.0.1:7400";
    options.spin_ns = 0;
    struct rlimit before;
    struct plx_client *client;
    uint32_t count = descriptor_count();
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    struct rlimit none = {.rlim_cur = 3, .rlim_max = before.rlim_max};
    assert_int_equal(plx_open(&options, &client, NULL, 0), PLX_OK);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    size_t ended = plx_poll(client, SLEEP_NS);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(ended, 0);
    assert_int_equal(descriptor_count(), count + 1);
    plx_close(client);
}

static void test_open_fails_cleanly_without_memory(void **state)
{
    (void)state;
    struct plx_options options = good_options();
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_AS, &before), 0);
    struct rlimit none = {.rlim_cur = 16 * 1024 * 1024, .rlim_max = before.rlim_max};
    char reason[256] = "";
    struct plx_client *client;
    assert_int_equal(setrlimit(RLIMIT_AS, &none), 0);
    enum plx_outcome outcome = plx_open(&options, &client, reason, sizeof(reason));
    assert_int_equal(setrlimit(RLIMIT_AS, &before), 0);
    assert_int_equal(outcome, PLX_E_NO_MEMORY);
    assert_non_null(strstr(reason, "no memory"));
}

static size_t address_space_bytes(void)
{
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%lu", &pages), 1);
    assert_int_equal(fclose(file), 0);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

/* A server may have thousands of handles. */
static void test_open_takes_little_address_space(void **state)
{
    (void)state;
    struct plx_options options = good_options();
    struct plx_client *client;
    size_t before = address_space_bytes();
    assert_int_equal(plx_open(&options, &client, NULL, 0), PLX_OK);
    assert_in_range(address_space_bytes() - before, 1, 48 * 1024 * 1024);
    plx_close(client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_open_refuses_bad_endpoints),
        cmocka_unit_test(test_open_refuses_options_out_of_range),
        cmocka_unit_test(test_open_takes_names_ipv4_and_ipv6),
        cmocka_unit_test(test_open_fails_cleanly_without_descriptors),
        cmocka_unit_test(test_open_takes_one_descriptor_and_sleeping_another),
        cmocka_unit_test(test_open_sleeps_without_a_descriptor_left),
        cmocka_unit_test(test_open_fails_cleanly_without_memory),
        cmocka_unit_test(test_open_takes_little_address_space),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
