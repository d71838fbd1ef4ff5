/* The key hash: both halves of a 64 x 64 -> 128 bit product folded together, 16 bytes a round. */
#include "engine/state/key_hash.h"

#include "base/le.h"

__extension__ typedef unsigned __int128 uint128;

/* Odd 64-bit constants from the fractional parts of sqrt(2), sqrt(3) and sqrt(5). */
#define KEY_HASH_A 0x6a09e667f3bcc909u
#define KEY_HASH_B 0xbb67ae8584caa73bu
#define KEY_HASH_C 0x3c6ef372fe94f82bu

static inline uint64_t fold(uint64_t a, uint64_t b)
{
    uint128 product = (uint128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* At most 8 bytes as a little-endian number. */
static inline uint64_t load_tail(const uint8_t *data, size_t size_bytes)
{
    uint8_t padded[8] = {0};
    memcpy(padded, data, size_bytes);
    return le64_load(padded);
}

uint64_t key_hash(struct span key)
{
    const uint8_t *data = key.data;
    size_t left = key.size_bytes;
    uint64_t hash = KEY_HASH_A ^ left;
    for (; left > 16; left -= 16, data += 16)
        hash = fold(le64_load(data) ^ KEY_HASH_B, le64_load(data + 8) ^ hash);
    uint64_t low = 0;
    uint64_t high = 0;
    if (left > 8) {
        low = le64_load(data);
        high = load_tail(data + 8, left - 8);
    } else if (left == 8) {
        low = le64_load(data);
    } else if (left > 0) {
        low = load_tail(data, left);
    }
    hash = fold(low ^ KEY_HASH_B, high ^ hash);
    return fold(hash ^ KEY_HASH_C, KEY_HASH_A);
}
