/*
 * The header of a sealed packet. It is that of any packet (wire_packet.h), but for these fields:
 *    2  u8   version, with its highest bit set
 *    4  u32  association: the receiver's number, which says under which key it is sealed
 *    8  u64  number of the packet, from 1
 *   36  u8   key id: which root key the association rests on; not 0
 *   38  u8   flags: 1 the payload is encrypted
 *   40  [16] authentication tag
 *
 * The tag stands in place of the checksum. The cluster is not told: the key is of one cluster.
 *
 * Pure; any thread.
 */
#ifndef POLLUX_WIRE_WIRE_SEAL_H
#define POLLUX_WIRE_WIRE_SEAL_H

#include "base/span.h"

#include <stdint.h>

#define WIRE_VERSION_SEALED 0x80u

struct wire_seal {
    uint16_t shard; /* both only read: wire_piece_encode writes them */
    uint16_t sender;
    uint32_t association;
    uint64_t number;
    uint8_t key_id;
    bool is_encrypted;
};

/* Whether a packet says that it is sealed. */
bool wire_is_sealed(struct span packet);

/* Turns a packet that was encoded to be sealed into a sealed one, but for encryption and tag. */
void wire_seal_write(uint8_t *packet, const struct wire_seal *seal);

/* What a sealed packet says of its seal, nothing else checked. False: it is too short for a header,
 * or has flags that nobody knows. */
bool wire_seal_read(struct span packet, struct wire_seal *ret_seal);

#endif
