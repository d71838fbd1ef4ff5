/* See server/capacity.h. */
#include "server/capacity.h"

#include "base/check.h"

#include <inttypes.h>
#include <stdio.h>

struct capacity_words {
    const char *limit;
    const char *setting;
    const char *unit; /* of the setting */
    uint32_t factor;  /* of one counted thing, in that unit */
    bool is_of_node;  /* the setting is for all shards together */
};

static const struct capacity_words words[] = {
    [ENGINE_LIMIT_KEYS] = {"keys_max", "keys_capacity", "", 1, true},
    [ENGINE_LIMIT_BLOCKS] = {"store_size", "store_capacity", "B", ENGINE_BLOCK_SIZE_BYTES, true},
    [ENGINE_LIMIT_SESSIONS] = {"sessions_max", "sessions_capacity", "", 1, false},
};

void capacity_describe(const struct engine_lack *lack, uint16_t shard, uint16_t shard_count,
                       char ret_text[CAPACITY_TEXT_SIZE])
{
    CHECK(lack->limit > ENGINE_LIMIT_NONE && lack->limit <= ENGINE_LIMIT_SESSIONS);
    const struct capacity_words *of = &words[lack->limit];
    uint64_t wanted = (uint64_t)lack->wanted * of->factor;
    uint64_t capacity = (uint64_t)lack->capacity * of->factor;
    snprintf(ret_text, CAPACITY_TEXT_SIZE,
             "the limit %s of shard %u is now %" PRIu64 "%s, and this node's memory was made for "
             "%" PRIu64 "%s: set [node] %s = %" PRIu64 "%s, or more, and start the node again",
             of->limit, shard, wanted, of->unit, capacity, of->unit, of->setting,
             of->is_of_node ? wanted * shard_count : wanted, of->unit);
}
