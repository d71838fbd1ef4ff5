/* The control protocol of the switch: every command, and every way to get one wrong. */
#include "tools/switch/command.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#define PORTS 6

static struct command parsed(const char *line)
{
    struct command command = {0};
    char reason[256] = "";
    enum error error = command_parse(line, PORTS, &command, reason, sizeof(reason));
    if (error != OK) {
        fail_msg("%s: %s", line, reason);
    }
    return command;
}

static void assert_refused(const char *line, enum error expected, const char *naming)
{
    struct command command = {0};
    char reason[256] = "";
    assert_int_equal(command_parse(line, PORTS, &command, reason, sizeof(reason)), expected);
    assert_non_null(strstr(reason, naming));
    assert_int_equal(command.from_mask, 0);
}

static void test_command_reads_ports_and_wildcards(void **state)
{
    (void)state;
    struct command command = parsed("cut 1 2");
    assert_int_equal(command.kind, COMMAND_cut);
    assert_int_equal(command.from_mask, 1U << 1);
    assert_int_equal(command.to_mask, 1U << 2);
    assert_true(command.link.is_cut);
    command = parsed("  cut\t0,3,5   * \n");
    assert_int_equal(command.from_mask, 1U | 1U << 3 | 1U << 5);
    assert_int_equal(command.to_mask, 0x3f);
}

static void test_command_reads_groups(void **state)
{
    (void)state;
    struct command command = parsed("partition 1,2 3,4,5");
    assert_int_equal(command.kind, COMMAND_partition);
    assert_int_equal(command.group_count, 2);
    assert_int_equal(command.groups[0], 1U << 1 | 1U << 2);
    assert_int_equal(command.groups[1], 1U << 3 | 1U << 4 | 1U << 5);
}

static void test_command_reads_shares(void **state)
{
    (void)state;
    assert_int_equal(parsed("loss 1 2 100").link.loss_ppm, 1000000);
    assert_int_equal(parsed("loss 1 2 0").link.loss_ppm, 0);
    assert_int_equal(parsed("duplicate 1 2 0.5").link.duplicate_ppm, 5000);
    assert_int_equal(parsed("corrupt 1 2 0.0001").link.corrupt_ppm, 1);
    struct command command = parsed("reorder 1 2 12.25 3");
    assert_int_equal(command.link.reorder_ppm, 122500);
    assert_int_equal(command.link.reorder_ns, 3000000);
    assert_int_equal(parsed("reorder 1 2 1").link.reorder_ns, COMMAND_REORDER_NS);
}

static void test_command_reads_times(void **state)
{
    (void)state;
    struct command command = parsed("delay * 2 0.25 10");
    assert_int_equal(command.link.delay_ns, 250000);
    assert_int_equal(command.link.jitter_ns, 10000000);
    assert_int_equal(parsed("delay 1 2 5").link.jitter_ns, 0);
}

static void test_command_reads_the_others(void **state)
{
    (void)state;
    assert_int_equal(parsed("isolate 3").from_mask, 1U << 3);
    assert_int_equal(parsed("pause 3").kind, COMMAND_pause);
    assert_int_equal(parsed("resume *").from_mask, 0x3f);
    assert_int_equal(parsed("mtu 1280").limit_bytes, 1280);
    assert_int_equal(parsed("mtu 9000").limit_bytes, 9000);
    assert_int_equal(parsed("heal").from_mask, 0x3f);
    assert_int_equal(parsed("heal 1 2").to_mask, 1U << 2);
    assert_int_equal(parsed("stats").kind, COMMAND_stats);
    assert_int_equal(parsed("faults").kind, COMMAND_faults);
    assert_int_equal(parsed("help").kind, COMMAND_help);
    assert_true(parsed("pcap off").is_off);
    struct command command = parsed("pcap /tmp/a.pcap 2");
    assert_string_equal(command.path, "/tmp/a.pcap");
    assert_int_equal(command.limit_bytes, 2 * 1024 * 1024);
    assert_int_equal(parsed("pcap a").limit_bytes, COMMAND_CAPTURE_BYTES);
}

static void test_command_refuses_bad_arguments_by_name(void **state)
{
    (void)state;
    assert_refused("cut 1 6", ERR_ARGUMENT, "cut: TO '6'");
    assert_refused("cut x 1", ERR_ARGUMENT, "cut: FROM 'x'");
    assert_refused("cut 1, 2", ERR_ARGUMENT, "FROM '1,'");
    assert_refused("cut -1 2", ERR_ARGUMENT, "FROM '-1'");
    assert_refused("cut 99999999999999999999 2", ERR_ARGUMENT, "FROM");
    assert_refused("loss 1 2 101", ERR_ARGUMENT, "loss: PERCENT '101'");
    assert_refused("loss 1 2 1e2", ERR_ARGUMENT, "PERCENT '1e2'");
    assert_refused("loss 1 2 1.2.3", ERR_ARGUMENT, "PERCENT");
    assert_refused("loss 1 2 .", ERR_ARGUMENT, "PERCENT");
    assert_refused("delay 1 2 10001", ERR_ARGUMENT, "delay: MS '10001'");
    assert_refused("delay 1 2 1 x", ERR_ARGUMENT, "JITTER_MS 'x'");
    assert_refused("partition 1,2 2,3", ERR_ARGUMENT, "GROUP '2,3'");
    assert_refused("partition 1,2 9", ERR_ARGUMENT, "GROUP '9'");
    assert_refused("pcap f many", ERR_ARGUMENT, "MIB 'many'");
    char line[700] = "pcap ";
    memset(line + 5, 'a', sizeof(line) - 6);
    assert_refused(line, ERR_ARGUMENT, "FILE");
}

static void test_command_refuses_wrong_shapes(void **state)
{
    (void)state;
    assert_refused("", ERR_SYNTAX, "empty");
    assert_refused("explode 1", ERR_SYNTAX, "'explode'");
    assert_refused("cut 1", ERR_SYNTAX, "usage: cut FROM TO");
    assert_refused("cut 1 2 3", ERR_SYNTAX, "usage: cut FROM TO");
    assert_refused("mtu 1279", ERR_ARGUMENT, "an MTU from 1280 to 9000");
    assert_refused("mtu 9001", ERR_ARGUMENT, "an MTU from 1280 to 9000");
    assert_refused("heal 1", ERR_SYNTAX, "usage: heal [FROM TO]");
    assert_refused("partition 1,2", ERR_SYNTAX, "usage: partition");
    assert_refused("stats now", ERR_SYNTAX, "usage: stats");
    assert_refused("a a a a a a a a a a a a a a a a a", ERR_SYNTAX, "words");
    char line[COMMAND_LINE_BYTES_MAX + 1];
    memset(line, 'a', sizeof(line) - 1);
    line[sizeof(line) - 1] = '\0';
    assert_refused(line, ERR_SYNTAX, "longer");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_command_reads_ports_and_wildcards),
        cmocka_unit_test(test_command_reads_groups),
        cmocka_unit_test(test_command_reads_shares),
        cmocka_unit_test(test_command_reads_times),
        cmocka_unit_test(test_command_reads_the_others),
        cmocka_unit_test(test_command_refuses_bad_arguments_by_name),
        cmocka_unit_test(test_command_refuses_wrong_shapes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
