/*
 * Packets of a sender that has a key, changed before they are sealed: what a receiver opens is
 * authentic, and anything may stand in it. Each packet that the program sends goes out as it is,
 * and some copies of it are changed, each in one way that is drawn: bits, one field, the header,
 * cut, longer, spliced with an earlier packet, noise.
 *
 * Everything follows from the seed and from the packets. Owner: one thread.
 */
#ifndef POLLUX_TESTS_ATTACK_MUTATION_H
#define POLLUX_TESTS_ATTACK_MUTATION_H

#include "base/limits.h"
#include "base/prng.h"

#include <stdbool.h>
#include <stdint.h>

enum mutation_kind {
    MUTATION_BITS,
    MUTATION_FIELD,
    MUTATION_HEADER,
    MUTATION_CUT,
    MUTATION_LONGER,
    MUTATION_SPLICE,
    MUTATION_NOISE,
    MUTATION_KINDS
};

#define MUTATION_KEPT  64u
#define MUTATION_TYPES 64u

struct mutation_packet {
    uint32_t size_bytes;
    uint8_t bytes[PACKET_SIZE_BYTES_USUAL];
};

struct mutation {
    struct prng prng;
    struct mutation_packet kept[MUTATION_KEPT]; /* as they were, of any type */
    uint64_t kinds[MUTATION_KINDS];             /* packets changed so */
    uint64_t types[MUTATION_TYPES];             /* and of this type before it was changed */
    uint64_t count;
    uint64_t sent; /* counted by who sends them: some are left out */
};

/* The seed is that of the environment's POLLUX_INSIDER_SEED, or 1; it is told on standard error. */
void mutation_init(struct mutation *mutation, const char *who);

/* Notes a packet that was encoded to be sealed, for splices. */
void mutation_keep(struct mutation *mutation, const struct mutation_packet *packet);

/* Changes a copy of such a packet. Its size stays within a header and PACKET_SIZE_BYTES_USUAL. */
void mutation_make(struct mutation *mutation, struct mutation_packet *packet);

/* Tells on standard error how many packets were changed, how, and of which types. */
void mutation_tell(const struct mutation *mutation, const char *who);

/* The number in the environment, or another one. */
uint64_t mutation_setting(const char *name, uint64_t otherwise);

#endif
