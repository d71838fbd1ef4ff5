/* xoshiro256** 1.0 and splitmix64: https://prng.di.unimi.it */
#include "base/prng.h"

#include "base/bits.h"
#include "base/check.h"

static uint64_t splitmix64(uint64_t *state)
{
    *state += 0x9E3779B97F4A7C15u;
    uint64_t z = *state;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

void prng_init(struct prng *prng, uint64_t seed)
{
    for (int i = 0; i < 4; i++)
        prng->state[i] = splitmix64(&seed);
}

uint64_t prng_next(struct prng *prng)
{
    uint64_t *s = prng->state;
    uint64_t result = rotate_left(s[1] * 5, 7) * 9;
    uint64_t shifted = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= shifted;
    s[3] = rotate_left(s[3], 45);
    return result;
}

uint64_t prng_range(struct prng *prng, uint64_t low, uint64_t high)
{
    CHECK(low <= high);
    uint64_t span = high - low + 1;
    if (span == 0) /* the whole 64-bit range */
        return prng_next(prng);
    /*
     * The bias of one multiplication is below 2^-64 * span: far under anything that a test can see.
     */
    __extension__ unsigned __int128 product = prng_next(prng);
    product *= span;
    return low + (uint64_t)(product >> 64);
}

int prng_chance(struct prng *prng, uint32_t per_million)
{
    CHECK(per_million <= 1000000);
    return prng_range(prng, 0, 999999) < per_million;
}
