/* Handshakes between two nodes: who is answered, when one asks again, what a replay, a restart, a
 * flood and another key do; and each error has its cause. */
#include "server/peer_seals_internal.h"
#include "tests/unit/server/peer_sides.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void test_peer_seals_ask_until_they_are_answered(void **state)
{
    (void)state;
    static const uint32_t waits[] = {1, 2, 4, 8, 8, 8, 8, 8, 8};
    struct peer_hello first;
    struct peer_hello hello;
    assert_int_equal(peer_seals_deadline_ns(alice.seals), UINT64_MAX);
    assert_false(side_asks(&alice, 2, &first));
    assert_false(peer_seals_is_ready(alice.seals, 2, sides_now_ns));
    assert_int_equal(peer_seals_deadline_ns(alice.seals), sides_now_ns);
    assert_true(side_asks(&alice, 2, &first));
    memcpy(&hello, &first, sizeof(hello));
    for (uint32_t i = 0; i < sizeof(waits) / sizeof(waits[0]); i++) {
        uint64_t due_ns = sides_now_ns + waits[i] * SIDES_RETRY_NS;
        assert_int_equal(peer_seals_deadline_ns(alice.seals), due_ns);
        sides_now_ns = due_ns - 1;
        assert_false(side_asks(&alice, 2, &hello));
        sides_now_ns = due_ns;
        assert_true(side_asks(&alice, 2, &hello));
        /* The same again, so that a late answer counts; other ones after a few times. */
        assert_int_equal(memcmp(hello.initiation, first.initiation, sizeof(hello.initiation)) == 0,
                         i < PEER_SEALS_TRIES - 1);
    }
    assert_int_equal(peer_seals_counters(alice.seals)->asked, 10);
    assert_int_equal(side_answers(&bob, 1, &hello), OK);
    assert_int_equal(side_finishes(&alice, 2, &hello), OK);
    assert_int_equal(peer_seals_deadline_ns(alice.seals), UINT64_MAX);
    assert_true(peer_seals_is_ready(alice.seals, 2, sides_now_ns));
    assert_int_equal(peer_seals_counters(alice.seals)->agreed, 1);
}

/* A node that need not seal is not asked so often by one that need not either. */
static void test_peer_seals_ask_ever_less_where_they_need_not_seal(void **state)
{
    (void)state;
    struct peer_hello hello;
    uint64_t last_wait_ns = 0;
    alice.security.mode = SECURITY_ACCEPT;
    side_start(&alice);
    peer_seals_ask(alice.seals, 2, sides_now_ns);
    for (uint32_t i = 0; i < 12; i++) {
        assert_true(side_asks(&alice, 2, &hello));
        last_wait_ns = peer_seals_deadline_ns(alice.seals) - sides_now_ns;
        assert_int_equal(last_wait_ns, SIDES_RETRY_NS << (i < 8 ? i : 8));
        sides_now_ns += last_wait_ns;
    }
}

static void test_peer_seals_answer_the_same_initiation_the_same(void **state)
{
    (void)state;
    struct peer_hello hello;
    struct peer_hello again;
    struct peer_packet packet;
    peer_seals_ask(alice.seals, 2, sides_now_ns);
    assert_true(side_asks(&alice, 2, &hello));
    again = hello;
    assert_int_equal(side_answers(&bob, 1, &hello), OK);
    sides_now_ns += SIDES_RETRY_NS;
    assert_int_equal(side_answers(&bob, 1, &again), OK);
    assert_memory_equal(hello.response, again.response, sizeof(hello.response));
    assert_int_equal(peer_seals_counters(bob.seals)->answered, 2);
    assert_int_equal(side_finishes(&alice, 2, &hello), OK);
    /* The answer that came twice is no answer any more. */
    assert_int_equal(side_finishes(&alice, 2, &again), ERR_NOT_FOUND);
    side_seals(&alice, &bob, &packet);
    assert_int_equal(side_opens(&bob, &packet), OK);
}

/* Of one start only ever higher attempts count; keys in use stay in use. */
static void test_peer_seals_refuse_a_replayed_initiation(void **state)
{
    (void)state;
    struct peer_hello hellos[2];
    struct peer_packet packet;
    for (uint32_t i = 0; i < 2; i++) {
        sides_agree(&alice, &bob, &hellos[i]);
        side_seals(&alice, &bob, &packet);
        assert_int_equal(side_opens(&bob, &packet), OK);
    }
    assert_int_equal(side_answers(&bob, 1, &hellos[0]), ERR_REPLAYED); /* of the keys before */
    assert_int_equal(side_answers(&bob, 1, &hellos[1]), ERR_REPLAYED); /* of those in use */
    sides_agree(&alice, &bob, &hellos[1]);
    side_seals(&alice, &bob, &packet);
    assert_int_equal(side_opens(&bob, &packet), OK);
    assert_int_equal(side_answers(&bob, 1, &hellos[0]), ERR_REPLAYED); /* its keys are gone */
    assert_int_equal(peer_seals_counters(bob.seals)->refused, 3);
    assert_int_equal(peer_seals_counters(bob.seals)->confirmed, 3);
    side_seals(&alice, &bob, &packet);
    assert_int_equal(side_opens(&bob, &packet), OK);
}

static void expect_agreed(struct peer_hello *hello)
{
    struct peer_packet packet;
    sides_agree(&alice, &bob, hello);
    side_seals(&alice, &bob, &packet);
    assert_int_equal(side_opens(&bob, &packet), OK);
}

/* Of a start that is over: bob answers, and no more. */
static void test_peer_seals_keep_their_keys_when_an_older_start_is_replayed(void **state)
{
    (void)state;
    struct peer_hello recorded[2];
    struct peer_hello hellos[3];
    struct peer_packet packet;
    expect_agreed(&recorded[0]);
    sides_agree(&alice, &bob, &recorded[1]);
    side_start(&alice);
    side_start(&bob);
    for (uint32_t i = 0; i < 3; i++)
        expect_agreed(&hellos[i]);
    assert_int_equal(side_answers(&bob, 1, &recorded[0]), OK);
    assert_int_equal(side_finishes(&alice, 2, &recorded[0]), ERR_NOT_FOUND);
    side_seals(&alice, &bob, &packet);
    assert_int_equal(side_opens(&bob, &packet), OK);
    assert_int_equal(peer_seals_counters(bob.seals)->confirmed, 3);
    /* He still knows which attempts of the start that lives have come. */
    assert_int_equal(side_answers(&bob, 1, &hellos[0]), ERR_REPLAYED);
    /* However many are replayed, alice is answered. */
    for (uint32_t i = 0; i < 5; i++) {
        enum error error = side_answers(&bob, 1, &recorded[i % 2]);
        assert_int_equal(error, i == 2 || i == 4 ? ERR_REPLAYED : OK);
        expect_agreed(&hellos[0]);
    }
}

/* Of a start that bob knows nothing of, a lower attempt does not come after a higher one. */
static void test_peer_seals_take_attempts_of_an_unknown_start_in_order(void **state)
{
    (void)state;
    struct peer_hello hellos[2];
    struct peer_packet packet;
    sides_agree(&alice, &bob, &hellos[0]);
    sides_agree(&alice, &bob, &hellos[1]);
    assert_int_equal(side_answers(&bob, 1, &hellos[0]), ERR_REPLAYED);
    side_seals(&alice, &bob, &packet);
    assert_int_equal(side_opens(&bob, &packet), OK);
}

/* A packet of the start before, sealed under keys that were never in use, comes when the next start
 * has its keys: the start that lives goes on. */
static void test_peer_seals_go_on_after_a_late_packet_of_a_start_before(void **state)
{
    (void)state;
    struct peer_hello hello;
    struct peer_packet late;
    struct peer_packet packet;
    expect_agreed(&hello);
    sides_agree(&alice, &bob, &hello);
    side_seals(&alice, &bob, &late);
    side_start(&alice);
    expect_agreed(&hello);
    side_seals(&alice, &bob, &packet);
    assert_int_equal(side_opens(&bob, &late), OK);
    assert_int_equal(side_opens(&bob, &packet), OK);
    assert_int_equal(side_opens(&bob, &late), ERR_REPLAYED);
    for (uint32_t i = 0; i < 3; i++)
        expect_agreed(&hello);
}

/* Two processes have one id for a while: the one that stays is spoken to again. */
static void test_peer_seals_go_on_after_a_second_process(void **state)
{
    (void)state;
    struct peer_side twin;
    struct peer_hello hello;
    struct peer_packet packet;
    side_make(&twin, 1);
    twin.incarnation = 77;
    side_start(&twin);
    for (uint32_t i = 0; i < 6; i++) {
        expect_agreed(&hello);
        sides_agree(&twin, &bob, &hello);
        side_seals(&twin, &bob, &packet);
        assert_int_equal(side_opens(&bob, &packet), OK);
    }
    side_end(&twin);
    expect_agreed(&hello);
}

/* The start that is known waits for nobody; of others, one at a time. */
static void test_peer_seals_are_busy_with_one_unknown_start(void **state)
{
    (void)state;
    struct peer_hello hello;
    struct peer_packet packet;
    expect_agreed(&hello);
    for (uint32_t i = 0; i < 3; i++)
        sides_agree(&alice, &bob, &hello);
    expect_agreed(&hello);
    side_start(&alice);
    sides_agree(&alice, &bob, &hello);
    sides_agree(&alice, &bob, &hello); /* has given up the one before */
    side_start(&alice);
    peer_seals_ask(alice.seals, 2, sides_now_ns);
    assert_true(side_asks(&alice, 2, &hello));
    assert_int_equal(side_answers(&bob, 1, &hello), ERR_BUSY);
    assert_int_equal(peer_seals_counters(bob.seals)->refused, 1);
    sides_now_ns += PEER_SEALS_PENDING_NS - 1;
    assert_int_equal(side_answers(&bob, 1, &hello), ERR_BUSY);
    sides_now_ns++;
    assert_int_equal(side_answers(&bob, 1, &hello), OK);
    assert_int_equal(side_finishes(&alice, 2, &hello), OK);
    side_seals(&alice, &bob, &packet);
    assert_int_equal(side_opens(&bob, &packet), OK);
}

/* Bob has lost what alice seals with: he asks her himself, and says what he lacks. */
static void test_peer_seals_notice_that_a_peer_has_another_start(void **state)
{
    (void)state;
    struct peer_hello hello;
    struct peer_packet packet;
    sides_agree(&alice, &bob, &hello);
    side_seals(&alice, &bob, &packet);
    assert_int_equal(side_opens(&bob, &packet), OK);
    side_start(&bob);
    side_seals(&alice, &bob, &packet);
    assert_int_equal(side_opens(&bob, &packet), ERR_NOT_FOUND);
    assert_false(side_asks(&alice, 2, &hello));
    sides_agree(&bob, &alice, &hello);
    assert_true(side_asks(&alice, 2, &hello));
    assert_int_equal(side_answers(&bob, 1, &hello), OK);
    assert_int_equal(side_finishes(&alice, 2, &hello), OK);
    side_seals(&alice, &bob, &packet);
    assert_int_equal(side_opens(&bob, &packet), OK);
    assert_false(side_asks(&alice, 2, &hello));
}

/* Of the same start, too: bob's table had no room for alice any more. */
static void test_peer_seals_notice_that_a_peer_lacks_their_association(void **state)
{
    (void)state;
    struct peer_hello hello;
    struct peer_packet packet;
    sides_agree(&bob, &alice, &hello);
    sides_agree(&alice, &bob, &hello);
    side_seals(&alice, &bob, &packet);
    assert_int_equal(side_opens(&bob, &packet), OK);
    sides_agree(&bob, &alice, &hello);
    assert_false(side_asks(&alice, 2, &hello)); /* he has it */
    for (uint16_t node = 10; node < 10 + PEER_SEALS_PLACES; node++)
        peer_seals_ask(bob.seals, node, sides_now_ns + node);
    assert_int_equal(side_opens(&bob, &packet), ERR_NOT_FOUND);
    sides_now_ns += SIDES_RETRY_NS;
    peer_seals_ask(bob.seals, 1, sides_now_ns);
    do {
        uint16_t node;
        assert_true(peer_seals_next(bob.seals, sides_now_ns, &node, hello.initiation));
        if (node == 1)
            break;
    } while (true);
    assert_int_equal(side_answers(&alice, 2, &hello), OK);
    assert_true(side_asks(&alice, 2, &hello));
}

/* Packets of unknown keys, however many, make a node with keys ask once in a while. */
static void test_peer_seals_ask_seldom_for_unknown_keys(void **state)
{
    (void)state;
    struct peer_hello hello;
    sides_agree(&alice, &bob, &hello);
    peer_seals_doubt(alice.seals, 3, sides_now_ns);
    assert_true(side_asks(&alice, 3, &hello)); /* she has no keys for it: at once */
    for (uint32_t i = 0; i < 1000; i++)
        peer_seals_doubt(alice.seals, 2, sides_now_ns);
    assert_false(side_asks(&alice, 2, &hello));
    sides_now_ns += PEER_SEALS_TRIES * SIDES_RETRY_NS;
    peer_seals_doubt(alice.seals, 2, sides_now_ns);
    assert_true(side_asks(&alice, 2, &hello));
}

static void test_peer_seals_are_renewed(void **state)
{
    (void)state;
    struct peer_hello hello;
    sides_agree(&alice, &bob, &hello);
    sides_now_ns += PEER_SEALS_RENEW_NS - 1;
    assert_true(peer_seals_is_ready(alice.seals, 2, sides_now_ns));
    assert_false(side_asks(&alice, 2, &hello));
    sides_now_ns++;
    assert_true(peer_seals_is_ready(alice.seals, 2, sides_now_ns));
    assert_true(side_asks(&alice, 2, &hello));
    assert_int_equal(side_answers(&bob, 1, &hello), OK);
    assert_int_equal(side_finishes(&alice, 2, &hello), OK);
    struct seal_tx *tx = &peer_seals_place(alice.seals, 2)->tx.seal;
    tx->last_number = SEAL_NUMBERS_MAX / 2 - 1;
    assert_true(peer_seals_is_ready(alice.seals, 2, sides_now_ns));
    assert_false(side_asks(&alice, 2, &hello));
    tx->last_number = SEAL_NUMBERS_MAX - 1;
    assert_true(peer_seals_is_ready(alice.seals, 2, sides_now_ns));
    assert_true(side_asks(&alice, 2, &hello));
    tx->last_number = SEAL_NUMBERS_MAX;
    assert_false(peer_seals_is_ready(alice.seals, 2, sides_now_ns));
    assert_int_equal(peer_seals_counters(alice.seals)->unready, 1);
}

/* Nobody answers any more. In mode `accept` the node may have gone back to not sealing. */
static void test_peer_seals_give_up_only_where_they_need_not_seal(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 2; i++) {
        struct peer_hello hello;
        alice.security.mode = i == 0 ? SECURITY_REQUIRED : SECURITY_ACCEPT;
        side_start(&alice);
        assert_int_equal(peer_seals_mode(alice.seals), alice.security.mode);
        sides_agree(&alice, &bob, &hello);
        peer_seals_ask(alice.seals, 2, sides_now_ns);
        for (uint32_t tries = 0; tries < PEER_SEALS_TRIES; tries++) {
            assert_true(side_asks(&alice, 2, &hello));
            assert_true(peer_seals_is_ready(alice.seals, 2, sides_now_ns));
            sides_now_ns = peer_seals_deadline_ns(alice.seals);
        }
        assert_true(side_asks(&alice, 2, &hello));
        assert_int_equal(peer_seals_is_ready(alice.seals, 2, sides_now_ns), i == 0);
    }
}

static void test_peer_seals_ask_who_sends_unsealed(void **state)
{
    (void)state;
    struct peer_hello hello;
    peer_seals_note_plain(alice.seals, 2, sides_now_ns); /* nobody it has sealed for */
    assert_false(side_asks(&alice, 2, &hello));
    sides_agree(&alice, &bob, &hello);
    sides_now_ns += PEER_SEALS_TRIES * SIDES_RETRY_NS - 1;
    peer_seals_note_plain(alice.seals, 2, sides_now_ns); /* it may have been under way */
    assert_false(side_asks(&alice, 2, &hello));
    sides_now_ns++;
    peer_seals_note_plain(alice.seals, 2, sides_now_ns);
    assert_true(side_asks(&alice, 2, &hello));
}

/* Nodes take the second key into their settings, then use it first, then leave the first one out:
 * any two states that follow each other understand one another. */
static void test_peer_seals_of_two_keys_understand_each_other(void **state)
{
    (void)state;
    const struct security_key keys[2] = {sides_key(7, 1), sides_key(8, 2)};
    const struct security_key states[4][SECURITY_KEYS_MAX] = {
        {keys[0]}, {keys[0], keys[1]}, {keys[1], keys[0]}, {keys[1]}};
    struct peer_hello hello;
    struct peer_packet packet;
    for (uint32_t i = 0; i < 8; i++) {
        memcpy(alice.security.keys, states[i / 2], sizeof(states[0]));
        memcpy(bob.security.keys, states[i % 2 == 0 || i == 7 ? i / 2 : i / 2 + 1],
               sizeof(states[0]));
        side_start(&alice);
        side_start(&bob);
        sides_agree(&alice, &bob, &hello);
        sides_agree(&bob, &alice, &hello);
        side_seals(&alice, &bob, &packet);
        assert_int_equal(side_opens(&bob, &packet), OK);
        side_seals(&bob, &alice, &packet);
        assert_int_equal(side_opens(&alice, &packet), OK);
    }
    memcpy(alice.security.keys, states[0], sizeof(states[0]));
    side_start(&alice);
    peer_seals_ask(alice.seals, 2, sides_now_ns);
    assert_true(side_asks(&alice, 2, &hello));
    assert_int_equal(side_answers(&bob, 1, &hello), ERR_KEY);
    /* The same id, another secret. */
    alice.security.keys[0] = sides_key(8, 3);
    side_start(&alice);
    peer_seals_ask(alice.seals, 2, sides_now_ns);
    assert_true(side_asks(&alice, 2, &hello));
    assert_int_equal(side_answers(&bob, 1, &hello), ERR_FORGED);
}

/* More initiations than a node cares to look at: who answers a cookie is looked at all the same. */
static void test_peer_seals_ask_for_cookies_in_a_flood(void **state)
{
    (void)state;
    struct peer_hello forged;
    struct peer_hello hello;
    peer_seals_ask(alice.seals, 2, sides_now_ns);
    assert_true(side_asks(&alice, 2, &hello));
    forged = hello;
    forged.initiation[150] ^= 1; /* the tag */
    for (uint32_t i = 0; i < COOKIES_SPARED; i++)
        assert_int_equal(side_answers(&bob, 1, &forged), ERR_FORGED);
    assert_int_equal(side_answers(&bob, 1, &forged), OK); /* unseen */
    assert_int_equal(side_finishes(&alice, 2, &forged), ERR_FORGED);
    assert_int_equal(side_answers(&bob, 1, &hello), OK);
    assert_int_equal(peer_seals_counters(bob.seals)->cookies, 2);
    assert_int_equal(peer_seals_counters(bob.seals)->answered, 0);
    assert_int_equal(side_finishes(&alice, 2, &hello), OK);
    assert_int_equal(peer_seals_counters(alice.seals)->agreed, 0);
    /* With the cookie, at once. A second cookie changes nothing. */
    assert_true(side_asks(&alice, 2, &hello));
    struct peer_hello other = hello;
    const uint8_t cookie[COOKIE_SIZE_BYTES] = {9};
    handshake_cookie_encode(other.response, span_of(hello.initiation, sizeof(hello.initiation)),
                            cookie);
    assert_int_equal(side_finishes(&alice, 2, &other), OK);
    assert_false(side_asks(&alice, 2, &other));
    assert_int_equal(side_answers(&bob, 1, &hello), OK);
    assert_int_equal(peer_seals_counters(bob.seals)->answered, 1);
    assert_int_equal(side_finishes(&alice, 2, &hello), OK);
    assert_int_equal(peer_seals_counters(alice.seals)->agreed, 1);
}

static void test_peer_seals_take_cookies_of_their_address_only(void **state)
{
    (void)state;
    struct peer_hello forged;
    struct peer_hello hello;
    peer_seals_ask(alice.seals, 2, sides_now_ns);
    assert_true(side_asks(&alice, 2, &hello));
    forged = hello;
    forged.initiation[40] ^= 1;
    for (uint32_t i = 0; i < COOKIES_SPARED; i++)
        assert_int_equal(side_answers(&bob, 1, &forged), ERR_FORGED);
    /* Alice's initiation, sent from elsewhere, with the cookie of there. */
    const struct peer_seals_question question = {
        .node = 1,
        .from = {.ip = {66}, .port = 1},
        .initiation = span_of(hello.initiation, sizeof(hello.initiation)),
        .now_ns = sides_now_ns};
    assert_int_equal(peer_seals_answer(bob.seals, &question, hello.response), OK);
    assert_int_equal(side_finishes(&alice, 2, &hello), OK);
    assert_true(side_asks(&alice, 2, &hello));
    assert_int_equal(side_answers(&bob, 1, &hello), OK);
    assert_int_equal(peer_seals_counters(bob.seals)->cookies, 2);
    /* The flood is over: one is looked at in each step. */
    sides_now_ns += COOKIE_SPARED_NS;
    assert_int_equal(side_answers(&bob, 1, &hello), OK);
    assert_int_equal(side_finishes(&alice, 2, &hello), OK);
    assert_int_equal(side_answers(&bob, 1, &forged), OK);
    assert_int_equal(peer_seals_counters(bob.seals)->cookies, 3);
    assert_int_equal(peer_seals_counters(bob.seals)->answered, 1);
}

static void expect_refused(const struct peer_hello *hello, uint32_t offset, uint8_t byte,
                           enum error error)
{
    struct peer_hello changed = *hello;
    memset(changed.response, 0xee, sizeof(changed.response));
    const struct peer_hello before = changed;
    changed.initiation[offset] = byte;
    assert_int_equal(side_answers(&bob, 1, &changed), error);
    assert_memory_equal(changed.response, before.response, sizeof(before.response));
}

static void test_peer_seals_answer_no_stranger(void **state)
{
    (void)state;
    struct peer_hello hello;
    peer_seals_ask(alice.seals, 2, sides_now_ns);
    assert_true(side_asks(&alice, 2, &hello));
    expect_refused(&hello, 0, 2, ERR_VERSION);
    expect_refused(&hello, 1, 0, ERR_KEY);
    expect_refused(&hello, 1, 9, ERR_KEY);
    expect_refused(&hello, 3, 1, ERR_RESERVED);
    expect_refused(&hello, 24, 1, ERR_FORGED);
    expect_refused(&hello, 159, hello.initiation[159] ^ 1, ERR_FORGED);
    assert_int_equal(side_answers(&bob, 0, &hello), ERR_NODE);
    assert_int_equal(side_answers(&bob, 2, &hello), ERR_NODE);
    assert_int_equal(side_answers(&bob, VOTER_ID_MAX + 1, &hello), ERR_NODE);
    assert_int_equal(side_answers(&bob, 3, &hello), ERR_FORGED);
    /* Sent back to who has made it. */
    assert_int_equal(side_answers(&alice, 2, &hello), ERR_FORGED);
    hello.initiation[2] = HANDSHAKE_CLIENT;
    hello.initiation[28] = 1;
    hello.initiation[64] = 'c';
    assert_int_equal(side_answers(&bob, 1, &hello), ERR_TYPE);
    const struct peer_seals_question question = {
        .node = 1, .initiation = span_of(hello.initiation, 10), .now_ns = sides_now_ns};
    assert_int_equal(peer_seals_answer(bob.seals, &question, hello.response), ERR_SHORT);
    assert_int_equal(peer_seals_counters(bob.seals)->refused, 12);
    assert_int_equal(peer_seals_counters(bob.seals)->answered, 0);
}

static void test_peer_seals_are_of_one_cluster_and_shard(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 2; i++) {
        struct peer_hello hello;
        bob.cluster_id = SIDES_CLUSTER + (i == 0);
        bob.shard = i == 0 ? alice.shard : alice.shard + 1u;
        side_start(&bob);
        side_start(&alice);
        peer_seals_ask(alice.seals, 2, sides_now_ns);
        assert_true(side_asks(&alice, 2, &hello));
        assert_int_equal(side_answers(&bob, 1, &hello), ERR_FORGED);
    }
}

static void test_peer_seals_take_only_what_answers_them(void **state)
{
    (void)state;
    struct peer_hello earlier;
    struct peer_hello hello;
    assert_int_equal(side_answers(&bob, 1, &(struct peer_hello){.initiation = {0}}), ERR_VERSION);
    memset(&hello, 0, sizeof(hello));
    assert_int_equal(side_finishes(&alice, 2, &hello), ERR_NOT_FOUND); /* has asked nobody */
    peer_seals_ask(alice.seals, 2, sides_now_ns);
    assert_int_equal(side_finishes(&alice, 2, &hello), ERR_NOT_FOUND); /* has not asked yet */
    assert_true(side_asks(&alice, 2, &earlier));
    assert_int_equal(side_answers(&bob, 1, &earlier), OK);
    assert_int_equal(side_finishes(&alice, VOTER_ID_MAX + 1, &earlier), ERR_NOT_FOUND);
    for (uint32_t i = 0; i < PEER_SEALS_TRIES; i++) {
        sides_now_ns = peer_seals_deadline_ns(alice.seals);
        assert_true(side_asks(&alice, 2, &hello));
    }
    assert_int_equal(side_finishes(&alice, 2, &earlier), ERR_FORGED); /* of another attempt */
    assert_int_equal(side_answers(&bob, 1, &hello), OK);
    const struct span cut = span_of(hello.response, sizeof(hello.response) - 1);
    assert_int_equal(peer_seals_finish(alice.seals, 2, cut, sides_now_ns), ERR_SHORT);
    hello.response[2] = 3;
    assert_int_equal(side_finishes(&alice, 2, &hello), ERR_TYPE);
    hello.response[2] = HANDSHAKE_AGREED;
    hello.response[4] ^= 1; /* the association */
    assert_int_equal(side_finishes(&alice, 2, &hello), ERR_FORGED);
    hello.response[4] ^= 1;
    assert_false(peer_seals_is_ready(alice.seals, 2, sides_now_ns));
    assert_int_equal(side_finishes(&alice, 2, &hello), OK);
    assert_true(peer_seals_is_ready(alice.seals, 2, sides_now_ns));
}

#define HANDSHAKE_TEST(name) cmocka_unit_test_setup_teardown(name, sides_setup, sides_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        HANDSHAKE_TEST(test_peer_seals_ask_until_they_are_answered),
        HANDSHAKE_TEST(test_peer_seals_ask_ever_less_where_they_need_not_seal),
        HANDSHAKE_TEST(test_peer_seals_answer_the_same_initiation_the_same),
        HANDSHAKE_TEST(test_peer_seals_refuse_a_replayed_initiation),
        HANDSHAKE_TEST(test_peer_seals_keep_their_keys_when_an_older_start_is_replayed),
        HANDSHAKE_TEST(test_peer_seals_take_attempts_of_an_unknown_start_in_order),
        HANDSHAKE_TEST(test_peer_seals_go_on_after_a_late_packet_of_a_start_before),
        HANDSHAKE_TEST(test_peer_seals_go_on_after_a_second_process),
        HANDSHAKE_TEST(test_peer_seals_are_busy_with_one_unknown_start),
        HANDSHAKE_TEST(test_peer_seals_notice_that_a_peer_has_another_start),
        HANDSHAKE_TEST(test_peer_seals_notice_that_a_peer_lacks_their_association),
        HANDSHAKE_TEST(test_peer_seals_ask_seldom_for_unknown_keys),
        HANDSHAKE_TEST(test_peer_seals_are_renewed),
        HANDSHAKE_TEST(test_peer_seals_give_up_only_where_they_need_not_seal),
        HANDSHAKE_TEST(test_peer_seals_ask_who_sends_unsealed),
        HANDSHAKE_TEST(test_peer_seals_of_two_keys_understand_each_other),
        HANDSHAKE_TEST(test_peer_seals_ask_for_cookies_in_a_flood),
        HANDSHAKE_TEST(test_peer_seals_take_cookies_of_their_address_only),
        HANDSHAKE_TEST(test_peer_seals_answer_no_stranger),
        HANDSHAKE_TEST(test_peer_seals_are_of_one_cluster_and_shard),
        HANDSHAKE_TEST(test_peer_seals_take_only_what_answers_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
