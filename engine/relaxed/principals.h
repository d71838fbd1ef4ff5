/*
 * Whose the pending writes are. A principal is the name of a client's key, and the generation of
 * the key. Each principal with pending writes here has a place, by which the writes name it; so a
 * write takes two bytes for it, and names are compared as they are: nobody can make another name be
 * taken for his.
 *
 * Place 0 is of nobody: writes without a key, of the root key, and those that an entry of a journal
 * of format 0 has (base/format.h).
 *
 * A principal that is to be noted in the journal as dropped keeps its place until it is.
 *
 * Owner: one thread.
 */
#ifndef POLLUX_ENGINE_RELAXED_PRINCIPALS_H
#define POLLUX_ENGINE_RELAXED_PRINCIPALS_H

#include "base/arena.h"
#include "base/limits.h"
#include "base/siphash.h"
#include "base/span.h"

#include <stdbool.h>
#include <stdint.h>

/* Principals whose writes are pending on a node, in one shard; and those that a restart may
 * find. */
#define PRINCIPALS_MAX      512u
#define PRINCIPALS_CAPACITY (2 * PRINCIPALS_MAX)

#define PRINCIPAL_NONE 0u

struct principal {
    uint64_t writes; /* that name it */
    uint32_t generation;
    uint16_t next; /* of its bucket, or of the free places; 0: none */
    uint8_t name_bytes;
    bool is_revoked; /* its writes are about to be dropped */
    bool is_owed;    /* to be noted in the journal as dropped */
    uint8_t name[KEY_NAME_BYTES_MAX];
};

struct principals {
    struct principal *places; /* PRINCIPALS_CAPACITY + 1 */
    uint16_t *buckets;        /* PRINCIPALS_CAPACITY; by the name alone */
    struct siphash_key hash_key;
    uint16_t free;
    uint32_t count; /* of the places in use */
    uint32_t owed;
};

size_t principals_arena_bytes(void);
void principals_init(struct principals *all, struct arena *arena,
                     const struct siphash_key *hash_key);

/* PRINCIPAL_NONE: it has no place, or the name is empty. */
uint16_t principals_find(const struct principals *all, struct span name, uint32_t generation);

/* The place of a name that is not empty, a new one if it has none. PRINCIPAL_NONE: `max` places, at
 * most PRINCIPALS_CAPACITY, are in use. A new place ends with principals_leave. */
uint16_t principals_take(struct principals *all, struct span name, uint32_t generation,
                         uint32_t max);

/* One write more names it, or one less: the last gives the place back. */
void principals_hold(struct principals *all, uint16_t place);
void principals_release(struct principals *all, uint16_t place);
/* Gives the place back where nothing names it. */
void principals_leave(struct principals *all, uint16_t place);

/* What it has written is to be dropped, and that to be noted; it is dropped; it is noted. */
void principals_revoke(struct principals *all, uint16_t place);
void principals_revoked(struct principals *all, uint16_t place);
void principals_pay(struct principals *all, uint16_t place);

/* The next place in use behind this one (PRINCIPAL_NONE: the first) whose name this is, whatever
 * its generation; PRINCIPAL_NONE: none. */
uint16_t principals_next_named(const struct principals *all, uint16_t place, struct span name);
/* The first place from here on that is owed; PRINCIPAL_NONE: none. */
uint16_t principals_next_owed(const struct principals *all, uint16_t from);

static inline struct span principal_name(const struct principals *all, uint16_t place)
{
    return span_of(all->places[place].name, all->places[place].name_bytes);
}

/* Aborts (CHECK) where the places contradict each other; `writes` name some. */
void principals_check_invariants(const struct principals *all, uint64_t writes);

#endif
