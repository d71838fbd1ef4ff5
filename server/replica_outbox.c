/*
 * A replica's messages out: cut into packets straight into the port's buffers. Raft's messages that
 * must not leave before something is durable wait in the outbox for the persist that covers it.
 */
#include "server/replica_internal.h"
#include "server/peer_message.h"

#include "base/check.h"
#include "wire/wire.h"

struct wire_message_header replica_message_header(const struct replica *replica, uint8_t wire_type,
                                                  uint64_t message_id)
{
    return (struct wire_message_header){.type = wire_type,
                                        .version = replica_packet_version(replica, wire_type),
                                        .shard = replica->options.shard,
                                        .sender = replica->options.raft.self.id,
                                        .cluster_id = replica->options.cluster_id,
                                        .message_id = message_id};
}

void replica_send_node(struct replica *replica, uint16_t node, const struct address *to,
                       uint8_t wire_type, struct span body)
{
    struct lane_message message = {
        .header = replica_message_header(replica, wire_type, replica->next_message_id++),
        .to = *to,
        .body = body};
    message.header.receiver = node;
    lane_shared_send(replica->shared, &message);
}

void replica_send(struct replica *replica, const struct address *to, uint8_t wire_type,
                  struct span body)
{
    replica_send_node(replica, 0, to, wire_type, body);
}

const struct address *replica_peer_address(const struct replica *replica, uint16_t voter)
{
    return address_book_find(&replica->book, voter);
}

/* False: a record has rotted, and the request must not leave. */
static bool add_entries(struct replica *replica, struct wire_writer *writer,
                        const struct raft_message *message)
{
    uint64_t index = message->append_request.previous_index + 1;
    for (uint32_t i = 0; i < message->append_request.entry_count; i++, index++) {
        struct log_record record;
        if (!replica_is_record_whole(replica, index))
            return false;
        log_read(replica->log, index, &record);
        struct raft_entry entry = {
            .term = record.term,
            .payload = record.payload.data,
            .size_bytes = (uint32_t)record.payload.size_bytes,
            .kind = record.kind,
        };
        peer_message_add_entry(writer, &entry);
    }
    return true;
}

struct span replica_encode_raft(struct replica *replica, const struct raft_message *message,
                                const struct record_room *room)
{
    const struct peer_message_beside beside = {
        .fingerprint = replica->fingerprint,
        .cluster = cluster_membership_told(&replica->cluster),
        .start = replica->own_start.start,
        .priority = replica->options.priority,
        .undrained = replica_undrained(replica),
        .room = room == NULL ? (struct record_room){0} : *room};
    struct wire_writer writer = {.data = replica->shared->message_data,
                                 .capacity_bytes = MESSAGE_SIZE_BYTES_MAX};
    peer_message_encode(&writer, message, &beside);
    if (message->type == RAFT_APPEND_REQUEST && !add_entries(replica, &writer, message))
        return (struct span){0};
    CHECK(!writer.is_overflow);
    return span_of(writer.data, writer.size_bytes);
}

void replica_send_raft(struct replica *replica, const struct raft_message *message,
                       const struct record_room *room)
{
    const struct address *to = replica_peer_address(replica, message->to.id);
    if (to == NULL || replica_is_out(replica))
        return; /* nobody has said where it is */
    struct span body = replica_encode_raft(replica, message, room);
    if (body.size_bytes == 0)
        return;
    if (message->type == RAFT_APPEND_REQUEST && body.size_bytes > PACKET_PAYLOAD_SIZE_BYTES_BASE)
        replica_send_append(replica, message, body);
    else
        replica_send_node(replica, message->to.id, to, WIRE_RAFT, body);
    replica->counters.raft_tx++;
}

/* Two successes to one leader in one turn say no more than the later of them. */
static bool is_superseded(const struct replica_outgoing *old, const struct raft_message *message)
{
    return old->ticket == REPLICA_UNSTAMPED && old->message.type == RAFT_APPEND_REPLY &&
           message->type == RAFT_APPEND_REPLY && old->message.to.birth == message->to.birth &&
           old->message.term == message->term && old->message.append_reply.is_success &&
           message->append_reply.is_success &&
           old->message.append_reply.match_index <= message->append_reply.match_index &&
           old->message.append_reply.round <= message->append_reply.round;
}

void replica_push_outbox(struct replica *replica, const struct raft_message *message)
{
    if (replica->outbox_tail > replica->outbox_head) {
        struct replica_outgoing *last =
            &replica->outbox[(replica->outbox_tail - 1) % REPLICA_OUTBOX_MAX];
        if (is_superseded(last, message)) {
            last->message = *message;
            last->room = replica_own_room(replica);
            return;
        }
    }
    if (replica->outbox_tail - replica->outbox_head == REPLICA_OUTBOX_MAX) {
        replica->counters.drop_outbox_full++;
        return;
    }
    replica->outbox[replica->outbox_tail++ % REPLICA_OUTBOX_MAX] = (struct replica_outgoing){
        .message = *message, .room = replica_own_room(replica), .ticket = REPLICA_UNSTAMPED};
}

void replica_stamp_outbox(struct replica *replica, uint64_t ticket)
{
    for (uint64_t i = replica->outbox_tail; i > replica->outbox_head; i--) {
        struct replica_outgoing *outgoing = &replica->outbox[(i - 1) % REPLICA_OUTBOX_MAX];
        if (outgoing->ticket != REPLICA_UNSTAMPED)
            return;
        outgoing->ticket = ticket;
    }
}

void replica_flush_outbox(struct replica *replica)
{
    while (replica->outbox_head < replica->outbox_tail) {
        const struct replica_outgoing *outgoing =
            &replica->outbox[replica->outbox_head % REPLICA_OUTBOX_MAX];
        if (outgoing->ticket > replica->watch.ticket_done)
            return;
        replica_send_raft(replica, &outgoing->message, &outgoing->room);
        replica->outbox_head++;
    }
}
