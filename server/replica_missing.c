/*
 * Messages of several packets that a replica has sent: repeated, and pieces of them sent again when
 * the receiver asks. The bytes of an append request are made anew from the log for that. They are
 * the same bytes as long as this node leads in the term of the message.
 */
#include "server/replica_internal.h"

#include "base/check.h"

/* The slot of the storage; RAFT_SLOT_NONE: it is no member any more. */
static uint32_t slot_of(const struct replica *replica, uint64_t birth)
{
    uint64_t index;
    return raft_configuration_slot(raft_configuration_of(replica->raft, &index), birth);
}

/* The message as it was sent, encoded again. */
static struct lane_message append_again(struct replica *replica, const struct sent_append *append)
{
    struct lane_message message = {
        .header = replica_message_header(replica, WIRE_RAFT, append->message_id),
        .to = *replica_peer_address(replica, append->message.to.id),
        .body = replica_encode_raft(replica, &append->message, NULL)};
    message.header.version = append->version;
    message.header.piece_size_bytes = append->piece_size_bytes;
    message.header.receiver = append->message.to.id;
    return message;
}

/*
 * The peer may have most of the pieces already, and asks for what it lacks when the first one comes
 * again. The request without entries brings what is new since: round, commit index, and that a
 * quorum has answered.
 */
static void repeat_append(struct replica *replica, const struct raft_message *message,
                          struct sent_append *append)
{
    struct raft_message news = *message;
    news.append_request.entry_count = 0;
    replica_send_node(replica, message->to.id, replica_peer_address(replica, message->to.id),
                      WIRE_RAFT, replica_encode_raft(replica, &news, NULL));
    struct lane_message again = append_again(replica, append);
    if (again.body.size_bytes == 0)
        return;
    lane_shared_send_pieces(replica->shared, &again, 0, 1);
    append->pieces_left--;
}

void replica_send_append(struct replica *replica, const struct raft_message *message,
                         struct span body)
{
    uint64_t now_ns = replica->shared->now_ns;
    uint32_t peer = slot_of(replica, message->to.birth);
    if (peer == RAFT_SLOT_NONE)
        return;
    struct lane_message whole = {.header = replica_message_header(replica, WIRE_RAFT, 0),
                                 .to = *replica_peer_address(replica, message->to.id),
                                 .body = body};
    whole.header.receiver = message->to.id;
    lane_path_ask(replica->shared, &whole);
    lane_message_fit(replica->shared, &whole);
    struct sent_append *same = sent_appends_same(replica->sent_appends, peer, message, now_ns);
    /* Pieces that do not arrive any more are not sent again. */
    if (same != NULL && same->piece_size_bytes <= whole.header.piece_size_bytes) {
        repeat_append(replica, message, same);
        return;
    }
    whole.header.message_id = replica->next_message_id++;
    uint32_t piece_count = wire_piece_count(body.size_bytes, whole.header.piece_size_bytes);
    lane_shared_send_pieces(replica->shared, &whole, 0, piece_count);
    if (piece_count == 1)
        return;
    const struct sent_append append = {.message = *message,
                                       .message_id = whole.header.message_id,
                                       .version = whole.header.version,
                                       .piece_size_bytes = whole.header.piece_size_bytes,
                                       .sent_ns = now_ns};
    sent_appends_keep(replica->sent_appends, peer, &append, piece_count);
}

/* The append request to that member; NULL: it was sent none with this id by this leader. */
static struct sent_append *find_append(struct replica *replica, uint32_t slot,
                                       const struct raft_storage *storage,
                                       const struct wire_missing *missing)
{
    struct sent_append *append =
        sent_appends_asked(replica->sent_appends, slot, missing, replica->shared->now_ns);
    if (append == NULL || append->message.to.birth != storage->birth ||
        replica->status.role != RAFT_LEADER || replica->status.term != append->message.term ||
        append->message.append_request.previous_index + 1 < log_first_index(replica->log))
        return NULL;
    return append;
}

/* A node may have two members: the storage that it lost, and the one that takes its place. */
static struct sent_append *find_append_to(struct replica *replica, uint16_t node,
                                          const struct wire_missing *missing)
{
    uint64_t index;
    const struct raft_configuration *now = raft_configuration_of(replica->raft, &index);
    for (uint32_t slot = 0; slot < now->slot_count; slot++) {
        const struct raft_storage *storage = &now->members[slot].storage;
        struct sent_append *append = storage->birth != 0 && storage->id == node
                                         ? find_append(replica, slot, storage, missing)
                                         : NULL;
        if (append != NULL)
            return append;
    }
    return NULL;
}

static bool send_append_again(struct replica *replica, uint16_t sender,
                              const struct wire_missing *missing)
{
    struct sent_append *append = find_append_to(replica, sender, missing);
    if (append == NULL)
        return false;
    struct lane_message message = append_again(replica, append);
    if (message.body.size_bytes == 0)
        return true;
    append->pieces_left -=
        lane_shared_send_again(replica->shared, &message, missing, append->pieces_left);
    return true;
}

void replica_receive_missing(struct replica *replica, const struct replica_message *message)
{
    struct wire_missing missing;
    if (wire_missing_decode(message->body, &missing) != OK) {
        replica->counters.drop_body++;
        return;
    }
    if (message->sender != 0 && send_append_again(replica, message->sender, &missing))
        return;
    struct lane_message again = {.to = message->from};
    struct sent_message *sent =
        sent_messages_find(replica->shared->sent, &message->from, replica->options.shard,
                           missing.message_id, &again.body);
    if (sent == NULL)
        return; /* too long ago: the message will come anew, under another id */
    again.header = sent->header;
    sent->pieces_left -=
        lane_shared_send_again(replica->shared, &again, &missing, sent->pieces_left);
}
