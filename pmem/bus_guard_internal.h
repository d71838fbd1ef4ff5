/*
 * Reads of a mapped file that the device cannot answer. The kernel sends SIGBUS to the thread that
 * touches such a page: the device has an error there (EIO), or the file was cut off. The handler
 * here maps a page of zeros over the page, notes the place in the guard of the mapping, and
 * returns. So the thread goes on, reads zeros, and the owner of the mapping learns of it.
 *
 * Zeros are never a record, block or word that is whole: whoever reads checks a checksum. Stores
 * to such a page go nowhere, so the owner must not call anything durable while a fault is noted.
 *
 * Any other SIGBUS of the process ends it, as without this file. Source: mmap(2), sigaction(2).
 */
#ifndef POLLUX_PMEM_BUS_GUARD_INTERNAL_H
#define POLLUX_PMEM_BUS_GUARD_INTERNAL_H

#include "base/error.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BUS_GUARD_NONE SIZE_MAX

struct bus_guard {
    uint8_t *data; /* of the mapping */
    size_t size_bytes;
    _Atomic size_t fault_offset; /* of the last page that could not be read; BUS_GUARD_NONE */
};

/* Enters the guard in the process's table; data and size are set. Any thread. ERR_FULL. */
MUST_USE enum error bus_guard_open(struct bus_guard *guard);
/* Before the mapping goes. */
void bus_guard_close(struct bus_guard *guard);

/* Whether a page could not be read, and where. Any thread. */
bool bus_guard_has_fault(const struct bus_guard *guard, size_t *ret_offset);
/* Maps the file again over all pages, which then read as the file has them. False: the kernel
 * refuses, and nothing has changed. Nobody else may use the mapping meanwhile. */
bool bus_guard_map_again(struct bus_guard *guard, int fd);

#endif
