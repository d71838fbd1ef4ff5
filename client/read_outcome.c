/* Answers to reads, also to those whose value comes in several chunks. */
#include "client/client_internal.h"

/* A chunk of a value that is read in several: kept, and the next one asked for. */
static void value_read_on(struct plx_client *client, struct op *op, struct plx_response *response,
                          const struct wire_reply_op *wire)
{
    const struct plx_call *call = &op->request.call;
    if (call->buffer == NULL && op->value_buffer == NULL) {
        if (client->value_buffer_count == 0) { /* others have them, and give them back */
            op_retry(client, op, round_trip_timeout_ns(client, op->shard, true, op->attempts));
            return;
        }
        op->value_buffer = client->value_buffers[--client->value_buffer_count];
    }
    uint8_t *to = call->buffer != NULL ? call->buffer : op->value_buffer;
    size_t room = call->buffer != NULL ? call->buffer_size_bytes : VALUE_SIZE_BYTES_MAX;
    size_t wanted = wire->value_size_bytes < room ? wire->value_size_bytes : room;
    size_t had = op->value_received_bytes;
    size_t take = wire->chunk.size_bytes < wanted - had ? wire->chunk.size_bytes : wanted - had;
    if (take > 0)
        memcpy(to + had, wire->chunk.data, take);
    op->value_received_bytes += (uint32_t)take;
    op->value_version = wire->version;
    if (op->value_received_bytes == wanted) {
        finish_with_value(client, op, response, span_of(to, wanted));
        return;
    }
    op->attempts = 0;
    /* An answer without a single byte had no room: the next one is asked for alone, a little
     * later. */
    op_retry(client, op, take > 0 ? 0 : client->options.rto_min_ns);
}

static void value_restart(struct plx_client *client, struct op *op)
{
    op->value_received_bytes = 0;
    op->value_version = 0;
    op_retry(client, op, 0);
}

/* What the node that answered a relaxed get could not know. */
static bool is_too_stale(struct plx_client *client, const struct op *op,
                         const struct plx_response *response)
{
    uint64_t max_age_ns = op->request.call.max_age_ns;
    if (max_age_ns != 0 && response->contact_age_ns > max_age_ns)
        return true;
    if (!client->options.read_your_writes)
        return false;
    /* A write of this handle was decided after the node had been asked. */
    if (response->applied_index < op->request.call.min_index)
        return true;
    /* This handle's own write of the key is pending on another node. */
    if (!pending_elsewhere(client, op->request.key, response->node))
        return false;
    pending_ask(client, op);
    return true;
}

void read_outcome(struct plx_client *client, struct op *op, const struct wire_reply *reply,
                  const struct wire_reply_op *wire)
{
    struct plx_response response = response_of(reply, wire);
    if (op->class == CLASS_RELAXED_READ && is_too_stale(client, op, &response)) {
        op_give_up(client, op, PLX_E_TOO_STALE);
        return;
    }
    note_seen(op->shard, reply, wire);
    if (wire->outcome == WIRE_OUTCOME_NOT_FOUND) {
        response.outcome = PLX_NOT_FOUND;
        op_finish(client, op, &response);
    } else if (wire->outcome == WIRE_OUTCOME_VERSION) {
        value_restart(client, op);
    } else if (wire->outcome != WIRE_OUTCOME_OK || !wire->has_value) {
        op_retry(client, op, round_trip_timeout_ns(client, op->shard, true, op->attempts));
    } else if (op->value_received_bytes == 0 && wire->chunk.size_bytes == wire->value_size_bytes) {
        response.outcome = PLX_OK;
        finish_with_value(client, op, &response, wire->chunk);
    } else if (wire->value_size_bytes < op->value_received_bytes) {
        value_restart(client, op);
    } else {
        response.outcome = PLX_OK;
        value_read_on(client, op, &response, wire);
    }
}
