/*
 * What backups of a run hold, and the rule that they must obey. A backup has each shard as the log
 * has it after one record, with the values and versions of that record. It has all that was
 * acknowledged before the copy of the shard began, but for relaxed writes that were pending then:
 * it names the nodes that had such writes, or did not answer.
 */
#ifndef POLLUX_TESTS_SIM_BACKUP_CHECK_H
#define POLLUX_TESTS_SIM_BACKUP_CHECK_H

#include "base/limits.h"
#include "tests/sim/history.h"

/* What the backup says of a node and a shard. */
struct copied_note {
    bool is_told;
    bool is_silent; /* the node did not answer */
    uint64_t pending;
};

struct copied_shard {
    uint64_t begun_ns; /* when the copy of the shard began */
    uint64_t index;
    uint64_t cluster;
    struct copied_note notes[NODES_MAX];
};

struct copied_key {
    uint64_t value; /* by name; HISTORY_ABSENT */
    uint64_t version;
};

/* A whole backup. */
struct copied {
    uint32_t node_count;
    uint32_t shard_count;
    struct copied_shard shards[HISTORY_SHARDS_MAX];
    uint32_t key_count; /* of the workload */
    uint32_t key_shards[HISTORY_KEYS_MAX];
    struct copied_key keys[HISTORY_KEYS_MAX];
};

/* At the end of the run, when the history is complete. */
void backup_check(const struct history *history, const struct copied *copied,
                  struct verdict *verdict);

#endif
