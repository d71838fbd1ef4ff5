/*
 * Nodes that look for each other. A node that hears no leader says where it is and which storage it
 * has, to all addresses that it knows; so a node that has moved is found, and a node with an old
 * [peers] finds the cluster as long as one address is good. A leader asks nodes that are to become
 * members. Whoever was removed is told.
 */
#include "server/replica_internal.h"

#include "wire/wire_presence.h"

/* In longest election timeouts. */
#define SEEK_TIMEOUTS 2u

bool replica_is_removed(const struct replica *replica)
{
    return replica->following.removed_index > replica->commit_index;
}

static void send_presence(struct replica *replica, uint16_t node, const struct address *to,
                          struct wire_presence *presence)
{
    uint64_t index;
    presence->fingerprint = replica->fingerprint;
    presence->birth = replica->options.raft.self.birth;
    presence->cluster = raft_configuration_of(replica->raft, &index)->cluster;
    presence->commit_index = replica->commit_index;
    struct wire_writer writer = {.data = replica->shared->message_data,
                                 .capacity_bytes = MESSAGE_SIZE_BYTES_MAX};
    wire_presence_encode(&writer, presence);
    replica_send_node(replica, node, to, WIRE_PRESENCE, span_of(writer.data, writer.size_bytes));
}

/* Who is silent may have started anew, and not know where this node is: then it opens nothing of
 * what this node seals, and cannot say so. A handshake it answers from anywhere. */
static void presence_ask(struct replica *replica, uint16_t node, const struct address *to)
{
    if (to == NULL)
        return;
    if (replica->seals != NULL)
        peer_seals_doubt(replica->seals, node, replica->shared->now_ns);
    send_presence(replica, node, to, &(struct wire_presence){.is_question = true});
}

/* True, and not again before the interval is over. */
static bool is_presence_due(const struct replica *replica, uint64_t *next_ns, uint64_t interval_ns)
{
    uint64_t now_ns = replica->shared->now_ns;
    if (now_ns < *next_ns)
        return false;
    *next_ns = now_ns + interval_ns;
    return true;
}

void replica_ask_newcomers(struct replica *replica, const struct wanted *wanted)
{
    uint64_t index;
    const struct raft_configuration *now = raft_configuration_of(replica->raft, &index);
    if (!is_presence_due(replica, &replica->following.ask_ns,
                         replica->options.raft.election_timeout_max_ns))
        return;
    for (uint32_t i = 0; i < wanted->count; i++) {
        const struct wanted_node *node = &wanted->nodes[i];
        if (raft_configuration_node(now, node->id) != NULL || node->address.port == 0)
            continue;
        address_book_note(&replica->book, node->id, &node->address);
        presence_ask(replica, node->id, replica_peer_address(replica, node->id));
    }
}

/* Founders find each other by [peers]. */
static bool hears_nobody(const struct replica *replica)
{
    const struct raft_status *status = &replica->status;
    uint64_t patience_ns = SEEK_TIMEOUTS * replica->options.raft.election_timeout_max_ns;
    if (status->role == RAFT_LEADER || (!status->is_formed && !replica->options.raft.forms_none))
        return false;
    return status->leader_contact_ns == 0 ||
           replica->shared->now_ns - status->leader_contact_ns >= patience_ns;
}

/* A member that is behind may not know yet where its leader is, and drops what comes from there. */
static void greet_silent(struct replica *replica)
{
    uint64_t index;
    const struct raft_configuration *now = raft_configuration_of(replica->raft, &index);
    for (uint32_t slot = 0; slot < now->slot_count; slot++) {
        const struct raft_storage *storage = &now->members[slot].storage;
        if (storage->id != replica->options.raft.self.id &&
            replica_is_silent(replica, storage->birth))
            presence_ask(replica, storage->id, replica_peer_address(replica, storage->id));
    }
}

static void ask_everybody(struct replica *replica)
{
    for (uint16_t id = 1; id <= VOTER_ID_MAX; id++) {
        const struct address *in_use = address_book_find(&replica->book, id);
        const struct address *peer = address_book_find_peer(&replica->book, id);
        if (id == replica->options.raft.self.id)
            continue;
        presence_ask(replica, id, in_use);
        if (peer != NULL && in_use != NULL && !address_is_equal(peer, in_use))
            presence_ask(replica, id, peer);
    }
}

void replica_seek(struct replica *replica)
{
    uint64_t interval_ns = SEEK_TIMEOUTS * replica->options.raft.election_timeout_max_ns;
    bool is_leader = replica->status.role == RAFT_LEADER;
    if ((!is_leader && !hears_nobody(replica)) ||
        !is_presence_due(replica, &replica->following.seek_ns, interval_ns))
        return;
    if (is_leader)
        greet_silent(replica);
    else
        ask_everybody(replica);
}

bool replica_is_lone(const struct replica *replica, uint16_t node)
{
    const struct replica_newcomer *newcomer = replica_newcomer_of(replica, node);
    return newcomer != NULL && newcomer->is_lone;
}

/* A member has moved; or a host tells where it is. */
static void note_address(struct replica *replica, const struct replica_message *message,
                         const struct wire_presence *presence)
{
    uint64_t index;
    const struct raft_configuration *now = raft_configuration_of(replica->raft, &index);
    uint32_t slot = raft_configuration_slot(now, presence->birth);
    bool is_member = slot != RAFT_SLOT_NONE && now->members[slot].storage.id == message->sender;
    const struct address *known = replica_peer_address(replica, message->sender);
    struct address base;
    if ((!is_member && !cluster_is_host(now->cluster, presence->cluster, hears_nobody(replica))) ||
        (known != NULL && address_is_equal(known, &message->from)) ||
        !address_book_base(&replica->book, &message->from, &base))
        return;
    address_book_note(&replica->book, message->sender, &base);
    replica->following.settled_version = 0;
}

/* A storage that was no member as far as it knows is not removed: it waits to be taken in. */
static void note_removal(struct replica *replica, const struct wire_presence *presence)
{
    uint64_t index;
    uint64_t birth = replica->options.raft.self.birth;
    const struct raft_configuration *now = raft_configuration_of(replica->raft, &index);
    if (now->cluster == 0 || raft_configuration_slot(now, birth) == RAFT_SLOT_NONE ||
        presence->removed != birth || presence->cluster != now->cluster ||
        presence->removed_index <= replica->following.removed_index)
        return;
    replica->following.removed_index = presence->removed_index;
}

/* Only what is committed here and is not known there yet says that a storage was removed. */
static void presence_answer(struct replica *replica, const struct replica_message *message,
                            const struct wire_presence *question)
{
    uint64_t index;
    const struct raft_configuration *now = raft_configuration_of(replica->raft, &index);
    struct wire_presence presence = {0};
    if (now->cluster != 0 && question->cluster == now->cluster && index <= replica->commit_index &&
        index > question->commit_index &&
        raft_configuration_slot(now, question->birth) == RAFT_SLOT_NONE) {
        presence.removed = question->birth;
        presence.removed_index = index;
    }
    send_presence(replica, message->sender, &message->from, &presence);
    /* It may be of an era that is over, and where this node hears nothing else from. */
    bool is_member = raft_configuration_slot(now, question->birth) != RAFT_SLOT_NONE;
    if (!is_member && cluster_is_era_told(&replica->cluster, now->cluster, question->cluster))
        replica_tell_era(replica, message->sender, &message->from);
}

/* A founder does not ask: founders know each other by [peers]. */
static bool is_lone(const struct replica *replica, uint16_t sender,
                    const struct wire_presence *presence)
{
    const struct replica_newcomer *before = replica_newcomer_of(replica, sender);
    bool was_lone = before != NULL && before->birth == presence->birth && before->is_lone;
    return presence->cluster == 0 && (presence->is_question || was_lone);
}

void replica_receive_presence(struct replica *replica, const struct replica_message *message)
{
    struct wire_presence presence;
    if (message->sender == 0 || message->sender > VOTER_ID_MAX ||
        message->sender == replica->options.raft.self.id ||
        wire_presence_decode(message->body, &presence) != OK) {
        replica->counters.drop_body++;
        return;
    }
    if (presence.fingerprint != replica->fingerprint) {
        replica->counters.drop_fingerprint++;
        return;
    }
    note_address(replica, message, &presence);
    note_removal(replica, &presence);
    uint64_t index;
    if (raft_configuration_slot(raft_configuration_of(replica->raft, &index), presence.birth) ==
            RAFT_SLOT_NONE &&
        replica_is_format_spoken(replica))
        replica_note_newcomer(
            replica,
            &(struct replica_newcomer){.birth = presence.birth,
                                       .cluster = presence.cluster,
                                       .heard_ns = replica->shared->now_ns,
                                       .id = message->sender,
                                       .is_lone = is_lone(replica, message->sender, &presence)});
    if (presence.is_question)
        presence_answer(replica, message, &presence);
}
