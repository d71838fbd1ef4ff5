/*
 * The file behind a medium: created whole or not at all, and locked against a second process.
 * Owner: one thread, at start.
 */
#ifndef POLLUX_PMEM_BACKING_FILE_INTERNAL_H
#define POLLUX_PMEM_BACKING_FILE_INTERNAL_H

#include "pmem/medium.h"

/*
 * Opens and locks options->path, creating it when asked. The errors and `ret_reason` are those of
 * medium_open. The descriptor holds the lock: closing it gives the file free.
 */
MUST_USE enum error backing_file_open(const struct medium_options *options, int *ret_fd,
                                      char *ret_reason, size_t reason_size);

/* Size rounded down to whole pages: what can be mapped. ERR_IO. */
MUST_USE enum error backing_file_size(int fd, size_t *ret_size_bytes);

/* Gives a file that was cut off its size again: zeros, with room taken. ERR_NO_SPACE, ERR_IO. */
MUST_USE enum error backing_file_extend(int fd, size_t size_bytes);

/* True on tmpfs or ramfs. */
bool backing_file_is_volatile(int fd);

/* The errno of a file operation as an error. */
enum error backing_file_error(int error_number);

#endif
