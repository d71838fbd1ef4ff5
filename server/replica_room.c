/*
 * What a replica has room for, and what a leader may admit: no more than fits its own log and the
 * logs of a majority (majority_room.h). What is admitted can be committed without waiting for
 * anybody's snapshot.
 */
#include "server/replica_internal.h"

#include <string.h>

/* A log with less room than this part of its size is short of it. */
#define SHORT_PARTS 8u

/* Of a joint configuration those who stay. */
static void find_voters(struct replica *replica)
{
    uint64_t index;
    const struct raft_configuration *now = raft_configuration_of(replica->raft, &index);
    struct room_voters voters = {.self = replica->options.raft.self.id};
    bool is_new[NODES_MAX] = {false};
    for (uint32_t slot = 0; slot < now->slot_count; slot++) {
        const struct raft_member *member = &now->members[slot];
        bool is_counted = member->storage.birth != 0 &&
                          (member->membership == RAFT_VOTER || member->membership == RAFT_INCOMING);
        if (!is_counted)
            continue;
        uint64_t *told = &replica->room_births[member->storage.id];
        is_new[voters.count] = *told != member->storage.birth;
        *told = member->storage.birth;
        voters.ids[voters.count++] = member->storage.id;
    }
    replica->room_voters = voters;
    majority_room_recount(&replica->majority_room, &voters, is_new);
}

void replica_follow_configuration(struct replica *replica)
{
    uint64_t version = raft_configuration_version(replica->raft);
    if (replica->configuration_version == version)
        return;
    replica->configuration_version = version;
    uint64_t index;
    const struct raft_configuration *now = raft_configuration_of(replica->raft, &index);
    cluster_membership_follow(
        &replica->cluster,
        (struct cluster_identity){.cluster = (uint32_t)now->cluster, .era = (uint32_t)now->era},
        raft_configuration_slot(now, replica->options.raft.self.birth) != RAFT_SLOT_NONE);
    replica->configuration_index = index;
    replica->formats.configured = now->format;
    find_voters(replica);
    replica_follow_drain(replica);
    address_book_follow(&replica->book, now);
}

size_t replica_record_bytes_max(const struct replica *replica)
{
    size_t room = log_record_room_max(replica->log) - LOG_NOOP_TAIL_SIZE_BYTES -
                  log_record_room_bytes(0) - RECORD_ALIGN_BYTES;
    return room < RECORD_PAYLOAD_SIZE_BYTES_MAX ? room : RECORD_PAYLOAD_SIZE_BYTES_MAX;
}

/* What fits no log without the next snapshot must not be refused for ever: a log that is short of
 * room takes snapshots until both hold all there is. */
bool replica_is_short_of_room(const struct replica *replica)
{
    size_t largest = log_record_room_bytes(replica_record_bytes_max(replica));
    return log_room_bytes(replica->log) < log_capacity_bytes(replica->log) / SHORT_PARTS ||
           replica_own_room(replica).data_bytes < largest;
}

struct record_room replica_own_room(const struct replica *replica)
{
    size_t room = log_room_bytes(replica->log);
    return (struct record_room){
        .data_bytes = log_sure_room_bytes(replica->log, LOG_NOOP_RESERVE_SIZE_BYTES +
                                                            LOG_FENCE_RESERVE_SIZE_BYTES),
        .log_bytes = room > LOG_NOOP_RESERVE_SIZE_BYTES ? room - LOG_NOOP_RESERVE_SIZE_BYTES : 0};
}

/* A reply of an earlier term, or one that raft does not count, says nothing of this leader's log.
 * Nor does one that names a record from before the log's first: that voter needs a snapshot. */
void replica_note_room(struct replica *replica, const struct raft_message *reply,
                       const struct record_room *room)
{
    const struct room_voters *voters = &replica->room_voters;
    struct majority_room *majority = &replica->majority_room;
    struct raft_peer_progress progress;
    if (reply->term != replica->status.term ||
        !raft_peer_progress(replica->raft, reply->from.id, &progress) ||
        progress.storage.birth != reply->from.birth)
        return;
    if (majority->term != reply->term)
        majority_room_begin(majority, reply->term, voters);
    /* A learner, too, so that a leader with a new voter need not wait until that has answered. */
    uint64_t *told = &replica->room_births[reply->from.id];
    majority_room_trust(majority, reply->from.id,
                        *told == reply->from.birth ? progress.match_index : 0, voters);
    *told = reply->from.birth;
    uint64_t match_index = reply->append_reply.match_index;
    if (!reply->append_reply.is_success || match_index > progress.match_index ||
        match_index + 1 < log_first_index(replica->log))
        return;
    const struct room_report report = {.voter = reply->from.id,
                                       .match_index = match_index,
                                       .position = log_position_behind(replica->log, match_index),
                                       .room = *room};
    majority_room_note(majority, &report, voters);
}

static size_t least(size_t one, uint64_t other)
{
    return one < other ? one : (size_t)other;
}

/* Payload of one record that takes so much. */
static size_t payload_bytes(size_t room_bytes)
{
    size_t kept = log_record_room_bytes(0) + RECORD_ALIGN_BYTES;
    return room_bytes > kept ? room_bytes - kept : 0;
}

struct record_room replica_admissible_room(const struct replica *replica)
{
    struct record_room own = replica_own_room(replica);
    uint64_t end = log_position_behind(replica->log, log_last_index(replica->log));
    struct record_room others = {0};
    if (replica->room_voters.count == 1)
        others = (struct record_room){UINT64_MAX, UINT64_MAX};
    else if (replica->majority_room.term == replica->status.term)
        others = majority_room_behind(&replica->majority_room, end);
    return (struct record_room){.data_bytes =
                                    payload_bytes(least(own.data_bytes, others.data_bytes)),
                                .log_bytes = payload_bytes(least(own.log_bytes, others.log_bytes))};
}
