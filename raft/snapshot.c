/*
 * What becomes of the log when its state is put away in snapshots (paper 7, thesis 5): its begin is
 * dropped, and a follower that needs what its leader has dropped takes the leader's snapshot
 * instead. How a snapshot is made, sent and kept is the caller's business.
 */
#include "raft/raft_internal.h"

void raft_log_dropped(struct raft *raft, uint64_t first_index)
{
    CHECK(first_index <= raft->commit_index + 1);
    if (first_index <= raft->trail.first_index)
        return;
    trail_drop(&raft->trail, first_index);
    if (raft->role == RAFT_LEADER)
        raft_replication_dropped(raft);
}

bool raft_needs_snapshot(const struct raft *raft, uint64_t index)
{
    return raft->role != RAFT_LEADER && index > raft->commit_index;
}

enum error raft_check_installed(const struct raft_event *event)
{
    uint64_t index = event->installed.index;
    uint64_t term = event->installed.term;
    if (index == 0 || index > INDEX_MAX || term == 0 || term > TERM_MAX ||
        event->installed.configuration_index > index)
        return ERR_RANGE;
    if (event->installed.configuration_index == 0)
        return OK; /* it holds none */
    return raft_configuration_check(event->installed.configuration);
}

/*
 * The snapshot holds committed records only, so every later leader has them (paper 5.4.3). A log
 * that has the snapshot's last record goes on from there (paper, figure 13, step 6); any other one
 * conflicts with it or ends before it, and is given up whole.
 */
void raft_handle_installed(struct raft *raft, const struct raft_event *event)
{
    uint64_t index = event->installed.index;
    uint64_t term = event->installed.term;
    if (!raft_needs_snapshot(raft, index))
        return;
    if (raft->role != RAFT_FOLLOWER || term > raft->hard_state.term) {
        uint64_t own_term = raft->hard_state.term;
        raft_become_follower(raft, term > own_term ? term : own_term, RAFT_NOBODY);
    }
    raft->commit_index = index;
    if (trail_term_at(&raft->trail, index) != term) {
        trail_reset(&raft->trail, index + 1, term);
        raft->durable_index = index;
        raft->verified_index = index;
        raft->effects->is_log_reset = true;
        raft->configuration_index = 0; /* its record went with the log */
        raft->previous = (struct raft_configuration){0};
        raft->previous_index = 0;
    } else if (raft->verified_index < index) {
        raft->verified_index = index;
    }
    if (event->installed.configuration_index > raft->configuration_index)
        raft_set_configuration(raft, event->installed.configuration,
                               event->installed.configuration_index);
}
