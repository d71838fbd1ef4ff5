/*
 * The operator who makes backups: a simulated client that runs what `pollux backup` runs
 * (tools/cli/cli_backup_copy.c, cli_backup_find.c, tools/backup/), over and over, into files in
 * memory. Its process may die, and then begins a backup anew: going on with an earlier run's file
 * is not simulated.
 */
#ifndef POLLUX_TESTS_SIM_COPIER_H
#define POLLUX_TESTS_SIM_COPIER_H

#include "tests/sim/backup_check.h"
#include "tests/sim/client.h"
#include "tools/cli/cli_backup_copy.h"

#define COPIER_BACKUPS_MAX 8

struct copier {
    struct client *client;
    struct backup_copy copy;
    struct cli_arguments arguments;
    bool is_open; /* copy holds memory and a file */
    uint32_t left;
    uint64_t begun_ns[SIM_SHARDS_MAX];         /* of the copy under way, by shard */
    struct copied backups[COPIER_BACKUPS_MAX]; /* that are whole */
    int fds[COPIER_BACKUPS_MAX];
    uint32_t count;
};

void copier_init(struct copier *copier, struct client *client, const struct draw *draw);
void copier_deinit(struct copier *copier);

/* What the client runs. */
void copier_run(struct client *client);

/* Starts a process that makes one more backup, of a cluster that has healed. */
void copier_begin_last(struct copier *copier);

/* The endpoint from which blocks are being copied; PLX_ENDPOINTS_MAX: none. */
size_t copier_giver(const struct copier *copier);

#endif
