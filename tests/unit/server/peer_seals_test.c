/* Packets between nodes that have agreed on keys: what is sealed opens once, at the one it is for,
 * and nothing else opens; and the table of those that it is kept for. */
#include "server/peer_seals_internal.h"
#include "tests/unit/server/peer_sides.h"

#include "base/le.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define NUMBER_OFFSET 8

static void test_peer_seals_carry_packets_both_ways(void **state)
{
    (void)state;
    struct peer_hello hello;
    struct peer_packet packet;
    sides_agree(&alice, &bob, &hello);
    sides_agree(&bob, &alice, &hello);
    for (uint32_t i = 0; i < 5; i++) {
        side_seals(&alice, &bob, &packet);
        assert_int_equal(side_opens(&bob, &packet), OK);
        side_seals(&bob, &alice, &packet);
        assert_int_equal(side_opens(&alice, &packet), OK);
        assert_int_equal(le64_load(packet.data + NUMBER_OFFSET), i + 1);
    }
    assert_int_equal(peer_seals_counters(alice.seals)->confirmed, 1);
    assert_int_equal(peer_seals_counters(bob.seals)->confirmed, 1);
}

static bool has_text(const struct peer_packet *packet)
{
    return memcmp(packet->data + PACKET_HEADER_SIZE_BYTES, "what one node", 13) == 0;
}

static void test_peer_seals_encrypt_where_that_is_wanted(void **state)
{
    (void)state;
    struct peer_hello hello;
    struct peer_packet packet;
    sides_agree(&alice, &bob, &hello);
    side_seals(&alice, &bob, &packet);
    assert_true(has_text(&packet));
    assert_int_equal(side_opens(&bob, &packet), OK);
    alice.security.is_encrypted = true;
    side_start(&alice);
    sides_agree(&alice, &bob, &hello);
    side_seals(&alice, &bob, &packet);
    assert_false(has_text(&packet));
    assert_int_equal(side_opens(&bob, &packet), OK); /* the packet says it, and the tag covers it */
    /* The flag says otherwise. */
    side_seals(&alice, &bob, &packet);
    packet.data[38] = 0;
    assert_int_equal(side_opens(&bob, &packet), ERR_FORGED);
}

static void test_peer_seals_open_a_packet_once(void **state)
{
    (void)state;
    struct peer_hello hello;
    struct peer_packet packets[3];
    sides_agree(&alice, &bob, &hello);
    for (uint32_t i = 0; i < 3; i++)
        side_seals(&alice, &bob, &packets[i]);
    assert_int_equal(side_opens(&bob, &packets[2]), OK);
    assert_int_equal(side_opens(&bob, &packets[0]), OK); /* late */
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(side_opens(&bob, &packets[i]), i == 1 ? OK : ERR_REPLAYED);
    assert_int_equal(side_opens(&bob, &packets[1]), ERR_REPLAYED);
}

static void test_peer_seals_open_nothing_too_old_to_tell(void **state)
{
    (void)state;
    struct peer_hello hello;
    struct peer_packet old[2];
    struct peer_packet packet;
    sides_agree(&alice, &bob, &hello);
    side_seals(&alice, &bob, &old[0]);
    side_seals(&alice, &bob, &old[1]);
    for (uint32_t i = 0; i < REPLAY_WINDOW_NUMBERS; i++)
        side_seals(&alice, &bob, &packet);
    assert_int_equal(side_opens(&bob, &packet), OK);
    assert_int_equal(side_opens(&bob, &old[0]), ERR_REPLAYED);
    assert_int_equal(side_opens(&bob, &old[1]), ERR_REPLAYED);
}

static void test_peer_seals_find_each_changed_bit(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 2; i++) {
        struct peer_hello hello;
        struct peer_packet packet;
        alice.security.is_encrypted = i == 1;
        side_start(&alice);
        sides_agree(&alice, &bob, &hello);
        side_seals(&alice, &bob, &packet);
        for (uint32_t bit = 0; bit < 8 * packet.size_bytes; bit++) {
            packet.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
            assert_int_not_equal(side_opens(&bob, &packet), OK);
            packet.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        for (uint32_t size = packet.size_bytes - 1; size > 0; size--) {
            struct peer_packet cut = packet;
            cut.size_bytes = size;
            assert_int_equal(side_opens(&bob, &cut),
                             size < PACKET_HEADER_SIZE_BYTES ? ERR_SHORT : ERR_FORGED);
        }
        /* None of these has moved the window, nor taken the keys into use. */
        assert_int_equal(peer_seals_counters(bob.seals)->confirmed, i);
        assert_int_equal(side_opens(&bob, &packet), OK);
    }
}

static void test_peer_seals_open_no_packet_without_a_number(void **state)
{
    (void)state;
    struct peer_hello hello;
    struct peer_packet packet;
    sides_agree(&alice, &bob, &hello);
    side_seals(&alice, &bob, &packet);
    memset(packet.data + NUMBER_OFFSET, 0, 8);
    assert_int_equal(side_opens(&bob, &packet), ERR_RANGE);
}

static void test_peer_seals_open_only_what_is_for_them(void **state)
{
    (void)state;
    struct peer_side carol;
    struct peer_hello hello;
    struct peer_packet packet;
    side_make(&carol, 3);
    sides_agree(&alice, &bob, &hello);
    sides_agree(&bob, &alice, &hello);
    sides_agree(&alice, &carol, &hello);
    side_seals(&alice, &bob, &packet);
    assert_int_equal(side_opens(&carol, &packet), ERR_NOT_FOUND);
    assert_int_equal(side_opens(&alice, &packet), ERR_NOT_FOUND); /* sent back */
    packet.data[18] = 2; /* in bob's name, to alice, with the association that he would use */
    le32_store(packet.data + 4, peer_seals_place(bob.seals, 1)->tx.association);
    assert_int_equal(side_opens(&alice, &packet), ERR_FORGED);
    side_end(&carol);
}

/* The keys before those in use open what comes late, once each; those before them are gone. */
static void test_peer_seals_open_late_packets_of_the_keys_before(void **state)
{
    (void)state;
    struct peer_hello hello;
    struct peer_packet packets[3][2];
    for (uint32_t i = 0; i < 3; i++) {
        sides_now_ns += SIDES_RETRY_NS;
        sides_agree(&alice, &bob, &hello);
        side_seals(&alice, &bob, &packets[i][0]);
        side_seals(&alice, &bob, &packets[i][1]);
        assert_int_equal(side_opens(&bob, &packets[i][0]), OK);
    }
    assert_int_equal(side_opens(&bob, &packets[2][1]), OK);
    assert_int_equal(side_opens(&bob, &packets[1][1]), OK);
    assert_int_equal(side_opens(&bob, &packets[1][1]), ERR_REPLAYED);
    assert_int_equal(side_opens(&bob, &packets[1][0]), ERR_REPLAYED);
    assert_int_equal(side_opens(&bob, &packets[0][1]), ERR_NOT_FOUND);
}

/* Whatever was sealed for one start of a node, none of it opens at the next. */
static void test_peer_seals_open_nothing_of_before_their_start(void **state)
{
    (void)state;
    struct peer_hello hello;
    struct peer_packet old[2];
    struct peer_packet packet;
    sides_agree(&alice, &bob, &hello);
    side_seals(&alice, &bob, &old[0]);
    side_seals(&alice, &bob, &old[1]);
    assert_int_equal(side_opens(&bob, &old[0]), OK);
    side_start(&bob);
    for (uint32_t i = 0; i < 2; i++)
        assert_int_equal(side_opens(&bob, &old[i]), ERR_NOT_FOUND);
    sides_agree(&alice, &bob, &hello);
    side_seals(&alice, &bob, &packet);
    assert_int_equal(side_opens(&bob, &packet), OK);
    for (uint32_t i = 0; i < 2; i++)
        assert_int_equal(side_opens(&bob, &old[i]), ERR_NOT_FOUND);
}

/* A sender that starts anew counts from 1 again: under another key. */
static void test_peer_seals_number_from_1_under_another_key_after_a_start(void **state)
{
    (void)state;
    struct peer_hello hello;
    struct peer_packet old;
    struct peer_packet packet;
    sides_agree(&alice, &bob, &hello);
    side_seals(&alice, &bob, &old);
    assert_int_equal(side_opens(&bob, &old), OK);
    side_start(&alice);
    assert_false(peer_seals_is_ready(alice.seals, 2, sides_now_ns));
    sides_agree(&alice, &bob, &hello);
    side_seals(&alice, &bob, &packet);
    assert_int_equal(le64_load(packet.data + NUMBER_OFFSET), le64_load(old.data + NUMBER_OFFSET));
    assert_memory_not_equal(packet.data + SEAL_TAG_OFFSET, old.data + SEAL_TAG_OFFSET,
                            SEAL_TAG_SIZE_BYTES);
    assert_int_equal(side_opens(&bob, &packet), OK);
    assert_int_equal(side_opens(&bob, &old), ERR_REPLAYED);
}

static void test_peer_seals_close_nothing_after_a_fork(void **state)
{
    (void)state;
    struct peer_hello hello;
    struct peer_packet packet;
    int status = 0;
    sides_agree(&alice, &bob, &hello);
    side_seals(&alice, &bob, &packet);
    assert_int_equal(peer_seals_close(alice.seals, 2, packet.data, packet.size_bytes), OK);
    pid_t child = fork();
    if (child == 0)
        _exit(peer_seals_close(alice.seals, 2, packet.data, packet.size_bytes) == ERR_OUTDATED ? 42
                                                                                               : 1);
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 42);
    assert_int_equal(peer_seals_close(alice.seals, 2, packet.data, packet.size_bytes), OK);
}

/* The place that was used least recently makes way; a packet that opens is a use. */
static void test_peer_seals_make_way_for_who_is_used(void **state)
{
    (void)state;
    struct peer_hello hello;
    struct peer_packet packet;
    sides_agree(&alice, &bob, &hello);
    for (uint16_t node = 3; node < 2 + PEER_SEALS_PLACES; node++) {
        sides_now_ns++;
        peer_seals_ask(bob.seals, node, sides_now_ns);
    }
    assert_int_equal(peer_seals_counters(bob.seals)->evicted, 0);
    side_seals(&alice, &bob, &packet);
    sides_now_ns++;
    assert_int_equal(side_opens(&bob, &packet), OK);
    sides_now_ns++;
    peer_seals_ask(bob.seals, 100, sides_now_ns); /* takes that of node 3 */
    assert_int_equal(peer_seals_counters(bob.seals)->evicted, 1);
    assert_null(peer_seals_place(bob.seals, 3));
    assert_non_null(peer_seals_place(bob.seals, 100));
    side_seals(&alice, &bob, &packet);
    assert_int_equal(side_opens(&bob, &packet), OK);
    assert_null(peer_seals_place(bob.seals, VOTER_ID_MAX + 1));
}

/* Who has no secret takes no place, whatever it sends. */
static void test_peer_seals_keep_nothing_of_strangers(void **state)
{
    (void)state;
    struct peer_hello hello;
    struct peer_packet packet;
    alice.security.keys[0] = sides_key(7, 99);
    side_start(&alice);
    memset(&packet, 0, sizeof(packet));
    packet.size_bytes = PACKET_HEADER_SIZE_BYTES;
    for (uint16_t node = 3; node <= VOTER_ID_MAX; node++) {
        peer_seals_ask(alice.seals, 2, sides_now_ns);
        (void)side_asks(&alice, 2, &hello);
        assert_int_equal(side_answers(&bob, node, &hello), ERR_FORGED);
        packet.data[18] = (uint8_t)node;
        assert_int_equal(side_opens(&bob, &packet), ERR_NOT_FOUND);
        peer_seals_note_plain(bob.seals, node, sides_now_ns);
        assert_null(peer_seals_place(bob.seals, node));
    }
    assert_int_equal(peer_seals_counters(bob.seals)->answered, 0);
    assert_int_equal(peer_seals_counters(bob.seals)->evicted, 0);
}

#define SEALS_TEST(name) cmocka_unit_test_setup_teardown(name, sides_setup, sides_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SEALS_TEST(test_peer_seals_carry_packets_both_ways),
        SEALS_TEST(test_peer_seals_encrypt_where_that_is_wanted),
        SEALS_TEST(test_peer_seals_open_a_packet_once),
        SEALS_TEST(test_peer_seals_open_nothing_too_old_to_tell),
        SEALS_TEST(test_peer_seals_find_each_changed_bit),
        SEALS_TEST(test_peer_seals_open_no_packet_without_a_number),
        SEALS_TEST(test_peer_seals_open_only_what_is_for_them),
        SEALS_TEST(test_peer_seals_open_late_packets_of_the_keys_before),
        SEALS_TEST(test_peer_seals_open_nothing_of_before_their_start),
        SEALS_TEST(test_peer_seals_number_from_1_under_another_key_after_a_start),
        SEALS_TEST(test_peer_seals_close_nothing_after_a_fork),
        SEALS_TEST(test_peer_seals_make_way_for_who_is_used),
        SEALS_TEST(test_peer_seals_keep_nothing_of_strangers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
