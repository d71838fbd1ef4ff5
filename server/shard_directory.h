/*
 * Where any lane of a node finds the engine of any shard, to answer relaxed reads of a shard that
 * lives on another lane. An engine is entered when it is open, and taken out before it is closed.
 *
 * Threads: find from any lane's thread that is registered with engine/state/rcu.h; the engine found
 * may be used until the end of that lane's turn. Publish and withdraw from the shard's own lane.
 */
#ifndef POLLUX_SERVER_SHARD_DIRECTORY_H
#define POLLUX_SERVER_SHARD_DIRECTORY_H

#include "base/limits.h"

#include <stdatomic.h>

struct engine;

struct shard_directory {
    /* Release at publish pairs with acquire at find: who finds an engine finds it whole. */
    _Atomic(struct engine *) engines[SHARDS_MAX];
};

void shard_directory_init(struct shard_directory *directory);

/* `shard` below SHARDS_MAX (CHECK). */
void shard_directory_publish(struct shard_directory *directory, uint16_t shard,
                             struct engine *engine);

/* Nobody finds the engine from now on. Who found it before may read on until rcu_wait returns: call
 * that before the engine is closed. */
void shard_directory_withdraw(struct shard_directory *directory, uint16_t shard);

/* NULL: no such shard, or it is not open. */
const struct engine *shard_directory_find(struct shard_directory *directory, uint16_t shard);

#endif
