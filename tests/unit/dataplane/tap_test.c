/*
 * A node on net_tap, asked by the kernel: ping, UDP over IPv4 and IPv6 from ordinary sockets, so
 * that ARP, neighbour discovery, echo and every checksum meet an implementation that is not ours.
 * Runs in network and user namespaces of its own; skipped by name where the machine allows none or
 * has no /dev/net/tun.
 */
#include "base/span.h"
#include "dataplane/frame.h"
#include "dataplane/port.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/ipv6.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define INTERFACE     "pollux0"
#define LIFE_NS       UINT64_C(30000000000)
#define ASK_TRIES_MAX 100
#define ASK_WAIT_MS   200
#define CONNECT_NS    UINT64_C(5000000000)

static pid_t node;

static uint64_t clock_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static struct dp_port *node_open(void)
{
    char prefix[64];
    char reason[1024] = "";
    struct dp_frame_port *frames;
    struct dp_port *port;
    (void)snprintf(prefix, sizeof(prefix), "pollux_tap_test_%d", getpid());
    struct dp_environment_options environment = {.program = "tap_test",
                                                 .file_prefix = prefix,
                                                 .vdevs = {"net_tap0,iface=" INTERFACE},
                                                 .vdev_count = 1};
    struct dp_frame_port_options frame_options = {
        .name = "net_tap0", .queue_count = 1, .ring_size = 256, .pool_size = 1024};
    struct dp_port_options options = {.ipv4 =
                                          address_of_ipv4((const uint8_t[4]){10, 9, 0, 2}, 7000),
                                      .ipv6 = {.ip = {0xfd, 9, [15] = 2}, .port = 7000},
                                      .ipv4_prefix_bits = 24,
                                      .ipv6_prefix_bits = 64};
    enum error error = dp_start(&environment, reason, sizeof(reason));
    if (error == OK) {
        error = dp_frame_port_open(&frame_options, &frames, reason, sizeof(reason));
    }
    if (error == OK) {
        options.frames = frames;
        error = dp_port_open(&options, &port, reason, sizeof(reason));
    }
    if (error != OK) {
        (void)fprintf(stderr, "%s\n", reason);
        _exit(1);
    }
    return port;
}

/* Answers every datagram with its own bytes, until killed. */
static void node_run(int ready_fd)
{
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    struct dp_port *port = node_open();
    if (write(ready_fd, "r", 1) != 1) {
        _exit(1);
    }
    uint64_t end_ns = clock_ns() + LIFE_NS;
    for (uint64_t now_ns = 0; now_ns < end_ns; now_ns = clock_ns()) {
        struct dp_datagram got[RX_BURST_MAX];
        uint32_t count = dp_port_rx(port, now_ns, got, RX_BURST_MAX);
        for (uint32_t i = 0; i < count; i++) {
            uint8_t *room = dp_port_tx_reserve(port, 0, &got[i].from);
            if (room != NULL) {
                memcpy(room, got[i].data, got[i].size_bytes);
                dp_port_tx_commit(port, got[i].size_bytes);
            }
        }
        dp_port_tx_flush(port);
        dp_port_tick(port, now_ns);
        (void)sched_yield();
    }
    _exit(0);
}

/* The kernel's end of the tap: addresses, then up. */
static void interface_configure(void)
{
    struct ifreq request = {.ifr_name = INTERFACE};
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x0a090001)};
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    memcpy(&request.ifr_addr, &address, sizeof(address));
    assert_int_equal(ioctl(fd, SIOCSIFADDR, &request), 0);
    address.sin_addr.s_addr = htonl(0xffffff00);
    memcpy(&request.ifr_netmask, &address, sizeof(address));
    assert_int_equal(ioctl(fd, SIOCSIFNETMASK, &request), 0);
    request.ifr_flags = IFF_UP | IFF_RUNNING;
    assert_int_equal(ioctl(fd, SIOCSIFFLAGS, &request), 0);
    (void)close(fd);
    struct in6_ifreq request_ipv6 = {.ifr6_prefixlen = 64,
                                     .ifr6_ifindex = (int)if_nametoindex(INTERFACE)};
    assert_int_equal(inet_pton(AF_INET6, "fd09::1", &request_ipv6.ifr6_addr), 1);
    fd = socket(AF_INET6, SOCK_DGRAM, 0);
    assert_true(fd >= 0);
    assert_int_equal(ioctl(fd, SIOCSIFADDR, &request_ipv6), 0);
    (void)close(fd);
}

static bool file_write(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool is_written = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    if (fd >= 0) {
        (void)close(fd);
    }
    return is_written;
}

/* A network of our own; as an ordinary user through a user namespace of our own. */
static bool namespace_enter(void)
{
    char map[64];
    uid_t user = getuid();
    if (unshare(CLONE_NEWNET) == 0) {
        return true;
    }
    if (unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) {
        return false;
    }
    (void)snprintf(map, sizeof(map), "0 %u 1", user);
    return file_write("/proc/self/uid_map", map);
}

static int node_setup(void **state)
{
    int fds[2];
    char ready;
    (void)state;
    node = 0;
    if (access("/dev/net/tun", R_OK | W_OK) != 0 || !namespace_enter()) {
        print_message("skipped: no /dev/net/tun or no network namespace for this user\n");
        return 0;
    }
    if (pipe(fds) != 0) {
        return -1;
    }
    node = fork();
    if (node == 0) {
        node_run(fds[1]);
    }
    (void)close(fds[1]);
    if (read(fds[0], &ready, 1) != 1) {
        return -1;
    }
    (void)close(fds[0]);
    /* Without the test for duplicates the address can be used at once. */
    (void)file_write("/proc/sys/net/ipv6/conf/" INTERFACE "/accept_dad", "0");
    interface_configure();
    return 0;
}

static int node_teardown(void **state)
{
    (void)state;
    if (node != 0) {
        (void)kill(node, SIGKILL);
        (void)waitpid(node, NULL, 0);
    }
    return 0;
}

static void need_node(void)
{
    if (node == 0) {
        skip();
    }
}

/* Sends until something comes back; each try waits for its answer. */
static ssize_t ask(int fd, struct span question, uint8_t *answer, size_t room)
{
    struct timeval wait = {.tv_usec = ASK_WAIT_MS * 1000};
    assert_true(fd >= 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)), 0);
    for (uint32_t i = 0; i < ASK_TRIES_MAX; i++) {
        if (send(fd, question.data, question.size_bytes, 0) < 0) {
            continue;
        }
        ssize_t size = recv(fd, answer, room, 0);
        if (size > 0) {
            return size;
        }
    }
    return -1;
}

/* The kernel prepares a new address of IPv6 beside us: it has no source for a packet until then. */
static void connect_soon(int fd, const struct sockaddr *to, socklen_t size)
{
    uint64_t end_ns = clock_ns() + CONNECT_NS;
    while (connect(fd, to, size) != 0) {
        assert_true(errno == EADDRNOTAVAIL || errno == ENETUNREACH);
        assert_true(clock_ns() < end_ns);
        (void)sched_yield();
    }
}

static void udp_ask(int fd, size_t size_bytes)
{
    uint8_t question[PACKET_SIZE_BYTES_USUAL];
    uint8_t answer[PACKET_SIZE_BYTES_USUAL + 1];
    for (size_t i = 0; i < size_bytes; i++) {
        question[i] = (uint8_t)(i * 13);
    }
    ssize_t size = ask(fd, span_of(question, size_bytes), answer, sizeof(answer));
    assert_int_equal(size, size_bytes);
    assert_memory_equal(answer, question, size_bytes);
}

static void test_tap_answers_udp_over_ipv4(void **state)
{
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(7000), .sin_addr.s_addr = htonl(0x0a090002)};
    (void)state;
    need_node();
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&to, sizeof(to)), 0);
    udp_ask(fd, 1);
    udp_ask(fd, 100);
    udp_ask(fd, PACKET_SIZE_BYTES_USUAL);
    (void)close(fd);
}

static void test_tap_answers_udp_over_ipv6(void **state)
{
    struct sockaddr_in6 to = {.sin6_family = AF_INET6, .sin6_port = htons(7000)};
    (void)state;
    need_node();
    int fd = socket(AF_INET6, SOCK_DGRAM, 0);
    assert_int_equal(inet_pton(AF_INET6, "fd09::2", &to.sin6_addr), 1);
    connect_soon(fd, (const struct sockaddr *)&to, sizeof(to));
    udp_ask(fd, 1);
    udp_ask(fd, PACKET_SIZE_BYTES_USUAL);
    (void)close(fd);
}

static void test_tap_answers_ping(void **state)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x0a090002)};
    /* Echo request 1 of 0x1234 with "ping", its checksum by hand. */
    static const uint8_t question[12] = {8, 0, 0x06, 0xfa, 0x12, 0x34, 0, 1, 'p', 'i', 'n', 'g'};
    uint8_t answer[64];
    (void)state;
    need_node();
    int fd = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
    assert_int_equal(connect(fd, (const struct sockaddr *)&to, sizeof(to)), 0);
    ssize_t size = ask(fd, span_of(question, sizeof(question)), answer, sizeof(answer));
    (void)close(fd);
    assert_int_equal(size, 20 + sizeof(question));
    assert_int_equal(answer[20], ICMP_ECHOREPLY);
    assert_memory_equal(answer + 24, question + 4, 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tap_answers_udp_over_ipv4),
        cmocka_unit_test(test_tap_answers_udp_over_ipv6),
        cmocka_unit_test(test_tap_answers_ping),
    };
    return cmocka_run_group_tests(tests, node_setup, node_teardown);
}
