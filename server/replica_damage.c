/*
 * Damage of this replica's files that is met while the node runs (docs/storage.md, "Damage while a
 * node runs").
 *
 * A page that cannot be read, in the log or the journal: nothing becomes durable there any more, so
 * the node stops. The next start sets the file aside.
 *
 * A record that has rotted: nothing of it is sent or applied. If it is applied already, the state
 * has what it did. Then two snapshots are taken, and the log begins behind them. If it is not, the
 * node stops, and the next start ends the log before the record.
 */
#include "server/replica_internal.h"

const struct replica_damage *replica_damage(const struct replica *replica)
{
    return &replica->damage;
}

uint64_t replica_entries_mended(const struct replica *replica)
{
    return replica->journal == NULL ? 0 : journal_mended_count(replica->journal);
}

void replica_note_rot(struct replica *replica, uint64_t index)
{
    if (index > replica->rot_index)
        replica->rot_index = index;
    replica->counters.records_rotten++;
    replica->damage = (struct replica_damage){.file = REPLICA_FILE_LOG,
                                              .is_rotten = true,
                                              .index = index,
                                              .offset = log_offset_of(replica->log, index)};
}

void replica_note_block_rot(struct replica *replica, uint32_t file, uint32_t block)
{
    replica->counters.blocks_rotten++;
    replica->damage = (struct replica_damage){.file = REPLICA_FILE_SNAPSHOT,
                                              .number = file,
                                              .is_rotten = true,
                                              .index = block,
                                              .offset = snapshots_block_offset(block)};
}

void replica_lose_snapshot(struct replica *replica, uint32_t file, uint32_t block)
{
    snapshots_lose(replica->snapshot.files, file);
    replica->snapshot.is_gap = true;
    replica_note_block_rot(replica, file, block);
}

enum error replica_read_block(struct replica *replica, const struct snapshot_info *info,
                              uint32_t number, uint8_t *buffer, struct span *ret_raw)
{
    struct snapshots *files = replica->snapshot.files;
    uint32_t file = snapshots_file_of(files, info->generation);
    enum error error = snapshots_read_block(files, info->generation, number, buffer, ret_raw);
    if (error == ERR_CHECKSUM)
        replica_lose_snapshot(replica, file, number);
    return error;
}

bool replica_is_record_whole(struct replica *replica, uint64_t index)
{
    if (log_is_whole(replica->log, index))
        return true;
    if (replica->rot_index != index)
        replica_note_rot(replica, index);
    return false;
}

/* Both snapshots hold what the rotten record did. */
static bool is_behind_snapshots(const struct replica *replica)
{
    struct snapshot_info older;
    return replica->snapshot.files != NULL && snapshots_older(replica->snapshot.files, &older) &&
           older.label.index >= replica->rot_index;
}

bool replica_wants_snapshots(const struct replica *replica)
{
    return replica->rot_index != 0 && !is_behind_snapshots(replica);
}

bool replica_is_hurt(struct replica *replica)
{
    if (replica->scrub.is_failed)
        return true;
    if (replica->rot_index == 0)
        return false;
    obstacles_note(&replica->shared->obstacles,
                   &(struct obstacle){.kind = OBSTACLE_DAMAGE,
                                      .node = replica->options.raft.self.id,
                                      .here = replica->options.shard,
                                      .there = replica->rot_index},
                   replica->shared->now_ns);
    if (replica->rot_index > engine_applied_index(replica->engine) ||
        replica->snapshot.files == NULL)
        return true;
    if (!is_behind_snapshots(replica))
        return false;
    raft_log_dropped(replica->raft, replica->rot_index + 1);
    replica->scrub.mended_index = replica->rot_index;
    replica->rot_index = 0;
    replica->counters.records_mended++;
    return false;
}

bool replica_is_unreadable(struct replica *replica)
{
    size_t offset;
    if (!medium_is_unreadable(log_medium(replica->log), &offset))
        return false;
    replica_note_failure(replica);
    return true;
}

/* A sync has failed, or a page cannot be read: which file, and where. */
void replica_note_failure(struct replica *replica)
{
    struct replica_damage damage = {.file = REPLICA_FILE_LOG};
    size_t offset = 0;
    uint32_t bank = 0;
    damage.is_unreadable = medium_is_unreadable(log_medium(replica->log), &offset);
    if (!damage.is_unreadable && replica->journal != NULL &&
        journal_is_unreadable(replica->journal, &bank, &offset)) {
        damage.is_unreadable = true;
        damage.file = REPLICA_FILE_JOURNAL;
        damage.number = bank;
    }
    if (!damage.is_unreadable && replica->journal != NULL &&
        journal_is_rotten(replica->journal, &bank, &damage.index, &offset)) {
        damage.is_rotten = true;
        damage.file = REPLICA_FILE_JOURNAL;
        damage.number = bank;
    }
    damage.offset = offset;
    /* Else what was noted before, or a sync that failed. */
    if (damage.is_unreadable || damage.is_rotten || replica->damage.file == REPLICA_FILE_NONE)
        replica->damage = damage;
}
