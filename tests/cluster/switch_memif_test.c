/*
 * The switch as a process, hosts behind its memif ports, a client on its UDP sockets: what the unit
 * tests show with arrays, shown with shared memory, ARP and real checksums.
 *
 * usage: switch_memif_test POLLUX_SWITCH MEMIF_ECHO
 */
#include "base/le.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#define HOSTS        2
#define TRIES_MAX    400
#define TRY_MS       50
#define WAIT_MS      10000
#define BASE_FIRST   21000
#define BASE_LAST    29000
#define PATH_BYTES   256
#define ANSWER_BYTES 16384

extern char **environ;

static const char *switch_path;
static const char *echo_path;
static char dir[] = "/tmp/pollux-switch-XXXXXX";
static char base_text[16];
static int base;
static pid_t switch_pid;
static pid_t echo_pids[HOSTS];
static int client = -1;
static char answer[ANSWER_BYTES];

/* Starts a program; with `ret_output`, its standard output comes from there. */
static pid_t start(const char *const *words, int *ret_output)
{
    pid_t pid = 0;
    int ends[2] = {-1, -1};
    posix_spawn_file_actions_t actions;
    assert_int_equal(posix_spawn_file_actions_init(&actions), 0);
    if (ret_output != NULL) {
        assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
        assert_int_equal(posix_spawn_file_actions_adddup2(&actions, ends[1], 1), 0);
        assert_int_equal(posix_spawn_file_actions_adddup2(&actions, ends[1], 2), 0);
    }
    assert_int_equal(
        posix_spawn(&pid, words[0], &actions, NULL, (char **)(uintptr_t)words, environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    if (ret_output != NULL) {
        close(ends[1]);
        *ret_output = ends[0];
    }
    return pid;
}

static int exit_status(pid_t pid)
{
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* Runs a program to its end; its text is in `answer`. */
static int run(const char *const *words)
{
    int output = -1;
    size_t used = 0;
    pid_t pid = start(words, &output);
    for (ssize_t got = 1; got > 0 && used < sizeof(answer) - 1;) {
        got = read(output, answer + used, sizeof(answer) - 1 - used);
        used += got > 0 ? (size_t)got : 0;
    }
    answer[used] = '\0';
    close(output);
    return exit_status(pid);
}

static int ctl(const char *command)
{
    const char *const words[] = {switch_path, "ctl", dir, command, NULL};
    return run(words);
}

/* True once the switch says that it is ready; false: it has ended. */
static bool switch_start(void)
{
    const char *const words[] = {switch_path, "--nodes=2", "--udp-base", base_text, dir, NULL};
    char letter = 0;
    int output = -1;
    snprintf(base_text, sizeof(base_text), "%d", base);
    switch_pid = start(words, &output);
    ssize_t got = read(output, &letter, 1);
    close(output);
    if (got == 1 && letter == 'r') {
        return true;
    }
    (void)exit_status(switch_pid);
    return false;
}

static void echo_start(int host)
{
    char socket[PATH_BYTES];
    char number[8];
    const char *const words[] = {echo_path, socket, number, "7400", NULL};
    snprintf(socket, sizeof(socket), "%s/node%d.sock", dir, host);
    snprintf(number, sizeof(number), "%d", host);
    echo_pids[host - 1] = start(words, NULL);
}

static void send_to(int host, uint32_t number, size_t size_bytes)
{
    uint8_t bytes[1500];
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)(base + host)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    memset(bytes, (int)number & 0xff, sizeof(bytes));
    le32_store(bytes, number);
    assert_int_equal(sendto(client, bytes, size_bytes, 0, (struct sockaddr *)&to, sizeof(to)),
                     size_bytes);
}

/* Receives one answer and checks every byte; -1: none within the time. */
static int64_t receive(size_t size_bytes, int wait_ms)
{
    uint8_t bytes[1500];
    struct pollfd ready = {.fd = client, .events = POLLIN};
    if (poll(&ready, 1, wait_ms) != 1) {
        return -1;
    }
    assert_int_equal(recv(client, bytes, sizeof(bytes), 0), size_bytes);
    for (size_t i = 4; i < size_bytes; i++) {
        assert_int_equal(bytes[i], bytes[0]);
    }
    return le32_load(bytes);
}

/* Asks until the host answers this very question. */
static void assert_answers(int host)
{
    static uint32_t number = 1000000;
    number++;
    for (int i = 0; i < TRIES_MAX; i++) {
        send_to(host, number, 100);
        for (int64_t got = 0; got >= 0;) {
            got = receive(100, TRY_MS);
            if (got == number) {
                return;
            }
        }
    }
    (void)ctl("stats");
    fail_msg("host %d does not answer:\n%s", host, answer);
}

static int setup(void **state)
{
    (void)state;
    if (mkdtemp(dir) == NULL) {
        return -1;
    }
    base = BASE_FIRST + (int)getpid() % 100 * 40;
    while (base < BASE_LAST && !switch_start()) {
        base += 40;
    }
    for (int host = 1; host <= HOSTS; host++) {
        echo_start(host);
    }
    return base < BASE_LAST ? 0 : -1;
}

static int teardown(void **state)
{
    char lock[PATH_BYTES];
    (void)state;
    for (int i = 0; i < HOSTS; i++) {
        (void)kill(echo_pids[i], SIGTERM);
        (void)exit_status(echo_pids[i]);
    }
    snprintf(lock, sizeof(lock), "%s/switch.lock", dir);
    (void)unlink(lock);
    return rmdir(dir);
}

/* A socket for each test: no answer to an earlier question can reach it. */
static int client_open(void **state)
{
    (void)state;
    if (client >= 0) {
        close(client);
    }
    client = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    return client >= 0 ? 0 : -1;
}

static void test_switch_reaches_each_host_by_udp(void **state)
{
    (void)state;
    assert_answers(1);
    assert_answers(2);
}

static void test_switch_carries_every_size(void **state)
{
    (void)state;
    uint32_t lost = 0;
    for (uint32_t size = 4; size <= 1452; size++) {
        send_to(1 + (int)size % HOSTS, size, size);
        lost += receive(size, WAIT_MS) != size;
    }
    assert_int_equal(lost, 0);
}

static void test_switch_loses_all_then_heals(void **state)
{
    (void)state;
    assert_int_equal(ctl("loss * * 100"), 0);
    send_to(1, 1, 100);
    assert_int_equal(receive(100, TRY_MS), -1);
    assert_int_equal(ctl("stats"), 0);
    assert_non_null(strstr(answer, "drop_loss 1"));
    assert_int_equal(ctl("heal"), 0);
    assert_answers(1);
}

static void test_switch_cuts_one_host_only(void **state)
{
    (void)state;
    assert_int_equal(ctl("isolate 1"), 0);
    assert_answers(2);
    send_to(1, 1, 100);
    assert_int_equal(receive(100, TRY_MS), -1);
    assert_int_equal(ctl("heal"), 0);
    assert_answers(1);
}

static void test_switch_drops_what_it_corrupted(void **state)
{
    (void)state;
    assert_int_equal(ctl("corrupt 1 0 100"), 0);
    send_to(1, 1, 100);
    assert_int_equal(receive(100, TRY_MS), -1);
    assert_int_equal(ctl("heal"), 0);
    assert_answers(1);
}

static void test_switch_duplicates(void **state)
{
    (void)state;
    assert_int_equal(ctl("duplicate 0 1 100"), 0);
    send_to(1, 7, 100);
    assert_int_equal(receive(100, WAIT_MS), 7);
    assert_int_equal(receive(100, WAIT_MS), 7);
    assert_int_equal(ctl("heal"), 0);
}

static void test_switch_delays(void **state)
{
    (void)state;
    assert_int_equal(ctl("delay 0 1 120"), 0);
    send_to(1, 8, 100);
    assert_int_equal(receive(100, TRY_MS), -1);
    assert_int_equal(receive(100, WAIT_MS), 8);
    assert_int_equal(ctl("heal"), 0);
}

static void test_switch_finds_a_host_that_was_killed(void **state)
{
    (void)state;
    assert_int_equal(kill(echo_pids[0], SIGKILL), 0);
    assert_int_equal(exit_status(echo_pids[0]), 128 + SIGKILL);
    echo_start(1);
    assert_answers(1);
}

static void test_switch_captures(void **state)
{
    (void)state;
    char path[PATH_BYTES];
    uint8_t magic[4];
    snprintf(path, sizeof(path), "%s/a.pcap", dir);
    assert_int_equal(ctl("pcap a.pcap"), 0);
    assert_answers(1);
    assert_int_equal(ctl("pcap off"), 0);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_int_equal(read(fd, magic, sizeof(magic)), sizeof(magic));
    assert_int_equal(le32_load(magic), 0xa1b23c4d);
    assert_true(lseek(fd, 0, SEEK_END) >= 24 + 2 * (16 + 42 + 100));
    close(fd);
    assert_int_equal(unlink(path), 0);
}

static void test_switch_refuses_by_exit_status(void **state)
{
    (void)state;
    const char *const second[] = {switch_path, "--udp-base=0", dir, NULL};
    const char *const option[] = {switch_path, "--nodes=10", dir, NULL};
    const char *const nobody[] = {switch_path, "ctl", "/tmp/pollux-none", "stats", NULL};
    assert_int_equal(run(second), 1);
    assert_non_null(strstr(answer, "another switch runs in"));
    assert_int_equal(run(option), 2);
    assert_non_null(strstr(answer, "--nodes: '10'"));
    assert_int_equal(run(nobody), 3);
    assert_int_equal(ctl("loss 1 2 200"), 1);
    assert_non_null(strstr(answer, "error: loss: PERCENT '200'"));
    assert_answers(1);
}

static void test_switch_stops_and_leaves_nothing(void **state)
{
    (void)state;
    char socket[PATH_BYTES];
    assert_int_equal(kill(switch_pid, SIGTERM), 0);
    assert_int_equal(exit_status(switch_pid), 0);
    for (int host = 1; host <= HOSTS; host++) {
        snprintf(socket, sizeof(socket), "%s/node%d.sock", dir, host);
        assert_int_not_equal(access(socket, F_OK), 0);
    }
    assert_int_equal(ctl("stats"), 3);
}

#define CASE(name) cmocka_unit_test_setup(name, client_open)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        CASE(test_switch_reaches_each_host_by_udp),
        CASE(test_switch_carries_every_size),
        CASE(test_switch_loses_all_then_heals),
        CASE(test_switch_cuts_one_host_only),
        CASE(test_switch_drops_what_it_corrupted),
        CASE(test_switch_duplicates),
        CASE(test_switch_delays),
        CASE(test_switch_finds_a_host_that_was_killed),
        CASE(test_switch_captures),
        CASE(test_switch_refuses_by_exit_status),
        CASE(test_switch_stops_and_leaves_nothing),
    };
    if (argc != 3) {
        fprintf(stderr, "usage: switch_memif_test POLLUX_SWITCH MEMIF_ECHO\n");
        return 2;
    }
    switch_path = argv[1];
    echo_path = argv[2];
    return cmocka_run_group_tests(tests, setup, teardown);
}
