/*
 * A running node: the EAL, its port, its lane's pinned thread with the idle back-off, and the log
 * lines that the thread hands over a ring so that it never formats or writes text itself.
 *
 * Owner: the main thread; the lane thread is the node's own business.
 */
#ifndef POLLUX_SERVER_NODE_H
#define POLLUX_SERVER_NODE_H

#include "base/error.h"
#include "server/config.h"

#include <stdbool.h>

struct node;

/* How polluxd exits; printed by --help. */
enum node_exit {
    NODE_EXIT_OK = 0,
    NODE_EXIT_USAGE = 2,
    NODE_EXIT_CONFIG = 3,
    NODE_EXIT_PORT = 4,
    NODE_EXIT_LOG = 5,
    NODE_EXIT_SYNC_FAILED = 6,
    NODE_EXIT_DIRECTORY = 7,
    NODE_EXIT_INTERNAL = 8,
    NODE_EXIT_OUTPUT = 9,
};

/* Starts; NODE_EXIT_OK, or the exit status with the reason already told on standard error. */
enum node_exit node_start(const struct config *config, const char *program, struct node **ret_node);

/* Writes the lane's pending log lines. False once the lane has ended by itself. Main thread. */
bool node_poll(struct node *node);

/* Stops the lane after its turn, closes everything in order. The exit status. */
enum node_exit node_stop(struct node *node);

#endif
