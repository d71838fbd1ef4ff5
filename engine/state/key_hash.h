/*
 * A hash that is equal on every node: it names a key among the cancels of a node, and digests the
 * state. Multiply-fold of 16 bytes a round; not a defence against chosen keys, so no table is
 * searched by it (base/siphash.h is for those).
 */
#ifndef POLLUX_ENGINE_STATE_KEY_HASH_H
#define POLLUX_ENGINE_STATE_KEY_HASH_H

#include "base/span.h"

/* Part of the replicated state: its values never change (pinned by a test). Any thread. */
uint64_t key_hash(struct span key);

#endif
