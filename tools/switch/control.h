/*
 * The control socket: a unix SOCK_SEQPACKET socket in the run directory. Each packet is one command
 * line (command.h), answered by one packet: "ok", further lines if the command reports something,
 * or "error: " and what is wrong.
 *
 * Owner: the switch's thread.
 */
#ifndef POLLUX_TOOLS_SWITCH_CONTROL_H
#define POLLUX_TOOLS_SWITCH_CONTROL_H

#include "base/error.h"
#include "tools/switch/fabric.h"

#include <stddef.h>
#include <stdint.h>

#define CONTROL_CLIENTS_MAX      8
#define CONTROL_ANSWER_BYTES_MAX (64 * 1024)

struct control;

struct control_options {
    const char *socket_path;
    const char *run_dir; /* where a capture of a relative name lies */
    struct fabric *fabric;
    uint64_t epoch_ns; /* real time at monotonic 0 */
    int epoll_fd;      /* gets the sockets, with `epoll_tag` and the tags after it */
    uint32_t epoll_tag;
};

/* ERR_NO_MEMORY, ERR_IO; ret_reason says why. */
MUST_USE enum error control_open(const struct control_options *options,
                                 struct control **ret_control, char *ret_reason,
                                 size_t reason_size);
void control_close(struct control *control);

/* The poller saw this tag. */
void control_ready(struct control *control, uint32_t tag);

/* Executes one line; `ret_answer` is the text for the caller. */
void control_execute(struct control *control, const char *line, char *ret_answer,
                     size_t answer_size);

/* The other end: sends the line to the switch of a run directory and returns its answer.
 * ERR_NOT_FOUND: no switch runs there; ERR_IO; ERR_TIMEOUT. */
MUST_USE enum error control_ask(const char *socket_path, const char *line, char *ret_answer,
                                size_t answer_size);

#endif
