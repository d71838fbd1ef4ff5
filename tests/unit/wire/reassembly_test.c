/* Reassembly: pieces in any order, twice, contradicting one another, or more senders than slots. */
#include "base/prng.h"
#include "wire/reassembly.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static const struct wire_keys keys = {.is_sealed = false};

#define CLUSTER 42
#define SLOTS   2

static uint8_t body[MESSAGE_SIZE_BYTES_MAX];
static struct arena arena;
static struct reassembly *reassembly;
static const struct address alice = {.ip = {1}, .port = 1};
static const struct address bob = {.ip = {1}, .port = 2};

static int setup(void **state)
{
    (void)state;
    struct prng prng;
    prng_init(&prng, 7);
    for (size_t i = 0; i < sizeof(body); i++)
        body[i] = (uint8_t)prng_next(&prng);
    if (arena_init(&arena, reassembly_arena_bytes(SLOTS)) != OK)
        return 1;
    reassembly = reassembly_init(&arena, SLOTS);
    arena_seal(&arena);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_deinit(&arena);
    return 0;
}

struct message {
    const struct address *from;
    uint64_t id;
    size_t size_bytes;
};

static enum error add(const struct message *message, uint32_t piece, uint64_t now_ns,
                      struct span *ret_message)
{
    static uint8_t bytes[PACKET_SIZE_BYTES_USUAL];
    struct wire_message_header header = {.type = WIRE_WRITE,
                                         .piece_size_bytes = PACKET_PAYLOAD_SIZE_BYTES_USUAL,
                                         .cluster_id = CLUSTER,
                                         .message_id = message->id};
    uint32_t size =
        wire_piece_encode(bytes, &keys, &header, span_of(body, message->size_bytes), piece);
    struct wire_packet packet;
    assert_int_equal(wire_packet_decode(span_of(bytes, size), &keys, CLUSTER, &packet), OK);
    return reassembly_add(reassembly, message->from, &packet, now_ns, ret_message);
}

static void assert_missing(const struct message *message, uint32_t piece, uint64_t now_ns)
{
    struct span whole = span_of("x", 1);
    assert_int_equal(add(message, piece, now_ns, &whole), OK);
    assert_null(whole.data);
}

static void assert_whole(const struct message *message, uint32_t piece, uint64_t now_ns)
{
    struct span whole = {.data = NULL};
    assert_int_equal(add(message, piece, now_ns, &whole), OK);
    assert_int_equal(whole.size_bytes, message->size_bytes);
    assert_memory_equal(whole.data, body, message->size_bytes);
}

static void test_reassembly_passes_single_pieces_through(void **state)
{
    (void)state;
    struct message empty = {&alice, 1, 0};
    struct message full = {&alice, 2, PACKET_PAYLOAD_SIZE_BYTES_USUAL};
    struct span whole;
    assert_int_equal(add(&empty, 0, 1, &whole), OK);
    assert_int_equal(whole.size_bytes, 0);
    assert_whole(&full, 0, 2);
    assert_whole(&full, 0, 3); /* it takes no slot, so nothing is remembered */
}

static void test_reassembly_joins_pieces_in_any_order(void **state)
{
    (void)state;
    struct message largest = {&alice, 3, MESSAGE_SIZE_BYTES_MAX};
    uint32_t count = wire_piece_count(largest.size_bytes, PACKET_PAYLOAD_SIZE_BYTES_USUAL);
    assert_true(count <= MESSAGE_PIECES_MAX);
    uint32_t order[MESSAGE_PIECES_MAX];
    struct prng prng;
    prng_init(&prng, 1);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = (uint32_t)prng_range(&prng, 0, i);
        order[i] = order[at];
        order[at] = i;
    }
    for (uint32_t i = 0; i + 1 < count; i++)
        assert_missing(&largest, order[i], i);
    assert_whole(&largest, order[count - 1], count);
}

static void test_reassembly_refuses_a_piece_twice(void **state)
{
    (void)state;
    struct message message = {&alice, 4, 2 * PACKET_PAYLOAD_SIZE_BYTES_USUAL};
    struct span whole = span_of("x", 1);
    assert_missing(&message, 1, 1);
    assert_int_equal(add(&message, 1, 2, &whole), ERR_REPLAYED);
    assert_whole(&message, 0, 3);
    /* Done is remembered: a late copy does not begin the message again. */
    assert_int_equal(add(&message, 1, 4, &whole), ERR_REPLAYED);
    assert_int_equal(whole.size_bytes, 1);
}

static void test_reassembly_gives_out_again_what_its_first_piece_repeats(void **state)
{
    (void)state;
    struct message message = {&alice, 4, 2 * PACKET_PAYLOAD_SIZE_BYTES_USUAL};
    assert_missing(&message, 0, 11);
    assert_whole(&message, 1, 12);
    assert_true(reassembly_begun_ns(reassembly) == 11);
    assert_whole(&message, 0, 50);
    assert_true(reassembly_begun_ns(reassembly) == 11); /* it says how old the message is */
    assert_true(reassembly_ask_ns(reassembly) == UINT64_MAX ||
                !reassembly_ask(reassembly, UINT64_MAX - 1, &(struct reassembly_ask){0}));
}

static void test_reassembly_refuses_a_contradiction_and_keeps_what_was_there(void **state)
{
    (void)state;
    struct message message = {&alice, 5, 3 * PACKET_PAYLOAD_SIZE_BYTES_USUAL};
    struct message liar = {&alice, 5, 3 * PACKET_PAYLOAD_SIZE_BYTES_USUAL - 1};
    struct span whole;
    assert_missing(&message, 0, 1);
    assert_missing(&message, 1, 2);
    assert_int_equal(add(&liar, 2, 3, &whole), ERR_RANGE);
    assert_whole(&message, 2, 4);
}

static void test_reassembly_tells_senders_apart(void **state)
{
    (void)state;
    struct message from_alice = {&alice, 6, 2 * PACKET_PAYLOAD_SIZE_BYTES_USUAL};
    struct message from_bob = {&bob, 6, 2 * PACKET_PAYLOAD_SIZE_BYTES_USUAL - 9};
    assert_missing(&from_alice, 0, 1);
    assert_missing(&from_bob, 0, 2);
    assert_whole(&from_alice, 1, 3);
    assert_whole(&from_bob, 1, 4);
}

static void test_reassembly_gives_up_the_longest_idle(void **state)
{
    (void)state;
    struct message first = {&alice, 7, 3 * PACKET_PAYLOAD_SIZE_BYTES_USUAL};
    struct message second = {&alice, 8, 2 * PACKET_PAYLOAD_SIZE_BYTES_USUAL};
    struct message third = {&alice, 9, 2 * PACKET_PAYLOAD_SIZE_BYTES_USUAL};
    uint64_t before = reassembly_evictions(reassembly);
    assert_missing(&first, 0, 1);
    assert_missing(&second, 0, 2);
    assert_missing(&first, 1, 3); /* now the second is the longest idle */
    assert_missing(&third, 0, 4);
    assert_int_equal(reassembly_evictions(reassembly), before + 1);
    assert_whole(&first, 2, 5);
    /* A done slot gives way before a filling one. */
    assert_missing(&second, 0, 6);
    assert_int_equal(reassembly_evictions(reassembly), before + 1);
    assert_whole(&third, 1, 7);
    assert_whole(&second, 1, 8); /* the retransmission brought it all again */
}

/* Whoever begins message after message and ends none pushes out his own: from one address, from
 * several ports of a host, and not those of a host that has fewer. */
static void test_reassembly_gives_up_what_its_host_has_most_of(void **state)
{
    (void)state;
    static const struct address others[] = {
        {.ip = {9}, .port = 1}, {.ip = {9}, .port = 2}, {.ip = {9}, .port = 3}};
    struct message honest = {&alice, 7, 3 * PACKET_PAYLOAD_SIZE_BYTES_USUAL};
    uint64_t before = reassembly_evictions(reassembly);
    uint64_t own = reassembly_evictions_own(reassembly);
    assert_missing(&honest, 0, 1);
    for (uint64_t i = 0; i < 100; i++) {
        struct message half = {&others[i < 50 ? 0 : i % 3], 100 + i,
                               2 * PACKET_PAYLOAD_SIZE_BYTES_USUAL};
        assert_missing(&half, 0, 2 + i);
    }
    assert_int_equal(reassembly_evictions(reassembly), before + 99);
    assert_int_equal(reassembly_evictions_own(reassembly), own + 49);
    assert_missing(&honest, 1, 200);
    assert_whole(&honest, 2, 201);
    /* What is done counts for nobody: the next two of the same host fill both slots, one of them is
     * pushed out by somebody who has none. */
    struct message again = {&others[0], 300, 2 * PACKET_PAYLOAD_SIZE_BYTES_USUAL};
    assert_missing(&again, 0, 202);
    honest.id = 8;
    assert_missing(&honest, 0, 203);
    assert_missing(&honest, 1, 204);
    assert_whole(&honest, 2, 205);
}

/* Messages of hosts that say no more make way for those of one that has more of them. */
static void test_reassembly_gives_up_what_nobody_goes_on_with(void **state)
{
    (void)state;
    static const struct address others[] = {{.ip = {9}, .port = 1}, {.ip = {8}, .port = 1}};
    struct message left[] = {{&others[0], 7, 3 * PACKET_PAYLOAD_SIZE_BYTES_USUAL},
                             {&others[1], 8, 3 * PACKET_PAYLOAD_SIZE_BYTES_USUAL}};
    struct message first = {&alice, 7, 2 * PACKET_PAYLOAD_SIZE_BYTES_USUAL};
    struct message second = {&alice, 8, 2 * PACKET_PAYLOAD_SIZE_BYTES_USUAL};
    const uint64_t later = 500000010;
    assert_missing(&left[0], 0, 1);
    assert_missing(&left[1], 0, 2);
    assert_missing(&first, 0, later);
    assert_missing(&second, 0, later);
    assert_whole(&first, 1, later + 1);
    assert_whole(&second, 1, later + 1);
}

static void test_reassembly_puts_pieces_where_their_size_says(void **state)
{
    (void)state;
    static uint8_t bytes[PACKET_SIZE_BYTES_USUAL];
    const size_t size_bytes = 3 * PIECE_SIZE_BYTES_MIN - 5;
    struct wire_message_header header = {.type = WIRE_WRITE,
                                         .piece_size_bytes = PIECE_SIZE_BYTES_MIN,
                                         .cluster_id = CLUSTER,
                                         .message_id = 77};
    struct span whole = {.data = NULL};
    struct wire_packet packet;
    for (uint32_t piece = 3; piece-- > 0;) {
        uint32_t size = wire_piece_encode(bytes, &keys, &header, span_of(body, size_bytes), piece);
        assert_int_equal(wire_packet_decode(span_of(bytes, size), &keys, CLUSTER, &packet), OK);
        assert_int_equal(reassembly_add(reassembly, &alice, &packet, piece, &whole), OK);
    }
    assert_true(span_is_equal(whole, span_of(body, size_bytes)));
}

static void test_reassembly_refuses_a_piece_of_another_size(void **state)
{
    (void)state;
    static uint8_t bytes[PACKET_SIZE_BYTES_USUAL];
    struct wire_message_header header = {.type = WIRE_WRITE,
                                         .piece_size_bytes = PIECE_SIZE_BYTES_MIN,
                                         .cluster_id = CLUSTER,
                                         .message_id = 78};
    struct span message = span_of(body, 2 * PIECE_SIZE_BYTES_MIN);
    struct span whole = {.data = NULL};
    struct wire_packet packet;
    uint32_t size = wire_piece_encode(bytes, &keys, &header, message, 0);
    assert_int_equal(wire_packet_decode(span_of(bytes, size), &keys, CLUSTER, &packet), OK);
    assert_int_equal(reassembly_add(reassembly, &alice, &packet, 1, &whole), OK);
    header.piece_size_bytes++;
    size = wire_piece_encode(bytes, &keys, &header, message, 1);
    assert_int_equal(wire_packet_decode(span_of(bytes, size), &keys, CLUSTER, &packet), OK);
    assert_int_equal(reassembly_add(reassembly, &alice, &packet, 1, &whole), ERR_RANGE);
    assert_null(whole.data);
}

#define WAIT_NS UINT64_C(1000000) /* for a new piece, before the missing ones are asked for */

static void test_reassembly_asks_for_what_is_missing(void **state)
{
    (void)state;
    struct message message = {&alice, 10, 8 * PACKET_PAYLOAD_SIZE_BYTES_USUAL};
    struct reassembly_ask ask = {0};
    assert_true(reassembly_ask_ns(reassembly) == UINT64_MAX);
    assert_missing(&message, 1, 5000);
    assert_missing(&message, 3, 6000);
    assert_missing(&message, 4, 7000);
    assert_true(reassembly_ask_ns(reassembly) <= 7000 + WAIT_NS);
    assert_false(reassembly_ask(reassembly, 7000 + WAIT_NS - 1, &ask));
    assert_true(reassembly_ask(reassembly, 7000 + WAIT_NS, &ask));
    assert_true(address_is_equal(&ask.to, &alice));
    assert_true(ask.missing.message_id == 10 && ask.missing.age_us == (2000 + WAIT_NS) / 1000);
    static const struct wire_piece_range gaps[] = {{0, 1}, {2, 1}, {5, 3}};
    assert_int_equal(ask.missing.range_count, 3);
    assert_memory_equal(ask.missing.ranges, gaps, sizeof(gaps));
    assert_false(reassembly_ask(reassembly, 7000 + WAIT_NS, &ask));
    assert_int_equal(reassembly_asks(reassembly), 1);
}

/* Each time in vain the wait doubles, and there is an end to it; a new piece begins anew. */
static void test_reassembly_asks_less_often_in_vain(void **state)
{
    (void)state;
    struct message message = {&alice, 11, 20 * PACKET_PAYLOAD_SIZE_BYTES_USUAL};
    struct reassembly_ask ask;
    for (uint32_t piece = 0; piece < 18; piece++)
        assert_missing(&message, piece, 0);
    uint64_t now_ns = 0;
    uint64_t wait_ns = WAIT_NS;
    for (uint32_t i = 0; i < 8; i++) {
        now_ns += wait_ns;
        assert_false(reassembly_ask(reassembly, now_ns - 1, &ask));
        assert_true(reassembly_ask(reassembly, now_ns, &ask));
        wait_ns *= i < 5 ? 2 : 1;
    }
    assert_true(reassembly_ask_ns(reassembly) == UINT64_MAX);
    assert_missing(&message, 18, now_ns);
    assert_true(reassembly_ask(reassembly, now_ns + WAIT_NS, &ask));
    assert_int_equal(ask.missing.range_count, 1);
    assert_int_equal(ask.missing.ranges[0].first, 19);
}

/* What a stranger sends in the name of another brings that one no more packets than it took. */
static void test_reassembly_asks_no_more_often_than_pieces_came(void **state)
{
    (void)state;
    struct message message = {&alice, 12, 9 * PACKET_PAYLOAD_SIZE_BYTES_USUAL};
    struct reassembly_ask ask;
    assert_missing(&message, 3, 0);
    assert_missing(&message, 5, 0);
    assert_true(reassembly_ask(reassembly, WAIT_NS, &ask));
    assert_true(reassembly_ask(reassembly, 10 * WAIT_NS, &ask));
    assert_true(reassembly_ask_ns(reassembly) == UINT64_MAX);
    assert_false(reassembly_ask(reassembly, 1000 * WAIT_NS, &ask));
}

/* The sender repeats the message by its first piece: that pays for one more question. */
static void test_reassembly_asks_again_when_the_first_piece_comes_again(void **state)
{
    (void)state;
    struct message message = {&alice, 13, 3 * PACKET_PAYLOAD_SIZE_BYTES_USUAL};
    struct reassembly_ask ask;
    struct span whole = {.data = NULL};
    assert_missing(&message, 0, 0);
    assert_true(reassembly_ask(reassembly, WAIT_NS, &ask));
    assert_true(reassembly_ask_ns(reassembly) == UINT64_MAX);
    assert_int_equal(add(&message, 0, 20 * WAIT_NS, &whole), ERR_REPLAYED);
    assert_true(reassembly_ask(reassembly, 21 * WAIT_NS, &ask));
    assert_int_equal(ask.missing.ranges[0].first, 1);
    assert_int_equal(ask.missing.ranges[0].count, 2);
    assert_missing(&message, 2, 22 * WAIT_NS);
    assert_whole(&message, 1, 22 * WAIT_NS);
    assert_false(reassembly_ask(reassembly, 1000 * WAIT_NS, &ask));
}

static void test_reassembly_asks_for_the_first_gaps_of_many(void **state)
{
    (void)state;
    struct message message = {&alice, 14, 300 * PACKET_PAYLOAD_SIZE_BYTES_USUAL};
    struct reassembly_ask ask;
    for (uint32_t piece = 0; piece < 300; piece += 2)
        assert_missing(&message, piece, 0);
    assert_true(reassembly_ask(reassembly, WAIT_NS, &ask));
    assert_int_equal(ask.missing.range_count, MISSING_RANGES_MAX);
    assert_int_equal(ask.missing.ranges[MISSING_RANGES_MAX - 1].first, 2 * MISSING_RANGES_MAX - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_reassembly_passes_single_pieces_through, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_reassembly_joins_pieces_in_any_order, setup, teardown),
        cmocka_unit_test_setup_teardown(test_reassembly_refuses_a_piece_twice, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_reassembly_gives_out_again_what_its_first_piece_repeats, setup, teardown),
        cmocka_unit_test_setup_teardown(test_reassembly_asks_for_what_is_missing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_reassembly_asks_less_often_in_vain, setup, teardown),
        cmocka_unit_test_setup_teardown(test_reassembly_asks_no_more_often_than_pieces_came, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_reassembly_asks_again_when_the_first_piece_comes_again,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_reassembly_asks_for_the_first_gaps_of_many, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            test_reassembly_refuses_a_contradiction_and_keeps_what_was_there, setup, teardown),
        cmocka_unit_test_setup_teardown(test_reassembly_tells_senders_apart, setup, teardown),
        cmocka_unit_test_setup_teardown(test_reassembly_gives_up_the_longest_idle, setup, teardown),
        cmocka_unit_test_setup_teardown(test_reassembly_gives_up_what_its_host_has_most_of, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_reassembly_gives_up_what_nobody_goes_on_with, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_reassembly_puts_pieces_where_their_size_says, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_reassembly_refuses_a_piece_of_another_size, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
