/*
 * The stream of a snapshot: the whole replicated state of one shard as of one index. A sequence of
 * items. The first one is the head, the last one the end; the others come in any order. All fields
 * are little endian; reserved bytes are zero. The stream has no checksum: whoever stores or sends
 * it adds that. What is local to a node (the packets seen of a session) is not in it.
 *
 * Every item, offset, size and meaning of each field:
 *    0  u8   type (enum snapshot_item)
 *    1       3 bytes zero
 *    4  u32  size of the body, which follows
 *
 * Head:
 *    0  u64  magic
 *    8  u32  version of the format
 *   12  u32  number of the limits; 0: no record has changed them
 *   16  u64  index of the last record applied
 *   24  u64  log time of that record, ns
 *   32  u64  keys
 *   40  u64  blocks that they are charged for
 *   48  u32  keys_max, the limits in force. Of number 0: those of the configuration, and whoever
 *            reads them takes its own
 *   52  u32  blocks_max
 *   56  u32  sessions_max
 *   60  u32  sessions
 *   64  u64  session_ttl_ns
 *   72  u64  rank of the session that is active next
 *   80  u64  digest of everything applied (engine/state/state_digest.h)
 *
 * Configuration, directly behind the head, if a record has brought one (raft/configuration.h):
 *    0  u64  index of that record
 *    8       the configuration as the record has it
 *
 * Series, one for each that is remembered (engine/state/node_progress.h):
 *    0  u16  voter id of its node, 0: it was never a member's
 *    2  u8   1: it is open
 *    3  u8   zero
 *    4  u32  cancels
 *    8  u64  every seq up to this is decided
 *   16  u64  series
 *   24  u64  rank
 *   32       the cancels, rising by seq: u64 seq, name. A name has 8 bytes if the configuration is
 *            of format 0 or there is none, and 32 bytes else (engine/state/node_progress.h)
 *
 * Session:
 *    0  u64  id
 *    8  u64  nonce, 0: none
 *   16  u64  floor
 *   24  u64  log time of its last activity, ns
 *   32  u64  rank
 *   40  u8   1: an outcome was remembered
 *   41  u8   1: idle, nothing is open
 *   42  u16  outcomes
 *   44  u32  zero
 *   48       the outcomes, rising by seq: u64 version, u8 outcome, u8 seq - floor
 *
 * Entry:
 *    0  u64  version
 *    8  u32  size of the value
 *   12  u16  size of the key
 *   14  u16  zero
 *   16       the key, the value
 *
 * End:
 *    0  u64  bytes of the stream before this item
 *    8  u64  items before this item
 */
#ifndef POLLUX_ENGINE_STATE_SNAPSHOT_FORMAT_H
#define POLLUX_ENGINE_STATE_SNAPSHOT_FORMAT_H

#include "base/limits.h"
#include "engine/state/node_progress.h"
#include "raft/configuration.h"

#define SNAPSHOT_MAGIC   UINT64_C(0x50414e5358554c50) /* "PLUXSNAP" */
#define SNAPSHOT_VERSION 3

enum snapshot_item {
    SNAPSHOT_HEAD = 1,
    SNAPSHOT_CONFIGURATION,
    SNAPSHOT_NODE,
    SNAPSHOT_SESSION,
    SNAPSHOT_ENTRY,
    SNAPSHOT_END,
};

#define SNAPSHOT_ITEM_HEADER_BYTES 8
#define SNAPSHOT_HEAD_BYTES        88
#define SNAPSHOT_CHANGE_BYTES      8
#define SNAPSHOT_NODE_BYTES        32
#define SNAPSHOT_CANCEL_64_BYTES   16 /* with a name of 64 bits */
#define SNAPSHOT_CANCEL_256_BYTES  40
#define SNAPSHOT_SESSION_BYTES     48
#define SNAPSHOT_OUTCOME_BYTES     10
#define SNAPSHOT_ENTRY_BYTES       16
#define SNAPSHOT_END_BYTES         16

/* The largest bodies. */
#define SNAPSHOT_CHANGE_BYTES_MAX (SNAPSHOT_CHANGE_BYTES + RAFT_CONFIGURATION_BYTES_MAX)
#define SNAPSHOT_NODE_BYTES_MAX                                                                    \
    (SNAPSHOT_NODE_BYTES + NODE_CANCELS_CAPACITY * SNAPSHOT_CANCEL_256_BYTES)
#define SNAPSHOT_SESSION_BYTES_MAX                                                                 \
    (SNAPSHOT_SESSION_BYTES + SESSION_WINDOW * SNAPSHOT_OUTCOME_BYTES)
#define SNAPSHOT_ENTRY_BYTES_MAX (SNAPSHOT_ENTRY_BYTES + KEY_SIZE_BYTES_MAX + VALUE_SIZE_BYTES_MAX)

static inline size_t snapshot_cancel_bytes(enum cancel_names names)
{
    return names == CANCEL_NAMES_64 ? SNAPSHOT_CANCEL_64_BYTES : SNAPSHOT_CANCEL_256_BYTES;
}

/* The largest item. */
#define SNAPSHOT_ITEM_BYTES_MAX (SNAPSHOT_ITEM_HEADER_BYTES + SNAPSHOT_ENTRY_BYTES_MAX)

static_assert(SESSION_WINDOW - 1 <= UINT8_MAX, "an outcome's distance from the floor has 8 bits");
static_assert(KEY_SIZE_BYTES_MAX <= UINT16_MAX, "a key's size has 16 bits");
static_assert(SNAPSHOT_NODE_BYTES_MAX <= SNAPSHOT_ENTRY_BYTES_MAX, "an entry is the largest item");

#endif
