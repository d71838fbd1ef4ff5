/* See client/seals.h. */
#include "client/seals.h"

#include "client/client_internal.h"
#include "client/roster.h"
#include "wire/wire_seal.h"

#include <stdio.h>
#include <string.h>

#define MILLISECOND_NS UINT64_C(1000000)
/* An initiation without an answer is repeated when something is to be sent after this time, each
 * time twice as long. */
#define AGAIN_NS        (2 * MILLISECOND_NS)
#define AGAIN_DOUBLINGS 7u
/* After so many, two seconds, random bytes are drawn anew. Until then an answer is one to each of
 * them, however long the way is. */
#define TRIES 14u
/* What was sealed and brought no answer for so long, or two round trips, may not have been opened;
 * ever longer. */
#define SILENT_NS        (20 * MILLISECOND_NS)
#define SILENT_DOUBLINGS 6u
/* Ways may change faster than a silence is long: a node that was restarted is silent on each. */
#define SILENT_ALL_WAYS_NS (5000 * MILLISECOND_NS)
/* Of a packet with an initiation, which may be relayed. */
#define INITIATION_ROOM_BYTES                                                                      \
    (PACKET_HEADER_SIZE_BYTES + HANDSHAKE_INITIATION_BYTES + PACKET_AROUND_BYTES)
/* Longer than any round trip: the node was not there. */
#define ROUND_TRIP_NS (640 * MILLISECOND_NS)

/* One shard of one endpoint. */
struct node_seal {
    struct address address; /* of the endpoint that this is of */
    bool is_there;
    bool is_encrypted; /* the payload of what the node has sealed last, and so of what it is sent */
    uint32_t their_association;
    uint32_t association;        /* the handle's own number */
    uint32_t association_before; /* answers under its keys may still be on their way; 0: none */
    uint64_t round_trip_ns;      /* of the last handshake, at most */
    struct seal_tx tx;
    struct seal_rx rx;
    struct seal_rx rx_before;
    uint64_t unheard_ns; /* since when nothing was opened though something was sealed; 0: not so */
    uint64_t silent_ns;  /* the same, whatever the ways; 0: not so */
    uint32_t silences;   /* in a row */
    /* An initiation under way. */
    bool is_asking;
    bool has_bytes;
    bool has_cookie;
    uint32_t tries;
    uint64_t begun_ns; /* when these bytes were sent first */
    uint64_t asked_ns;
    uint32_t asked_association;
    uint8_t cookie[COOKIE_SIZE_BYTES];
    uint8_t bytes[HANDSHAKE_INITIATION_BYTES];
    struct packet_out waiting; /* size 0: none; its bytes: */
    uint8_t waiting_bytes[PACKET_SIZE_BYTES_USUAL];
};

size_t seals_arena_bytes(const struct plx_options *options)
{
    return options->key_file == NULL
               ? 0
               : (size_t)SHARDS_MAX * ENDPOINTS_MAX * sizeof(struct node_seal) + 64;
}

/* ---- the key ---- */

/* The root key, as that of the client whom no key file names. */
static void become_root(struct key *key)
{
    struct secret secret;
    secret_of_client(&key->secret, span_of(SECRET_ROOT_CLIENT, strlen(SECRET_ROOT_CLIENT)), 0,
                     &secret);
    snprintf(key->name, sizeof(key->name), "%s", SECRET_ROOT_CLIENT);
    key->kind = KEY_OF_CLIENT;
    key->generation = 0;
    key->secret = secret;
    secret_wipe(&secret, sizeof(secret));
}

static enum plx_outcome key_take(struct plx_client *client, char *ret_reason, size_t reason_size)
{
    struct seals *seals = &client->seals;
    const char *path = client->options.key_file;
    bool may_use_root = client->options.may_use_root_key;
    struct key key;
    char why[KEY_FILE_REASON_BYTES] = "";
    enum error error = key_file_read(path, &key, why);
    bool is_root = error == OK && key.kind == KEY_OF_CLUSTER;
    if (is_root && may_use_root)
        become_root(&key);
    else if (is_root)
        reason_write(ret_reason, reason_size,
                     "key_file: %s: the root key of a cluster: make a key with pollux key new NAME "
                     "--root %s",
                     path, path);
    else if (error != OK)
        reason_write(ret_reason, reason_size, "key_file: %s", why);
    bool is_good = error == OK && key.kind == KEY_OF_CLIENT;
    if (is_good) {
        handshake_secret_of(&key.secret, &seals->secret);
        seals->key_id = key.id;
        seals->generation = key.generation;
        seals->name_bytes = (uint32_t)strlen(key.name);
        memcpy(seals->name, key.name, sizeof(seals->name));
    }
    secret_wipe(&key, sizeof(key));
    return is_good ? PLX_OK : PLX_E_ARGUMENT;
}

static void random_begin(struct seals *seals)
{
    struct secret seed;
    for (uint32_t i = 0; i < SECRET_SIZE_BYTES / sizeof(uint64_t); i++) {
        uint64_t word = entropy_draw();
        memcpy(seed.bytes + i * sizeof(word), &word, sizeof(word));
    }
    random_stream_init(&seals->random, &seed);
    secret_wipe(&seed, sizeof(seed));
    random_stream_draw(&seals->random, (uint8_t *)&seals->association, sizeof(seals->association));
    seals->incarnation = entropy_draw();
}

enum plx_outcome seals_open(struct plx_client *client, char *ret_reason, size_t reason_size)
{
    struct seals *seals = &client->seals;
    if (client->options.key_file == NULL)
        return PLX_OK;
    enum plx_outcome outcome = key_take(client, ret_reason, reason_size);
    client->options.key_file = NULL; /* the caller's */
    if (outcome != PLX_OK)
        return outcome;
    enum error error = seal_engine_init(&seals->engine);
    if (error == OK)
        error = fork_guard_init(&seals->guard);
    if (error != OK) {
        reason_write(ret_reason, reason_size, "key_file: packets cannot be sealed: %s",
                     error_text(error));
        return error == ERR_NO_MEMORY ? PLX_E_NO_MEMORY : PLX_E_UNSUPPORTED;
    }
    random_begin(seals);
    seals->is_on = true;
    return PLX_OK;
}

void seals_close(struct plx_client *client)
{
    struct seals *seals = &client->seals;
    if (seals->guard.page != NULL)
        fork_guard_deinit(&seals->guard);
    if (seals->is_on)
        secret_wipe(seals->nodes,
                    (size_t)seals->shards_used * ENDPOINTS_MAX * sizeof(*seals->nodes));
    secret_wipe(&seals->secret, sizeof(seals->secret));
}

struct wire_keys seals_keys(const struct plx_client *client)
{
    return (struct wire_keys){.is_sealed = client->seals.is_on};
}

/* The endpoint's place may have been another node's before. */
static struct node_seal *node_seal_of(struct plx_client *client, uint32_t endpoint, uint16_t shard)
{
    struct node_seal *node = &client->seals.nodes[shard * ENDPOINTS_MAX + endpoint];
    struct address address = endpoint_address(client, endpoint, shard);
    if (client->seals.shards_used <= shard)
        client->seals.shards_used = shard + 1u;
    if (!address_is_equal(&node->address, &address))
        *node = (struct node_seal){.address = address};
    return node;
}

static struct handshake seals_handshake_of(const struct plx_client *client, uint16_t shard)
{
    return (struct handshake){.secret = &client->seals.secret,
                              .context = {.cluster_id = client->cluster_id, .shard = shard}};
}

/* ---- out ---- */

static void seals_initiation_make(struct plx_client *client, struct node_seal *node, uint16_t shard)
{
    struct seals *seals = &client->seals;
    const struct handshake handshake = seals_handshake_of(client, shard);
    node->asked_association = ++seals->association;
    struct handshake_initiation initiation = {.key_id = seals->key_id,
                                              .initiator = HANDSHAKE_CLIENT,
                                              .generation = seals->generation,
                                              .attempt = ++seals->attempt,
                                              .incarnation = seals->incarnation,
                                              .association = node->asked_association,
                                              .name_bytes = seals->name_bytes};
    random_stream_draw(&seals->random, initiation.random, sizeof(initiation.random));
    memcpy(initiation.name, seals->name, seals->name_bytes);
    if (node->has_cookie)
        memcpy(initiation.cookie, node->cookie, sizeof(initiation.cookie));
    handshake_initiation_encode(node->bytes, &handshake, &initiation);
    node->has_bytes = true;
    node->tries = 0;
    node->begun_ns = client->now_ns;
}

static uint64_t again_ns(const struct node_seal *node)
{
    uint32_t doublings = node->tries > 0 ? node->tries - 1 : 0;
    return AGAIN_NS << (doublings < AGAIN_DOUBLINGS ? doublings : AGAIN_DOUBLINGS);
}

/* Writes an initiation in place of the packet. False: the last one was sent just now. */
static bool seals_ask(struct plx_client *client, struct node_seal *node, struct packet_out *packet)
{
    const struct wire_keys keys = wire_keys_none();
    if (node->is_asking && client->now_ns - node->asked_ns < again_ns(node))
        return false;
    if (node->is_asking && node->tries == TRIES) {
        node->has_bytes = false;
        node->has_cookie = false;
    }
    if (!node->has_bytes)
        seals_initiation_make(client, node, packet->shard);
    node->is_asking = true;
    node->asked_ns = client->now_ns;
    node->tries++;
    const struct wire_message_header header = {.type = WIRE_HANDSHAKE,
                                               .shard = packet->shard,
                                               .piece_size_bytes = PACKET_PAYLOAD_SIZE_BYTES_BASE,
                                               .cluster_id = client->cluster_id,
                                               .message_id = message_id_next(client)};
    packet->size_bytes = wire_piece_encode(packet->bytes, &keys, &header,
                                           span_of(node->bytes, sizeof(node->bytes)), 0);
    return true;
}

/* A child of the process that opened the handle gets no number: its packet is not sent. */
static bool close_packet(struct plx_client *client, struct node_seal *node,
                         struct packet_out *packet)
{
    struct seals *seals = &client->seals;
    uint64_t number;
    if (seal_tx_number(&node->tx, &seals->guard, &number) != OK)
        return false;
    const struct wire_seal seal = {.association = node->their_association,
                                   .number = number,
                                   .key_id = seals->key_id,
                                   .is_encrypted = node->is_encrypted};
    wire_seal_write(packet->bytes, &seal);
    const struct seal_packet layout =
        seal_packet_of(packet->bytes, packet->size_bytes, seal.is_encrypted);
    seal_packet_close(&seals->engine, &node->tx, &layout);
    if (node->unheard_ns == 0)
        node->unheard_ns = client->now_ns;
    if (node->silent_ns == 0)
        node->silent_ns = client->now_ns;
    return true;
}

static bool is_silent(const struct plx_client *client, const struct node_seal *node)
{
    uint64_t least_ns = 2 * node->round_trip_ns;
    uint64_t silent_ns = (least_ns > SILENT_NS ? least_ns : SILENT_NS) << node->silences;
    if (silent_ns > SILENT_NS << SILENT_DOUBLINGS)
        silent_ns = SILENT_NS << SILENT_DOUBLINGS;
    return node->unheard_ns != 0 && (client->now_ns - node->unheard_ns >= silent_ns ||
                                     client->now_ns - node->silent_ns >= SILENT_ALL_WAYS_NS);
}

/* One more packet than the caller's is sent: that which begins a handshake anew. */
static void ask_beside(struct plx_client *client, struct node_seal *node,
                       const struct packet_out *packet)
{
    struct packet_out *more = packet_next(client, INITIATION_ROOM_BYTES);
    if (more == NULL)
        return; /* with the next one */
    more->endpoint = packet->endpoint;
    more->way = packet->way;
    more->relay = packet->relay;
    more->shard = packet->shard;
    if (!seals_ask(client, node, more))
        return;
    client->out_count++;
    node->unheard_ns = client->now_ns;
    node->silences += node->silences < SILENT_DOUBLINGS;
}

/* What is larger than usual is sent again by whoever has sent it. */
static void keep_waiting(struct node_seal *node, const struct packet_out *packet)
{
    node->waiting = *packet;
    if (packet->size_bytes > sizeof(node->waiting_bytes))
        node->waiting.size_bytes = 0;
    memcpy(node->waiting_bytes, packet->bytes, node->waiting.size_bytes);
}

void seals_send(struct plx_client *client)
{
    struct packet_out *packet = &client->out[client->out_count];
    if (!client->seals.is_on) {
        client->out_count++;
        return;
    }
    struct node_seal *node = node_seal_of(client, packet->endpoint, packet->shard);
    if (!node->is_there) {
        keep_waiting(node, packet);
        client->out_count += seals_ask(client, node, packet);
    } else if (close_packet(client, node, packet)) {
        client->out_count++;
        if (is_silent(client, node) || node->tx.last_number >= SEAL_NUMBERS_MAX / 2)
            ask_beside(client, node, packet);
    }
}

bool seals_close_carrier(struct plx_client *client, struct packet_out *packet)
{
    if (!client->seals.is_on)
        return true;
    struct node_seal *node = node_seal_of(client, packet->endpoint, packet->shard);
    return node->is_there && close_packet(client, node, packet);
}

void seals_try(struct plx_client *client, const struct source *to)
{
    struct packet_out *packet = packet_begin(client, INITIATION_ROOM_BYTES);
    packet->endpoint = (uint8_t)to->endpoint;
    packet->way = 0;
    packet->relay = 0;
    packet->shard = to->shard;
    struct node_seal *node = node_seal_of(client, to->endpoint, to->shard);
    /* What was asked by way of a relay just now is no reason to wait, and its answer is none to
     * this. */
    node->has_bytes = false;
    node->asked_ns = client->now_ns - (AGAIN_NS << AGAIN_DOUBLINGS);
    client->out_count += seals_ask(client, node, packet);
}

void seals_way_changed(struct plx_client *client, uint32_t endpoint, uint16_t shard)
{
    if (!client->seals.is_on)
        return;
    struct node_seal *node = node_seal_of(client, endpoint, shard);
    node->unheard_ns = 0;
    node->silences = 0;
    node->asked_ns = client->now_ns - (AGAIN_NS << AGAIN_DOUBLINGS); /* at once */
}

/* ---- in ---- */

static void seals_agreed(struct plx_client *client, struct node_seal *node,
                         const struct source *from, const struct handshake_response *decoded,
                         struct span response)
{
    struct handshake_traffic traffic;
    const struct handshake handshake = seals_handshake_of(client, from->shard);
    handshake_agree(&handshake, span_of(node->bytes, sizeof(node->bytes)), response, &traffic);
    seal_tx_init(&node->tx, &client->seals.engine, &traffic.to_responder);
    node->association_before = node->is_there ? node->association : 0;
    node->rx_before = node->rx;
    seal_rx_init(&node->rx, &client->seals.engine, &traffic.to_initiator);
    secret_wipe(&traffic, sizeof(traffic));
    node->is_there = true;
    node->their_association = decoded->association;
    node->association = node->asked_association;
    uint64_t since_begun_ns = client->now_ns - node->begun_ns;
    node->round_trip_ns = since_begun_ns < ROUND_TRIP_NS ? since_begun_ns : ROUND_TRIP_NS;
    node->unheard_ns = 0;
    node->silent_ns = 0;
    node->is_asking = false;
    node->has_bytes = false;
    node->has_cookie = false;
}

/* What has waited for keys, or for a cookie, leaves. */
static void seals_go_on(struct plx_client *client, struct node_seal *node,
                        const struct source *from)
{
    struct packet_out *packet = packet_begin(client, PACKET_SIZE_BYTES_USUAL + PACKET_AROUND_BYTES);
    bool is_to_leave;
    packet->endpoint = (uint8_t)from->endpoint;
    packet->way = node->waiting.way;
    packet->shard = from->shard;
    if (node->is_asking) {
        is_to_leave = seals_ask(client, node, packet);
    } else {
        packet->relay = node->waiting.relay;
        packet->size_bytes = node->waiting.size_bytes;
        memcpy(packet->bytes, node->waiting_bytes, packet->size_bytes);
        node->waiting.size_bytes = 0;
        is_to_leave = packet->size_bytes != 0 && close_packet(client, node, packet);
    }
    packet->relay = from->relay; /* the way that the answer came */
    client->out_count += is_to_leave;
}

static bool finish(struct plx_client *client, const struct source *from, struct span response)
{
    struct node_seal *node = node_seal_of(client, from->endpoint, from->shard);
    struct handshake_response decoded;
    const struct handshake handshake = seals_handshake_of(client, from->shard);
    if (!node->is_asking || handshake_response_decode(response, &decoded) != OK ||
        handshake_response_check(response, &handshake, span_of(node->bytes, sizeof(node->bytes))) !=
            OK)
        return false;
    if (decoded.answer == HANDSHAKE_COOKIE) {
        if (node->has_cookie)
            return false; /* one is under way */
        memcpy(node->cookie, decoded.random, sizeof(node->cookie));
        node->has_cookie = true;
        node->has_bytes = false;
        node->asked_ns = client->now_ns - (AGAIN_NS << AGAIN_DOUBLINGS); /* at once */
    } else {
        seals_agreed(client, node, from, &decoded, response);
        relay_heard(client, from);
    }
    seals_go_on(client, node, from);
    return true;
}

/* Unsealed packets of nodes say nothing but what is in a handshake. */
static void take_plain(struct plx_client *client, const struct source *from, struct span bytes)
{
    const struct wire_keys keys = wire_keys_none();
    struct wire_packet packet;
    if (wire_packet_decode(bytes, &keys, client->cluster_id, &packet) != OK ||
        packet.header.type != WIRE_HANDSHAKE_REPLY || packet.piece_count != 1 ||
        !finish(client, from, packet.payload))
        client->statistics.packets_dropped++;
}

/* NULL: no keys of that number. */
static struct seal_rx *rx_of(struct node_seal *node, uint32_t association)
{
    if (!node->is_there)
        return NULL;
    if (association == node->association)
        return &node->rx;
    bool is_before = node->association_before != 0 && association == node->association_before;
    return is_before ? &node->rx_before : NULL;
}

bool seals_take(struct plx_client *client, const struct source *from, uint8_t *data,
                uint32_t size_bytes)
{
    struct wire_seal seal;
    const struct span bytes = span_of(data, size_bytes);
    if (!client->seals.is_on)
        return true;
    if (!wire_is_sealed(bytes)) {
        take_plain(client, from, bytes);
        return false;
    }
    struct node_seal *node = node_seal_of(client, from->endpoint, from->shard);
    struct seal_rx *rx = wire_seal_read(bytes, &seal) ? rx_of(node, seal.association) : NULL;
    bool is_good = rx != NULL;
    if (is_good) {
        const struct seal_packet layout = seal_packet_of(data, size_bytes, seal.is_encrypted);
        is_good = seal_packet_open(&client->seals.engine, rx, seal.number, &layout) == OK;
    }
    if (!is_good) {
        client->statistics.packets_dropped++;
        return false;
    }
    node->unheard_ns = 0;
    node->silent_ns = 0;
    node->silences = 0;
    node->is_encrypted = seal.is_encrypted;
    if (from->relay != 0) { /* it opens what it is sent, but says nothing itself */
        struct node_seal *relay = node_seal_of(client, from->relay - 1u, from->shard);
        relay->unheard_ns = 0;
        relay->silent_ns = 0;
        relay->silences = 0;
    }
    return true;
}
