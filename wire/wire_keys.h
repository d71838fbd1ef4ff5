/*
 * The keys that authenticate packets. Room for them only: no algorithm is defined yet, so the one
 * value is "no key", and every tag is zero. Whoever encodes or decodes a packet passes the keys
 * that it holds. A packet under another key is refused before its fields are believed.
 *
 * Owner: whoever sends and receives, one each. Constant after it was made; any thread may read it.
 */
#ifndef POLLUX_WIRE_WIRE_KEYS_H
#define POLLUX_WIRE_WIRE_KEYS_H

#include <stdint.h>

/* Key id of packets that nobody has authenticated. */
#define WIRE_KEY_ID_NONE 0

struct wire_keys {
    uint8_t key_id;
};

/* Packets are sent, and taken, without authentication. */
static inline struct wire_keys wire_keys_none(void)
{
    return (struct wire_keys){.key_id = WIRE_KEY_ID_NONE};
}

#endif
