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
    size_t endpoint;    /* that is asked */
    size_t giver;       /* that gave blocks of it last, if that was told */
    bool is_giver_told;
    struct backup_node notes[PLX_ENDPOINTS_MAX]; /* by endpoint; node 0: it does not answer */
    uint64_t shard_ns;                           /* when the shard was begun */
    uint64_t progress_ns; /* when the last block of it came, or it was begun */
    uint8_t block[PLX_BACKUP_BLOCK_BYTES];
};

/* One question; after it, it is told that something is waited for, and again after some more. */
#define BACKUP_STEP_NS    UINT64_C(2000000000)
#define BACKUP_TOLD_STEPS 5

/* ---- cli_backup_host.c: what surrounds the command; the simulator has its own ---- */

uint64_t backup_clock_ns(void);
/* An operator has asked the command to end. */
bool backup_is_interrupted(void);
/* A line for the operator; it ends with a newline. */
void backup_tell(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* ---- cli_backup_find.c: where from ---- */

/* Whether to tell it after this step, from 0 on. */
bool backup_is_time_to_tell(uint32_t step);

/* Of the cluster; 0: no endpoint has answered. */
uint16_t backup_shard_count(struct backup_copy *copy);

/* How long an answer is waited for. */
uint64_t backup_patience_ns(const struct backup_copy *copy);

/* A consistent get. It tells when it waits. */
struct plx_response backup_get(struct backup_copy *copy, const char *key);

struct plx_backup_from backup_from(const struct backup_copy *copy, uint16_t shard);

/* Whether the node there answers. */
bool backup_is_there(struct backup_copy *copy, size_t endpoint, uint16_t shard);

/* Finds a node that gives the state, copy->endpoint, and fills copy->notes before. */
enum plx_outcome backup_find_state(struct backup_copy *copy, uint16_t shard,
                                   struct plx_snapshot *ret_snapshot);

/* ---- cli_backup_copy.c ---- */

/* Copies what is missing of the shard. On an error it was told on standard error; the exit code. */
int backup_copy_shard(struct backup_copy *copy, uint16_t shard);

/* A failed write was told; the exit code. */
int backup_write_failed(const struct backup_copy *copy);

#endif
