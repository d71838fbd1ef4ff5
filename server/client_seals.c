/* See client_seals.h. */
#include "server/client_seals.h"

#include "base/check.h"
#include "base/siphash.h"
#include "wire/wire_packet.h"

/* Clients of one shard that have an association. */
#define CLIENT_SEALS_PLACES 1024u
/* Answered initiations whose clients have not sealed anything yet. At the pace at which initiations
 * are looked at without a cookie the ring lasts 64 ms. */
#define CLIENT_SEALS_RING    64u
#define CLIENT_SEALS_BUCKETS 2048u
/* Who has sealed nothing for so long loses an address to who sends from it unsealed. */
#define CLIENT_SEALS_HELD_NS UINT64_C(60000000000)

static_assert(CLIENT_SEALS_PLACES < UINT16_MAX, "a place, and one, fits 16 bits");

struct client_seal {
    bool is_there;
    uint8_t key_id;
    uint16_t next; /* of its bucket: a place, and one; 0: none */
    struct address address;
    uint32_t association;       /* this node's number */
    uint32_t their_association; /* the client's */
    uint64_t used_ns;
    struct seal_rx rx;
    struct seal_tx tx;
    uint32_t generation;
    uint8_t name_bytes;
    uint8_t name[KEY_NAME_BYTES_MAX];
    uint64_t other_ns;      /* when the address was another client's last; 0: not known of any */
    uint32_t rights_number; /* of the table by which `rights` were looked up; 0: by none */
    struct rights rights;
};

struct client_waiting {
    struct client_seal seal;
    uint8_t random[HANDSHAKE_RANDOM_BYTES]; /* of the initiation */
    uint8_t response[HANDSHAKE_RESPONSE_BYTES];
};

struct client_seals {
    struct security_options security;
    struct peer_seals_options options;
    struct random_stream random;
    struct cookie_jar cookies;
    struct siphash_key hash_key;
    uint32_t association; /* given last */
    uint32_t place_count; /* used so far */
    uint32_t ring_next;
    struct client_seals_counters counters;
    uint16_t buckets[CLIENT_SEALS_BUCKETS]; /* by address: the first place, and one; 0: none */
    struct client_waiting ring[CLIENT_SEALS_RING];
    struct client_seal places[CLIENT_SEALS_PLACES];
};

size_t client_seals_arena_bytes(void)
{
    return sizeof(struct client_seals) + 64;
}

/* Other random bytes than those of the nodes' handshakes, and of other shards. */
static void seed_of(const struct peer_seals_options *options, struct secret *ret_seed)
{
    const struct span parts[] = {span_of(&options->shard, sizeof(options->shard))};
    const struct secret_digest digest = {.secret = &options->security->seed,
                                         .label = "pollux clients",
                                         .parts = parts,
                                         .part_count = 1};
    secret_digest(&digest, ret_seed->bytes, sizeof(ret_seed->bytes));
}

struct client_seals *client_seals_init(struct arena *arena,
                                       const struct peer_seals_options *options)
{
    struct client_seals *seals = arena_take(arena, sizeof(*seals), 64);
    struct secret seed;
    CHECK(options->security->clients != SECURITY_NONE);
    CHECK(options->security->keys[0].id != 0);
    seals->security = *options->security;
    seals->options = *options;
    seals->options.security = &seals->security;
    seed_of(options, &seed);
    random_stream_init(&seals->random, &seed);
    secret_wipe(&seed, sizeof(seed));
    cookie_jar_draw(&seals->cookies, &seals->random);
    random_stream_draw(&seals->random, (uint8_t *)&seals->hash_key, sizeof(seals->hash_key));
    random_stream_draw(&seals->random, (uint8_t *)&seals->association, sizeof(seals->association));
    return seals;
}

enum security_mode client_seals_mode(const struct client_seals *seals)
{
    return seals->security.clients;
}

const struct client_seals_counters *client_seals_counters(const struct client_seals *seals)
{
    return &seals->counters;
}

/* ---- places ---- */

static uint16_t *bucket_of(struct client_seals *seals, const struct address *address)
{
    uint8_t bytes[sizeof(address->ip) + 2];
    memcpy(bytes, address->ip, sizeof(address->ip));
    memcpy(bytes + sizeof(address->ip), &address->port, 2);
    uint64_t hash = siphash(&seals->hash_key, span_of(bytes, sizeof(bytes)));
    return &seals->buckets[hash % CLIENT_SEALS_BUCKETS];
}

static struct client_seal *client_find(const struct client_seals *seals,
                                       const struct address *address)
{
    struct client_seals *all = (struct client_seals *)seals;
    uint16_t at = *bucket_of(all, address);
    while (at != 0 && !address_is_equal(&all->places[at - 1].address, address))
        at = all->places[at - 1].next;
    return at == 0 ? NULL : &all->places[at - 1];
}

static void client_drop(struct client_seals *seals, struct client_seal *place)
{
    uint16_t number = (uint16_t)(place - seals->places + 1);
    uint16_t *at = bucket_of(seals, &place->address);
    while (*at != number)
        at = &seals->places[*at - 1].next;
    *at = place->next;
    secret_wipe(place, sizeof(*place));
}

/* A place that nobody has, or the one that was used least recently. */
static struct client_seal *client_place_free(struct client_seals *seals)
{
    struct client_seal *oldest = &seals->places[0];
    if (seals->place_count < CLIENT_SEALS_PLACES)
        return &seals->places[seals->place_count++];
    for (uint32_t i = 0; i < CLIENT_SEALS_PLACES && oldest->is_there; i++) {
        struct client_seal *place = &seals->places[i];
        if (!place->is_there || place->used_ns < oldest->used_ns)
            oldest = place;
    }
    if (oldest->is_there) {
        client_drop(seals, oldest);
        seals->counters.evicted++;
    }
    return oldest;
}

/* ---- packets ---- */

static struct client_waiting *waiting_find(struct client_seals *seals, const struct address *from,
                                           uint32_t association)
{
    for (uint32_t i = 0; i < CLIENT_SEALS_RING; i++) {
        struct client_waiting *waiting = &seals->ring[i];
        if (waiting->seal.is_there && waiting->seal.association == association &&
            address_is_equal(&waiting->seal.address, from))
            return waiting;
    }
    return NULL;
}

static bool is_same_client(const struct client_seal *a, const struct client_seal *b)
{
    return a->generation == b->generation &&
           span_is_equal(span_of(a->name, a->name_bytes), span_of(b->name, b->name_bytes));
}

/* Its initiation was no replay. */
static void confirm(struct client_seals *seals, struct client_waiting *waiting, uint64_t now_ns)
{
    struct client_seal *place = client_find(seals, &waiting->seal.address);
    if (place != NULL) {
        waiting->seal.other_ns = is_same_client(place, &waiting->seal) ? place->other_ns : now_ns;
        client_drop(seals, place);
    } else {
        place = client_place_free(seals);
    }
    *place = waiting->seal;
    place->used_ns = now_ns;
    uint16_t *bucket = bucket_of(seals, &place->address);
    place->next = *bucket;
    *bucket = (uint16_t)(place - seals->places + 1);
    secret_wipe(waiting, sizeof(*waiting));
    seals->counters.confirmed++;
}

enum error client_seals_open(struct client_seals *seals, const struct address *from,
                             struct client_packet packet, uint64_t now_ns)
{
    struct wire_seal seal;
    if (!wire_seal_read(span_of(packet.data, packet.size_bytes), &seal))
        return ERR_SHORT;
    struct client_seal *found = client_find(seals, from);
    struct client_waiting *waiting = NULL;
    if (found == NULL || found->association != seal.association) {
        waiting = waiting_find(seals, from, seal.association);
        if (waiting == NULL)
            return ERR_NOT_FOUND;
        found = &waiting->seal;
    }
    const struct seal_packet layout =
        seal_packet_of(packet.data, packet.size_bytes, seal.is_encrypted);
    enum error error = seal_packet_open(seals->options.engine, &found->rx, seal.number, &layout);
    if (error != OK)
        return error;
    found->used_ns = now_ns;
    if (waiting != NULL)
        confirm(seals, waiting, now_ns);
    return OK;
}

/* A program of before shows no cookies: it gets the address of who has been silent so long. */
bool client_seals_note_plain(struct client_seals *seals, const struct address *from,
                             uint64_t now_ns)
{
    struct client_seal *place = client_find(seals, from);
    if (place == NULL)
        return true;
    if (from->room != ADDRESS_PROVEN && now_ns - place->used_ns < CLIENT_SEALS_HELD_NS)
        return false;
    client_drop(seals, place);
    return true;
}

const struct rights *client_seals_rights(struct client_seals *seals,
                                         const struct client_message *message,
                                         const struct lane_rights *table)
{
    struct client_seal *place = client_find(seals, message->from);
    if (place == NULL ||
        (!message->is_one_piece && place->other_ns != 0 && message->begun_ns <= place->other_ns))
        return NULL;
    const struct rights_asker asker = {.name = span_of(place->name, place->name_bytes),
                                       .generation = place->generation};
    if (span_is_equal(asker.name, span_of(SECRET_ROOT_CLIENT, sizeof(SECRET_ROOT_CLIENT) - 1)))
        place->rights = (struct rights){.is_all = true};
    else if (table->number == 0 || (place->rights_number != table->number &&
                                    !lane_rights_of(table, &asker, &place->rights)))
        return NULL;
    place->rights_number = table->number;
    return &place->rights;
}

struct span client_seals_name(const struct client_seals *seals, const struct address *from)
{
    const struct client_seal *place = client_find(seals, from);
    return place == NULL ? (struct span){0} : span_of(place->name, place->name_bytes);
}

bool client_seals_is_ready(const struct client_seals *seals, const struct address *to)
{
    return client_find(seals, to) != NULL;
}

enum error client_seals_close(struct client_seals *seals, const struct address *to,
                              struct client_packet packet)
{
    struct client_seal *place = client_find(seals, to);
    uint64_t number;
    CHECK(place != NULL);
    enum error error = seal_tx_number(&place->tx, seals->options.guard, &number);
    if (error != OK)
        return error;
    const struct wire_seal seal = {.association = place->their_association,
                                   .number = number,
                                   .key_id = place->key_id,
                                   .is_encrypted = seals->security.is_encrypted};
    wire_seal_write(packet.data, &seal);
    const struct seal_packet layout =
        seal_packet_of(packet.data, packet.size_bytes, seal.is_encrypted);
    seal_packet_close(seals->options.engine, &place->tx, &layout);
    return OK;
}

/* ---- handshakes ---- */

static const struct client_waiting *waiting_again(const struct client_seals *seals,
                                                  const struct peer_seals_question *question,
                                                  const struct handshake_initiation *initiation)
{
    for (uint32_t i = 0; i < CLIENT_SEALS_RING; i++) {
        const struct client_waiting *waiting = &seals->ring[i];
        if (waiting->seal.is_there &&
            memcmp(waiting->random, initiation->random, sizeof(waiting->random)) == 0 &&
            address_is_equal(&waiting->seal.address, &question->from))
            return waiting;
    }
    return NULL;
}

static const struct client_waiting *client_agree(struct client_seals *seals,
                                                 const struct handshake *handshake,
                                                 const struct peer_seals_question *question,
                                                 const struct handshake_initiation *initiation)
{
    struct client_waiting *waiting = &seals->ring[seals->ring_next++ % CLIENT_SEALS_RING];
    struct handshake_traffic traffic;
    struct handshake_response response = {.key_id = initiation->key_id,
                                          .answer = HANDSHAKE_AGREED,
                                          .association = ++seals->association,
                                          .attempt = initiation->attempt,
                                          .incarnation = seals->options.incarnation};
    random_stream_draw(&seals->random, response.random, sizeof(response.random));
    *waiting = (struct client_waiting){.seal = {.is_there = true,
                                                .key_id = initiation->key_id,
                                                .address = question->from,
                                                .association = response.association,
                                                .their_association = initiation->association,
                                                .generation = initiation->generation,
                                                .name_bytes = (uint8_t)initiation->name_bytes}};
    memcpy(waiting->seal.name, initiation->name, initiation->name_bytes);
    memcpy(waiting->random, initiation->random, sizeof(waiting->random));
    handshake_response_encode(waiting->response, handshake, question->initiation, &response);
    handshake_agree(handshake, question->initiation,
                    span_of(waiting->response, sizeof(waiting->response)), &traffic);
    seal_rx_init(&waiting->seal.rx, seals->options.engine, &traffic.to_responder);
    seal_tx_init(&waiting->seal.tx, seals->options.engine, &traffic.to_initiator);
    secret_wipe(&traffic, sizeof(traffic));
    return waiting;
}

/* The client's secret follows from what it says of itself: whether it has it, its tag shows. */
static void secret_of_name(const struct security_key *key,
                           const struct handshake_initiation *initiation,
                           struct handshake_secret *ret_secret)
{
    struct secret secret;
    secret_of_client(&key->root, span_of(initiation->name, initiation->name_bytes),
                     initiation->generation, &secret);
    handshake_secret_of(&secret, ret_secret);
    secret_wipe(&secret, sizeof(secret));
}

static enum error answer_client(struct client_seals *seals,
                                const struct peer_seals_question *question,
                                const struct handshake_initiation *initiation,
                                uint8_t *ret_response)
{
    const struct security_key *key = security_key_find(&seals->security, initiation->key_id);
    uint8_t cookie[COOKIE_SIZE_BYTES];
    struct handshake_secret secret;
    if (key == NULL)
        return ERR_KEY;
    if (cookie_is_asked(&seals->cookies, &question->from, question->now_ns, initiation->cookie,
                        cookie)) {
        handshake_cookie_encode(ret_response, question->initiation, cookie);
        seals->counters.cookies++;
        return OK;
    }
    secret_of_name(key, initiation, &secret);
    const struct handshake handshake = {
        .secret = &secret,
        .context = {.cluster_id = seals->options.cluster_id, .shard = seals->options.shard}};
    enum error error = handshake_initiation_check(question->initiation, &handshake);
    if (error == OK) {
        const struct client_waiting *waiting = waiting_again(seals, question, initiation);
        if (waiting == NULL)
            waiting = client_agree(seals, &handshake, question, initiation);
        memcpy(ret_response, waiting->response, sizeof(waiting->response));
        seals->counters.answered++;
    }
    secret_wipe(&secret, sizeof(secret));
    return error;
}

enum error client_seals_answer(struct client_seals *seals,
                               const struct peer_seals_question *question, uint8_t *ret_response)
{
    struct handshake_initiation initiation;
    enum error error = handshake_initiation_decode(question->initiation, &initiation);
    if (error == OK && initiation.initiator != HANDSHAKE_CLIENT)
        error = ERR_TYPE;
    if (error == OK)
        error = answer_client(seals, question, &initiation, ret_response);
    seals->counters.refused += error != OK;
    return error;
}
