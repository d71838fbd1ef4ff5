/*
 * One thread that turns each PLX_UNKNOWN into the truth, while the attack goes on and after it,
 * through a handle that is not the one that asked: any process may resolve a token.
 */
#ifndef POLLUX_TESTS_CHAOS_RESOLVER_H
#define POLLUX_TESTS_CHAOS_RESOLVER_H

#include "client/include/pollux.h"
#include "tests/chaos/record.h"

#include <pthread.h>

struct resolver_task {
    uint32_t op;
    struct plx_token token;
};

struct resolver {
    struct plx_client *client;
    struct record *record;
    pthread_t thread;
    pthread_mutex_t mutex; /* of everything below */
    pthread_cond_t changed;
    struct resolver_task *tasks; /* a ring as long as the record: each operation comes once */
    uint32_t head;
    uint32_t count;
    bool is_ending; /* ends when nothing is left */
    bool is_over;   /* ends at once */
    /* Of the resolver's thread, until it has ended. */
    uint64_t resolved_early_count; /* before the end of the attack */
    uint64_t retry_count;          /* still unknown: asked again */
    uint64_t expired_count;        /* the session was gone */
};

/* Starts the thread; false without memory or thread. */
bool resolver_begin(struct resolver *resolver, struct plx_client *client, struct record *record);

/* Hands over an unknown outcome. Any thread. */
void resolver_add(struct resolver *resolver, const struct resolver_task *task);

/* Resolves what is left, waiting at most `limit_ns`; returns how many tokens could not be. */
uint32_t resolver_end(struct resolver *resolver, uint64_t limit_ns);

#endif
