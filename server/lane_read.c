/*
 * Relaxed reads of shards that live on other lanes of the node. The lane that received such a read
 * answers it at once, from the shard's index and pending writes: a read that came to the wrong
 * queue waits for no other lane, not even for one that is busy.
 */
#include "server/lane_internal.h"

#define LANE_ID_SHIFT 56
static_assert(LANES_MAX <= 1 << (64 - LANE_ID_SHIFT), "each lane has message ids of its own");

struct wire_message_header lane_message_header(struct lane *lane, uint8_t wire_type, uint16_t shard)
{
    return (struct wire_message_header){.type = wire_type,
                                        .shard = shard,
                                        .sender = lane->self,
                                        .cluster_id = lane->cluster_id,
                                        .message_id = lane->shared.next_message_id++};
}

static void reader_send(void *context, const struct address *to, uint8_t wire_type,
                        struct span body)
{
    struct lane *lane = context;
    struct lane_message message = {
        .header = lane_message_header(lane, wire_type, lane->read_shard), .to = *to, .body = body};
    lane_shared_send(&lane->shared, &message);
}

void lane_open_reader(struct lane *lane, const struct lane_options *options)
{
    struct engine_sink sink = {.send = reader_send, .context = lane};
    lane->reader = engine_reader_init(&lane->shared.arena, &sink);
    lane->self = options->replicas[0].raft.self.id;
    /* Far from the ids of this node's replicas, which begin at the incarnation, and from those of
     * the other lanes, which answer reads of the same shards. */
    lane->shared.next_message_id = ~options->replicas[0].engine.incarnation;
    lane->shared.next_message_id ^= (uint64_t)options->lane << LANE_ID_SHIFT;
}

bool lane_answer_read(struct lane *lane, const struct dp_datagram *datagram, uint16_t shard)
{
    struct wire_packet packet;
    const struct wire_keys keys = wire_keys_none();
    const struct engine *engine =
        lane->directory != NULL ? shard_directory_find(lane->directory, shard) : NULL;
    /* Seals are of the shard's own lane, and so is the refusal of what is not sealed, of what its
     * client may not do, or of too much. */
    bool is_looked_at = lane->shared.rates != NULL || (lane->shared.rights.bytes != NULL &&
                                                       lane->shared.rights.state != RIGHTS_ABSENT);
    if (lane->needs_seals || is_looked_at || engine == NULL ||
        wire_packet_decode(span_of(datagram->data, datagram->size_bytes), &keys, lane->cluster_id,
                           &packet) != OK ||
        packet.header.type != WIRE_READ || packet.piece_count != 1 ||
        (packet.header.cookie != NULL && lane->format_max == 0))
        return false;
    struct address from = datagram->from;
    if (!lane_prove(lane, &packet, false, &from))
        return true;
    from.packet_bytes = packet.header.answer_size_bytes;
    lane->read_shard = shard;
    if (!engine_reader_read(lane->reader, engine, &from, packet.payload))
        return false;
    lane->counters.rx_messages++;
    lane->counters.reads_for_others++;
    return true;
}
