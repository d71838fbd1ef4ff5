/*
 * One shard of the cluster as a handle sees it: its members and its leader, the handle's sessions
 * and packet numbers in it, and the newest write of it that the handle has seen. A shard is opened
 * by the first operation that needs it; what is not used costs nothing and is never looked at.
 *
 * The number of shards is learned from the first reply to a hello, of shard 0, which every cluster
 * has. Until then operations wait, and PLX_TIMEOUT of them is certain: nothing was transmitted.
 *
 * Owner: whoever holds the mutex of the handle.
 */
#ifndef POLLUX_CLIENT_SHARD_STATE_H
#define POLLUX_CLIENT_SHARD_STATE_H

#include "client/member.h"
#include "client/op.h"
#include "client/pending.h"
#include "client/roster.h"
#include "client/session.h"
#include "client/transmission.h"

struct shard_state {
    uint16_t number;
    bool is_open;

    struct member members[ENDPOINTS_MAX]; /* of the endpoints, in their order */
    uint32_t preferred;                   /* endpoint of relaxed calls */
    bool is_preferred_sought;             /* it was silent, and nobody has answered since */
    bool is_preferred_silent;             /* it left something unanswered in this turn */
    int32_t last_leader;                  /* endpoint; -1: none known */
    uint64_t last_leader_term;
    bool needs_leader; /* somebody waits for one */
    uint64_t hello_due_ns;
    uint64_t hello_interval_ns;
    uint64_t hello_begin_ns; /* of the search */
    uint32_t hello_rounds;

    struct session sessions[SESSIONS_MAX]; /* the first is the one in use */
    uint64_t relaxed_identity;
    uint64_t relaxed_seq;
    uint64_t relaxed_floor; /* no relaxed write under way has a lower seq */
    uint64_t relaxed_end_due_ns;
    uint32_t relaxed_end_attempts;
    struct pending_order pending_orders[VOTER_ID_MAX + 1]; /* by node */
    uint64_t seen_index; /* the newest write that an answer showed */

    /* Rises by one with each packet of the shard, so that the window in which nodes tell repeated
     * packets from new ones is never left because of other shards. */
    uint64_t packet_number;
    struct transmission *transmissions;       /* TRANSMISSIONS_MAX */
    struct transmission_op *transmission_ops; /* TRANSMISSION_OPS_MAX */
    uint64_t transmission_ops_end;            /* position behind the newest */
    struct round_trip round_trips[2];         /* of writes, of reads */
    uint64_t greeting_ns;                     /* round trip of the newest hello; 0: none */

    uint32_t due_first[CLASS_COUNT]; /* transmit_due: operations to be sent; OP_NONE: none */
    uint32_t due_last[CLASS_COUNT];
};

size_t shards_arena_bytes(void);
/* SHARDS_MAX of them, none open. */
struct shard_state *shards_take(struct arena *arena);
/* Opens shard 0, which tells how many there are. */
void shards_init(struct plx_client *client);
/* The shard of this number (below SHARDS_MAX), opened if it was not. */
struct shard_state *shard_open(struct plx_client *client, uint16_t number);
/* NULL: it is not open. */
struct shard_state *shard_find(struct plx_client *client, uint16_t number);
/* Somebody waits for the number of shards: it is sought from now on. */
void shard_count_wanted(struct plx_client *client);
/* A node says how many there are. The first answer counts; another one is counted as wrong. */
void shard_count_told(struct plx_client *client, uint16_t shard_count);
/* False: there is no such shard, as far as is known by now. */
bool shard_is_possible(const struct plx_client *client, uint32_t number);

#endif
