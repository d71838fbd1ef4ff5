/* See eavesdropper.h. Reads the hard state as pmem/log.h lays it out, by its own hand. */
#include "tests/sim/eavesdropper.h"

#include "base/le.h"
#include "server/peer_message.h"

#define SLOT_OFFSET     4096u
#define SLOT_STEP_BYTES 512u
#define SLOTS           2u
#define BIRTHS_OFFSET   6656u

static struct raft_hard_state persisted_hard_state(const uint8_t *image)
{
    struct raft_hard_state newest = {0};
    for (uint32_t slot = 0; slot < SLOTS; slot++) {
        uint64_t word = le64_load(image + SLOT_OFFSET + (size_t)slot * SLOT_STEP_BYTES);
        uint64_t term = word >> 24;
        uint64_t place = word >> 16 & 0xff;
        if (term < newest.term || (term == newest.term && place == 0))
            continue;
        newest = (struct raft_hard_state){.term = term};
        if (place != 0)
            newest.vote = le64_load(image + BIRTHS_OFFSET + (place - 1) * 16);
    }
    return newest;
}

/* The node says that it votes for `candidate` in the message's term. */
static void hear_vote(struct overseer *overseer, uint32_t node, const struct raft_message *message,
                      struct raft_storage candidate)
{
    const struct watched_node *watched = &overseer->nodes[node];
    const uint8_t *image = medium_sim_persisted(overseer->media, watched->path);
    struct raft_hard_state state = persisted_hard_state(image);
    if (state.term < message->term ||
        (state.term == message->term && state.vote != candidate.birth))
        verdict_break(overseer->verdict, RULE_SENT_EARLY,
                      "node %u says it votes for node %u in term %llu; on its medium: term %llu, "
                      "vote %llx",
                      node + 1, candidate.id, (unsigned long long)message->term,
                      (unsigned long long)state.term, (unsigned long long)state.vote);
    if (watched->is_damaged)
        return;
    uint64_t *vote = ledger_vote(overseer_ledger(overseer, node), message->term, node);
    if (*vote != 0 && *vote != candidate.birth)
        verdict_break(overseer->verdict, RULE_ELECTION_SAFETY,
                      "node %u votes for %llx and for %llx in term %llu", node + 1,
                      (unsigned long long)*vote, (unsigned long long)candidate.birth,
                      (unsigned long long)message->term);
    *vote = candidate.birth;
}

/* A candidate's requests vouch for nothing. A leader's vote for itself was counted, so the vote is
 * durable when the first request leaves; what the medium loses later is judged elsewhere. */
static void hear_lead(struct overseer *overseer, uint32_t node, const struct raft_message *message)
{
    if (!overseer->nodes[node].is_damaged &&
        *ledger_vote(overseer_ledger(overseer, node), message->term, node) != message->from.birth)
        hear_vote(overseer, node, message, message->from);
}

/* Whether record `index`, as the lane shows it, lies on the medium. Of one that has rotted, its
 * size perhaps, nothing is said. */
static bool is_record_durable(const struct overseer *overseer, uint32_t node,
                              struct replica *replica, uint64_t index)
{
    struct log_record record;
    size_t size_bytes;
    if (!log_is_intact(replica_log(replica), index, &size_bytes))
        return true;
    log_read(replica_log(replica), index, &record);
    const uint8_t *data = medium_data(log_medium(replica_log(replica)));
    const uint8_t *image = medium_sim_persisted(overseer->media, overseer->nodes[node].path);
    size_t offset = (size_t)(record.payload.data - data) - RECORD_HEADER_SIZE_BYTES;
    return memcmp(data + offset, image + offset,
                  RECORD_HEADER_SIZE_BYTES + record.payload.size_bytes) == 0;
}

/*
 * The records must be on the medium; the term need not be: a leader's election stands on the
 * durable votes of a majority, and a record of its term brings the term back after a crash. What
 * has rotted on the medium, and not in memory, no node knows before it is read again.
 */
static void hear_acknowledgement(struct overseer *overseer, uint32_t node, struct replica *replica,
                                 const struct raft_message *message)
{
    struct raft_status status;
    replica_raft_status(replica, &status);
    uint64_t index = message->append_reply.match_index;
    /* A later term may have put other records there since the answer was given. */
    bool is_current = status.term == message->term && status.role == RAFT_FOLLOWER;
    if (!is_current || index == 0 || index > log_last_index(replica_log(replica)))
        return;
    bool is_held = index < log_first_index(replica_log(replica))
                       ? overseer_has_snapshot(overseer, node, index)
                       : is_record_durable(overseer, node, replica, index);
    if (!is_held && !overseer->nodes[node].is_damaged)
        verdict_break(overseer->verdict, RULE_SENT_EARLY,
                      "node %u acknowledges record %llu, which is not on its medium", node + 1,
                      (unsigned long long)index);
}

void eavesdropper_hear(struct overseer *overseer, uint32_t node, struct replica *replica,
                       const struct wire_packet *packet)
{
    if (packet->header.type != WIRE_RAFT || packet->piece_count != 1)
        return;
    struct raft_message message;
    struct raft_entry entries[APPEND_ENTRIES_MAX];
    struct peer_message_beside beside;
    if (peer_message_decode(packet->payload, &beside, &message, entries) != OK)
        return;
    if (message.type == RAFT_APPEND_REQUEST)
        hear_lead(overseer, node, &message);
    if (message.type == RAFT_VOTE_REPLY && !message.vote_reply.is_pre_vote &&
        message.vote_reply.is_granted)
        hear_vote(overseer, node, &message, message.to);
    if (message.type == RAFT_APPEND_REPLY && message.append_reply.is_success)
        hear_acknowledgement(overseer, node, replica, &message);
}
