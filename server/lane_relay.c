/*
 * Relays: a client that cannot reach a node reaches it by way of this one (wire/wire_relay.h). This
 * node keeps nothing of it. It passes on only for clients that have shown that they receive what is
 * sent to their address, by cookie or seal; only to members of the cluster, at the port of the
 * packet's shard; and only what a client may send, so nothing is relayed twice. What it passes on
 * for one host is bounded (server/host_budget.h).
 *
 * At the other end the packet counts as if it had come from the client. That the client is where
 * the relay says is believed as far as peers are believed.
 */
#include "server/lane_internal.h"

#include "wire/wire_relay.h"

/* The relayed packet, if it may be: a client's (`sender` 0), or that of the node that sent it. */
static bool relay_read(struct lane *lane, const struct wire_packet *packet, uint16_t sender,
                       struct wire_relay *ret_relay)
{
    const struct wire_message_header *header = &packet->header;
    bool is_of_node = header->sender != 0;
    if (is_of_node == (header->type != WIRE_RELAY) &&
        wire_relay_decode(header->type, packet->payload, ret_relay) == OK &&
        wire_relay_may_carry(ret_relay->packet, header->shard, sender))
        return true;
    lane->counters.drop_relay_malformed++;
    return false;
}

/* The same of what another node says: `sender` as above. */
static bool relay_read_of_node(struct lane *lane, const struct wire_packet *packet, uint16_t sender,
                               struct wire_relay *ret_relay)
{
    const struct replica *replica = lane->shared.replicas[packet->header.shard];
    if (!relay_read(lane, packet, sender, ret_relay))
        return false;
    if (replica_member_address(replica, packet->header.sender) != NULL &&
        replica_peer_at(replica, &ret_relay->client) == 0)
        return true;
    lane->counters.drop_relay_target++;
    return false;
}

static bool relay_take(struct lane *lane, const struct address *client, struct span packet)
{
    if (host_budget_take(&lane->relays, client, packet.size_bytes, lane->shared.now_ns))
        return true;
    lane->counters.drop_relay_budget++;
    return false;
}

static void relay_on(struct lane *lane, const struct address *from,
                     const struct wire_packet *packet)
{
    struct wire_relay relay;
    uint16_t shard = packet->header.shard;
    if (from->room != ADDRESS_PROVEN) {
        lane->counters.drop_relay_unproven++;
        lane_refuse_unproven(lane, packet, from);
        return;
    }
    if (!relay_read(lane, packet, 0, &relay))
        return;
    const struct address *to = replica_member_address(lane->shared.replicas[shard], relay.node);
    if (to == NULL) {
        lane->counters.drop_relay_target++;
        return;
    }
    if (!relay_take(lane, from, relay.packet))
        return;
    struct wire_relay head = {.client = *from, .packet = relay.packet};
    struct lane_message carrier = {
        .header = lane_message_header(lane, WIRE_RELAYED, shard),
        .to = *to,
        .body =
            span_of(lane->shared.relay_data, wire_relay_encode(lane->shared.relay_data, &head))};
    carrier.header.receiver = relay.node;
    lane_shared_send(&lane->shared, &carrier);
    lane->counters.relayed++;
}

static void relay_back(struct lane *lane, const struct wire_packet *packet)
{
    struct wire_relay relay;
    const struct wire_message_header *header = &packet->header;
    if (!relay_read_of_node(lane, packet, header->sender, &relay) ||
        !relay_take(lane, &relay.client, relay.packet))
        return;
    lane_shared_pass(&lane->shared, header->shard, &relay.client, relay.packet);
    lane->counters.relayed_back++;
}

static bool relay_open(struct lane *lane, const struct wire_packet *packet,
                       struct dp_datagram *ret_inner)
{
    struct wire_relay relay;
    if (!relay_read_of_node(lane, packet, 0, &relay))
        return false;
    *ret_inner = (struct dp_datagram){.from = relay.client,
                                      .data = (uint8_t *)relay.packet.data, /* the port's */
                                      .size_bytes = (uint32_t)relay.packet.size_bytes,
                                      .port_offset = packet->header.shard};
    ret_inner->from.via = packet->header.sender;
    lane->counters.relayed_rx++;
    return true;
}

bool lane_relay(struct lane *lane, const struct address *from, const struct wire_packet *packet,
                struct dp_datagram *ret_inner)
{
    if (packet->header.type == WIRE_RELAYED)
        return relay_open(lane, packet, ret_inner);
    if (packet->header.type == WIRE_RELAY)
        relay_on(lane, from, packet);
    else
        relay_back(lane, packet);
    return false;
}
