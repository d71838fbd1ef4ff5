/*
 * Two processes over net_memif: whoever starts first, whoever is killed, the other goes on and
 * finds the next one. The parent starts no EAL; server and client are its children. The server
 * answers each request with its process number, the client reports each answer through a pipe.
 *
 * POLLUX_MEMIF_KILLS sets how often each side is killed under load (3 when unset).
 */
#include "base/le.h"
#include "dataplane/frame.h"
#include "dataplane/port.h"

#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define WAIT_MS       20000
#define REPORTS_MAX   10000000
#define LIFE_NS       UINT64_C(60000000000)
#define SEND_INTERVAL 64 /* turns of the client between bursts */
#define KILLS_UNSET   3
#define LEAVERS       200

static char folder[] = "/tmp/pollux_memif_XXXXXX";
static char socket_path[64];
static int report_fds[2];

static const uint8_t server_ip[4] = {10, 1, 0, 1};
static const uint8_t client_ip[4] = {10, 1, 0, 2};

static uint64_t clock_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static struct dp_frame_port *child_frames;

static struct dp_port *child_open(const char *role, const uint8_t ip[4])
{
    char vdev[256];
    char prefix[64];
    char reason[1024] = "";
    struct dp_frame_port *frames;
    struct dp_port *port;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)snprintf(prefix, sizeof(prefix), "pollux_memif_test_%d", getpid());
    (void)snprintf(vdev, sizeof(vdev), "net_memif0,role=%s,id=0,socket=%s,socket-abstract=no", role,
                   socket_path);
    struct dp_environment_options environment = {
        .program = "memif_test", .file_prefix = prefix, .vdevs = {vdev}, .vdev_count = 1};
    struct dp_frame_port_options frame_options = {
        .name = "net_memif0", .queue_count = 1, .ring_size = 512, .pool_size = 2048};
    struct dp_port_options options = {.ipv4 = address_of_ipv4(ip, 7000), .ipv4_prefix_bits = 24};
    if (dp_start(&environment, reason, sizeof(reason)) != OK ||
        dp_frame_port_open(&frame_options, &frames, reason, sizeof(reason)) != OK) {
        (void)fprintf(stderr, "%s: %s\n", role, reason);
        _exit(1);
    }
    options.frames = frames;
    child_frames = frames;
    if (dp_port_open(&options, &port, reason, sizeof(reason)) != OK) {
        (void)fprintf(stderr, "%s: %s\n", role, reason);
        _exit(1);
    }
    return port;
}

static void server_turn(struct dp_port *port, uint64_t now_ns)
{
    struct dp_datagram got[RX_BURST_MAX];
    uint32_t count = dp_port_rx(port, now_ns, got, RX_BURST_MAX);
    for (uint32_t i = 0; i < count; i++) {
        uint8_t *room = dp_port_tx_reserve(port, 0, &got[i].from);
        if (room != NULL) {
            le32_store(room, (uint32_t)getpid());
            dp_port_tx_commit(port, 4);
        }
    }
    dp_port_tx_flush(port);
    dp_port_tick(port, now_ns);
    dp_frame_port_look(child_frames);
}

static void client_turn(struct dp_port *port, uint64_t now_ns, uint32_t turn)
{
    struct dp_datagram got[RX_BURST_MAX];
    struct address to = address_of_ipv4(server_ip, 7000);
    uint32_t count = dp_port_rx(port, now_ns, got, RX_BURST_MAX);
    if (count > 0 && write(report_fds[1], got[0].data, 4) != 4) {
        _exit(2);
    }
    for (uint32_t i = 0; turn % SEND_INTERVAL == 0 && i < 32; i++) {
        uint8_t *room = dp_port_tx_reserve(port, 0, &to);
        if (room == NULL) {
            break;
        }
        memset(room, 0, 1000);
        dp_port_tx_commit(port, 1000);
    }
    dp_port_tx_flush(port);
    dp_port_tick(port, now_ns);
    dp_frame_port_look(child_frames);
}

static pid_t server_fork(void)
{
    pid_t pid = fork();
    if (pid == 0) {
        struct dp_port *port = child_open("server", server_ip);
        uint64_t end_ns = clock_ns() + LIFE_NS;
        for (uint64_t now_ns = 0; now_ns < end_ns; now_ns = clock_ns()) {
            server_turn(port, now_ns);
            (void)sched_yield();
        }
        _exit(0);
    }
    return pid;
}

static pid_t client_fork(void)
{
    pid_t pid = fork();
    if (pid == 0) {
        uint32_t turn = 0;
        struct dp_port *port = child_open("client", client_ip);
        uint64_t end_ns = clock_ns() + LIFE_NS;
        for (uint64_t now_ns = 0; now_ns < end_ns; now_ns = clock_ns()) {
            client_turn(port, now_ns, turn++);
            (void)sched_yield();
        }
        _exit(0);
    }
    return pid;
}

static void child_kill(pid_t pid)
{
    int status;
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    /* A child that had already died of something else would show here. */
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

/* Reads reports until one names this server. */
static void answer_await(pid_t server)
{
    for (uint32_t i = 0; i < REPORTS_MAX; i++) {
        uint8_t bytes[4];
        struct pollfd poll_fd = {.fd = report_fds[0], .events = POLLIN};
        assert_int_equal(poll(&poll_fd, 1, WAIT_MS), 1);
        assert_int_equal(read(report_fds[0], bytes, sizeof(bytes)), 4);
        if (le32_load(bytes) == (uint32_t)server) {
            return;
        }
    }
    fail_msg("no answer of server %d", server);
}

/* Reads away the reports of a client that was killed. */
static void reports_drain(void)
{
    for (uint32_t i = 0; i < REPORTS_MAX; i++) {
        uint8_t bytes[4];
        struct pollfd poll_fd = {.fd = report_fds[0], .events = POLLIN};
        if (poll(&poll_fd, 1, 0) == 0) {
            return;
        }
        assert_int_equal(read(report_fds[0], bytes, sizeof(bytes)), 4);
    }
}

static int folder_setup(void **state)
{
    (void)state;
    if (mkdtemp(folder) == NULL || pipe(report_fds) != 0) {
        return -1;
    }
    (void)snprintf(socket_path, sizeof(socket_path), "%s/x.sock", folder);
    return 0;
}

static int folder_teardown(void **state)
{
    (void)state;
    (void)unlink(socket_path);
    return rmdir(folder);
}

static uint32_t kills(void)
{
    const char *text = getenv("POLLUX_MEMIF_KILLS");
    return text == NULL ? KILLS_UNSET : (uint32_t)strtoul(text, NULL, 10);
}

static void test_memif_client_finds_server_that_starts_later_and_again(void **state)
{
    (void)state;
    pid_t client = client_fork();
    pid_t server = server_fork();
    answer_await(server);
    for (uint32_t i = 0; i < kills(); i++) {
        child_kill(server);
        server = server_fork();
        answer_await(server);
    }
    child_kill(client);
    child_kill(server);
    reports_drain();
}

static void test_memif_server_survives_killed_clients(void **state)
{
    (void)state;
    pid_t server = server_fork();
    for (uint32_t i = 0; i < kills(); i++) {
        pid_t client = client_fork();
        answer_await(server);
        child_kill(client);
        reports_drain();
    }
    child_kill(server);
}

/* A connection to the server that ends before the server can have greeted it. */
static void connect_and_leave(void)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);
    assert_true(fd >= 0);
    memcpy(to.sun_path, socket_path, sizeof(socket_path));
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
    assert_int_equal(close(fd), 0);
}

static void test_memif_server_survives_clients_that_leave_at_once(void **state)
{
    (void)state;
    pid_t server = server_fork();
    pid_t client = client_fork();
    answer_await(server);
    for (uint32_t i = 0; i < LEAVERS; i++)
        connect_and_leave();
    child_kill(client);
    reports_drain();
    client = client_fork();
    answer_await(server);
    child_kill(client);
    child_kill(server);
    reports_drain();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memif_client_finds_server_that_starts_later_and_again),
        cmocka_unit_test(test_memif_server_survives_killed_clients),
        cmocka_unit_test(test_memif_server_survives_clients_that_leave_at_once),
    };
    return cmocka_run_group_tests(tests, folder_setup, folder_teardown);
}
