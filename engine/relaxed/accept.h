/* Relaxed writes from their arrival to the log's decision: see engine/relaxed/accept.c. */
#ifndef POLLUX_ENGINE_RELAXED_ACCEPT_H
#define POLLUX_ENGINE_RELAXED_ACCEPT_H

#include "base/address.h"
#include "engine/relaxed/pending_writes.h"
#include "engine/relaxed/relaxed_sessions.h"
#include "engine/relaxed/skip.h"
#include "engine/state/request.h"

struct engine;
struct engine_options;

/* Relaxed writes whose clients wait for durability. */
#define RELAXED_WAITERS_MAX 4096
#define RELAXED_ACKS_MAX    (16 * RELAXED_WAITERS_MAX)

/* What an op of theirs will be answered. */
struct relaxed_ack {
    uint64_t seq;
    uint64_t journal_seq; /* 0: forgotten */
    uint8_t outcome;
};

struct relaxed_waiter {
    struct address from;
    uint64_t packet_number;
    uint64_t last_seq; /* journal seq that must be durable */
    uint16_t op_count; /* its sets: so many acks, in order */
};

struct relaxed {
    bool is_open; /* there is a journal */
    struct pending_writes writes;
    struct relaxed_sessions sessions;
    uint64_t next_seq; /* to be given; it only rises */
    struct skip skip;
    uint64_t durable_seq;
    uint64_t restored_seq;
    uint64_t revoked_seq; /* newest number that was revoked, or noted as such: revoke.c; 0: none */
    uint64_t revoked_first;         /* oldest of those that the log may not have decided */
    struct relaxed_waiter *waiters; /* a ring */
    uint64_t waiters_head;
    uint64_t waiters_tail;
    struct relaxed_ack *acks; /* a ring */
    uint64_t acks_head;
    uint64_t acks_tail;
    uint8_t *message; /* MESSAGE_SIZE_BYTES_MAX: a journal entry, or a batch to forward */
    uint8_t *value;   /* VALUE_SIZE_BYTES_MAX */
    struct op ops[REQUEST_OPS_MAX]; /* of what `message` holds, or of an entry found at the start */
};

size_t relaxed_arena_bytes(const struct engine_options *options);
MUST_USE enum error relaxed_init(struct engine *engine, struct arena *arena);
void relaxed_deinit(struct engine *engine);
/* A relaxed write of a client, whose request is decoded. */
void relaxed_write(struct engine *engine, const struct address *from,
                   const struct wire_write *write, const struct request *request);
/* Lets go of what the applied records have decided. */
void relaxed_follow_decided(struct engine *engine);
/* This storage is a member: what it accepts may go into the log. */
bool relaxed_is_series_open(const struct engine *engine);
/* And no relaxed write of an earlier storage of this node will apply any more. */
bool relaxed_is_series_alone(const struct engine *engine);
/* The journal may lack entries, and what they had accepted may apply yet. */
bool relaxed_is_after_loss(const struct engine *engine);
/* A cancel of writes of this node, of this key, has applied: they are hidden. */
void relaxed_overrule(struct engine *engine, struct span key, uint64_t hash);
/* A snapshot took the place of the state: what it knows to be decided is pending no more, what it
 * knows to be cancelled is hidden. */
void relaxed_installed(struct engine *engine);
/* The pending entry of a key, in the store of the pending writes; NULL: none. Any thread. */
struct store_entry *relaxed_lookup(const struct engine *engine, struct span key, uint64_t hash);

#endif
