/*
 * ReadIndex (thesis 6.4), batched: each event opens a round; a round that a majority echoed in this
 * term proves that no later leader had committed anything when the round was opened, so its reads
 * may be served at today's commit index. Before an entry of its own term is committed a leader does
 * not know that index, and keeps the reads (6.4, step 1).
 */
#include "raft/raft_internal.h"

void raft_handle_read(struct raft *raft, uint64_t read_id)
{
    CHECK(read_id >= raft->read_last_id && read_id > 0);
    raft->read_last_id = read_id;
    raft->round++;
    /* With all slots taken the newest round waits for this one too; older ones are not held up. */
    uint32_t position = raft->read_count;
    if (position == RAFT_READ_ROUNDS_MAX)
        position--;
    else
        raft->read_count++;
    raft->reads[(raft->read_head + position) % RAFT_READ_ROUNDS_MAX] =
        (struct raft_read_round){.round = raft->round, .read_id = read_id};
    raft_replicate(raft);
    raft_send_heartbeats(raft, 0);
    raft_release_reads(raft);
}

void raft_release_reads(struct raft *raft)
{
    if (raft->read_count == 0 || !raft_has_own_commit(raft))
        return;
    uint64_t rounds[RAFT_MEMBERS_MAX];
    for (uint32_t slot = 0; slot < raft->configuration.slot_count; slot++)
        rounds[slot] = raft->peers[slot].round_acked;
    if (raft->self_slot != RAFT_SLOT_NONE)
        rounds[raft->self_slot] = raft->round;
    uint64_t confirmed = raft_quorum_value(raft, rounds);
    while (raft->read_count > 0 && raft->reads[raft->read_head].round <= confirmed) {
        raft->read_released_id = raft->reads[raft->read_head].read_id;
        raft->read_released_index = raft->commit_index;
        raft->read_head = (raft->read_head + 1) % RAFT_READ_ROUNDS_MAX;
        raft->read_count--;
    }
}

/* Leadership is gone, and with it the right to answer. */
void raft_drop_reads(struct raft *raft)
{
    raft->read_head = 0;
    raft->read_count = 0;
    raft->read_last_id = 0;
    raft->read_released_id = 0;
    raft->read_released_index = 0;
}
