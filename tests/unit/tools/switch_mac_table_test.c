/* The learning table of the switch. */
#include "tools/switch/mac_table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static struct mac_table table;

static int setup(void **state)
{
    (void)state;
    mac_table_init(&table);
    return 0;
}

static void mac_of(uint32_t number, uint8_t ret_mac[6])
{
    const uint8_t mac[6] = {2,
                            0,
                            (uint8_t)(number >> 24),
                            (uint8_t)(number >> 16),
                            (uint8_t)(number >> 8),
                            (uint8_t)number};
    memcpy(ret_mac, mac, sizeof(mac));
}

static void test_mac_table_learns_and_moves(void **state)
{
    (void)state;
    uint8_t mac[6];
    mac_of(1, mac);
    assert_int_equal(mac_table_find(&table, mac, 1), MAC_PORT_NONE);
    mac_table_learn(&table, mac, 3, 1);
    assert_int_equal(mac_table_find(&table, mac, 2), 3);
    mac_table_learn(&table, mac, 4, 5);
    assert_int_equal(mac_table_find(&table, mac, 6), 4);
}

static void test_mac_table_ages(void **state)
{
    (void)state;
    uint8_t mac[6];
    mac_of(1, mac);
    mac_table_learn(&table, mac, 3, 10);
    assert_int_equal(mac_table_find(&table, mac, 9 + MAC_AGE_NS), 3);
    assert_int_equal(mac_table_find(&table, mac, 10 + MAC_AGE_NS), MAC_PORT_NONE);
}

static void test_mac_table_ignores_groups_and_zero(void **state)
{
    (void)state;
    const uint8_t broadcast[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    const uint8_t zero[6] = {0};
    mac_table_learn(&table, broadcast, 3, 1);
    mac_table_learn(&table, zero, 3, 1);
    assert_int_equal(mac_table_find(&table, broadcast, 2), MAC_PORT_NONE);
    assert_int_equal(mac_table_find(&table, zero, 2), MAC_PORT_NONE);
}

static void test_mac_table_forgets_a_port(void **state)
{
    (void)state;
    uint8_t one[6];
    uint8_t two[6];
    mac_of(1, one);
    mac_of(2, two);
    mac_table_learn(&table, one, 1, 1);
    mac_table_learn(&table, two, 2, 1);
    mac_table_forget_port(&table, 1);
    assert_int_equal(mac_table_find(&table, one, 2), MAC_PORT_NONE);
    assert_int_equal(mac_table_find(&table, two, 2), 2);
}

static void test_mac_table_gives_up_the_oldest_when_flooded(void **state)
{
    (void)state;
    uint8_t mac[6];
    for (uint32_t i = 0; i < 100 * MAC_TABLE_SLOTS; i++) {
        mac_of(i, mac);
        mac_table_learn(&table, mac, 1, 1 + i);
        assert_int_equal(mac_table_find(&table, mac, 1 + i), 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_mac_table_learns_and_moves, setup),
        cmocka_unit_test_setup(test_mac_table_ages, setup),
        cmocka_unit_test_setup(test_mac_table_ignores_groups_and_zero, setup),
        cmocka_unit_test_setup(test_mac_table_forgets_a_port, setup),
        cmocka_unit_test_setup(test_mac_table_gives_up_the_oldest_when_flooded, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
