/*
 * Relaxed writes of this handle that were acknowledged and may still be pending on their node. A
 * later write of the same key by the handle must not be overwritten by one of them, so it carries a
 * cancel for each node that has some, unless it goes through that node relaxed, which keeps the
 * order itself. A cancel is of all that its node accepted from the handle for the key up to the seq
 * it names: the newest seq is all there is to remember.
 */
#include "client/client_internal.h"

/* FNV-1a, which tells keys apart well enough to compare few of them. */
static uint64_t key_hash(struct plx_bytes key)
{
    const uint8_t *bytes = key.data;
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < key.size_bytes; i++)
        hash = (hash ^ bytes[i]) * UINT64_C(0x100000001b3);
    return hash;
}

static bool pending_is_of(const struct pending *pending, struct plx_bytes key, uint64_t hash)
{
    return pending->hash == hash && pending->key_size_bytes == key.size_bytes &&
           memcmp(pending->key, key.data, key.size_bytes) == 0;
}

static struct pending *pending_find(struct plx_client *client, struct plx_bytes key, uint16_t node)
{
    uint64_t hash = key_hash(key);
    for (uint32_t i = 0; i < client->pending_count; i++) {
        struct pending *pending = &client->pending[i];
        if (pending->node == node && pending_is_of(pending, key, hash))
            return pending;
    }
    return NULL;
}

static void pending_drop(struct plx_client *client, uint32_t at)
{
    client->pending[at] = client->pending[--client->pending_count];
}

/* On how many nodes writes of the key are pending. */
static uint32_t pending_nodes(const struct plx_client *client, struct plx_bytes key)
{
    uint64_t hash = key_hash(key);
    uint32_t count = 0;
    for (uint32_t i = 0; i < client->pending_count; i++)
        count += pending_is_of(&client->pending[i], key, hash);
    return count;
}

bool pending_has_room(struct plx_client *client, const struct op *op, uint16_t node)
{
    if (pending_find(client, op->request.key, node) != NULL)
        return true;
    return client->pending_count < client->options.relaxed_keys_max &&
           pending_nodes(client, op->request.key) < PENDING_NODES_MAX;
}

void pending_remember(struct plx_client *client, const struct op *op, uint16_t node, uint64_t seq)
{
    struct plx_bytes key = op->request.key;
    struct pending *pending = pending_find(client, key, node);
    if (pending == NULL) {
        /* Room for a whole window lies beyond the bound that was checked when they were sent. */
        CHECK(client->pending_count < client->options.relaxed_keys_max + PLX_WINDOW_MAX);
        pending = &client->pending[client->pending_count++];
        *pending = (struct pending){
            .hash = key_hash(key), .node = node, .key_size_bytes = (uint16_t)key.size_bytes};
        memcpy(pending->key, key.data, key.size_bytes);
    }
    if (pending->newest < seq)
        pending->newest = seq;
    pending->stamp = ++client->pending_stamp;
}

bool pending_done(struct plx_client *client, uint16_t node, uint64_t done_seq)
{
    bool is_own = false;
    for (uint32_t i = client->pending_count; i-- > 0;) {
        if (client->pending[i].node != node || client->pending[i].newest > done_seq)
            continue;
        pending_drop(client, i);
        is_own = true;
    }
    return is_own;
}

void pending_overruled(struct plx_client *client, const struct op *op)
{
    struct plx_bytes key = op->request.key;
    uint64_t hash = key_hash(key);
    for (uint32_t i = client->pending_count; i-- > 0;) {
        /* What was acknowledged after the write was first sent may have been without its cancel. */
        if (pending_is_of(&client->pending[i], key, hash) &&
            client->pending[i].stamp <= op->pending_stamp)
            pending_drop(client, i);
    }
}

bool pending_elsewhere(const struct plx_client *client, struct plx_bytes key, uint16_t node)
{
    uint64_t hash = key_hash(key);
    for (uint32_t i = 0; i < client->pending_count; i++) {
        if (client->pending[i].node != node && pending_is_of(&client->pending[i], key, hash))
            return true;
    }
    return false;
}

void pending_ask(struct plx_client *client, struct plx_bytes key)
{
    uint64_t hash = key_hash(key);
    for (uint32_t i = 0; i < client->pending_count; i++) {
        if (pending_is_of(&client->pending[i], key, hash))
            endpoint_ask(client, client->pending[i].node);
    }
}

void pending_ask_all(struct plx_client *client)
{
    for (uint32_t i = 0; i < client->pending_count; i++)
        endpoint_ask(client, client->pending[i].node);
}

static bool op_may_cancel(const struct op *op)
{
    return op->wire_type != WIRE_OP_FENCE &&
           (op->class == CLASS_WRITE || op->class == CLASS_RELAXED_WRITE);
}

/* The node that keeps the order of a relaxed write by itself; 0: none does. */
static uint16_t op_own_node(const struct plx_client *client, const struct op *op)
{
    return op->class == CLASS_RELAXED_WRITE && op->endpoint >= 0
               ? client->endpoints[op->endpoint].node
               : 0;
}

uint32_t pending_cancels(const struct plx_client *client, const struct op *op,
                         struct wire_op ret_cancels[CANCELS_MAX])
{
    uint32_t count = 0;
    if (client->pending_count == 0 || !op_may_cancel(op))
        return 0;
    uint64_t hash = key_hash(op->request.key);
    uint16_t own = op_own_node(client, op);
    for (uint32_t i = 0; i < client->pending_count && count < CANCELS_MAX; i++) {
        const struct pending *pending = &client->pending[i];
        if (pending->node != own && pending_is_of(pending, op->request.key, hash))
            ret_cancels[count++] = (struct wire_op){.type = WIRE_OP_CANCEL,
                                                    .node = pending->node,
                                                    .tag = wire_tag(client->relaxed_identity),
                                                    .seq = pending->newest};
    }
    return count;
}
