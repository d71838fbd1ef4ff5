/*
 * Storages that are not members: a node that has lost its storage says so to whoever sends
 * something for the old one, and a leader that is told takes the new one in (server/members.h).
 */
#include "server/replica_internal.h"

#include "wire/wire.h"
#include "wire/wire_storage.h"

#include <string.h>

/* Whether an earlier storage of this node had this birth. */
static bool had_birth(const struct replica *replica, uint64_t birth)
{
    for (uint32_t i = 0; i < IDENTITY_BIRTHS_MAX; i++) {
        if (replica->births[i] == birth && birth != replica->options.raft.self.birth)
            return birth != 0;
    }
    return false;
}

void replica_announce_storage(struct replica *replica, uint16_t to, uint64_t addressed)
{
    uint64_t now_ns = replica->shared->now_ns;
    const struct address *address = replica_peer_address(replica, to);
    if (address == NULL ||
        now_ns - replica->announced_ns[to] < replica->options.raft.heartbeat_interval_ns)
        return;
    replica->announced_ns[to] = now_ns;
    struct wire_storage_message message = {.fingerprint = replica->fingerprint,
                                           .birth = replica->options.raft.self.birth,
                                           .replaced =
                                               had_birth(replica, addressed) ? addressed : 0};
    struct wire_writer writer = {.data = replica->shared->message_data,
                                 .capacity_bytes = MESSAGE_SIZE_BYTES_MAX};
    wire_storage_encode(&writer, &message);
    replica_send_node(replica, to, address, WIRE_STORAGE, span_of(writer.data, writer.size_bytes));
}

/* Whom a new leader has not heard yet is not silent for that. */
bool replica_is_silent(const struct replica *replica, uint64_t birth)
{
    struct raft_peer_progress progress;
    if (!raft_storage_progress(replica->raft, birth, &progress))
        return false;
    uint64_t since_ns =
        progress.contact_ns > replica->led_since_ns ? progress.contact_ns : replica->led_since_ns;
    return replica->shared->now_ns - since_ns >= replica->options.raft.election_timeout_max_ns;
}

/* The member that the node's storage would take the place of. */
static bool is_reached_silent(const struct replica *replica, uint16_t id)
{
    struct raft_peer_progress progress;
    return raft_peer_progress(replica->raft, id, &progress) &&
           replica_is_silent(replica, progress.storage.birth);
}

static bool is_learner_silent(const struct replica *replica, uint16_t id)
{
    uint64_t index;
    const struct raft_configuration *now = raft_configuration_of(replica->raft, &index);
    for (uint32_t slot = 0; slot < now->slot_count; slot++) {
        const struct raft_member *member = &now->members[slot];
        if (member->storage.id == id && member->membership == RAFT_LEARNER)
            return replica_is_silent(replica, member->storage.birth);
    }
    return true;
}

static bool is_ordered(const struct replica *replica, uint16_t id)
{
    const struct replica_order *order = &replica->order;
    struct raft_peer_progress progress;
    return order->birth != 0 && order->node == id && replica->shared->now_ns < order->until_ns &&
           raft_peer_progress(replica->raft, id, &progress) &&
           progress.storage.birth == order->birth;
}

static bool is_caught_up(const struct replica *replica, uint64_t birth)
{
    uint64_t index;
    struct raft_peer_progress progress;
    (void)raft_configuration_of(replica->raft, &index);
    return raft_storage_progress(replica->raft, birth, &progress) &&
           members_is_caught_up(&progress, replica->status.last_index, index);
}

bool replica_has_configuration_room(const struct replica *replica)
{
    return log_append_room_bytes(replica->log) >=
           LOG_NOOP_TAIL_SIZE_BYTES + 2 * log_record_room_bytes(RAFT_CONFIGURATION_BYTES_MAX);
}

void replica_note_no_room(struct replica *replica)
{
    replica->counters.members_without_room++;
    replica->following.without_room_ns = replica->shared->now_ns;
}

bool replica_is_without_room(const struct replica *replica)
{
    uint64_t refused_ns = replica->following.without_room_ns;
    return refused_ns != 0 &&
           replica->shared->now_ns - refused_ns < replica->options.raft.election_timeout_max_ns;
}

void replica_receive_storage(struct replica *replica, uint16_t sender, struct span body)
{
    struct wire_storage_message message;
    if (wire_storage_decode(body, &message) != OK) {
        replica->counters.drop_body++;
        return;
    }
    if (message.fingerprint != replica->fingerprint) {
        replica->counters.drop_fingerprint++;
        return;
    }
    if (!replica_is_format_spoken(replica))
        return;
    replica_note_newcomer(replica, &(struct replica_newcomer){.birth = message.birth,
                                                              .heard_ns = replica->shared->now_ns,
                                                              .id = sender});
    if (replica->status.role != RAFT_LEADER)
        return;
    uint64_t index;
    struct members_newcomer newcomer = {.storage = {.birth = message.birth, .id = sender},
                                        .replaced = message.replaced,
                                        .is_ordered = is_ordered(replica, sender),
                                        .is_silent = is_reached_silent(replica, sender),
                                        .is_learner_silent = is_learner_silent(replica, sender),
                                        .is_caught_up = is_caught_up(replica, message.birth)};
    struct raft_configuration next;
    if (!members_next(raft_configuration_of(replica->raft, &index), &newcomer, &next))
        return;
    if (!replica_has_configuration_room(replica)) {
        replica_note_no_room(replica);
        return;
    }
    struct raft_event event = {
        .type = RAFT_EVENT_RECONFIGURE, .now_ns = replica->shared->now_ns, .configuration = &next};
    if (replica_step(replica, &event, (struct span){0}) == OK)
        replica->counters.members_changed++;
}
