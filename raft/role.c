/*
 * The transitions between roles (paper, figure 4; pre-candidate: thesis 9.6). What a role owns is
 * dropped here when it ends: votes, reads that wait, a transfer under way.
 */
#include "raft/raft_internal.h"

/* How far elections in vain stretch the wait: in doublings of the time that a vote was written, and
 * in longest election timeouts. */
#define BACK_OFF_DOUBLINGS_MAX 4
#define BACK_OFF_TIMEOUTS_MAX  16

/* An election takes as long as the slowest of its votes is written. Where several elections in a
 * row came to nothing, the nodes' waits must lie further apart than that: the range grows by the
 * time that a vote was written, doubled with each election. On a fast medium that is nothing. */
static uint64_t back_off_ns(const struct raft *raft)
{
    uint64_t limit_ns = BACK_OFF_TIMEOUTS_MAX * raft->options.election_timeout_max_ns;
    if (raft->votes_in_vain < 2)
        return 0;
    uint32_t doublings = raft->votes_in_vain - 2;
    uint64_t vote_ns = raft->vote_write_ns < limit_ns ? raft->vote_write_ns : limit_ns;
    if (doublings > BACK_OFF_DOUBLINGS_MAX)
        doublings = BACK_OFF_DOUBLINGS_MAX;
    return vote_ns << doublings < limit_ns ? vote_ns << doublings : limit_ns;
}

/* Random and anew for each wait, so that split votes are rare and do not repeat (paper 5.2). */
void raft_reset_election_timer(struct raft *raft)
{
    raft->election_deadline_ns =
        raft->now_ns + prng_range(&raft->prng, raft->options.election_timeout_min_ns,
                                  raft->options.election_timeout_max_ns + back_off_ns(raft));
}

/* A new term knows no leader yet, and what an older leader's log verified says nothing about
 * its. */
static void enter_term(struct raft *raft, uint64_t term, uint64_t vote)
{
    CHECK(term > raft->hard_state.term && term <= TERM_MAX);
    raft->hard_state = (struct raft_hard_state){.term = term, .vote = vote};
    raft->leader = RAFT_NOBODY;
    raft->verified_index = 0;
}

static void leave_role(struct raft *raft)
{
    raft->votes_granted = 0;
    raft->votes_clean = 0;
    raft->votes_refused = 0;
    raft->transfer_to = RAFT_NOBODY;
    raft_drop_reads(raft);
}

/* The vote of a term is kept when only the role changes: voting twice in a term elects two
 * leaders. */
void raft_become_follower(struct raft *raft, uint64_t term, struct raft_storage leader)
{
    bool was_leader = raft->role == RAFT_LEADER;
    if (was_leader) {
        raft->leader_contact_ns = raft_quorum_contact_ns(raft, raft->now_ns);
        raft->quorum_contact_ns = raft_fresh_contact_ns(raft);
    }
    leave_role(raft);
    if (term > raft->hard_state.term)
        enter_term(raft, term, 0);
    raft->role = RAFT_FOLLOWER;
    raft->leader = leader;
    if (was_leader)
        raft_reset_election_timer(raft);
}

void raft_become_pre_candidate(struct raft *raft)
{
    CHECK(raft->role != RAFT_LEADER);
    leave_role(raft);
    raft->role = RAFT_PRE_CANDIDATE;
    raft->leader = RAFT_NOBODY;
    raft_reset_election_timer(raft);
}

void raft_become_candidate(struct raft *raft)
{
    CHECK(raft->role != RAFT_LEADER);
    leave_role(raft);
    enter_term(raft, raft->hard_state.term + 1, raft->options.self.birth);
    raft->role = RAFT_CANDIDATE;
    raft->votes_in_vain++;
    raft_reset_election_timer(raft);
    for (uint32_t slot = 0; slot < raft->configuration.slot_count; slot++)
        raft->peers[slot].contact_ns = 0;
}

/* A leader commits nothing of older terms by counting, so it appends an entry of its own at once
 * (paper 8); until that is committed it does not know the commit index of its own log. */
void raft_become_leader(struct raft *raft)
{
    CHECK(raft->role == RAFT_CANDIDATE);
    leave_role(raft);
    raft->votes_in_vain = 0;
    raft->role = RAFT_LEADER;
    raft->leader = raft->options.self;
    raft->suspicion = 0; /* it won by the rule that no acknowledged record escapes */
    raft->quorum_check_ns = raft->now_ns + raft->options.election_timeout_max_ns;
    raft_reset_peers(raft);
    if (raft_is_formed(raft))
        raft_append_own(raft, RAFT_ENTRY_NOOP);
    else
        raft_form(raft);
    raft->noop_index = raft->trail.last_index;
}
