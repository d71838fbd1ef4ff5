/*
 * The file `restoring` of a data directory: `pollux restore` has begun to fill the directory, and
 * has not ended. While the file is there nothing else in the directory counts: a start, polluxd
 * --check and the tools refuse the directory. A restore makes this file first, durable before any
 * other, and removes it last. So a restore that is killed at any moment leaves it, and a second
 * restore begins anew in that directory.
 *
 * It is text for people; its first line names the backup. The restore that runs has it locked.
 *
 * Owner: one thread.
 */
#ifndef POLLUX_SERVER_RESTORE_MARKER_H
#define POLLUX_SERVER_RESTORE_MARKER_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

/* Looks for the file, and locks nothing. ERR_SHORT: a restore was cut short; ERR_BUSY: it runs.
 * `ret_text` then says of which backup, and what to do. */
MUST_USE enum error restore_marker_check(const char *directory, char *ret_text, size_t text_size);

struct restore_marker {
    int lock;
    bool is_found; /* a restore was cut short here */
};

/* Makes the file, durable on return, and locks it; `backup` is told to whoever finds it. ERR_BUSY:
 * another restore runs, or has just ended; ERR_IO, ERR_NO_SPACE, ERR_PERMISSION. `ret_text` then
 * explains. */
MUST_USE enum error restore_marker_begin(const char *directory, const char *backup,
                                         struct restore_marker *ret_marker, char *ret_text,
                                         size_t text_size);

/* All that was restored is durable: removes the file, durably, and closes it. ERR_IO. */
MUST_USE enum error restore_marker_end(const char *directory, struct restore_marker *marker,
                                       char *ret_text, size_t text_size);

/* Closes it, and leaves it there. */
void restore_marker_leave(struct restore_marker *marker);

#endif
