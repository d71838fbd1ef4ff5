/* Keys to shards: see base/shard.h. */
#include "base/shard.h"

#include "base/check.h"
#include "base/crc32c.h"

/* What lies between the first '{' and the first '}' behind it; the whole key where nothing does. */
static struct span hashed_part(struct span key)
{
    const uint8_t *open = memchr(key.data, '{', key.size_bytes);
    if (open == NULL)
        return key;
    const uint8_t *begin = open + 1;
    size_t left = key.size_bytes - (size_t)(begin - key.data);
    const uint8_t *end = left == 0 ? NULL : memchr(begin, '}', left);
    if (end == NULL || end == begin)
        return key;
    return span_of(begin, (size_t)(end - begin));
}

uint16_t shard_of_key(struct span key, uint16_t shard_count)
{
    CHECK(shard_count > 0);
    if (shard_count == 1 || key.size_bytes == 0)
        return 0;
    struct span part = hashed_part(key);
    uint64_t hash = crc32c(0, part.data, part.size_bytes);
    return (uint16_t)(hash * shard_count >> 32);
}
