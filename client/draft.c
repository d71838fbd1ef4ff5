/* Drafts: operations that go to one node together are gathered into packets. */
#include "client/client_internal.h"
#include "client/draft.h"

static bool class_is_read(enum op_class class)
{
    return class == CLASS_READ || class == CLASS_RELAXED_READ;
}

/* The longest of them: an operation whose own time is over is fenced, whatever the node does. */
static uint32_t draft_timeout_us(const struct plx_client *client, const struct draft *draft)
{
    uint32_t longest_us = 1;
    for (uint32_t i = 0; i < draft->op_count; i++) {
        uint32_t timeout_us = op_timeout_us(client, draft->ops[i]);
        if (timeout_us == 0)
            return 0;
        if (timeout_us > longest_us)
            longest_us = timeout_us;
    }
    return longest_us;
}

/* Of the operations, whose session may be gone. */
static uint64_t draft_floor(const struct draft *draft)
{
    uint64_t highest = 0;
    if (draft->class == CLASS_RELAXED_WRITE)
        return pending_floor(draft->shard, draft->endpoint, draft->ops, draft->op_count,
                             draft->is_recall);
    for (uint32_t i = 0; i < draft->op_count; i++)
        highest = draft->ops[i]->seq > highest ? draft->ops[i]->seq : highest;
    return session_floor(draft->shard, draft->session, highest);
}

static struct span draft_encode_write(struct plx_client *client, const struct draft *draft,
                                      uint64_t number, uint8_t *body)
{
    struct wire_writer inner = {.data = body + WIRE_WRITE_HEADER_SIZE_BYTES,
                                .capacity_bytes =
                                    PACKET_PAYLOAD_SIZE_BYTES_USUAL - WIRE_WRITE_HEADER_SIZE_BYTES};
    wire_request_begin(&inner, draft->session, draft_floor(draft));
    for (uint32_t i = 0; i < draft->op_count; i++)
        (void)op_encode(client, draft->ops[i], &inner);
    CHECK(!inner.is_overflow);
    struct wire_write write = {.packet_number = number,
                               .incarnation = draft->shard->members[draft->endpoint].incarnation,
                               .timeout_us = draft_timeout_us(client, draft),
                               .is_relaxed = draft->class == CLASS_RELAXED_WRITE,
                               .is_recall = draft->is_recall,
                               .request = span_of(inner.data, inner.size_bytes)};
    struct wire_writer writer = {.data = body, .capacity_bytes = PACKET_PAYLOAD_SIZE_BYTES_USUAL};
    wire_write_encode(&writer, &write);
    return span_of(body, writer.size_bytes);
}

/* Rounded down, but not to 0, which would mean any: a bound below 1 us the answer is held to. */
static uint32_t bound_us(uint64_t age_ns)
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
                             .max_age_us = bound_us(call->max_age_ns)};
    struct wire_writer writer = {.data = body, .capacity_bytes = PACKET_PAYLOAD_SIZE_BYTES_USUAL};
    wire_read_begin(&writer, &read);
    for (uint32_t i = 0; i < draft->op_count; i++) {
        const struct op *op = draft->ops[i];
        wire_read_add(&writer, &(struct wire_read_op){
                                   .key = span_of(op->request.key.data, op->request.key.size_bytes),
                                   .offset_bytes = op->value_received_bytes,
                                   .version = op->value_version});
    }
    CHECK(!writer.is_overflow);
    return span_of(body, writer.size_bytes);
}

void draft_send(struct plx_client *client, struct draft *draft)
{
    uint8_t body[PACKET_PAYLOAD_SIZE_BYTES_USUAL];
    if (draft->op_count == 0)
        return;
    bool is_read = class_is_read(draft->class);
    struct transmission *transmission = transmission_new(client, draft->shard, draft->endpoint);
    transmission->kind = TRANSMISSION_OPS;
    transmission->is_read = is_read;
    transmission->is_recall = draft->is_recall;
    transmission->session = draft->session;
    transmission->has_cancels = draft->wire_count > draft->op_count;
    struct span bytes = is_read ? draft_encode_read(client, draft, transmission->number, body)
                                : draft_encode_write(client, draft, transmission->number, body);
    for (uint32_t i = 0; i < draft->op_count; i++)
        transmission_add(client, transmission, draft->ops[i]);
    packet_send(client, &(struct source){draft->endpoint, draft->shard->number, 0},
                is_read ? WIRE_READ : WIRE_WRITE, bytes);
    transmission->message_id = client->message_id;
    draft->op_count = 0;
    draft->wire_count = 0;
}

size_t draft_size_max(struct plx_client *client, uint32_t endpoint, uint16_t shard)
{
    uint16_t size_bytes = paths_piece_size(client, endpoint, shard);
    return size_bytes < PACKET_PAYLOAD_SIZE_BYTES_USUAL ? size_bytes
                                                        : PACKET_PAYLOAD_SIZE_BYTES_USUAL;
}

static bool draft_takes(const struct plx_client *client, const struct draft *draft,
                        const struct op *op, const struct departure *departure)
{
    if (draft->op_count == 0)
        return true;
    if (draft->op_count >= client->options.packet_ops_max || op->session != draft->session ||
        draft->wire_count + departure->cancel_count + 1 > REQUEST_OPS_MAX ||
        draft->size_bytes + departure->size_bytes > draft->size_bytes_max)
        return false;
    if (op->is_alone || draft->ops[0]->is_alone)
        return false;
    if (draft->endpoint != departure->endpoint || draft->is_recall != op_is_recall(client, op))
        return false;
    const struct plx_call *a = &op->request.call;
    const struct plx_call *b = &draft->ops[0]->request.call;
    return a->min_index == b->min_index && a->max_age_ns == b->max_age_ns;
}

void draft_add(struct plx_client *client, struct draft *draft, struct op *op,
               const struct departure *departure)
{
    if (!draft_takes(client, draft, op, departure))
        draft_send(client, draft);
    if (draft->op_count == 0) {
        draft->size_bytes = DRAFT_HEADER_BYTES;
        draft->size_bytes_max = draft_size_max(client, departure->endpoint, draft->shard->number);
        draft->session = op->session;
        draft->endpoint = departure->endpoint;
        draft->is_recall = op_is_recall(client, op);
    }
    draft->ops[draft->op_count++] = op;
    draft->wire_count += departure->cancel_count + 1;
    draft->size_bytes += departure->size_bytes;
}
