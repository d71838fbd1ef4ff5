/*
 * For operators' programs: a copy of the state of each shard, from a running cluster.
 * `pollux backup` is such a program.
 */
#ifndef POLLUX_BACKUP_H
#define POLLUX_BACKUP_H

#include "pollux.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Bytes of a block; the last one of a snapshot may have fewer. */
#define PLX_BACKUP_BLOCK_BYTES 65472

/* The state of a shard after one record of its log, as one node has put it away. */
struct plx_snapshot {
    uint64_t id;    /* two nodes may have the same snapshot; no two snapshots have the same id */
    uint64_t index; /* of the last record in it */
    uint64_t term;
    uint64_t stream_bytes; /* docs/storage.md, "Snapshots" */
    uint32_t block_count;
    uint32_t content_crc; /* crc32c of the crc32c of each block */
    uint16_t node;        /* that has it */
};

/* Which node is asked, and how. */
struct plx_backup_from {
    size_t endpoint;
    uint16_t shard;
    uint64_t timeout_ns; /* of one call; 0: the handle's */
    uint64_t rate_bytes; /* of blocks a second, from this handle's last one; 0: no limit */
};

/*
 * Returns the newest snapshot of the shard at that node, of record index_min or a later one. If the
 * node has none, it is asked to take one, and asked again until the time is over. Threads as
 * plx_get.
 * - PLX_OK: ret_snapshot is set; with every other outcome it is all zero.
 * - PLX_TIMEOUT: the node answers, and has not finished such a snapshot in time.
 * - PLX_E_OVERLOADED: the node has taken so many snapshots for backups lately that it takes none
 *   now: one in five minutes, and some in a row after a time without any. Ask another node.
 * - PLX_E_UNSUPPORTED: the node has no state to give: it is loading one, or was set back.
 * - PLX_E_UNREACHABLE: no answer in time.
 * - PLX_E_ARGUMENT: there is no such endpoint or shard.
 */
PLX_API enum plx_outcome plx_backup_find(struct plx_client *client,
                                         const struct plx_backup_from *from, uint64_t index_min,
                                         struct plx_snapshot *ret_snapshot);

/*
 * Copies block `number` of the snapshot into `buffer`, of PLX_BACKUP_BLOCK_BYTES. All blocks are
 * full but the last, which has the rest of stream_bytes. Waits until the rate allows it; that is
 * not counted as time of the call. The node sends no faster than its setting snapshot_rate, whoever
 * asks. Threads as plx_get.
 * - PLX_OK: the block is there. A checksum of each packet was compared; compare content_crc when
 *   all blocks are here.
 * - PLX_NOT_FOUND: the node has that snapshot no longer. Find another one, and begin again.
 * - PLX_E_UNREACHABLE: not all of it has come in time.
 * - PLX_E_UNSUPPORTED: as above.
 * - PLX_E_ARGUMENT: there is no such endpoint, shard or block.
 */
PLX_API enum plx_outcome plx_backup_block(struct plx_client *client,
                                          const struct plx_backup_from *from,
                                          const struct plx_snapshot *snapshot, uint32_t number,
                                          void *buffer);

#ifdef __cplusplus
}
#endif

#endif
