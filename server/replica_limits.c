/*
 * A replica whose node lacks capacity: a record, or a snapshot, sets a limit above what the memory
 * was made for. The replica stops there. It goes on storing what the leader sends, which is safe,
 * and answers from the state that it has; but it applies nothing more, fetches no snapshot, takes
 * none, and does not lead. A start with a larger capacity takes up where it stopped.
 */
#include "server/capacity.h"
#include "server/replica_internal.h"

#include <stdio.h>

bool replica_lacks_capacity(const struct replica *replica)
{
    return replica->lack.limit != ENGINE_LIMIT_NONE;
}

bool replica_apply(struct replica *replica, uint64_t index)
{
    struct log_record record;
    log_read(replica->log, index, &record);
    if (!engine_can_apply(replica->engine, record.kind, record.payload, &replica->lack))
        return false;
    engine_apply(replica->engine, index, record.term, record.kind, record.payload);
    return true;
}

enum error replica_check_snapshot(struct replica *replica, const struct snapshot_info *info)
{
    struct replica_snapshot *snapshot = &replica->snapshot;
    struct span begin;
    enum error error =
        snapshots_read_block(snapshot->files, info->generation, 0, snapshot->block, &begin);
    if (error != OK)
        return error;
    return engine_can_install(replica->engine, begin, &replica->lack) ? OK : ERR_FULL;
}

void replica_describe_lack(const struct replica *replica, char *ret_reason, size_t reason_size)
{
    char text[CAPACITY_TEXT_SIZE];
    capacity_describe(&replica->lack, replica->options.shard, replica->options.engine.shard_count,
                      text);
    snprintf(ret_reason, reason_size, "%.160s: %s", replica->options.log.path, text);
}

void replica_leave_lead(struct replica *replica)
{
    if (!replica_lacks_capacity(replica) || replica->status.role != RAFT_LEADER)
        return;
    struct raft_event event = {.type = RAFT_EVENT_STEP_DOWN, .now_ns = replica->shared->now_ns};
    (void)!replica_step(replica, &event, (struct span){0});
}
