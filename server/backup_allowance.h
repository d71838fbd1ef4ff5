/*
 * How often clients may make a node take a snapshot for a backup. A snapshot writes the whole state
 * of the shard, and anybody who can send a packet may ask for one. So there is one in
 * BACKUP_SNAPSHOT_NS on average; after a time without any, BACKUP_SNAPSHOTS_BURST may come sooner,
 * but no two within BACKUP_SNAPSHOT_GAP_NS. A snapshot that is there already, and is new enough,
 * costs nothing; nor does one that the log needs.
 *
 * Pure. Owner: the replica.
 */
#ifndef POLLUX_SERVER_BACKUP_ALLOWANCE_H
#define POLLUX_SERVER_BACKUP_ALLOWANCE_H

#include <stdint.h>

#define BACKUP_SNAPSHOT_NS     (UINT64_C(300) * 1000 * 1000 * 1000)
#define BACKUP_SNAPSHOT_GAP_NS (UINT64_C(5) * 1000 * 1000 * 1000)
#define BACKUP_SNAPSHOTS_BURST 12

/* Zero-filled: all of them. */
struct backup_allowance {
    uint64_t gap_ns;  /* when the last one is no longer too near */
    uint64_t full_ns; /* when all of them are back */
};

/* How long it takes until one may be taken; 0: it may be taken now. Above BACKUP_SNAPSHOT_GAP_NS:
 * there have been too many. */
uint64_t backup_allowance_wait_ns(const struct backup_allowance *allowance, uint64_t now_ns);

/* One is taken. */
void backup_allowance_take(struct backup_allowance *allowance, uint64_t now_ns);

#endif
