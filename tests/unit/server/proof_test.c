/* Who has proven his address, and what those who have not may be sent. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "server/proof.h"

#define SECOND_NS UINT64_C(1000000000)
#define NOW_NS    (5 * COOKIE_SECRET_NS)
#define KIB       UINT64_C(1024)
#define RATE      (256 * KIB)

static const struct secret seed = {{4}};
static struct proof proof;
static const struct address here = {.ip = {[10] = 255, 255, 10, 0, 0, 1}, .port = 4000};

static struct address host(uint8_t number)
{
    struct address address = here;
    address.ip[15] = number;
    return address;
}

static void test_proof_is_a_cookie_of_the_address(void **state)
{
    (void)state;
    uint8_t cookie[COOKIE_SIZE_BYTES];
    struct address other = here;
    other.port++;
    proof_init(&proof, &seed, RATE);
    cookie_make(&proof.cookies, &here, NOW_NS, cookie);
    for (uint32_t again = 0; again < 2; again++) { /* computed, then seen before */
        assert_int_equal(proof_cookie_age(&proof, &here, NOW_NS, cookie), COOKIE_LATEST);
        assert_int_equal(proof_cookie_age(&proof, &other, NOW_NS, cookie), COOKIE_BAD);
    }
    for (uint32_t again = 0; again < 2; again++)
        assert_int_equal(proof_cookie_age(&proof, &here, NOW_NS + COOKIE_SECRET_NS, cookie),
                         COOKIE_BEFORE);
    assert_int_equal(proof_cookie_age(&proof, &here, NOW_NS + 2 * COOKIE_SECRET_NS, cookie),
                     COOKIE_BAD);
    cookie[3] ^= 1;
    assert_int_equal(proof_cookie_age(&proof, &here, NOW_NS, cookie), COOKIE_BAD);
}

static void test_proof_has_a_budget_for_each_host(void **state)
{
    (void)state;
    struct address other = host(2);
    struct address same = here;
    same.port++;
    proof_init(&proof, &seed, RATE);
    assert_true(proof_has_room(&proof, &here, NOW_NS));
    assert_true(proof_take(&proof, &here, RATE - KIB, NOW_NS));
    assert_false(proof_has_room(&proof, &here, NOW_NS));
    assert_false(proof_take(&proof, &same, 2 * KIB, NOW_NS));
    assert_true(proof_take(&proof, &same, KIB, NOW_NS));
    assert_true(proof_take(&proof, &other, RATE, NOW_NS));
    /* A quarter of a second later a quarter of it is free again. */
    assert_false(proof_has_room(&proof, &here, NOW_NS + SECOND_NS / 4 - 1000));
    assert_true(proof_has_room(&proof, &here, NOW_NS + SECOND_NS / 4));
    assert_false(proof_take(&proof, &here, RATE / 4 + KIB, NOW_NS + SECOND_NS / 4));
    assert_true(proof_take(&proof, &here, RATE / 4, NOW_NS + SECOND_NS / 4));
}

static void test_proof_has_a_budget_for_all(void **state)
{
    (void)state;
    uint64_t taken = 0;
    proof_init(&proof, &seed, RATE);
    for (uint32_t number = 0; number < 200; number++) {
        struct address address = host((uint8_t)number);
        while (proof_take(&proof, &address, 16 * KIB, NOW_NS))
            taken += 16 * KIB;
    }
    assert_int_equal(taken, HOSTS_AT_ONCE * RATE);
}

/* Of an IPv6 host the first 64 bits count. */
static void test_proof_tells_hosts_apart(void **state)
{
    (void)state;
    struct address one = {.ip = {0x20, 1, [7] = 1}, .port = 1};
    struct address two = one;
    two.ip[15] = 9;
    proof_init(&proof, &seed, RATE);
    assert_true(proof_take(&proof, &one, RATE, NOW_NS));
    assert_false(proof_take(&proof, &two, KIB, NOW_NS));
    two.ip[7] = 2;
    assert_true(proof_take(&proof, &two, KIB, NOW_NS));
}

static void test_proof_may_have_no_budget(void **state)
{
    (void)state;
    proof_init(&proof, &seed, 0);
    assert_false(proof_has_room(&proof, &here, NOW_NS));
    assert_false(proof_take(&proof, &here, 1, NOW_NS));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_proof_is_a_cookie_of_the_address),
        cmocka_unit_test(test_proof_has_a_budget_for_each_host),
        cmocka_unit_test(test_proof_has_a_budget_for_all),
        cmocka_unit_test(test_proof_tells_hosts_apart),
        cmocka_unit_test(test_proof_may_have_no_budget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
