/*
 * How packets are authenticated. Sealing is not this folder's (security/seal.h): whoever encodes a
 * packet that is to be sealed says so, and seals it then; whoever has opened a packet says so when
 * it decodes it. All other packets have a checksum.
 */
#ifndef POLLUX_WIRE_WIRE_KEYS_H
#define POLLUX_WIRE_WIRE_KEYS_H

#include <stdbool.h>
#include <stdint.h>

/* Key id of packets that nobody has authenticated. */
#define WIRE_KEY_ID_NONE 0

struct wire_keys {
    bool is_sealed;
};

/* Packets are sent, and taken, without authentication. */
static inline struct wire_keys wire_keys_none(void)
{
    return (struct wire_keys){.is_sealed = false};
}

#endif
