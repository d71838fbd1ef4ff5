/* See peer_sides.h. */
#include "tests/unit/server/peer_sides.h"

#include "base/check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define TEXT "what one node tells another"

uint64_t sides_now_ns;
struct seal_engine sides_engine;
struct fork_guard sides_guard;
struct peer_side alice;
struct peer_side bob;

static uint8_t seeds_drawn;

struct security_key sides_key(uint8_t id, uint8_t first_byte)
{
    struct security_key key = {.id = id};
    const struct secret secret = {.bytes = {first_byte}};
    handshake_secret_of(&secret, &key.secret);
    return key;
}

void side_start(struct peer_side *side)
{
    side_end(side);
    side->incarnation++;
    side->security.seed = (struct secret){.bytes = {++seeds_drawn}};
    const struct peer_seals_options options = {.security = &side->security,
                                               .engine = &sides_engine,
                                               .guard = &sides_guard,
                                               .cluster_id = side->cluster_id,
                                               .shard = side->shard,
                                               .self = side->node,
                                               .incarnation = side->incarnation,
                                               .retry_ns = SIDES_RETRY_NS,
                                               .now_ns = sides_now_ns};
    CHECK(arena_init(&side->arena, peer_seals_arena_bytes()) == OK);
    side->seals = peer_seals_init(&side->arena, &options);
    arena_seal(&side->arena);
}

void side_end(struct peer_side *side)
{
    if (side->seals != NULL)
        arena_deinit(&side->arena);
    side->seals = NULL;
}

void side_make(struct peer_side *side, uint16_t node)
{
    *side = (struct peer_side){
        .node = node,
        .shard = 3,
        .cluster_id = SIDES_CLUSTER,
        .incarnation = UINT64_C(1000) * node,
        .security = {.mode = SECURITY_REQUIRED, .keys = {sides_key(7, 1)}},
    };
    side_start(side);
}

int sides_setup(void **state)
{
    (void)state;
    seeds_drawn = 0;
    sides_now_ns = UINT64_C(5000000000);
    if (seal_engine_init(&sides_engine) != OK || fork_guard_init(&sides_guard) != OK)
        return -1;
    side_make(&alice, 1);
    side_make(&bob, 2);
    return 0;
}

int sides_teardown(void **state)
{
    (void)state;
    side_end(&alice);
    side_end(&bob);
    fork_guard_deinit(&sides_guard);
    return 0;
}

bool side_asks(struct peer_side *side, uint16_t expected, struct peer_hello *hello)
{
    uint16_t node = 0;
    bool is_asking = peer_seals_next(side->seals, sides_now_ns, &node, hello->initiation);
    if (is_asking)
        assert_int_equal(node, expected);
    return is_asking;
}

enum error side_answers(struct peer_side *side, uint16_t from, struct peer_hello *hello)
{
    const struct peer_seals_question question = {
        .node = from,
        .from = {.ip = {10, 0, 0, (uint8_t)from}, .port = 7000},
        .initiation = span_of(hello->initiation, sizeof(hello->initiation)),
        .now_ns = sides_now_ns};
    return peer_seals_answer(side->seals, &question, hello->response);
}

enum error side_finishes(struct peer_side *side, uint16_t from, const struct peer_hello *hello)
{
    return peer_seals_finish(side->seals, from, span_of(hello->response, sizeof(hello->response)),
                             sides_now_ns);
}

void sides_agree(struct peer_side *from, struct peer_side *to, struct peer_hello *hello)
{
    peer_seals_ask(from->seals, to->node, sides_now_ns);
    assert_true(side_asks(from, to->node, hello));
    assert_int_equal(side_answers(to, from->node, hello), OK);
    assert_int_equal(side_finishes(from, to->node, hello), OK);
}

void side_seals(struct peer_side *from, const struct peer_side *to, struct peer_packet *packet)
{
    const struct wire_message_header header = {.type = WIRE_RAFT,
                                               .version = WIRE_VERSION_NEWEST,
                                               .shard = from->shard,
                                               .sender = from->node,
                                               .receiver = to->node,
                                               .piece_size_bytes = PACKET_PAYLOAD_SIZE_BYTES_MAX,
                                               .cluster_id = from->cluster_id,
                                               .message_id = 42};
    const struct wire_keys keys = {.is_sealed = true};
    assert_true(peer_seals_is_ready(from->seals, to->node, sides_now_ns));
    packet->size_bytes =
        wire_piece_encode(packet->data, &keys, &header, span_of(TEXT, strlen(TEXT)), 0);
    assert_int_equal(peer_seals_close(from->seals, to->node, packet->data, packet->size_bytes), OK);
}

enum error side_opens(struct peer_side *side, const struct peer_packet *packet)
{
    const struct wire_keys keys = {.is_sealed = true};
    struct peer_packet copy = *packet;
    struct wire_packet decoded;
    enum error error = peer_seals_open(side->seals, copy.data, copy.size_bytes, sides_now_ns);
    if (error != OK)
        return error;
    const struct span bytes = span_of(copy.data, copy.size_bytes);
    assert_int_equal(wire_packet_decode(bytes, &keys, side->cluster_id, &decoded), OK);
    assert_int_equal(decoded.header.message_id, 42);
    assert_int_equal(decoded.payload.size_bytes, strlen(TEXT));
    assert_memory_equal(decoded.payload.data, TEXT, strlen(TEXT));
    return OK;
}
