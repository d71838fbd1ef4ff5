/*
 * Relaxed writes of a handle that were acknowledged and may still be pending on their node: by key
 * the newest of each series, found by a hash; by node all of them in the order of their seqs. A
 * series is the numbers of one storage of a node (wire_series). Those of a storage that the node
 * has no more are kept apart, until the node says that they cannot apply any more. No
 * operation looks at more entries than its own key has nodes, and no reply at more than it ends,
 * however many are remembered. Memory: of the handle's arena. Owner: whoever holds the mutex.
 */
#ifndef POLLUX_CLIENT_PENDING_H
#define POLLUX_CLIENT_PENDING_H

#include "base/arena.h"
#include "base/limits.h"
#include "client/include/pollux.h"
#include "client/roster.h"
#include "wire/wire.h"

/* A key may be pending on more nodes than a cluster has, where they were replaced one by one. */
#define PENDING_NODES_MAX 32
#define CANCELS_MAX       (PENDING_NODES_MAX + ENDPOINTS_MAX) /* with those on their way */
static_assert(CANCELS_MAX < REQUEST_OPS_MAX, "an operation and its cancels make one request");

#define PENDING_NONE UINT32_MAX

struct op;
struct shard_state;

/* Relaxed writes of one key and series that were acknowledged, or ended as unknown, and are not
 * known to be decided. */
struct pending {
    uint64_t hash;
    uint64_t newest;       /* journal seq, or the end of the range of one that ended as unknown */
    uint64_t series;       /* of it */
    uint64_t stamp;        /* rises with every acknowledgement */
    uint32_t next_in_hash; /* or in the list of free entries; PENDING_NONE: the last */
    uint32_t older;        /* in the order of its shard and node */
    uint32_t newer;
    uint16_t node;
    uint16_t key_size_bytes;
    uint8_t key[KEY_SIZE_BYTES_MAX];
};

/* Entries of one shard and node. PENDING_NONE: there are none. */
struct pending_list {
    uint32_t oldest;
    uint32_t newest;
};

struct pending_order {
    uint64_t series;          /* that the node has now; 0: not known */
    uint64_t given;           /* of it: no number up to this one is given any more */
    uint64_t unknown_end;     /* of it: the end of the ranges of what ended as unknown */
    struct pending_list now;  /* of it, by their newest seq */
    struct pending_list lost; /* of others, in no order */
};

/* What a node says of its relaxed writes of a shard. */
struct pending_news {
    uint64_t series;
    uint64_t done_seq; /* they are decided up to this one */
    bool is_alone;     /* those of its other series never apply any more */
};

struct pending_table {
    struct pending *entries;
    uint32_t *buckets; /* entries whose hashes are equal modulo their number, a power of two */
    uint32_t bucket_count;
    uint32_t first_free;
    uint32_t count;
    uint64_t stamp;
    uint64_t seed;  /* of the hashes: nobody chooses keys of one bucket */
    uint64_t steps; /* entries looked at so far, for the tests */
};

size_t pending_arena_bytes(uint32_t keys_max);
void pending_init(struct pending_table *table, struct arena *arena, uint32_t keys_max);
/* Those of a shard, by node: no entries yet. */
void pending_orders_init(struct pending_order orders[VOTER_ID_MAX + 1]);
/* Whether one more relaxed write of this key through the node could be remembered. */
bool pending_has_room(struct plx_client *client, const struct op *op, uint16_t node);
/* Of the series at this node. */
void pending_remember(struct plx_client *client, const struct op *op, uint16_t node,
                      uint64_t series, uint64_t seq);
/* It ended as unknown: it may be accepted under any number of its range, also later. */
void pending_remember_unknown(struct plx_client *client, const struct op *op);
/* The floor of a request with these relaxed writes to that endpoint; they note the range. What
 * ended as unknown is below it. A recall has the range of what it asks for. */
uint64_t pending_floor(const struct shard_state *shard, uint32_t endpoint, struct op *const *ops,
                       uint32_t count, bool is_recall);
/* The node says that no number of the series up to this one is given any more. */
void pending_given(struct plx_client *client, struct shard_state *shard, uint16_t node,
                   uint64_t series, uint64_t seq);
/* The node has given all numbers of the range: what it has not accepted of it, it never will. */
bool pending_is_passed(const struct op *op);
/* Asks the node to pass the ranges of what ended as unknown there: else it could take long until
 * that is known to be decided. */
void pending_probe(struct plx_client *client, struct shard_state *shard, uint32_t endpoint);
/* Whether one of those that are decided was of this handle. */
bool pending_done(struct plx_client *client, struct shard_state *shard, uint16_t node,
                  const struct pending_news *news);
/* The write took effect: what it cancelled can never apply any more. Whether there was any. */
bool pending_overruled(struct plx_client *client, const struct op *op);
/* Whether a write of the key is pending on another node than this one. */
bool pending_elsewhere(struct plx_client *client, struct plx_bytes key, uint16_t node);
/* Asks the nodes on which writes of its key are pending whether they still are. */
void pending_ask(struct plx_client *client, const struct op *op);
/* Asks every node on which writes are pending. */
void pending_ask_all(struct plx_client *client);
/* The cancels that the operation carries; how many there are. */
uint32_t pending_cancels(struct plx_client *client, const struct op *op,
                         struct wire_op ret_cancels[CANCELS_MAX]);

/* Whether writes are remembered of another storage than the node has now. */
bool pending_has_lost(const struct shard_state *shard, uint16_t node);
/* Whether writes of the shard are pending on the node. */
bool pending_is_on(const struct shard_state *shard, uint16_t node);

#endif
