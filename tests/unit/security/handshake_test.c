/* The handshake: known messages and keys (hashlib.blake2b), every bit of both messages counts, and
 * each error has its cause. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "security/handshake.h"

static struct handshake_secret shared;
static struct handshake handshake;
static uint8_t initiation[HANDSHAKE_INITIATION_BYTES];
static uint8_t response[HANDSHAKE_RESPONSE_BYTES];

static struct handshake_initiation asked(void)
{
    struct handshake_initiation message = {.key_id = 9,
                                           .initiator = HANDSHAKE_NODE,
                                           .attempt = 5,
                                           .incarnation = 77,
                                           .association = 0xabcd};
    for (uint32_t i = 0; i < HANDSHAKE_RANDOM_BYTES; i++)
        message.random[i] = (uint8_t)(100 + i);
    return message;
}

static struct handshake_response answered(void)
{
    struct handshake_response message = {.key_id = 9,
                                         .answer = HANDSHAKE_AGREED,
                                         .association = 0x4321,
                                         .attempt = 5,
                                         .incarnation = 88};
    for (uint32_t i = 0; i < HANDSHAKE_RANDOM_BYTES; i++)
        message.random[i] = (uint8_t)(200 + i);
    return message;
}

static struct span initiation_bytes(void)
{
    return span_of(initiation, sizeof(initiation));
}

static struct span response_bytes(void)
{
    return span_of(response, sizeof(response));
}

static int setup(void **state)
{
    (void)state;
    struct secret root;
    struct secret nodes;
    for (uint32_t i = 0; i < SECRET_SIZE_BYTES; i++)
        root.bytes[i] = (uint8_t)i;
    secret_of_nodes(&root, &nodes);
    handshake_secret_of(&nodes, &shared);
    handshake = (struct handshake){.secret = &shared,
                                   .context = {.cluster_id = UINT64_C(0x1122334455667788),
                                               .shard = 3,
                                               .initiator = 1,
                                               .responder = 2}};
    const struct handshake_initiation ask = asked();
    const struct handshake_response answer = answered();
    handshake_initiation_encode(initiation, &handshake, &ask);
    handshake_response_encode(response, &handshake, initiation_bytes(), &answer);
    return 0;
}

static void test_handshake_messages_and_keys_are_known(void **state)
{
    (void)state;
    static const uint8_t initiation_tag[16] = {0xe9, 0xe2, 0xfc, 0xba, 0x6c, 0x66, 0xd7, 0x53,
                                               0x47, 0x04, 0xfc, 0xc1, 0x72, 0x88, 0xbd, 0x1a};
    static const uint8_t response_tag[16] = {0xe5, 0x24, 0x0c, 0x05, 0x8a, 0x51, 0xb4, 0xa6,
                                             0x4e, 0x93, 0x73, 0xac, 0x20, 0x35, 0x3e, 0x13};
    static const struct seal_secret to_responder = {{0x73, 0x24, 0x7e, 0x52, 0x7c, 0x11, 0xa4, 0x9a,
                                                     0x6a, 0xf3, 0xb2, 0x88, 0xe4, 0xd1, 0x82,
                                                     0xbf},
                                                    {0x6a, 0xe9, 0x21, 0xb0}};
    static const struct seal_secret to_initiator = {{0x24, 0xf7, 0x7d, 0x9a, 0x94, 0x10, 0x9d, 0x1b,
                                                     0x57, 0x4b, 0xb6, 0x1b, 0xe0, 0x04, 0xea,
                                                     0xa9},
                                                    {0x5f, 0x7c, 0xdb, 0x24}};
    struct handshake_traffic traffic;
    assert_memory_equal(initiation + 144, initiation_tag, 16);
    assert_memory_equal(response + 64, response_tag, 16);
    handshake_agree(&handshake, initiation_bytes(), response_bytes(), &traffic);
    assert_memory_equal(&traffic.to_responder, &to_responder, sizeof(to_responder));
    assert_memory_equal(&traffic.to_initiator, &to_initiator, sizeof(to_initiator));
}

static void test_handshake_messages_are_read_as_written(void **state)
{
    (void)state;
    struct handshake_initiation ask;
    struct handshake_response answer;
    const struct handshake_initiation expected_ask = asked();
    const struct handshake_response expected_answer = answered();
    assert_int_equal(handshake_initiation_decode(initiation_bytes(), &ask), OK);
    assert_int_equal(handshake_initiation_check(initiation_bytes(), &handshake), OK);
    assert_memory_equal(&ask, &expected_ask, sizeof(ask));
    assert_int_equal(handshake_response_decode(response_bytes(), &answer), OK);
    assert_int_equal(handshake_response_check(response_bytes(), &handshake, initiation_bytes()),
                     OK);
    assert_memory_equal(answer.random, expected_answer.random, sizeof(answer.random));
    assert_int_equal(answer.association, expected_answer.association);
    assert_true(answer.attempt == 5 && answer.incarnation == 88 && answer.key_id == 9);
}

static void test_handshake_of_a_client_has_its_name(void **state)
{
    (void)state;
    struct handshake_initiation ask = asked();
    struct handshake_initiation read;
    ask.initiator = HANDSHAKE_CLIENT;
    ask.generation = 12;
    ask.name_bytes = KEY_NAME_BYTES_MAX;
    memset(ask.name, 'n', KEY_NAME_BYTES_MAX);
    handshake.context.initiator = 0;
    handshake.context.responder = 0;
    handshake_initiation_encode(initiation, &handshake, &ask);
    assert_int_equal(handshake_initiation_decode(initiation_bytes(), &read), OK);
    assert_int_equal(handshake_initiation_check(initiation_bytes(), &handshake), OK);
    assert_memory_equal(&read, &ask, sizeof(ask));
}

/* Every byte of both messages is covered by its tag, and every part of the context. */
static void test_handshake_finds_each_changed_bit(void **state)
{
    (void)state;
    for (uint32_t bit = 0; bit < 8 * sizeof(initiation); bit++) {
        initiation[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_equal(handshake_initiation_check(initiation_bytes(), &handshake), ERR_FORGED);
        assert_int_equal(handshake_response_check(response_bytes(), &handshake, initiation_bytes()),
                         ERR_FORGED);
        initiation[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    for (uint32_t bit = 0; bit < 8 * sizeof(response); bit++) {
        response[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_equal(handshake_response_check(response_bytes(), &handshake, initiation_bytes()),
                         ERR_FORGED);
        response[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

static void test_handshake_is_of_one_context(void **state)
{
    (void)state;
    struct handshake others[4] = {handshake, handshake, handshake, handshake};
    others[0].context.cluster_id++;
    others[1].context.shard++;
    others[2].context.initiator++;
    others[3].context.responder++;
    for (uint32_t i = 0; i < 4; i++) {
        assert_int_equal(handshake_initiation_check(initiation_bytes(), &others[i]), ERR_FORGED);
        assert_int_equal(handshake_response_check(response_bytes(), &others[i], initiation_bytes()),
                         ERR_FORGED);
    }
}

static void test_handshake_needs_the_secret(void **state)
{
    (void)state;
    const struct secret wrong = {{1}};
    struct handshake_secret wrong_shared;
    handshake_secret_of(&wrong, &wrong_shared);
    handshake.secret = &wrong_shared;
    assert_int_equal(handshake_initiation_check(initiation_bytes(), &handshake), ERR_FORGED);
    assert_int_equal(handshake_response_check(response_bytes(), &handshake, initiation_bytes()),
                     ERR_FORGED);
}

/* Whatever one side repeats, the other side's random bytes make the keys new ones. */
static void test_handshake_gives_new_keys_if_one_side_is_new(void **state)
{
    (void)state;
    struct handshake_traffic traffic[3];
    struct handshake_initiation ask = asked();
    struct handshake_response answer = answered();
    handshake_agree(&handshake, initiation_bytes(), response_bytes(), &traffic[0]);
    answer.random[31] ^= 1;
    handshake_response_encode(response, &handshake, initiation_bytes(), &answer);
    handshake_agree(&handshake, initiation_bytes(), response_bytes(), &traffic[1]);
    answer.random[31] ^= 1;
    ask.random[0] ^= 1;
    handshake_initiation_encode(initiation, &handshake, &ask);
    handshake_response_encode(response, &handshake, initiation_bytes(), &answer);
    handshake_agree(&handshake, initiation_bytes(), response_bytes(), &traffic[2]);
    for (uint32_t i = 0; i < 3; i++) {
        assert_memory_not_equal(&traffic[i].to_responder, &traffic[i].to_initiator,
                                sizeof(struct seal_secret));
        for (uint32_t j = 0; j < i; j++) {
            assert_memory_not_equal(traffic[i].to_responder.key, traffic[j].to_responder.key, 16);
            assert_memory_not_equal(traffic[i].to_initiator.key, traffic[j].to_initiator.key, 16);
        }
    }
}

static void test_handshake_cookie_answers_one_initiation(void **state)
{
    (void)state;
    static const uint8_t cookie[COOKIE_SIZE_BYTES] = {1, 2, 3, 4};
    struct handshake_response answer;
    handshake_cookie_encode(response, initiation_bytes(), cookie);
    assert_int_equal(handshake_response_decode(response_bytes(), &answer), OK);
    assert_int_equal(answer.answer, HANDSHAKE_COOKIE);
    assert_memory_equal(answer.random, cookie, sizeof(cookie));
    assert_int_equal(handshake_response_check(response_bytes(), &handshake, initiation_bytes()),
                     OK);
    /* Whoever has not seen the initiation cannot know its tag. */
    response[70] ^= 1;
    assert_int_equal(handshake_response_check(response_bytes(), &handshake, initiation_bytes()),
                     ERR_FORGED);
    response[70] ^= 1;
    response[9] ^= 1;
    assert_int_equal(handshake_response_check(response_bytes(), &handshake, initiation_bytes()),
                     ERR_FORGED);
}

static void expect_initiation(uint32_t offset, uint8_t byte, enum error error)
{
    struct handshake_initiation read = {.key_id = 0xee};
    uint8_t kept = initiation[offset];
    initiation[offset] = byte;
    assert_int_equal(handshake_initiation_decode(initiation_bytes(), &read), error);
    assert_int_equal(read.key_id, 0xee);
    initiation[offset] = kept;
}

static void test_handshake_refuses_malformed_initiations(void **state)
{
    (void)state;
    struct handshake_initiation read;
    uint8_t longer[HANDSHAKE_INITIATION_BYTES + 1] = {0};
    memcpy(longer, initiation, sizeof(initiation));
    assert_int_equal(handshake_initiation_decode(span_of(longer, sizeof(longer)), &read),
                     ERR_TRAILING);
    for (size_t size = 0; size < sizeof(initiation); size++)
        assert_int_equal(handshake_initiation_decode(span_of(initiation, size), &read), ERR_SHORT);
    expect_initiation(0, 2, ERR_VERSION);
    expect_initiation(1, 0, ERR_KEY);
    expect_initiation(2, 0, ERR_TYPE);
    expect_initiation(2, 3, ERR_TYPE);
    expect_initiation(2, HANDSHAKE_CLIENT, ERR_RANGE); /* without a name */
    expect_initiation(3, 1, ERR_RESERVED);
    expect_initiation(4, 1, ERR_RESERVED);
    expect_initiation(28, 1, ERR_RANGE); /* a node has none */
    expect_initiation(28, 64, ERR_RANGE);
    expect_initiation(29, 1, ERR_RESERVED);
    expect_initiation(127, 1, ERR_RESERVED);
}

static void expect_response(uint32_t offset, uint8_t byte, enum error error)
{
    struct handshake_response read = {.key_id = 0xee};
    uint8_t kept = response[offset];
    response[offset] = byte;
    assert_int_equal(handshake_response_decode(response_bytes(), &read), error);
    assert_int_equal(read.key_id, 0xee);
    response[offset] = kept;
}

static void test_handshake_refuses_malformed_responses(void **state)
{
    (void)state;
    static const uint8_t cookie[COOKIE_SIZE_BYTES] = {1};
    struct handshake_response read;
    uint8_t longer[HANDSHAKE_RESPONSE_BYTES + 1] = {0};
    memcpy(longer, response, sizeof(response));
    assert_int_equal(handshake_response_decode(span_of(longer, sizeof(longer)), &read),
                     ERR_TRAILING);
    for (size_t size = 0; size < sizeof(response); size++)
        assert_int_equal(handshake_response_decode(span_of(response, size), &read), ERR_SHORT);
    expect_response(0, 2, ERR_VERSION);
    expect_response(1, 0, ERR_KEY);
    expect_response(2, 0, ERR_TYPE);
    expect_response(3, 1, ERR_RESERVED);
    expect_response(24, 1, ERR_RESERVED);
    handshake_cookie_encode(response, initiation_bytes(), cookie);
    expect_response(4, 1, ERR_RESERVED);
    expect_response(16, 1, ERR_RESERVED);
    expect_response(48, 1, ERR_RESERVED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_handshake_messages_and_keys_are_known, setup),
        cmocka_unit_test_setup(test_handshake_messages_are_read_as_written, setup),
        cmocka_unit_test_setup(test_handshake_of_a_client_has_its_name, setup),
        cmocka_unit_test_setup(test_handshake_finds_each_changed_bit, setup),
        cmocka_unit_test_setup(test_handshake_is_of_one_context, setup),
        cmocka_unit_test_setup(test_handshake_needs_the_secret, setup),
        cmocka_unit_test_setup(test_handshake_gives_new_keys_if_one_side_is_new, setup),
        cmocka_unit_test_setup(test_handshake_cookie_answers_one_initiation, setup),
        cmocka_unit_test_setup(test_handshake_refuses_malformed_initiations, setup),
        cmocka_unit_test_setup(test_handshake_refuses_malformed_responses, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
