/*
 * Transmission: operations of one class are gathered into packets, each packet gets a number of its
 * own, and what went out under it is remembered.
 *
 * Packet numbers rise by one, from the wall clock in microseconds at the start, so that no late
 * reply to an earlier process at the same port answers anything. Other processes send in a session
 * only to resolve its tokens, and nodes take a fence under any number: clocks need not agree.
 */
#include "client/client_internal.h"

#define JITTER_SHARE 4

uint64_t round_trip_timeout_ns(struct plx_client *client, bool is_read, uint32_t attempts)
{
    const struct round_trip *round_trip = &client->round_trips[is_read];
    uint64_t margin_ns = 4 * round_trip->variation_ns;
    if (margin_ns < client->options.rto_min_ns)
        margin_ns = client->options.rto_min_ns;
    /* The margin comes on top: a round trip that hardly varies is not expected to the moment. */
    uint64_t timeout_ns = round_trip->smoothed_ns + margin_ns;
    if (timeout_ns > 2 * ROUND_TRIP_MAX_NS)
        timeout_ns = 2 * ROUND_TRIP_MAX_NS;
    if (round_trip->smoothed_ns == 0 && timeout_ns < RTO_INITIAL_NS)
        timeout_ns = RTO_INITIAL_NS;
    /* Backing off ends; but what takes longer than that end is not asked for more often. */
    uint64_t longest_ns = timeout_ns > RTO_MAX_NS ? timeout_ns : RTO_MAX_NS;
    for (uint32_t i = 0; i < attempts && timeout_ns < longest_ns; i++)
        timeout_ns *= 2;
    if (timeout_ns > longest_ns)
        timeout_ns = longest_ns;
    return timeout_ns + prng_range(&client->prng, 0, timeout_ns / JITTER_SHARE);
}

void round_trip_sample(struct plx_client *client, struct transmission *transmission)
{
    struct round_trip *round_trip = &client->round_trips[transmission->is_read];
    uint64_t sample_ns = client->now_ns - transmission->sent_ns;
    if (transmission->is_timed)
        return;
    transmission->is_timed = true;
    if (sample_ns > ROUND_TRIP_MAX_NS)
        sample_ns = ROUND_TRIP_MAX_NS;
    if (round_trip->smoothed_ns == 0) {
        *round_trip = (struct round_trip){sample_ns, sample_ns / 2};
        return;
    }
    uint64_t error_ns = sample_ns > round_trip->smoothed_ns ? sample_ns - round_trip->smoothed_ns
                                                            : round_trip->smoothed_ns - sample_ns;
    round_trip->variation_ns = (3 * round_trip->variation_ns + error_ns) / 4;
    round_trip->smoothed_ns = (7 * round_trip->smoothed_ns + sample_ns) / 8;
}

struct transmission *transmission_new(struct plx_client *client, uint32_t endpoint)
{
    uint64_t number = ++client->packet_number;
    /* The oldest gives way; operations in it stay unanswered, which is the careful side. */
    struct transmission *transmission = &client->transmissions[number % TRANSMISSIONS_MAX];
    *transmission = (struct transmission){
        .number = number, .sent_ns = client->now_ns, .endpoint = (uint8_t)endpoint};
    client->statistics.transmissions++;
    return transmission;
}

void transmission_add(struct transmission *transmission, struct plx_client *client, struct op *op)
{
    uint16_t at = transmission->op_count++;
    transmission->ops[at] = (uint16_t)(op - client->ops);
    transmission->generations[at] = op->generation;
    transmission->offsets[at] = op->value_received_bytes;
    if (op->attempts > 0)
        client->statistics.retransmissions++;
    op->is_sent = true;
    op->due_ns =
        client->now_ns + round_trip_timeout_ns(client, transmission->is_read, op->attempts++);
    /* A fence changes nothing but what it is meant to, a recall nothing: they may be repeated
     * freely. */
    if (!transmission->is_read && !transmission->is_recall && !op_is_fence(op)) {
        if (op->unanswered++ == 0)
            op->first_transmitted_ns = client->now_ns;
        op->transmitted_ns = client->now_ns;
    }
    op_wake_at(client, op->due_ns);
}

struct transmission *transmission_find(struct plx_client *client, uint64_t number)
{
    struct transmission *transmission = &client->transmissions[number % TRANSMISSIONS_MAX];
    if (number == 0 || transmission->number != number)
        return NULL;
    return transmission;
}

uint32_t timeout_left_us(const struct plx_client *client, const struct op *op)
{
    if (op->phase_end_ns == UINT64_MAX)
        return 0;
    uint64_t left_us = 0;
    if (op->phase_end_ns > client->now_ns)
        left_us = (op->phase_end_ns - client->now_ns) / 1000;
    if (left_us == 0)
        return 1; /* 0 would mean: for ever */
    return left_us > UINT32_MAX ? UINT32_MAX : (uint32_t)left_us;
}

static struct span span_of_plx(struct plx_bytes bytes)
{
    return span_of(bytes.data, bytes.size_bytes);
}

/* A relaxed write that its node may have, and that must not be executed a second time: the node has
 * restarted since, or could have forgotten it, or its caller has given up. */
bool op_is_recall(const struct plx_client *client, const struct op *op)
{
    if (op->class != CLASS_RELAXED_WRITE || op->unanswered == 0 || op->endpoint < 0)
        return false;
    return op->phase == PHASE_RECALL ||
           client->endpoints[op->endpoint].incarnation != op->incarnation ||
           client->now_ns - op->first_transmitted_ns >= RELAXED_RETRY_NS;
}

static struct wire_op op_to_wire(const struct op *op)
{
    struct wire_op wire = {.type = (uint8_t)op_wire_type(op), .seq = op->seq};
    if (wire.type == WIRE_OP_FENCE)
        return wire;
    const struct plx_op *request = &op->request;
    wire.key = span_of_plx(request->key);
    wire.has_value = request->value.data != NULL;
    wire.value = span_of_plx(request->value);
    if (wire.type == WIRE_OP_SWAP) {
        wire.has_old = request->old_value.data != NULL;
        wire.old = span_of_plx(request->old_value);
    }
    return wire;
}

uint32_t op_encode(struct plx_client *client, const struct op *op, struct wire_writer *writer)
{
    struct wire_op cancels[CANCELS_MAX];
    struct wire_op wire = op_to_wire(op);
    uint32_t count = pending_cancels(client, op, cancels);
    for (uint32_t i = 0; i < count; i++)
        wire_request_add(writer, &cancels[i]);
    wire_request_add(writer, &wire);
    return count;
}

uint64_t op_floor(struct plx_client *client, uint64_t id)
{
    const struct session *session = session_find(client, id);
    return session == NULL ? 0 : session->floor;
}

/* A packet being gathered. */
struct draft {
    enum op_class class;
    uint32_t endpoint;
    uint32_t op_count;
    uint32_t wire_count; /* with cancels */
    bool is_recall;
    uint64_t session;
    struct op *ops[REQUEST_OPS_MAX];
    size_t size_bytes;
};

static bool class_is_read(enum op_class class)
{
    return class == CLASS_READ || class == CLASS_RELAXED_READ;
}

/* The longest of them: an operation whose own time is over is fenced, whatever the node does. */
static uint32_t draft_timeout_us(const struct plx_client *client, const struct draft *draft)
{
    uint32_t longest_us = 1;
    for (uint32_t i = 0; i < draft->op_count; i++) {
        uint32_t timeout_us = timeout_left_us(client, draft->ops[i]);
        if (timeout_us == 0)
            return 0;
        if (timeout_us > longest_us)
            longest_us = timeout_us;
    }
    return longest_us;
}

static struct span draft_encode_write(struct plx_client *client, const struct draft *draft,
                                      uint64_t number, uint8_t *body)
{
    struct wire_writer inner = {.data = body + WIRE_WRITE_HEADER_SIZE_BYTES,
                                .capacity_bytes =
                                    PACKET_PAYLOAD_SIZE_BYTES_MAX - WIRE_WRITE_HEADER_SIZE_BYTES};
    wire_request_begin(&inner, draft->session, op_floor(client, draft->session));
    for (uint32_t i = 0; i < draft->op_count; i++)
        (void)op_encode(client, draft->ops[i], &inner);
    CHECK(!inner.is_overflow);
    struct wire_write write = {.packet_number = number,
                               .incarnation = client->endpoints[draft->endpoint].incarnation,
                               .timeout_us = draft_timeout_us(client, draft),
                               .is_relaxed = draft->class == CLASS_RELAXED_WRITE,
                               .is_recall = draft->is_recall,
                               .request = span_of(inner.data, inner.size_bytes)};
    struct wire_writer writer = {.data = body, .capacity_bytes = PACKET_PAYLOAD_SIZE_BYTES_MAX};
    wire_write_encode(&writer, &write);
    return span_of(body, writer.size_bytes);
}

/* Rounded down, but not to 0, which would mean any: a bound below 1 us the answer is held to. */
static uint32_t age_us(uint64_t age_ns)
{
    if (age_ns == 0)
        return 0;
    uint64_t age = age_ns / 1000;
    if (age == 0)
        return 1;
    return age > UINT32_MAX ? UINT32_MAX : (uint32_t)age;
}

static struct span draft_encode_read(struct plx_client *client, const struct draft *draft,
                                     uint64_t number, uint8_t *body)
{
    const struct plx_call *call = &draft->ops[0]->request.call;
    struct wire_read read = {.request_number = number,
                             .timeout_us = draft_timeout_us(client, draft),
                             .is_consistent = draft->class == CLASS_READ,
                             .min_index = call->min_index,
                             .max_age_us = age_us(call->max_age_ns)};
    struct wire_writer writer = {.data = body, .capacity_bytes = PACKET_PAYLOAD_SIZE_BYTES_MAX};
    wire_read_begin(&writer, &read);
    for (uint32_t i = 0; i < draft->op_count; i++) {
        const struct op *op = draft->ops[i];
        wire_read_add(&writer, &(struct wire_read_op){.key = span_of_plx(op->request.key),
                                                      .offset_bytes = op->value_received_bytes,
                                                      .version = op->value_version});
    }
    CHECK(!writer.is_overflow);
    return span_of(body, writer.size_bytes);
}

static void draft_send(struct plx_client *client, struct draft *draft)
{
    uint8_t body[PACKET_PAYLOAD_SIZE_BYTES_MAX];
    if (draft->op_count == 0)
        return;
    bool is_read = class_is_read(draft->class);
    struct transmission *transmission = transmission_new(client, draft->endpoint);
    transmission->kind = TRANSMISSION_OPS;
    transmission->is_read = is_read;
    transmission->is_recall = draft->is_recall;
    transmission->session = draft->session;
    transmission->has_cancels = draft->wire_count > draft->op_count;
    struct span bytes = is_read ? draft_encode_read(client, draft, transmission->number, body)
                                : draft_encode_write(client, draft, transmission->number, body);
    for (uint32_t i = 0; i < draft->op_count; i++)
        transmission_add(transmission, client, draft->ops[i]);
    socket_send(client, draft->endpoint, is_read ? WIRE_READ : WIRE_WRITE, bytes);
    draft->op_count = 0;
    draft->wire_count = 0;
}

/* On the wire, behind so many cancels. */
static size_t op_size_bytes(const struct op *op, uint32_t cancel_count)
{
    if (class_is_read(op->class))
        return 16 + op->request.key.size_bytes;
    struct wire_op wire = op_to_wire(op);
    struct wire_op cancel = {.type = WIRE_OP_CANCEL};
    return cancel_count * wire_op_size_bytes(&cancel) + wire_op_size_bytes(&wire);
}

/* How an operation leaves. */
struct departure {
    uint32_t endpoint;
    uint32_t cancel_count;
    size_t size_bytes;
};

/* Bytes of a packet before its first operation; that of a read is smaller. */
#define DRAFT_HEADER_BYTES (WIRE_WRITE_HEADER_SIZE_BYTES + WIRE_REQUEST_HEADER_SIZE_BYTES)

static bool draft_takes(const struct plx_client *client, const struct draft *draft,
                        const struct op *op, const struct departure *departure)
{
    if (draft->op_count == 0)
        return true;
    if (draft->op_count >= client->options.packet_ops_max || op->session != draft->session ||
        draft->wire_count + departure->cancel_count + 1 > REQUEST_OPS_MAX ||
        draft->size_bytes + departure->size_bytes > PACKET_PAYLOAD_SIZE_BYTES_MAX)
        return false;
    if (draft->endpoint != departure->endpoint || draft->is_recall != op_is_recall(client, op))
        return false;
    const struct plx_call *a = &op->request.call;
    const struct plx_call *b = &draft->ops[0]->request.call;
    return a->min_index == b->min_index && a->max_age_ns == b->max_age_ns;
}

static void draft_add(struct plx_client *client, struct draft *draft, struct op *op,
                      const struct departure *departure)
{
    if (!draft_takes(client, draft, op, departure))
        draft_send(client, draft);
    if (draft->op_count == 0) {
        draft->size_bytes = DRAFT_HEADER_BYTES;
        draft->session = op->session;
        draft->endpoint = departure->endpoint;
        draft->is_recall = op_is_recall(client, op);
    }
    draft->ops[draft->op_count++] = op;
    draft->wire_count += departure->cancel_count + 1;
    draft->size_bytes += departure->size_bytes;
}

/* The home of new relaxed writes. It is asked first whether it still is who it was: a restart that
 * is noticed only by the write itself leaves its outcome unknown. -1: it has not answered yet. */
static int32_t relaxed_home(struct plx_client *client)
{
    struct endpoint *home = &client->endpoints[client->home];
    bool is_fresh = client->now_ns - home->heard_ns <= client->options.leader_fresh_ns;
    if (home->incarnation != 0 && is_fresh)
        return (int32_t)client->home;
    bool is_late = client->now_ns - home->greeted_ns >= RTO_INITIAL_NS;
    if (home->nonce != 0 && is_late)
        client->is_home_silent = true;
    if (home->nonce == 0 || is_late)
        endpoint_greet(client, client->home);
    op_wake_at(client, client->now_ns + RTO_INITIAL_NS);
    return -1;
}

/* Where a relaxed write goes: to the one node that may have it, or to the home. */
static int32_t relaxed_endpoint(struct plx_client *client, struct op *op)
{
    if (op->unanswered > 0) {
        struct endpoint *endpoint = &client->endpoints[op->endpoint];
        if (endpoint->incarnation != 0)
            return op->endpoint;
        if (client->now_ns - endpoint->greeted_ns >= RTO_INITIAL_NS)
            endpoint_greet(client, (uint32_t)op->endpoint);
        op_wake_at(client, client->now_ns + RTO_INITIAL_NS);
        return -1;
    }
    op->endpoint = relaxed_home(client);
    if (op->endpoint >= 0)
        op->incarnation = client->endpoints[op->endpoint].incarnation;
    return op->endpoint;
}

/* Where operations of a class go now; -1: nowhere yet. */
static int32_t class_endpoint(struct plx_client *client, enum op_class class)
{
    if (class == CLASS_RELAXED_READ)
        return (int32_t)client->home;
    int32_t leader = leader_endpoint(client);
    if (leader < 0)
        leader_wanted(client);
    return leader;
}

static bool op_is_due(const struct plx_client *client, const struct op *op)
{
    return !op->is_sent && op->due_ns <= client->now_ns;
}

/* No further key can be remembered: the end of it, in the next turn, unless it blocks. Whoever
 * holds the room is asked: it need not be the home any more, and then nothing else is said to
 * it. */
static void op_wait_for_room(struct plx_client *client, struct op *op)
{
    pending_ask_all(client);
    op_retry(client, op, (uint64_t)PENDING_WAIT_NS << op->waits);
    if (op->waits < PENDING_DOUBLINGS)
        op->waits++;
    if (op->request.call.is_blocking)
        return;
    op->undone_outcome = PLX_E_OVERLOADED;
    op->phase_end_ns = client->now_ns;
    op_wake_at(client, client->now_ns);
}

/* The lowest seq of the relaxed writes under way; `next`: none has one. */
static uint64_t relaxed_lowest(const struct plx_client *client, uint64_t next)
{
    uint64_t lowest = next;
    for (uint32_t i = 0; i < client->active_count; i++) {
        const struct op *op = &client->ops[client->active[i]];
        if (op->class == CLASS_RELAXED_WRITE && op->seq != 0 && op->seq < lowest)
            lowest = op->seq;
    }
    return lowest;
}

/* Gives a relaxed write its seq. False: a node that gets it would forget whether it has executed an
 * earlier one that is under way still. */
static bool relaxed_assign(struct plx_client *client, struct op *op)
{
    uint64_t next = client->relaxed_seq + 1;
    if (op->seq != 0)
        return true;
    if (next - client->relaxed_floor >= SESSION_WINDOW)
        client->relaxed_floor = relaxed_lowest(client, next);
    if (next - client->relaxed_floor >= SESSION_WINDOW)
        return false;
    op->seq = client->relaxed_seq = next;
    return true;
}

/* Whether the operation may leave to that endpoint, now. */
static bool op_may_leave(struct plx_client *client, struct op *op, struct departure *departure)
{
    struct wire_op cancels[CANCELS_MAX];
    if (op->class == CLASS_WRITE && !session_assign(client, op))
        return false;
    if (op->class == CLASS_RELAXED_WRITE && op->unanswered == 0 &&
        !pending_has_room(client, op, client->endpoints[op->endpoint].node)) {
        op_wait_for_room(client, op);
        return false;
    }
    if (op->class == CLASS_RELAXED_WRITE && !relaxed_assign(client, op))
        return false;
    departure->cancel_count = pending_cancels(client, op, cancels);
    if (op->attempts == 0 && !op_is_fence(op))
        op->pending_stamp = client->pending.stamp;
    departure->size_bytes = op_size_bytes(op, departure->cancel_count);
    return true;
}

static void transmit_op(struct plx_client *client, struct draft *draft, struct op *op,
                        int32_t endpoint)
{
    struct departure departure = {.endpoint = (uint32_t)endpoint};
    if (!op_may_leave(client, op, &departure))
        return;
    if (DRAFT_HEADER_BYTES + departure.size_bytes > PACKET_PAYLOAD_SIZE_BYTES_MAX)
        large_begin(client, op, departure.endpoint);
    else
        draft_add(client, draft, op, &departure);
}

static void transmit_class(struct plx_client *client, enum op_class class)
{
    struct draft draft = {.class = class};
    int32_t endpoint = -2; /* not asked for yet */
    for (uint32_t i = 0; i < client->active_count; i++) {
        struct op *op = &client->ops[client->active[i]];
        if (op->class != class || !op_is_due(client, op))
            continue;
        if (class == CLASS_RELAXED_WRITE)
            endpoint = relaxed_endpoint(client, op);
        else if (endpoint == -2)
            endpoint = class_endpoint(client, class);
        if (endpoint >= 0)
            transmit_op(client, &draft, op, endpoint);
        else if (class != CLASS_RELAXED_WRITE)
            break;
    }
    draft_send(client, &draft);
}

void transmit_due(struct plx_client *client)
{
    bool has_class[CLASS_COUNT] = {false};
    client->gathered_count = 0;
    for (uint32_t i = 0; i < client->active_count; i++) {
        const struct op *op = &client->ops[client->active[i]];
        if (op_is_due(client, op))
            has_class[op->class] = true;
    }
    for (uint32_t class = 0; class < CLASS_COUNT; class ++) {
        if (has_class[class])
            transmit_class(client, (enum op_class) class);
    }
}
