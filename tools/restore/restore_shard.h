/*
 * Makes the files of one shard from the stream of a snapshot: the log, the identity, and a snapshot
 * of the new cluster. tools/restore/restore.h says what is changed on the way.
 *
 * Owner: one thread.
 */
#ifndef POLLUX_TOOLS_RESTORE_RESTORE_SHARD_H
#define POLLUX_TOOLS_RESTORE_RESTORE_SHARD_H

#include "base/arena.h"
#include "server/config.h"
#include "server/replica.h"
#include "tools/backup/backup_stream.h"

/* Versions of a restored shard are above every multiple of 2 to this power that its old cluster
 * has reached. */
#define RESTORE_STEP_BITS 40

/* The first term of the new cluster. */
#define RESTORE_TERM 1

/* What is made of a shard. */
struct restore_target {
    const struct replica_options *options;
    const struct config_peer *self;
    uint64_t version; /* of every key */
    uint64_t birth;   /* odd, and new; so is */
    uint64_t cluster;
};

/* The version of every key that is restored of a backup at this index; 0: there is none left. */
uint64_t restore_version(uint64_t index);

/* While the thread of the files works; the simulator has its own. */
void restore_yield(void);

struct restore_shard {
    const struct replica_options *options;
    const struct config_peer *self;
    uint64_t version; /* of every key, and the index of the snapshot */
    uint64_t birth;
    uint64_t cluster;
    struct backup_stream stream;
    struct arena arena;
    struct snapshots *snapshots; /* NULL: not open */
    /* Of the stream that is written. */
    uint64_t bytes;
    uint64_t items;
    char note[384]; /* why it failed */
};

/* Begins. Errors of all: ERR_NO_MEMORY, ERR_IO, those of snapshots_open, log_open, identity_note
 * and backup_stream_read. */
MUST_USE enum error restore_shard_begin(struct restore_shard *shard,
                                        const struct restore_target *target);
/* The next bytes of the stream in the backup. */
MUST_USE enum error restore_shard_read(struct restore_shard *shard, struct span chunk);
/* All of it was read: the files are durable on return. */
MUST_USE enum error restore_shard_end(struct restore_shard *shard);
/* Gives back what is still held. Zero-filled: nothing. */
void restore_shard_deinit(struct restore_shard *shard);

#endif
