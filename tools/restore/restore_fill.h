/*
 * Makes the files of all shards of a node from a backup that was verified: its frames are read
 * again, and the last copy of each shard counts.
 *
 * Owner: one thread.
 */
#ifndef POLLUX_TOOLS_RESTORE_RESTORE_FILL_H
#define POLLUX_TOOLS_RESTORE_RESTORE_FILL_H

#include "tools/restore/restore_shard.h"

#define RESTORE_FILL_TEXT_BYTES 512

/* `targets`: by shard, as many as the backup has. The files are durable on return. `ret_text`: what
 * was wrong with which shard, if that is known. Errors of backup_read_frame, and of
 * restore_shard_begin. */
MUST_USE enum error restore_fill(int fd, const struct restore_target *targets, char *ret_text);

#endif
