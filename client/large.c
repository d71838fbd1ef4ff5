/*
 * Requests of several packets: sent in bursts with pauses between them, so that no queue on the way
 * overflows. The node asks for pieces that it lacks. Silence is first answered by the first piece
 * of the same message, upon which the node asks, or answers; only then does the request get a new
 * packet number, behind those that wait for its place.
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

/* The first pieces are to be sent. */
static void large_want(struct large_send *large, uint32_t count)
{
    large->range = 0;
    large->wanted.range_count = 1;
    large->wanted.ranges[0] = (struct wire_piece_range){.first = 0, .count = (uint16_t)count};
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
    bool is_relaxed = op->class == CLASS_RELAXED_WRITE;
    wire_request_begin(
        &inner, op->session,
        is_relaxed ? pending_floor(op->shard, large->endpoint, &op, 1, transmission->is_recall)
                   : session_floor(op->shard, op->session, op->seq));
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
    large->piece_size_bytes = paths_piece_size(client, large->endpoint, op->shard->number);
    large->piece_count = wire_piece_count(writer.size_bytes, large->piece_size_bytes);
    large->message_id = transmission->message_id = message_id_next(client);
    large->resends = 0;
    large_want(large, large->piece_count);
    transmission_add(client, transmission, op);
}

void large_begin(struct plx_client *client, struct op *op, uint32_t endpoint)
{
    paths_want(client, endpoint, op->shard->number);
    bool is_early = op->large == NULL && paths_is_open(client, endpoint, op->shard->number);
    struct large_send *large = is_early ? NULL : large_take(client, op);
    if (large == NULL) {
        op_retry(client, op, LARGE_PAUSE_NS);
        return;
    }
    bool is_same =
        op->large != NULL && large->endpoint == endpoint &&
        large->piece_size_bytes == paths_piece_size(client, endpoint, op->shard->number) &&
        large->incarnation == op->shard->members[endpoint].incarnation &&
        large->is_recall == op_is_recall(client, op);
    if (is_same && op->unanswered > 0 && large->resends < LARGE_RESENDS_MAX) {
        large->resends++;
        large_want(large, 1);
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
    large->due_ns = client->now_ns;
}

static struct large_send *large_find(struct plx_client *client, const struct source *from,
                                     uint64_t message_id)
{
    for (uint32_t i = 0; i < LARGE_SENDS_MAX; i++) {
        struct large_send *large = &client->large[i];
        if (large->op != OP_NONE && large->message_id == message_id &&
            large->endpoint == from->endpoint &&
            client->ops[large->op].shard->number == from->shard)
            return large;
    }
    return NULL;
}

bool large_missing(struct plx_client *client, const struct source *from, struct span body)
{
    struct wire_missing missing;
    if (wire_missing_decode(body, &missing) != OK)
        return false;
    struct wire_piece_range last = missing.ranges[missing.range_count - 1];
    struct large_send *large = large_find(client, from, missing.message_id);
    if (large == NULL || !client->ops[large->op].is_sent)
        return true; /* it has ended, or is to go elsewhere */
    if ((uint32_t)last.first + last.count > large->piece_count)
        return false;
    large->resends = 0; /* the node is at it */
    if (large->due_ns != UINT64_MAX)
        return true; /* asked too early: pieces are on their way out */
    large->wanted = missing;
    large->range = 0;
    large->due_ns = client->now_ns;
    client->ops[large->op].due_ns = UINT64_MAX; /* counted from the last piece */
    client->statistics.retransmissions++;
    return true;
}

/* The next piece that is wanted; false: none any more. */
static bool large_next(struct large_send *large, uint32_t *ret_piece)
{
    if (large->range == large->wanted.range_count)
        return false;
    struct wire_piece_range *range = &large->wanted.ranges[large->range];
    *ret_piece = range->first++;
    if (--range->count == 0)
        large->range++;
    return true;
}

static void large_burst(struct plx_client *client, struct large_send *large)
{
    struct op *op = &client->ops[large->op];
    struct wire_message_header header = {.type = WIRE_WRITE,
                                         .piece_size_bytes = large->piece_size_bytes,
                                         .shard = op->shard->number,
                                         .cluster_id = client->cluster_id,
                                         .message_id = large->message_id};
    struct span body = span_of(large->body, large->body_size_bytes);
    uint32_t piece;
    const uint32_t pieces_max = LARGE_BURST_BYTES / large->piece_size_bytes;
    for (uint32_t i = 0; i < pieces_max && large_next(large, &piece); i++)
        packet_send_piece(client, large->endpoint, &header, body, piece);
    if (large->range < large->wanted.range_count) {
        large->due_ns = client->now_ns + LARGE_PAUSE_NS;
        return;
    }
    large->due_ns = UINT64_MAX;
    if (op->is_sent) {
        op->due_ns = client->now_ns +
                     round_trip_timeout_ns(client, op->shard, false, op->attempts) +
                     (uint64_t)LARGE_NS_PER_BYTE * large->body_size_bytes;
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
