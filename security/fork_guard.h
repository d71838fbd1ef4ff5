/*
 * Whether the process has forked since the guard was made. A child that went on with the keys of
 * its parent would give numbers to packets that the parent gives to others: with AES-GCM, one
 * number for two packets reveals the key of the tags. The guard is a page that the kernel clears in
 * a child (madvise(2), MADV_WIPEONFORK), so looking costs one load.
 *
 * Not noticed: a virtual machine, or a process image (CRIU), that is resumed twice.
 *
 * Owner: whoever made it; any thread may look.
 */
#ifndef POLLUX_SECURITY_FORK_GUARD_H
#define POLLUX_SECURITY_FORK_GUARD_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

struct fork_guard {
    volatile uint8_t *page; /* NULL: no guard */
};

/* Maps the page. ERR_NO_MEMORY; ERR_UNSUPPORTED: the kernel is older than Linux 4.14. */
MUST_USE enum error fork_guard_init(struct fork_guard *guard);
void fork_guard_deinit(struct fork_guard *guard);

static inline bool fork_guard_is_forked(const struct fork_guard *guard)
{
    return *guard->page == 0;
}

#endif
