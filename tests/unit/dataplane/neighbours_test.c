/* The table of next hops: learning, asking with a limited rate, giving up, giving way. */
#include "dataplane/neighbours.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define SECOND_NS UINT64_C(1000000000)

static const uint8_t mac_one[6] = {2, 0, 0, 0, 0, 1};
static const uint8_t mac_two[6] = {2, 0, 0, 0, 0, 2};

static struct neighbours table;

struct ip {
    uint8_t bytes[16];
};

static struct ip ip_of(uint32_t number)
{
    struct ip ip = {.bytes = {[10] = 0xff,
                              0xff,
                              10,
                              (uint8_t)(number >> 16),
                              (uint8_t)(number >> 8),
                              (uint8_t)number}};
    return ip;
}

static int table_setup(void **state)
{
    (void)state;
    memset(&table, 0, sizeof(table));
    return 0;
}

static void hear(uint32_t number, const uint8_t *mac, uint64_t now_ns)
{
    assert_int_equal(neighbours_hear(&table, ip_of(number).bytes, mac, now_ns), OK);
}

static struct neighbour *want(uint32_t number, uint64_t now_ns)
{
    struct neighbour *entry = NULL;
    assert_int_equal(neighbours_want(&table, ip_of(number).bytes, now_ns, &entry), OK);
    return entry;
}

/* Asks for the neighbour, and hears this answer. */
static void prove(uint32_t number, const uint8_t *mac, uint64_t now_ns)
{
    assert_true(neighbours_is_query_due(&table, want(number, now_ns), now_ns));
    neighbours_answer(&table, ip_of(number).bytes, mac, now_ns);
}

static void assert_mac(uint32_t number, const uint8_t *mac)
{
    const struct neighbour *entry = neighbours_find(&table, ip_of(number).bytes);
    assert_non_null(entry);
    assert_true(entry->is_known);
    assert_memory_equal(entry->mac, mac, 6);
}

static void test_neighbours_believes_a_packet_until_the_answer_comes(void **state)
{
    (void)state;
    assert_null(neighbours_find(&table, ip_of(1).bytes));
    hear(1, mac_one, 0);
    assert_mac(1, mac_one);
    hear(1, mac_two, 1); /* neither is proven: the first one stays */
    assert_mac(1, mac_one);
    prove(1, mac_two, 2);
    assert_mac(1, mac_two);
    assert_int_equal(table.changes, 0); /* nobody had proven the other one */
    assert_null(neighbours_find(&table, ip_of(2).bytes));
}

static void test_neighbours_no_packet_changes_a_proven_mac(void **state)
{
    (void)state;
    prove(1, mac_one, 0);
    for (uint64_t now_ns = 1; now_ns < 1000; now_ns++) {
        hear(1, mac_two, now_ns);
        neighbours_answer(&table, ip_of(1).bytes, mac_two, now_ns); /* nobody has asked */
        assert_mac(1, mac_one);
    }
    assert_int_equal(table.conflicts, 2 * 999);
    assert_int_equal(table.changes, 0);
}

static void test_neighbours_asks_again_when_another_mac_is_heard(void **state)
{
    (void)state;
    prove(1, mac_one, 0);
    assert_false(neighbours_is_query_due(&table, want(1, 1), 1));
    hear(1, mac_two, 2);
    hear(1, mac_one, 3); /* does not end the doubt */
    prove(1, mac_two, NEIGHBOUR_QUERY_INTERVAL_NS);
    assert_mac(1, mac_two);
    assert_int_equal(table.changes, 1);
    assert_memory_equal(table.last.now.ip, ip_of(1).bytes, 16);
    assert_memory_equal(table.last.before, mac_one, 6);
    assert_memory_equal(table.last.now.mac, mac_two, 6);
    assert_int_equal(table.pending, 0);
    hear(1, mac_one, NEIGHBOUR_QUERY_INTERVAL_NS + 1);
    prove(1, mac_two, 2 * NEIGHBOUR_QUERY_INTERVAL_NS);
    assert_int_equal(table.changes, 1);
}

static void test_neighbours_pinned_stay_as_they_are(void **state)
{
    (void)state;
    assert_int_equal(neighbours_pin(&table, ip_of(1).bytes, mac_one), OK);
    hear(1, mac_two, 5);
    neighbours_answer(&table, ip_of(1).bytes, mac_two, 6);
    assert_false(neighbours_is_query_due(&table, want(1, 100 * SECOND_NS), 100 * SECOND_NS));
    assert_mac(1, mac_one);
    assert_int_equal(table.conflicts, 2);
    uint32_t heard = 0;
    for (uint32_t i = 2; i < 8 * NEIGHBOURS_MAX; i++) {
        heard += neighbours_hear(&table, ip_of(i).bytes, mac_two, 200 * SECOND_NS) == OK;
    }
    assert_int_equal(heard, NEIGHBOURS_MAX - 1);
    assert_mac(1, mac_one);
}

static void test_neighbours_pinned_leave_room(void **state)
{
    (void)state;
    uint32_t pinned = 0;
    for (uint32_t i = 0; i < 8 * NEIGHBOURS_MAX; i++) {
        pinned += neighbours_pin(&table, ip_of(i).bytes, mac_one) == OK;
    }
    assert_int_equal(pinned, NEIGHBOUR_SETS * (NEIGHBOUR_WAYS - 1));
    (void)want(8 * NEIGHBOURS_MAX, 1);
}

static void test_neighbours_enters_no_stranger_from_news(void **state)
{
    (void)state;
    neighbours_answer(&table, ip_of(1).bytes, mac_one, 0);
    assert_null(neighbours_find(&table, ip_of(1).bytes));
    (void)want(1, 0);
    neighbours_answer(&table, ip_of(1).bytes, mac_one, 0);
    assert_mac(1, mac_one);
}

static void test_neighbours_limits_the_rate_of_queries(void **state)
{
    (void)state;
    uint32_t queries = 0;
    struct neighbour *entry = want(1, 0);
    for (uint64_t now_ns = 0; now_ns < SECOND_NS / 2; now_ns += 1000000) {
        queries += neighbours_is_query_due(&table, entry, now_ns);
    }
    assert_int_equal(queries, SECOND_NS / 2 / NEIGHBOUR_QUERY_INTERVAL_NS);
    assert_int_equal(table.pending, 1);
    neighbours_answer(&table, ip_of(1).bytes, mac_one, SECOND_NS);
    assert_int_equal(table.pending, 0);
    assert_false(neighbours_is_query_due(&table, entry, SECOND_NS + 1));
}

static void test_neighbours_confirms_old_entries_while_using_them(void **state)
{
    (void)state;
    prove(1, mac_one, 0);
    struct neighbour *entry = want(1, NEIGHBOUR_FRESH_NS);
    assert_true(neighbours_is_query_due(&table, entry, NEIGHBOUR_FRESH_NS));
    assert_true(entry->is_known);
    assert_false(neighbours_is_query_due(&table, entry, NEIGHBOUR_FRESH_NS + 1));
    hear(1, mac_one, NEIGHBOUR_FRESH_NS + 2);
    assert_false(neighbours_is_query_due(&table, entry, NEIGHBOUR_FRESH_NS + SECOND_NS));
}

static void test_neighbours_repeats_and_gives_up(void **state)
{
    (void)state;
    uint32_t queries = 1;
    assert_true(neighbours_is_query_due(&table, want(1, 0), 0));
    assert_null(neighbours_next_due(&table, NEIGHBOUR_QUERY_INTERVAL_NS - 1));
    for (uint64_t now_ns = 0; now_ns < 10 * SECOND_NS; now_ns += NEIGHBOUR_QUERY_INTERVAL_NS) {
        const struct neighbour *due = neighbours_next_due(&table, now_ns);
        if (due != NULL) {
            assert_memory_equal(due->ip, ip_of(1).bytes, 16);
            queries++;
        }
    }
    assert_int_equal(queries, NEIGHBOUR_QUERIES_MAX);
    assert_null(neighbours_find(&table, ip_of(1).bytes));
    assert_int_equal(table.pending, 0);
}

/* A walk over the whole table in each turn would cost more than the packets that cause it. */
static void test_neighbours_looks_for_repetitions_now_and_then(void **state)
{
    (void)state;
    uint64_t look_ns = NEIGHBOUR_QUERY_INTERVAL_NS - NEIGHBOUR_LOOK_NS / 2;
    assert_true(neighbours_is_query_due(&table, want(1, 0), 0));
    assert_null(neighbours_next_due(&table, look_ns));
    assert_null(neighbours_next_due(&table, look_ns + NEIGHBOUR_LOOK_NS - 1));
    assert_non_null(neighbours_next_due(&table, look_ns + NEIGHBOUR_LOOK_NS));
}

/* However many addresses are made up, few questions are asked, and what has answered is asked. */
static void test_neighbours_asks_for_few_strangers(void **state)
{
    (void)state;
    uint32_t queries = 0;
    prove(1, mac_one, 0);
    for (uint64_t now_ns = 40 * SECOND_NS; now_ns < 41 * SECOND_NS; now_ns += 1000000) {
        for (uint32_t i = 2; i < 256; i++)
            queries += neighbours_is_query_due(&table, want(i, now_ns), now_ns);
        while (neighbours_next_due(&table, now_ns) != NULL)
            queries++;
    }
    uint64_t free = SECOND_NS / NEIGHBOUR_STRANGER_NS + NEIGHBOUR_STRANGERS_AT_ONCE;
    assert_in_range(queries, free - 2, free + 1);
    assert_true(neighbours_is_query_due(&table, want(1, 41 * SECOND_NS), 41 * SECOND_NS));
}

static void test_neighbours_strangers_push_out_only_the_stale(void **state)
{
    (void)state;
    uint32_t refused = 0;
    hear(0, mac_one, 0);
    for (uint32_t i = 1; i < 8 * NEIGHBOURS_MAX; i++) {
        refused += neighbours_hear(&table, ip_of(i).bytes, mac_two, 1) == ERR_FULL;
    }
    assert_true(refused >= 7 * NEIGHBOURS_MAX - 1);
    assert_non_null(neighbours_find(&table, ip_of(0).bytes));
    refused = 0;
    for (uint32_t i = 1; i <= NEIGHBOUR_SETS; i++) {
        struct neighbour *entry;
        refused +=
            neighbours_want(&table, ip_of(1000000 + i).bytes, NEIGHBOUR_STALE_NS + 2, &entry) != OK;
    }
    assert_true(refused < NEIGHBOUR_SETS / 8);
    assert_int_equal(table.pending, 0);
}

static void test_neighbours_of_one_subnet_spread_over_the_sets(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 254; i++) {
        hear(i, mac_one, 0);
    }
    for (uint32_t i = 0; i < 254; i++) {
        assert_non_null(neighbours_find(&table, ip_of(i).bytes));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_neighbours_believes_a_packet_until_the_answer_comes,
                               table_setup),
        cmocka_unit_test_setup(test_neighbours_no_packet_changes_a_proven_mac, table_setup),
        cmocka_unit_test_setup(test_neighbours_asks_again_when_another_mac_is_heard, table_setup),
        cmocka_unit_test_setup(test_neighbours_pinned_stay_as_they_are, table_setup),
        cmocka_unit_test_setup(test_neighbours_pinned_leave_room, table_setup),
        cmocka_unit_test_setup(test_neighbours_enters_no_stranger_from_news, table_setup),
        cmocka_unit_test_setup(test_neighbours_limits_the_rate_of_queries, table_setup),
        cmocka_unit_test_setup(test_neighbours_confirms_old_entries_while_using_them, table_setup),
        cmocka_unit_test_setup(test_neighbours_repeats_and_gives_up, table_setup),
        cmocka_unit_test_setup(test_neighbours_looks_for_repetitions_now_and_then, table_setup),
        cmocka_unit_test_setup(test_neighbours_asks_for_few_strangers, table_setup),
        cmocka_unit_test_setup(test_neighbours_strangers_push_out_only_the_stale, table_setup),
        cmocka_unit_test_setup(test_neighbours_of_one_subnet_spread_over_the_sets, table_setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
