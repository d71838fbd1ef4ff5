/*
 * The file of a backup: the state of each shard of a cluster, each as of one record of its log. It
 * is written from its begin to its end, so it may go to a pipe as well. All numbers are little
 * endian; reserved bytes are zero.
 *
 * The head:
 *    0  u64  magic "PLUXBACK"
 *    8  u32  version, 1
 *   12  u32  crc32c of the 320 bytes with this field zero
 *   16  u64  id: random
 *   24  u64  when it was begun, seconds since 1970
 *   32  u16  shards
 *   34       zero
 *   64       name of the cluster, 255 bytes at most, zeros behind it
 *
 * Then frames up to the end of the file:
 *    0  u32  crc32c of what follows in the frame; its seed is made of the id and the frame's offset
 *    4  u32  size of the body
 *    8  u8   kind (enum backup_kind)
 *    9  u8   zero
 *   10  u16  shard
 *   12  u32  block
 *   16       the body
 *
 * NODE: what a node said of the shard before its state was taken. Offset in the body:
 *    0  u16  node; 0: it did not answer
 *    2       zero
 *    8  u64  relaxed writes that were pending there: those decided after the record are not in it
 *   16       its endpoint, up to the end of the body
 * SHARD: the state of a shard begins.
 *    0  u64  id of the snapshot
 *    8  u64  index of the last record in it
 *   16  u64  term of that record
 *   24  u64  size of the stream
 *   32  u32  blocks
 *   36  u32  crc32c of the crc32c of each block
 *   40  u64  identity of the cluster, as drawn when it formed; 0: not known
 *   48  u64  era
 *   56  u64  keys
 *   64  u16  node that gave it
 *   66       zero, up to 72
 * BLOCK: the next block of the shard: 65,472 bytes of the stream of engine/state/snapshot_format.h;
 *   the last one may have fewer.
 * DROPPED: the frames SHARD and BLOCK before this one, of this shard, count for nothing.
 * END: the last frame.
 *    0  u64  bytes of the file before it
 *    8  u64  frames before it
 *   16  u64  keys of all shards
 *   24  u32  crc32c of all bytes before it
 *   28  u32  zero
 *
 * Because of the seed no frame of another backup, or of another place, is taken for one of these.
 *
 * Pure.
 */
#ifndef POLLUX_TOOLS_BACKUP_BACKUP_FORMAT_H
#define POLLUX_TOOLS_BACKUP_BACKUP_FORMAT_H

#include "base/error.h"
#include "base/limits.h"
#include "base/span.h"

#define BACKUP_MAGIC          UINT64_C(0x4b43414258554c50) /* "PLUXBACK" */
#define BACKUP_VERSION        1
#define BACKUP_HEAD_BYTES     320u
#define BACKUP_NAME_OFFSET    64u
#define BACKUP_NAME_BYTES     (BACKUP_HEAD_BYTES - BACKUP_NAME_OFFSET)
#define BACKUP_FRAME_BYTES    16u
#define BACKUP_BODY_BYTES_MAX SNAPSHOT_BLOCK_BYTES
#define BACKUP_ENDPOINT_BYTES 256u

enum backup_kind {
    BACKUP_NODE = 1,
    BACKUP_SHARD,
    BACKUP_BLOCK,
    BACKUP_DROPPED,
    BACKUP_END,
    BACKUP_KIND_END
};

struct backup_head {
    uint64_t id;
    uint64_t created_s;
    uint16_t shard_count;
    char cluster[BACKUP_NAME_BYTES];
};

struct backup_frame {
    uint8_t kind; /* enum backup_kind */
    uint16_t shard;
    uint32_t block;
    struct span body;
};

struct backup_node {
    uint16_t node; /* 0: it did not answer */
    uint64_t pending;
    char endpoint[BACKUP_ENDPOINT_BYTES];
};

struct backup_shard {
    uint64_t id;
    uint64_t index;
    uint64_t term;
    uint64_t stream_bytes;
    uint32_t block_count;
    uint32_t content_crc;
    uint64_t cluster;
    uint64_t era;
    uint64_t keys;
    uint16_t node;
};

struct backup_totals {
    uint64_t bytes;
    uint64_t frames;
    uint64_t keys;
    uint32_t crc;
};

void backup_head_encode(const struct backup_head *head, uint8_t to[BACKUP_HEAD_BYTES]);
/* ERR_MAGIC, ERR_VERSION, ERR_CHECKSUM, ERR_RESERVED, ERR_RANGE (shards, or a name that does not
 * end). */
MUST_USE enum error backup_head_decode(const uint8_t from[BACKUP_HEAD_BYTES],
                                       struct backup_head *ret_head);

/* Of a frame of this backup at this offset: its first bytes, the checksum over `body` included. */
void backup_frame_encode(const struct backup_frame *frame, uint64_t id, uint64_t offset,
                         uint8_t to[BACKUP_FRAME_BYTES]);
/* How large the body is that is still to come. ERR_TOO_LARGE: it is none that was written. */
MUST_USE enum error backup_frame_size(const uint8_t from[BACKUP_FRAME_BYTES],
                                      size_t *ret_size_bytes);
/* The whole frame of this backup at this offset: its first bytes and its body, which is borrowed.
 * ERR_CHECKSUM; of a sound one ERR_TYPE, ERR_RESERVED. */
MUST_USE enum error backup_frame_decode(const uint8_t from[BACKUP_FRAME_BYTES], struct span body,
                                        uint64_t id, uint64_t offset,
                                        struct backup_frame *ret_frame);

/* Bodies. Each writes at most BACKUP_BODY_BYTES_MAX and returns how many; each is read with
 * ERR_SHORT, ERR_TRAILING, ERR_RESERVED or ERR_RANGE. */
size_t backup_node_encode(const struct backup_node *node, uint8_t *to);
MUST_USE enum error backup_node_decode(struct span body, struct backup_node *ret_node);
size_t backup_shard_encode(const struct backup_shard *shard, uint8_t *to);
MUST_USE enum error backup_shard_decode(struct span body, struct backup_shard *ret_shard);
size_t backup_totals_encode(const struct backup_totals *totals, uint8_t *to);
MUST_USE enum error backup_totals_decode(struct span body, struct backup_totals *ret_totals);

#endif
