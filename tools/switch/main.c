/*
 * pollux-switch: one polling thread that moves frames between memif ports and UDP sockets, and its
 * control client. Opens everything, says "ready", polls until SIGTERM or SIGINT, closes everything.
 */
#include "dataplane/frame.h"
#include "server/idle.h"
#include "tools/console/console.h"
#include "tools/switch/command.h"
#include "tools/switch/control.h"
#include "tools/switch/fabric.h"
#include "tools/switch/options.h"
#include "tools/switch/run_dir.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define EXIT_USAGE         2
#define EXIT_NO_SWITCH     3
#define EXIT_UNWRITTEN     4
#define REASON_BYTES       512
#define VDEV_BYTES         192
#define EVENTS_MAX         32
#define CONTROL_TAG        1024 /* uplink sockets have the tags below */
#define NS_PER_SECOND      1000000000ULL
#define PORT_RING_SIZE     1024
#define FRAME_BYTES_MIN    2048 /* of memory, and what DPDK has beside them: */
#define FRAME_BYTES_BESIDE 384
#define FRAME_BYTES_UNIT   1024 /* as dataplane/frame_card.c counts room */

static_assert(UPLINK_SOCKETS_MAX <= CONTROL_TAG, "tags of the poller must not overlap");
static_assert(NODES_MAX + SWITCH_CLIENT_PORTS_MAX <= DP_VDEVS_MAX, "each port is a vdev");

struct program {
    struct switch_options options;
    struct run_dir dir;
    char vdevs[DP_VDEVS_MAX][VDEV_BYTES];
    struct dp_frame_port *ports[SWITCH_PORTS_MAX];
    uint32_t port_count; /* memif ports; they begin at ports[1] */
    struct fabric *fabric;
    struct control *control;
    int epoll_fd;
    char reason[REASON_BYTES];
};

static volatile sig_atomic_t is_stopping;

static void on_signal(int number)
{
    (void)number;
    is_stopping = 1;
}

static uint64_t switch_clock_ns(clockid_t id)
{
    struct timespec time;
    clock_gettime(id, &time);
    return (uint64_t)time.tv_sec * NS_PER_SECOND + (uint64_t)time.tv_nsec;
}

static uint64_t frame_bytes(uint16_t mtu_bytes)
{
    uint64_t room = (mtu_bytes + 64u + FRAME_BYTES_UNIT - 1) / FRAME_BYTES_UNIT * FRAME_BYTES_UNIT;
    return FRAME_BYTES_BESIDE + (room < FRAME_BYTES_MIN ? FRAME_BYTES_MIN : room);
}

/* EAL with one memif server for each port. */
static enum error environment_start(struct program *program, char *name)
{
    char prefix[64];
    const struct switch_options *options = &program->options;
    struct dp_environment_options environment = {.program = name,
                                                 .file_prefix = prefix,
                                                 .memory_mib = options->memory_mib,
                                                 .is_hugepages = options->is_hugepages};
    snprintf(prefix, sizeof(prefix), "pollux-switch-%d", (int)getpid());
    program->port_count = options->node_count + options->client_count;
    for (uint32_t i = 0; i < program->port_count; i++) {
        char path[RUN_PATH_BYTES_MAX];
        bool is_node = i < options->node_count;
        uint32_t number = is_node ? i + 1 : i + 1 - options->node_count;
        run_dir_socket(program->dir.path, is_node ? "node" : "client", number, path);
        snprintf(program->vdevs[i], VDEV_BYTES,
                 "net_memif%u,role=server,id=0,socket=%s,socket-abstract=no", i, path);
        environment.vdevs[environment.vdev_count++] = program->vdevs[i];
    }
    if (environment.memory_mib == 0) {
        uint64_t queues = options->node_count * options->queue_count + options->client_count;
        uint64_t pools = queues * options->pool_size * frame_bytes(options->mtu_bytes);
        /* A quarter more: a pool lies in one piece, and pieces do not fit without gaps. */
        environment.memory_mib = (uint32_t)(64 + pools * 5 / 4 / (1024 * 1024));
    }
    return dp_start(&environment, program->reason, sizeof(program->reason));
}

static enum error ports_open(struct program *program)
{
    for (uint32_t i = 0; i < program->port_count; i++) {
        char name[32];
        bool is_node = i < program->options.node_count;
        uint32_t queue_count = is_node ? program->options.queue_count : 1;
        snprintf(name, sizeof(name), "net_memif%u", i);
        struct dp_frame_port_options options = {.name = name,
                                                .queue_count = queue_count,
                                                .ring_size = PORT_RING_SIZE,
                                                .mtu_bytes = program->options.mtu_bytes,
                                                .pool_size = program->options.pool_size};
        enum error error = dp_frame_port_open(&options, &program->ports[1 + i], program->reason,
                                              sizeof(program->reason));
        if (error != OK) {
            return error;
        }
    }
    return OK;
}

static enum error fabric_start(struct program *program)
{
    struct fabric_options options = {.node_count = program->options.node_count,
                                     .client_count = program->options.client_count,
                                     .shard_count = program->options.shard_count,
                                     .queue_count = program->options.queue_count,
                                     .is_sprayed = program->options.is_sprayed,
                                     .udp_base = program->options.udp_base,
                                     .node_port = program->options.node_port,
                                     .mtu_bytes = program->options.mtu_bytes,
                                     .seed = program->options.seed};
    memcpy(options.ports, program->ports, sizeof(options.ports));
    enum error error =
        fabric_open(&options, &program->fabric, program->reason, sizeof(program->reason));
    struct uplink *uplink = error == OK ? fabric_uplink(program->fabric) : NULL;
    uint32_t count = uplink == NULL ? 0 : uplink_socket_count(uplink);
    for (uint32_t i = 0; i < count; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.u32 = i};
        if (epoll_ctl(program->epoll_fd, EPOLL_CTL_ADD, uplink_socket_fd(uplink, i), &event) != 0) {
            snprintf(program->reason, sizeof(program->reason), "epoll: %s", strerror(errno));
            return ERR_IO;
        }
    }
    return error;
}

static enum error control_start(struct program *program)
{
    char path[RUN_PATH_BYTES_MAX];
    run_dir_socket(program->dir.path, "control", 0, path);
    struct control_options options = {.socket_path = path,
                                      .run_dir = program->dir.path,
                                      .fabric = program->fabric,
                                      .epoch_ns = switch_clock_ns(CLOCK_REALTIME) -
                                                  switch_clock_ns(CLOCK_MONOTONIC),
                                      .epoll_fd = program->epoll_fd,
                                      .epoll_tag = CONTROL_TAG};
    return control_open(&options, &program->control, program->reason, sizeof(program->reason));
}

/* Waits at most `wait_ns` for a socket, 0: just looks, and tells whom it concerns. */
static void sockets_poll(struct program *program, uint64_t wait_ns)
{
    struct epoll_event events[EVENTS_MAX];
    struct timespec timeout = {.tv_sec = (time_t)(wait_ns / NS_PER_SECOND),
                               .tv_nsec = (long)(wait_ns % NS_PER_SECOND)};
    int count = epoll_pwait2(program->epoll_fd, events, EVENTS_MAX, &timeout, NULL);
    for (int i = 0; i < count; i++) {
        uint32_t tag = events[i].data.u32;
        if (tag >= CONTROL_TAG) {
            control_ready(program->control, tag);
        } else {
            fabric_socket_ready(program->fabric, tag);
        }
    }
}

static void poll_until_stopped(struct program *program)
{
    struct idle idle = {.options = program->options.idle};
    uint64_t wait_ns = 0;
    while (!is_stopping) {
        /* A paused uplink leaves its sockets readable, so the poller would not sleep on them. */
        if (wait_ns > 0 && (fabric_faults(program->fabric)->paused_mask & 1) != 0) {
            idle_sleep(wait_ns);
            wait_ns = 0;
        }
        sockets_poll(program, wait_ns);
        uint64_t now_ns = switch_clock_ns(CLOCK_MONOTONIC);
        wait_ns = 0;
        if (fabric_turn(program->fabric, now_ns)) {
            idle_reset(&idle);
        } else {
            wait_ns = idle_wait(&idle, now_ns, fabric_deadline_ns(program->fabric));
        }
    }
}

static enum error program_open(struct program *program, char *name)
{
    enum error error = run_dir_open(&program->dir, program->options.run_dir, program->reason,
                                    sizeof(program->reason));
    if (error != OK) {
        return error;
    }
    program->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (program->epoll_fd < 0) {
        snprintf(program->reason, sizeof(program->reason), "epoll: %s", strerror(errno));
        return ERR_IO;
    }
    error = environment_start(program, name);
    error = error == OK ? ports_open(program) : error;
    error = error == OK ? fabric_start(program) : error;
    return error == OK ? control_start(program) : error;
}

static void program_close(struct program *program)
{
    if (program->control != NULL) {
        control_close(program->control);
    }
    if (program->fabric != NULL) {
        fabric_close(program->fabric);
    }
    for (uint32_t i = 1; i < SWITCH_PORTS_MAX; i++) {
        if (program->ports[i] != NULL) {
            dp_frame_port_close(program->ports[i]);
        }
    }
    dp_stop();
    if (program->epoll_fd >= 0) {
        close(program->epoll_fd);
    }
    if (program->dir.lock_fd >= 0) {
        run_dir_close(&program->dir);
    }
}

static int serve(struct program *program, char *name)
{
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    program->epoll_fd = -1;
    program->dir.lock_fd = -1;
    enum error error = program_open(program, name);
    if (error == OK) {
        printf("ready: %u nodes, %u client ports, run directory %s\n", program->options.node_count,
               program->options.client_count, program->dir.path);
        fflush(stdout);
        idle_thread_begin();
        poll_until_stopped(program);
    } else {
        fprintf(stderr, "pollux-switch: error: %s\n", program->reason);
    }
    program_close(program);
    return error == OK ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* pollux-switch ctl RUN_DIR WORD... */
static int ask(int argc, char **argv)
{
    char line[COMMAND_LINE_BYTES_MAX] = "";
    char path[RUN_PATH_BYTES_MAX];
    static char answer[CONTROL_ANSWER_BYTES_MAX];
    size_t used = 0;
    if (argc < 4) {
        fprintf(stderr, "pollux-switch: error: ctl needs RUN_DIR and COMMAND; try --help\n");
        return EXIT_USAGE;
    }
    for (int i = 3; i < argc && used < sizeof(line); i++) {
        used += (size_t)snprintf(line + used, sizeof(line) - used, i == 3 ? "%s" : " %s", argv[i]);
    }
    if (used >= sizeof(line) || strlen(argv[2]) >= RUN_DIR_BYTES_MAX) {
        fprintf(stderr, "pollux-switch: error: RUN_DIR or COMMAND too long\n");
        return EXIT_USAGE;
    }
    run_dir_socket(argv[2], "control", 0, path);
    enum error error = control_ask(path, line, answer, sizeof(answer));
    if (error != OK) {
        fprintf(stderr, "pollux-switch: error: %s: %s\n", path,
                error == ERR_NOT_FOUND ? "no switch runs here" : error_text(error));
        return error == ERR_NOT_FOUND ? EXIT_NO_SWITCH : EXIT_FAILURE;
    }
    bool is_ok = strncmp(answer, "ok", 2) == 0;
    fputs(answer, is_ok ? stdout : stderr);
    return is_ok ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int run_words(int argc, char **argv)
{
    static struct program program;
    (void)umask(077); /* its sockets are for nobody else */
    if (argc >= 2 && strcmp(argv[1], "ctl") == 0) {
        return ask(argc, argv);
    }
    if (switch_options_parse(argc, argv, &program.options, program.reason,
                             sizeof(program.reason)) != OK) {
        fprintf(stderr, "pollux-switch: error: %s; try --help\n", program.reason);
        return EXIT_USAGE;
    }
    if (program.options.is_help) {
        fputs(switch_options_help(), stdout);
        return EXIT_SUCCESS;
    }
    return serve(&program, argv[0]);
}

int main(int argc, char **argv)
{
    console_begin("pollux-switch");
    return console_end(run_words(argc, argv), EXIT_UNWRITTEN);
}
