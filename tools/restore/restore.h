/*
 * Makes the data directory of a node from a backup: a new cluster, of which this node is the only
 * member. Other nodes join it.
 *
 * What the new cluster has: the keys and values of each shard, and its limits. What it has not:
 * sessions, outcomes, and what of relaxed writes was decided: nobody of the old cluster can refer
 * to them here. Each shard has a new identity and a new birth.
 *
 * Versions rise. The old cluster may have gone on behind the record of the backup, and its clients
 * may remember versions from there. The new log begins behind record (n + 1) * 2^40, where n * 2^40
 * is the last such multiple not above the record of the backup; that number is the version of every
 * key. So no version of the old cluster is ever one of the new one, unless the old one has written
 * 2^40 records behind the backup.
 *
 * Owner: one thread.
 */
#ifndef POLLUX_TOOLS_RESTORE_RESTORE_H
#define POLLUX_TOOLS_RESTORE_RESTORE_H

#include "server/config.h"
#include "tools/backup/backup_file.h"
#include "tools/restore/restore_shard.h"

#define RESTORE_TEXT_BYTES 1536

struct restore_source {
    int fd;           /* of a regular file */
    const char *name; /* for whoever finds a restore that was cut short */
};

/* What was restored. */
struct restore_summary {
    struct backup_head head;
    struct backup_shard shards[SHARDS_MAX]; /* as in the backup */
    uint64_t versions[SHARDS_MAX];          /* of every key of the shard */
    uint64_t pending;                       /* relaxed writes that may be left out */
    uint64_t silent_nodes;
};

/*
 * Restores the backup to the directory that the configuration names. The whole backup is verified
 * first. The directory counts as made only when all of it is durable: until then the file
 * `restoring` is there, and the next restore begins anew. `ret_text` says what is wrong.
 * ERR_ARGUMENT: the configuration does not fit; ERR_EXISTS: the directory is there; those of
 * backup_verify and data_directory_make.
 */
MUST_USE enum error restore_run(const struct config *config, const struct restore_source *source,
                                struct restore_summary *ret_summary,
                                char ret_text[RESTORE_TEXT_BYTES]);

#endif
