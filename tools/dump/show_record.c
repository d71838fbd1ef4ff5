/* What a record and a request hold. Values may be secret: they are shown only where asked for, else
 * their size and a checksum. See dump.h. */
#include "tools/dump/dump.h"

#include "base/crc32c.h"
#include "raft/raft.h"
#include "tools/dump/batch_walk.h"
#include "wire/wire_request.h"

static const char *op_name(uint8_t type)
{
    static const char *const names[WIRE_OP_TYPE_END] = {
        [WIRE_OP_SET] = "set",
        [WIRE_OP_SWAP] = "swap",
        [WIRE_OP_FENCE] = "fence",
        [WIRE_OP_REGISTER] = "register",
        [WIRE_OP_UNREGISTER] = "unregister",
        [WIRE_OP_KEEP_ALIVE] = "keep alive",
        [WIRE_OP_CANCEL] = "cancel",
        [WIRE_OP_LIMITS] = "limits",
        [WIRE_OP_IDLE] = "idle",
    };
    return type < WIRE_OP_TYPE_END && names[type] != NULL ? names[type] : "?";
}

/* The names of the fields of a value. */
struct value_fields {
    const char *size;
    const char *crc;
    const char *value;
};

static void show_value(struct dump *dump, const struct value_fields *names, struct span value)
{
    output_number(&dump->output, names->size, value.size_bytes);
    output_crc(&dump->output, names->crc, crc32c(0, value.data, value.size_bytes));
    if (dump->options->has_values)
        output_bytes(&dump->output, names->value, value);
}

static void show_limits(struct output *output, struct span value)
{
    struct wire_limits limits;
    if (wire_limits_decode(value, &limits) != OK)
        return;
    output_number(output, "keys_max", limits.keys_max);
    output_number(output, "blocks_max", limits.blocks_max);
    output_number(output, "sessions_max", limits.sessions_max);
}

static void show_op(struct dump *dump, const struct wire_op *op)
{
    static const struct value_fields new_value = {"value_size_bytes", "value_crc32c", "value"};
    static const struct value_fields old_value = {"old_size_bytes", "old_crc32c", "old"};
    struct output *output = &dump->output;
    output_row(output, "operation");
    output_text(output, "operation", op_name(op->type));
    output_number(output, "seq", op->seq);
    if (op->tag != 0)
        output_crc(output, "tag", op->tag);
    if (op->type == WIRE_OP_CANCEL) {
        output_number(output, "of_node", op->node);
        output_name(output, "of_series", op->series);
    }
    if (op->key.size_bytes > 0)
        output_bytes(output, "key", op->key);
    if (op->type == WIRE_OP_SWAP && op->has_old)
        show_value(dump, &old_value, op->old);
    if (op->type == WIRE_OP_LIMITS)
        show_limits(output, op->value);
    else if (op->has_value)
        show_value(dump, &new_value, op->value);
    else if (op->type == WIRE_OP_SET || op->type == WIRE_OP_SWAP)
        output_flag(output, "deletes", true);
    output_end(output);
}

void dump_request(struct dump *dump, struct span bytes)
{
    struct output *output = &dump->output;
    struct wire_request request;
    struct wire_op op;
    size_t cursor = 0;
    enum error error = wire_request_decode(bytes, &request);
    if (error != OK) {
        output_text(output, "error", error_name(error));
        return;
    }
    bool is_forwarded = (request.session & WIRE_NODE_SESSION_FLAG) != 0;
    output_name(output, is_forwarded ? "series" : "session",
                request.session & ~(is_forwarded ? WIRE_NODE_SESSION_FLAG : 0));
    output_number(output, "floor", request.floor);
    output_list(output, "operations");
    for (uint16_t i = 0; i < request.op_count && wire_op_decode(request.ops, &cursor, &op) == OK;
         i++)
        show_op(dump, &op);
    output_end(output);
}

static void show_batch(struct dump *dump, struct span payload)
{
    struct output *output = &dump->output;
    struct batch_walk walk;
    struct span request;
    enum error error = batch_walk_begin(payload, &walk);
    if (error != OK) {
        output_text(output, "error", error_name(error));
        return;
    }
    output_number(output, "log_time_ns", walk.log_time_ns);
    output_list(output, "requests");
    while ((error = batch_walk_next(&walk, &request)) == OK) { /* BATCH_REQUESTS_MAX */
        output_row(output, "request");
        dump_request(dump, request);
        output_end(output);
    }
    if (error != ERR_NOT_FOUND) {
        output_row(output, "request");
        output_text(output, "error", error_name(error));
        output_end(output);
    }
    output_end(output);
}

void dump_record(struct dump *dump, const struct log_record *record)
{
    if (record->kind == RAFT_ENTRY_DATA)
        show_batch(dump, record->payload);
    else if (record->kind == RAFT_ENTRY_CONFIGURATION)
        dump_configuration(dump, "log", record->index, record->payload);
}
