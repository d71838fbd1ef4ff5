/* Copies the state of one shard after the other from a cluster into a backup. */
#ifndef POLLUX_TOOLS_CLI_CLI_BACKUP_COPY_H
#define POLLUX_TOOLS_CLI_CLI_BACKUP_COPY_H

#include "client/include/pollux_backup.h"
#include "tools/backup/backup_file.h"
#include "tools/cli/cli_arguments.h"

struct backup_copy {
    struct plx_client *client;
    const struct cli_arguments *arguments;
    struct backup_writer writer;
    struct backup_judge judge; /* of what was written */
    struct backup_mark mark;   /* before the shard that is being written */
    uint64_t rate_bytes;       /* a second */
    uint64_t begun_ns;
    uint64_t index_min; /* of the shard that is being copied */
    size_t endpoint;    /* that gives it */
    uint8_t block[PLX_BACKUP_BLOCK_BYTES];
};

/* Of the cluster; 0: no endpoint has answered. */
uint16_t backup_shard_count(struct backup_copy *copy);

/* Copies what is missing of the shard. On an error it was told on standard error; the exit code. */
int backup_copy_shard(struct backup_copy *copy, uint16_t shard);

/* How long an answer is waited for. */
uint64_t backup_patience_ns(const struct backup_copy *copy);

/* A failed write was told; the exit code. */
int backup_write_failed(const struct backup_copy *copy);

#endif
