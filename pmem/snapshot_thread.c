/*
 * The thread behind the snapshots of one shard. To wake it costs one exchange, plus a system call
 * that never waits when it sleeps: a lane takes no lock that this thread holds.
 *
 * Orders: both sides exchange `is_wanted`. The thread clears it before its steps, so what was
 * stored before the wake that it clears is visible to them; a wake in the middle of them sets it
 * again, and whoever sets it posts.
 *
 * A thread inherits the core of the one that starts it. A lane may be pinned to a core that it
 * polls on without a pause, so this thread takes the cores of the process, and steps back behind
 * the lanes.
 */
#include "base/check.h"
#include "pmem/snapshot_thread_internal.h"

#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
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
    sem_t posted;
    _Atomic bool is_wanted;
    _Atomic bool is_ending; /* pairs with the wake that follows it */
};

/* Sleeps until it is woken; false at the end. */
static bool wake_await(struct snapshot_thread *thread)
{
    while (sem_wait(&thread->posted) != 0) { /* interrupted */
    }
    (void)atomic_exchange(&thread->is_wanted, false);
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
    step_back();
    while (wake_await(thread)) {
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
    CHECK(sem_init(&thread->posted, 0, 0) == 0);
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
    atomic_store(&thread->is_ending, true);
    snapshot_thread_wake(thread);
    pthread_join(thread->thread, NULL);
    (void)sem_destroy(&thread->posted);
    free(thread);
}

void snapshot_thread_wake(struct snapshot_thread *thread)
{
    if (!atomic_exchange(&thread->is_wanted, true))
        CHECK(sem_post(&thread->posted) == 0);
}

void snapshot_thread_poll(struct snapshot_thread *thread)
{
    (void)thread; /* it works by itself */
}
