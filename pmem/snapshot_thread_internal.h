/*
 * The thread that works for one pair of snapshot files. Two backends, chosen at link time:
 * snapshot_thread.c is a thread; in the simulator there are none, and the work is done in the poll,
 * a few steps at a time.
 *
 * Owner: the thread that opened it (the lane).
 */
#ifndef POLLUX_PMEM_SNAPSHOT_THREAD_INTERNAL_H
#define POLLUX_PMEM_SNAPSHOT_THREAD_INTERNAL_H

#include "base/error.h"

#include <stdbool.h>

struct snapshot_thread;

struct snapshot_work {
    /*
     * Does one bounded step. False: there is nothing to do until the next wake or, where the step
     * may not block, until something is durable. `may_block`: the step may wait for the medium.
     */
    bool (*step)(void *context, bool may_block);
    void *context;
};

/* Starts the thread, with all signals blocked; it rests until it is woken. ERR_NO_MEMORY. */
MUST_USE enum error snapshot_thread_open(struct snapshot_work work,
                                         struct snapshot_thread **ret_thread);

/* Ends and joins the thread; the step under way is waited for. */
void snapshot_thread_close(struct snapshot_thread *thread);

/* There is work. The steps that follow see what was stored before. Never waits for a step. */
void snapshot_thread_wake(struct snapshot_thread *thread);

/* The owner is about to look at what was done. */
void snapshot_thread_poll(struct snapshot_thread *thread);

#endif
