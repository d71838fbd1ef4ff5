/* The walk over the whole state: what must hold between any two steps, whatever the network did. */
#include "raft/raft_internal.h"

static void check_trail(const struct raft *raft)
{
    const struct trail *trail = &raft->trail;
    CHECK(trail->run_count <= trail->runs_max);
    CHECK(trail->first_index >= 1);
    CHECK((trail->first_index == 1) == (trail->term_before == 0));
    CHECK((trail->run_count == 0) == (trail->last_index == trail->first_index - 1));
    for (uint32_t i = 0; i < trail->run_count; i++) { /* runs_max */
        CHECK(trail->runs[i].first_index <= trail->last_index);
        CHECK(trail->runs[i].term > 0 && trail->runs[i].term <= raft->hard_state.term);
        if (i == 0) {
            CHECK(trail->runs[i].first_index == trail->first_index);
            CHECK(trail->runs[i].term >= trail->term_before);
            continue;
        }
        CHECK(trail->runs[i].first_index > trail->runs[i - 1].first_index);
        CHECK(trail->runs[i].term > trail->runs[i - 1].term);
    }
}

static void check_indexes(const struct raft *raft)
{
    CHECK(raft->commit_index <= raft->trail.last_index);
    CHECK(raft->commit_index >= raft->trail.first_index - 1);
    CHECK(raft->durable_index >= raft->trail.first_index - 1);
    CHECK(raft->durable_index <= raft->trail.last_index);
    CHECK(raft->verified_index <= raft->trail.last_index);
    CHECK(raft->hard_state.term <= TERM_MAX);
    CHECK(raft->hard_state.term > 0 || raft->hard_state.vote == 0);
    CHECK(raft->durable_hard_state.term <= raft->hard_state.term);
}

static void check_role(const struct raft *raft)
{
    uint64_t self = raft->options.self.birth;
    bool is_candidate = raft->role == RAFT_PRE_CANDIDATE || raft->role == RAFT_CANDIDATE;
    CHECK((raft->role == RAFT_LEADER) == (raft->leader.birth == self));
    CHECK(!is_candidate || raft->leader.birth == 0);
    CHECK(is_candidate || raft->votes_granted == 0);
    CHECK((raft->votes_clean & ~raft->votes_granted) == 0);
    if (raft->role == RAFT_CANDIDATE || raft->role == RAFT_LEADER)
        CHECK(raft->hard_state.vote == self);
    if (raft->role == RAFT_LEADER)
        return;
    CHECK(raft->transfer_to.birth == 0);
    CHECK(raft->read_count == 0);
    CHECK(raft->read_released_id == 0);
}

static void check_peer(const struct raft *raft, const struct raft_peer *peer)
{
    CHECK(peer->match_index < peer->next_index);
    CHECK(peer->next_index >= raft->trail.first_index);
    CHECK(peer->next_index <= raft->trail.last_index + 1);
    CHECK(peer->round_acked <= raft->round);
    CHECK(peer->inflight_count <= raft->options.inflight_max);
    CHECK(peer->state == RAFT_PEER_REPLICATE || peer->inflight_count == 0);
    CHECK(peer->retry_ns >= raft->options.heartbeat_interval_ns);
    uint64_t previous = peer->match_index;
    for (uint32_t i = 0; i < peer->inflight_count; i++) { /* inflight_max */
        uint64_t last = peer->inflight[(peer->inflight_head + i) % raft->options.inflight_max];
        CHECK(last > previous);
        CHECK(last < peer->next_index);
        previous = last;
    }
}

static void check_leader_state(const struct raft *raft)
{
    CHECK(!raft_is_suspect(raft));
    CHECK(raft_hard_state_is_durable(raft)); /* its own vote was counted */
    if (raft->noop_index >= raft->trail.first_index) {
        CHECK(raft_term_at(raft, raft->noop_index) == raft->hard_state.term);
        CHECK(raft_term_at(raft, raft->noop_index - 1) < raft->hard_state.term);
    }
    CHECK(raft_last_term(raft) == raft->hard_state.term);
    CHECK(raft->transfer_to.birth != raft->options.self.birth);
    for (uint32_t slot = 0; slot < raft->configuration.slot_count; slot++) {
        if (raft_is_peer(raft, slot))
            check_peer(raft, &raft->peers[slot]);
    }
    uint64_t previous = 0;
    for (uint32_t i = 0; i < raft->read_count; i++) { /* RAFT_READ_ROUNDS_MAX */
        uint64_t round = raft->reads[(raft->read_head + i) % RAFT_READ_ROUNDS_MAX].round;
        CHECK(round > previous && round <= raft->round);
        previous = round;
    }
}

static void check_configuration(const struct raft *raft)
{
    const struct raft_configuration *configuration = &raft->configuration;
    CHECK(raft->configuration_index <= raft->trail.last_index);
    CHECK(raft->previous_index <= raft->configuration_index); /* equal: it was rolled back to */
    for (uint32_t slot = 0; slot < RAFT_MEMBERS_MAX; slot++) {
        uint64_t birth =
            slot < configuration->slot_count ? configuration->members[slot].storage.birth : 0;
        CHECK(raft->peers[slot].storage.birth == birth);
    }
    if (raft_is_formed(raft))
        CHECK(raft_configuration_check(configuration) == OK);
}

void raft_check_invariants(const struct raft *raft)
{
    check_trail(raft);
    check_indexes(raft);
    check_configuration(raft);
    check_role(raft);
    if (raft->role == RAFT_LEADER)
        check_leader_state(raft);
}
