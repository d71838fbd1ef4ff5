/*
 * The limit of open files (getrlimit(2), RLIMIT_NOFILE) that a load needs: a descriptor for each
 * client, and some for the rest of the program. Main thread, before the clients are opened.
 */
#ifndef POLLUX_BENCH_LOAD_DESCRIPTORS_H
#define POLLUX_BENCH_LOAD_DESCRIPTORS_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

/* Standard streams, files of the report, an epoll for each thread, and what sleeping handles take
 * when they are asked for their status. */
#define LOAD_DESCRIPTORS_SPARE 64

/* Raises the soft limit to what `clients` need; a higher limit stays. ERR_ARGUMENT: the hard limit
 * is lower; ret_reason names both numbers and what to do. */
MUST_USE enum error load_descriptors_raise(uint32_t clients, char *ret_reason, size_t reason_size);

#endif
