/* See file_sizes.h. */
#include "server/file_sizes.h"

#include <stdio.h>

static void add(struct file_size *size, const char *setting, const char *way_out,
                uint64_t wanted_bytes)
{
    size->is_snapshot = false;
    size->setting = setting;
    size->way_out = way_out;
    size->wanted_bytes = wanted_bytes;
    size->found_bytes = medium_file_size_bytes(size->path);
}

uint32_t file_sizes(const struct replica_options *replica,
                    struct file_size ret_sizes[FILES_OF_REPLICA])
{
    uint32_t count = 0;
    snprintf(ret_sizes[count].path, sizeof(ret_sizes[count].path), "%s", replica->log.path);
    add(&ret_sizes[count++], "[node] log_size",
        "stop the node, move the log and the snapshots of the shard away, start it: it copies its "
        "data from its peers; one node at a time",
        replica->log.size_bytes);
    for (uint32_t i = 0; i < JOURNAL_BANKS && replica->journal.size_bytes != 0; i++) {
        node_numbered_name(replica->journal.path, i, ret_sizes[count].path);
        add(&ret_sizes[count++], "[node] relaxed_size",
            "wait until relaxed_pending is 0 in the node's status, stop the node, remove both "
            "files of the journal, start it",
            replica->journal.size_bytes);
    }
    for (uint32_t i = 0; i < SNAPSHOT_FILES && replica->snapshots.size_bytes != 0; i++) {
        node_numbered_name(replica->snapshots.path, i, ret_sizes[count].path);
        add(&ret_sizes[count], "[node] store_capacity and sessions_capacity",
            "stop the node, remove the snapshots of the shard, start it: it copies its data from "
            "its peers if it needs them; one node at a time",
            replica->snapshots.size_bytes);
        ret_sizes[count++].is_snapshot = true;
    }
    return count;
}

bool file_size_is_overruling(const struct file_size *size)
{
    if (size->found_bytes == 0)
        return false;
    bool is_short = size->found_bytes < size->wanted_bytes;
    return is_short || (!size->is_snapshot && size->found_bytes != size->wanted_bytes);
}
