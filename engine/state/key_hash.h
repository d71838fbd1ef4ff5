/*
 * The hash of a key, equal on every node: it picks the place in the index, and names a key among
 * the cancels of a node. Multiply-fold of 16 bytes a round; not a defence against chosen keys.
 */
#ifndef POLLUX_ENGINE_STATE_KEY_HASH_H
#define POLLUX_ENGINE_STATE_KEY_HASH_H

#include "base/span.h"

/* Part of the replicated state: its values never change (pinned by a test). Any thread. */
uint64_t key_hash(struct span key);

#endif
