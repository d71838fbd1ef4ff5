/* Messages out of a lane, whichever shard they are of: cut straight into the port's buffers. */
#include "server/lane_shared.h"

void lane_shared_send(struct lane_shared *shared, const struct wire_message_header *header,
                      const struct address *to, struct span body)
{
    uint32_t piece_count = wire_piece_count(body.size_bytes, header->piece_size_bytes);
    for (uint32_t piece = 0; piece < piece_count; piece++) {
        uint8_t *packet = dp_port_tx_reserve(shared->port, header->shard, to);
        if (packet == NULL)
            return; /* counted by the port; the message is lost and will be asked for again */
        dp_port_tx_commit(shared->port,
                          wire_piece_encode(packet, &shared->keys, header, body, piece));
    }
}
