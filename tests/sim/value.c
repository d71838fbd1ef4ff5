/* See value.h. */
#include "tests/sim/value.h"

#include "base/le.h"
#include "tests/sim/verdict.h"

#define BIG_SIZE_BYTES_MIN 20000
#define TAGGED_SIZE_BYTES  4
#define TAGGED_TOGETHER    3 /* keys of one tag */

size_t value_key(const struct draw *draw, uint32_t key, uint8_t ret_key[KEY_SIZE_BYTES_MAX])
{
    size_t size = 2 + key * 37 % (draw->key_size_max - 1);
    for (size_t i = 0; i < size; i++)
        ret_key[i] = (uint8_t)('a' + (key + i) % 26);
    ret_key[0] = (uint8_t)('A' + key);
    if (draw->is_tagged == 0)
        return size;
    /* The shard is that of the tag, wherever it stands and whatever follows. */
    size = size < TAGGED_SIZE_BYTES ? TAGGED_SIZE_BYTES : size;
    ret_key[1] = '{';
    ret_key[2] = (uint8_t)('a' + key / TAGGED_TOGETHER);
    ret_key[3] = '}';
    return size;
}

size_t value_size_bytes(const struct draw *draw, uint64_t name)
{
    uint64_t roll = digest_word(77, name);
    if (roll % 1000000 < draw->big_value_chance)
        return BIG_SIZE_BYTES_MIN +
               roll / 1000000 % (draw->big_value_size_max - BIG_SIZE_BYTES_MIN);
    return 8 + roll / 1000000 % (draw->value_size_max - 7);
}

size_t value_size_bytes_mean(const struct draw *draw)
{
    uint64_t big = (BIG_SIZE_BYTES_MIN + draw->big_value_size_max) / 2;
    return (size_t)(draw->value_size_max / 2 + big * draw->big_value_chance / 1000000);
}

static uint8_t pattern_byte(uint64_t name, size_t at)
{
    return (uint8_t)(name * 131 + at * 7);
}

void value_write(const struct draw *draw, uint64_t name, uint8_t *to)
{
    size_t size = value_size_bytes(draw, name);
    for (size_t i = 8; i < size; i++)
        to[i] = pattern_byte(name, i);
    le64_store(to, name);
}

uint64_t value_name(const struct draw *draw, struct span begin, size_t whole_size_bytes)
{
    if (begin.size_bytes < 8)
        return 0;
    uint64_t name = le64_load(begin.data);
    if (whole_size_bytes != value_size_bytes(draw, name))
        return 0;
    for (size_t i = 8; i < begin.size_bytes; i++) {
        if (begin.data[i] != pattern_byte(name, i))
            return 0;
    }
    return name;
}
