/* See shard_directory.h. */
#include "server/shard_directory.h"

#include "base/check.h"

#include <stddef.h>

void shard_directory_init(struct shard_directory *directory)
{
    for (uint32_t shard = 0; shard < SHARDS_MAX; shard++)
        atomic_init(&directory->engines[shard], NULL);
}

void shard_directory_publish(struct shard_directory *directory, uint16_t shard,
                             struct engine *engine)
{
    CHECK(shard < SHARDS_MAX && engine != NULL);
    atomic_store_explicit(&directory->engines[shard], engine, memory_order_release);
}

void shard_directory_withdraw(struct shard_directory *directory, uint16_t shard)
{
    CHECK(shard < SHARDS_MAX);
    atomic_store_explicit(&directory->engines[shard], NULL, memory_order_release);
}

const struct engine *shard_directory_find(struct shard_directory *directory, uint16_t shard)
{
    if (shard >= SHARDS_MAX)
        return NULL;
    return atomic_load_explicit(&directory->engines[shard], memory_order_acquire);
}
