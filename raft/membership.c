/*
 * Which configuration is in force, and how it changes (paper 6, thesis 4). A change is one record,
 * or two where voters change: a joint configuration, and behind it, when that is committed, its new
 * half alone. The leader appends the second one by itself, also a later leader.
 *
 * A leader appends a configuration only when the one before is committed, and a record of its own
 * term is, too (Ongaro, "bug in single-server membership changes", raft-dev 2015). So of the
 * configurations in a log only the newest may be uncommitted, and a truncation takes back one.
 */
#include "raft/raft_internal.h"

/* Members keep their slots: whoever is one before and after keeps its progress. */
void raft_set_configuration(struct raft *raft, const struct raft_configuration *configuration,
                            uint64_t index)
{
    raft->configuration = *configuration;
    raft->configuration_index = index;
    raft->configuration_version++;
    raft->halves = raft_configuration_halves(configuration);
    raft->self_slot = raft_configuration_slot(configuration, raft->options.self.birth);
    for (uint32_t slot = 0; slot < RAFT_MEMBERS_MAX; slot++) {
        struct raft_peer *peer = &raft->peers[slot];
        struct raft_storage storage = RAFT_NOBODY;
        if (slot < configuration->slot_count)
            storage = configuration->members[slot].storage;
        if (peer->storage.birth == storage.birth)
            continue;
        peer->storage = storage;
        peer->contact_ns = 0;
        raft_reset_peer(raft, peer);
    }
}

/* Record `index`, the last of the log, is this configuration. */
void raft_append_configuration(struct raft *raft, const struct raft_configuration *configuration,
                               uint64_t index)
{
    CHECK(index > raft->configuration_index);
    raft->previous = raft->configuration;
    raft->previous_index = raft->configuration_index;
    raft_set_configuration(raft, configuration, index);
}

void raft_roll_back_configuration(struct raft *raft, uint64_t truncate_from)
{
    if (raft->configuration_index < truncate_from)
        return;
    CHECK(raft->previous_index < truncate_from);
    struct raft_configuration previous = raft->previous;
    raft_set_configuration(raft, &previous, raft->previous_index);
}

static bool is_in(uint32_t slot, struct raft_halves halves)
{
    return slot != RAFT_SLOT_NONE && ((halves.old_half | halves.new_half) >> slot & 1) != 0;
}

bool raft_is_voter(const struct raft *raft)
{
    return is_in(raft->self_slot, raft->halves);
}

/*
 * Whether this node may ask for votes. A voter may, and so may one that the newest configuration
 * has removed, until that is committed: this node may be the only one that has the record, and the
 * others, who need its vote, do not get it with a shorter log (thesis 4.2.2). It counts the votes
 * by the newest configuration, and so not its own.
 */
bool raft_may_campaign(const struct raft *raft)
{
    if (raft_is_voter(raft))
        return true;
    uint32_t slot = raft_configuration_slot(&raft->previous, raft->options.self.birth);
    return raft->configuration_index > raft->commit_index &&
           is_in(slot, raft_configuration_halves(&raft->previous));
}

static bool is_settled(const struct raft *raft)
{
    return raft_has_own_commit(raft) && raft->configuration_index <= raft->commit_index;
}

static bool is_joint(const struct raft *raft)
{
    return raft->halves.old_half != raft->halves.new_half;
}

enum error raft_check_reconfigure(const struct raft *raft,
                                  const struct raft_configuration *configuration)
{
    if (raft->transfer_to.birth != 0 || !is_settled(raft) || is_joint(raft))
        return ERR_BUSY;
    if (raft->trail.last_index >= INDEX_MAX)
        return ERR_FULL;
    return configuration->format <= raft->options.format_max &&
                   raft_configuration_may_follow(&raft->configuration, configuration)
               ? OK
               : ERR_ARGUMENT;
}

static void append_own(struct raft *raft, const struct raft_configuration *configuration)
{
    raft_append_own(raft, RAFT_ENTRY_CONFIGURATION);
    raft->effects->append_size_bytes =
        (uint32_t)raft_configuration_encode(configuration, raft->encoded);
    raft->effects->append_payload = raft->encoded;
    raft_append_configuration(raft, configuration, raft->trail.last_index);
    /* Voters that were never heard of have the time of an election to answer. */
    raft->quorum_check_ns = raft->now_ns + raft->options.election_timeout_max_ns;
}

void raft_handle_reconfigure(struct raft *raft, const struct raft_configuration *configuration)
{
    append_own(raft, configuration);
}

/*
 * What the leader does by itself: it leaves a joint configuration, and it leads no longer when a
 * configuration without it is committed (thesis 4.2.2). A step appends one record at most; what
 * cannot be appended now is appended in a later step.
 */
void raft_check_membership(struct raft *raft)
{
    if (!is_settled(raft) || raft->effects->append_count > 0)
        return;
    if (is_joint(raft)) {
        if (raft->trail.last_index >= INDEX_MAX)
            return;
        struct raft_configuration after;
        raft_configuration_leave_joint(&raft->configuration, &after);
        append_own(raft, &after);
    } else if (!raft_is_voter(raft)) {
        raft_become_follower(raft, raft->hard_state.term, RAFT_NOBODY);
    }
}

/* All founders have voted for this node (formation.c). */
void raft_form(struct raft *raft)
{
    struct raft_configuration configuration = raft->draft;
    configuration.cluster = prng_next(&raft->prng) | 1;
    CHECK(raft_configuration_check(&configuration) == OK);
    append_own(raft, &configuration);
}
