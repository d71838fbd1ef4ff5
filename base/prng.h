/*
 * Deterministic randomness: xoshiro256** (Blackman and Vigna, 2018) seeded by splitmix64.
 * Components own one each, seeded from their options; nothing in Pollux draws randomness elsewhere.
 */
#ifndef POLLUX_BASE_PRNG_H
#define POLLUX_BASE_PRNG_H

#include <stdint.h>

struct prng {
    uint64_t state[4];
};

/* Seeds; equal seeds give equal sequences on every machine. */
void prng_init(struct prng *prng, uint64_t seed);

/* Next 64 uniform bits. */
uint64_t prng_next(struct prng *prng);

/* Uniform in [low, high], both included; low <= high (CHECK). */
uint64_t prng_range(struct prng *prng, uint64_t low, uint64_t high);

/* True in `per_million` of a million draws on average; 0 is never, 1,000,000 always. */
int prng_chance(struct prng *prng, uint32_t per_million);

#endif
