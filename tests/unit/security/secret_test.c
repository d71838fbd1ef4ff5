/* Derived secrets: known values, which Python's hashlib.blake2b gives for the same key, label and
 * parts; and each input counts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "security/secret.h"

static struct secret counting(void)
{
    struct secret secret;
    for (uint32_t i = 0; i < SECRET_SIZE_BYTES; i++)
        secret.bytes[i] = (uint8_t)i;
    return secret;
}

static void test_secret_digest_is_that_of_others(void **state)
{
    (void)state;
    static const uint8_t known[16] = {0x90, 0x35, 0x6d, 0x73, 0x02, 0x07, 0xa1, 0x10,
                                      0xe2, 0x2a, 0x79, 0x4d, 0xd0, 0x3f, 0x85, 0x12};
    const struct secret root = counting();
    const struct span parts[] = {span_of("abc", 3), span_of(NULL, 0), span_of("d", 1)};
    const struct secret_digest digest = {
        .secret = &root, .label = "a label", .parts = parts, .part_count = 3};
    uint8_t bytes[16];
    secret_digest(&digest, bytes, sizeof(bytes));
    assert_memory_equal(bytes, known, sizeof(known));
}

static void test_secret_of_nodes_and_clients_are_known(void **state)
{
    (void)state;
    static const uint8_t nodes[SECRET_SIZE_BYTES] = {
        0xc3, 0x0e, 0x51, 0x36, 0x9f, 0xc9, 0x43, 0x75, 0xfc, 0xac, 0x84,
        0xea, 0x87, 0xb1, 0xd9, 0xa4, 0x0c, 0xb0, 0x81, 0x79, 0x08, 0x5f,
        0x4f, 0x8c, 0xf9, 0x69, 0x29, 0xa0, 0x46, 0x73, 0x02, 0xec};
    static const uint8_t client[SECRET_SIZE_BYTES] = {
        0xf2, 0x72, 0xf5, 0x4b, 0x9c, 0x3e, 0x33, 0x0d, 0x96, 0x71, 0xa2,
        0x7b, 0x1e, 0x0f, 0xfd, 0x4b, 0xf4, 0x22, 0x22, 0x38, 0x8b, 0x46,
        0x66, 0x73, 0x73, 0x62, 0x2c, 0x8e, 0x57, 0x0d, 0xc9, 0xb9};
    const struct secret root = counting();
    struct secret secret;
    secret_of_nodes(&root, &secret);
    assert_memory_equal(secret.bytes, nodes, sizeof(nodes));
    secret_of_client(&root, span_of("web", 3), 7, &secret);
    assert_memory_equal(secret.bytes, client, sizeof(client));
}

static void test_secret_of_client_depends_on_all(void **state)
{
    (void)state;
    const struct secret root = counting();
    struct secret other = counting();
    struct secret secrets[4];
    other.bytes[31] ^= 1;
    secret_of_client(&root, span_of("web", 3), 0, &secrets[0]);
    secret_of_client(&root, span_of("web", 3), 1, &secrets[1]);
    secret_of_client(&root, span_of("we", 2), 0, &secrets[2]);
    secret_of_client(&other, span_of("web", 3), 0, &secrets[3]);
    for (uint32_t i = 0; i < 4; i++) {
        for (uint32_t j = 0; j < i; j++)
            assert_memory_not_equal(secrets[i].bytes, secrets[j].bytes, SECRET_SIZE_BYTES);
    }
}

static void test_secret_digest_keeps_parts_apart(void **state)
{
    (void)state;
    const struct secret root = counting();
    const struct span one[] = {span_of("ab", 2), span_of("c", 1)};
    const struct span other[] = {span_of("a", 1), span_of("bc", 2)};
    struct secret_digest digest = {
        .secret = &root, .label = "a label", .parts = one, .part_count = 2};
    uint8_t first[16];
    uint8_t second[16];
    secret_digest(&digest, first, sizeof(first));
    digest.parts = other;
    secret_digest(&digest, second, sizeof(second));
    assert_memory_not_equal(first, second, sizeof(first));
    digest.parts = one;
    digest.label = "another";
    secret_digest(&digest, second, sizeof(second));
    assert_memory_not_equal(first, second, sizeof(first));
}

static void test_secret_bytes_are_compared_to_the_last(void **state)
{
    (void)state;
    struct secret a = counting();
    struct secret b = counting();
    assert_true(secret_bytes_are_equal(a.bytes, b.bytes, SECRET_SIZE_BYTES));
    b.bytes[SECRET_SIZE_BYTES - 1] ^= 0x80;
    assert_false(secret_bytes_are_equal(a.bytes, b.bytes, SECRET_SIZE_BYTES));
    secret_wipe(&a, sizeof(a));
    secret_wipe(&b, sizeof(b));
    assert_true(secret_bytes_are_equal(a.bytes, b.bytes, SECRET_SIZE_BYTES));
    assert_int_equal(a.bytes[5], 0);
}

static void test_secret_draw_gives_others_each_time(void **state)
{
    (void)state;
    uint8_t first[SECRET_SIZE_BYTES] = {0};
    uint8_t second[SECRET_SIZE_BYTES] = {0};
    secret_draw(first, sizeof(first));
    secret_draw(second, sizeof(second));
    assert_memory_not_equal(first, second, sizeof(first));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_secret_digest_is_that_of_others),
        cmocka_unit_test(test_secret_of_nodes_and_clients_are_known),
        cmocka_unit_test(test_secret_of_client_depends_on_all),
        cmocka_unit_test(test_secret_digest_keeps_parts_apart),
        cmocka_unit_test(test_secret_bytes_are_compared_to_the_last),
        cmocka_unit_test(test_secret_draw_gives_others_each_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
