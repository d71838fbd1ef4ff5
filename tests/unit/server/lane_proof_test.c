/* What a lane sends to an address that has shown no good cookie: on real lanes and ports, the
 * network in one thread (tests/unit/server/lanes_stage.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "tests/unit/server/lanes_stage.h"

#define RATE         (UINT64_C(1) << 20)
#define STATUSES_MAX 2000u

static struct lanes_stage stage;
static struct gauge_cluster *const cluster = &stage.cluster;
static uint64_t message_id = UINT64_C(1) << 32;

/* What came as the answer to one packet. */
struct answer_seen {
    uint32_t sent_bytes;
    uint32_t bytes;
    uint8_t type; /* of the first packet; 0: nothing came */
    uint64_t message_id;
    bool has_cookie;
    uint8_t cookie[COOKIE_SIZE_BYTES];
};

static int setup(void **state)
{
    (void)state;
    lanes_stage_open(&stage,
                     &(struct gauge_options){.format_max = FORMAT_KNOWN, .unproven_rate = RATE});
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    lanes_stage_close(&stage);
    return 0;
}

static void send_packet(uint8_t type, struct span body, const uint8_t *cookie,
                        struct answer_seen *seen)
{
    const struct wire_keys keys = wire_keys_none();
    const struct address to = gauge_cluster_address(cluster->leader);
    const struct wire_message_header header = {.type = type,
                                               .piece_size_bytes = PACKET_PAYLOAD_SIZE_BYTES_USUAL,
                                               .cluster_id = GAUGE_CLUSTER_ID,
                                               .message_id = ++message_id,
                                               .cookie = cookie};
    uint8_t *room = dp_port_tx_reserve(cluster->client, 0, &to);
    assert_non_null(room);
    seen->sent_bytes = wire_piece_encode(room, &keys, &header, body, 0);
    dp_port_tx_commit(cluster->client, seen->sent_bytes);
    dp_port_tx_flush(cluster->client);
    gauge_cluster_route(cluster, cluster->node_count);
}

static void note(struct answer_seen *seen, const struct dp_datagram *got)
{
    const struct wire_keys keys = wire_keys_none();
    struct wire_packet packet;
    seen->bytes += got->size_bytes;
    if (seen->type != 0)
        return;
    assert_int_equal(
        wire_packet_decode(span_of(got->data, got->size_bytes), &keys, GAUGE_CLUSTER_ID, &packet),
        OK);
    seen->type = packet.header.type;
    seen->message_id = packet.header.message_id;
    seen->has_cookie = packet.header.cookie != NULL;
    if (seen->has_cookie)
        memcpy(seen->cookie, packet.header.cookie, sizeof(seen->cookie));
}

/* Sends it to the leader; what comes back in a few turns. */
static struct answer_seen ask(uint8_t type, struct span body, const uint8_t *cookie)
{
    struct answer_seen seen = {.type = 0};
    struct dp_datagram got[RX_BURST_MAX];
    send_packet(type, body, cookie, &seen);
    for (uint32_t i = 0; i < 3; i++) {
        gauge_cluster_turn(cluster, cluster->leader);
        gauge_cluster_route(cluster, cluster->leader);
        uint32_t count = dp_port_rx(cluster->client, cluster->now_ns, got, RX_BURST_MAX);
        for (uint32_t at = 0; at < count; at++)
            note(&seen, &got[at]);
    }
    return seen;
}

static struct answer_seen status(const uint8_t *cookie)
{
    return ask(WIRE_STATUS, (struct span){0}, cookie);
}

static uint64_t refused(void)
{
    return lane_counters(cluster->lanes[cluster->leader])->drop_unproven;
}

/* Status requests without a cookie until one is refused; how many bytes were sent before. */
static uint64_t use_up(struct answer_seen *ret_last)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < STATUSES_MAX; i++) {
        *ret_last = status(NULL);
        if (ret_last->type != WIRE_STATUS_REPLY)
            return bytes;
        bytes += ret_last->bytes;
    }
    fail_msg("no budget ends");
    return 0;
}

/* As programs of before are served: no more than the budget. */
static void test_lane_proof_budget_ends(void **state)
{
    (void)state;
    struct answer_seen last;
    uint64_t before = refused();
    uint64_t bytes = use_up(&last);
    assert_in_range(bytes, RATE / 2, RATE + RATE / 8);
    assert_int_equal(last.type, WIRE_COOKIE);
    assert_int_equal(last.bytes, last.sent_bytes); /* of the smallest question */
    assert_int_equal(last.message_id, message_id);
    assert_true(last.has_cookie);
    assert_int_equal(refused(), before + 1);
}

static void test_lane_proof_is_the_cookie(void **state)
{
    (void)state;
    static const uint8_t made_up[COOKIE_SIZE_BYTES] = {1, 2, 3};
    struct answer_seen last;
    (void)use_up(&last);
    uint8_t cookie[COOKIE_SIZE_BYTES];
    memcpy(cookie, last.cookie, sizeof(cookie));
    struct answer_seen answer = status(cookie);
    assert_int_equal(answer.type, WIRE_STATUS_REPLY);
    assert_true(answer.bytes > 10 * answer.sent_bytes);
    answer = status(made_up);
    assert_int_equal(answer.type, WIRE_COOKIE);
    assert_memory_equal(answer.cookie, cookie, sizeof(cookie));
    cookie[15] ^= 1;
    answer = status(cookie);
    assert_int_equal(answer.type, WIRE_COOKIE);
}

/* A hello as large as its answer needs none, and brings one. A small one is like all questions. */
static void test_lane_proof_comes_with_the_hello(void **state)
{
    (void)state;
    uint8_t hello[WIRE_HELLO_REPLY_SIZE_BYTES] = {7};
    struct answer_seen last;
    (void)use_up(&last);
    struct answer_seen answer = ask(WIRE_HELLO, span_of(hello, sizeof(hello)), NULL);
    assert_int_equal(answer.type, WIRE_HELLO_REPLY);
    assert_int_equal(answer.bytes, answer.sent_bytes);
    assert_true(answer.has_cookie);
    struct answer_seen told = status(answer.cookie);
    assert_int_equal(told.type, WIRE_STATUS_REPLY);
    answer = ask(WIRE_HELLO, span_of(hello, WIRE_HELLO_SIZE_BYTES), NULL);
    assert_int_equal(answer.type, WIRE_COOKIE);
}

/* Nothing that answers is answered with a cookie: two nodes would do so for ever. */
static void test_lane_proof_answers_no_answer(void **state)
{
    (void)state;
    static const uint8_t types[] = {WIRE_COOKIE,      WIRE_COOKIE_NEXT,   WIRE_HELLO_REPLY,
                                    WIRE_WRITE_REPLY, WIRE_STATUS_REPLY,  WIRE_READ_REPLY,
                                    WIRE_MISSING,     WIRE_MEMBERS_REPLY, WIRE_BACKUP_REPLY};
    static const uint8_t body[24];
    struct answer_seen last;
    (void)use_up(&last);
    for (size_t i = 0; i < sizeof(types); i++)
        assert_int_equal(ask(types[i], span_of(body, sizeof(body)), NULL).type, 0);
}

/* The rest of an answer of several pieces, by its id. */
static struct answer_seen pieces_again(uint64_t id, const uint8_t *cookie)
{
    uint8_t body[WIRE_MISSING_SIZE_BYTES_MAX];
    struct wire_writer writer = {.data = body, .capacity_bytes = sizeof(body)};
    const struct wire_missing missing = {
        .message_id = id, .range_count = 1, .ranges = {{.first = 1, .count = 2}}};
    wire_missing_encode(&writer, &missing);
    return ask(WIRE_MISSING, span_of(body, writer.size_bytes), cookie);
}

/* Who asks for pieces again asks for any number of bytes: the budget has what is left of it. */
static void test_lane_proof_is_asked_for_by_pieces(void **state)
{
    (void)state;
    struct answer_seen last;
    uint64_t without = 0;
    (void)use_up(&last);
    for (uint32_t i = 0; i < 40; i++) {
        struct answer_seen answer = status(last.cookie);
        assert_int_equal(answer.type, WIRE_STATUS_REPLY);
        for (uint32_t again = 0; again < 2; again++)
            without += pieces_again(answer.message_id, NULL).bytes;
    }
    assert_in_range(without, 1, (64 + 8) << 10);
    struct answer_seen answer = status(last.cookie);
    assert_int_equal(pieces_again(answer.message_id, NULL).bytes, 0);
    assert_true(pieces_again(answer.message_id, last.cookie).bytes >
                PACKET_PAYLOAD_SIZE_BYTES_USUAL);
}

/* The secret of the cookie is replaced: the next one comes beside the answer. */
static void test_lane_proof_is_followed_by_the_next(void **state)
{
    (void)state;
    uint8_t hello[WIRE_HELLO_REPLY_SIZE_BYTES] = {7};
    struct answer_seen first = ask(WIRE_HELLO, span_of(hello, sizeof(hello)), NULL);
    cluster->now_ns += COOKIE_SECRET_NS;
    struct answer_seen answer = status(first.cookie);
    assert_int_equal(answer.type, WIRE_COOKIE_NEXT);
    assert_int_equal(answer.message_id, message_id);
    assert_true(answer.bytes > 10 * answer.sent_bytes);
    assert_int_equal(status(answer.cookie).type, WIRE_STATUS_REPLY);
    cluster->now_ns += COOKIE_SECRET_NS;
    struct answer_seen last;
    (void)use_up(&last);
    assert_int_equal(status(first.cookie).type, WIRE_COOKIE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lane_proof_budget_ends),
        cmocka_unit_test(test_lane_proof_is_the_cookie),
        cmocka_unit_test(test_lane_proof_comes_with_the_hello),
        cmocka_unit_test(test_lane_proof_answers_no_answer),
        cmocka_unit_test(test_lane_proof_is_asked_for_by_pieces),
        cmocka_unit_test(test_lane_proof_is_followed_by_the_next),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
