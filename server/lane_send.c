/* Messages out: cut into packets straight into the port's buffers. */
#include "server/lane_internal.h"

void lane_send(struct lane *lane, const struct address *to, uint8_t wire_type, struct span body)
{
    struct wire_message_header header = {
        .type = wire_type,
        .shard = lane->options.shard,
        .sender = lane->options.raft.self,
        .cluster_id = lane->options.cluster_id,
        .message_id = lane->next_message_id++,
    };
    uint32_t piece_count = wire_piece_count(body.size_bytes);
    for (uint32_t piece = 0; piece < piece_count; piece++) {
        uint8_t *packet = dp_port_tx_reserve(lane->port, to);
        if (packet == NULL)
            return; /* counted by the port; the message is lost and will be asked for again */
        dp_port_tx_commit(lane->port, wire_piece_encode(packet, &header, body, piece));
    }
}
