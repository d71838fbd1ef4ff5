/*
 * The directory where a switch meets its nodes: "node1.sock" ... and "client1.sock" ... for memif,
 * "control.sock" for commands, "switch.lock" held by the process that runs there. Sockets that a
 * killed switch left behind are removed by the next one, once it holds the lock.
 */
#ifndef POLLUX_TOOLS_SWITCH_RUN_DIR_H
#define POLLUX_TOOLS_SWITCH_RUN_DIR_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

#define RUN_DIR_BYTES_MAX  80 /* a unix socket's path has 108 bytes */
#define RUN_PATH_BYTES_MAX 108

struct run_dir {
    char path[RUN_DIR_BYTES_MAX];
    int lock_fd;
};

/*
 * Makes the directory (mode 0700) if it is missing, takes the lock, removes stale sockets.
 * ERR_ARGUMENT (path too long, or with a character that memif's arguments cannot carry), ERR_BUSY,
 * ERR_PERMISSION, ERR_IO; ret_reason says which path and why.
 */
MUST_USE enum error run_dir_open(struct run_dir *dir, const char *path, char *ret_reason,
                                 size_t reason_size);

/* Removes the sockets and gives the lock back. */
void run_dir_close(struct run_dir *dir);

/* "DIR/node3.sock" for ("node", 3), "DIR/control.sock" for ("control", 0). */
void run_dir_socket(const char *dir, const char *kind, uint32_t number,
                    char ret_path[RUN_PATH_BYTES_MAX]);

#endif
