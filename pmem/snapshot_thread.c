/*
 * The thread behind the snapshots of one shard. To wake it costs one store and one load, plus a
 * lock and a signal when it sleeps.
 *
 * Orders: `wakes` (owner) and `is_sleeping` (thread) are sequentially consistent, each side storing
 * its own and then loading the other's, so at least one of them sees that there is work: the owner
 * signals, or the thread does not sleep. The thread loads `wakes` before its steps, so what was
 * stored before the wake that it has seen is visible to them; a wake in the middle of them makes it
 * look again.
 *
 * A thread inherits the core of the one that starts it. A lane may be pinned to a core that it
 * polls on without a pause, so this thread takes the cores of the process, and steps back behind
 * the lanes.
 */
#include "base/check.h"
#include "pmem/snapshot_thread_internal.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#define NICE 5 /* a quarter of a core beside a lane that takes all it gets */

struct snapshot_thread {
    struct snapshot_work work;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t wanted;
    _Atomic uint64_t wakes;
    _Atomic bool is_sleeping;
    _Atomic bool is_ending; /* stored under the mutex */
};

/* Sleeps until there is a newer wake; false at the end. */
static bool wake_await(struct snapshot_thread *thread, uint64_t seen)
{
    pthread_mutex_lock(&thread->mutex);
    atomic_store(&thread->is_sleeping, true);
    while (!atomic_load(&thread->is_ending) && atomic_load(&thread->wakes) == seen)
        pthread_cond_wait(&thread->wanted, &thread->mutex);
    atomic_store(&thread->is_sleeping, false);
    pthread_mutex_unlock(&thread->mutex);
    return !atomic_load(&thread->is_ending);
}

/* What fails here only makes the thread a worse neighbour. The process id names the first thread,
 * which no lane is (sched_setaffinity(2)); for a priority, 0 names this thread (setpriority(2)). */
static void step_back(void)
{
    cpu_set_t cores;
    if (sched_getaffinity(getpid(), sizeof(cores), &cores) == 0)
        (void)sched_setaffinity(0, sizeof(cores), &cores);
    (void)setpriority(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, 0) + NICE);
}

static void *thread_run(void *context)
{
    struct snapshot_thread *thread = context;
    uint64_t seen = 0;
    step_back();
    while (wake_await(thread, seen)) {
        seen = atomic_load(&thread->wakes);
        while (!atomic_load(&thread->is_ending) &&
               thread->work.step(thread->work.context, true)) { /* the blocks of a snapshot */
        }
    }
    return NULL;
}

enum error snapshot_thread_open(struct snapshot_work work, struct snapshot_thread **ret_thread)
{
    struct snapshot_thread *thread = calloc(1, sizeof(*thread));
    sigset_t all;
    sigset_t before;

    if (thread == NULL)
        return ERR_NO_MEMORY;
    thread->work = work;
    CHECK(pthread_mutex_init(&thread->mutex, NULL) == 0);
    CHECK(pthread_cond_init(&thread->wanted, NULL) == 0);
    sigfillset(&all);
    sigdelset(&all, SIGBUS); /* bus_guard_internal.h; one that is blocked ends the process */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int status = pthread_create(&thread->thread, NULL, thread_run, thread);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (status != 0) {
        free(thread);
        return ERR_NO_MEMORY;
    }
    pthread_setname_np(thread->thread, "pollux-snapshot");
    *ret_thread = thread;
    return OK;
}

void snapshot_thread_close(struct snapshot_thread *thread)
{
    pthread_mutex_lock(&thread->mutex);
    atomic_store(&thread->is_ending, true);
    pthread_cond_signal(&thread->wanted);
    pthread_mutex_unlock(&thread->mutex);
    pthread_join(thread->thread, NULL);
    pthread_cond_destroy(&thread->wanted);
    pthread_mutex_destroy(&thread->mutex);
    free(thread);
}

void snapshot_thread_wake(struct snapshot_thread *thread)
{
    atomic_fetch_add(&thread->wakes, 1);
    if (atomic_load(&thread->is_sleeping)) {
        pthread_mutex_lock(&thread->mutex);
        pthread_cond_signal(&thread->wanted);
        pthread_mutex_unlock(&thread->mutex);
    }
}

void snapshot_thread_poll(struct snapshot_thread *thread)
{
    (void)thread; /* it works by itself */
}
