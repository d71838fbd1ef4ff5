/*
 * What a client asks a node about itself: hello, status with counters, and the operator's request
 * to hand leadership over. The layouts are at the head of wire/wire_hello.c.
 *
 * Pure; any thread. Decoding borrows from the bytes; outputs are untouched on an error. Encoding
 * writes nothing where the writer has no room.
 */
#ifndef POLLUX_WIRE_WIRE_HELLO_H
#define POLLUX_WIRE_WIRE_HELLO_H

#include "base/error.h"
#include "base/limits.h"
#include "base/span.h"
#include "wire/wire_writer.h"

struct wire_hello {
    uint64_t nonce;
    bool is_padded; /* to the size of its answer: who has not proven his address gets it, then */
};

/* What a node is in its Raft group. */
enum wire_role {
    WIRE_ROLE_FOLLOWER,
    WIRE_ROLE_PRE_CANDIDATE,
    WIRE_ROLE_CANDIDATE,
    WIRE_ROLE_LEADER,
};

/* How a node's storage belongs to its shard. */
enum wire_membership {
    WIRE_NO_MEMBER,
    WIRE_LEARNER,
    WIRE_VOTER,
    WIRE_INCOMING,
    WIRE_OUTGOING,
    WIRE_NO_CLUSTER, /* it knows no configuration */
    WIRE_SET_BACK,   /* to an earlier state of its own: it takes part in nothing */
    WIRE_ERA_OVER,   /* the cluster was put together anew without it: nor does it */
};

struct wire_hello_reply {
    uint64_t nonce;
    uint64_t incarnation;
    uint64_t term;
    uint64_t applied_index;
    uint64_t commit_index;
    uint64_t last_index;
    uint64_t contact_age_us;
    uint64_t journal_done_seq; /* as in wire_reply, and series with it */
    uint64_t series;
    bool is_series_alone;
    uint64_t session_ttl_ns; /* of log time without a request; not 0 */
    uint16_t node;
    uint16_t leader;
    uint16_t node_count;
    uint16_t shard_count;  /* of the cluster: 1 .. SHARDS_MAX */
    uint16_t lane;         /* of this node, on which the addressed shard lives */
    uint16_t lane_count;   /* of this node: 1 .. LANES_MAX */
    uint8_t role;          /* enum wire_role */
    bool has_fresh_quorum; /* a settled leader with a fresh quorum: writes may be sent here */
    bool is_suspect;
    uint8_t granularity; /* enum medium_granularity of the log */
    bool is_emulated;
    uint8_t membership; /* enum wire_membership, of the storage */
    uint64_t cluster;   /* number that the shard drew when it formed; 0: the storage knows none */
    uint32_t era;       /* of it; low half */
    uint64_t configuration_index; /* of the record in force; 0: none */
};

/* WIRE_STATUS has an empty body; the reply is a hello reply followed by named counters. */
struct wire_counter {
    struct span name; /* in the decoded bytes */
    uint64_t value;
};

void wire_hello_encode(struct wire_writer *writer, const struct wire_hello *hello);
MUST_USE enum error wire_hello_decode(struct span bytes, struct wire_hello *ret_hello);
void wire_hello_reply_encode(struct wire_writer *writer, const struct wire_hello_reply *reply);
MUST_USE enum error wire_hello_reply_decode(struct span bytes, size_t *ret_end,
                                            struct wire_hello_reply *ret_reply);
/* `name` has 1 .. 63 characters (CHECK). */
void wire_counter_add(struct wire_writer *writer, const char *name, uint64_t value);
MUST_USE enum error wire_counter_decode(struct span bytes, size_t *cursor,
                                        struct wire_counter *ret_counter);

/* WIRE_TRANSFER: number, target voter id (0: whoever is furthest). Answered with a wire_reply. */
void wire_transfer_encode(struct wire_writer *writer, uint64_t number, uint16_t target);
MUST_USE enum error wire_transfer_decode(struct span bytes, uint64_t *ret_number,
                                         uint16_t *ret_target);

#endif
