/* Asking for pieces that have not come. Answers to such questions: replica_missing.c. */
#include "server/lane_internal.h"

#include "base/check.h"

static void ask(struct lane *lane, struct reassembly *reassembly, bool is_of_peers)
{
    struct reassembly_ask ask;
    while (reassembly_ask(reassembly, lane->shared.now_ns, &ask)) {
        uint8_t body[WIRE_MISSING_SIZE_BYTES_MAX];
        struct wire_writer writer = {.data = body, .capacity_bytes = sizeof(body)};
        wire_missing_encode(&writer, &ask.missing);
        CHECK(!writer.is_overflow);
        struct lane_message message = {.header = lane_message_header(lane, WIRE_MISSING, ask.shard),
                                       .to = ask.to,
                                       .body = span_of(body, writer.size_bytes)};
        message.header.receiver = is_of_peers ? ask.sender : 0;
        lane_shared_send(&lane->shared, &message);
    }
}

void lane_ask_missing(struct lane *lane)
{
    ask(lane, lane->from_peers, true);
    ask(lane, lane->from_clients, false);
}

uint64_t lane_ask_ns(const struct lane *lane)
{
    uint64_t peers_ns = reassembly_ask_ns(lane->from_peers);
    uint64_t clients_ns = reassembly_ask_ns(lane->from_clients);
    return peers_ns < clients_ns ? peers_ns : clients_ns;
}
