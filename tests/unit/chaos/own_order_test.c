/* What a key may hold that one handle writes. */
#include "tests/chaos/own_order.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void test_own_order_keeps_the_last_acknowledged_write(void **state)
{
    (void)state;
    struct own_order order;
    own_order_init(&order);
    assert_true(own_order_allows(&order, OWN_ABSENT));
    own_order_wrote(&order, 1, PLX_OK, false);
    own_order_wrote(&order, 2, PLX_TIMEOUT, false);
    own_order_wrote(&order, 3, PLX_E_OVERLOADED, false);
    own_order_wrote(&order, 4, PLX_MISMATCH, false);
    assert_true(own_order_allows(&order, 1));
    for (uint64_t value = 2; value <= 4; value++)
        assert_false(own_order_allows(&order, value));
    assert_false(own_order_allows(&order, OWN_ABSENT));
}

/* An earlier write whose outcome was not told may show, until a later one is acknowledged. */
static void test_own_order_overrules_what_was_not_told(void **state)
{
    (void)state;
    struct own_order order;
    own_order_init(&order);
    own_order_wrote(&order, 1, PLX_OK, false);
    own_order_wrote(&order, 2, PLX_UNKNOWN, false);
    assert_true(own_order_allows(&order, 1));
    assert_true(own_order_allows(&order, 2));
    own_order_wrote(&order, OWN_ABSENT, PLX_OK, false);
    assert_false(own_order_allows(&order, 1));
    assert_false(own_order_allows(&order, 2));
    assert_true(own_order_allows(&order, OWN_ABSENT));
}

static void test_own_order_lets_a_lost_storage_lose(void **state)
{
    (void)state;
    struct own_order order;
    own_order_init(&order);
    own_order_wrote(&order, 1, PLX_OK, false);
    own_order_wrote(&order, 2, PLX_OK, true);
    assert_true(own_order_allows(&order, 1));
    assert_true(own_order_allows(&order, 2));
    for (uint64_t value = 3; !own_order_is_full(&order); value++)
        own_order_wrote(&order, value, PLX_UNKNOWN, false);
    own_order_wrote(&order, 99, PLX_OK, false);
    assert_false(own_order_is_full(&order));
    assert_false(own_order_allows(&order, 2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_own_order_keeps_the_last_acknowledged_write),
        cmocka_unit_test(test_own_order_overrules_what_was_not_told),
        cmocka_unit_test(test_own_order_lets_a_lost_storage_lose),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
