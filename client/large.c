/*
 * Requests of several packets: sent in bursts with pauses between them, so that no queue on the way
 * overflows. Silence is first answered by sending the same message again, which fills the holes at
 * the receiver; only then does the request get a new packet number, behind those that wait for its
 * place.
 */
#include "client/client_internal.h"

static struct large_send *large_take(struct plx_client *client, const struct op *op)
{
    if (op->large != NULL)
        return op->large;
    for (uint32_t i = 0; i < LARGE_SENDS_MAX; i++) {
        if (client->large[i].op == OP_NONE)
            return &client->large[i];
    }
    return NULL;
}

void large_release(struct op *op)
{
    if (op->large != NULL)
        op->large->op = OP_NONE;
    op->large = NULL;
}

/* A message of its own under a new packet number. */
static void large_encode(struct plx_client *client, struct op *op, struct large_send *large)
{
    struct transmission *transmission = transmission_new(client, op->shard, large->endpoint);
    transmission->kind = TRANSMISSION_OPS;
    transmission->session = op->session;
    transmission->is_recall = large->is_recall = op_is_recall(client, op);
    struct wire_writer inner = {.data = large->body + WIRE_WRITE_HEADER_SIZE_BYTES,
                                .capacity_bytes =
                                    MESSAGE_SIZE_BYTES_MAX - WIRE_WRITE_HEADER_SIZE_BYTES};
    wire_request_begin(&inner, op->session, session_floor(op->shard, op->session));
    transmission->has_cancels = op_encode(client, op, &inner) > 0;
    CHECK(!inner.is_overflow);
    struct wire_write write = {.packet_number = transmission->number,
                               .incarnation = large->incarnation,
                               .timeout_us = op_timeout_us(client, op),
                               .is_relaxed = op->class == CLASS_RELAXED_WRITE,
                               .is_recall = transmission->is_recall,
                               .request = span_of(inner.data, inner.size_bytes)};
    struct wire_writer writer = {.data = large->body, .capacity_bytes = MESSAGE_SIZE_BYTES_MAX};
    wire_write_encode(&writer, &write);
    large->body_size_bytes = writer.size_bytes;
    large->piece_count = wire_piece_count(writer.size_bytes, PACKET_PAYLOAD_SIZE_BYTES_MAX);
    large->message_id = message_id_next(client);
    large->resends = 0;
    transmission_add(client, transmission, op);
}

void large_begin(struct plx_client *client, struct op *op, uint32_t endpoint)
{
    struct large_send *large = large_take(client, op);
    if (large == NULL) {
        op_retry(client, op, LARGE_PAUSE_NS);
        return;
    }
    bool is_same = op->large != NULL && large->endpoint == endpoint &&
                   large->incarnation == op->shard->members[endpoint].incarnation &&
                   large->is_recall == op_is_recall(client, op);
    if (is_same && op->unanswered > 0 && large->resends < LARGE_RESENDS_MAX) {
        large->resends++;
        op->attempts++;
        client->statistics.retransmissions++;
        op->is_sent = true;
    } else if (op->large != NULL) {
        /* A node that is silent, or busy, keeps no place from those that others would answer. */
        large_release(op);
        op_retry(client, op, 2 * LARGE_PAUSE_NS);
        return;
    } else {
        large->op = (uint32_t)(op - client->ops);
        large->endpoint = (uint8_t)endpoint;
        large->incarnation = op->shard->members[endpoint].incarnation;
        op->large = large;
        large_encode(client, op, large);
    }
    op->due_ns = UINT64_MAX; /* counted from the last piece */
    large->pieces_sent = 0;
    large->due_ns = client->now_ns;
}

static void large_burst(struct plx_client *client, struct large_send *large)
{
    struct op *op = &client->ops[large->op];
    struct wire_message_header header = {.type = WIRE_WRITE,
                                         .piece_size_bytes = PACKET_PAYLOAD_SIZE_BYTES_MAX,
                                         .shard = op->shard->number,
                                         .cluster_id = client->cluster_id,
                                         .message_id = large->message_id};
    struct span body = span_of(large->body, large->body_size_bytes);
    for (uint32_t i = 0; i < LARGE_BURST_PIECES && large->pieces_sent < large->piece_count; i++)
        packet_send_piece(client, large->endpoint, &header, body, large->pieces_sent++);
    if (large->pieces_sent < large->piece_count) {
        large->due_ns = client->now_ns + LARGE_PAUSE_NS;
        return;
    }
    large->due_ns = UINT64_MAX;
    if (op->is_sent) {
        op->due_ns = client->now_ns + round_trip_timeout_ns(client, op->shard, false, op->attempts);
        op_wake_at(client, op->due_ns);
    }
}

uint64_t large_turn(struct plx_client *client)
{
    uint64_t next_ns = UINT64_MAX;
    for (uint32_t i = 0; i < LARGE_SENDS_MAX; i++) {
        struct large_send *large = &client->large[i];
        if (large->op == OP_NONE)
            continue;
        if (large->due_ns <= client->now_ns)
            large_burst(client, large);
        if (large->due_ns < next_ns)
            next_ns = large->due_ns;
    }
    return next_ns;
}
