/*
 * Sees in the nodes what no client is told: where the log has each write, and which write of whom a
 * forwarded one is. The engine's hooks tell it (engine/engine.h); it changes nothing.
 *
 * A write is known by its shard and the identity under which it was transmitted, session and
 * sequence number; a relaxed one, once a node has accepted it, by shard, node and journal seq.
 */
#ifndef POLLUX_TESTS_SIM_WITNESS_H
#define POLLUX_TESTS_SIM_WITNESS_H

#include "engine/engine.h"
#include "tests/sim/draw.h"
#include "tests/sim/history.h"

#define WITNESS_NEW_ERA 0x100u

/* What a name stands for: a table of names, open addressing. */
struct witness_name {
    uint32_t shard; /* and WITNESS_NEW_ERA: the sessions of two eras may have the same numbers */
    uint64_t high;  /* session; node */
    uint64_t low;   /* sequence number; journal seq */
    uint32_t op;    /* number in the history, plus one; 0: free */
    bool is_void;   /* relaxed: of a storage that was set back, so it must not take effect */
};

struct witness_names {
    struct witness_name *places;
    uint32_t capacity;
    uint32_t count;
};

/* A write took effect, or its node has dropped it. */
struct witness_note {
    uint32_t op;
    uint32_t shard; /* in whose log */
    uint32_t within;
    uint64_t index;
    bool is_void;
    bool is_revoked; /* it was dropped instead; there is no index */
};

/* A journal seq as the judges see it: the series in the order in which they accepted their first
 * write, then the seq. */
#define WITNESS_SEQ_BITS     52
#define WITNESS_SERIES_MAX   2046
#define WITNESS_SET_BACK_MAX 1024

struct witness;

/* What the engines of one shard tell. */
struct witness_ear {
    struct witness *witness;
    uint32_t shard;
};

struct witness {
    struct witness_ear ears[SIM_SHARDS_MAX];
    uint32_t new_nodes[SIM_SHARDS_MAX]; /* bits: nodes of the era that a rescue began */
    struct witness_names identities;
    struct witness_names accepted;
    struct witness_note *notes; /* of the turn under way */
    uint32_t note_count;
    uint32_t note_capacity;
    uint16_t node;                           /* whose turn it is; 0: nobody's */
    uint64_t set_back[WITNESS_SET_BACK_MAX]; /* series of storages that lack a start of their own */
    uint32_t set_back_count;
    uint64_t series[WITNESS_SERIES_MAX];
    uint32_t series_count;
};

void witness_init(struct witness *witness);
void witness_deinit(struct witness *witness);

/* The operation that `name` has is, or will be, transmitted under its shard, session and sequence
 * number. */
void witness_name_op(struct witness *witness, const struct witness_name *name);

/*
 * At the end: tells the history under which journal seqs the log has relaxed writes whose clients
 * were never told. One that never came into the log may have been lost before it was durable, and
 * its seq been given to another.
 */
void witness_tell(const struct witness *witness, struct history *history);

/* The storage of this birth was set back to a state before its last start: what it accepts from
 * here on takes no effect. */
void witness_set_back(struct witness *witness, uint64_t birth);

/* The number by which the judges know a journal seq of a series. */
uint64_t witness_number(struct witness *witness, uint64_t series, uint64_t seq);

/* The lane of the node (from 1) runs from here on; its notes are those of this turn. */
void witness_begin(struct witness *witness, uint16_t node);
void witness_end(struct witness *witness);

/* What the engines of a shard are given. */
struct engine_hooks witness_hooks(struct witness *witness, uint32_t shard);

#endif
