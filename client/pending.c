/*
 * Relaxed writes of this handle that were acknowledged and may still be pending on their node. A
 * later write of the same key by the handle must not be overwritten by one of them, so it carries a
 * cancel for each node that has some, unless it goes through that node relaxed, which keeps the
 * order itself. A cancel is of all that its node accepted from the handle for the key up to the seq
 * it names: the newest seq is all there is to remember.
 */
#include "client/client_internal.h"

/* Beyond the keys that are remembered: room for what a whole window acknowledges. */
static uint32_t pending_capacity(uint32_t keys_max)
{
    return keys_max + PLX_WINDOW_MAX;
}

static uint32_t pending_bucket_count(uint32_t keys_max)
{
    uint32_t count = 1;
    while (count < pending_capacity(keys_max))
        count *= 2;
    return count;
}

size_t pending_arena_bytes(uint32_t keys_max)
{
    return pending_capacity(keys_max) * sizeof(struct pending) +
           pending_bucket_count(keys_max) * sizeof(uint32_t) + 128;
}

void pending_init(struct pending_table *table, struct arena *arena, uint32_t keys_max)
{
    uint32_t capacity = pending_capacity(keys_max);
    table->bucket_count = pending_bucket_count(keys_max);
    table->entries = arena_take(arena, capacity * sizeof(struct pending), 64);
    table->buckets = arena_take(arena, table->bucket_count * sizeof(uint32_t), 64);
    table->first_free = 0;
    memset(table->buckets, 0xff, table->bucket_count * sizeof(uint32_t));
}

void pending_orders_init(struct pending_order orders[VOTER_ID_MAX + 1])
{
    for (uint32_t node = 0; node <= VOTER_ID_MAX; node++)
        orders[node] = (struct pending_order){PENDING_NONE, PENDING_NONE};
}

bool pending_is_on(const struct shard_state *shard, uint16_t node)
{
    return node <= VOTER_ID_MAX && shard->pending_orders[node].oldest != PENDING_NONE;
}

/* FNV-1a, folded: its upper bits tell keys apart better than its lowest. */
static uint64_t pending_hash(const struct pending_table *table, struct plx_bytes key)
{
    const uint8_t *bytes = key.data;
    uint64_t hash = UINT64_C(0xcbf29ce484222325) ^ table->seed;
    for (size_t i = 0; i < key.size_bytes; i++)
        hash = (hash ^ bytes[i]) * UINT64_C(0x100000001b3);
    return hash ^ hash >> 32;
}

static uint32_t *pending_bucket(struct pending_table *table, uint64_t hash)
{
    return &table->buckets[hash & (table->bucket_count - 1)];
}

/* The first entry of the key at or behind this link of a bucket. */
static uint32_t *pending_seek(struct pending_table *table, uint32_t *link, struct plx_bytes key,
                              uint64_t hash)
{
    for (; *link != PENDING_NONE; link = &table->entries[*link].next_in_hash) {
        const struct pending *pending = &table->entries[*link];
        table->steps++;
        if (pending->hash == hash && pending->key_size_bytes == key.size_bytes &&
            memcmp(pending->key, key.data, key.size_bytes) == 0)
            break;
    }
    return link;
}

/* The entries of one key, one after the other. */
struct pending_walk {
    struct pending_table *table;
    struct plx_bytes key;
    uint64_t hash;
    uint32_t *link;
};

static struct pending_walk pending_walk_begin(struct pending_table *table, struct plx_bytes key)
{
    uint64_t hash = pending_hash(table, key);
    return (struct pending_walk){table, key, hash, pending_bucket(table, hash)};
}

/* NULL: there are no more. */
static struct pending *pending_walk_next(struct pending_walk *walk)
{
    walk->link = pending_seek(walk->table, walk->link, walk->key, walk->hash);
    if (*walk->link == PENDING_NONE)
        return NULL;
    struct pending *pending = &walk->table->entries[*walk->link];
    walk->link = &pending->next_in_hash;
    return pending;
}

static struct pending *pending_find(struct plx_client *client, struct plx_bytes key, uint16_t node)
{
    struct pending_walk walk = pending_walk_begin(&client->pending, key);
    struct pending *pending = pending_walk_next(&walk);
    while (pending != NULL && pending->node != node)
        pending = pending_walk_next(&walk);
    return pending;
}

/* Out of the order of its node. */
static void pending_unlink(struct pending_table *table, struct shard_state *shard,
                           const struct pending *pending)
{
    struct pending_order *order = &shard->pending_orders[pending->node];
    if (pending->older != PENDING_NONE)
        table->entries[pending->older].newer = pending->newer;
    else
        order->oldest = pending->newer;
    if (pending->newer != PENDING_NONE)
        table->entries[pending->newer].older = pending->older;
    else
        order->newest = pending->older;
}

/*
 * Into the order of its node. What is newer was under way together with it, as no relaxed write
 * leaves that is a window ahead of one under way: so few entries are passed, however many there
 * are.
 */
static void pending_link(struct pending_table *table, struct shard_state *shard,
                         struct pending *pending)
{
    struct pending_order *order = &shard->pending_orders[pending->node];
    uint32_t at = (uint32_t)(pending - table->entries);
    uint32_t older = order->newest;
    uint32_t newer = PENDING_NONE;
    while (older != PENDING_NONE && table->entries[older].newest > pending->newest) {
        newer = older;
        older = table->entries[older].older;
        table->steps++;
    }
    pending->older = older;
    pending->newer = newer;
    if (older != PENDING_NONE)
        table->entries[older].newer = at;
    else
        order->oldest = at;
    if (newer != PENDING_NONE)
        table->entries[newer].older = at;
    else
        order->newest = at;
}

static struct pending *pending_add(struct pending_table *table, struct plx_bytes key, uint16_t node)
{
    uint64_t hash = pending_hash(table, key);
    uint32_t *bucket = pending_bucket(table, hash);
    uint32_t at = table->first_free;
    struct pending *pending = &table->entries[at];
    /* Entries that were never used lie behind those that were, each the next of the one before. */
    table->first_free = pending->stamp == 0 ? at + 1 : pending->next_in_hash;
    *pending = (struct pending){.hash = hash,
                                .next_in_hash = *bucket,
                                .node = node,
                                .key_size_bytes = (uint16_t)key.size_bytes};
    memcpy(pending->key, key.data, key.size_bytes);
    *bucket = at;
    table->count++;
    return pending;
}

static void pending_drop(struct pending_table *table, struct shard_state *shard,
                         struct pending *pending)
{
    uint32_t at = (uint32_t)(pending - table->entries);
    uint32_t *link = pending_bucket(table, pending->hash);
    for (; *link != at; link = &table->entries[*link].next_in_hash)
        table->steps++;
    *link = pending->next_in_hash;
    pending_unlink(table, shard, pending);
    pending->next_in_hash = table->first_free;
    table->first_free = at;
    table->count--;
}

/* On how many nodes writes of the key are pending. */
static uint32_t pending_nodes(struct plx_client *client, struct plx_bytes key)
{
    struct pending_walk walk = pending_walk_begin(&client->pending, key);
    uint32_t count = 0;
    while (pending_walk_next(&walk) != NULL)
        count++;
    return count;
}

bool pending_has_room(struct plx_client *client, const struct op *op, uint16_t node)
{
    if (pending_find(client, op->request.key, node) != NULL)
        return true;
    return client->pending.count < client->options.relaxed_keys_max &&
           pending_nodes(client, op->request.key) < PENDING_NODES_MAX;
}

void pending_remember(struct plx_client *client, const struct op *op, uint16_t node, uint64_t seq)
{
    struct pending_table *table = &client->pending;
    struct pending *pending = pending_find(client, op->request.key, node);
    if (pending != NULL) {
        pending_unlink(table, op->shard, pending);
    } else {
        /* Room for a whole window lies beyond the bound that was checked when they were sent. */
        CHECK(table->count < pending_capacity(client->options.relaxed_keys_max));
        pending = pending_add(table, op->request.key, node);
    }
    if (pending->newest < seq)
        pending->newest = seq;
    pending->stamp = ++table->stamp;
    pending_link(table, op->shard, pending);
}

bool pending_done(struct plx_client *client, struct shard_state *shard, uint16_t node,
                  uint64_t done_seq)
{
    struct pending_table *table = &client->pending;
    struct pending_order *order = &shard->pending_orders[node];
    bool is_own = false;
    while (order->oldest != PENDING_NONE && table->entries[order->oldest].newest <= done_seq) {
        pending_drop(table, shard, &table->entries[order->oldest]);
        table->steps++;
        is_own = true;
    }
    return is_own;
}

void pending_overruled(struct plx_client *client, const struct op *op)
{
    struct pending_walk walk = pending_walk_begin(&client->pending, op->request.key);
    struct pending *pending = pending_walk_next(&walk);
    while (pending != NULL) {
        /* The link to the next lies in the entry itself: it is followed before that is dropped. */
        struct pending *next = pending_walk_next(&walk);
        /* What was acknowledged after the write was first sent may have been without its cancel. */
        if (pending->stamp <= op->pending_stamp)
            pending_drop(&client->pending, op->shard, pending);
        pending = next;
    }
}

bool pending_elsewhere(struct plx_client *client, struct plx_bytes key, uint16_t node)
{
    struct pending_walk walk = pending_walk_begin(&client->pending, key);
    const struct pending *pending = pending_walk_next(&walk);
    while (pending != NULL && pending->node == node)
        pending = pending_walk_next(&walk);
    return pending != NULL;
}

void pending_ask(struct plx_client *client, const struct op *op)
{
    struct pending_walk walk = pending_walk_begin(&client->pending, op->request.key);
    for (const struct pending *pending = pending_walk_next(&walk); pending != NULL;
         pending = pending_walk_next(&walk))
        member_ask(client, op->shard, pending->node);
}

void pending_ask_all(struct plx_client *client)
{
    for (uint32_t i = 0; i < client->open_count * client->endpoint_count; i++) {
        struct shard_state *shard = shard_at(client, i / client->endpoint_count);
        uint16_t node = shard->members[i % client->endpoint_count].node;
        if (pending_is_on(shard, node))
            member_ask(client, shard, node);
    }
}

static bool op_may_cancel(const struct op *op)
{
    return !op_is_fence(op) && op_is_write(op);
}

/* The node that keeps the order of a relaxed write by itself; 0: none does. */
static uint16_t op_own_node(const struct op *op)
{
    return op->class == CLASS_RELAXED_WRITE && op->endpoint >= 0
               ? op->shard->members[op->endpoint].node
               : 0;
}

uint32_t pending_cancels(struct plx_client *client, const struct op *op,
                         struct wire_op ret_cancels[CANCELS_MAX])
{
    uint32_t count = 0;
    if (client->pending.count == 0 || !op_may_cancel(op))
        return 0;
    uint16_t own = op_own_node(op);
    struct pending_walk walk = pending_walk_begin(&client->pending, op->request.key);
    for (const struct pending *pending = pending_walk_next(&walk);
         pending != NULL && count < CANCELS_MAX; pending = pending_walk_next(&walk)) {
        if (pending->node != own)
            ret_cancels[count++] = (struct wire_op){.type = WIRE_OP_CANCEL,
                                                    .node = pending->node,
                                                    .tag = wire_tag(op->shard->relaxed_identity),
                                                    .seq = pending->newest};
    }
    return count;
}
