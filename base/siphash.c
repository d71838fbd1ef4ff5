/* SipHash-1-3: see base/siphash.h. The names of the state's words are those of the paper. */
#include "base/siphash.h"

#include "base/bits.h"
#include "base/le.h"

struct siphash_state {
    uint64_t v0;
    uint64_t v1;
    uint64_t v2;
    uint64_t v3;
};

static inline void siphash_round(struct siphash_state *state)
{
    state->v0 += state->v1;
    state->v2 += state->v3;
    state->v1 = rotate_left(state->v1, 13) ^ state->v0;
    state->v3 = rotate_left(state->v3, 16) ^ state->v2;
    state->v0 = rotate_left(state->v0, 32) + state->v3;
    state->v2 += state->v1;
    state->v3 = rotate_left(state->v3, 21) ^ state->v0;
    state->v1 = rotate_left(state->v1, 17) ^ state->v2;
    state->v2 = rotate_left(state->v2, 32);
}

static inline struct siphash_state siphash_begin(const struct siphash_key *key)
{
    return (struct siphash_state){.v0 = key->words[0] ^ UINT64_C(0x736f6d6570736575),
                                  .v1 = key->words[1] ^ UINT64_C(0x646f72616e646f6d),
                                  .v2 = key->words[0] ^ UINT64_C(0x6c7967656e657261),
                                  .v3 = key->words[1] ^ UINT64_C(0x7465646279746573)};
}

static inline void siphash_add(struct siphash_state *state, uint64_t word)
{
    state->v3 ^= word;
    siphash_round(state);
    state->v0 ^= word;
}

/* `tail` is the bytes behind the last whole word. */
static inline uint64_t siphash_end(struct siphash_state *state, uint64_t tail, size_t size_bytes)
{
    siphash_add(state, tail | (uint64_t)size_bytes << 56);
    state->v2 ^= 0xff;
    for (int i = 0; i < 3; i++)
        siphash_round(state);
    return state->v0 ^ state->v1 ^ state->v2 ^ state->v3;
}

uint64_t siphash(const struct siphash_key *key, struct span data)
{
    struct siphash_state state = siphash_begin(key);
    const uint8_t *at = data.data;
    size_t left = data.size_bytes;
    uint8_t padded[8] = {0};
    for (; left >= 8; left -= 8, at += 8)
        siphash_add(&state, le64_load(at));
    if (left > 0)
        memcpy(padded, at, left);
    return siphash_end(&state, le64_load(padded), data.size_bytes);
}

uint64_t siphash_u64(const struct siphash_key *key, uint64_t number)
{
    struct siphash_state state = siphash_begin(key);
    siphash_add(&state, number);
    return siphash_end(&state, 0, sizeof(number));
}
