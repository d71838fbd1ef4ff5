/*
 * Relaxed writes of this handle that were acknowledged, or ended as unknown, and may still be
 * pending on their node. A later write of the same key by the handle must not be overwritten by one
 * of them, so it carries a cancel for each node that has some, unless it goes through that node
 * relaxed, which keeps the order itself. A cancel is of all that its node accepted from the handle
 * for the key up to the seq it names: the newest seq is all there is to remember, or the end of the
 * range of numbers that an unknown one may get.
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
        orders[node] = (struct pending_order){.now = {PENDING_NONE, PENDING_NONE},
                                              .lost = {PENDING_NONE, PENDING_NONE}};
}

bool pending_is_on(const struct shard_state *shard, uint16_t node)
{
    return node <= VOTER_ID_MAX && (shard->pending_orders[node].now.oldest != PENDING_NONE ||
                                    shard->pending_orders[node].lost.oldest != PENDING_NONE);
}

bool pending_has_lost(const struct shard_state *shard, uint16_t node)
{
    return node <= VOTER_ID_MAX && shard->pending_orders[node].lost.oldest != PENDING_NONE;
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

static void order_raise(uint64_t *value, uint64_t other)
{
    if (*value < other)
        *value = other;
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

/* `series` 0: any of the node. */
static struct pending *pending_find(struct plx_client *client, struct plx_bytes key, uint16_t node,
                                    uint64_t series)
{
    struct pending_walk walk = pending_walk_begin(&client->pending, key);
    struct pending *pending = pending_walk_next(&walk);
    while (pending != NULL && (pending->node != node || (series != 0 && pending->series != series)))
        pending = pending_walk_next(&walk);
    return pending;
}

/* Where the entry belongs. */
static struct pending_list *pending_list_of(struct shard_state *shard,
                                            const struct pending *pending)
{
    struct pending_order *order = &shard->pending_orders[pending->node];
    return pending->series == order->series ? &order->now : &order->lost;
}

/* Out of the list. */
static void pending_unlink(struct pending_table *table, struct pending_list *order,
                           const struct pending *pending)
{
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
 * Into a list by seq. What is newer was under way together with it, as no relaxed write
 * leaves that is a window ahead of one under way: so few entries are passed, however many there
 * are.
 */
static void pending_link(struct pending_table *table, struct pending_list *order,
                         struct pending *pending, bool is_sorted)
{
    uint32_t at = (uint32_t)(pending - table->entries);
    uint32_t older = order->newest;
    uint32_t newer = PENDING_NONE;
    while (is_sorted && older != PENDING_NONE && table->entries[older].newest > pending->newest) {
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

static struct pending *pending_add(struct pending_table *table, struct plx_bytes key, uint16_t node,
                                   uint64_t series)
{
    uint64_t hash = pending_hash(table, key);
    uint32_t *bucket = pending_bucket(table, hash);
    uint32_t at = table->first_free;
    struct pending *pending = &table->entries[at];
    /* Entries that were never used lie behind those that were, each the next of the one before. */
    table->first_free = pending->stamp == 0 ? at + 1 : pending->next_in_hash;
    *pending = (struct pending){.hash = hash,
                                .series = series,
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
    pending_unlink(table, pending_list_of(shard, pending), pending);
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
    if (pending_find(client, op->request.key, node, 0) != NULL)
        return true;
    return client->pending.count < client->options.relaxed_keys_max &&
           pending_nodes(client, op->request.key) < PENDING_NODES_MAX;
}

static void pending_place(struct pending_table *table, struct shard_state *shard,
                          struct pending *pending)
{
    struct pending_list *list = pending_list_of(shard, pending);
    pending_link(table, list, pending, list == &shard->pending_orders[pending->node].now);
}

/* What was written may be pending on the node, up to that number. */
static void pending_note(struct plx_client *client, const struct op *op, uint16_t node,
                         uint64_t series, uint64_t seq)
{
    struct pending_table *table = &client->pending;
    struct pending *pending = pending_find(client, op->request.key, node, series);
    if (pending != NULL) {
        pending_unlink(table, pending_list_of(op->shard, pending), pending);
    } else {
        /* Room for a whole window lies beyond the bound that was checked when they were sent. */
        CHECK(table->count < pending_capacity(client->options.relaxed_keys_max));
        pending = pending_add(table, op->request.key, node, series);
    }
    if (pending->newest < seq)
        pending->newest = seq;
    pending->stamp = ++table->stamp;
    pending_place(table, op->shard, pending);
}

void pending_remember(struct plx_client *client, const struct op *op, uint16_t node,
                      uint64_t series, uint64_t seq)
{
    struct pending_order *order = &op->shard->pending_orders[node];
    pending_note(client, op, node, series, seq);
    if (order->series == series)
        order_raise(&order->given, seq);
}

void pending_remember_unknown(struct plx_client *client, const struct op *op)
{
    const struct member *member = op->endpoint < 0 ? NULL : &op->shard->members[op->endpoint];
    if (op->series == 0 || op->range_end == 0)
        return; /* a program of before: it has told no series, and can be told no range */
    if (member != NULL && member->series == op->series && op->range_end <= member->journal_done_seq)
        return; /* all of the range is decided, and nobody says so again */
    struct pending_order *order = &op->shard->pending_orders[op->node];
    pending_note(client, op, op->node, op->series, op->range_end);
    if (order->series == op->series)
        order_raise(&order->unknown_end, op->range_end);
}

/*
 * Numbers that the node has given, and those of writes that ended as unknown, are below the floor.
 * Where the node's series is not known yet the floor is below all numbers: the node refuses what is
 * sent, and tells the newest.
 */
static uint64_t write_floor(const struct shard_state *shard, const struct member *member)
{
    const struct pending_order *order = &shard->pending_orders[member->node];
    uint64_t floor = 1;
    if (order->series == member->series_now) {
        order_raise(&floor, order->given);
        order_raise(&floor, order->unknown_end);
    }
    return floor;
}

static uint64_t recall_floor(const struct member *member, struct op *const *ops, uint32_t count)
{
    uint64_t end = WIRE_RELAXED_SPAN;
    for (uint32_t i = 0; i < count; i++) {
        if (ops[i]->incarnation == member->incarnation)
            order_raise(&end, ops[i]->range_end);
    }
    return end - WIRE_RELAXED_SPAN;
}

uint64_t pending_floor(const struct shard_state *shard, uint32_t endpoint, struct op *const *ops,
                       uint32_t count, bool is_recall)
{
    const struct member *member = &shard->members[endpoint];
    if (is_recall)
        return recall_floor(member, ops, count);
    uint64_t floor = write_floor(shard, member);
    for (uint32_t i = 0; i < count; i++) {
        ops[i]->node = member->node;
        ops[i]->series = member->series_now;
        order_raise(&ops[i]->range_end, floor + WIRE_RELAXED_SPAN);
    }
    return floor;
}

bool pending_is_passed(const struct op *op)
{
    const struct pending_order *order = &op->shard->pending_orders[op->node];
    return order->series == op->series && order->given >= op->range_end;
}

/* Another storage of the node: all entries are sorted anew. That happens when a storage is lost, or
 * comes back. */
static void series_changed(struct pending_table *table, struct pending_order *order,
                           uint64_t series)
{
    struct pending_list lists[2] = {order->now, order->lost};
    *order = (struct pending_order){.series = series,
                                    .now = {PENDING_NONE, PENDING_NONE},
                                    .lost = {PENDING_NONE, PENDING_NONE}};
    for (uint32_t i = 0; i < 2; i++) {
        while (lists[i].oldest != PENDING_NONE) {
            struct pending *pending = &table->entries[lists[i].oldest];
            bool is_now = pending->series == series;
            lists[i].oldest = pending->newer;
            pending_link(table, is_now ? &order->now : &order->lost, pending, is_now);
            if (is_now)
                order_raise(&order->unknown_end, pending->newest);
        }
    }
}

bool pending_done(struct plx_client *client, struct shard_state *shard, uint16_t node,
                  const struct pending_news *news)
{
    struct pending_table *table = &client->pending;
    struct pending_order *order = &shard->pending_orders[node];
    bool is_own = false;
    if (order->series != news->series)
        series_changed(table, order, news->series);
    order_raise(&order->given, news->done_seq);
    while (order->now.oldest != PENDING_NONE &&
           table->entries[order->now.oldest].newest <= news->done_seq) {
        pending_drop(table, shard, &table->entries[order->now.oldest]);
        table->steps++;
        is_own = true;
    }
    while (news->is_alone && order->lost.oldest != PENDING_NONE) {
        pending_drop(table, shard, &table->entries[order->lost.oldest]);
        table->steps++;
        is_own = true;
    }
    return is_own;
}

void pending_given(struct plx_client *client, struct shard_state *shard, uint16_t node,
                   uint64_t series, uint64_t seq)
{
    struct pending_order *order = &shard->pending_orders[node];
    if (order->series != series)
        series_changed(&client->pending, order, series);
    order_raise(&order->given, seq);
}

/* A recall of a write that nobody sends. */
static struct span probe_encode(struct plx_client *client, const struct shard_state *shard,
                                uint32_t endpoint, uint64_t number, struct wire_writer *body)
{
    const struct member *member = &shard->members[endpoint];
    const struct pending_order *order = &shard->pending_orders[member->node];
    const struct pending *newest = &client->pending.entries[order->now.newest];
    uint8_t inner[KEY_SIZE_BYTES_MAX + 128];
    struct wire_writer writer = {.data = inner, .capacity_bytes = sizeof(inner)};
    wire_request_begin(&writer, shard->relaxed_identity, order->unknown_end - WIRE_RELAXED_SPAN);
    wire_request_add(&writer,
                     &(struct wire_op){.type = WIRE_OP_SET,
                                       .seq = INT64_MAX,
                                       .key = span_of(newest->key, newest->key_size_bytes)});
    CHECK(!writer.is_overflow);
    wire_write_encode(body, &(struct wire_write){.packet_number = number,
                                                 .incarnation = member->incarnation,
                                                 .is_relaxed = true,
                                                 .is_recall = true,
                                                 .request = span_of(inner, writer.size_bytes)});
    return span_of(body->data, body->size_bytes);
}

void pending_probe(struct plx_client *client, struct shard_state *shard, uint32_t endpoint)
{
    const struct member *member = &shard->members[endpoint];
    const struct pending_order *order = &shard->pending_orders[member->node];
    if (member->incarnation == 0 || order->series != member->series_now ||
        order->unknown_end <= order->given || order->now.newest == PENDING_NONE)
        return;
    uint8_t bytes[KEY_SIZE_BYTES_MAX + 256];
    struct wire_writer body = {.data = bytes, .capacity_bytes = sizeof(bytes)};
    struct transmission *transmission = transmission_new(client, shard, endpoint);
    transmission->kind = TRANSMISSION_PROBE;
    packet_send(client, &(struct source){endpoint, shard->number, 0}, WIRE_WRITE,
                probe_encode(client, shard, endpoint, transmission->number, &body));
}

bool pending_overruled(struct plx_client *client, const struct op *op)
{
    bool is_any = false;
    struct pending_walk walk = pending_walk_begin(&client->pending, op->request.key);
    struct pending *pending = pending_walk_next(&walk);
    while (pending != NULL) {
        /* The link to the next lies in the entry itself: it is followed before that is dropped. */
        struct pending *next = pending_walk_next(&walk);
        /* What was acknowledged after the write was first sent may have been without its cancel. */
        if (pending->stamp <= op->pending_stamp) {
            pending_drop(&client->pending, op->shard, pending);
            is_any = true;
        }
        pending = next;
    }
    return is_any;
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
    for (uint32_t i = 0; i < client->open_count * client->reach_count; i++) {
        struct shard_state *shard = shard_at(client, i / client->reach_count);
        uint16_t node = shard->members[i % client->reach_count].node;
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
    uint64_t own_series = op->shard->pending_orders[own].series;
    struct pending_walk walk = pending_walk_begin(&client->pending, op->request.key);
    for (const struct pending *pending = pending_walk_next(&walk);
         pending != NULL && count < CANCELS_MAX; pending = pending_walk_next(&walk)) {
        if (pending->node != own || pending->series != own_series)
            ret_cancels[count++] = (struct wire_op){.type = WIRE_OP_CANCEL,
                                                    .node = pending->node,
                                                    .series = pending->series,
                                                    .tag = wire_tag(op->shard->relaxed_identity),
                                                    .seq = pending->newest};
    }
    return count;
}
