/*
 * Messages put together from their pieces, in a fixed number of slots. A slot is free, filling, or
 * done: a done slot has given its message out and stays known until it is needed, so that a piece
 * that arrives twice does not begin the same message anew. A free slot is taken first, then the
 * done slot that was idle longest, and only then a filling one gives way.
 */
#include "base/check.h"
#include "wire/reassembly.h"

#define BITMAP_WORDS ((MESSAGE_PIECES_MAX + 63) / 64)

enum slot_state {
    SLOT_FREE,
    SLOT_DONE,
    SLOT_FILLING,
};

struct slot {
    enum slot_state state;
    struct address from;
    struct wire_message_header header;
    uint16_t piece_count;
    uint16_t pieces_missing;
    uint32_t message_size_bytes;
    uint64_t touched_ns;
    uint64_t present[BITMAP_WORDS];
    uint8_t *buffer; /* MESSAGE_SIZE_BYTES_MAX */
};

struct reassembly {
    uint32_t slot_count;
    uint64_t evictions;
    struct slot *slots;
};

#define BUFFER_ALIGN_BYTES 64
#define BUFFER_SIZE_BYTES                                                                          \
    ((size_t)(MESSAGE_SIZE_BYTES_MAX + BUFFER_ALIGN_BYTES - 1) / BUFFER_ALIGN_BYTES *              \
     BUFFER_ALIGN_BYTES)

size_t reassembly_arena_bytes(uint32_t slot_count)
{
    return sizeof(struct reassembly) + slot_count * (sizeof(struct slot) + BUFFER_SIZE_BYTES) +
           3 * BUFFER_ALIGN_BYTES;
}

struct reassembly *reassembly_init(struct arena *arena, uint32_t slot_count)
{
    CHECK(slot_count > 0);
    struct reassembly *reassembly =
        arena_take(arena, sizeof(struct reassembly), BUFFER_ALIGN_BYTES);
    reassembly->slot_count = slot_count;
    reassembly->slots = arena_take(arena, slot_count * sizeof(struct slot), BUFFER_ALIGN_BYTES);
    uint8_t *buffers = arena_take(arena, slot_count * BUFFER_SIZE_BYTES, BUFFER_ALIGN_BYTES);
    for (uint32_t i = 0; i < slot_count; i++)
        reassembly->slots[i].buffer = buffers + i * BUFFER_SIZE_BYTES;
    return reassembly;
}

uint64_t reassembly_evictions(const struct reassembly *reassembly)
{
    return reassembly->evictions;
}

/* A message is known by who sent it and its id. */
static struct slot *slot_find(struct reassembly *reassembly, const struct address *from,
                              const struct wire_packet *packet)
{
    for (uint32_t i = 0; i < reassembly->slot_count; i++) {
        struct slot *slot = &reassembly->slots[i];
        if (slot->state != SLOT_FREE && slot->header.message_id == packet->header.message_id &&
            slot->header.sender == packet->header.sender &&
            slot->header.cluster_id == packet->header.cluster_id &&
            address_is_equal(&slot->from, from))
            return slot;
    }
    return NULL;
}

/* True when `a` should give way before `b`. */
static bool slot_is_cheaper(const struct slot *a, const struct slot *b)
{
    if (a->state != b->state)
        return a->state < b->state;
    return a->touched_ns < b->touched_ns;
}

static struct slot *message_slot_take(struct reassembly *reassembly, const struct address *from,
                                      const struct wire_packet *packet)
{
    struct slot *slot = &reassembly->slots[0];
    for (uint32_t i = 1; i < reassembly->slot_count; i++) {
        if (slot_is_cheaper(&reassembly->slots[i], slot))
            slot = &reassembly->slots[i];
    }
    if (slot->state == SLOT_FILLING)
        reassembly->evictions++;
    slot->state = SLOT_FILLING;
    slot->from = *from;
    slot->header = packet->header;
    slot->piece_count = packet->piece_count;
    slot->pieces_missing = packet->piece_count;
    slot->message_size_bytes = packet->message_size_bytes;
    memset(slot->present, 0, sizeof(slot->present));
    return slot;
}

static bool slot_contradicts(const struct slot *slot, const struct wire_packet *packet)
{
    return slot->header.type != packet->header.type || slot->header.shard != packet->header.shard ||
           slot->header.piece_size_bytes != packet->header.piece_size_bytes ||
           slot->piece_count != packet->piece_count ||
           slot->message_size_bytes != packet->message_size_bytes;
}

enum error reassembly_add(struct reassembly *reassembly, const struct address *from,
                          const struct wire_packet *packet, uint64_t now_ns,
                          struct span *ret_message)
{
    /* wire_packet_decode has tied piece, count, size and payload to one another. */
    CHECK(packet->piece < packet->piece_count && packet->piece_count <= MESSAGE_PIECES_MAX);
    if (packet->piece_count == 1) {
        *ret_message = packet->payload;
        return OK;
    }
    struct slot *slot = slot_find(reassembly, from, packet);
    if (slot == NULL)
        slot = message_slot_take(reassembly, from, packet);
    else if (slot_contradicts(slot, packet))
        return ERR_RANGE;
    slot->touched_ns = now_ns;
    uint64_t bit = UINT64_C(1) << (packet->piece % 64);
    if ((slot->present[packet->piece / 64] & bit) != 0)
        return ERR_REPLAYED;

    size_t offset = (size_t)packet->piece * packet->header.piece_size_bytes;
    CHECK(offset + packet->payload.size_bytes <= slot->message_size_bytes);
    memcpy(slot->buffer + offset, packet->payload.data, packet->payload.size_bytes);
    slot->present[packet->piece / 64] |= bit;
    slot->pieces_missing--;
    if (slot->pieces_missing > 0) {
        *ret_message = (struct span){.data = NULL};
        return OK;
    }
    slot->state = SLOT_DONE;
    *ret_message = span_of(slot->buffer, slot->message_size_bytes);
    return OK;
}
