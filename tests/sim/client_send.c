/* What leaves a client: hellos, registrations, writes and fences, reads. */
#include "base/check.h"
#include "tests/sim/client.h"

#define HELLO_WAIT_NS         30000000ull
#define REGISTER_ATTEMPTS_MAX 20
#define RETRY_NS_MAX          2000000000ull

/* One message at a time is built here: the simulator is one thread. */
static uint8_t request_bytes[MESSAGE_SIZE_BYTES_MAX];
static uint8_t body_bytes[MESSAGE_SIZE_BYTES_MAX];

static void message_send(struct client *client, uint32_t node, uint8_t type, struct span body)
{
    struct wire_message_header header = {.type = type,
                                         .cluster_id = client->world->cluster_id,
                                         .message_id = client->next_message_id++};
    struct address to = network_address(node);
    uint32_t pieces = wire_piece_count(body.size_bytes);
    for (uint32_t piece = 0; piece < pieces; piece++) {
        uint8_t packet[PACKET_SIZE_BYTES_MAX];
        uint32_t size = wire_piece_encode(packet, &header, body, piece);
        network_send(client->world->network, client->host, &to, span_of(packet, size));
    }
}

uint32_t client_other_node(struct client *client, uint32_t node)
{
    uint32_t count = (uint32_t)client->world->draw->nodes;
    if (count == 1)
        return 0;
    uint32_t other = (uint32_t)prng_range(&client->prng, 0, count - 2);
    return node < count && other >= node ? other + 1 : other;
}

/* The leader as far as known; every second attempt somebody else, who may know better. */
static uint32_t node_pick(struct client *client, uint32_t attempts)
{
    const struct draw *draw = client->world->draw;
    bool is_stray = attempts >= 2 && attempts % 2 == 0;
    if (client->leader == CLIENT_NODE_NONE || is_stray ||
        prng_chance(&client->prng, (uint32_t)draw->any_node_chance))
        return (uint32_t)prng_range(&client->prng, 0, draw->nodes - 1);
    return client->leader;
}

static uint64_t retry_wait_ns(struct client *client, const struct slot *slot)
{
    uint64_t wait_ns = client->world->draw->retry_ns * (1 + slot->attempts / 2);
    wait_ns = wait_ns < RETRY_NS_MAX ? wait_ns : RETRY_NS_MAX;
    return wait_ns + prng_range(&client->prng, 0, wait_ns / 4);
}

/* Asks a node who it is, unless that was asked just now. */
static void hello_send(struct client *client, uint32_t node)
{
    uint64_t now_ns = client_now_ns(client);
    if (client->hello_nonces[node] != 0 && client->hello_sent_ns[node] + HELLO_WAIT_NS > now_ns)
        return;
    uint8_t body[64];
    /* Asked again under the same nonce: the answer may take longer than the patience. */
    if (client->hello_nonces[node] == 0)
        client->hello_nonces[node] = prng_next(&client->prng) | 1;
    client->hello_sent_ns[node] = now_ns;
    struct wire_writer writer = {.data = body, .capacity_bytes = sizeof(body)};
    wire_hello_encode(&writer, &(struct wire_hello){.nonce = client->hello_nonces[node]});
    CHECK(!writer.is_overflow);
    message_send(client, node, WIRE_HELLO, span_of(writer.data, writer.size_bytes));
}

static struct sent *sent_take(struct client *client, uint32_t node)
{
    uint64_t number = client->next_number++;
    struct sent *sent = &client->sent[number % CLIENT_SENT_MAX];
    *sent = (struct sent){.number = number, .node = node};
    return sent;
}

static void write_send(struct client *client, const struct sent *sent, uint32_t timeout_us,
                       struct span request)
{
    struct wire_writer writer = {.data = body_bytes, .capacity_bytes = sizeof(body_bytes)};
    wire_write_encode(&writer, &(struct wire_write){.packet_number = sent->number,
                                                    .incarnation = client->incarnations[sent->node],
                                                    .timeout_us = timeout_us,
                                                    .request = request});
    CHECK(!writer.is_overflow);
    message_send(client, sent->node, WIRE_WRITE, span_of(writer.data, writer.size_bytes));
}

static void register_send(struct client *client)
{
    uint64_t now_ns = client_now_ns(client);
    uint32_t node = node_pick(client, client->register_attempts);
    /* Every registration that arrives opens a session: patience grows with each. */
    uint64_t wait_ns = client->world->draw->retry_ns << (client->register_attempts / 2);
    client->register_next_ns = now_ns + (wait_ns < RETRY_NS_MAX ? wait_ns : RETRY_NS_MAX);
    if (client->incarnations[node] == 0) {
        hello_send(client, node);
        client->register_next_ns = now_ns + HELLO_WAIT_NS;
        client->leader = CLIENT_NODE_NONE;
        return;
    }
    client->register_nonce = prng_next(&client->prng) | 1;
    client->register_attempts += client->register_attempts < REGISTER_ATTEMPTS_MAX;
    struct sent *sent = sent_take(client, node);
    sent->nonce = client->register_nonce;
    struct wire_writer writer = {.data = request_bytes, .capacity_bytes = sizeof(request_bytes)};
    wire_request_begin(&writer, 0, 1);
    wire_request_add(&writer,
                     &(struct wire_op){.type = WIRE_OP_REGISTER, .seq = client->register_nonce});
    CHECK(!writer.is_overflow);
    write_send(client, sent, 0, span_of(writer.data, writer.size_bytes));
}

/* ---- writes ---- */

static uint64_t floor_of(const struct client *client)
{
    uint64_t floor = client->next_seq;
    for (uint32_t i = 0; i < CLIENT_SLOTS_MAX; i++) {
        const struct slot *slot = &client->slots[i];
        if (slot->state != SLOT_FREE && slot->is_write && slot->session != 0 && slot->seq < floor)
            floor = slot->seq;
    }
    return floor;
}

static void op_encode(struct client *client, struct wire_writer *writer, const struct slot *slot)
{
    const struct history_op *op = client_op(client, slot);
    if (slot->state != SLOT_CALLING) {
        wire_request_add(writer, &(struct wire_op){.type = WIRE_OP_FENCE, .seq = slot->seq});
        return;
    }
    static uint8_t old_bytes[VALUE_SIZE_BYTES_MAX];
    struct wire_op wire = {.type = op->type == HISTORY_SWAP ? WIRE_OP_SWAP : WIRE_OP_SET,
                           .seq = slot->seq,
                           .key = client_key(client->world, op->key)};
    if (op->old != HISTORY_ABSENT) {
        struct span old = client_value(client->world, op->old);
        memcpy(old_bytes, old.data, old.size_bytes);
        wire.has_old = true;
        wire.old = span_of(old_bytes, old.size_bytes);
    }
    if (op->value != HISTORY_ABSENT) {
        wire.has_value = true;
        wire.value = client_value(client->world, op->value);
    }
    wire_request_add(writer, &wire);
}

/* The request's time left: the shortest of its operations'; 0 when none is limited. */
static uint32_t timeout_of(const struct client *client, const struct sent *sent)
{
    uint64_t left_ns = UINT64_MAX;
    for (uint32_t i = 0; i < sent->count; i++) {
        const struct slot *slot = &client->slots[sent->slots[i]];
        uint64_t deadline_ns = slot->state == SLOT_CALLING ? slot->soft_deadline_ns : UINT64_MAX;
        if (deadline_ns != UINT64_MAX && deadline_ns - client_now_ns(client) < left_ns)
            left_ns = deadline_ns - client_now_ns(client);
    }
    if (left_ns == UINT64_MAX)
        return 0;
    return (uint32_t)(left_ns / 1000 + 1);
}

static void slot_note_sent(struct client *client, struct slot *slot, struct sent *sent)
{
    bool is_fence = slot->state != SLOT_CALLING;
    client->world->tally->client_retries += slot->attempts > 0;
    slot->attempts++;
    slot->open_count += !is_fence;
    slot->next_send_ns = client_now_ns(client) + retry_wait_ns(client, slot);
    sent->slots[sent->count] = (uint32_t)(slot - client->slots);
    sent->ops[sent->count] = slot->op;
    sent->is_fence[sent->count++] = is_fence;
}

static bool is_due(const struct client *client, const struct slot *slot)
{
    return slot->state != SLOT_FREE && slot->next_send_ns <= client_now_ns(client);
}

/* Sends one request with the due write `first` and others that are due as well. */
static void request_send(struct client *client, uint32_t first, uint32_t node)
{
    struct sent *sent = sent_take(client, node);
    struct wire_writer writer = {.data = request_bytes, .capacity_bytes = sizeof(request_bytes)};
    uint32_t picked[CLIENT_REQUEST_MAX];
    uint32_t count = 0;
    for (uint32_t i = first; i < CLIENT_SLOTS_MAX; i++) {
        struct slot *slot = &client->slots[i];
        if (!slot->is_write || !is_due(client, slot))
            continue;
        if (slot->session == 0) {
            slot->session = client->session;
            slot->seq = client->next_seq++;
        }
        picked[count++] = i;
        if (count == client->world->draw->ops_per_request_max || count == CLIENT_REQUEST_MAX)
            break;
    }
    wire_request_begin(&writer, client->session, floor_of(client));
    for (uint32_t i = 0; i < count; i++) {
        op_encode(client, &writer, &client->slots[picked[i]]);
        slot_note_sent(client, &client->slots[picked[i]], sent);
    }
    CHECK(!writer.is_overflow);
    verdict_say(client->world->verdict, "c%u sends packet %llu to n%u: %u ops from op %u%s on",
                client->number, (unsigned long long)sent->number, node + 1, count, sent->ops[0],
                sent->is_fence[0] ? " (fence)" : "");
    write_send(client, sent, timeout_of(client, sent), span_of(writer.data, writer.size_bytes));
}

static void write_due(struct client *client, uint32_t at)
{
    struct slot *slot = &client->slots[at];
    uint64_t now_ns = client_now_ns(client);
    if (client->session == 0) {
        slot->next_send_ns =
            client->register_next_ns > now_ns ? client->register_next_ns : now_ns + HELLO_WAIT_NS;
        return;
    }
    uint32_t node = node_pick(client, slot->attempts);
    if (client->incarnations[node] == 0) {
        hello_send(client, node);
        slot->next_send_ns = now_ns + HELLO_WAIT_NS;
        slot->attempts += client->hello_sent_ns[node] == now_ns ? 0 : 1;
        if (client->leader == node)
            client->leader = CLIENT_NODE_NONE;
        return;
    }
    request_send(client, at, node);
}

/* ---- reads ---- */

static void read_send(struct client *client, struct slot *slot)
{
    const struct history_op *op = client_op(client, slot);
    bool is_consistent = op->type == HISTORY_GET;
    uint32_t node = node_pick(client, slot->attempts);
    if (!is_consistent)
        node = (uint32_t)prng_range(&client->prng, 0, client->world->draw->nodes - 1);
    struct sent *sent = sent_take(client, node);
    slot_note_sent(client, slot, sent);
    struct wire_writer writer = {.data = body_bytes, .capacity_bytes = sizeof(body_bytes)};
    wire_read_begin(&writer, &(struct wire_read){.request_number = sent->number,
                                                 .timeout_us = timeout_of(client, sent),
                                                 .is_consistent = is_consistent});
    wire_read_add(&writer, &(struct wire_read_op){.key = client_key(client->world, op->key)});
    CHECK(!writer.is_overflow);
    message_send(client, node, WIRE_READ, span_of(writer.data, writer.size_bytes));
}

void client_ask_transfer(struct client *client, uint32_t node, uint16_t target)
{
    uint8_t body[64];
    struct wire_writer writer = {.data = body, .capacity_bytes = sizeof(body)};
    wire_transfer_encode(&writer, client->next_number++, target);
    CHECK(!writer.is_overflow);
    message_send(client, node, WIRE_TRANSFER, span_of(writer.data, writer.size_bytes));
}

static bool has_waiting_write(const struct client *client)
{
    for (uint32_t i = 0; i < CLIENT_SLOTS_MAX; i++) {
        if (client->slots[i].state != SLOT_FREE && client->slots[i].is_write)
            return true;
    }
    return false;
}

uint64_t client_send_due(struct client *client)
{
    uint64_t now_ns = client_now_ns(client);
    if (client->session == 0 && has_waiting_write(client) && client->register_next_ns <= now_ns)
        register_send(client);
    uint64_t next_ns = UINT64_MAX;
    if (client->session == 0 && has_waiting_write(client))
        next_ns = client->register_next_ns;
    for (uint32_t i = 0; i < CLIENT_SLOTS_MAX; i++) {
        struct slot *slot = &client->slots[i];
        if (is_due(client, slot) && slot->is_write)
            write_due(client, i);
        else if (is_due(client, slot))
            read_send(client, slot);
        if (slot->state != SLOT_FREE && slot->next_send_ns < next_ns)
            next_ns = slot->next_send_ns;
    }
    return next_ns;
}
