/*
 * Messages put together from their pieces, in a fixed number of slots. A slot is free, filling, or
 * done: a done slot has given its message out and stays known until it is needed, so that a piece
 * that arrives twice does not begin the same message anew. A free slot is taken first, then the
 * done slot that was idle longest, and only then a filling one gives way: one of the host that has
 * most of them, the newcomer's own host included. So whoever begins messages and does not end them
 * pushes out his own, and nobody who has fewer. On one host the ports are told apart in the same
 * way. One to which nothing has come for half a second gives way before all others that fill.
 *
 * A filling slot to which no new piece comes asks for those that are missing: after a short while,
 * then after longer ones, a limited number of times. Every new piece pays for one time, and what is
 * asked is smaller than the pieces that paid for it, so a stranger who sends pieces under the
 * address of somebody else brings that one no more than he has sent.
 */
#include "base/check.h"
#include "wire/reassembly.h"

#define BITMAP_WORDS ((MESSAGE_PIECES_MAX + 63) / 64)

#define ASK_WAIT_NS   UINT64_C(1000000) /* without a new piece; doubled with each time in vain */
#define ASK_DOUBLINGS 5
#define ASKS_IN_VAIN  8 /* then the sender must show itself */
#define STALE_NS      UINT64_C(500000000)
#define NEVER_NS      UINT64_MAX

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
    uint64_t begun_ns;
    uint64_t touched_ns;
    uint64_t ask_ns;       /* when to ask for what is missing; NEVER_NS */
    uint32_t asks_paid;    /* how often that may be, by the pieces that came */
    uint32_t asks_in_vain; /* since the last new piece */
    uint32_t of_host;      /* filling slots of its host, */
    uint32_t of_address;   /* and of its address: this one among them, while it fills */
    uint64_t present[BITMAP_WORDS];
    uint8_t *buffer; /* MESSAGE_SIZE_BYTES_MAX */
};

struct reassembly {
    uint32_t slot_count;
    uint64_t evictions;
    uint64_t evictions_own;
    uint64_t asks;
    uint64_t ask_ns;   /* no slot asks earlier */
    uint64_t begun_ns; /* of the message that was given out last */
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
    reassembly->ask_ns = NEVER_NS;
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

uint64_t reassembly_evictions_own(const struct reassembly *reassembly)
{
    return reassembly->evictions_own;
}

uint64_t reassembly_asks(const struct reassembly *reassembly)
{
    return reassembly->asks;
}

uint64_t reassembly_begun_ns(const struct reassembly *reassembly)
{
    return reassembly->begun_ns;
}

uint64_t reassembly_ask_ns(const struct reassembly *reassembly)
{
    return reassembly->ask_ns;
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

static bool is_of_host(const struct slot *slot, const struct address *from)
{
    return memcmp(slot->from.ip, from->ip, sizeof(from->ip)) == 0;
}

/* A slot has begun to fill, or ends to: those of its host and address count it, or not any more. */
static void slot_count(struct reassembly *reassembly, struct slot *slot, bool is_filling)
{
    uint32_t change = is_filling ? 1 : UINT32_MAX; /* minus one */
    slot->of_host = 0;
    slot->of_address = 0;
    for (uint32_t i = 0; i < reassembly->slot_count; i++) {
        struct slot *other = &reassembly->slots[i];
        if (other == slot || other->state != SLOT_FILLING || !is_of_host(other, &slot->from))
            continue;
        bool is_same = other->from.port == slot->from.port;
        other->of_host += change;
        other->of_address += is_same ? change : 0;
        slot->of_host++;
        slot->of_address += is_same;
    }
    slot->of_host += is_filling;
    slot->of_address += is_filling;
}

/* What a filling slot weighs beside a newcomer, who counts with his own. */
static uint64_t slot_weight(const struct slot *slot, const struct address *newcomer)
{
    bool is_host = is_of_host(slot, newcomer);
    bool is_address = is_host && slot->from.port == newcomer->port;
    return (uint64_t)(2 * slot->of_host + is_host) << 32 | (2 * slot->of_address + is_address);
}

/* Nothing has come for it since long after the last question what is missing. Else a few messages
 * of hosts that say no more would keep their slots for ever, and others push out their own. */
static bool slot_is_stale(const struct slot *slot, uint64_t now_ns)
{
    return slot->state == SLOT_FILLING && now_ns - slot->touched_ns >= STALE_NS;
}

/* True when `a` should give way to the newcomer before `b`. */
static bool slot_is_cheaper(const struct slot *a, const struct slot *b,
                            const struct address *newcomer, uint64_t now_ns)
{
    if (a->state != b->state)
        return a->state < b->state;
    if (slot_is_stale(a, now_ns) != slot_is_stale(b, now_ns))
        return slot_is_stale(a, now_ns);
    if (a->state == SLOT_FILLING && !slot_is_stale(a, now_ns)) {
        uint64_t weight_a = slot_weight(a, newcomer);
        uint64_t weight_b = slot_weight(b, newcomer);
        if (weight_a != weight_b)
            return weight_a > weight_b;
    }
    return a->touched_ns < b->touched_ns;
}

static struct slot *message_slot_take(struct reassembly *reassembly, const struct address *from,
                                      const struct wire_packet *packet, uint64_t now_ns)
{
    struct slot *slot = &reassembly->slots[0];
    for (uint32_t i = 1; i < reassembly->slot_count; i++) {
        if (slot_is_cheaper(&reassembly->slots[i], slot, from, now_ns))
            slot = &reassembly->slots[i];
    }
    if (slot->state == SLOT_FILLING) {
        reassembly->evictions++;
        reassembly->evictions_own += address_is_equal(&slot->from, from);
        slot_count(reassembly, slot, false);
    }
    slot->state = SLOT_FILLING;
    slot->from = *from;
    slot_count(reassembly, slot, true);
    slot->header = packet->header;
    slot->piece_count = packet->piece_count;
    slot->pieces_missing = packet->piece_count;
    slot->message_size_bytes = packet->message_size_bytes;
    slot->begun_ns = now_ns - packet->waited_ns;
    slot->ask_ns = NEVER_NS;
    slot->asks_paid = 0;
    slot->asks_in_vain = 0;
    memset(slot->present, 0, sizeof(slot->present));
    return slot;
}

/* What is missing then is asked for. */
static void slot_ask_at(struct reassembly *reassembly, struct slot *slot, uint64_t at_ns)
{
    slot->ask_ns = at_ns;
    if (at_ns < reassembly->ask_ns)
        reassembly->ask_ns = at_ns;
}

static bool slot_contradicts(const struct slot *slot, const struct wire_packet *packet)
{
    return slot->header.type != packet->header.type || slot->header.shard != packet->header.shard ||
           slot->header.piece_size_bytes != packet->header.piece_size_bytes ||
           slot->piece_count != packet->piece_count ||
           slot->message_size_bytes != packet->message_size_bytes;
}

static void message_give_out(struct reassembly *reassembly, struct slot *slot,
                             struct span *ret_message)
{
    if (slot->state == SLOT_FILLING)
        slot_count(reassembly, slot, false);
    slot->state = SLOT_DONE;
    slot->ask_ns = NEVER_NS;
    reassembly->begun_ns = slot->begun_ns;
    *ret_message = span_of(slot->buffer, slot->message_size_bytes);
}

/*
 * The sender repeats a message by its first piece alone. A message that is whole is given out
 * again, as if it were a packet that came twice; else what is missing is asked for once more.
 */
static enum error piece_again(struct reassembly *reassembly, struct slot *slot,
                              const struct wire_packet *packet, uint64_t now_ns,
                              struct span *ret_message)
{
    if (packet->piece != 0)
        return ERR_REPLAYED;
    slot->touched_ns = now_ns;
    if (slot->state == SLOT_DONE) {
        message_give_out(reassembly, slot, ret_message);
        return OK;
    }
    slot->asks_in_vain = 0;
    if (slot->asks_paid == 0)
        slot->asks_paid = 1;
    if (slot->ask_ns > now_ns + ASK_WAIT_NS)
        slot_ask_at(reassembly, slot, now_ns + ASK_WAIT_NS);
    return ERR_REPLAYED;
}

/* A piece that was not there. */
static void piece_keep(struct reassembly *reassembly, struct slot *slot,
                       const struct wire_packet *packet, uint64_t now_ns)
{
    size_t offset = (size_t)packet->piece * packet->header.piece_size_bytes;
    CHECK(offset + packet->payload.size_bytes <= slot->message_size_bytes);
    CHECK(slot->state == SLOT_FILLING && slot->pieces_missing > 0);
    memcpy(slot->buffer + offset, packet->payload.data, packet->payload.size_bytes);
    slot->present[packet->piece / 64] |= UINT64_C(1) << (packet->piece % 64);
    slot->pieces_missing--;
    slot->touched_ns = now_ns;
    slot->asks_paid++;
    slot->asks_in_vain = 0;
    slot_ask_at(reassembly, slot, now_ns + ASK_WAIT_NS);
}

static bool slot_has(const struct slot *slot, uint32_t piece)
{
    return (slot->present[piece / 64] >> (piece % 64) & 1) != 0;
}

enum error reassembly_add(struct reassembly *reassembly, const struct address *from,
                          const struct wire_packet *packet, uint64_t now_ns,
                          struct span *ret_message)
{
    /* wire_packet_decode has tied piece, count, size and payload to one another. */
    CHECK(packet->piece < packet->piece_count && packet->piece_count <= MESSAGE_PIECES_MAX);
    if (packet->piece_count == 1) {
        reassembly->begun_ns = now_ns - packet->waited_ns;
        *ret_message = packet->payload;
        return OK;
    }
    struct slot *slot = slot_find(reassembly, from, packet);
    if (slot == NULL)
        slot = message_slot_take(reassembly, from, packet, now_ns);
    else if (slot_contradicts(slot, packet))
        return ERR_RANGE;
    if (slot_has(slot, packet->piece))
        return piece_again(reassembly, slot, packet, now_ns, ret_message);
    piece_keep(reassembly, slot, packet, now_ns);
    if (slot->pieces_missing > 0)
        *ret_message = (struct span){.data = NULL};
    else
        message_give_out(reassembly, slot, ret_message);
    return OK;
}

/* ---- asking ---- */

/* The first piece from `piece` on that is there, or is not; the number of pieces: none. */
static uint32_t piece_next(const struct slot *slot, uint32_t piece, bool is_there)
{
    while (piece < slot->piece_count && slot_has(slot, piece) != is_there)
        piece++;
    return piece;
}

static void missing_fill(const struct slot *slot, uint64_t now_ns, struct wire_missing *missing)
{
    uint64_t age_us = (now_ns - slot->begun_ns) / 1000;
    missing->message_id = slot->header.message_id;
    missing->age_us = age_us > UINT32_MAX ? UINT32_MAX : (uint32_t)age_us;
    missing->range_count = 0;
    uint32_t end = 0;
    while (missing->range_count < MISSING_RANGES_MAX) {
        uint32_t first = piece_next(slot, end, false);
        if (first == slot->piece_count)
            break;
        end = piece_next(slot, first, true);
        missing->ranges[missing->range_count++] =
            (struct wire_piece_range){(uint16_t)first, (uint16_t)(end - first)};
    }
    CHECK(missing->range_count > 0);
}

static void slot_ask(struct slot *slot, uint64_t now_ns, struct reassembly_ask *ret_ask)
{
    ret_ask->to = slot->from;
    ret_ask->sender = slot->header.sender;
    ret_ask->shard = slot->header.shard;
    missing_fill(slot, now_ns, &ret_ask->missing);
    slot->asks_paid--;
    slot->asks_in_vain++;
    uint32_t doublings =
        slot->asks_in_vain < ASK_DOUBLINGS ? slot->asks_in_vain : (uint32_t)ASK_DOUBLINGS;
    bool is_last = slot->asks_paid == 0 || slot->asks_in_vain == ASKS_IN_VAIN;
    slot->ask_ns = is_last ? NEVER_NS : now_ns + (ASK_WAIT_NS << doublings);
}

bool reassembly_ask(struct reassembly *reassembly, uint64_t now_ns, struct reassembly_ask *ret_ask)
{
    if (now_ns < reassembly->ask_ns)
        return false;
    reassembly->ask_ns = NEVER_NS;
    struct slot *due = NULL;
    for (uint32_t i = 0; i < reassembly->slot_count; i++) {
        struct slot *slot = &reassembly->slots[i];
        if (slot->state != SLOT_FILLING || slot->ask_ns == NEVER_NS)
            continue;
        if (due == NULL && slot->ask_ns <= now_ns) {
            due = slot;
            slot_ask(slot, now_ns, ret_ask);
        }
        if (slot->ask_ns < reassembly->ask_ns)
            reassembly->ask_ns = slot->ask_ns;
    }
    reassembly->asks += due != NULL;
    return due != NULL;
}
