/*
 * SipHash-1-3 (Aumasson, Bernstein: "SipHash: a fast short-input PRF"), one round a word and three
 * at the end: for tables that are looked up with what strangers choose. Who does not know the key
 * cannot choose data that collide. The values are local: no file, packet or replicated state has
 * them.
 */
#ifndef POLLUX_BASE_SIPHASH_H
#define POLLUX_BASE_SIPHASH_H

#include "base/span.h"

#include <stdint.h>

/* Secret, random, and new at each start. */
struct siphash_key {
    uint64_t words[2];
};

/* Any thread. */
uint64_t siphash(const struct siphash_key *key, struct span data);
/* The same of the number's 8 bytes, little-endian. Any thread. */
uint64_t siphash_u64(const struct siphash_key *key, uint64_t number);

#endif
