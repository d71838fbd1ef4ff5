/* Cookies: for one address, for two to four minutes, and nobody else's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "security/cookie.h"

/* A secret is used from here on. */
#define START_NS (7 * COOKIE_SECRET_NS)

static struct cookie_jar jar;
static const struct address here = {.ip = {1, 2, 3}, .port = 4000};

static int setup(void **state)
{
    (void)state;
    const struct secret seed = {{9}};
    cookie_jar_init(&jar, &seed);
    return 0;
}

static void test_cookie_is_good_for_its_address(void **state)
{
    (void)state;
    uint8_t cookie[COOKIE_SIZE_BYTES];
    struct address other = here;
    cookie_make(&jar, &here, START_NS, cookie);
    assert_true(cookie_is_good(&jar, &here, START_NS, cookie));
    other.port++;
    assert_false(cookie_is_good(&jar, &other, START_NS, cookie));
    other = here;
    other.ip[15] ^= 1;
    assert_false(cookie_is_good(&jar, &other, START_NS, cookie));
    cookie[COOKIE_SIZE_BYTES - 1] ^= 1;
    assert_false(cookie_is_good(&jar, &here, START_NS, cookie));
}

static void test_cookie_ends_with_the_secret_after_its_own(void **state)
{
    (void)state;
    uint8_t cookie[COOKIE_SIZE_BYTES];
    cookie_make(&jar, &here, START_NS + COOKIE_SECRET_NS - 1, cookie);
    assert_true(cookie_is_good(&jar, &here, START_NS + COOKIE_SECRET_NS - 1, cookie));
    assert_true(cookie_is_good(&jar, &here, START_NS + 2 * COOKIE_SECRET_NS - 1, cookie));
    assert_false(cookie_is_good(&jar, &here, START_NS + 2 * COOKIE_SECRET_NS, cookie));
}

static void test_cookie_ends_if_nobody_asks_for_long(void **state)
{
    (void)state;
    uint8_t cookie[COOKIE_SIZE_BYTES];
    uint8_t later[COOKIE_SIZE_BYTES];
    cookie_make(&jar, &here, START_NS, cookie);
    assert_false(cookie_is_good(&jar, &here, START_NS + 100 * COOKIE_SECRET_NS, cookie));
    cookie_make(&jar, &here, START_NS + 100 * COOKIE_SECRET_NS, later);
    assert_memory_not_equal(cookie, later, sizeof(cookie));
    assert_true(cookie_is_good(&jar, &here, START_NS + 102 * COOKIE_SECRET_NS - 1, later));
    assert_false(cookie_is_good(&jar, &here, START_NS + 102 * COOKIE_SECRET_NS, later));
}

/* As of lanes of one node; as after a start. */
static void test_cookie_is_of_all_jars_of_one_seed(void **state)
{
    (void)state;
    const struct secret same_seed = {{9}};
    const struct secret other_seed = {{10}};
    struct cookie_jar same;
    struct cookie_jar other;
    uint8_t cookie[COOKIE_SIZE_BYTES];
    cookie_jar_init(&same, &same_seed);
    cookie_jar_init(&other, &other_seed);
    cookie_make(&same, &here, START_NS, cookie);
    assert_true(cookie_is_good(&jar, &here, START_NS + 1, cookie));
    assert_false(cookie_is_good(&other, &here, START_NS, cookie));
}

/* So that its owner can be given the next one in time. */
static void test_cookie_tells_its_age(void **state)
{
    (void)state;
    uint8_t cookie[COOKIE_SIZE_BYTES];
    cookie_make(&jar, &here, START_NS, cookie);
    assert_int_equal(cookie_age(&jar, &here, START_NS, cookie), COOKIE_LATEST);
    assert_int_equal(cookie_age(&jar, &here, START_NS + COOKIE_SECRET_NS - 1, cookie),
                     COOKIE_LATEST);
    assert_int_equal(cookie_age(&jar, &here, START_NS + COOKIE_SECRET_NS, cookie), COOKIE_BEFORE);
    assert_int_equal(cookie_age(&jar, &here, START_NS + 2 * COOKIE_SECRET_NS, cookie), COOKIE_BAD);
}

/* A few at once need none, and one more after each step. Whoever else has none is asked for it. */
static void test_cookie_is_asked_for_above_a_rate(void **state)
{
    (void)state;
    static const uint8_t none[COOKIE_SIZE_BYTES];
    uint8_t cookie[COOKIE_SIZE_BYTES];
    for (uint32_t i = 0; i < COOKIES_SPARED; i++)
        assert_false(cookie_is_asked(&jar, &here, START_NS, none, cookie));
    assert_true(cookie_is_asked(&jar, &here, START_NS, none, cookie));
    assert_true(cookie_is_good(&jar, &here, START_NS, cookie));
    assert_false(cookie_is_asked(&jar, &here, START_NS, cookie, cookie));
    assert_false(cookie_is_asked(&jar, &here, START_NS + COOKIE_SPARED_NS, none, cookie));
    assert_true(cookie_is_asked(&jar, &here, START_NS + COOKIE_SPARED_NS, none, cookie));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_cookie_is_good_for_its_address, setup),
        cmocka_unit_test_setup(test_cookie_ends_with_the_secret_after_its_own, setup),
        cmocka_unit_test_setup(test_cookie_ends_if_nobody_asks_for_long, setup),
        cmocka_unit_test_setup(test_cookie_is_of_all_jars_of_one_seed, setup),
        cmocka_unit_test_setup(test_cookie_tells_its_age, setup),
        cmocka_unit_test_setup(test_cookie_is_asked_for_above_a_rate, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
