/*
 * Elections: timeouts, pre-vote (thesis 9.6), votes (paper 5.2 and 5.4.1), and who wins.
 *
 * A node whose log tail may have lost acknowledged records ("suspect") still votes, but says so. A
 * majority of clean voters meets every majority that ever acknowledged a record in a node that
 * still has it; where clean voters are too few, all voters together are everything that can be
 * known (Alagappan et al., FAST'18, crash-aware and corruption-aware elections).
 */
#include "raft/raft_internal.h"

/* RAFT_SLOT_NONE: nobody's. */
static uint32_t vote_of(uint32_t slot)
{
    return slot < RAFT_MEMBERS_MAX ? UINT32_C(1) << slot : 0;
}

/* Whose votes this node counts: the members', or, before a cluster forms, the founders'. */
static const struct raft_configuration *electorate(const struct raft *raft)
{
    return raft_is_formed(raft) ? &raft->configuration : &raft->draft;
}

static struct raft_halves voters(const struct raft *raft)
{
    if (raft_is_formed(raft))
        return raft->halves;
    uint32_t founders = (UINT32_C(1) << raft->draft.slot_count) - 1;
    return (struct raft_halves){.old_half = founders, .new_half = founders};
}

static uint32_t own_slot(const struct raft *raft)
{
    return raft_is_formed(raft) ? raft->self_slot : raft_founder_slot(raft, raft->options.self.id);
}

/* Votes are kept by voter, so one that is delivered twice counts once. */
static void count_grant(struct raft *raft, uint32_t slot, bool is_suspect)
{
    raft->votes_granted |= vote_of(slot);
    if (!is_suspect)
        raft->votes_clean |= vote_of(slot);
}

static bool is_quorum(uint32_t votes, struct raft_halves halves)
{
    return raft_is_majority(votes, halves.old_half) && raft_is_majority(votes, halves.new_half);
}

/* Other votes may suffice, but a candidate whose term a crash could take back must not lead in it:
 * it could lead in it once more, with other records under the same index and term. */
static bool is_won(const struct raft *raft)
{
    if (raft->role == RAFT_CANDIDATE && !raft_hard_state_is_durable(raft))
        return false;
    struct raft_halves halves = voters(raft);
    bool have_all = (~raft->votes_granted & (halves.old_half | halves.new_half)) == 0;
    return have_all || (raft_is_formed(raft) && is_quorum(raft->votes_clean, halves));
}

static bool is_lost(const struct raft *raft)
{
    if (!raft_is_formed(raft))
        return raft->votes_refused != 0;
    return !is_quorum(~raft->votes_refused, raft->halves);
}

/*
 * They leave at once and promise nothing. A candidate that crashes before its term is durable may
 * vote for another node in that term: its own vote was not counted, so nobody was elected with it.
 */
static void send_vote_requests(struct raft *raft, bool is_pre_vote, bool is_transfer)
{
    struct raft_halves halves = voters(raft);
    uint32_t left = (halves.old_half | halves.new_half);
    for (; left != 0; left &= left - 1) { /* RAFT_MEMBERS_MAX */
        struct raft_storage to = electorate(raft)->members[__builtin_ctz(left)].storage;
        if (to.id == raft->options.self.id)
            continue; /* itself, or the storage that this node had before */
        struct raft_message *message = raft_emit_now(raft, RAFT_VOTE_REQUEST, to);
        if (is_pre_vote)
            message->term = raft->hard_state.term + 1;
        message->vote_request.last_index = raft->trail.last_index;
        message->vote_request.last_term = raft_last_term(raft);
        message->vote_request.is_pre_vote = is_pre_vote;
        message->vote_request.is_transfer = is_transfer;
        message->vote_request.formation = raft_is_formed(raft) ? 0 : raft->formation;
    }
}

static void start_vote(struct raft *raft, bool is_transfer)
{
    raft_become_candidate(raft);
    send_vote_requests(raft, false, is_transfer);
}

static void start_pre_vote(struct raft *raft)
{
    raft_become_pre_candidate(raft);
    raft_formation_begin(raft);
    count_grant(raft, own_slot(raft), raft_is_suspect(raft));
    if (is_won(raft))
        start_vote(raft, false);
    else
        send_vote_requests(raft, true, false);
}

/* A leader that could not append its first entry would be no use. Who has records has a cluster,
 * also where it does not know the members yet, and forms no other. */
static bool can_lead(const struct raft *raft)
{
    bool may_form = !raft->options.forms_none && raft->trail.last_index == 0;
    if (raft_is_formed(raft) ? !raft_may_campaign(raft) : !may_form)
        return false;
    return raft->hard_state.term < TERM_MAX && raft->trail.last_index < INDEX_MAX &&
           trail_has_room(&raft->trail, raft->hard_state.term + 1);
}

void raft_wait_anew(struct raft *raft, uint64_t now_ns)
{
    CHECK(raft->role != RAFT_LEADER && now_ns >= raft->now_ns);
    raft->now_ns = now_ns;
    raft_reset_election_timer(raft);
}

/* The target of a transfer skips pre-vote: its leader asked for the election (thesis 3.10). */
void raft_start_election(struct raft *raft, bool is_transfer)
{
    if (!can_lead(raft) || (is_transfer && !raft_is_formed(raft)))
        raft_reset_election_timer(raft);
    else if (is_transfer)
        start_vote(raft, true);
    else
        start_pre_vote(raft);
}

/* A node whose vote is still on its way to the medium could not be elected any sooner by asking
 * again: it waits for the election that is under way. */
void raft_check_election_timeout(struct raft *raft)
{
    if (raft->role == RAFT_LEADER || raft->now_ns < raft->election_deadline_ns)
        return;
    if (raft_hard_state_is_durable(raft))
        raft_start_election(raft, false);
    else
        raft_reset_election_timer(raft);
}

enum error raft_check_vote_request(const struct raft_message *message)
{
    uint64_t last_index = message->vote_request.last_index;
    uint64_t last_term = message->vote_request.last_term;
    if (last_index > INDEX_MAX || (last_index == 0) != (last_term == 0))
        return ERR_RANGE;
    if (message->vote_request.formation != 0 &&
        (last_index != 0 || message->vote_request.is_transfer))
        return ERR_RANGE;
    /* A candidate's term is one that no record can have yet. */
    return last_term < message->term ? OK : ERR_RANGE;
}

/* Who heard from a leader lately does not help to depose it (thesis 4.2.3 and 6.2). */
static bool is_leased(const struct raft *raft)
{
    if (raft->role == RAFT_LEADER)
        return raft_has_fresh_quorum(raft, raft->now_ns);
    return raft->leader.birth != 0 && raft->leader_contact_ns != 0 &&
           raft->now_ns - raft->leader_contact_ns < raft->options.election_timeout_min_ns;
}

/* Paper 5.4.1: the later last term wins, then the longer log. */
static bool is_up_to_date(const struct raft *raft, const struct raft_message *message)
{
    uint64_t last_term = raft_last_term(raft);
    if (message->vote_request.last_term != last_term)
        return message->vote_request.last_term > last_term;
    return message->vote_request.last_index >= raft->trail.last_index;
}

/* One vote a term, first come first served (paper 5.2). */
static bool is_vote_free(const struct raft *raft, const struct raft_message *message)
{
    if (message->term > raft->hard_state.term)
        return true;
    return raft->hard_state.vote == message->from.birth ||
           (raft->hard_state.vote == 0 && raft->leader.birth == 0);
}

/* A cluster is formed by storages that belong to none, and of the same founders. */
static bool may_vote_for(const struct raft *raft, const struct raft_message *message)
{
    uint32_t formation = message->vote_request.formation;
    bool may_form = !raft_is_formed(raft) && !raft->options.forms_none;
    if (formation != 0 && (!may_form || formation != raft->formation))
        return false;
    return is_vote_free(raft, message) && is_up_to_date(raft, message);
}

/* A storage that has seen no term has none to tell: it keeps silent (of other founders). */
static void refuse_vote(struct raft *raft, const struct raft_message *message)
{
    if (raft->hard_state.term == 0)
        return;
    struct raft_message *reply = raft_emit_reply(raft, RAFT_VOTE_REPLY, message->from);
    reply->vote_reply.is_pre_vote = message->vote_request.is_pre_vote;
}

/* Nor does one whose vote is still on its way to the medium help to raise the term: an election is
 * under way, and no vote of the next term could be given before this one is durable. */
static void handle_pre_vote_request(struct raft *raft, const struct raft_message *message)
{
    if (is_leased(raft) || !raft_hard_state_is_durable(raft) || !may_vote_for(raft, message)) {
        refuse_vote(raft, message);
        return;
    }
    struct raft_message *reply = raft_emit_now(raft, RAFT_VOTE_REPLY, message->from);
    reply->term = message->term;
    reply->vote_reply.is_pre_vote = true;
    reply->vote_reply.is_granted = true;
    reply->vote_reply.is_suspect = raft_is_suspect(raft);
}

/* The term is not below ours. */
void raft_handle_vote_request(struct raft *raft, const struct raft_message *message)
{
    if (message->vote_request.is_pre_vote) {
        handle_pre_vote_request(raft, message);
        return;
    }
    if (!message->vote_request.is_transfer && is_leased(raft)) {
        refuse_vote(raft, message);
        return;
    }
    if (message->term > raft->hard_state.term)
        raft_become_follower(raft, message->term, RAFT_NOBODY);
    if (!may_vote_for(raft, message)) {
        refuse_vote(raft, message);
        return;
    }
    if (raft->hard_state.vote == 0)
        raft->votes_in_vain++;
    raft->hard_state.vote = message->from.birth;
    raft_reset_election_timer(raft);
    /* Also when the vote was given in an earlier step: that step may not be durable yet. */
    struct raft_message *reply = raft_emit_after(raft, RAFT_VOTE_REPLY, message->from);
    reply->vote_reply.last_index = message->vote_request.last_index;
    reply->vote_reply.last_term = message->vote_request.last_term;
    reply->vote_reply.is_granted = true;
    reply->vote_reply.is_suspect = raft_is_suspect(raft);
}

enum error raft_check_vote_reply(const struct raft_message *message)
{
    uint64_t last_index = message->vote_reply.last_index;
    uint64_t last_term = message->vote_reply.last_term;
    bool is_vote = message->vote_reply.is_granted && !message->vote_reply.is_pre_vote;
    if (last_index > INDEX_MAX || (last_index == 0) != (last_term == 0) ||
        (!is_vote && last_index != 0))
        return ERR_RANGE;
    return last_term < message->term ? OK : ERR_RANGE;
}

/*
 * A crash may have taken the term of an earlier candidacy, and records with it: then this node asks
 * in that term once more, with another log. A vote for the earlier log says nothing about this one.
 * The same last index and term are the same log (paper 5.3).
 */
static bool is_for_this_log(const struct raft *raft, const struct raft_message *message)
{
    return !message->vote_reply.is_granted ||
           (message->vote_reply.last_index == raft->trail.last_index &&
            message->vote_reply.last_term == raft_last_term(raft));
}

/* True if the reply answers the election that this node holds now. */
static bool is_awaited(const struct raft *raft, const struct raft_message *message)
{
    if (!message->vote_reply.is_pre_vote)
        return raft->role == RAFT_CANDIDATE && message->term == raft->hard_state.term &&
               is_for_this_log(raft, message);
    if (raft->role != RAFT_PRE_CANDIDATE)
        return false;
    uint64_t grant_term = raft->hard_state.term + 1;
    return message->term == (message->vote_reply.is_granted ? grant_term : raft->hard_state.term);
}

/*
 * The slot whose vote this is. A storage that is no voter here counts for nothing, whatever its
 * node's id. A founder's birth is the one that its pre-vote told, and no other founder's.
 */
static uint32_t voter_slot(struct raft *raft, const struct raft_message *message)
{
    if (raft_is_formed(raft))
        return raft_configuration_slot(&raft->configuration, message->from.birth);
    uint32_t slot = raft_founder_slot(raft, message->from.id);
    if (slot == RAFT_SLOT_NONE)
        return slot;
    uint64_t *birth = &raft->draft.members[slot].storage.birth;
    bool is_told = raft_configuration_slot(&raft->draft, message->from.birth) != RAFT_SLOT_NONE;
    if (message->vote_reply.is_pre_vote && *birth == 0 && !is_told)
        *birth = message->from.birth;
    return *birth == message->from.birth ? slot : RAFT_SLOT_NONE;
}

void raft_handle_vote_reply(struct raft *raft, const struct raft_message *message)
{
    if (!is_awaited(raft, message))
        return;
    uint32_t slot = voter_slot(raft, message);
    struct raft_halves halves = voters(raft);
    if (slot == RAFT_SLOT_NONE || ((halves.old_half | halves.new_half) >> slot & 1) == 0)
        return;
    if (!message->vote_reply.is_granted) {
        raft->votes_refused |= vote_of(slot);
        if (!raft_is_formed(raft))
            raft->founders_refusing |= vote_of(slot);
        if (is_lost(raft))
            raft_become_follower(raft, raft->hard_state.term, RAFT_NOBODY);
        return;
    }
    count_grant(raft, slot, message->vote_reply.is_suspect);
    raft_note_contact(raft, slot);
    if (!is_won(raft))
        return;
    if (raft->role == RAFT_PRE_CANDIDATE)
        start_vote(raft, false);
    else
        raft_become_leader(raft);
}

/* The candidate's own vote counts from here on, like one that a voter answered. A voter, too, waits
 * for the outcome from here on: the leader of this term cannot have been elected much sooner. */
void raft_handle_vote_durable(struct raft *raft, struct raft_hard_state hard_state)
{
    if (raft_hard_state_is_durable(raft) || hard_state.term != raft->hard_state.term ||
        hard_state.vote != raft->hard_state.vote)
        return; /* nothing new, or outdated by a later change */
    raft->durable_hard_state = hard_state;
    if (hard_state.vote == 0 || raft->role == RAFT_LEADER || raft->leader.birth != 0)
        return;
    raft->vote_write_ns = raft->now_ns - raft->hard_state_ns;
    raft_reset_election_timer(raft);
    if (raft->role != RAFT_CANDIDATE)
        return;
    count_grant(raft, own_slot(raft), raft_is_suspect(raft));
    if (is_won(raft))
        raft_become_leader(raft);
}
