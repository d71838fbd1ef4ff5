/* The limits of a shard, changed through its log. */
#include "client/errand.h"
#include "client/include/pollux_limits.h"

#include "base/check.h"
#include "base/limits.h"

static struct wire_limits wire_limits_of(const struct plx_limits *limits)
{
    return (struct wire_limits){.keys_max = limits->keys_max,
                                .blocks_max =
                                    (uint32_t)(limits->store_size_bytes / ENGINE_BLOCK_SIZE_BYTES),
                                .sessions_max = limits->sessions_max};
}

static void limits_encode(const struct errand *errand, uint64_t number, uint64_t incarnation,
                          struct wire_writer *writer)
{
    const struct plx_limits *limits = errand->what;
    struct wire_limits values = wire_limits_of(limits);
    uint8_t value[WIRE_LIMITS_SIZE_BYTES];
    uint8_t bytes[ERRAND_BODY_BYTES_MAX];
    struct wire_writer request = {.data = bytes, .capacity_bytes = sizeof(bytes)};
    wire_limits_encode(value, &values);
    wire_request_begin(&request, 0, 0);
    wire_request_add(&request, &(struct wire_op){.type = WIRE_OP_LIMITS,
                                                 .has_value = true,
                                                 .seq = limits->number,
                                                 .value = span_of(value, sizeof(value))});
    CHECK(!request.is_overflow);
    wire_write_encode(writer,
                      &(struct wire_write){.packet_number = number,
                                           .incarnation = incarnation,
                                           .request = span_of(request.data, request.size_bytes)});
}

static enum plx_outcome applied_outcome(const struct wire_reply *reply)
{
    struct wire_reply_op op;
    size_t cursor = 0;
    if (reply->op_count != 1 || wire_reply_op_decode(reply->ops, &cursor, &op) != OK)
        return PLX_TIMEOUT;
    return op.outcome == WIRE_OUTCOME_OK ? PLX_OK : PLX_MISMATCH;
}

static enum plx_outcome limits_outcome(const struct errand *errand, const struct wire_reply *reply)
{
    (void)errand;
    return reply->status == WIRE_STATUS_OK ? applied_outcome(reply)
                                           : errand_refusal((enum wire_status)reply->status);
}

/* Whatever the log has no room for. */
static bool can_be_limits(const struct plx_limits *limits)
{
    uint64_t blocks = limits->store_size_bytes / ENGINE_BLOCK_SIZE_BYTES;
    return limits->number != 0 && limits->keys_max != 0 && limits->sessions_max != 0 &&
           blocks != 0 && blocks <= STORE_BLOCKS_MAX;
}

enum plx_outcome plx_limits_set(struct plx_client *client, uint16_t shard,
                                const struct plx_limits *limits, uint64_t timeout_ns)
{
    struct errand errand = {.shard = shard,
                            .wire_type = WIRE_WRITE,
                            .reply_type = WIRE_WRITE_REPLY,
                            .what = limits,
                            .encode = limits_encode,
                            .outcome = limits_outcome};
    if (limits == NULL || !can_be_limits(limits))
        return PLX_E_ARGUMENT;
    enum plx_outcome outcome = errand_run(client, &errand, timeout_ns);
    /* Nothing tells a copy of such a packet from the packet: a copy that is late may take effect
     * until the number is used. */
    bool is_open = outcome == PLX_TIMEOUT || outcome == PLX_E_UNREACHABLE;
    return is_open && errand.is_asked ? PLX_UNKNOWN : outcome;
}
