/* Shards as a handle sees them: opened when they are first needed, and how many there are. */
#include "client/client_internal.h"

#include "base/shard.h"

size_t shards_arena_bytes(void)
{
    return SHARDS_MAX *
               (sizeof(struct shard_state) + TRANSMISSIONS_MAX * sizeof(struct transmission) +
                TRANSMISSION_OPS_MAX * sizeof(struct transmission_op) + 128) +
           64;
}

struct shard_state *shards_take(struct arena *arena)
{
    struct shard_state *shards = arena_take(arena, SHARDS_MAX * sizeof(*shards), 64);
    for (uint32_t i = 0; i < SHARDS_MAX; i++) {
        shards[i].transmissions =
            arena_take(arena, TRANSMISSIONS_MAX * sizeof(struct transmission), 64);
        shards[i].transmission_ops =
            arena_take(arena, TRANSMISSION_OPS_MAX * sizeof(struct transmission_op), 64);
    }
    return shards;
}

void shards_init(struct plx_client *client)
{
    client->pending.seed = shard_open(client, 0)->relaxed_identity;
}

struct shard_state *shard_open(struct plx_client *client, uint16_t number)
{
    CHECK(number < SHARDS_MAX);
    struct shard_state *shard = &client->shards[number];
    if (shard->is_open)
        return shard;
    int32_t preferred = client->options.preferred_endpoint;
    struct transmission *transmissions = shard->transmissions;
    struct transmission_op *transmission_ops = shard->transmission_ops;
    *shard = (struct shard_state){.number = number,
                                  .is_open = true,
                                  .preferred = preferred < 0 ? 0 : (uint32_t)preferred,
                                  .last_leader = -1,
                                  .relaxed_identity = prng_next(&client->names) | 1,
                                  .packet_number = clock_realtime_us(),
                                  .transmissions = transmissions,
                                  .transmission_ops = transmission_ops};
    pending_orders_init(shard->pending_orders);
    for (uint32_t class = 0; class < CLASS_COUNT; class ++)
        shard->due_first[class] = OP_NONE;
    client->open_shards[client->open_count++] = number;
    return shard;
}

struct shard_state *shard_find(struct plx_client *client, uint16_t number)
{
    return number < SHARDS_MAX && client->shards[number].is_open ? &client->shards[number] : NULL;
}

bool shard_is_possible(const struct plx_client *client, uint32_t number)
{
    return number < (client->shard_count != 0 ? client->shard_count : SHARDS_MAX);
}

void shard_count_told(struct plx_client *client, uint16_t shard_count)
{
    if (client->shard_count != 0) {
        client->statistics.shard_count_mismatches += client->shard_count != shard_count;
        return;
    }
    client->shard_count = shard_count;
    client->is_shard_count_wanted = false;
    /* Nobody has asked for that leader by a key: those who need it say so again. */
    if (shard_count > 1)
        shard_at(client, 0)->needs_leader = false;
    ops_place(client);
}

uint16_t plx_shard_of_key(struct plx_bytes key, uint16_t shard_count)
{
    if (key.data == NULL || shard_count == 0)
        return 0;
    return shard_of_key(span_of(key.data, key.size_bytes), shard_count);
}
