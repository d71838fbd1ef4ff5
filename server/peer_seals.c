/* The table of associations, and the packets that are sealed and opened by it. See peer_seals.h. */
#include "server/peer_seals_internal.h"

#include "base/check.h"
#include "wire/wire_packet.h"

size_t peer_seals_arena_bytes(void)
{
    return sizeof(struct peer_seals) + 64;
}

struct peer_seals *peer_seals_init(struct arena *arena, const struct peer_seals_options *options)
{
    struct peer_seals *seals = arena_take(arena, sizeof(*seals), 64);
    CHECK(options->security->mode != SECURITY_NONE);
    CHECK(options->security->keys[0].id != 0);
    seals->security = *options->security;
    seals->options = *options;
    seals->options.security = &seals->security;
    random_stream_init(&seals->random, &seals->security.seed);
    cookie_jar_draw(&seals->cookies, &seals->random);
    /* Another start has other numbers, so that a late packet of the last one finds none of them. */
    random_stream_draw(&seals->random, (uint8_t *)&seals->association, sizeof(seals->association));
    return seals;
}

enum security_mode peer_seals_mode(const struct peer_seals *seals)
{
    return seals->security.mode;
}

const struct peer_seals_counters *peer_seals_counters(const struct peer_seals *seals)
{
    return &seals->counters;
}

struct peer_place *peer_seals_place(struct peer_seals *seals, uint16_t node)
{
    if (node > VOTER_ID_MAX || seals->place_of[node] == 0)
        return NULL;
    return &seals->places[seals->place_of[node] - 1];
}

/* A free place, or the one that was used least recently. */
static struct peer_place *place_free(struct peer_seals *seals)
{
    struct peer_place *place = &seals->places[0];
    for (uint32_t i = 1; i < PEER_SEALS_PLACES && place->node != 0; i++) {
        struct peer_place *other = &seals->places[i];
        if (other->node == 0 || other->used_ns < place->used_ns)
            place = other;
    }
    if (place->node != 0) {
        seals->place_of[place->node] = 0;
        seals->counters.evicted++;
    }
    return place;
}

struct peer_place *peer_seals_take(struct peer_seals *seals, uint16_t node, uint64_t now_ns)
{
    struct peer_place *place = peer_seals_place(seals, node);
    CHECK(node != 0 && node <= VOTER_ID_MAX);
    if (place == NULL) {
        place = place_free(seals);
        *place = (struct peer_place){.node = node};
        seals->place_of[node] = (uint8_t)(place - seals->places + 1);
    }
    place->used_ns = now_ns;
    return place;
}

const struct security_key *security_key_find(const struct security_options *security, uint8_t id)
{
    for (uint32_t i = 0; i < SECURITY_KEYS_MAX; i++) {
        if (id != 0 && security->keys[i].id == id)
            return &security->keys[i];
    }
    return NULL;
}

/* ---- sending ---- */

static bool is_worn(const struct peer_tx *tx, uint64_t now_ns)
{
    return now_ns - tx->since_ns >= PEER_SEALS_RENEW_NS ||
           tx->seal.last_number >= SEAL_NUMBERS_MAX / 2;
}

bool peer_seals_is_ready(struct peer_seals *seals, uint16_t node, uint64_t now_ns)
{
    struct peer_place *place = peer_seals_take(seals, node, now_ns);
    bool is_ready = place->tx.is_there && place->tx.seal.last_number < SEAL_NUMBERS_MAX;
    if (!is_ready || is_worn(&place->tx, now_ns))
        peer_seals_begin(place, now_ns);
    seals->counters.unready += !is_ready;
    return is_ready;
}

enum error peer_seals_close(struct peer_seals *seals, uint16_t node, uint8_t *data,
                            uint32_t size_bytes)
{
    struct peer_place *place = peer_seals_place(seals, node);
    uint64_t number;
    CHECK(place != NULL);
    CHECK(place->tx.is_there);
    enum error error = seal_tx_number(&place->tx.seal, seals->options.guard, &number);
    if (error != OK)
        return error;
    const struct wire_seal seal = {.association = place->tx.association,
                                   .number = number,
                                   .key_id = place->tx.key_id,
                                   .is_encrypted = seals->security.is_encrypted};
    wire_seal_write(data, &seal);
    const struct seal_packet packet = seal_packet_of(data, size_bytes, seal.is_encrypted);
    seal_packet_close(seals->options.engine, &place->tx.seal, &packet);
    return OK;
}

/* ---- receiving ---- */

static struct peer_rx *rx_find(struct peer_place *place, uint32_t association)
{
    for (uint32_t i = 0; place != NULL && i < PEER_SEALS_RX; i++) {
        if (place->rx[i].state != PEER_RX_FREE && place->rx[i].association == association)
            return &place->rx[i];
    }
    return NULL;
}

const struct peer_rx *peer_seals_newest_rx(const struct peer_place *place)
{
    const struct peer_rx *newest = NULL;
    for (uint32_t i = 0; i < PEER_SEALS_RX; i++) {
        const struct peer_rx *rx = &place->rx[i];
        if (rx->state != PEER_RX_FREE &&
            (newest == NULL || rx->since_ns > newest->since_ns ||
             (rx->since_ns == newest->since_ns && rx->state > newest->state)))
            newest = rx;
    }
    return newest;
}

/* Its initiation was no replay: it takes the place of the keys in use, and these that of those
 * before them. */
static void rx_confirm(struct peer_seals *seals, struct peer_place *place, struct peer_rx *rx)
{
    for (uint32_t i = 0; i < PEER_SEALS_RX; i++) {
        struct peer_rx *other = &place->rx[i];
        if (other->state == PEER_RX_BEFORE)
            other->state = PEER_RX_FREE;
        if (other->state == PEER_RX_IN_USE)
            other->state = PEER_RX_BEFORE;
    }
    rx->state = PEER_RX_IN_USE;
    place->heard_from = rx->from; /* a replay would have no packet behind it */
    if (place->incarnation != rx->incarnation || place->attempt < rx->attempt)
        place->attempt = rx->attempt;
    place->incarnation = rx->incarnation;
    seals->counters.confirmed++;
}

enum error peer_seals_open(struct peer_seals *seals, uint8_t *data, uint32_t size_bytes,
                           uint64_t now_ns)
{
    struct wire_seal seal;
    if (!wire_seal_read(span_of(data, size_bytes), &seal))
        return ERR_SHORT;
    struct peer_place *place = peer_seals_place(seals, seal.sender);
    struct peer_rx *rx = rx_find(place, seal.association);
    if (rx == NULL)
        return ERR_NOT_FOUND;
    const struct seal_packet packet = seal_packet_of(data, size_bytes, seal.is_encrypted);
    enum error error = seal_packet_open(seals->options.engine, &rx->seal, seal.number, &packet);
    if (error != OK)
        return error;
    place->used_ns = now_ns;
    if (rx->state == PEER_RX_PENDING)
        rx_confirm(seals, place, rx);
    return OK;
}
