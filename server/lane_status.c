/* What a lane tells operators of a shard: the replica's own words, then the counters of the lane
 * and its port. */
#include "server/lane_internal.h"

#include "base/check.h"

#include <stdio.h>

/* Counters of lane, port and replica that are not of a list. */
#define SINGLE_COUNTERS_MAX 90
#define X(...)              +1
static_assert(SINGLE_COUNTERS_MAX + LANE_PATHS_TOLD_MAX + OBSTACLE_KINDS + 2 * STATE_MARKS_MAX +
                      (0 LANE_DROP_LIST(X)) + (0 REPLICA_DROP_LIST(X)) +
                      (0 ENGINE_COUNTER_LIST(X)) + (0 PEER_SEALS_COUNTER_LIST(X)) + DP_DROP_COUNT <=
                  WIRE_COUNTERS_MAX,
              "a status reply has room for all counters");
#undef X

static void add_lane_counters(struct wire_writer *writer, const struct lane *lane)
{
    const struct lane_counters *counters = &lane->counters;
    wire_counter_add(writer, "lane_turns", counters->turns);
    wire_counter_add(writer, "lane_turns_worked", counters->turns_worked);
    wire_counter_add(writer, "lane_rx_messages", counters->rx_messages);
    wire_counter_add(writer, "lane_reads_for_others", counters->reads_for_others);
    wire_counter_add(writer, "clients_waiting", lane_clients_waiting(lane));
    wire_counter_add(writer, "cookies_next", counters->cookies_next);
    wire_counter_add(writer, "answers_withheld", lane->shared.withheld);
    wire_counter_add(writer, "relayed", counters->relayed);
    wire_counter_add(writer, "relayed_back", counters->relayed_back);
    wire_counter_add(writer, "relayed_rx", counters->relayed_rx);
    wire_counter_add(writer, "relayed_nowhere", lane->shared.unrelayed);
    wire_counter_add(writer, "pieces_asked",
                     reassembly_asks(lane->from_peers) + reassembly_asks(lane->from_clients));
    wire_counter_add(writer, "pieces_again", lane->shared.pieces_again);
    lane_path_add_counters(writer, lane);
    wire_counter_add(writer, "security_unsealed", lane->shared.unsealed);
    wire_counter_add(writer, "reassembly_evictions",
                     reassembly_evictions(lane->from_peers) +
                         reassembly_evictions(lane->from_clients));
    wire_counter_add(writer, "reassembly_evictions_own",
                     reassembly_evictions_own(lane->from_peers) +
                         reassembly_evictions_own(lane->from_clients));
#define X(name) wire_counter_add(writer, "drop_" #name, counters->drop_##name);
    LANE_DROP_LIST(X)
#undef X
}

static void add_port_counters(struct wire_writer *writer, const struct dp_counters *counters)
{
    wire_counter_add(writer, "port_rx_packets", counters->rx_packets);
    wire_counter_add(writer, "port_rx_bytes", counters->rx_bytes);
    wire_counter_add(writer, "port_rx_handed_over", counters->rx_handed_over);
    wire_counter_add(writer, "port_rx_taken_over", counters->rx_taken_over);
    wire_counter_add(writer, "port_tx_packets", counters->tx_packets);
    wire_counter_add(writer, "port_tx_bytes", counters->tx_bytes);
    wire_counter_add(writer, "port_arp_answers", counters->arp_answers);
    wire_counter_add(writer, "port_neighbour_answers", counters->neighbour_answers);
    wire_counter_add(writer, "port_echo_answers", counters->echo_answers);
    wire_counter_add(writer, "port_neighbour_conflicts", counters->neighbour_conflicts);
    wire_counter_add(writer, "port_neighbour_changes", counters->neighbour_changes);
    wire_counter_add(writer, "port_link_up", counters->link_up);
    wire_counter_add(writer, "port_link_mbps", counters->link_mbps);
    wire_counter_add(writer, "port_link_changes", counters->link_changes);
    wire_counter_add(writer, "port_card_rx_missed", counters->card_rx_missed);
    wire_counter_add(writer, "port_card_rx_errors", counters->card_rx_errors);
    wire_counter_add(writer, "port_card_rx_no_buffer", counters->card_rx_no_buffer);
    wire_counter_add(writer, "port_card_tx_errors", counters->card_tx_errors);
    for (int drop = 0; drop < DP_DROP_COUNT; drop++) {
        char name[64];
        snprintf(name, sizeof(name), "port_drop_%s", dp_drop_name((enum dp_drop)drop));
        wire_counter_add(writer, name, counters->drops[drop]);
    }
}

static void add_obstacles(struct wire_writer *writer, const struct lane *lane)
{
#define X(kind, name, setting, meaning)                                                            \
    wire_counter_add(                                                                              \
        writer, "obstacle_" name,                                                                  \
        obstacles_present(&lane->shared.obstacles, OBSTACLE_##kind, lane->shared.now_ns));
    OBSTACLE_LIST(X)
#undef X
}

/* Of everybody: who leads, and how far the node is. Of operators: what it counts as well. */
void lane_answer_status(struct lane *lane, struct replica *replica,
                        const struct replica_message *message)
{
    struct wire_writer writer = {.data = lane->shared.message_data,
                                 .capacity_bytes = MESSAGE_SIZE_BYTES_MAX};
    replica_add_status_head(replica, &writer);
    if (replica_is_operator(message)) {
        replica_add_status(replica, &writer);
        add_lane_counters(&writer, lane);
        add_obstacles(&writer, lane);
        add_port_counters(&writer, dp_port_counters(lane->shared.port));
    }
    CHECK(!writer.is_overflow);
    replica_send(replica, &message->from, WIRE_STATUS_REPLY,
                 span_of(writer.data, writer.size_bytes));
}
