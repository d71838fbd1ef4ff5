/* Who listens to whom: clusters of one name, and eras of one cluster. */
#include "server/cluster_identity.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static enum cluster_fit fit(uint32_t cluster, uint32_t era)
{
    return cluster_fit_of((struct cluster_identity){.cluster = 7, .era = 3},
                          (struct cluster_identity){.cluster = cluster, .era = era});
}

static void test_cluster_is_compared(void **state)
{
    (void)state;
    assert_int_equal(fit(7, 3), CLUSTER_FITS);
    assert_int_equal(fit(8, 3), CLUSTER_OTHER);
    assert_int_equal(fit(8, 4), CLUSTER_OTHER);
}

static void test_era_is_compared(void **state)
{
    (void)state;
    assert_int_equal(fit(7, 2), CLUSTER_EARLIER_ERA);
    assert_int_equal(fit(7, 4), CLUSTER_LATER_ERA);
}

static void test_who_knows_no_cluster_is_not_compared(void **state)
{
    (void)state;
    const struct cluster_identity none = {0};
    const struct cluster_identity some = {.cluster = 7, .era = 3};
    assert_int_equal(fit(0, 0), CLUSTER_FITS);
    assert_int_equal(cluster_fit_of(none, some), CLUSTER_FITS);
    assert_int_equal(cluster_fit_of(none, none), CLUSTER_FITS);
}

static void test_a_node_that_is_behind_hears_of_the_newest_members(void **state)
{
    (void)state;
    assert_true(cluster_is_host(7, 7, true));
    assert_false(cluster_is_host(7, 7, false)); /* it knows its members */
    assert_false(cluster_is_host(7, 8, true));
    assert_true(cluster_is_host(0, 8, false)); /* it is to join */
    assert_false(cluster_is_host(0, 0, true));
    assert_false(cluster_is_host(7, 0, true));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cluster_is_compared),
        cmocka_unit_test(test_era_is_compared),
        cmocka_unit_test(test_who_knows_no_cluster_is_not_compared),
        cmocka_unit_test(test_a_node_that_is_behind_hears_of_the_newest_members),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
