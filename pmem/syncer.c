/*
 * The sync thread. On the owner's path there is one store and one load, plus a lock and a signal
 * when the thread sleeps; while it syncs, requests cost nothing more.
 *
 * Orders: `requested` (owner) and `is_sleeping` (thread) are sequentially consistent, each side
 * storing its own and then loading the other's, so at least one of them sees that there is work:
 * the owner wakes, or the thread does not sleep. The owner's writes are in the page cache when it
 * asks, so the sync finds them. `completed` and `is_failed` are released by the thread after
 * fdatasync and acquired by the owner.
 */
#include "base/check.h"
#include "pmem/syncer_internal.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

struct syncer {
    int fd;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t wanted; /* work or end; the thread waits */
    pthread_cond_t done;   /* the owner waits in syncer_wait */
    bool is_ending;        /* under the mutex */
    _Atomic uint64_t requested;
    _Atomic uint64_t completed;
    _Atomic bool is_sleeping;
    _Atomic bool is_failed;
};

/* Sleeps until there is a newer request; false at the end. */
static bool request_await(struct syncer *syncer, uint64_t completed)
{
    bool is_ending = false;
    pthread_mutex_lock(&syncer->mutex);
    atomic_store(&syncer->is_sleeping, true);
    while (!syncer->is_ending && atomic_load(&syncer->requested) == completed)
        pthread_cond_wait(&syncer->wanted, &syncer->mutex);
    atomic_store(&syncer->is_sleeping, false);
    is_ending = syncer->is_ending;
    pthread_mutex_unlock(&syncer->mutex);
    return !is_ending;
}

static void *syncer_run(void *context)
{
    struct syncer *syncer = context;
    uint64_t completed = 0;
    bool is_failed = false;

    while (!is_failed && request_await(syncer, completed)) {
        uint64_t ticket = atomic_load(&syncer->requested);
        is_failed = fdatasync(syncer->fd) != 0;
        if (is_failed) {
            atomic_store_explicit(&syncer->is_failed, true, memory_order_release);
        } else {
            completed = ticket;
            atomic_store_explicit(&syncer->completed, ticket, memory_order_release);
        }
        pthread_mutex_lock(&syncer->mutex);
        pthread_cond_broadcast(&syncer->done);
        pthread_mutex_unlock(&syncer->mutex);
    }
    return NULL;
}

enum error syncer_open(int fd, struct syncer **ret_syncer)
{
    struct syncer *syncer = calloc(1, sizeof(*syncer));
    sigset_t all;
    sigset_t before;

    if (syncer == NULL)
        return ERR_NO_MEMORY;
    syncer->fd = fd;
    CHECK(pthread_mutex_init(&syncer->mutex, NULL) == 0);
    CHECK(pthread_cond_init(&syncer->wanted, NULL) == 0);
    CHECK(pthread_cond_init(&syncer->done, NULL) == 0);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int status = pthread_create(&syncer->thread, NULL, syncer_run, syncer);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (status != 0) {
        free(syncer);
        return ERR_NO_MEMORY;
    }
    pthread_setname_np(syncer->thread, "pollux-sync");
    *ret_syncer = syncer;
    return OK;
}

void syncer_close(struct syncer *syncer)
{
    pthread_mutex_lock(&syncer->mutex);
    syncer->is_ending = true;
    pthread_cond_signal(&syncer->wanted);
    pthread_mutex_unlock(&syncer->mutex);
    pthread_join(syncer->thread, NULL);
    pthread_cond_destroy(&syncer->done);
    pthread_cond_destroy(&syncer->wanted);
    pthread_mutex_destroy(&syncer->mutex);
    free(syncer);
}

uint64_t syncer_request(struct syncer *syncer)
{
    uint64_t ticket = atomic_fetch_add(&syncer->requested, 1) + 1;
    if (atomic_load(&syncer->is_sleeping)) {
        pthread_mutex_lock(&syncer->mutex);
        pthread_cond_signal(&syncer->wanted);
        pthread_mutex_unlock(&syncer->mutex);
    }
    return ticket;
}

enum error syncer_completed(const struct syncer *syncer, uint64_t *ret_ticket)
{
    if (atomic_load_explicit(&syncer->is_failed, memory_order_acquire))
        return ERR_SYNC;
    *ret_ticket = atomic_load_explicit(&syncer->completed, memory_order_acquire);
    return OK;
}

enum error syncer_wait(struct syncer *syncer, uint64_t ticket)
{
    uint64_t completed = 0;
    pthread_mutex_lock(&syncer->mutex);
    enum error error = syncer_completed(syncer, &completed);
    while (error == OK && completed < ticket) {
        pthread_cond_wait(&syncer->done, &syncer->mutex);
        error = syncer_completed(syncer, &completed);
    }
    pthread_mutex_unlock(&syncer->mutex);
    return error;
}
