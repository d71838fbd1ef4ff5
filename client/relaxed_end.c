/* Relaxed sessions that are given back: see client/relaxed_end.h. */
#include "client/relaxed_end.h"

#include "client/client_internal.h"

static bool is_to_be_asked(const struct plx_client *client, const struct shard_state *shard,
                           uint32_t endpoint)
{
    const struct member *member = &shard->members[endpoint];
    return member->has_relaxed && member->incarnation != 0 &&
           !member_is_stranger(client, shard, endpoint);
}

uint64_t relaxed_end_due_ns(const struct plx_client *client, const struct shard_state *shard)
{
    for (uint32_t i = 0; i < client->reach_count; i++) {
        if (is_to_be_asked(client, shard, i))
            return shard->relaxed_end_due_ns;
    }
    return UINT64_MAX;
}

static void relaxed_end_send(struct plx_client *client, struct shard_state *shard,
                             uint32_t endpoint)
{
    struct transmission *transmission = transmission_new(client, shard, endpoint);
    const struct session_packet packet = {
        .number = transmission->number, .session = shard->relaxed_identity, .is_relaxed = true};
    transmission->kind = TRANSMISSION_RELAXED_END;
    session_packet_send(client, &(struct source){endpoint, shard->number, 0}, &packet,
                        &(struct wire_op){.type = WIRE_OP_UNREGISTER});
    transmission->message_id = client->message_id;
}

void relaxed_end_turn(struct plx_client *client, struct shard_state *shard)
{
    if (client->now_ns < relaxed_end_due_ns(client, shard))
        return;
    for (uint32_t i = 0; i < client->reach_count; i++) {
        if (is_to_be_asked(client, shard, i))
            relaxed_end_send(client, shard, i);
    }
    shard->relaxed_end_due_ns =
        client->now_ns + round_trip_timeout_ns(client, shard, false, shard->relaxed_end_attempts++);
}
