/* What comes back to a client. Replies are matched by number; whatever nobody waits for is ignored.
 */
#include "base/check.h"
#include "tests/sim/client.h"

#define BACKOFF_NS 5000000ull

static struct sent *sent_find(struct client *client, uint64_t number)
{
    struct sent *sent = &client->sent[number % CLIENT_SENT_MAX];
    return sent->number == number && number != 0 ? sent : NULL;
}

/* The slot that `sent` carried at `i`, NULL when its operation has ended since. */
static struct slot *sent_slot(struct client *client, const struct sent *sent, uint32_t i)
{
    struct slot *slot = &client->slots[sent->slots[i]];
    return slot->state != SLOT_FREE && slot->op == sent->ops[i] ? slot : NULL;
}

/* Brings the transmission of everything that waits for a node forward. */
static void slots_hurry(struct client *client, uint64_t at_ns)
{
    for (uint32_t i = 0; i < CLIENT_SLOTS_MAX; i++) {
        struct slot *slot = &client->slots[i];
        bool is_unsent = slot->state != SLOT_FREE && slot->open_count == 0;
        if (is_unsent && slot->is_write && slot->next_send_ns > at_ns)
            slot->next_send_ns = at_ns;
    }
    if (client->session == 0 && client->register_next_ns > at_ns)
        client->register_next_ns = at_ns;
    client_plan(client, at_ns);
}

static void hello_reply_take(struct client *client, struct span body)
{
    struct wire_hello_reply reply;
    size_t end = 0;
    if (wire_hello_reply_decode(body, &end, &reply) != OK || reply.node == 0 ||
        reply.node > client->world->draw->nodes) {
        verdict_break(client->world->verdict, RULE_PROTOCOL, "a hello reply does not decode");
        return;
    }
    uint32_t node = reply.node - 1u;
    if (client->hello_nonces[node] != reply.nonce)
        return;
    client->hello_nonces[node] = 0;
    client->incarnations[node] = reply.incarnation;
    if (reply.leader != 0)
        client->leader = reply.leader - 1u;
    slots_hurry(client, client_now_ns(client));
}

/* ---- refusals ---- */

/* Where to try next, and not before when. */
static uint64_t refusal_follow(struct client *client, const struct wire_reply *reply,
                               const struct sent *sent)
{
    uint64_t now_ns = client_now_ns(client);
    uint64_t backoff_ns = BACKOFF_NS + prng_range(&client->prng, 0, BACKOFF_NS);
    if (reply->status == WIRE_STATUS_INCARNATION)
        client->incarnations[sent->node] = 0;
    if (reply->status != WIRE_STATUS_NOT_LEADER)
        return now_ns + backoff_ns;
    bool is_hint_new = reply->leader != 0 && reply->leader - 1u != sent->node;
    client->leader = is_hint_new ? reply->leader - 1u : client_other_node(client, sent->node);
    return is_hint_new ? now_ns : now_ns + backoff_ns;
}

static void refusal_take(struct client *client, const struct wire_reply *reply, struct sent *sent)
{
    if (reply->status == WIRE_STATUS_BAD_REQUEST || reply->status == WIRE_STATUS_UNSUPPORTED ||
        reply->status == WIRE_STATUS_TOO_STALE || reply->status >= WIRE_STATUS_END)
        verdict_break(client->world->verdict, RULE_PROTOCOL, "a good request was refused with %s",
                      wire_status_name(reply->status));
    verdict_say(client->world->verdict, "c%u packet %llu is refused by n%u: %s, leader n%u",
                client->number, (unsigned long long)reply->number, reply->node,
                wire_status_name(reply->status), reply->leader);
    uint64_t again_ns = refusal_follow(client, reply, sent);
    if (sent->nonce != 0 && client->session == 0)
        client->register_next_ns = again_ns;
    for (uint32_t i = 0; i < sent->count; i++) {
        struct slot *slot = sent_slot(client, sent, i);
        if (slot == NULL)
            continue;
        slot->open_count -= !sent->is_fence[i];
        slot->next_send_ns = again_ns;
        bool is_full = reply->status == WIRE_STATUS_LOG_FULL && slot->is_write;
        client->world->is_full_log_met |= is_full;
        if (is_full && slot->state == SLOT_CALLING && slot->open_count == 0)
            client_finish(client, slot, HISTORY_REFUSED);
    }
    client_plan(client, again_ns);
}

/* ---- outcomes ---- */

static uint64_t seen_value(struct client *client, const struct wire_reply_op *reply_op)
{
    if (!reply_op->has_value)
        return reply_op->version == 0 ? HISTORY_ABSENT : HISTORY_UNSEEN;
    uint64_t value = client_value_name(client->world, reply_op->chunk, reply_op->value_size_bytes);
    if (value == 0)
        verdict_break(client->world->verdict, RULE_PROTOCOL,
                      "a value of %u bytes came back that nobody wrote",
                      reply_op->value_size_bytes);
    return value;
}

static void register_take(struct client *client, const struct sent *sent,
                          const struct wire_reply_op *reply_op)
{
    if (client->session != 0 || reply_op->seq != sent->nonce)
        return;
    if (reply_op->outcome == WIRE_OUTCOME_SESSIONS_FULL) {
        client->register_next_ns = client_now_ns(client) + 20 * BACKOFF_NS;
        return;
    }
    if (reply_op->outcome != WIRE_OUTCOME_OK || reply_op->version == 0) {
        verdict_break(client->world->verdict, RULE_PROTOCOL, "a registration ended with %s",
                      wire_outcome_name(reply_op->outcome));
        return;
    }
    client->session = reply_op->version;
    client->register_attempts = 0;
    client->next_seq = 1;
    verdict_say(client->world->verdict, "c%u has session %llu", client->number,
                (unsigned long long)client->session);
    slots_hurry(client, client_now_ns(client));
}

/* A fence answered: the original's outcome, or that it never happens. */
static void write_end(struct client *client, struct slot *slot, const struct sent *sent,
                      const struct wire_reply_op *reply_op, bool is_fence)
{
    struct history_op *op = &client->world->history->ops[slot->op];
    struct verdict *verdict = client->world->verdict;
    switch (reply_op->outcome) {
    case WIRE_OUTCOME_OK:
        client_finish(client, slot, HISTORY_OK);
        return;
    case WIRE_OUTCOME_MISMATCH:
        op->seen = is_fence ? HISTORY_UNSEEN : seen_value(client, reply_op);
        if (op->type != HISTORY_SWAP)
            verdict_break(verdict, RULE_PROTOCOL, "op %u is no swap but mismatched", slot->op);
        client_finish(client, slot, HISTORY_MISMATCH);
        return;
    case WIRE_OUTCOME_STORE_FULL:
        client_finish(client, slot, HISTORY_REFUSED);
        return;
    case WIRE_OUTCOME_FENCED:
        if (slot->state == SLOT_CALLING)
            verdict_break(verdict, RULE_PROTOCOL, "op %u was fenced by nobody", slot->op);
        client_finish(client, slot, HISTORY_TIMEOUT);
        return;
    case WIRE_OUTCOME_NO_SESSION:
        slot->open_count -= !is_fence;
        client_lose_session(client);
        client_plan(client, client_now_ns(client) + 1);
        return;
    default:
        verdict_break(verdict, RULE_PROTOCOL, "op %u sent as %llu to node %u ended with %s",
                      slot->op, (unsigned long long)sent->number, sent->node + 1,
                      wire_outcome_name(reply_op->outcome));
    }
}

static void read_end(struct client *client, struct slot *slot, const struct wire_reply *reply,
                     const struct wire_reply_op *reply_op)
{
    struct history_op *op = &client->world->history->ops[slot->op];
    op->node = reply->node;
    op->incarnation = reply->incarnation;
    op->applied_index = reply->applied_index;
    op->version = reply_op->version;
    client->world->tally->ops_relaxed += op->type == HISTORY_RELAXED_GET;
    if (reply_op->outcome == WIRE_OUTCOME_NOT_FOUND) {
        client_finish(client, slot, HISTORY_NOT_FOUND);
    } else if (reply_op->outcome == WIRE_OUTCOME_OK && reply_op->has_value) {
        op->seen = seen_value(client, reply_op);
        client_finish(client, slot, HISTORY_OK);
    } else {
        verdict_break(client->world->verdict, RULE_PROTOCOL, "op %u, a get, ended with %s",
                      slot->op, wire_outcome_name(reply_op->outcome));
    }
}

/* The operation of a write reply, among those that the transmission carried. */
static void write_outcome_take(struct client *client, const struct sent *sent,
                               const struct wire_reply_op *reply_op)
{
    for (uint32_t i = 0; i < sent->count; i++) {
        struct slot *slot = sent_slot(client, sent, i);
        if (slot != NULL && slot->seq == reply_op->seq) {
            write_end(client, slot, sent, reply_op, sent->is_fence[i]);
            return;
        }
    }
}

static void outcomes_take(struct client *client, const struct wire_reply *reply,
                          const struct sent *sent, bool is_write)
{
    size_t cursor = 0;
    for (uint32_t i = 0; i < reply->op_count; i++) {
        struct wire_reply_op reply_op;
        if (wire_reply_op_decode(reply->ops, &cursor, &reply_op) != OK) {
            verdict_break(client->world->verdict, RULE_PROTOCOL, "a reply does not decode");
            return;
        }
        struct slot *slot = sent->count > 0 ? sent_slot(client, sent, 0) : NULL;
        if (sent->nonce != 0)
            register_take(client, sent, &reply_op);
        else if (is_write)
            write_outcome_take(client, sent, &reply_op);
        else if (slot != NULL)
            read_end(client, slot, reply, &reply_op);
    }
}

static void reply_take(struct client *client, struct span body, bool is_write)
{
    struct wire_reply reply;
    if (wire_reply_decode(body, &reply) != OK) {
        verdict_break(client->world->verdict, RULE_PROTOCOL, "a reply does not decode");
        return;
    }
    struct sent *found = sent_find(client, reply.number);
    if (found == NULL)
        return;
    struct sent sent = *found;
    found->number = 0; /* copies of this reply mean nothing any more */
    if (reply.status != WIRE_STATUS_OK) {
        refusal_take(client, &reply, &sent);
        return;
    }
    if (is_write && reply.leader != 0)
        client->leader = reply.leader - 1u;
    outcomes_take(client, &reply, &sent, is_write);
    client_plan(client, client_now_ns(client) + 1);
}

void client_receive(struct client *client, const struct packet *packet)
{
    struct wire_packet wire;
    struct span message;
    struct span bytes = span_of(packet->data, packet->size_bytes);
    if (wire_packet_decode(bytes, client->world->cluster_id, &wire) != OK)
        return; /* corrupted on the way */
    if (reassembly_add(client->reassembly, &packet->from, &wire, client_now_ns(client), &message) !=
            OK ||
        message.data == NULL)
        return;
    switch (wire.header.type) {
    case WIRE_HELLO_REPLY:
        hello_reply_take(client, message);
        break;
    case WIRE_WRITE_REPLY:
        reply_take(client, message, true);
        break;
    case WIRE_READ_REPLY:
        reply_take(client, message, false);
        break;
    default:
        break;
    }
}
