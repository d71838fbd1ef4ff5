/* The configuration reader: what it accepts, and that each mistake is named with its line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "server/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char good[] = "[node]\n"
                           "id = 2\n"
                           "directory = /tmp/x ; a comment\n"
                           "log_size = 64MiB\n"
                           "[cluster]\n"
                           "name = test\n"
                           "election_timeout_min = 1500us\n"
                           "election_timeout_max = 2ms\n"
                           "heartbeat_interval = 500us\n"
                           "[peers]\n"
                           "1 = 10.77.0.1:7400\n"
                           "2 = 10.77.0.2:7400\n"
                           "3 = [fd00::3]:7401\n"
                           "[port]\n"
                           "device = net_ring0\n"
                           "ipv6 = fd00::2/64\n"
                           "[lane]\n"
                           "idle_spin_turns = forever\n";

static enum error read_text(const char *text, struct config *ret_config, char *reason)
{
    char path[] = "/tmp/pollux-config-XXXXXX";
    int file = mkstemp(path);
    assert_true(file >= 0);
    assert_int_equal(write(file, text, strlen(text)), (ssize_t)strlen(text));
    close(file);
    enum error error = config_read(path, ret_config, reason, 512);
    unlink(path);
    return error;
}

static void test_config_reads_every_kind_of_value(void **state)
{
    (void)state;
    struct config config;
    char reason[512] = "";
    assert_int_equal(read_text(good, &config, reason), OK);
    assert_int_equal(config.id, 2);
    assert_string_equal(config.directory, "/tmp/x");
    assert_int_equal(config.medium, 0);
    assert_int_equal(config.log_size_bytes, 64u << 20);
    assert_int_equal(config.relaxed_size_bytes, 16u << 20);
    assert_int_equal(config.election_timeout_min_ns, 1500000);
    assert_int_equal(config.peer_count, 3);
    assert_int_equal(config_self(&config)->address.port, 7400);
    assert_int_equal(config.neighbour_count, 0);
    assert_true(address_is_ipv4(&config.peers[0].address));
    assert_false(address_is_ipv4(&config.peers[2].address));
    assert_int_equal(config.peers[2].address.port, 7401);
    assert_int_equal(config.ipv6_prefix_bits, 64);
    assert_int_equal(config.idle_spin_turns, UINT32_MAX);
    assert_int_equal(config.shard_count, 1);
    assert_int_equal(config.lane_count, 1);
    assert_int_equal(config.core_count, 0);
}

static void test_config_reads_neighbours(void **state)
{
    (void)state;
    static const uint8_t ipv4[4] = {10, 77, 0, 1};
    struct address address = address_of_ipv4(ipv4, 0);
    struct config config;
    char text[2048];
    char reason[512] = "";
    snprintf(text, sizeof(text), "%s[neighbours]\nnode1 = 10.77.0.1 52:54:00:00:00:a1\n%s", good,
             "node3 = fd00::3  02:00:00:00:00:03\n");
    assert_int_equal(read_text(text, &config, reason), OK);
    assert_int_equal(config.neighbour_count, 2);
    assert_memory_equal(config.neighbours[0].ip, address.ip, 16);
    assert_int_equal(config.neighbours[0].mac[5], 0xa1);
    assert_int_equal(config.neighbours[1].ip[0], 0xfd);
    assert_int_equal(config.neighbours[1].mac[0], 2);
}

static void test_config_reads_shards_lanes_and_cores(void **state)
{
    (void)state;
    struct config config;
    char text[2048];
    char reason[512] = "";
    snprintf(text, sizeof(text), "%scount = 2\ncores = 2, 3\n[cluster]\nshards = 4\n", good);
    assert_int_equal(read_text(text, &config, reason), OK);
    assert_int_equal(config.shard_count, 4);
    assert_int_equal(config.lane_count, 2);
    assert_int_equal(config.core_count, 2);
    assert_int_equal(config.cores[0], 2);
    assert_int_equal(config.cores[1], 3);
    assert_int_equal(config.relaxed_size_bytes, 32u << 20); /* 8 MiB for each shard */
}

static void test_config_reads_the_medium(void **state)
{
    (void)state;
    static const char *const names[] = {"pmem", "file", "emulated"};
    for (size_t i = 0; i < 3; i++) {
        struct config config;
        char text[2048];
        char reason[512] = "";
        snprintf(text, sizeof(text), "%s[node]\nmedium = %s\n", good, names[i]);
        assert_int_equal(read_text(text, &config, reason), OK);
        assert_int_equal(config.medium, MEDIUM_PMEM + i);
    }
}

struct mistake {
    const char *from; /* line of `good` to replace; NULL: append */
    const char *to;
    enum error error;
    const char *told; /* part of the reason */
};

#define TEN     "0123456789"
#define HUNDRED TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN

static const struct mistake mistakes[] = {
    {"id = 2\n", "id = 0\n", ERR_RANGE, ":2: [node] id = 0: expected 1 to 255"},
    {"id = 2\n", "id = two\n", ERR_RANGE, ":2:"},
    {"id = 2\n", "id = 7\n", ERR_ARGUMENT, "no entry for [node] id"},
    {"log_size = 64MiB\n", "log = /x.log\n", ERR_SYNTAX, ":4: unknown key log in section [node]: "},
    {"log_size = 64MiB\n", "log = /x.log\n", ERR_SYNTAX, "polluxd --init"},
    {"log_size = 64MiB\n", "medium = disk\n", ERR_RANGE, ":4: [node] medium = disk: expected pmem"},
    {"log_size = 64MiB\n", "log_size = 64MB\n", ERR_RANGE, ":4:"},
    {"log_size = 64MiB\n", "log_size = 67108863B\n", ERR_ARGUMENT, "whole 4KiB"},
    {"log_size = 64MiB\n", "relaxed_size = 1MiB\n", ERR_ARGUMENT, "at least 8MiB"},
    {"log_size = 64MiB\n", "relaxed_size = 8388609B\n", ERR_ARGUMENT, "whole 4KiB"},
    {"log_size = 64MiB\n", "relaxed_size = 385MiB\n", ERR_ARGUMENT, "at most 384MiB for each"},
    {"log_size = 64MiB\n", "relaxed_size = 1024GiB\n", ERR_RANGE, ":4: [node] relaxed_size"},
    {"name = test\n", "name = test\nstore_size = 129GiB\n", ERR_ARGUMENT,
     "at most 128GiB for each"},
    {"log_size = 64MiB\n", "client_bytes_rate = 262143B\n", ERR_ARGUMENT, "at least 256KiB"},
    {"log_size = 64MiB\n", "client_operations_rate = 1000000001\n", ERR_RANGE,
     ":4: [node] client_operations_rate = 1000000001: expected 0 (no limit) to"},
    {"log_size = 64MiB\n", "keys_capacity = 1048575\n", ERR_ARGUMENT,
     "[node] keys_capacity is below [cluster] keys_max"},
    {"log_size = 64MiB\n", "store_capacity = 511MiB\n", ERR_ARGUMENT,
     "[node] store_capacity is below [cluster] store_size"},
    {"log_size = 64MiB\n", "store_capacity = 129GiB\n", ERR_ARGUMENT,
     "[node] store_capacity must be at most 128GiB for each"},
    {"log_size = 64MiB\n", "sessions_capacity = 4095\n", ERR_ARGUMENT,
     "[node] sessions_capacity is below [cluster] sessions_max"},
    {"name = test\n", "name = test\nshards = 65\n", ERR_RANGE, ":7: [cluster] shards = 65"},
    {"name = test\n", "name = test\nshards = 9\n", ERR_ARGUMENT,
     "log_size must be at least 16MiB for"},
    {"[lane]\n", "[lane]\ncount = 33\n", ERR_RANGE, ":18: [lane] count = 33"},
    {"[lane]\n", "[lane]\ncount = 2\n", ERR_ARGUMENT, "[lane] count is above [cluster] shards"},
    {"[lane]\n", "[lane]\ncores = 2, x\n", ERR_RANGE, ":18: [lane] cores"},
    {"[lane]\n", "[lane]\ncores = 2,2\n", ERR_RANGE, "all different"},
    {"[lane]\n", "[lane]\ncores = 2, 3\n", ERR_ARGUMENT, "one core for each"},
    {"2 = 10.77.0.2:7400\n", "2 = 10.77.0.2:65535\n[cluster]\nshards = 2\n[peers]\n", ERR_ARGUMENT,
     "shard s has that port plus s"},
    {"2 = 10.77.0.2:7400\n", "2 = 10.77.0.1:7400\n", ERR_ARGUMENT,
     "[peers] 1 and 2 have one address"},
    {"2 = 10.77.0.2:7400\n", "2 = 10.77.0.1:7399\n[cluster]\nshards = 2\n[peers]\n", ERR_ARGUMENT,
     "ports that overlap (7400 and 7399, for 2 shards"},
    {"name = test\n", "name = test\nnaem = x\n", ERR_SYNTAX, ":7: unknown key naem"},
    {"name = test\n", "", ERR_ARGUMENT, "name is missing"},
    {"election_timeout_max = 2ms\n", "election_timeout_max = 1ms\n", ERR_ARGUMENT, "is below"},
    {"heartbeat_interval = 500us\n", "heartbeat_interval = 1ms\n", ERR_ARGUMENT, "half"},
    {"heartbeat_interval = 500us\n", "heartbeat_interval = 500\n", ERR_RANGE, ":9:"},
    {"1 = 10.77.0.1:7400\n", "1 = 10.77.0.1\n", ERR_RANGE, ":11:"},
    {"1 = 10.77.0.1:7400\n", "2 = 10.77.0.1:7400\n", ERR_RANGE, ":12:"},
    {"3 = [fd00::3]:7401\n", "3 = fd00::3:7401\n", ERR_RANGE, ":13:"},
    {"3 = [fd00::3]:7401\n", "3 = 10.0.0.1:99999\n", ERR_RANGE, ":13:"},
    {"ipv6 = fd00::2/64\n", "ipv6 = fd00::2\n", ERR_RANGE, "prefix"},
    {"device = net_ring0\n", "", ERR_ARGUMENT, "device is missing"},
    {"[lane]\n", "[neighbours]\nnode1 = 10.77.0.1 52:54:00:00:00\n", ERR_RANGE,
     ":18: [neighbours] node1 = 10.77.0.1 52:54:00:00:00: expected up to 32 lines"},
    {"[lane]\n", "[neighbours]\nnode1 = 10.77.0.1 03:54:00:00:00:01\n", ERR_RANGE, ":18:"},
    {"[lane]\n", "[neighbours]\nnode1 = 10.77.0.1 00:00:00:00:00:00\n", ERR_RANGE, ":18:"},
    {"[lane]\n", "[neighbours]\nnode1 = node1 52:54:00:00:00:01\n", ERR_RANGE, ":18:"},
    {"[lane]\n", "[neighbours]\na = fd00::1 52:54:00:00:00:01\nb = fd00::1 52:54:00:00:00:02\n",
     ERR_RANGE, ":19:"},
    {"[lane]\n", "[lane]\nnonsense\n", ERR_SYNTAX, ":18:"},
    {"name = test\n", "name = test\n  naem = x\n", ERR_SYNTAX, ":7: unknown key naem"},
    {"name = test\n", "name = " HUNDRED HUNDRED "\n", ERR_SYNTAX,
     ":6: a line with a NUL byte, or of 199"},
};

static void test_config_names_each_mistake(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
        const struct mistake *mistake = &mistakes[i];
        char text[2048];
        const char *at = strstr(good, mistake->from);
        assert_non_null(at);
        snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - good), good, mistake->to,
                 at + strlen(mistake->from));
        struct config config = {.id = 99};
        char reason[512] = "";
        enum error error = read_text(text, &config, reason);
        if (error != mistake->error || strstr(reason, mistake->told) == NULL)
            fail_msg("%s gave %s: %s", mistake->to, error_name(error), reason);
        assert_int_equal(config.id, 99);
    }
}

/* Acknowledged writes may be in either of its banks. */
static void test_config_strands_no_journal(void **state)
{
    (void)state;
    char directory[] = "/tmp/pollux-journal-XXXXXX";
    assert_non_null(mkdtemp(directory));
    char text[2048];
    snprintf(text, sizeof(text), "[node]\nrelaxed_size = 0B\ndirectory = %s\n%s", directory,
             strstr(good, "id = 2\n"));
    char *other = strstr(text, "directory = /tmp/x");
    assert_non_null(other);
    memcpy(other, ";", 1);
    struct config config;
    char reason[512] = "";
    assert_int_equal(read_text(text, &config, reason), OK);
    for (int bank = 0; bank < 2; bank++) {
        char path[64];
        snprintf(path, sizeof(path), "%s/shard-0.journal-%d", directory, bank);
        FILE *file = fopen(path, "w");
        assert_non_null(file);
        fclose(file);
        assert_int_equal(read_text(text, &config, reason), ERR_ARGUMENT);
        assert_non_null(strstr(reason, path));
        assert_non_null(strstr(reason, "relaxed_pending"));
        char *size = strstr(text, "relaxed_size = 0B");
        memcpy(size, "relaxed_size=8MiB", 17);
        assert_int_equal(read_text(text, &config, reason), OK);
        memcpy(size, "relaxed_size = 0B", 17);
        unlink(path);
    }
    rmdir(directory);
}

static void test_config_reports_a_missing_file(void **state)
{
    (void)state;
    struct config config;
    char reason[512] = "";
    assert_int_equal(config_read("/nonexistent/x.ini", &config, reason, sizeof(reason)),
                     ERR_NOT_FOUND);
    assert_non_null(strstr(reason, "/nonexistent/x.ini"));
}

/* A fifo that nobody writes to. */
static void test_config_waits_for_nobody(void **state)
{
    (void)state;
    struct config config;
    char reason[512] = "";
    char path[] = "/tmp/pollux-config-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0);
    alarm(10);
    assert_int_equal(config_read(path, &config, reason, sizeof(reason)), ERR_IO);
    alarm(0);
    assert_non_null(strstr(reason, path));
    assert_non_null(strstr(reason, "not a regular file"));
    assert_int_equal(unlink(path), 0);
}

static void test_config_accepts_its_own_example(void **state)
{
    (void)state;
    struct config config;
    char reason[512] = "";
    char path[1024];
    assert_non_null(getenv("POLLUX_SOURCE_ROOT"));
    snprintf(path, sizeof(path), "%s/tools/polluxd.example.ini", getenv("POLLUX_SOURCE_ROOT"));
    enum error error = config_read(path, &config, reason, sizeof(reason));
    if (error != OK)
        fail_msg("%s", reason);
    assert_int_equal(config.election_timeout_min_ns, UINT64_C(150000000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_config_reads_every_kind_of_value),
        cmocka_unit_test(test_config_reads_neighbours),
        cmocka_unit_test(test_config_reads_shards_lanes_and_cores),
        cmocka_unit_test(test_config_reads_the_medium),
        cmocka_unit_test(test_config_names_each_mistake),
        cmocka_unit_test(test_config_strands_no_journal),
        cmocka_unit_test(test_config_reports_a_missing_file),
        cmocka_unit_test(test_config_waits_for_nobody),
        cmocka_unit_test(test_config_accepts_its_own_example),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
