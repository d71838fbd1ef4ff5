/*
 * Starting DPDK, well and badly. EAL starts once a process, so each case runs in a child, which
 * reports its result and the reason text through a pipe.
 */
#include "dataplane/frame.h"
#include "dataplane/port.h"

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define LONG_FRAME_SIZE_BYTES 5000

struct report {
    enum error error;
    bool is_affinity_kept;
    uint64_t frames_long;
    uint64_t frames_other_mac;
    char reason[1024];
};

struct attempt {
    struct dp_environment_options environment;
    struct dp_frame_port_options port; /* no name: the port is not opened */
    bool is_received;                  /* frames that wait on the port are taken in */
    bool is_twice;
};

static char folder[] = "/tmp/pollux_environment_XXXXXX";

static int folder_setup(void **state)
{
    (void)state;
    return mkdtemp(folder) == NULL;
}

static int folder_teardown(void **state)
{
    (void)state;
    return rmdir(folder);
}

static struct attempt attempt_of(const char *vdev)
{
    return (struct attempt){.environment = {.program = "environment_test",
                                            .vdevs = {vdev},
                                            .vdev_count = vdev == NULL ? 0 : 1},
                            .port = {.queue_count = 1, .ring_size = 256, .pool_size = 512}};
}

static void receive(struct dp_frame_port *frames, struct report *report)
{
    struct dp_datagram got[RX_BURST_MAX];
    struct dp_port *port;
    struct dp_port_options options = {.frames = frames,
                                      .ipv4 = {.ip = {[10] = 0xff, 0xff, 10, 0, 0, 1}, .port = 7}};
    report->error = dp_port_open(&options, &port, report->reason, sizeof(report->reason));
    if (report->error != OK) {
        return;
    }
    (void)dp_port_rx(port, 1, got, RX_BURST_MAX);
    report->frames_long = dp_port_counters(port)->drops[DP_DROP_FRAME_LONG];
    report->frames_other_mac = dp_port_counters(port)->drops[DP_DROP_FRAME_OTHER_MAC];
    dp_port_close(port);
}

static void attempt_run(struct attempt *attempt, struct report *report)
{
    char prefix[64];
    cpu_set_t before;
    cpu_set_t after;
    struct dp_frame_port *frames;
    (void)snprintf(prefix, sizeof(prefix), "pollux_environment_%d", getpid());
    attempt->environment.file_prefix = prefix;
    (void)sched_getaffinity(0, sizeof(before), &before);
    report->error = dp_start(&attempt->environment, report->reason, sizeof(report->reason));
    (void)sched_getaffinity(0, sizeof(after), &after);
    report->is_affinity_kept = CPU_EQUAL(&before, &after);
    if (report->error == OK && attempt->is_twice) {
        report->error = dp_start(&attempt->environment, report->reason, sizeof(report->reason));
    }
    if (report->error == OK && attempt->port.name != NULL) {
        report->error =
            dp_frame_port_open(&attempt->port, &frames, report->reason, sizeof(report->reason));
        if (report->error == OK && attempt->is_received) {
            receive(frames, report);
        }
        if (report->error == OK) {
            dp_frame_port_close(frames);
        }
    }
    dp_stop();
}

static struct report run(struct attempt attempt)
{
    int fds[2];
    int status;
    struct report report;
    assert_int_equal(pipe(fds), 0);
    pid_t pid = fork();
    if (pid == 0) {
        memset(&report, 0, sizeof(report));
        attempt_run(&attempt, &report);
        _exit(write(fds[1], &report, sizeof(report)) == sizeof(report) ? 0 : 1);
    }
    (void)close(fds[1]);
    ssize_t size = read(fds[0], &report, sizeof(report));
    (void)close(fds[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(size, sizeof(report));
    return report;
}

static void refused(struct attempt attempt, enum error error, const char *advice)
{
    struct report report = run(attempt);
    if (report.error != error || strstr(report.reason, advice) == NULL) {
        fail_msg("wanted %s with \"%s\", got %s: %s", error_name(error), advice,
                 error_name(report.error), report.reason);
    }
}

static void test_environment_keeps_affinity_and_opens_a_port(void **state)
{
    cpu_set_t all;
    cpu_set_t one;
    (void)state;
    struct attempt attempt = attempt_of("net_ring0");
    attempt.port.name = "net_ring0";
    attempt.environment.memory_mib = 64;
    assert_int_equal(sched_getaffinity(0, sizeof(all), &all), 0);
    CPU_ZERO(&one);
    for (int cpu = 0; cpu < CPU_SETSIZE && CPU_COUNT(&one) == 0; cpu++) {
        if (CPU_ISSET(cpu, &all)) {
            CPU_SET(cpu, &one);
        }
    }
    struct report report = run(attempt);
    assert_string_equal(report.reason, "");
    assert_int_equal(report.error, OK);
    assert_true(report.is_affinity_kept);
    assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
    report = run(attempt);
    assert_int_equal(sched_setaffinity(0, sizeof(all), &all), 0);
    assert_int_equal(report.error, OK);
    assert_true(report.is_affinity_kept);
}

static void test_environment_refuses_bad_virtual_ports(void **state)
{
    (void)state;
    refused(attempt_of(""), ERR_SYNTAX, "driver and number");
    refused(attempt_of("net_ring0, x=1"), ERR_SYNTAX, "driver and number");
    refused(attempt_of("net_nosuch0"), ERR_NOT_FOUND, "check its driver's name");
    refused(attempt_of("net_memif0,role=captain,socket=/tmp/x,socket-abstract=no"), ERR_NOT_FOUND,
            "captain");
    refused(attempt_of("net_af_packet0,iface=nosuch7"), ERR_NOT_FOUND, "ip link");
    char text[700];
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    refused(attempt_of(text), ERR_TOO_LARGE, "longer than");
    struct attempt attempt = attempt_of("net_ring0");
    attempt.environment.vdev_count = DP_VDEVS_MAX + 1;
    refused(attempt, ERR_ARGUMENT, "more than");
}

static void test_environment_refuses_bad_memif_sockets(void **state)
{
    char vdev[400];
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)state;
    refused(attempt_of("net_memif0,role=client,socket=/nosuch/x.sock,socket-abstract=no"),
            ERR_NOT_FOUND, "folder /nosuch does not exist");
    (void)snprintf(vdev, sizeof(vdev), "net_memif0,role=client,socket=/tmp/%0120d,%s", 0,
                   "socket-abstract=no");
    refused(attempt_of(vdev), ERR_TOO_LARGE, "at most 107 letters");
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/x.sock", folder);
    int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(fd, 1), 0);
    (void)snprintf(vdev, sizeof(vdev), "net_memif0,role=server,socket=%s,socket-abstract=no",
                   address.sun_path);
    refused(attempt_of(vdev), ERR_BUSY, "in use by another process");
    (void)close(fd);
    /* The same file without its owner is in nobody's way. */
    struct report report = run(attempt_of(vdev));
    assert_string_equal(report.reason, "");
    assert_int_equal(report.error, OK);
    (void)unlink(address.sun_path);
    FILE *file = fopen(address.sun_path, "w");
    assert_non_null(file);
    (void)fclose(file);
    refused(attempt_of(vdev), ERR_EXISTS, "remove it");
    assert_int_equal(unlink(address.sun_path), 0);
}

static void test_environment_memif_client_opens_without_server(void **state)
{
    char vdev[200];
    (void)state;
    (void)snprintf(vdev, sizeof(vdev), "net_memif0,role=client,socket=%s/y.sock,%s", folder,
                   "socket-abstract=no");
    struct attempt attempt = attempt_of(vdev);
    attempt.port.name = "net_memif0";
    attempt.is_received = true;
    struct report report = run(attempt);
    assert_string_equal(report.reason, "");
    assert_int_equal(report.error, OK);
}

static void test_environment_refuses_what_the_machine_lacks(void **state)
{
    (void)state;
    struct attempt attempt = attempt_of(NULL);
    attempt.environment.pci_allow = "0000:fe:1f.7";
    attempt.port.name = "0000:fe:1f.7";
    refused(attempt, ERR_NOT_FOUND, "it took no device of that name");
    attempt = attempt_of("net_ring0");
    attempt.port.name = "net_ring0";
    attempt.port.pool_size = 10000000;
    refused(attempt, ERR_NO_MEMORY, "lower [port] mtu");
    attempt.port.pool_size = 512;
    attempt.port.queue_count = LANES_MAX + 1;
    refused(attempt, ERR_ARGUMENT, "1 to 32 queues");
    attempt.port.queue_count = 1;
    attempt.port.name = "net_ring1";
    refused(attempt, ERR_NOT_FOUND, "no port \"net_ring1\" among its 1");
    attempt = attempt_of("net_ring0");
    attempt.environment.memory_mib = 500000000;
    refused(attempt, ERR_NO_MEMORY, "the memory size ([port] memory_mib)");
    attempt.environment.memory_mib = 0;
    attempt.is_twice = true;
    refused(attempt, ERR_EXISTS, "once a process");
}

static void test_environment_refuses_hugepages_that_are_not_there(void **state)
{
    char line[256];
    unsigned long total = 1;
    (void)state;
    FILE *file = fopen("/proc/meminfo", "r");
    assert_non_null(file);
    while (fgets(line, sizeof(line), file) != NULL) {
        (void)sscanf(line, "HugePages_Total: %lu", &total);
    }
    (void)fclose(file);
    if (total > 0) {
        print_message("skipped: this machine has hugepages\n");
        skip();
    }
    struct attempt attempt = attempt_of("net_ring0");
    attempt.environment.is_hugepages = true;
    refused(attempt, ERR_NO_MEMORY, "vm.nr_hugepages");
}

/* A capture file with one frame of each size. */
static void capture_write(const char *path, const uint32_t *sizes, uint32_t count)
{
    static const uint8_t zeros[LONG_FRAME_SIZE_BYTES];
    const uint32_t head[6] = {0xa1b2c3d4, 2 | 4 << 16, 0, 0, 65535, 1};
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(head, sizeof(head), 1, file), 1);
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t record[4] = {0, 0, sizes[i], sizes[i]};
        assert_int_equal(fwrite(record, sizeof(record), 1, file), 1);
        assert_int_equal(fwrite(zeros, sizes[i], 1, file), 1);
    }
    assert_int_equal(fclose(file), 0);
}

static void test_environment_pcap_port_drops_frames_larger_than_a_buffer(void **state)
{
    static const uint32_t sizes[] = {60, LONG_FRAME_SIZE_BYTES, 1514, LONG_FRAME_SIZE_BYTES, 60};
    char path[100];
    char vdev[300];
    (void)state;
    (void)snprintf(path, sizeof(path), "%s/in.pcap", folder);
    capture_write(path, sizes, 5);
    (void)snprintf(vdev, sizeof(vdev), "net_pcap0,rx_pcap=%s", path);
    struct attempt attempt = attempt_of(vdev);
    attempt.port.name = "net_pcap0";
    attempt.is_received = true;
    struct report report = run(attempt);
    attempt.port.queue_count = 2;
    refused(attempt, ERR_UNSUPPORTED, "set [lane] count lower");
    assert_int_equal(unlink(path), 0);
    assert_string_equal(report.reason, "");
    assert_int_equal(report.error, OK);
    assert_int_equal(report.frames_long, 2);
    assert_int_equal(report.frames_other_mac, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_environment_keeps_affinity_and_opens_a_port),
        cmocka_unit_test(test_environment_refuses_bad_virtual_ports),
        cmocka_unit_test(test_environment_refuses_bad_memif_sockets),
        cmocka_unit_test(test_environment_memif_client_opens_without_server),
        cmocka_unit_test(test_environment_refuses_what_the_machine_lacks),
        cmocka_unit_test(test_environment_refuses_hugepages_that_are_not_there),
        cmocka_unit_test(test_environment_pcap_port_drops_frames_larger_than_a_buffer),
    };
    return cmocka_run_group_tests(tests, folder_setup, folder_teardown);
}
