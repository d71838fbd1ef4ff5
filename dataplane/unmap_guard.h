/*
 * Keeps a port's shared memory mapped while a burst reads it.
 *
 * net_memif maps memory of its peer. When the peer goes away, EAL's interrupt thread marks the port
 * as disconnected and unmaps that memory at once, without a look at the threads that are in the
 * middle of a burst on it: they would be killed by SIGSEGV. The driver offers no hook between the
 * two steps, but munmap itself: this file defines munmap for the whole process, and makes the
 * interrupt thread wait there until every burst that began before has ended. Later bursts see the
 * mark. Any other caller's munmap is the plain system call.
 *
 * Each burst is bracketed by begin and end, whose cost is two plain stores; the waiting side pays
 * with membarrier(2).
 */
#ifndef POLLUX_DATAPLANE_UNMAP_GUARD_H
#define POLLUX_DATAPLANE_UNMAP_GUARD_H

#include "base/error.h"

#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define UNMAP_GUARDS_MAX 1024 /* queues of all ports of a process */

struct unmap_guard {
    alignas(64) atomic_uint is_in_burst;
};

/* Enters the guard in the process's table. ERR_FULL over UNMAP_GUARDS_MAX. Any thread. */
MUST_USE enum error unmap_guard_open(struct unmap_guard *guard);
void unmap_guard_close(struct unmap_guard *guard);

/* Bracket a burst. Owner of the queue only. */
static inline void unmap_guard_begin(struct unmap_guard *guard)
{
    /* The signal fence keeps the compiler from moving the burst up; membarrier in
     * unmap_guard_wait keeps the processor from it. */
    atomic_store_explicit(&guard->is_in_burst, 1, memory_order_relaxed);
    atomic_signal_fence(memory_order_seq_cst);
}

static inline void unmap_guard_end(struct unmap_guard *guard)
{
    /* Pairs with the acquire load in unmap_guard_wait: the burst's reads come before. */
    atomic_store_explicit(&guard->is_in_burst, 0, memory_order_release);
}

/* Waits until no guard is in a burst that began before the call. Not within a burst. */
void unmap_guard_wait(void);

#endif
