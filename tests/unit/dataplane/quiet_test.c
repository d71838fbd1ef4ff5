/*
 * What a lane's thread does beside its work, on each kind of port that this machine has: it does
 * not sleep, fault pages in or call the kernel while it polls, answers and sends. A child process
 * for each kind, as EAL starts once; the thread that polls is under a filter that traps system
 * calls.
 * Ports of the kernel (tap, af_packet) call the kernel for each burst: there only sleep and faults
 * are counted.
 */
#include "dataplane/frame.h"
#include "dataplane/port.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define TURNS     200000u
#define TURN_NS   50000u
#define POOL_SIZE 1024

/*
 * What is touched for the first time is a page fault, so nothing is counted before. In its first
 * turn a thread registers with EAL. The slots of net_ring begin on a page that is in use, and each
 * page of them has 512, of which a turn takes one. Memif has 1024 buffers for each way, one for
 * each packet, and shows nobody a packet before both ends have met. A tap runs new code when the
 * kernel sends something for the first time, which may be at any moment.
 */
#define FIRST_TURNS   512u
#define FIRST_PACKETS 1024u

struct quiet {
    const char *vdevs[2]; /* the lane's, and the other end's or NULL */
    bool is_of_kernel;
    bool may_fault;
    uint32_t first_packets; /* received by each end before anything is counted */
};

struct report {
    atomic_bool is_done;
    bool has_port;
    bool is_counted;
    char reason[512];
    int filter_errno;
    long switches;
    long faults_minor;
    long faults_major;
    uint64_t rx_packets;
    uint64_t tx_packets;
    atomic_uint calls;
    atomic_int call; /* number of the first */
};

static struct report *report;

static void on_call(int signal_number, siginfo_t *info, void *context)
{
    (void)signal_number;
    (void)context;
    if (atomic_fetch_add(&report->calls, 1) == 0) {
        atomic_store(&report->call, info->si_syscall);
    }
}

/* Of this thread alone. Returning from the handler is a call, too. */
static int filter_enter(void)
{
    static struct sock_filter rules[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 15, 0, 1), /* rt_sigreturn */
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 98, 0, 1), /* getrusage: the test's own */
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
    };
    static const struct sock_fprog program = {.len = sizeof(rules) / sizeof(rules[0]),
                                              .filter = rules};
    struct sigaction action = {.sa_sigaction = on_call, .sa_flags = SA_SIGINFO};
    (void)sigaction(SIGSYS, &action, NULL);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) {
        return errno;
    }
    return 0;
}

static const uint8_t lane_ip[4] = {10, 0, 0, 1};
static const uint8_t peer_ip[4] = {10, 0, 0, 2};

static struct dp_port *lane_open(struct dp_frame_port *frames, const uint8_t ip[4], bool is_alone)
{
    struct dp_port *port = NULL;
    /* A port alone sends to somebody who is not there. */
    struct dp_neighbour peer = {.ip = {[10] = 0xff, 0xff, 10, 0, 0, 2}, .mac = {2, 9}};
    struct dp_port_options options = {.frames = frames,
                                      .ipv4 = address_of_ipv4(ip, 7000),
                                      .ipv4_prefix_bits = 24,
                                      .neighbours = &peer,
                                      .neighbour_count = is_alone ? 1 : 0};
    enum error error = dp_port_open(&options, &port, report->reason, sizeof(report->reason));
    return error == OK ? port : NULL;
}

/* One turn of a lane: takes what came, answers all of it, and says something of its own. */
static void lane_turn(struct dp_port *port, uint64_t now_ns, const uint8_t *to_ip)
{
    struct dp_datagram got[RX_BURST_MAX];
    struct address to = address_of_ipv4(to_ip, 7000);
    (void)dp_port_rx(port, now_ns, got, RX_BURST_MAX);
    (void)dp_port_rx(port, now_ns, got, RX_BURST_MAX); /* and once more, where nothing is left */
    uint8_t *room = dp_port_tx_reserve(port, 0, &to);
    if (room != NULL) {
        memset(room, 7, 1000);
        dp_port_tx_commit(port, 1000);
    }
    dp_port_tx_flush(port);
    dp_port_tick(port, now_ns);
}

struct lane {
    struct dp_port *ports[2];
    const struct quiet *quiet;
};

static bool is_warm(const struct lane *lane, uint32_t turn)
{
    bool is_warm = turn >= FIRST_TURNS;
    for (uint32_t i = 0; i < 2 && lane->ports[i] != NULL; i++) {
        is_warm &= dp_port_counters(lane->ports[i])->rx_packets >= lane->quiet->first_packets;
    }
    return is_warm;
}

static void *lane_run(void *context)
{
    const struct lane *lane = context;
    struct rusage before = {0};
    struct rusage after;
    uint64_t now_ns = 1;
    /* Two threads of one process would have two turns; here both ends take turns in one. */
    for (uint32_t turn = 0; turn < TURNS; turn++, now_ns += TURN_NS) {
        if (!report->is_counted && is_warm(lane, turn)) {
            report->is_counted = true;
            report->filter_errno = lane->quiet->is_of_kernel ? 0 : filter_enter();
            (void)getrusage(RUSAGE_THREAD, &before);
        }
        lane_turn(lane->ports[0], now_ns, peer_ip);
        if (lane->ports[1] != NULL) {
            lane_turn(lane->ports[1], now_ns, lane_ip);
        }
    }
    (void)getrusage(RUSAGE_THREAD, &after);
    report->switches = after.ru_nvcsw - before.ru_nvcsw;
    report->faults_minor = after.ru_minflt - before.ru_minflt;
    report->faults_major = after.ru_majflt - before.ru_majflt;
    report->rx_packets = dp_port_counters(lane->ports[0])->rx_packets;
    report->tx_packets = dp_port_counters(lane->ports[0])->tx_packets;
    atomic_store(&report->is_done, true);
    for (;;) { /* the filter lets nobody leave: the process ends */
        atomic_signal_fence(memory_order_seq_cst);
    }
    return NULL;
}

static bool ports_open(const struct quiet *quiet, struct dp_frame_port *frames[2],
                       struct lane *ret_lane)
{
    char prefix[64];
    (void)snprintf(prefix, sizeof(prefix), "pollux_quiet_%d", getpid());
    struct dp_environment_options environment = {.program = "quiet_test",
                                                 .file_prefix = prefix,
                                                 .vdevs = {quiet->vdevs[0], quiet->vdevs[1]},
                                                 .vdev_count = quiet->vdevs[1] == NULL ? 1 : 2};
    if (dp_start(&environment, report->reason, sizeof(report->reason)) != OK) {
        return false;
    }
    for (uint32_t i = 0; i < environment.vdev_count; i++) {
        char name[64];
        (void)snprintf(name, sizeof(name), "%.*s", (int)strcspn(quiet->vdevs[i], ","),
                       quiet->vdevs[i]);
        struct dp_frame_port_options options = {
            .name = name, .queue_count = 1, .ring_size = 256, .pool_size = POOL_SIZE};
        if (dp_frame_port_open(&options, &frames[i], report->reason, sizeof(report->reason)) !=
            OK) {
            return false;
        }
        ret_lane->ports[i] =
            lane_open(frames[i], i == 0 ? lane_ip : peer_ip, quiet->vdevs[1] == NULL);
    }
    ret_lane->quiet = quiet;
    return ret_lane->ports[0] != NULL;
}

/* Its main thread looks at the links, as that of a node does. */
static void child_run(const struct quiet *quiet)
{
    struct dp_frame_port *frames[2] = {NULL, NULL};
    struct lane lane = {.quiet = NULL};
    pthread_t thread;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (!ports_open(quiet, frames, &lane)) {
        _exit(0);
    }
    report->has_port = true;
    if (pthread_create(&thread, NULL, lane_run, &lane) != 0) {
        _exit(1);
    }
    while (!atomic_load(&report->is_done)) {
        for (uint32_t i = 0; i < 2; i++) {
            if (frames[i] != NULL) {
                dp_frame_port_look(frames[i]);
            }
        }
    }
    _exit(0);
}

/* False: this machine, or this user, has no such port. */
static bool run(const struct quiet *quiet)
{
    int status = 0;
    report = mmap(NULL, sizeof(*report), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(report != MAP_FAILED);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        child_run(quiet);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    if (!report->has_port) {
        print_message("skipped: %s\n", report->reason);
        return false;
    }
    print_message("%s: switches %ld, faults %ld minor %ld major, system calls %u (first %d); "
                  "packets %lu in %lu out\n",
                  quiet->vdevs[0], report->switches, report->faults_minor, report->faults_major,
                  atomic_load(&report->calls), atomic_load(&report->call),
                  (unsigned long)report->rx_packets, (unsigned long)report->tx_packets);
    return true;
}

static void has_rested(const struct quiet *quiet)
{
    assert_true(report->is_counted);
    assert_int_equal(report->switches, 0);
    assert_int_equal(report->faults_major, 0);
    if (!quiet->may_fault) {
        assert_int_equal(report->faults_minor, 0);
    }
}

static void is_quiet(const struct quiet *quiet)
{
    assert_true(run(quiet));
    has_rested(quiet);
    assert_int_equal(report->filter_errno, 0);
    assert_int_equal(atomic_load(&report->calls), 0);
    assert_true(report->tx_packets > 0);
    assert_true(report->rx_packets > 0);
}

static void test_quiet_ring(void **state)
{
    static const struct quiet quiet = {.vdevs = {"net_ring0"}};
    (void)state;
    is_quiet(&quiet);
}

static void test_quiet_memif(void **state)
{
    char folder[] = "/tmp/pollux_quiet_XXXXXX";
    char server[128];
    char client[128];
    char socket[64];
    (void)state;
    assert_non_null(mkdtemp(folder));
    (void)snprintf(socket, sizeof(socket), "%s/socket", folder);
    (void)snprintf(server, sizeof(server),
                   "net_memif0,role=server,id=0,socket=%s,socket-abstract=no", socket);
    (void)snprintf(client, sizeof(client),
                   "net_memif1,role=client,id=0,socket=%s,socket-abstract=no", socket);
    struct quiet quiet = {.vdevs = {server, client}, .first_packets = FIRST_PACKETS};
    is_quiet(&quiet);
    (void)unlink(socket);
    assert_int_equal(rmdir(folder), 0);
}

/* The kernel is called for each burst, and does not put the thread to sleep. */
static void test_quiet_ports_of_the_kernel_do_not_sleep(void **state)
{
    static const struct quiet ports[] = {
        {.vdevs = {"net_af_packet0,iface=lo"}, .is_of_kernel = true},
        {.vdevs = {"net_tap0,iface=pollux_quiet"}, .is_of_kernel = true, .may_fault = true},
    };
    uint32_t seen = 0;
    (void)state;
    for (size_t i = 0; i < sizeof(ports) / sizeof(ports[0]); i++) {
        if (run(&ports[i])) {
            has_rested(&ports[i]);
            seen++;
        }
    }
    if (seen == 0) {
        skip();
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quiet_ring),
        cmocka_unit_test(test_quiet_memif),
        cmocka_unit_test(test_quiet_ports_of_the_kernel_do_not_sleep),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
