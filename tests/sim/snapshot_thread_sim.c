/*
 * The thread behind snapshots, in the simulator: there is none. Its steps are done when the owner
 * polls, a bounded number each time, and stop where the thread would wait for the medium. Linked in
 * place of pmem/snapshot_thread.c. Owner: one thread.
 */
#include "pmem/snapshot_thread_internal.h"
#include "tests/sim/sim_file.h"
#include "tests/sim/snapshot_thread_sim.h"

#include <stdlib.h>

#define STEPS_PER_POLL 6u /* blocks; fewer than the ring holds, so that it fills */

static bool is_held_now;

struct snapshot_thread {
    struct snapshot_work work;
};

enum error snapshot_thread_open(struct snapshot_work work, struct snapshot_thread **ret_thread)
{
    struct snapshot_thread *thread = sim_take(sizeof(*thread));
    thread->work = work;
    *ret_thread = thread;
    return OK;
}

void snapshot_thread_close(struct snapshot_thread *thread)
{
    free(thread);
}

void snapshot_thread_wake(struct snapshot_thread *thread)
{
    (void)thread; /* the next poll works */
}

void snapshot_thread_poll(struct snapshot_thread *thread)
{
    for (uint32_t i = 0; !is_held_now && i < STEPS_PER_POLL; i++)
        if (!thread->work.step(thread->work.context, false))
            return;
}

void snapshot_thread_sim_hold(bool is_held)
{
    is_held_now = is_held;
}
