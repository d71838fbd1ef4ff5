/*
 * How a shard comes to have the members that are wanted (server/wanted.h): its leader takes one
 * step after the other, on what the node's shard 0 has committed, or, in shard 0 itself, on its own
 * configuration.
 */
#include "server/replica_internal.h"

/* What a node has said of its storage counts for so long. */
#define NEWCOMER_NS UINT64_C(10000000000)

void replica_note_newcomer(struct replica *replica, const struct replica_newcomer *newcomer)
{
    struct replica_newcomer *newcomers = replica->following.newcomers;
    uint32_t oldest = 0;
    for (uint32_t i = 0; i < WANTED_NODES_MAX; i++) {
        if (newcomers[i].id == newcomer->id) {
            oldest = i;
            break;
        }
        if (newcomers[i].heard_ns < newcomers[oldest].heard_ns)
            oldest = i;
    }
    newcomers[oldest] = *newcomer;
    replica->following.settled_version = 0;
}

const struct replica_newcomer *replica_newcomer_of(const struct replica *replica, uint16_t id)
{
    for (uint32_t i = 0; i < WANTED_NODES_MAX; i++) {
        const struct replica_newcomer *newcomer = &replica->following.newcomers[i];
        if (newcomer->id == id && replica->shared->now_ns - newcomer->heard_ns < NEWCOMER_NS)
            return newcomer;
    }
    return NULL;
}

/* One of another cluster has a history of its own: a leader would overwrite it. */
bool replica_is_foreign(const struct replica *replica, const struct replica_newcomer *newcomer)
{
    uint64_t index;
    uint64_t cluster = raft_configuration_of(replica->raft, &index)->cluster;
    return newcomer->cluster != 0 && newcomer->cluster != cluster;
}

static bool is_heard(const struct replica *replica, const struct raft_peer_progress *progress)
{
    return progress->contact_ns != 0 && replica->shared->now_ns - progress->contact_ns <
                                            replica->options.raft.election_timeout_max_ns;
}

void replica_know(const struct replica *replica, const struct wanted *wanted,
                  struct wanted_known *ret_known)
{
    uint64_t index;
    const struct raft_configuration *now = raft_configuration_of(replica->raft, &index);
    struct wanted_known known = {.self = replica->options.raft.self.birth,
                                 .has_room = replica_has_configuration_room(replica)};
    for (uint32_t slot = 0; slot < now->slot_count; slot++) {
        uint64_t birth = now->members[slot].storage.birth;
        struct raft_peer_progress progress;
        uint32_t bit = UINT32_C(1) << slot;
        if (birth == known.self)
            known.heard |= bit;
        if (now->members[slot].leaves && replica_undrained_of(replica, birth) == 0)
            known.drained |= bit;
        if (!raft_storage_progress(replica->raft, birth, &progress))
            continue;
        known.heard |= is_heard(replica, &progress) ? bit : 0;
        known.silent |= replica_is_silent(replica, birth) ? bit : 0;
        bool is_caught_up = members_is_caught_up(&progress, replica->status.last_index, index);
        known.caught_up |= is_caught_up ? bit : 0;
    }
    for (uint32_t i = 0; i < wanted->count; i++) {
        const struct replica_newcomer *newcomer = replica_newcomer_of(replica, wanted->nodes[i].id);
        if (newcomer != NULL && !replica_is_foreign(replica, newcomer))
            known.births[i] = newcomer->birth;
    }
    known.formats_told = replica_formats_told(replica, wanted->format);
    *ret_known = known;
}

/* The voter with the most of the log among those that were heard of, and that stay; 0: none. */
static uint16_t successor(const struct replica *replica, const struct wanted *wanted)
{
    uint64_t index;
    const struct raft_configuration *now = raft_configuration_of(replica->raft, &index);
    uint16_t best = 0;
    uint64_t best_index = 0;
    for (uint32_t slot = 0; slot < now->slot_count; slot++) {
        const struct raft_member *member = &now->members[slot];
        struct raft_peer_progress progress;
        const struct wanted_node *node = wanted_find(wanted, member->storage.id);
        if (member->membership != RAFT_VOTER || node == NULL || node->is_learner ||
            !raft_storage_progress(replica->raft, member->storage.birth, &progress) ||
            !is_heard(replica, &progress) || progress.is_suspect ||
            progress.match_index <= best_index)
            continue;
        best = member->storage.id;
        best_index = progress.match_index;
    }
    return best;
}

/* A transfer stops writes for a moment, so one that failed is not repeated at once. */
static void follow_hand_over(struct replica *replica, const struct wanted *wanted)
{
    struct replica_following *following = &replica->following;
    uint64_t now_ns = replica->shared->now_ns;
    uint16_t to = successor(replica, wanted);
    if (to == 0 || now_ns < following->hand_over_ns)
        return;
    following->hand_over_ns = now_ns + 4 * replica->options.raft.election_timeout_max_ns;
    struct raft_event event = {.type = RAFT_EVENT_TRANSFER, .now_ns = now_ns, .transfer_to = to};
    (void)!replica_step(replica, &event, (struct span){0});
}

enum wanted_step replica_take_step(struct replica *replica, const struct wanted *wanted,
                                   const struct wanted_known *known)
{
    uint64_t index;
    struct raft_configuration next;
    const struct raft_configuration *now = raft_configuration_of(replica->raft, &index);
    enum wanted_step step = wanted_next(now, wanted, known, &next);
    if (step == WANTED_HAND_OVER)
        follow_hand_over(replica, wanted);
    if (step == WANTED_LACK_ROOM)
        replica_note_no_room(replica);
    if (step != WANTED_PROPOSE)
        return step;
    struct raft_event event = {
        .type = RAFT_EVENT_RECONFIGURE, .now_ns = replica->shared->now_ns, .configuration = &next};
    if (replica_step(replica, &event, (struct span){0}) != OK)
        return WANTED_BUSY;
    replica->counters.members_changed++;
    return step;
}

/* Shard 0: a node that has told another address than the configuration has is found there. */
static void note_moves(const struct replica *replica, struct wanted *wanted)
{
    for (uint32_t i = 0; i < wanted->count; i++) {
        uint16_t id = wanted->nodes[i].id;
        const struct address *in_use = replica_peer_address(replica, id);
        if (id == replica->options.raft.self.id)
            in_use = address_book_find_peer(&replica->book, id);
        struct wanted_change change = {
            .action = WANTED_UPDATE, .after = wanted->number, .node = {.id = id}};
        if (in_use == NULL || wanted->nodes[i].address.port == 0 ||
            !address_book_base(&replica->book, in_use, &change.node.address) ||
            address_is_equal(&wanted->nodes[i].address, &change.node.address))
            continue;
        if (wanted_edit(wanted, &change) != OK)
            return;
    }
}

/* Another shard than 0: what that one has committed. */
static void read_board(struct replica *replica)
{
    struct replica_following *following = &replica->following;
    struct raft_configuration configuration;
    if (replica->options.shard == 0 || replica->options.board == NULL ||
        !membership_board_read(replica->options.board, &following->board_sequence, &configuration))
        return;
    wanted_of(&configuration, &following->wanted);
    following->settled_version = 0;
}

/* What this shard is to follow; count 0: not known. */
static const struct wanted *find_wanted(struct replica *replica)
{
    struct replica_following *following = &replica->following;
    uint64_t index;
    if (replica->options.shard == 0) {
        wanted_of(raft_configuration_of(replica->raft, &index), &following->wanted);
        note_moves(replica, &following->wanted);
    }
    return &following->wanted;
}

/* The node is to be left by everything: whoever stays goes on. */
static void leave(struct replica *replica, const struct wanted *wanted)
{
    const struct membership_board *board = replica->options.board;
    if (board != NULL && replica->options.shard != 0 && membership_board_is_removed(board)) {
        follow_hand_over(replica, wanted);
        replica->following.step = WANTED_HAND_OVER;
    }
}

/* Whoever leaves goes when it is drained: shard 0 decides that, and each other shard looks. */
static void settle_leavers(const struct replica *replica, struct wanted *wanted,
                           struct wanted_known *ret_known)
{
    uint64_t index;
    const struct raft_configuration *now = raft_configuration_of(replica->raft, &index);
    replica_know(replica, wanted, ret_known);
    if (wanted->count == 0)
        return; /* not known */
    if (replica->options.shard == 0)
        wanted_release(wanted, now, ret_known);
    else
        wanted_retain(wanted, now, ret_known);
    replica_know(replica, wanted, ret_known);
}

void replica_follow_wanted(struct replica *replica)
{
    struct replica_following *following = &replica->following;
    uint64_t now_ns = replica->shared->now_ns;
    if (replica->status.role != RAFT_LEADER || now_ns < following->due_ns)
        return;
    following->due_ns = now_ns + replica->options.raft.heartbeat_interval_ns;
    if (!replica->status.has_own_commit || replica->status.is_transferring)
        return;
    read_board(replica);
    if (following->settled_version == replica->configuration_version) {
        leave(replica, &following->wanted);
        return;
    }
    struct wanted wanted = *find_wanted(replica);
    struct wanted_known known;
    settle_leavers(replica, &wanted, &known);
    following->step = replica_take_step(replica, &wanted, &known);
    if (following->step == WANTED_DONE)
        following->settled_version = replica->configuration_version;
    if (following->step == WANTED_ASK_NODE) {
        replica_ask_newcomers(replica, &wanted);
        if (wanted.format > replica->formats.configured)
            replica_ask_formats(replica);
    }
    if (following->step != WANTED_PROPOSE)
        leave(replica, &wanted);
}

void replica_publish_membership(struct replica *replica)
{
    struct replica_following *following = &replica->following;
    struct membership_board *board = replica->options.board;
    uint64_t index;
    if (replica->options.shard != 0 || board == NULL)
        return;
    membership_board_remove(board, replica_is_removed(replica));
    const struct raft_configuration *now = raft_configuration_of(replica->raft, &index);
    if (following->published_version == replica->configuration_version ||
        index > replica->commit_index || now->slot_count == 0)
        return;
    following->published_version = replica->configuration_version;
    membership_board_write(board, now);
}
