/*
 * What strangers send before anybody knows them, and key files. The first byte chooses: an
 * initiation, a response, a sealed packet, a key file. Bytes that are read are exactly the bytes
 * that writing the result gives. Nothing is authentic without the secret. With the tag made right,
 * as one who has the secret would make it, it is. A packet that was changed is never opened, and a
 * whole one is opened once.
 */
#include "base/check.h"
#include "security/handshake.h"
#include "security/key_file.h"
#include "tests/fuzz/canary.h"

#define PACKET_BYTES_MAX 2048u
#define CLEAR_BYTES      56u
#define TAG_OFFSET       40u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

static struct handshake_secret shared;
static const struct handshake handshake = {
    .secret = &shared, .context = {.cluster_id = 7, .shard = 1, .initiator = 2, .responder = 3}};
static const struct seal_secret seal_secret = {{1, 2, 3}, {4}};
static struct seal_engine engine;
static struct fork_guard guard;

static void setup(void)
{
    static bool is_ready;
    const struct secret secret = {{42}};
    if (is_ready)
        return;
    is_ready = true;
    handshake_secret_of(&secret, &shared);
    CHECK(seal_engine_init(&engine) == OK);
    CHECK(fork_guard_init(&guard) == OK);
}

static void fuzz_initiation(struct span bytes)
{
    struct handshake_initiation initiation;
    uint8_t again[HANDSHAKE_INITIATION_BYTES];
    if (handshake_initiation_decode(bytes, &initiation) != OK)
        return;
    handshake_initiation_encode(again, &handshake, &initiation);
    CHECK(span_is_equal(span_of(again, sizeof(again) - 16),
                        span_of(bytes.data, bytes.size_bytes - 16)));
    CHECK(handshake_initiation_check(span_of(again, sizeof(again)), &handshake) == OK);
    CHECK((handshake_initiation_check(bytes, &handshake) == OK) ==
          span_is_equal(span_of(again, sizeof(again)), bytes));
}

static void fuzz_response(struct span bytes)
{
    static const struct handshake_initiation asked = {
        .key_id = 1, .initiator = HANDSHAKE_NODE, .attempt = 5};
    uint8_t initiation[HANDSHAKE_INITIATION_BYTES];
    uint8_t again[HANDSHAKE_RESPONSE_BYTES];
    struct handshake_response response;
    const struct span of = span_of(initiation, sizeof(initiation));
    if (handshake_response_decode(bytes, &response) != OK)
        return;
    handshake_initiation_encode(initiation, &handshake, &asked);
    /* A bit of the answer is lost. */
    CANARY(response.association ^= 1);
    if (response.answer == HANDSHAKE_AGREED)
        handshake_response_encode(again, &handshake, of, &response);
    else
        handshake_cookie_encode(again, of, response.random);
    bool is_answer = response.key_id == asked.key_id && response.attempt == asked.attempt;
    bool is_same = span_is_equal(span_of(again, sizeof(again) - 16),
                                 span_of(bytes.data, bytes.size_bytes - 16));
    CHECK(is_same || (response.answer == HANDSHAKE_COOKIE && !is_answer));
    CHECK((handshake_response_check(bytes, &handshake, of) == OK) ==
          (is_answer && span_is_equal(span_of(again, sizeof(again)), bytes)));
}

/* Two bytes choose which bit is changed; the rest is the packet. */
static void fuzz_packet(struct span bytes)
{
    uint8_t data[PACKET_BYTES_MAX];
    uint8_t sealed[PACKET_BYTES_MAX];
    struct seal_tx tx;
    struct seal_rx rx;
    uint64_t number;
    if (bytes.size_bytes < 2 + CLEAR_BYTES || bytes.size_bytes > 2 + sizeof(data))
        return;
    struct seal_packet packet = {
        .data = data, .size_bytes = (uint32_t)bytes.size_bytes - 2, .tag_offset = TAG_OFFSET};
    packet.clear_bytes = bytes.data[0] % 2 == 0 ? CLEAR_BYTES : packet.size_bytes;
    uint32_t bit = (bytes.data[0] | (uint32_t)bytes.data[1] << 8) % (8 * packet.size_bytes);
    memcpy(data, bytes.data + 2, packet.size_bytes);
    seal_tx_init(&tx, &engine, &seal_secret);
    seal_rx_init(&rx, &engine, &seal_secret);
    CHECK(seal_packet_open(&engine, &rx, 1, &packet) == ERR_FORGED);
    memcpy(data, bytes.data + 2, packet.size_bytes);
    CHECK(seal_tx_number(&tx, &guard, &number) == OK);
    seal_packet_close(&engine, &tx, &packet);
    memcpy(sealed, data, packet.size_bytes);
    data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    CHECK(seal_packet_open(&engine, &rx, number, &packet) == ERR_FORGED);
    memcpy(data, sealed, packet.size_bytes);
    CHECK(seal_packet_open(&engine, &rx, number, &packet) == OK);
    CHECK(memcmp(data + CLEAR_BYTES, bytes.data + 2 + CLEAR_BYTES,
                 packet.size_bytes - CLEAR_BYTES) == 0);
    memcpy(data, sealed, packet.size_bytes);
    CHECK(seal_packet_open(&engine, &rx, number, &packet) == ERR_REPLAYED);
}

static void fuzz_key_file(struct span bytes)
{
    char text[KEY_FILE_SIZE_BYTES_MAX];
    struct key key;
    uint32_t line = 0;
    enum error error = key_file_decode(bytes, &key, &line);
    CHECK((error == ERR_SYNTAX) == (line > 1));
    if (error == OK)
        CHECK(span_is_equal(span_of(text, key_file_encode(&key, text)), bytes));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    static void (*const targets[])(struct span) = {fuzz_initiation, fuzz_response, fuzz_packet,
                                                   fuzz_key_file};
    setup();
    if (size_bytes < 1)
        return 0;
    targets[data[0] % 4](span_of(data + 1, size_bytes - 1));
    return 0;
}
