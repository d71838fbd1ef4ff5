/* Clients of one shard, played by their handshakes: who is answered, what opens, what is sealed for
 * whom, and each error has its cause. */
#include "server/client_seals.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "wire/wire_packet.h"

#define CLUSTER UINT64_C(0x1122334455667788)
#define SHARD   5
#define MS      UINT64_C(1000000)

/* A client, and what it agreed on last. */
struct player {
    struct address address;
    struct handshake_secret secret;
    const char *name;
    uint8_t key_id;
    uint32_t association;
    uint8_t initiation[HANDSHAKE_INITIATION_BYTES];
    uint8_t response[HANDSHAKE_RESPONSE_BYTES];
    uint32_t their_association;
    struct seal_tx tx;
    struct seal_rx rx;
};

struct parcel {
    uint8_t data[PACKET_SIZE_BYTES_MAX];
    uint32_t size_bytes;
};

static struct seal_engine engine;
static struct fork_guard guard;
static struct arena arena;
static struct security_options security;
static struct client_seals *seals;
static uint64_t now_ns;
static uint8_t drawn;
static struct player alice;
static struct player bob;

static const struct secret roots[2] = {{{1, 2, 3}}, {{4, 5, 6}}};

static void node_start(void)
{
    const struct peer_seals_options options = {.security = &security,
                                               .engine = &engine,
                                               .guard = &guard,
                                               .cluster_id = CLUSTER,
                                               .shard = SHARD,
                                               .incarnation = 9,
                                               .now_ns = now_ns};
    if (seals != NULL)
        arena_deinit(&arena);
    security.seed.bytes[0]++;
    assert_int_equal(arena_init(&arena, client_seals_arena_bytes()), OK);
    seals = client_seals_init(&arena, &options);
    arena_seal(&arena);
}

static struct player player_make(const char *name, uint8_t host, uint8_t key)
{
    struct secret secret;
    struct player player = {
        .address = {.ip = {10, host}, .port = 4000}, .name = name, .key_id = (uint8_t)(key + 1)};
    secret_of_client(&roots[key], span_of(name, strlen(name)), 0, &secret);
    handshake_secret_of(&secret, &player.secret);
    return player;
}

static int setup(void **state)
{
    (void)state;
    if (seal_engine_init(&engine) != OK || fork_guard_init(&guard) != OK)
        return -1;
    now_ns = 1000 * MS;
    security = (struct security_options){.clients = SECURITY_REQUIRED,
                                         .keys = {{.id = 1, .root = roots[0]}}};
    node_start();
    alice = player_make("alice", 1, 0);
    bob = player_make("bob", 2, 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_deinit(&arena);
    seals = NULL;
    fork_guard_deinit(&guard);
    return 0;
}

static struct handshake handshake_of(const struct player *player)
{
    return (struct handshake){.secret = &player->secret,
                              .context = {.cluster_id = CLUSTER, .shard = SHARD}};
}

static void player_asks(struct player *player, const uint8_t *cookie)
{
    const struct handshake handshake = handshake_of(player);
    struct handshake_initiation initiation = {.key_id = player->key_id,
                                              .initiator = HANDSHAKE_CLIENT,
                                              .attempt = 1,
                                              .incarnation = 77,
                                              .association = ++player->association,
                                              .name_bytes = (uint32_t)strlen(player->name)};
    initiation.random[0] = ++drawn;
    memcpy(initiation.name, player->name, initiation.name_bytes);
    if (cookie != NULL)
        memcpy(initiation.cookie, cookie, COOKIE_SIZE_BYTES);
    handshake_initiation_encode(player->initiation, &handshake, &initiation);
}

static enum error node_answers(struct player *player)
{
    const struct peer_seals_question question = {
        .from = player->address,
        .initiation = span_of(player->initiation, sizeof(player->initiation)),
        .now_ns = now_ns};
    return client_seals_answer(seals, &question, player->response);
}

static void player_agrees(struct player *player)
{
    const struct handshake handshake = handshake_of(player);
    const struct span initiation = span_of(player->initiation, sizeof(player->initiation));
    const struct span response = span_of(player->response, sizeof(player->response));
    struct handshake_response decoded;
    struct handshake_traffic traffic;
    assert_int_equal(handshake_response_decode(response, &decoded), OK);
    assert_int_equal(handshake_response_check(response, &handshake, initiation), OK);
    assert_int_equal(decoded.answer, HANDSHAKE_AGREED);
    handshake_agree(&handshake, initiation, response, &traffic);
    player->their_association = decoded.association;
    seal_tx_init(&player->tx, &engine, &traffic.to_responder);
    seal_rx_init(&player->rx, &engine, &traffic.to_initiator);
}

static struct seal_packet layout_of(struct parcel *parcel, bool is_encrypted)
{
    return (struct seal_packet){.data = parcel->data,
                                .size_bytes = parcel->size_bytes,
                                .clear_bytes =
                                    is_encrypted ? PACKET_HEADER_SIZE_BYTES : parcel->size_bytes,
                                .tag_offset = SEAL_TAG_OFFSET};
}

static void parcel_make(struct parcel *parcel, uint16_t sender)
{
    const struct wire_keys keys = {.is_sealed = true};
    const struct wire_message_header header = {.type = WIRE_HELLO,
                                               .shard = SHARD,
                                               .sender = sender,
                                               .piece_size_bytes = PACKET_PAYLOAD_SIZE_BYTES_MAX,
                                               .cluster_id = CLUSTER,
                                               .message_id = 1};
    parcel->size_bytes = wire_piece_encode(parcel->data, &keys, &header, span_of("text", 4), 0);
}

static void player_seals(struct player *player, struct parcel *parcel)
{
    struct wire_seal seal = {.association = player->their_association, .key_id = player->key_id};
    parcel_make(parcel, 0);
    assert_int_equal(seal_tx_number(&player->tx, &guard, &seal.number), OK);
    wire_seal_write(parcel->data, &seal);
    const struct seal_packet layout = layout_of(parcel, false);
    seal_packet_close(&engine, &player->tx, &layout);
}

static enum error node_opens(const struct player *from, const struct parcel *parcel)
{
    struct parcel copy = *parcel;
    enum error error = client_seals_open(
        seals, &from->address, (struct client_packet){copy.data, copy.size_bytes}, now_ns);
    if (error == OK)
        assert_memory_equal(copy.data + PACKET_HEADER_SIZE_BYTES, "text", 4);
    return error;
}

/* What the node seals for the player. */
static void expect_answer(struct player *player)
{
    struct parcel parcel;
    struct wire_seal seal;
    parcel_make(&parcel, 2);
    assert_true(client_seals_is_ready(seals, &player->address));
    assert_int_equal(client_seals_close(seals, &player->address,
                                        (struct client_packet){parcel.data, parcel.size_bytes}),
                     OK);
    assert_true(wire_seal_read(span_of(parcel.data, parcel.size_bytes), &seal));
    assert_int_equal(seal.association, player->association);
    assert_int_equal(seal.key_id, player->key_id);
    assert_int_equal(seal.is_encrypted, security.is_encrypted);
    const struct seal_packet layout = layout_of(&parcel, seal.is_encrypted);
    assert_int_equal(seal_packet_open(&engine, &player->rx, seal.number, &layout), OK);
    assert_memory_equal(parcel.data + PACKET_HEADER_SIZE_BYTES, "text", 4);
}

static void join(struct player *player)
{
    struct parcel parcel;
    player_asks(player, NULL);
    assert_int_equal(node_answers(player), OK);
    player_agrees(player);
    player_seals(player, &parcel);
    assert_int_equal(node_opens(player, &parcel), OK);
    assert_int_equal(node_opens(player, &parcel), ERR_REPLAYED);
}

static void test_client_seals_carry_packets_both_ways(void **state)
{
    (void)state;
    struct parcel parcel;
    assert_int_equal(client_seals_mode(seals), SECURITY_REQUIRED);
    for (uint32_t i = 0; i < 2; i++) {
        security.is_encrypted = i == 1;
        node_start();
        join(&alice);
        join(&bob);
        for (uint32_t round = 0; round < 3; round++) {
            player_seals(&alice, &parcel);
            assert_int_equal(node_opens(&alice, &parcel), OK);
            expect_answer(&alice);
            expect_answer(&bob);
        }
        assert_int_equal(client_seals_counters(seals)->confirmed, 2);
    }
}

static void test_client_seals_are_of_one_address(void **state)
{
    (void)state;
    struct parcel parcel;
    join(&alice);
    join(&bob);
    player_seals(&alice, &parcel);
    assert_int_equal(node_opens(&bob, &parcel), ERR_NOT_FOUND);
    struct player moved = alice;
    moved.address.port++;
    assert_int_equal(node_opens(&moved, &parcel), ERR_NOT_FOUND);
    assert_false(client_seals_is_ready(seals, &moved.address));
    assert_int_equal(node_opens(&alice, &parcel), OK);
}

static void test_client_seals_find_each_changed_bit(void **state)
{
    (void)state;
    struct parcel parcel;
    join(&alice);
    player_seals(&alice, &parcel);
    for (uint32_t bit = 0; bit < 8 * parcel.size_bytes; bit++) {
        parcel.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_not_equal(node_opens(&alice, &parcel), OK);
        parcel.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    parcel.size_bytes = PACKET_HEADER_SIZE_BYTES - 1;
    assert_int_equal(node_opens(&alice, &parcel), ERR_SHORT);
    parcel.size_bytes = PACKET_HEADER_SIZE_BYTES + 4;
    memset(parcel.data + 8, 0, 8);
    assert_int_equal(node_opens(&alice, &parcel), ERR_RANGE);
}

/* Whoever replays an initiation cannot seal: what the address has stays. */
static void test_client_seals_keep_their_keys_until_others_are_shown(void **state)
{
    (void)state;
    struct parcel before;
    struct parcel parcel;
    struct player again = alice;
    join(&alice);
    memcpy(again.initiation, alice.initiation, sizeof(again.initiation));
    again.address = alice.address;
    assert_int_equal(node_answers(&again), OK);
    assert_memory_not_equal(again.response, alice.response, sizeof(again.response));
    player_seals(&alice, &parcel);
    assert_int_equal(node_opens(&alice, &parcel), OK);
    expect_answer(&alice);
    /* The client itself asks anew: the first packet under the new keys ends the old ones. */
    player_seals(&alice, &before);
    struct player anew = alice;
    player_asks(&anew, NULL);
    assert_int_equal(node_answers(&anew), OK);
    player_agrees(&anew);
    expect_answer(&alice);
    player_seals(&anew, &parcel);
    assert_int_equal(node_opens(&anew, &parcel), OK);
    expect_answer(&anew);
    assert_int_equal(node_opens(&alice, &before), ERR_NOT_FOUND);
}

static void test_client_seals_answer_the_same_initiation_the_same(void **state)
{
    (void)state;
    uint8_t first[HANDSHAKE_RESPONSE_BYTES];
    player_asks(&alice, NULL);
    assert_int_equal(node_answers(&alice), OK);
    memcpy(first, alice.response, sizeof(first));
    assert_int_equal(node_answers(&alice), OK);
    assert_memory_equal(alice.response, first, sizeof(first));
    /* Of another address it is another's. */
    struct player elsewhere = alice;
    elsewhere.address.port++;
    assert_int_equal(node_answers(&elsewhere), OK);
    assert_memory_not_equal(elsewhere.response, first, sizeof(first));
    assert_int_equal(client_seals_counters(seals)->answered, 3);
}

/* The ring of those who wait is short: who was pushed out asks again. */
static void test_client_seals_push_out_who_waits(void **state)
{
    (void)state;
    struct parcel parcel;
    player_asks(&alice, NULL);
    assert_int_equal(node_answers(&alice), OK);
    player_agrees(&alice);
    for (uint32_t i = 0; i < 64; i++) {
        player_asks(&bob, NULL);
        assert_int_equal(node_answers(&bob), OK);
    }
    player_seals(&alice, &parcel);
    assert_int_equal(node_opens(&alice, &parcel), ERR_NOT_FOUND);
    join(&alice);
}

static void test_client_seals_make_way_for_who_is_used(void **state)
{
    (void)state;
    join(&alice);
    join(&bob);
    struct player other = player_make("bob", 3, 0);
    for (uint16_t i = 0; i < 1022; i++) {
        now_ns += MS;
        other.address.port = (uint16_t)(5000 + i);
        join(&other);
    }
    struct parcel parcel;
    player_seals(&alice, &parcel);
    now_ns += MS;
    assert_int_equal(node_opens(&alice, &parcel), OK);
    assert_int_equal(client_seals_counters(seals)->evicted, 0);
    other.address.port = 4999;
    join(&other);
    assert_int_equal(client_seals_counters(seals)->evicted, 1);
    assert_false(client_seals_is_ready(seals, &bob.address));
    expect_answer(&alice);
    expect_answer(&other);
}

static void test_client_seals_forget_who_speaks_unsealed(void **state)
{
    (void)state;
    join(&alice);
    join(&bob);
    struct address proven = alice.address;
    proven.room = ADDRESS_PROVEN;
    assert_true(client_seals_note_plain(seals, &proven, now_ns));
    assert_true(client_seals_note_plain(seals, &proven, now_ns));
    assert_false(client_seals_is_ready(seals, &alice.address));
    expect_answer(&bob);
    join(&alice);
    expect_answer(&alice);
}

/* Whoever forges a client's address does not make the node forget the client's keys. A program that
 * shows no cookies has the address of one who is gone, in the end. */
static void test_client_seals_forget_nobody_for_a_forged_address(void **state)
{
    (void)state;
    struct address forged = {.port = 9};
    join(&alice);
    forged = alice.address;
    forged.room = 100;
    assert_false(client_seals_note_plain(seals, &forged, now_ns + 59 * 1000 * MS));
    expect_answer(&alice);
    assert_true(client_seals_note_plain(seals, &forged, now_ns + 60 * 1000 * MS));
    assert_false(client_seals_is_ready(seals, &alice.address));
}

static void test_client_seals_ask_for_cookies_in_a_flood(void **state)
{
    (void)state;
    struct handshake_response decoded;
    player_asks(&alice, NULL);
    alice.initiation[40] ^= 1;
    for (uint32_t i = 0; i < 256; i++)
        assert_int_equal(node_answers(&alice), ERR_FORGED);
    assert_int_equal(node_answers(&alice), OK); /* unseen */
    player_asks(&alice, NULL);
    assert_int_equal(node_answers(&alice), OK);
    assert_int_equal(client_seals_counters(seals)->cookies, 2);
    assert_int_equal(client_seals_counters(seals)->answered, 0);
    assert_int_equal(
        handshake_response_decode(span_of(alice.response, sizeof(alice.response)), &decoded), OK);
    assert_int_equal(decoded.answer, HANDSHAKE_COOKIE);
    player_asks(&bob, decoded.random); /* of another address */
    assert_int_equal(node_answers(&bob), OK);
    assert_int_equal(client_seals_counters(seals)->answered, 0);
    player_asks(&alice, decoded.random);
    assert_int_equal(node_answers(&alice), OK);
    player_agrees(&alice);
    now_ns += MS;
    join(&bob);
}

static void test_client_seals_answer_no_stranger(void **state)
{
    (void)state;
    struct player mallory = player_make("mallory", 4, 0);
    mallory.name = "alice"; /* has a key, and another's name */
    player_asks(&mallory, NULL);
    assert_int_equal(node_answers(&mallory), ERR_FORGED);
    player_asks(&alice, NULL);
    alice.initiation[4] = 1; /* of another generation */
    assert_int_equal(node_answers(&alice), ERR_FORGED);
    alice.initiation[4] = 0;
    alice.initiation[2] = HANDSHAKE_NODE;
    assert_int_equal(node_answers(&alice), ERR_RANGE); /* a node has no name */
    const struct handshake handshake = handshake_of(&alice);
    const struct handshake_initiation node = {.key_id = 1, .initiator = HANDSHAKE_NODE};
    handshake_initiation_encode(alice.initiation, &handshake, &node);
    assert_int_equal(node_answers(&alice), ERR_TYPE);
    struct player other = player_make("alice", 1, 1);
    player_asks(&other, NULL);
    assert_int_equal(node_answers(&other), ERR_KEY);
    assert_int_equal(client_seals_counters(seals)->refused, 5);
    assert_int_equal(client_seals_counters(seals)->answered, 0);
}

/* While the root key is replaced, clients of both are answered. */
static void test_client_seals_take_both_keys(void **state)
{
    (void)state;
    struct player other = player_make("carol", 6, 1);
    security.keys[1] = (struct security_key){.id = 2, .root = roots[1]};
    node_start();
    join(&alice);
    join(&other);
    expect_answer(&alice);
    expect_answer(&other);
}

/* A table with "alice", of this generation, who may read; she may write, too, in the second. */
static void rights_set(struct lane_rights *rights, uint32_t generation, bool may_write)
{
    static uint8_t data[VALUE_SIZE_BYTES_MAX];
    struct rights_builder builder;
    struct span bytes;
    rights_builder_begin(&builder, data);
    rights_builder_principal(&builder, span_of("alice", 5), generation);
    rights_builder_line(&builder, RIGHT_READ | (may_write ? RIGHT_WRITE : 0), span_of("", 0));
    assert_int_equal(rights_builder_end(&builder, &bytes), OK);
    assert_int_equal(rights_table_decode(bytes, &rights->table), OK);
    rights->state = RIGHTS_IN_FORCE;
    rights->number++;
}

static const struct rights *rights_of(const struct player *player, const struct lane_rights *rights,
                                      uint64_t begun_ns)
{
    return client_seals_rights(
        seals, &(struct client_message){.from = &player->address, .begun_ns = begun_ns}, rights);
}

static bool may(const struct player *player, const struct lane_rights *rights, uint8_t right)
{
    const struct rights *found = rights_of(player, rights, now_ns + 1);
    assert_non_null(found);
    return rights_allow(found, right, span_of("key", 3));
}

/* Rights follow from the name and the generation of the key that the client has shown; they are
 * looked up anew when the table is another one. */
static void test_client_seals_know_the_rights_of_each(void **state)
{
    (void)state;
    struct lane_rights rights = {0};
    struct player root = player_make(SECRET_ROOT_CLIENT, 3, 0);
    assert_null(rights_of(&alice, &rights, now_ns + 1)); /* nobody is there */
    join(&alice);
    join(&bob);
    join(&root);
    assert_null(rights_of(&alice, &rights, now_ns + 1)); /* not known yet */
    assert_true(may(&root, &rights, RIGHTS_EVERY));
    rights.state = RIGHTS_ABSENT;
    rights.number = 1;
    assert_true(may(&alice, &rights, RIGHT_WRITE));
    assert_true(may(&bob, &rights, RIGHT_WRITE));
    rights_set(&rights, 0, false);
    assert_true(may(&alice, &rights, RIGHT_READ));
    assert_false(may(&alice, &rights, RIGHT_WRITE));
    assert_false(may(&bob, &rights, RIGHT_READ));
    rights_set(&rights, 0, true);
    assert_true(may(&alice, &rights, RIGHT_WRITE));
    rights_set(&rights, 1, true); /* her key is of generation 0 */
    assert_false(may(&alice, &rights, RIGHT_READ));
    assert_true(may(&root, &rights, RIGHTS_EVERY));
}

/* What one client has begun at an address is not taken for what another ends there. */
static void test_client_seals_take_no_message_of_two_clients(void **state)
{
    (void)state;
    struct lane_rights rights = {.state = RIGHTS_ABSENT, .number = 1};
    join(&bob);
    uint64_t begun_ns = now_ns;
    now_ns += MS;
    alice.address = bob.address;
    join(&alice);
    assert_null(rights_of(&alice, &rights, begun_ns));
    assert_null(rights_of(&alice, &rights, now_ns));
    /* What came in one piece is hers alone, in the moment of her first packet, too. */
    const struct client_message whole = {
        .from = &alice.address, .begun_ns = now_ns, .is_one_piece = true};
    assert_non_null(client_seals_rights(seals, &whole, &rights));
    assert_non_null(rights_of(&alice, &rights, now_ns + 1));
    now_ns += MS;
    join(&alice); /* other keys of the same client */
    assert_null(rights_of(&alice, &rights, begun_ns));
    assert_non_null(rights_of(&alice, &rights, now_ns));
}

static void test_client_seals_open_nothing_of_before_their_start(void **state)
{
    (void)state;
    struct parcel parcel;
    join(&alice);
    player_seals(&alice, &parcel);
    node_start();
    assert_int_equal(node_opens(&alice, &parcel), ERR_NOT_FOUND);
    join(&alice);
    assert_int_equal(node_opens(&alice, &parcel), ERR_NOT_FOUND);
}

static void test_client_seals_close_nothing_after_a_fork(void **state)
{
    (void)state;
    struct parcel parcel;
    int status = 0;
    join(&alice);
    parcel_make(&parcel, 2);
    const struct client_packet packet = {parcel.data, parcel.size_bytes};
    pid_t child = fork();
    if (child == 0)
        _exit(client_seals_close(seals, &alice.address, packet) == ERR_OUTDATED ? 42 : 1);
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 42);
    expect_answer(&alice);
}

#define SEALS_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SEALS_TEST(test_client_seals_carry_packets_both_ways),
        SEALS_TEST(test_client_seals_are_of_one_address),
        SEALS_TEST(test_client_seals_know_the_rights_of_each),
        SEALS_TEST(test_client_seals_take_no_message_of_two_clients),
        SEALS_TEST(test_client_seals_find_each_changed_bit),
        SEALS_TEST(test_client_seals_keep_their_keys_until_others_are_shown),
        SEALS_TEST(test_client_seals_answer_the_same_initiation_the_same),
        SEALS_TEST(test_client_seals_push_out_who_waits),
        SEALS_TEST(test_client_seals_make_way_for_who_is_used),
        SEALS_TEST(test_client_seals_forget_who_speaks_unsealed),
        SEALS_TEST(test_client_seals_forget_nobody_for_a_forged_address),
        SEALS_TEST(test_client_seals_ask_for_cookies_in_a_flood),
        SEALS_TEST(test_client_seals_answer_no_stranger),
        SEALS_TEST(test_client_seals_take_both_keys),
        SEALS_TEST(test_client_seals_open_nothing_of_before_their_start),
        SEALS_TEST(test_client_seals_close_nothing_after_a_fork),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
