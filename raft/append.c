/*
 * The follower's side of replication (paper 5.3, figure 2 "AppendEntries RPC").
 *
 * What is acknowledged is never above what is both equal to the leader's log (verified) and durable
 * here by the time the reply leaves: a reply in `after` may count on everything of its step.
 */
#include "raft/raft_internal.h"

static enum error check_terms(const struct raft_message *message, const struct raft_entry *entries)
{
    uint64_t term = message->append_request.previous_term;
    for (uint32_t i = 0; i < message->append_request.entry_count; i++) { /* APPEND_ENTRIES_MAX */
        if (entries[i].term < term || entries[i].term == 0)
            return ERR_RANGE;
        term = entries[i].term;
    }
    return term <= message->term ? OK : ERR_RANGE;
}

/* Finds the first entry that is not in the log yet. Only a conflicting entry truncates: a request
 * that ends before our log does may simply be an old one (paper, figure 2, rule 3). */
static struct raft_append_plan make_plan(const struct raft *raft,
                                         const struct raft_message *message,
                                         const struct raft_entry *entries)
{
    struct raft_append_plan plan = {0};
    uint64_t previous = message->append_request.previous_index;
    uint32_t count = message->append_request.entry_count;
    /* What lies before our first record is committed: every later leader has the same there. */
    bool is_before_begin = previous + 1 < raft->trail.first_index;
    uint64_t term = trail_term_at(&raft->trail, previous);
    plan.is_match = is_before_begin || (previous <= raft->trail.last_index &&
                                        term == message->append_request.previous_term);
    if (!plan.is_match)
        return plan;
    while (plan.skip < count) {
        uint64_t index = previous + 1 + plan.skip;
        if (index > raft->trail.last_index)
            break;
        bool is_known = index + 1 >= raft->trail.first_index;
        if (is_known && trail_term_at(&raft->trail, index) != entries[plan.skip].term) {
            plan.truncate_from = index;
            break;
        }
        plan.skip++;
    }
    plan.append_count = count - plan.skip;
    return plan;
}

static enum error check_room(const struct raft *raft, const struct raft_append_plan *plan,
                             const struct raft_entry *new_entries)
{
    uint64_t first = plan->truncate_from != 0 ? plan->truncate_from : raft->trail.last_index + 1;
    uint64_t runs = trail_runs_below(&raft->trail, first);
    uint64_t term = runs > 0 ? trail_term_at(&raft->trail, first - 1) : 0;
    for (uint32_t i = 0; i < plan->append_count; i++) {
        runs += new_entries[i].term != term;
        term = new_entries[i].term;
    }
    return runs <= raft->trail.runs_max ? OK : ERR_FULL;
}

/* A configuration of a format that this node does not know is none that it could follow. */
static enum error check_configurations(const struct raft *raft, const struct raft_entry *entries,
                                       uint32_t entry_count)
{
    for (uint32_t i = 0; i < entry_count; i++) { /* APPEND_ENTRIES_MAX */
        struct raft_configuration configuration;
        if (entries[i].kind != RAFT_ENTRY_CONFIGURATION)
            continue;
        if (raft_configuration_decode(entries[i].payload, entries[i].size_bytes, &configuration) !=
                OK ||
            configuration.format > raft->options.format_max)
            return ERR_RANGE;
    }
    return OK;
}

/* A committed record is in the log of every later leader (paper 5.4.3), and a leader never changes
 * its own log (5.3), so a request against either comes from no leader. The configuration before the
 * newest one is committed, also where the commit index does not tell (membership.c). */
static bool is_against_promises(const struct raft *raft, const struct raft_message *message,
                                const struct raft_append_plan *plan)
{
    uint64_t fixed = raft->commit_index;
    if (raft->previous_index > fixed)
        fixed = raft->previous_index;
    if (message->term == raft->hard_state.term && raft->verified_index > fixed)
        fixed = raft->verified_index;
    if (!plan->is_match)
        return message->append_request.previous_index <= fixed;
    return plan->truncate_from != 0 && plan->truncate_from <= fixed;
}

enum error raft_check_append_request(struct raft *raft, const struct raft_message *message,
                                     const struct raft_entry *entries)
{
    uint64_t previous = message->append_request.previous_index;
    uint32_t count = message->append_request.entry_count;
    if (count > APPEND_ENTRIES_MAX || previous > INDEX_MAX - APPEND_ENTRIES_MAX ||
        (previous == 0) != (message->append_request.previous_term == 0))
        return ERR_RANGE;
    CHECK(count == 0 || entries != NULL);
    enum error error = check_terms(message, entries);
    if (error == OK)
        error = check_configurations(raft, entries, count);
    if (error != OK)
        return error;
    if (message->term < raft->hard_state.term)
        return OK; /* refused without looking at the log */

    raft->plan = make_plan(raft, message, entries);
    if (is_against_promises(raft, message, &raft->plan))
        return ERR_RANGE;
    return check_room(raft, &raft->plan, count > 0 ? entries + raft->plan.skip : entries);
}

/* Tells the leader where to go on: the first index of the conflicting term, so that it skips a
 * whole term in one exchange (paper 5.3, end). */
static void reject(struct raft *raft, const struct raft_message *message)
{
    uint64_t previous = message->append_request.previous_index;
    struct raft_message *reply = raft_emit_reply(raft, RAFT_APPEND_REPLY, message->from);
    reply->append_reply.round = message->append_request.round;
    reply->append_reply.rejected_index = previous;
    reply->append_reply.suspicion = raft->suspicion;
    if (previous > raft->trail.last_index) {
        reply->append_reply.conflict_index = raft->trail.last_index + 1;
        return;
    }
    uint64_t first = trail_run_first_index(&raft->trail, previous);
    if (first <= raft->commit_index) /* what is committed cannot conflict */
        first = raft->commit_index + 1;
    reply->append_reply.conflict_term = trail_term_at(&raft->trail, previous);
    reply->append_reply.conflict_index = first;
}

/* In force at once: the leader counts by it from the moment when it appended it, and committing it
 * takes a majority of it (thesis 4.1). */
static void adopt_configuration(struct raft *raft, const struct raft_entry *entry)
{
    struct raft_configuration configuration;
    enum error error = raft_configuration_decode(entry->payload, entry->size_bytes, &configuration);
    CHECK(error == OK); /* raft_check_append_request has decoded it */
    raft_append_configuration(raft, &configuration, raft->trail.last_index);
}

static void write_log(struct raft *raft, const struct raft_append_plan *plan,
                      const struct raft_entry *entries)
{
    struct raft_effects *effects = raft->effects;
    if (plan->truncate_from != 0) {
        CHECK(plan->truncate_from > raft->commit_index);
        trail_truncate(&raft->trail, plan->truncate_from);
        raft_roll_back_configuration(raft, plan->truncate_from);
        effects->truncate_from = plan->truncate_from;
        /* What was durable from here on is of the old history. */
        if (raft->durable_index >= plan->truncate_from)
            raft->durable_index = plan->truncate_from - 1;
    }
    if (plan->append_count == 0)
        return;
    effects->append_first = raft->trail.last_index + 1;
    effects->append_count = plan->append_count;
    effects->append_skip = plan->skip;
    for (uint32_t i = 0; i < plan->append_count; i++) {
        const struct raft_entry *entry = &entries[plan->skip + i];
        trail_append(&raft->trail, entry->term);
        if (entry->kind == RAFT_ENTRY_CONFIGURATION)
            adopt_configuration(raft, entry);
    }
}

/* Whom it voted for may have been lost with the records. It is the leader's supporter now: a second
 * leader of this term must not be elected with its help. */
static void trust_log(struct raft *raft)
{
    CHECK(raft->leader.birth != 0);
    raft->suspicion = 0;
    if (raft->hard_state.vote == 0)
        raft->hard_state.vote = raft->leader.birth;
}

/*
 * Every record acknowledged in an earlier term and committed lies before this leader's first entry,
 * and every one of this term that a lost acknowledgement helped to commit was committed before the
 * leader knew of this suspicion, for since then it counts nothing that came before. So a log that
 * is verified up to what was committed when the leader knew, an entry of its term among that, has
 * them all back. That it knew of the suspicion of an earlier start proves nothing: what was
 * acknowledged in between may be lost.
 */
static void lift_suspicion(struct raft *raft, const struct raft_message *message)
{
    uint64_t leader_commit_index = message->append_request.commit_index;
    if (!raft_is_suspect(raft) || message->append_request.suspicion != raft->suspicion)
        return;
    if (leader_commit_index <= raft->verified_index &&
        trail_term_at(&raft->trail, leader_commit_index) == raft->hard_state.term)
        trust_log(raft);
}

/* A leader that has lost its majority leads on for a while: whoever hears it has heard no
 * quorum. Nor does it say how fresh the state is while records are missing here that the leader
 * knows to be committed. */
static void note_quorum_contact(struct raft *raft, const struct raft_message *message)
{
    uint64_t age_ns = message->append_request.quorum_age_ns;
    if (message->append_request.commit_index > raft->verified_index)
        return;
    if (age_ns < raft->heard_ns && raft->heard_ns - age_ns > raft->quorum_contact_ns)
        raft->quorum_contact_ns = raft->heard_ns - age_ns;
}

/* A reply in `after` speaks for the records of its step; one in `now` only for durable ones. */
static void acknowledge(struct raft *raft, const struct raft_message *message)
{
    bool is_after = raft->effects->append_count > 0 || raft->effects->truncate_from != 0 ||
                    raft_hard_state_is_dirty(raft);
    struct raft_message *reply = is_after ? raft_emit_after(raft, RAFT_APPEND_REPLY, message->from)
                                          : raft_emit_now(raft, RAFT_APPEND_REPLY, message->from);
    reply->append_reply.is_success = true;
    reply->append_reply.suspicion = raft->suspicion;
    reply->append_reply.round = message->append_request.round;
    reply->append_reply.match_index = raft->verified_index;
    if (!is_after && raft->durable_index < raft->verified_index)
        reply->append_reply.match_index = raft->durable_index;
}

/* The term is ours; raft->plan was made for this request. */
void raft_handle_append_request(struct raft *raft, const struct raft_message *message,
                                const struct raft_entry *entries)
{
    CHECK(raft->role != RAFT_LEADER);
    if (raft->role != RAFT_FOLLOWER || raft->leader.birth != message->from.birth)
        raft_become_follower(raft, raft->hard_state.term, message->from);
    raft->leader_contact_ns = raft->now_ns;
    raft->votes_in_vain = 0;
    raft_reset_election_timer(raft);
    if (!raft->plan.is_match) {
        reject(raft, message);
        return;
    }
    write_log(raft, &raft->plan, entries);
    uint64_t verified =
        message->append_request.previous_index + message->append_request.entry_count;
    if (verified > raft->verified_index)
        raft->verified_index = verified;

    /* Never beyond what is known to be equal to the leader's log (paper, figure 2, rule 5). */
    uint64_t leader_commit = message->append_request.commit_index;
    uint64_t commit = leader_commit < raft->verified_index ? leader_commit : raft->verified_index;
    if (commit > raft->commit_index)
        raft->commit_index = commit;
    note_quorum_contact(raft, message);
    lift_suspicion(raft, message);
    acknowledge(raft, message);
}
