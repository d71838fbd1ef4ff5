/* Both ends of the control socket. */
#include "tools/switch/control.h"

#include "base/check.h"
#include "tools/switch/command.h"
#include "tools/switch/run_dir.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define ASK_TIMEOUT_MS 5000
#define REASON_BYTES   512

struct control {
    struct control_options options;
    int listen_fd;
    int clients[CONTROL_CLIENTS_MAX]; /* -1: free */
    char answer[CONTROL_ANSWER_BYTES_MAX];
};

static int socket_address(const char *path, struct sockaddr_un *ret_address)
{
    if (strlen(path) >= sizeof(ret_address->sun_path)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    *ret_address = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(ret_address->sun_path, path, strlen(path) + 1);
    return socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

static int watch(const struct control *control, int fd, uint32_t tag)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = tag};
    return epoll_ctl(control->options.epoll_fd, EPOLL_CTL_ADD, fd, &event);
}

enum error control_open(const struct control_options *options, struct control **ret_control,
                        char *ret_reason, size_t reason_size)
{
    struct sockaddr_un address;
    struct control *control = calloc(1, sizeof(*control));
    if (control == NULL) {
        snprintf(ret_reason, reason_size, "out of memory");
        return ERR_NO_MEMORY;
    }
    control->options = *options;
    for (uint32_t i = 0; i < CONTROL_CLIENTS_MAX; i++) {
        control->clients[i] = -1;
    }
    control->listen_fd = socket_address(options->socket_path, &address);
    if (control->listen_fd < 0 ||
        bind(control->listen_fd, (struct sockaddr *)&address, sizeof(address)) != 0 ||
        listen(control->listen_fd, CONTROL_CLIENTS_MAX) != 0 ||
        watch(control, control->listen_fd, options->epoll_tag) != 0) {
        snprintf(ret_reason, reason_size, "cannot listen at %s: %s", options->socket_path,
                 strerror(errno));
        if (control->listen_fd >= 0) {
            close(control->listen_fd);
        }
        free(control);
        return ERR_IO;
    }
    *ret_control = control;
    return OK;
}

void control_close(struct control *control)
{
    for (uint32_t i = 0; i < CONTROL_CLIENTS_MAX; i++) {
        if (control->clients[i] >= 0) {
            close(control->clients[i]);
        }
    }
    close(control->listen_fd);
    (void)unlink(control->options.socket_path);
    free(control);
}

static void answer_pcap(struct control *control, const struct command *command, char *answer,
                        size_t answer_size)
{
    struct capture *capture = fabric_capture(control->options.fabric);
    char path[COMMAND_PATH_BYTES_MAX + RUN_DIR_BYTES_MAX];
    if (command->is_off) {
        enum error error = capture_close(capture);
        snprintf(answer, answer_size, error == OK ? "ok\n" : "error: pcap: cannot write FILE\n");
        return;
    }
    bool is_absolute = command->path[0] == '/';
    snprintf(path, sizeof(path), "%s%s%s", is_absolute ? "" : control->options.run_dir,
             is_absolute ? "" : "/", command->path);
    if (capture_open(capture, path, command->limit_bytes, control->options.epoch_ns) != OK) {
        snprintf(answer, answer_size, "error: pcap: cannot open FILE '%s': %s\n", path,
                 strerror(errno));
        return;
    }
    snprintf(answer, answer_size, "ok %s\n", path);
}

static void answer_help(char *answer, size_t answer_size)
{
    size_t used = (size_t)snprintf(answer, answer_size, "ok\n");
    for (uint32_t kind = 0; kind < COMMAND_COUNT && used < answer_size; kind++) {
        used += (size_t)snprintf(answer + used, answer_size - used, "%s\n",
                                 command_usage((enum command_kind)kind));
    }
}

/* The commands that only change faults. */
static void apply_fault(struct fault_table *faults, const struct command *command)
{
    static const enum fault_kind kinds[COMMAND_COUNT] = {
        [COMMAND_cut] = FAULT_CUT,         [COMMAND_loss] = FAULT_LOSS,
        [COMMAND_corrupt] = FAULT_CORRUPT, [COMMAND_duplicate] = FAULT_DUPLICATE,
        [COMMAND_delay] = FAULT_DELAY,     [COMMAND_reorder] = FAULT_REORDER,
    };
    fault_set(faults, kinds[command->kind], command->from_mask, command->to_mask, &command->link);
}

static void isolate(struct fault_table *faults, const struct command *command)
{
    fault_set(faults, FAULT_CUT, command->from_mask, UINT32_MAX, &command->link);
    fault_set(faults, FAULT_CUT, UINT32_MAX, command->from_mask, &command->link);
}

static void heal(struct fault_table *faults, const struct command *command)
{
    uint32_t all = (1U << faults->port_count) - 1;
    fault_heal(faults, command->from_mask, command->to_mask);
    if (command->from_mask == all && command->to_mask == all) {
        faults->paused_mask = 0;
    }
}

static void answer_command(struct control *control, const struct command *command, char *answer,
                           size_t answer_size)
{
    struct fault_table *faults = fabric_faults(control->options.fabric);
    size_t used = (size_t)snprintf(answer, answer_size, "ok\n");
    switch (command->kind) {
    case COMMAND_partition:
        fault_partition(faults, command->groups, command->group_count);
        break;
    case COMMAND_isolate:
        isolate(faults, command);
        break;
    case COMMAND_cut:
    case COMMAND_loss:
    case COMMAND_duplicate:
    case COMMAND_corrupt:
    case COMMAND_reorder:
    case COMMAND_delay:
        apply_fault(faults, command);
        break;
    case COMMAND_pause:
        faults->paused_mask |= command->from_mask;
        break;
    case COMMAND_resume:
        faults->paused_mask &= ~command->from_mask;
        break;
    case COMMAND_heal:
        heal(faults, command);
        break;
    case COMMAND_mtu:
        fabric_set_mtu(control->options.fabric, (uint16_t)command->limit_bytes);
        break;
    case COMMAND_faults:
        (void)fault_describe(faults, answer + used, answer_size - used);
        break;
    case COMMAND_stats:
        (void)fabric_describe(control->options.fabric, answer + used, answer_size - used);
        break;
    case COMMAND_pcap:
        answer_pcap(control, command, answer, answer_size);
        break;
    case COMMAND_help:
        answer_help(answer, answer_size);
        break;
    case COMMAND_COUNT:
        CHECK(command->kind != COMMAND_COUNT);
    }
}

void control_execute(struct control *control, const char *line, char *ret_answer,
                     size_t answer_size)
{
    struct command command;
    char reason[REASON_BYTES];
    enum error error = command_parse(line, fabric_port_count(control->options.fabric), &command,
                                     reason, sizeof(reason));
    if (error != OK) {
        snprintf(ret_answer, answer_size, "error: %s\n", reason);
        return;
    }
    answer_command(control, &command, ret_answer, answer_size);
}

static void client_accept(struct control *control)
{
    int fd = accept4(control->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0) {
        return;
    }
    for (uint32_t i = 0; i < CONTROL_CLIENTS_MAX; i++) {
        if (control->clients[i] < 0 &&
            watch(control, fd, control->options.epoll_tag + 1 + i) == 0) {
            control->clients[i] = fd;
            return;
        }
    }
    close(fd); /* too many at once */
}

void control_ready(struct control *control, uint32_t tag)
{
    char line[COMMAND_LINE_BYTES_MAX + 1];
    uint32_t client = tag - control->options.epoll_tag - 1;
    if (tag == control->options.epoll_tag) {
        client_accept(control);
        return;
    }
    CHECK(client < CONTROL_CLIENTS_MAX);
    int fd = control->clients[client];
    if (fd < 0) {
        return;
    }
    ssize_t size = recv(fd, line, sizeof(line) - 1, 0);
    if (size <= 0) {
        if (size == 0 || (errno != EAGAIN && errno != EINTR)) {
            close(fd);
            control->clients[client] = -1;
        }
        return;
    }
    line[size] = '\0';
    control_execute(control, line, control->answer, sizeof(control->answer));
    /* A client that does not read its answer has only itself to blame. */
    (void)send(fd, control->answer, strlen(control->answer), MSG_NOSIGNAL);
}

enum error control_ask(const char *socket_path, const char *line, char *ret_answer,
                       size_t answer_size)
{
    struct sockaddr_un address;
    int fd = socket_address(socket_path, &address);
    if (fd < 0) {
        return ERR_IO;
    }
    enum error error = ERR_IO;
    struct pollfd answer = {.fd = fd, .events = POLLIN};
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
        error = errno == ENOENT || errno == ECONNREFUSED ? ERR_NOT_FOUND : ERR_IO;
    } else if (send(fd, line, strlen(line), MSG_NOSIGNAL) >= 0) {
        int ready = poll(&answer, 1, ASK_TIMEOUT_MS);
        ssize_t size = ready == 1 ? recv(fd, ret_answer, answer_size - 1, 0) : -1;
        if (size > 0) {
            ret_answer[size] = '\0';
            error = OK;
        } else if (ready == 0) {
            error = ERR_TIMEOUT;
        }
    }
    close(fd);
    return error;
}
