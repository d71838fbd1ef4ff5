/* How much clients ask: looked at when a message of theirs is whole, before anything of it is
 * queued or carried out. See server/client_rates.h. */
#include "server/lane_internal.h"

#include "base/le.h"

/* A page of a list looks at up to 1024 keys, one of sessions at 512 places. */
#define LIST_OPERATIONS REQUEST_OPS_MAX
/* Where a write and a read say how many operations they have. */
#define WRITE_COUNT_OFFSET (WIRE_WRITE_HEADER_SIZE_BYTES + 16)
#define READ_COUNT_OFFSET  24

/* As it says; what it says wrongly is found later. */
static uint32_t operations_of(const struct replica_message *message)
{
    size_t offset = message->type == WIRE_WRITE ? WRITE_COUNT_OFFSET : READ_COUNT_OFFSET;
    if (message->type == WIRE_LIST || message->type == WIRE_SESSIONS)
        return LIST_OPERATIONS;
    if ((message->type != WIRE_WRITE && message->type != WIRE_READ) ||
        message->body.size_bytes < offset + sizeof(uint16_t))
        return 1;
    uint32_t count = le16_load(message->body.data + offset);
    return count < 1 ? 1 : count < REQUEST_OPS_MAX ? count : REQUEST_OPS_MAX;
}

bool lane_admit(struct lane *lane, const struct wire_packet *packet,
                struct replica_message *message)
{
    struct lane_shared *shared = &lane->shared;
    struct client_rates_payer payer;
    const struct client_rates_request request = {
        .operations = operations_of(message),
        .bytes = message->body.size_bytes + packet->piece_count * PACKET_HEADER_SIZE_BYTES};
    uint64_t wait_ns = 0;
    if (!lane_shared_payer(shared, packet->header.shard, &message->from, message->type, &payer))
        return true;
    switch (client_rates_take(shared->rates, &payer, &request, shared->now_ns, &wait_ns)) {
    case RATE_WITHIN:
        return true;
    case RATE_OVER:
        message->retry_us = wait_ns / 1000 + 1;
        return true;
    case RATE_FLOOD:
        break;
    }
    lane->counters.drop_rate++;
    return false;
}
