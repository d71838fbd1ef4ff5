/* Handshakes: asking for associations, and answering those who ask. See peer_seals.h. */
#include "server/peer_seals_internal.h"

#include "base/check.h"

static struct handshake handshake_of(const struct peer_seals *seals, const struct security_key *key,
                                     uint16_t initiator, uint16_t responder)
{
    return (struct handshake){.secret = &key->secret,
                              .context = {.cluster_id = seals->options.cluster_id,
                                          .shard = seals->options.shard,
                                          .initiator = initiator,
                                          .responder = responder}};
}

/* ---- asking ---- */

void peer_seals_begin(struct peer_place *place, uint64_t now_ns)
{
    if (place->ask.is_open)
        return;
    place->ask = (struct peer_ask){.is_open = true, .due_ns = now_ns};
}

void peer_seals_ask(struct peer_seals *seals, uint16_t node, uint64_t now_ns)
{
    peer_seals_begin(peer_seals_take(seals, node, now_ns), now_ns);
}

void peer_seals_doubt(struct peer_seals *seals, uint16_t node, uint64_t now_ns)
{
    struct peer_place *place = peer_seals_take(seals, node, now_ns);
    if (!place->tx.is_there ||
        now_ns - place->tx.since_ns >= PEER_SEALS_TRIES * seals->options.retry_ns)
        peer_seals_begin(place, now_ns);
}

void peer_seals_note_plain(struct peer_seals *seals, uint16_t node, uint64_t now_ns)
{
    struct peer_place *place = peer_seals_place(seals, node);
    if (place != NULL && place->tx.is_there &&
        now_ns - place->tx.since_ns >= PEER_SEALS_TRIES * seals->options.retry_ns)
        peer_seals_begin(place, now_ns);
}

static void initiation_make(struct peer_seals *seals, struct peer_place *place)
{
    struct peer_ask *ask = &place->ask;
    const struct security_key *key = &seals->security.keys[0];
    const struct handshake handshake = handshake_of(seals, key, seals->options.self, place->node);
    const struct peer_rx *rx = peer_seals_newest_rx(place);
    struct handshake_initiation initiation = {.key_id = key->id,
                                              .initiator = HANDSHAKE_NODE,
                                              .attempt = ++seals->attempt,
                                              .incarnation = seals->options.incarnation,
                                              .association = rx == NULL ? 0 : rx->association};
    random_stream_draw(&seals->random, initiation.random, sizeof(initiation.random));
    if (ask->has_cookie)
        memcpy(initiation.cookie, ask->cookie, sizeof(initiation.cookie));
    handshake_initiation_encode(ask->bytes, &handshake, &initiation);
    ask->has_bytes = true;
}

/* Nobody has answered for a while. Where that is allowed, the node is spoken to unsealed. */
static void give_up_tx(const struct peer_seals *seals, struct peer_place *place)
{
    if (seals->security.mode == SECURITY_ACCEPT)
        place->tx.is_there = false;
}

/* Until the initiation is repeated. */
static uint64_t wait_ns(const struct peer_seals *seals, const struct peer_place *place)
{
    uint32_t most = seals->security.mode == SECURITY_ACCEPT && !place->tx.is_there
                        ? PEER_SEALS_DOUBLINGS_PLAIN
                        : PEER_SEALS_DOUBLINGS;
    return seals->options.retry_ns << (place->ask.tries < most ? place->ask.tries : most);
}

bool peer_seals_next(struct peer_seals *seals, uint64_t now_ns, uint16_t *ret_node,
                     uint8_t *ret_initiation)
{
    for (uint32_t i = 0; i < PEER_SEALS_PLACES; i++) {
        struct peer_place *place = &seals->places[i];
        struct peer_ask *ask = &place->ask;
        if (place->node == 0 || !ask->is_open || ask->due_ns > now_ns)
            continue;
        if (ask->tries > 0 && ask->tries % PEER_SEALS_TRIES == 0) {
            ask->has_cookie = false;
            ask->has_bytes = false;
            give_up_tx(seals, place);
        }
        if (!ask->has_bytes)
            initiation_make(seals, place);
        ask->due_ns = now_ns + wait_ns(seals, place);
        ask->tries++;
        seals->counters.asked++;
        *ret_node = place->node;
        memcpy(ret_initiation, ask->bytes, sizeof(ask->bytes));
        return true;
    }
    return false;
}

const struct address *peer_seals_heard_from(struct peer_seals *seals, uint16_t node)
{
    const struct peer_place *place = peer_seals_place(seals, node);
    return place != NULL && place->heard_from.port != 0 ? &place->heard_from : NULL;
}

uint64_t peer_seals_deadline_ns(const struct peer_seals *seals)
{
    uint64_t earliest_ns = UINT64_MAX;
    for (uint32_t i = 0; i < PEER_SEALS_PLACES; i++) {
        const struct peer_place *place = &seals->places[i];
        if (place->node != 0 && place->ask.is_open && place->ask.due_ns < earliest_ns)
            earliest_ns = place->ask.due_ns;
    }
    return earliest_ns;
}

static void take_cookie(struct peer_ask *ask, const struct handshake_response *response,
                        uint64_t now_ns)
{
    if (ask->has_cookie)
        return; /* it is under way with one already */
    memcpy(ask->cookie, response->random, sizeof(ask->cookie));
    ask->has_cookie = true;
    ask->has_bytes = false;
    ask->due_ns = now_ns;
}

enum error peer_seals_finish(struct peer_seals *seals, uint16_t node, struct span response,
                             uint64_t now_ns)
{
    struct peer_place *place = peer_seals_place(seals, node);
    struct handshake_response decoded;
    struct handshake_traffic traffic;
    if (place == NULL || !place->ask.is_open || !place->ask.has_bytes)
        return ERR_NOT_FOUND;
    enum error error = handshake_response_decode(response, &decoded);
    if (error != OK)
        return error;
    const struct span initiation = span_of(place->ask.bytes, sizeof(place->ask.bytes));
    const struct security_key *key = &seals->security.keys[0];
    const struct handshake handshake = handshake_of(seals, key, seals->options.self, node);
    error = handshake_response_check(response, &handshake, initiation);
    if (error != OK)
        return error;
    if (decoded.answer == HANDSHAKE_COOKIE) {
        take_cookie(&place->ask, &decoded, now_ns);
        return OK;
    }
    handshake_agree(&handshake, initiation, response, &traffic);
    place->tx = (struct peer_tx){.is_there = true,
                                 .key_id = key->id,
                                 .association = decoded.association,
                                 .since_ns = now_ns,
                                 .incarnation = decoded.incarnation};
    seal_tx_init(&place->tx.seal, seals->options.engine, &traffic.to_responder);
    secret_wipe(&traffic, sizeof(traffic));
    place->ask = (struct peer_ask){.is_open = false};
    place->used_ns = now_ns;
    seals->counters.agreed++;
    return OK;
}

/* ---- answering ---- */

/* The keys of an initiation that has come before. */
static struct peer_rx *rx_of_random(struct peer_place *place, const uint8_t *random)
{
    for (uint32_t i = 0; i < PEER_SEALS_RX; i++) {
        struct peer_rx *rx = &place->rx[i];
        if (rx->state != PEER_RX_FREE && memcmp(rx->random, random, HANDSHAKE_RANDOM_BYTES) == 0)
            return rx;
    }
    return NULL;
}

/* Keys that nothing has been sealed with: of the start that is known, or of another. */
static struct peer_rx *rx_pending(struct peer_place *place, bool is_known)
{
    for (uint32_t i = 0; i < PEER_SEALS_RX; i++) {
        struct peer_rx *rx = &place->rx[i];
        if (rx->state == PEER_RX_PENDING && (rx->incarnation == place->incarnation) == is_known)
            return rx;
    }
    return NULL;
}

/*
 * A place for new keys. A start's higher attempt takes that of its lower one: the peer has given
 * that up. Keys of another start make way when nobody has sealed with them for long; so replayed
 * initiations of starts that are over never keep out the start that is known.
 */
static enum error rx_take(struct peer_place *place, const struct handshake_initiation *initiation,
                          uint64_t now_ns, struct peer_rx **ret_rx)
{
    bool is_known = place->incarnation == initiation->incarnation;
    struct peer_rx *rx = rx_pending(place, is_known);
    bool is_same = rx != NULL && rx->incarnation == initiation->incarnation;
    if ((is_known && initiation->attempt <= place->attempt) ||
        (is_same && initiation->attempt <= rx->attempt))
        return ERR_REPLAYED;
    if (rx != NULL && !is_same && now_ns - rx->since_ns < PEER_SEALS_PENDING_NS)
        return ERR_BUSY;
    for (uint32_t i = 0; rx == NULL && i < PEER_SEALS_RX; i++) {
        if (place->rx[i].state == PEER_RX_FREE)
            rx = &place->rx[i];
    }
    CHECK(rx != NULL); /* two wait, one is in use, one was before */
    *ret_rx = rx;
    return OK;
}

/* What an authentic initiation says of the peer: that it has another start, or lacks what this node
 * seals with. */
static void note_peer(struct peer_seals *seals, struct peer_place *place,
                      const struct handshake_initiation *initiation, uint64_t now_ns)
{
    if (!place->tx.is_there || place->tx.incarnation != initiation->incarnation ||
        (place->tx.association != initiation->association &&
         now_ns - place->tx.since_ns >= seals->options.retry_ns))
        peer_seals_begin(place, now_ns);
}

static enum error agree_anew(struct peer_seals *seals, struct peer_place *place,
                             const struct peer_seals_question *question,
                             const struct handshake_initiation *initiation)
{
    const struct security_key *key = security_key_find(&seals->security, initiation->key_id);
    const struct handshake handshake =
        handshake_of(seals, key, question->node, seals->options.self);
    struct handshake_traffic traffic;
    struct peer_rx *rx;
    enum error error = rx_take(place, initiation, question->now_ns, &rx);
    if (error != OK)
        return error;
    struct handshake_response response = {.key_id = key->id,
                                          .answer = HANDSHAKE_AGREED,
                                          .association = ++seals->association,
                                          .attempt = initiation->attempt,
                                          .incarnation = seals->options.incarnation};
    random_stream_draw(&seals->random, response.random, sizeof(response.random));
    *rx = (struct peer_rx){.state = PEER_RX_PENDING,
                           .association = response.association,
                           .from = question->from,
                           .since_ns = question->now_ns,
                           .incarnation = initiation->incarnation,
                           .attempt = initiation->attempt};
    memcpy(rx->random, initiation->random, sizeof(rx->random));
    handshake_response_encode(rx->response, &handshake, question->initiation, &response);
    handshake_agree(&handshake, question->initiation, span_of(rx->response, sizeof(rx->response)),
                    &traffic);
    seal_rx_init(&rx->seal, seals->options.engine, &traffic.to_responder);
    secret_wipe(&traffic, sizeof(traffic));
    note_peer(seals, place, initiation, question->now_ns);
    return OK;
}

/* The initiation is authentic. */
static enum error answer_peer(struct peer_seals *seals, const struct peer_seals_question *question,
                              const struct handshake_initiation *initiation, uint8_t *ret_response)
{
    struct peer_place *place = peer_seals_take(seals, question->node, question->now_ns);
    struct peer_rx *rx = rx_of_random(place, initiation->random);
    if (rx == NULL) {
        enum error error = agree_anew(seals, place, question, initiation);
        if (error != OK)
            return error;
        rx = rx_of_random(place, initiation->random);
    } else if (rx->state != PEER_RX_PENDING) {
        return ERR_REPLAYED;
    }
    memcpy(ret_response, rx->response, sizeof(rx->response));
    seals->counters.answered++;
    return OK;
}

static enum error answer_any(struct peer_seals *seals, const struct peer_seals_question *question,
                             uint8_t *ret_response)
{
    struct handshake_initiation initiation;
    uint8_t cookie[COOKIE_SIZE_BYTES];
    enum error error = handshake_initiation_decode(question->initiation, &initiation);
    if (error != OK)
        return error;
    if (initiation.initiator != HANDSHAKE_NODE)
        return ERR_TYPE;
    if (question->node == 0 || question->node > VOTER_ID_MAX ||
        question->node == seals->options.self)
        return ERR_NODE;
    const struct security_key *key = security_key_find(&seals->security, initiation.key_id);
    if (key == NULL)
        return ERR_KEY;
    if (cookie_is_asked(&seals->cookies, &question->from, question->now_ns, initiation.cookie,
                        cookie)) {
        handshake_cookie_encode(ret_response, question->initiation, cookie);
        seals->counters.cookies++;
        return OK;
    }
    const struct handshake handshake =
        handshake_of(seals, key, question->node, seals->options.self);
    error = handshake_initiation_check(question->initiation, &handshake);
    return error != OK ? error : answer_peer(seals, question, &initiation, ret_response);
}

enum error peer_seals_answer(struct peer_seals *seals, const struct peer_seals_question *question,
                             uint8_t *ret_response)
{
    enum error error = answer_any(seals, question, ret_response);
    seals->counters.refused += error != OK;
    return error;
}
