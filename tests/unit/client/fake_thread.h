/* A fake node in a thread of its own, for calls that do not return before it has answered. */
#ifndef POLLUX_TESTS_UNIT_CLIENT_FAKE_THREAD_H
#define POLLUX_TESTS_UNIT_CLIENT_FAKE_THREAD_H

#include "tests/unit/client/fake_node.h"

#include <pthread.h>
#include <stdatomic.h>

struct fake_thread {
    struct fake *fake;
    void (*turn)(void *context); /* packets may have come: fake_try, and the answers */
    void *context;
    pthread_t thread;
    atomic_bool is_stopped; /* set once the client is done; relaxed: it orders nothing */
};

/* Opens the fake, as node `id`, and runs its turns until fake_thread_stop. */
void fake_thread_start(struct fake_thread *thread, uint16_t id);

/* Ends the thread, and closes the fake. What the turns have written can be read from here on. */
void fake_thread_stop(struct fake_thread *thread);

#endif
