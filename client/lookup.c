/* See client/lookup.h. */
#include "client/lookup.h"

#include "client/client_internal.h"

#include <signal.h>
#include <stdlib.h>

enum lookup_state {
    LOOKUP_IDLE,
    LOOKUP_UNDER_WAY,
    LOOKUP_DONE,
    LOOKUP_LEFT, /* the handle is closed: the thread frees it */
};

struct lookup {
    /* The handle sets IDLE, UNDER_WAY and LEFT, the thread DONE. A release by one and an acquire by
     * the other, so that what was written before is seen. */
    _Atomic int state;
    uint32_t endpoint; /* whose name it is */
    char name[ENDPOINT_NAME_SIZE];
    struct candidate found[CANDIDATES_MAX];
    uint32_t count; /* 0: nothing was found */
};

struct lookup *lookup_open(void)
{
    struct lookup *lookup = malloc(sizeof(*lookup));
    if (lookup != NULL)
        *lookup = (struct lookup){.endpoint = 0};
    return lookup;
}

void lookup_close(struct lookup *lookup, bool is_forked)
{
    int state = LOOKUP_UNDER_WAY;
    if (lookup == NULL)
        return;
    bool is_left = !is_forked && atomic_compare_exchange_strong_explicit(
                                     &lookup->state, &state, LOOKUP_LEFT, memory_order_acq_rel,
                                     memory_order_acquire);
    if (!is_left)
        free(lookup);
}

static void *lookup_run(void *context)
{
    struct lookup *lookup = context;
    int state = LOOKUP_UNDER_WAY;
    const char *why;
    lookup->count = endpoint_resolve(lookup->name, lookup->found, &why);
    if (!atomic_compare_exchange_strong_explicit(&lookup->state, &state, LOOKUP_DONE,
                                                 memory_order_acq_rel, memory_order_acquire))
        free(lookup);
    return NULL;
}

/* In a thread without signals: they are the program's. False: there is none to be had now. */
static bool lookup_start(struct lookup *lookup)
{
    sigset_t all;
    sigset_t before;
    pthread_t thread;
    CHECK(sigfillset(&all) == 0 && pthread_sigmask(SIG_SETMASK, &all, &before) == 0);
    atomic_store_explicit(&lookup->state, LOOKUP_UNDER_WAY, memory_order_release);
    bool is_started = pthread_create(&thread, NULL, lookup_run, lookup) == 0;
    CHECK(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
    if (is_started)
        CHECK(pthread_detach(thread) == 0);
    else
        atomic_store_explicit(&lookup->state, LOOKUP_IDLE, memory_order_release);
    return is_started;
}

/* Nobody of this cluster answers where the name led. */
static bool is_lookup_due(const struct plx_client *client, const struct endpoint *endpoint)
{
    bool is_lost = !endpoint->is_confirmed || !cluster_fits(&client->kept, &endpoint->cluster);
    return endpoint->is_name && is_lost && client->now_ns >= endpoint->lookup_due_ns;
}

void lookup_turn(struct plx_client *client)
{
    struct lookup *lookup = client->lookup;
    if (lookup == NULL || (client->active_count == 0 && !client->exchange.is_active))
        return; /* nobody waits for a node */
    int state = atomic_load_explicit(&lookup->state, memory_order_acquire);
    if (state == LOOKUP_DONE) {
        endpoint_found(client, lookup->endpoint, lookup->found, lookup->count);
        atomic_store_explicit(&lookup->state, LOOKUP_IDLE, memory_order_release);
    }
    for (uint32_t i = 0; i < client->endpoint_count && state == LOOKUP_IDLE; i++) {
        struct endpoint *endpoint = &client->endpoints[i];
        if (!is_lookup_due(client, endpoint))
            continue;
        endpoint->lookup_due_ns = client->now_ns + LOOKUP_AGAIN_NS;
        lookup->endpoint = i;
        memcpy(lookup->name, endpoint->name, sizeof(lookup->name));
        (void)lookup_start(lookup);
        return;
    }
}
