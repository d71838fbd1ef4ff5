/*
 * The hash of a key, equal on every node and client: it picks the shard (key_hash mod shards) and
 * the bucket of the index. Multiply-fold of 16 bytes a round; not a defence against chosen keys.
 */
#ifndef POLLUX_ENGINE_STATE_KEY_HASH_H
#define POLLUX_ENGINE_STATE_KEY_HASH_H

#include "base/span.h"

/* Part of the wire contract: its values never change (pinned by a test). Any thread. */
uint64_t key_hash(struct span key);

#endif
