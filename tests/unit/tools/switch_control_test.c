/* Commands executed on a switch whose ports are arrays, and asked over its socket. */
#include "tests/unit/tools/frame_fake.h"
#include "tools/switch/control.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>
#include <cmocka.h>

#define NODES 3
#define TAG   256

static struct dp_frame_port ports[1 + NODES];
static struct fabric *fabric;
static struct control *control;
static int epoll_fd;
static char dir[] = "/tmp/pollux-control-XXXXXX";
static char path[64];
static char answer[CONTROL_ANSWER_BYTES_MAX];

static int setup(void **state)
{
    (void)state;
    char reason[128];
    struct fabric_options options = {
        .node_count = NODES, .queue_count = 1, .seed = 5, .mtu_bytes = MTU_USUAL};
    for (uint32_t i = 1; i <= NODES; i++) {
        fake_port_init(&ports[i]);
        options.ports[i] = &ports[i];
    }
    memset(dir + strlen(dir) - 6, 'X', 6);
    if (mkdtemp(dir) == NULL || fabric_open(&options, &fabric, reason, sizeof(reason)) != OK) {
        return -1;
    }
    snprintf(path, sizeof(path), "%s/control.sock", dir);
    epoll_fd = epoll_create1(0);
    struct control_options control_options = {.socket_path = path,
                                              .run_dir = dir,
                                              .fabric = fabric,
                                              .epoll_fd = epoll_fd,
                                              .epoll_tag = TAG};
    return control_open(&control_options, &control, reason, sizeof(reason)) == OK ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    control_close(control);
    fabric_close(fabric);
    close(epoll_fd);
    return rmdir(dir);
}

static const char *execute(const char *line)
{
    control_execute(control, line, answer, sizeof(answer));
    return answer;
}

static bool is_cut(uint32_t from, uint32_t to)
{
    return fabric_faults(fabric)->links[from][to].is_cut;
}

static void test_control_sets_and_heals_faults(void **state)
{
    (void)state;
    const struct fault_link *link = &fabric_faults(fabric)->links[1][2];
    assert_string_equal(execute("cut 1 2"), "ok\n");
    assert_true(is_cut(1, 2));
    assert_false(is_cut(2, 1));
    assert_string_equal(execute("loss 1 2 50"), "ok\n");
    assert_int_equal(link->loss_ppm, 500000);
    assert_string_equal(execute("duplicate 1 2 1"), "ok\n");
    assert_int_equal(link->duplicate_ppm, 10000);
    assert_string_equal(execute("corrupt 1 2 1"), "ok\n");
    assert_int_equal(link->corrupt_ppm, 10000);
    assert_string_equal(execute("reorder 1 2 1 4"), "ok\n");
    assert_int_equal(link->reorder_ns, 4000000);
    assert_string_equal(execute("delay 1 2 3 1"), "ok\n");
    assert_int_equal(link->jitter_ns, 1000000);
    assert_non_null(strstr(execute("faults"), "link 1 2 cut 1 loss_ppm 500000"));
    assert_string_equal(execute("heal"), "ok\n");
    assert_string_equal(execute("faults"), "ok\n");
}

static void test_control_partitions_and_isolates(void **state)
{
    (void)state;
    assert_string_equal(execute("partition 1,2 3"), "ok\n");
    assert_true(is_cut(1, 3) && is_cut(3, 2));
    assert_false(is_cut(1, 2) || is_cut(0, 3));
    assert_string_equal(execute("heal"), "ok\n");
    assert_string_equal(execute("isolate 2"), "ok\n");
    assert_true(is_cut(2, 0) && is_cut(0, 2) && is_cut(1, 2) && is_cut(2, 3));
    assert_false(is_cut(1, 3));
}

static void test_control_pauses(void **state)
{
    (void)state;
    assert_string_equal(execute("pause 1,2"), "ok\n");
    assert_string_equal(execute("resume 2"), "ok\n");
    assert_int_equal(fabric_faults(fabric)->paused_mask, 1U << 1);
    assert_string_equal(execute("heal"), "ok\n");
    assert_int_equal(fabric_faults(fabric)->paused_mask, 0);
}

static void test_control_reports(void **state)
{
    (void)state;
    assert_non_null(strstr(execute("stats"), "ok\nport 0 uplink down rx 0 "));
    assert_non_null(strstr(answer, "port 3 node "));
    assert_non_null(strstr(execute("help"), "partition GROUP GROUP...\n"));
    assert_string_equal(execute("loss 1 9 5"),
                        "error: loss: TO '9' is not a port, a list of ports or *\n");
}

static void test_control_captures_into_the_run_directory(void **state)
{
    (void)state;
    char file[96];
    snprintf(file, sizeof(file), "%s/a.pcap", dir);
    assert_non_null(strstr(execute("pcap a.pcap"), file));
    assert_int_equal(access(file, F_OK), 0);
    assert_string_equal(execute("pcap off"), "ok\n");
    assert_int_equal(unlink(file), 0);
    assert_non_null(strstr(execute("pcap /nonexistent/a"), "error: pcap: cannot open FILE "));
}

/* The switch's side of one question: the connection, the line, the end of the connection. */
static void *serve(void *argument)
{
    struct epoll_event event;
    for (int i = 0; i < 3 && epoll_wait(epoll_fd, &event, 1, 5000) == 1; i++) {
        control_ready(control, event.data.u32);
    }
    return argument;
}

static void test_control_is_asked_over_its_socket(void **state)
{
    (void)state;
    static char text[1024];
    pthread_t server;
    for (int i = 0; i < 2 * CONTROL_CLIENTS_MAX; i++) {
        assert_int_equal(pthread_create(&server, NULL, serve, NULL), 0);
        assert_int_equal(control_ask(path, "cut 1 2", text, sizeof(text)), OK);
        assert_int_equal(pthread_join(server, NULL), 0);
        assert_string_equal(text, "ok\n");
    }
    assert_true(is_cut(1, 2));
}

static void test_control_tells_that_no_switch_runs(void **state)
{
    (void)state;
    char text[16];
    assert_int_equal(control_ask("/tmp/pollux-none/control.sock", "stats", text, sizeof(text)),
                     ERR_NOT_FOUND);
    struct control *second = NULL;
    char reason[128];
    struct control_options options = {
        .socket_path = "/nonexistent/control.sock", .fabric = fabric, .epoll_fd = epoll_fd};
    assert_int_equal(control_open(&options, &second, reason, sizeof(reason)), ERR_IO);
    assert_non_null(strstr(reason, "/nonexistent/control.sock"));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_control_sets_and_heals_faults),
        CASE(test_control_partitions_and_isolates),
        CASE(test_control_pauses),
        CASE(test_control_reports),
        CASE(test_control_captures_into_the_run_directory),
        CASE(test_control_is_asked_over_its_socket),
        CASE(test_control_tells_that_no_switch_runs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
