/*
 * A node's table of clients, under an attacker on the network of an honest client. The input is a
 * script: each step is a byte for what happens and further bytes for its details. Whatever came
 * before, the client agrees on keys when it asks (in a flood, with the cookie that it is given),
 * what it seals is opened once and what was changed never, an answer has at most half of the
 * question's size, a cookie is good for its address alone, and no table grows.
 */
#include "base/check.h"
#include "server/client_seals.h"
#include "tests/fuzz/canary.h"
#include "wire/wire_packet.h"

#define CLUSTER     UINT64_C(7)
#define SHARD       3
#define KEPT        8u
#define STEPS_MAX   400u
#define STEP_TIME   UINT64_C(500000)
#define LONG_TIME   UINT64_C(1000000000)
#define NODE_SENDER 2

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

struct parcel {
    uint8_t data[PACKET_SIZE_BYTES_MAX];
    uint32_t size_bytes; /* 0: none */
};

struct script {
    const uint8_t *at;
    size_t left;
};

/* The honest client, and what was recorded of it. */
struct honest {
    struct address address;
    uint32_t association;
    uint32_t their_association;
    uint8_t initiation[HANDSHAKE_INITIATION_BYTES];
    uint8_t response[HANDSHAKE_RESPONSE_BYTES];
    struct seal_tx tx;
    struct seal_rx rx;
    bool has_keys;
    uint32_t kept_next;
    struct parcel kept[KEPT]; /* opened by the node */
};

static struct seal_engine engine;
static struct fork_guard guard;
static struct arena arena;
static struct client_seals *seals;
static struct handshake_secret secret;
static const struct handshake handshake = {.secret = &secret,
                                           .context = {.cluster_id = CLUSTER, .shard = SHARD}};
static struct honest honest;
static uint64_t now_ns;

static uint8_t take(struct script *script)
{
    if (script->left == 0)
        return 0;
    script->left--;
    return *script->at++;
}

static struct address address_at(uint8_t number)
{
    const uint8_t ip[4] = {10, 0, 0, number};
    return address_of_ipv4(ip, (uint16_t)(4000 + number % 3));
}

static void fresh(void)
{
    static bool is_ready;
    static struct security_options security = {.clients = SECURITY_REQUIRED,
                                               .keys = {{.id = 1, .root = {{42}}}}};
    struct secret of_client;
    const struct peer_seals_options options = {.security = &security,
                                               .engine = &engine,
                                               .guard = &guard,
                                               .cluster_id = CLUSTER,
                                               .shard = SHARD,
                                               .incarnation = 9,
                                               .now_ns = now_ns = LONG_TIME};
    if (is_ready)
        arena_deinit(&arena);
    else
        CHECK(seal_engine_init(&engine) == OK && fork_guard_init(&guard) == OK);
    is_ready = true;
    secret_of_client(&security.keys[0].root, span_of("web", 3), 0, &of_client);
    handshake_secret_of(&of_client, &secret);
    CHECK(arena_init(&arena, client_seals_arena_bytes()) == OK);
    seals = client_seals_init(&arena, &options);
    arena_seal(&arena);
    honest = (struct honest){.address = address_at(1)};
}

/* ---- the honest client ---- */

static void ask(const uint8_t *cookie)
{
    struct handshake_initiation initiation = {.key_id = 1,
                                              .initiator = HANDSHAKE_CLIENT,
                                              .attempt = 1,
                                              .incarnation = 77,
                                              .association = ++honest.association,
                                              .name_bytes = 3,
                                              .name = "web"};
    initiation.random[0] = (uint8_t)honest.association;
    initiation.random[1] = (uint8_t)(honest.association >> 8);
    if (cookie != NULL)
        memcpy(initiation.cookie, cookie, COOKIE_SIZE_BYTES);
    handshake_initiation_encode(honest.initiation, &handshake, &initiation);
}

static enum error answer(const struct address *from, struct span initiation, uint8_t *ret_response)
{
    const struct peer_seals_question question = {
        .from = *from, .initiation = initiation, .now_ns = now_ns};
    return client_seals_answer(seals, &question, ret_response);
}

static enum error open_copy(const struct address *from, const struct parcel *parcel)
{
    struct parcel copy = *parcel;
    return client_seals_open(seals, from, (struct client_packet){copy.data, copy.size_bytes},
                             now_ns);
}

static void seal_parcel(struct parcel *parcel)
{
    const struct wire_keys keys = {.is_sealed = true};
    const struct wire_message_header header = {.type = WIRE_HELLO,
                                               .shard = SHARD,
                                               .piece_size_bytes = PACKET_PAYLOAD_SIZE_BYTES_MAX,
                                               .cluster_id = CLUSTER,
                                               .message_id = 1};
    struct wire_seal seal = {.association = honest.their_association, .key_id = 1};
    parcel->size_bytes = wire_piece_encode(parcel->data, &keys, &header, span_of("text", 4), 0);
    CHECK(seal_tx_number(&honest.tx, &guard, &seal.number) == OK);
    wire_seal_write(parcel->data, &seal);
    const struct seal_packet layout = seal_packet_of(parcel->data, parcel->size_bytes, false);
    seal_packet_close(&engine, &honest.tx, &layout);
}

static void speak(void)
{
    struct parcel *parcel = &honest.kept[honest.kept_next++ % KEPT];
    seal_parcel(parcel);
    CHECK(open_copy(&honest.address, parcel) == OK);
    CHECK(open_copy(&honest.address, parcel) == ERR_REPLAYED);
}

/* Two round trips at most: the second one with the cookie of the first. */
static void agree(void)
{
    struct handshake_response response;
    struct handshake_traffic traffic;
    const struct span initiation = span_of(honest.initiation, sizeof(honest.initiation));
    const struct span bytes = span_of(honest.response, sizeof(honest.response));
    ask(NULL);
    CHECK(answer(&honest.address, initiation, honest.response) == OK);
    CHECK(handshake_response_decode(bytes, &response) == OK);
    CHECK(handshake_response_check(bytes, &handshake, initiation) == OK);
    if (response.answer == HANDSHAKE_COOKIE) {
        ask(response.random);
        CHECK(answer(&honest.address, initiation, honest.response) == OK);
        CHECK(handshake_response_decode(bytes, &response) == OK);
        CHECK(handshake_response_check(bytes, &handshake, initiation) == OK);
    }
    CHECK(response.answer == HANDSHAKE_AGREED);
    handshake_agree(&handshake, initiation, bytes, &traffic);
    honest.their_association = response.association;
    seal_tx_init(&honest.tx, &engine, &traffic.to_responder);
    seal_rx_init(&honest.rx, &engine, &traffic.to_initiator);
    honest.has_keys = true;
    speak();
}

/* What the node seals for the client. */
static void hear(void)
{
    struct parcel parcel;
    struct wire_seal seal;
    const struct wire_keys keys = {.is_sealed = true};
    const struct wire_message_header header = {.type = WIRE_HELLO_REPLY,
                                               .shard = SHARD,
                                               .sender = NODE_SENDER,
                                               .piece_size_bytes = PACKET_PAYLOAD_SIZE_BYTES_MAX,
                                               .cluster_id = CLUSTER,
                                               .message_id = 1};
    CHECK(client_seals_is_ready(seals, &honest.address));
    parcel.size_bytes = wire_piece_encode(parcel.data, &keys, &header, span_of("word", 4), 0);
    CHECK(client_seals_close(seals, &honest.address,
                             (struct client_packet){parcel.data, parcel.size_bytes}) == OK);
    CHECK(wire_seal_read(span_of(parcel.data, parcel.size_bytes), &seal));
    const struct seal_packet layout =
        seal_packet_of(parcel.data, parcel.size_bytes, seal.is_encrypted);
    CHECK(seal_packet_open(&engine, &honest.rx, seal.number, &layout) == OK);
}

/* ---- the attacker ---- */

/* Bytes of the script change the bytes. */
static bool change(struct script *script, uint8_t *bytes, uint32_t size_bytes)
{
    bool is_changed = false;
    for (uint32_t count = take(script) % 8u; count > 0; count--) {
        uint32_t place = (take(script) | (uint32_t)take(script) << 8) % size_bytes;
        uint8_t with = take(script);
        bytes[place] ^= with;
        is_changed |= with != 0;
    }
    return is_changed;
}

/* The client's initiation, from any address, changed or not. An answer is the client's business if
 * it was not changed, and nobody's else. */
static void attack_initiation(struct script *script)
{
    uint8_t bytes[HANDSHAKE_INITIATION_BYTES];
    uint8_t before[HANDSHAKE_INITIATION_BYTES];
    uint8_t response[HANDSHAKE_RESPONSE_BYTES];
    const struct address from = address_at(take(script));
    memcpy(bytes, honest.initiation, sizeof(bytes));
    memcpy(before, bytes, sizeof(bytes));
    (void)change(script, bytes, sizeof(bytes));
    enum error error = answer(&from, span_of(bytes, sizeof(bytes)), response);
    struct handshake_response decoded;
    if (error != OK)
        return;
    CHECK(handshake_response_decode(span_of(response, sizeof(response)), &decoded) == OK);
    CHECK(decoded.answer == HANDSHAKE_COOKIE || memcmp(bytes, before, sizeof(bytes)) == 0);
}

/* Bytes that are no initiation. */
static void attack_noise(struct script *script)
{
    uint8_t bytes[HANDSHAKE_INITIATION_BYTES + 8];
    uint8_t response[HANDSHAKE_RESPONSE_BYTES];
    const struct address from = address_at(take(script));
    uint32_t size = take(script) % sizeof(bytes);
    for (uint32_t i = 0; i < size; i++)
        bytes[i] = take(script);
    if (answer(&from, span_of(bytes, size), response) == OK)
        CHECK(size == HANDSHAKE_INITIATION_BYTES && response[2] == HANDSHAKE_COOKIE);
}

/* What was opened once, again: from the client's address or another, changed or not. */
static void attack_packet(struct script *script)
{
    struct parcel parcel = honest.kept[take(script) % KEPT];
    const struct address from = address_at(take(script));
    if (parcel.size_bytes == 0)
        return;
    (void)change(script, parcel.data, parcel.size_bytes);
    enum error error = open_copy(&from, &parcel);
    CANARY(error = OK);
    CHECK(error != OK);
}

/* A flood of initiations whose tags are wrong, from as many addresses. */
static void attack_flood(struct script *script)
{
    uint8_t bytes[HANDSHAKE_INITIATION_BYTES];
    uint8_t response[HANDSHAKE_RESPONSE_BYTES];
    memcpy(bytes, honest.initiation, sizeof(bytes));
    for (uint32_t i = 0; i < 4u * take(script); i++) {
        const struct address from = address_at((uint8_t)(2 + i % 250));
        bytes[sizeof(bytes) - 1 - i % 16] ^= (uint8_t)(1 + i % 255);
        bytes[32 + i % 32] ^= (uint8_t)(1 + i % 7);
        if (answer(&from, span_of(bytes, sizeof(bytes)), response) == OK)
            CHECK(response[2] == HANDSHAKE_COOKIE);
    }
}

/* A cookie is the address's, whatever was shown before. */
static void check_cookies(struct script *script)
{
    struct cookie_jar jar;
    const struct secret seed = {{take(script)}};
    uint8_t cookie[COOKIE_SIZE_BYTES];
    const struct address mine = address_at(take(script));
    const struct address other = address_at(take(script));
    cookie_jar_init(&jar, &seed);
    cookie_make(&jar, &mine, now_ns, cookie);
    uint64_t later_ns = now_ns + COOKIE_SECRET_NS / 16 * take(script);
    bool is_over = cookie_epoch(later_ns) - cookie_epoch(now_ns) >= 2;
    CHECK(cookie_is_good(&jar, &other, now_ns, cookie) == address_is_equal(&mine, &other));
    CHECK(cookie_is_good(&jar, &mine, later_ns, cookie) == !is_over);
    if (!is_over && change(script, cookie, sizeof(cookie)))
        (void)cookie_is_good(&jar, &mine, later_ns, cookie);
}

static void step(struct script *script)
{
    switch (take(script) % 10) {
    case 0:
        agree();
        break;
    case 1:
        if (honest.has_keys)
            speak();
        break;
    case 2:
        if (honest.has_keys)
            hear();
        break;
    case 3:
        attack_initiation(script);
        break;
    case 4:
        attack_noise(script);
        break;
    case 5:
        attack_flood(script);
        break;
    case 6:
        now_ns += LONG_TIME * take(script);
        break;
    case 7:
        check_cookies(script);
        break;
    default:
        attack_packet(script);
        break;
    }
    now_ns += STEP_TIME;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    struct script script = {data, size_bytes};
    fresh();
    for (uint32_t i = 0; i < STEPS_MAX && script.left > 0; i++)
        step(&script);
    agree();
    hear();
    return 0;
}
