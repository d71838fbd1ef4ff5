/*
 * The leader's side of replication: for each peer a probe or a pipeline (thesis 10.2.1; the states
 * are those of etcd-io/raft), heartbeats, back-off on a mismatch (paper 5.3), and recovery from
 * loss.
 *
 * Every request carries the newest round of reads, so any reply to it confirms them (thesis 6.4).
 */
#include "raft/raft_internal.h"

/* Silence is waited out longer with each offer that had to be made again, and shorter again by this
 * part of the excess with each acknowledgement: a medium slower than a heartbeat is not mistaken
 * for loss. */
#define RETRY_DECAY_DIVISOR 16

/* Records from before the log's first cannot be sent. */
static uint64_t within_log(const struct raft *raft, uint64_t index)
{
    return index < raft->trail.first_index ? raft->trail.first_index : index;
}

/*
 * A pipeline that is given up has requests on their way, and each of their answers would start the
 * next one: where packets overtake each other they would multiply. So the probe, and what follows
 * it, belongs to a round that begins now, and an answer of an earlier one moves nothing but
 * match_index.
 */
static void enter_probe(struct raft *raft, struct raft_peer *peer, uint64_t next_index)
{
    if (peer->state == RAFT_PEER_REPLICATE) {
        raft->round++;
        peer->round_probe = raft->round;
    }
    peer->state = RAFT_PEER_PROBE;
    peer->is_probe_sent = false;
    peer->next_index = within_log(raft, next_index);
    peer->inflight_head = 0;
    peer->inflight_count = 0;
}

static void enter_replicate(const struct raft *raft, struct raft_peer *peer)
{
    peer->state = RAFT_PEER_REPLICATE;
    peer->next_index = within_log(raft, peer->match_index + 1);
    peer->inflight_head = 0;
    peer->inflight_count = 0;
}

void raft_replication_dropped(struct raft *raft)
{
    for (uint32_t slot = 0; slot < raft->configuration.slot_count; slot++) {
        struct raft_peer *peer = &raft->peers[slot];
        if (raft_is_peer(raft, slot) && peer->next_index < raft->trail.first_index)
            enter_probe(raft, peer, raft->trail.first_index);
    }
}

/* nextIndex starts just behind the leader's last record (paper, figure 2). */
void raft_reset_peer(struct raft *raft, struct raft_peer *peer)
{
    enter_probe(raft, peer, raft->trail.last_index + 1);
    peer->match_index = 0;
    peer->round_acked = 0;
    peer->round_min = 0;
    peer->round_probe = 0;
    peer->offered_ns = 0;
    peer->suspicion = 0;
    peer->step_appends = 0;
    peer->sent_ns = raft->now_ns;
    peer->progress_ns = raft->now_ns;
    peer->retry_ns = raft->options.heartbeat_interval_ns;
}

void raft_reset_peers(struct raft *raft)
{
    for (uint32_t slot = 0; slot < raft->configuration.slot_count; slot++)
        raft_reset_peer(raft, &raft->peers[slot]);
}

/* Records from `first` on for one message, at most. The size of a record that this very step
 * appends is not known yet: it goes alone. */
static uint32_t count_entries(const struct raft *raft, uint64_t first)
{
    const struct raft_record_sizes *sizes = &raft->options.sizes;
    uint64_t left = raft->trail.last_index + 1 - first;
    if (left <= 1 || first > raft->sized_index)
        return left >= 1;
    uint64_t size_bytes = sizes->size_bytes(sizes->context, first);
    uint32_t count = 1;
    while (count < raft->options.append_entries_max && first + count <= raft->sized_index) {
        size_bytes += sizes->size_bytes(sizes->context, first + count);
        if (size_bytes > raft->options.append_size_bytes_soft)
            break;
        count++;
    }
    return count;
}

static void send_append(struct raft *raft, struct raft_peer *peer, uint64_t previous,
                        uint32_t entry_count)
{
    CHECK(previous <= raft->trail.last_index && previous + 1 >= raft->trail.first_index);
    struct raft_message *message = raft_emit_now(raft, RAFT_APPEND_REQUEST, peer->storage);
    message->append_request.previous_index = previous;
    message->append_request.previous_term = trail_term_at(&raft->trail, previous);
    message->append_request.commit_index = raft->commit_index;
    message->append_request.round = raft->round;
    message->append_request.round_min = peer->round_min;
    message->append_request.entry_count = entry_count;
    message->append_request.suspicion = peer->suspicion;
    message->append_request.quorum_age_ns = raft->now_ns - raft_fresh_contact_ns(raft);
    peer->sent_ns = raft->now_ns;
    peer->step_appends++;
}

/* Without records. A pipeline's heartbeat stands on what the peer is known to have, so that one
 * which overtakes a request in flight is not rejected. */
static void send_heartbeat(struct raft *raft, struct raft_peer *peer)
{
    bool is_probe = peer->state == RAFT_PEER_PROBE;
    if (is_probe)
        peer->is_probe_sent = true;
    uint64_t known = within_log(raft, peer->match_index + 1) - 1;
    send_append(raft, peer, is_probe ? peer->next_index - 1 : known, 0);
}

static void send_probe(struct raft *raft, struct raft_peer *peer)
{
    peer->is_probe_sent = true;
    send_append(raft, peer, peer->next_index - 1, count_entries(raft, peer->next_index));
}

static void send_records(struct raft *raft, struct raft_peer *peer)
{
    CHECK(peer->inflight_count < raft->options.inflight_max);
    uint32_t count = count_entries(raft, peer->next_index);
    send_append(raft, peer, peer->next_index - 1, count);
    peer->next_index += count;
    if (peer->inflight_count == 0)
        peer->progress_ns = raft->now_ns;
    uint32_t tail = (peer->inflight_head + peer->inflight_count) % raft->options.inflight_max;
    peer->inflight[tail] = peer->next_index - 1;
    peer->inflight_count++;
}

bool raft_peer_can_send(const struct raft *raft, const struct raft_peer *peer)
{
    if (peer->state == RAFT_PEER_PROBE)
        return !peer->is_probe_sent;
    return peer->next_index <= raft->trail.last_index &&
           peer->inflight_count < raft->options.inflight_max;
}

void raft_replicate(struct raft *raft)
{
    for (uint32_t slot = 0; slot < raft->configuration.slot_count; slot++) {
        struct raft_peer *peer = &raft->peers[slot];
        if (!raft_is_peer(raft, slot))
            continue;
        while (peer->step_appends < RAFT_STEP_APPENDS_PER_PEER_MAX &&
               raft_peer_can_send(raft, peer)) {
            if (peer->state == RAFT_PEER_PROBE)
                send_probe(raft, peer);
            else
                send_records(raft, peer);
        }
    }
}

void raft_send_heartbeats(struct raft *raft, uint64_t silence_ns)
{
    for (uint32_t slot = 0; slot < raft->configuration.slot_count; slot++) {
        struct raft_peer *peer = &raft->peers[slot];
        if (raft_is_peer(raft, slot) && peer->step_appends == 0 &&
            raft->now_ns - peer->sent_ns >= silence_ns)
            send_heartbeat(raft, peer);
    }
}

/* Nothing in flight was acknowledged for too long: it is lost. Start again behind what is known. */
static void recover_from_loss(struct raft *raft, struct raft_peer *peer)
{
    enter_probe(raft, peer, peer->match_index + 1);
    peer->progress_ns = raft->now_ns;
    send_heartbeat(raft, peer);
}

void raft_check_losses(struct raft *raft)
{
    for (uint32_t slot = 0; slot < raft->configuration.slot_count; slot++) {
        struct raft_peer *peer = &raft->peers[slot];
        if (raft_is_peer(raft, slot) && peer->step_appends == 0 && peer->inflight_count > 0 &&
            raft->now_ns - peer->progress_ns >= peer->retry_ns)
            recover_from_loss(raft, peer);
    }
}

enum error raft_check_append_reply(const struct raft *raft, const struct raft_message *message)
{
    bool is_for_leader = raft->role == RAFT_LEADER && message->term == raft->hard_state.term;
    uint64_t last = is_for_leader ? raft->trail.last_index : INDEX_MAX;
    uint64_t rejected = message->append_reply.rejected_index;
    uint64_t conflict = message->append_reply.conflict_index;
    if (is_for_leader && message->append_reply.round > raft->round)
        return ERR_RANGE;
    if (message->append_reply.is_success)
        return message->append_reply.match_index <= last ? OK : ERR_RANGE;
    if (rejected == 0)
        return conflict == 0 && message->append_reply.conflict_term == 0 ? OK : ERR_RANGE;
    if (rejected > last || conflict == 0 || conflict > rejected)
        return ERR_RANGE;
    return message->append_reply.conflict_term <= message->term ? OK : ERR_RANGE;
}

static void release_inflight(const struct raft *raft, struct raft_peer *peer)
{
    while (peer->inflight_count > 0 && peer->inflight[peer->inflight_head] <= peer->match_index) {
        peer->inflight_head = (peer->inflight_head + 1) % raft->options.inflight_max;
        peer->inflight_count--;
    }
}

/*
 * The logs agree up to where the probe stood. The pipeline opens once the peer takes what there is.
 * One that took nothing may have lost it, may have a slow medium, or no room: it is offered a
 * single message, and the next one later each time, however often it answers: each read asks it to.
 */
static void go_on(const struct raft *raft, struct raft_peer *peer, bool has_taken)
{
    if (has_taken || peer->next_index > raft->trail.last_index) {
        enter_replicate(raft, peer);
    } else if (raft->now_ns - peer->offered_ns >= peer->retry_ns) {
        peer->offered_ns = raft->now_ns;
        peer->is_probe_sent = false;
        peer->retry_ns *= 2;
        if (peer->retry_ns > raft->options.election_timeout_min_ns)
            peer->retry_ns = raft->options.election_timeout_min_ns;
    }
}

static void handle_success(struct raft *raft, struct raft_peer *peer,
                           const struct raft_message *message)
{
    uint64_t match_index = message->append_reply.match_index;
    uint64_t interval_ns = raft->options.heartbeat_interval_ns;
    if (message->append_reply.round < peer->round_min)
        return; /* sent before it rejected a request: it may have lost these records since */
    if (match_index > peer->match_index) {
        peer->match_index = match_index;
        peer->progress_ns = raft->now_ns;
        peer->retry_ns -= (peer->retry_ns - interval_ns) / RETRY_DECAY_DIVISOR;
        peer->is_probe_sent = false; /* where to go on is known better than it was */
        release_inflight(raft, peer);
        raft_advance_commit(raft);
    }
    bool has_taken = peer->match_index >= peer->next_index;
    if (has_taken)
        peer->next_index = peer->match_index + 1;
    if (peer->state == RAFT_PEER_PROBE && message->append_reply.round >= peer->round_probe)
        go_on(raft, peer, has_taken);
}

/* Where to probe next after a rejection: behind our last record of the peer's conflicting term, or
 * at the first record of that term; always at or below what was rejected (paper 5.3, end). */
static uint64_t next_after_conflict(const struct raft *raft, const struct raft_message *message)
{
    uint64_t rejected = message->append_reply.rejected_index;
    if (message->append_reply.conflict_term != 0) {
        uint64_t ours = trail_term_last_index(&raft->trail, message->append_reply.conflict_term);
        if (ours >= message->append_reply.conflict_index && ours < rejected)
            return ours + 1;
    }
    return message->append_reply.conflict_index;
}

/* What the peer acknowledged before may be what it has lost: only answers to requests of a round
 * that begins now count again. */
static void forget_acknowledgements(struct raft *raft, struct raft_peer *peer)
{
    raft->round++;
    peer->round_min = raft->round;
}

/* A peer that becomes suspect starts again from nothing. The requests to it say so from here on,
 * and only then does it trust itself again. */
static void note_suspicion(struct raft *raft, struct raft_peer *peer,
                           const struct raft_message *message)
{
    if (message->append_reply.suspicion == peer->suspicion ||
        message->append_reply.round < peer->round_min)
        return;
    peer->suspicion = message->append_reply.suspicion;
    if (peer->suspicion == 0)
        return;
    forget_acknowledgements(raft, peer);
    bool is_probe = peer->state == RAFT_PEER_PROBE;
    enter_probe(raft, peer, is_probe ? peer->next_index : peer->match_index + 1);
    peer->match_index = 0;
}

/* The records that it needs are not in the log any more. Only heartbeats ask it again. */
static void note_behind_begin(struct raft *raft, struct raft_peer *peer, uint64_t next)
{
    if (next >= raft->trail.first_index)
        return;
    peer->is_probe_sent = true;
    raft->effects->behind_begin = peer->storage.id;
}

static void handle_rejection(struct raft *raft, struct raft_peer *peer,
                             const struct raft_message *message)
{
    uint64_t rejected = message->append_reply.rejected_index;
    /* A peer that trusts its log has lost nothing that it acknowledged. */
    if (message->append_reply.suspicion != 0)
        forget_acknowledgements(raft, peer);
    if (message->append_reply.round < peer->round_probe)
        return;
    if (peer->state == RAFT_PEER_REPLICATE && rejected > peer->match_index) {
        enter_probe(raft, peer, peer->match_index + 1); /* a request was lost or overtaken */
        return;
    }
    bool is_current = peer->state == RAFT_PEER_PROBE ? rejected + 1 == peer->next_index
                                                     : rejected == peer->match_index;
    if (!is_current)
        return; /* answers a request that no longer matters */
    uint64_t next = next_after_conflict(raft, message);
    enter_probe(raft, peer, next);
    /* A peer that lost its tail rejects even what it once acknowledged: believe it. To count less
     * than it has is always safe. */
    if (peer->match_index >= next)
        peer->match_index = next - 1;
    note_behind_begin(raft, peer, next);
}

void raft_handle_append_reply(struct raft *raft, const struct raft_message *message)
{
    uint32_t slot = raft_configuration_slot(&raft->configuration, message->from.birth);
    if (raft->role != RAFT_LEADER || slot == RAFT_SLOT_NONE)
        return; /* a storage that is no member counts for nothing */
    struct raft_peer *peer = &raft->peers[slot];
    raft_note_contact(raft, slot);
    if (message->append_reply.round > peer->round_acked) {
        peer->round_acked = message->append_reply.round;
        raft_release_reads(raft);
    }
    note_suspicion(raft, peer, message);
    if (message->append_reply.is_success)
        handle_success(raft, peer, message);
    else if (message->append_reply.rejected_index != 0)
        handle_rejection(raft, peer, message);
    raft_continue_transfer(raft, peer);
}
