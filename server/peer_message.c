/* See peer_message.h. */
#include "server/peer_message.h"

#include "base/check.h"
#include "wire/wire_hello.h"

static_assert((int)RAFT_VOTE_REQUEST == WIRE_PEER_VOTE_REQUEST, "types are translated by value");
static_assert((int)RAFT_VOTE_REPLY == WIRE_PEER_VOTE_REPLY, "types are translated by value");
static_assert((int)RAFT_APPEND_REQUEST == WIRE_PEER_APPEND_REQUEST,
              "types are translated by value");
static_assert((int)RAFT_APPEND_REPLY == WIRE_PEER_APPEND_REPLY, "types are translated by value");
static_assert((int)RAFT_TIMEOUT_NOW == WIRE_PEER_TIMEOUT_NOW, "types are translated by value");
static_assert((int)RAFT_MESSAGE_TYPE_END == WIRE_PEER_TYPE_END, "types are translated by value");
static_assert((int)RAFT_ENTRY_NOOP == WIRE_PEER_ENTRY_NOOP, "kinds are translated by value");
static_assert((int)RAFT_ENTRY_DATA == WIRE_PEER_ENTRY_DATA, "kinds are translated by value");

static_assert((int)RAFT_ENTRY_CONFIGURATION == WIRE_PEER_ENTRY_CONFIGURATION,
              "kinds are translated by value");

static_assert((int)RAFT_FOLLOWER == WIRE_ROLE_FOLLOWER, "roles are told by value");
static_assert((int)RAFT_PRE_CANDIDATE == WIRE_ROLE_PRE_CANDIDATE, "roles are told by value");
static_assert((int)RAFT_CANDIDATE == WIRE_ROLE_CANDIDATE, "roles are told by value");
static_assert((int)RAFT_LEADER == WIRE_ROLE_LEADER, "roles are told by value");

/* The fields of each body, by one name in both layers. A list counts for both directions. */
#define VOTE_REQUEST_FIELDS(X)                                                                     \
    X(vote_request, last_index)                                                                    \
    X(vote_request, last_term)                                                                     \
    X(vote_request, is_pre_vote)                                                                   \
    X(vote_request, is_transfer)                                                                   \
    X(vote_request, formation)

#define VOTE_REPLY_FIELDS(X)                                                                       \
    X(vote_reply, last_index)                                                                      \
    X(vote_reply, last_term)                                                                       \
    X(vote_reply, is_granted)                                                                      \
    X(vote_reply, is_pre_vote)                                                                     \
    X(vote_reply, is_suspect)

#define APPEND_REQUEST_FIELDS(X)                                                                   \
    X(append_request, previous_index)                                                              \
    X(append_request, previous_term)                                                               \
    X(append_request, commit_index)                                                                \
    X(append_request, round)                                                                       \
    X(append_request, quorum_age_ns)                                                               \
    X(append_request, entry_count)                                                                 \
    X(append_request, suspicion)

#define APPEND_REPLY_FIELDS(X)                                                                     \
    X(append_reply, match_index)                                                                   \
    X(append_reply, round)                                                                         \
    X(append_reply, conflict_term)                                                                 \
    X(append_reply, conflict_index)                                                                \
    X(append_reply, rejected_index)                                                                \
    X(append_reply, suspicion)                                                                     \
    X(append_reply, is_success)

#define COPY(body, field) to->body.field = (__typeof__(to->body.field))from->body.field;

static void fields_to_wire(const struct raft_message *from, struct wire_peer_message *to)
{
    switch (from->type) {
    case RAFT_VOTE_REQUEST:
        VOTE_REQUEST_FIELDS(COPY)
        return;
    case RAFT_VOTE_REPLY:
        VOTE_REPLY_FIELDS(COPY)
        return;
    case RAFT_APPEND_REQUEST:
        CHECK(from->append_request.entry_count <= APPEND_ENTRIES_MAX);
        APPEND_REQUEST_FIELDS(COPY)
        return;
    case RAFT_APPEND_REPLY:
        APPEND_REPLY_FIELDS(COPY)
        return;
    case RAFT_TIMEOUT_NOW:
    case RAFT_MESSAGE_TYPE_END:
        return;
    }
}

static void fields_from_wire(const struct wire_peer_message *from, struct raft_message *to)
{
    switch ((enum wire_peer_type)from->type) {
    case WIRE_PEER_VOTE_REQUEST:
        VOTE_REQUEST_FIELDS(COPY)
        return;
    case WIRE_PEER_VOTE_REPLY:
        VOTE_REPLY_FIELDS(COPY)
        return;
    case WIRE_PEER_APPEND_REQUEST:
        APPEND_REQUEST_FIELDS(COPY)
        return;
    case WIRE_PEER_APPEND_REPLY:
        APPEND_REPLY_FIELDS(COPY)
        return;
    case WIRE_PEER_TIMEOUT_NOW:
    case WIRE_PEER_TYPE_END:
        return;
    }
}

void peer_message_encode(struct wire_writer *writer, const struct raft_message *message,
                         const struct peer_message_beside *beside)
{
    struct wire_peer_message peer = {.type = (uint8_t)message->type,
                                     .from = {message->from.birth, message->from.id},
                                     .to = {message->to.birth, message->to.id},
                                     .fingerprint = beside->fingerprint,
                                     .cluster = beside->cluster.cluster,
                                     .era = beside->cluster.era,
                                     .start = beside->start,
                                     .term = message->term};
    fields_to_wire(message, &peer);
    if (message->type == RAFT_APPEND_REPLY) {
        peer.append_reply.data_room_bytes = beside->room.data_bytes;
        peer.append_reply.log_room_bytes = beside->room.log_bytes;
        peer.append_reply.priority = beside->priority;
        peer.append_reply.undrained = beside->undrained;
    }
    wire_peer_encode(writer, &peer);
}

void peer_message_add_entry(struct wire_writer *writer, const struct raft_entry *entry)
{
    wire_peer_add_entry(
        writer, &(struct wire_peer_entry){.term = entry->term,
                                          .payload = span_of(entry->payload, entry->size_bytes),
                                          .kind = entry->kind});
}

enum error peer_message_decode(struct span bytes, struct peer_message_beside *ret_beside,
                               struct raft_message *ret_message, struct raft_entry *ret_entries)
{
    struct wire_peer_message peer;
    enum error error = wire_peer_decode(bytes, &peer);
    if (error != OK)
        return error;
    uint32_t entry_count =
        peer.type == WIRE_PEER_APPEND_REQUEST ? peer.append_request.entry_count : 0;
    size_t cursor = 0;
    for (uint32_t i = 0; i < entry_count; i++) {
        struct wire_peer_entry entry;
        error = wire_peer_entry_decode(peer.append_request.entries, &cursor, &entry);
        CHECK(error == OK); /* wire_peer_decode has passed all of them */
        ret_entries[i] = (struct raft_entry){.term = entry.term,
                                             .payload = entry.payload.data,
                                             .size_bytes = (uint32_t)entry.payload.size_bytes,
                                             .kind = entry.kind};
    }
    *ret_beside = (struct peer_message_beside){
        .fingerprint = peer.fingerprint, .cluster = {peer.cluster, peer.era}, .start = peer.start};
    if (peer.type == WIRE_PEER_APPEND_REPLY) {
        ret_beside->room = (struct record_room){.data_bytes = peer.append_reply.data_room_bytes,
                                                .log_bytes = peer.append_reply.log_room_bytes};
        ret_beside->priority = (uint8_t)peer.append_reply.priority;
        ret_beside->undrained = peer.append_reply.undrained;
    }
    *ret_message = (struct raft_message){.type = (enum raft_message_type)peer.type,
                                         .from = {peer.from.birth, peer.from.id},
                                         .to = {peer.to.birth, peer.to.id},
                                         .term = peer.term};
    fields_from_wire(&peer, ret_message);
    return OK;
}
