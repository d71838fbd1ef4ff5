/*
 * Identities of clients that write relaxed, and the journal seq of each of their last writes: what
 * a retry is answered from, so that it never executes twice at this node. Local, bounded, and built
 * again from the journal at a start. An identity gives way to a new one only after it has been
 * silent for IDENTITY_IDLE_NS.
 *
 * Packets seen are remembered with it, so that a refusal holds: no copy of the refused packet is
 * taken later. What was refused because no identity was free is remembered apart.
 *
 * Owner: one thread.
 */
#ifndef POLLUX_ENGINE_IDENTITIES_H
#define POLLUX_ENGINE_IDENTITIES_H

#include "base/arena.h"
#include "base/limits.h"
#include "engine/packet_window.h"

#include <stdbool.h>
#include <stdint.h>

#define IDENTITIES_MAX 1024

/* Refusals of clients without an identity that are remembered, and for how long: no copy of a
 * packet comes later. */
#define STRANGERS_MAX        256
#define STRANGER_REMEMBER_NS UINT64_C(10000000000)

struct identity_write {
    uint64_t seq; /* the client's; 0: none */
    uint64_t journal_seq;
};

struct identity {
    uint64_t id; /* 0: free */
    uint64_t touched_ns;
    uint32_t next; /* in its bucket; 0: none */
    uint32_t newer;
    uint32_t older;
    struct packet_window packets;
    struct identity_write writes[SESSION_WINDOW]; /* at seq mod SESSION_WINDOW */
};

struct stranger {
    uint64_t id; /* 0: none */
    uint64_t packet_number;
    uint64_t refused_ns;
};

struct identities {
    struct identity *slots; /* slot 0 is never used */
    uint32_t *buckets;
    uint32_t count;
    uint32_t oldest;
    uint32_t newest;
    struct stranger strangers[STRANGERS_MAX]; /* a ring */
    uint64_t strangers_tail;
};

size_t identities_arena_bytes(void);
void identities_init(struct identities *identities, struct arena *arena);

/* The identity, or NULL. */
struct identity *identities_find(const struct identities *identities, uint64_t id);

/* The identity, heard of now; a new one if need be. NULL: all are taken by others that are not
 * silent for long enough. */
struct identity *identities_take(struct identities *identities, uint64_t id, uint64_t now_ns);

/* Remembers that this packet of a client without an identity is refused. False: it must not be
 * answered, for it is a copy of one that was refused before, or cannot be remembered. */
bool identities_refuse(struct identities *identities, uint64_t id, uint64_t packet_number,
                       uint64_t now_ns);

/* The journal seq of the client's write `seq`; 0: not known. */
uint64_t identity_recall(const struct identity *identity, uint64_t seq);

/* True when a later write has taken the place where `seq` would be remembered: whether it was
 * executed cannot be told any more. */
bool identity_has_forgotten(const struct identity *identity, uint64_t seq);

void identity_remember(struct identity *identity, uint64_t seq, uint64_t journal_seq);

#endif
