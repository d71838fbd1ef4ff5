/*
 * Secrets of 256 bits, and what is derived from them. All derivation is keyed BLAKE2b (RFC 7693)
 * with a label in its personalisation field, so that no two uses of a secret can give one value.
 *
 *     root secret of the cluster, in the key files of the nodes
 *        |- "pollux nodes"                         what nodes authenticate one another by
 *        '- "pollux client", name, generation      what a client is authenticated by
 *
 * A node derives the secret of any client when the client calls. So no table of secrets exists that
 * could lie in a log, a snapshot, a backup or a dump.
 *
 * Pure; any thread. Source: Aumasson, Neves, Wilcox-O'Hearn, Winnerlein: "BLAKE2", section 2.
 */
#ifndef POLLUX_SECURITY_SECRET_H
#define POLLUX_SECURITY_SECRET_H

#include "base/limits.h"
#include "base/span.h"

#include <stdint.h>

struct secret {
    uint8_t bytes[SECRET_SIZE_BYTES];
};

/* Personalisation field of BLAKE2b: what a derived value is for. */
#define SECRET_LABEL_SIZE_BYTES 16
struct secret_label {
    uint8_t bytes[SECRET_LABEL_SIZE_BYTES];
};

/*
 * Keyed hash of `parts`, `size_bytes` (16 .. 64) long. Each part enters behind its length, so that
 * no two lists of parts are one input.
 */
struct secret_digest {
    const struct secret *secret;
    const char *label; /* at most SECRET_LABEL_SIZE_BYTES characters (CHECK) */
    const struct span *parts;
    uint32_t part_count;
};
void secret_digest(const struct secret_digest *digest, uint8_t *ret_bytes, size_t size_bytes);

/* The secret of the nodes of the cluster with this root secret. */
void secret_of_nodes(const struct secret *root, struct secret *ret_secret);

/* The secret of a client. A higher generation is another secret: the lower one can be refused. */
void secret_of_client(const struct secret *root, struct span name, uint32_t generation,
                      struct secret *ret_secret);

/* Whom a client says it is that has the root key itself. No key file can have this name. */
#define SECRET_ROOT_CLIENT "*"

/* Takes as long wherever the two differ. */
bool secret_bytes_are_equal(const uint8_t *a, const uint8_t *b, size_t size_bytes);

/* Writes zeros that no compiler leaves out. */
void secret_wipe(void *memory, size_t size_bytes);

/* Fills with random bytes of the operating system (getrandom(2)). At start, not on a hot path. */
void secret_draw(uint8_t *ret_bytes, size_t size_bytes);

#endif
