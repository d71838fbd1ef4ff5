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

/* The attack: an era that there cannot be, and whoever believed it would count no more. */
static void test_an_era_that_leaps_is_not_believed(void **state)
{
    (void)state;
    struct cluster_membership behind = {0};
    assert_int_equal(fit(7, 3 + ERA_LEAP_MAX), CLUSTER_LATER_ERA);
    assert_int_equal(fit(7, 4 + ERA_LEAP_MAX), CLUSTER_OTHER);
    assert_int_equal(fit(7, UINT32_MAX), CLUSTER_OTHER);
    cluster_membership_follow(&behind, (struct cluster_identity){7, 3}, false);
    assert_int_equal(
        cluster_membership_hear(&behind, (struct cluster_identity){7, 4 + ERA_LEAP_MAX}),
        CLUSTER_OTHER);
    assert_int_equal(cluster_membership_era(&behind), 3);
    assert_int_equal(
        cluster_membership_hear(&behind, (struct cluster_identity){7, 3 + ERA_LEAP_MAX}),
        CLUSTER_FITS);
    assert_int_equal(cluster_membership_era(&behind), 3 + ERA_LEAP_MAX);
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

/* The first records of a long log are of the era before the one in which it gets them. */
static void test_a_storage_that_catches_up_is_of_the_era_of_its_leader(void **state)
{
    (void)state;
    const struct cluster_identity before = {.cluster = 7, .era = 0};
    const struct cluster_identity now = {.cluster = 7, .era = 1};
    struct cluster_membership ours = {0};
    assert_int_equal(cluster_membership_hear(&ours, now), CLUSTER_FITS);
    cluster_membership_follow(&ours, before, false);
    assert_int_equal(cluster_membership_hear(&ours, now), CLUSTER_FITS);
    assert_int_equal(cluster_membership_told(&ours).cluster, 0); /* its leader hears it */
    assert_int_equal(cluster_membership_era(&ours), 1);
    /* Nor does it go back to the nodes of the era before. */
    assert_int_equal(cluster_membership_hear(&ours, before), CLUSTER_EARLIER_ERA);
    assert_int_equal(cluster_membership_hear(&ours, (struct cluster_identity){8, 1}),
                     CLUSTER_OTHER);
    cluster_membership_follow(&ours, now, true);
    assert_int_equal(cluster_membership_told(&ours).era, 1);
    assert_int_equal(cluster_membership_hear(&ours, before), CLUSTER_EARLIER_ERA);
    assert_int_equal(cluster_membership_hear(&ours, (struct cluster_identity){7, 2}),
                     CLUSTER_LATER_ERA);
}

/* It was being taken in when the era before ended, and is added anew. */
static void test_a_storage_that_the_era_before_had_named_is_of_the_era_of_its_leader(void **state)
{
    (void)state;
    const struct cluster_identity before = {.cluster = 7, .era = 0};
    const struct cluster_identity now = {.cluster = 7, .era = 1};
    struct cluster_membership ours = {0};
    assert_int_equal(cluster_membership_hear(&ours, now), CLUSTER_FITS);
    cluster_membership_follow(&ours, before, true);
    assert_int_equal(cluster_membership_hear(&ours, now), CLUSTER_FITS);
    assert_int_equal(cluster_membership_hear(&ours, before), CLUSTER_EARLIER_ERA);
    assert_int_equal(cluster_membership_told(&ours).cluster, 0);
    cluster_membership_follow(&ours, now, true);
    assert_int_equal(cluster_membership_told(&ours).era, 1);
}

/* It restarts in between, and knows no more than its log. */
static void test_a_storage_that_was_behind_is_of_a_later_era_than_its_log(void **state)
{
    (void)state;
    struct cluster_membership ours = {0};
    cluster_membership_follow(&ours, (struct cluster_identity){7, 1}, false);
    assert_int_equal(cluster_membership_hear(&ours, (struct cluster_identity){7, 0}),
                     CLUSTER_EARLIER_ERA);
    assert_int_equal(cluster_membership_hear(&ours, (struct cluster_identity){7, 2}), CLUSTER_FITS);
    assert_int_equal(cluster_membership_hear(&ours, (struct cluster_identity){0, 0}), CLUSTER_FITS);
    assert_int_equal(cluster_membership_era(&ours), 2);
}

/* Whom the era before has named is out, also if a later configuration lacks it. */
static void test_a_member_of_an_era_that_is_over_stays_out(void **state)
{
    (void)state;
    struct cluster_membership ours = {0};
    cluster_membership_follow(&ours, (struct cluster_identity){7, 0}, true);
    assert_int_equal(cluster_membership_hear(&ours, (struct cluster_identity){7, 1}),
                     CLUSTER_LATER_ERA);
    cluster_membership_follow(&ours, (struct cluster_identity){7, 0}, false);
    assert_int_equal(cluster_membership_hear(&ours, (struct cluster_identity){7, 1}),
                     CLUSTER_LATER_ERA);
}

/* Not by one of no era yet, nor before a rescue, nor to whom this cluster is not known. */
static void test_the_era_is_told_to_storages_of_the_same_cluster(void **state)
{
    (void)state;
    struct cluster_membership ours = {0};
    assert_false(cluster_is_era_told(&ours, 0, 0));
    cluster_membership_follow(&ours, (struct cluster_identity){7, 0}, true);
    assert_false(cluster_is_era_told(&ours, 7, 7));
    cluster_membership_follow(&ours, (struct cluster_identity){7, 1}, true);
    assert_true(cluster_is_era_told(&ours, 7, 7));
    assert_false(cluster_is_era_told(&ours, 7, 8));
    assert_false(cluster_is_era_told(&ours, 7, 0));
    struct cluster_membership behind = {0};
    cluster_membership_follow(&behind, (struct cluster_identity){7, 1}, false);
    assert_false(cluster_is_era_told(&behind, 7, 7));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cluster_is_compared),
        cmocka_unit_test(test_era_is_compared),
        cmocka_unit_test(test_an_era_that_leaps_is_not_believed),
        cmocka_unit_test(test_who_knows_no_cluster_is_not_compared),
        cmocka_unit_test(test_a_storage_that_catches_up_is_of_the_era_of_its_leader),
        cmocka_unit_test(test_a_storage_that_the_era_before_had_named_is_of_the_era_of_its_leader),
        cmocka_unit_test(test_a_storage_that_was_behind_is_of_a_later_era_than_its_log),
        cmocka_unit_test(test_a_member_of_an_era_that_is_over_stays_out),
        cmocka_unit_test(test_the_era_is_told_to_storages_of_the_same_cluster),
        cmocka_unit_test(test_a_node_that_is_behind_hears_of_the_newest_members),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
