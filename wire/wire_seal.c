/* The header of a sealed packet: see wire_seal.h. */
#include "wire/wire_seal.h"

#include "wire/wire_internal.h"
#include "wire/wire_packet.h"

#define OFFSET_VERSION     2
#define OFFSET_ASSOCIATION 4
#define OFFSET_NUMBER      8
#define OFFSET_SHARD       16
#define OFFSET_SENDER      18
#define OFFSET_KEY_ID      36
#define OFFSET_FLAGS       38

#define FLAG_ENCRYPTED 1u

bool wire_is_sealed(struct span packet)
{
    return packet.size_bytes >= PACKET_HEADER_SIZE_BYTES &&
           (packet.data[OFFSET_VERSION] & WIRE_VERSION_SEALED) != 0;
}

void wire_seal_write(uint8_t *packet, const struct wire_seal *seal)
{
    CHECK(seal->key_id != WIRE_KEY_ID_NONE);
    packet[OFFSET_VERSION] |= WIRE_VERSION_SEALED;
    le32_store(packet + OFFSET_ASSOCIATION, seal->association);
    le64_store(packet + OFFSET_NUMBER, seal->number);
    packet[OFFSET_KEY_ID] = seal->key_id;
    packet[OFFSET_FLAGS] = seal->is_encrypted ? FLAG_ENCRYPTED : 0;
}

bool wire_seal_read(struct span packet, struct wire_seal *ret_seal)
{
    const uint8_t *data = packet.data;
    if (packet.size_bytes < PACKET_HEADER_SIZE_BYTES || data[OFFSET_FLAGS] > FLAG_ENCRYPTED)
        return false;
    *ret_seal = (struct wire_seal){.shard = le16_load(data + OFFSET_SHARD),
                                   .sender = le16_load(data + OFFSET_SENDER),
                                   .association = le32_load(data + OFFSET_ASSOCIATION),
                                   .number = le64_load(data + OFFSET_NUMBER),
                                   .key_id = data[OFFSET_KEY_ID],
                                   .is_encrypted = data[OFFSET_FLAGS] == FLAG_ENCRYPTED};
    return true;
}
