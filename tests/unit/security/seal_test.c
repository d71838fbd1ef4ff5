/* Sealing: known answers (the GCM specification's, and packets sealed by Python's cryptography),
 * every bit counts, no number twice, none after a fork, and each error has its cause. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <intel-ipsec-mb.h>
#include <cmocka.h>

#include "security/seal.h"

#define PACKET_BYTES 100
#define CLEAR_BYTES  56
#define TAG_OFFSET   40

static const struct seal_secret secret = {{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
                                          {0xa0, 0xa1, 0xa2, 0xa3}};
static struct seal_engine engine;
static struct fork_guard guard;
static struct seal_tx tx;
static struct seal_rx rx;
static uint8_t plain[PACKET_BYTES];
static uint8_t data[PACKET_BYTES];
static bool is_without_memory;
static bool is_without_sodium;

IMB_MGR *__real_alloc_mb_mgr(uint64_t flags);
IMB_MGR *__wrap_alloc_mb_mgr(uint64_t flags);
int __real_sodium_init(void);
int __wrap_sodium_init(void);

IMB_MGR *__wrap_alloc_mb_mgr(uint64_t flags)
{
    return is_without_memory ? NULL : __real_alloc_mb_mgr(flags);
}

int __wrap_sodium_init(void)
{
    return is_without_sodium ? -1 : __real_sodium_init();
}

static struct seal_packet packet_of(uint32_t clear_bytes)
{
    return (struct seal_packet){.data = data,
                                .size_bytes = PACKET_BYTES,
                                .clear_bytes = clear_bytes,
                                .tag_offset = TAG_OFFSET};
}

static int setup(void **state)
{
    (void)state;
    if (seal_engine_init(&engine) != OK || fork_guard_init(&guard) != OK)
        return -1;
    seal_tx_init(&tx, &engine, &secret);
    seal_rx_init(&rx, &engine, &secret);
    for (uint32_t i = 0; i < PACKET_BYTES; i++)
        plain[i] = (uint8_t)(i * 7 + 1);
    memset(plain + TAG_OFFSET, 0, SEAL_TAG_SIZE_BYTES);
    memcpy(data, plain, sizeof(data));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fork_guard_deinit(&guard);
    return 0;
}

static uint64_t close_next(uint32_t clear_bytes)
{
    uint64_t number = 0;
    const struct seal_packet packet = packet_of(clear_bytes);
    assert_int_equal(seal_tx_number(&tx, &guard, &number), OK);
    seal_packet_close(&engine, &tx, &packet);
    return number;
}

static enum error open_as(uint64_t number, uint32_t clear_bytes)
{
    const struct seal_packet packet = packet_of(clear_bytes);
    return seal_packet_open(&engine, &rx, number, &packet);
}

/* Test case 4 of the specification: 60 bytes of text, 20 that stay clear. */
static void test_seal_engine_computes_the_known_answer(void **state)
{
    (void)state;
    static const uint8_t key[16] = {0xfe, 0xff, 0xe9, 0x92, 0x86, 0x65, 0x73, 0x1c,
                                    0x6d, 0x6a, 0x8f, 0x94, 0x67, 0x30, 0x83, 0x08};
    static const uint8_t iv[12] = {0xca, 0xfe, 0xba, 0xbe, 0xfa, 0xce,
                                   0xdb, 0xad, 0xde, 0xca, 0xf8, 0x88};
    static const uint8_t clear[20] = {0xfe, 0xed, 0xfa, 0xce, 0xde, 0xad, 0xbe, 0xef, 0xfe, 0xed,
                                      0xfa, 0xce, 0xde, 0xad, 0xbe, 0xef, 0xab, 0xad, 0xda, 0xd2};
    static const uint8_t text[60] = {
        0xd9, 0x31, 0x32, 0x25, 0xf8, 0x84, 0x06, 0xe5, 0xa5, 0x59, 0x09, 0xc5, 0xaf, 0xf5, 0x26,
        0x9a, 0x86, 0xa7, 0xa9, 0x53, 0x15, 0x34, 0xf7, 0xda, 0x2e, 0x4c, 0x30, 0x3d, 0x8a, 0x31,
        0x8a, 0x72, 0x1c, 0x3c, 0x0c, 0x95, 0x95, 0x68, 0x09, 0x53, 0x2f, 0xcf, 0x0e, 0x24, 0x49,
        0xa6, 0xb5, 0x25, 0xb1, 0x6a, 0xed, 0xf5, 0xaa, 0x0d, 0xe6, 0x57, 0xba, 0x63, 0x7b, 0x39};
    static const uint8_t cipher[60] = {
        0x42, 0x83, 0x1e, 0xc2, 0x21, 0x77, 0x74, 0x24, 0x4b, 0x72, 0x21, 0xb7, 0x84, 0xd0, 0xd4,
        0x9c, 0xe3, 0xaa, 0x21, 0x2f, 0x2c, 0x02, 0xa4, 0xe0, 0x35, 0xc1, 0x7e, 0x23, 0x29, 0xac,
        0xa1, 0x2e, 0x21, 0xd5, 0x14, 0xb2, 0x54, 0x66, 0x93, 0x1c, 0x7d, 0x8f, 0x6a, 0x5a, 0xac,
        0x84, 0xaa, 0x05, 0x1b, 0xa3, 0x0b, 0x39, 0x6a, 0x0a, 0xac, 0x97, 0x3d, 0x58, 0xe0, 0x91};
    static const uint8_t expected[16] = {0x5b, 0xc9, 0x4f, 0xbc, 0x32, 0x21, 0xa5, 0xdb,
                                         0x94, 0xfa, 0xe9, 0x5a, 0xe7, 0x12, 0x1a, 0x47};
    static struct gcm_key_data expanded;
    struct gcm_context_data context;
    uint8_t out[60];
    uint8_t tag[16];
    engine.expand(key, &expanded);
    engine.encrypt(&expanded, &context, out, text, sizeof(text), iv, clear, sizeof(clear), tag,
                   sizeof(tag));
    assert_memory_equal(out, cipher, sizeof(cipher));
    assert_memory_equal(tag, expected, sizeof(expected));
}

static void test_seal_of_a_packet_is_that_of_others(void **state)
{
    (void)state;
    static const uint8_t integrity[16] = {0x3a, 0x1e, 0x1e, 0x05, 0x9c, 0x66, 0xf4, 0xbe,
                                          0x74, 0x54, 0x58, 0xee, 0x38, 0xf8, 0x58, 0x50};
    static const uint8_t encrypted[16] = {0x5c, 0x5d, 0xf5, 0xce, 0x4f, 0x13, 0x1d, 0x11,
                                          0x64, 0x82, 0xb1, 0x31, 0x08, 0xc8, 0x74, 0xa1};
    static const uint8_t cipher[16] = {0x28, 0xb6, 0xf1, 0xe3, 0x14, 0xea, 0x18, 0x7d,
                                       0xcc, 0x68, 0x74, 0xe0, 0x40, 0xe6, 0x67, 0xfb};
    assert_int_equal(close_next(PACKET_BYTES), 1);
    assert_memory_equal(data + TAG_OFFSET, integrity, sizeof(integrity));
    assert_memory_equal(data, plain, TAG_OFFSET);
    assert_memory_equal(data + CLEAR_BYTES, plain + CLEAR_BYTES, PACKET_BYTES - CLEAR_BYTES);
    memcpy(data, plain, sizeof(data));
    assert_int_equal(close_next(CLEAR_BYTES), 2);
    assert_memory_equal(data + TAG_OFFSET, encrypted, sizeof(encrypted));
    assert_memory_equal(data, plain, TAG_OFFSET);
    assert_memory_equal(data + CLEAR_BYTES, cipher, sizeof(cipher));
}

static void test_seal_is_opened_once(void **state)
{
    (void)state;
    uint8_t sealed[PACKET_BYTES];
    for (uint64_t expected = 1; expected <= 3; expected++) {
        uint32_t clear_bytes = expected == 2 ? PACKET_BYTES : CLEAR_BYTES;
        memcpy(data, plain, sizeof(data));
        assert_int_equal(close_next(clear_bytes), expected);
        memcpy(sealed, data, sizeof(data));
        assert_int_equal(open_as(expected, clear_bytes), OK);
        assert_memory_equal(data, plain, sizeof(data));
        memcpy(data, sealed, sizeof(data));
        assert_int_equal(open_as(expected, clear_bytes), ERR_REPLAYED);
    }
    assert_int_equal(open_as(0, CLEAR_BYTES), ERR_RANGE);
}

static void test_seal_finds_each_changed_bit(void **state)
{
    (void)state;
    uint8_t sealed[PACKET_BYTES];
    for (uint32_t way = 0; way < 2; way++) {
        uint32_t clear_bytes = way == 0 ? PACKET_BYTES : CLEAR_BYTES;
        memcpy(data, plain, sizeof(data));
        uint64_t number = close_next(clear_bytes);
        memcpy(sealed, data, sizeof(data));
        for (uint32_t bit = 0; bit < 8 * PACKET_BYTES; bit++) {
            memcpy(data, sealed, sizeof(data));
            data[bit / 8] ^= (uint8_t)(1u << bit % 8);
            assert_int_equal(open_as(number, clear_bytes), ERR_FORGED);
        }
        memcpy(data, sealed, sizeof(data));
        assert_int_equal(open_as(number + 1, clear_bytes), ERR_FORGED);
        memcpy(data, sealed, sizeof(data));
        assert_int_equal(open_as(number, clear_bytes == CLEAR_BYTES ? PACKET_BYTES : CLEAR_BYTES),
                         ERR_FORGED);
        /* What was forged has moved no window. */
        memcpy(data, sealed, sizeof(data));
        assert_int_equal(open_as(number, clear_bytes), OK);
    }
}

static void test_seal_is_of_one_key_and_salt(void **state)
{
    (void)state;
    uint8_t sealed[PACKET_BYTES];
    uint64_t number = close_next(CLEAR_BYTES);
    memcpy(sealed, data, sizeof(data));
    for (uint32_t i = 0; i < 2; i++) {
        struct seal_secret other = secret;
        *(i == 0 ? &other.key[15] : &other.salt[3]) ^= 1;
        seal_rx_init(&rx, &engine, &other);
        memcpy(data, sealed, sizeof(data));
        assert_int_equal(open_as(number, CLEAR_BYTES), ERR_FORGED);
    }
}

static void test_seal_numbers_rise_and_end(void **state)
{
    (void)state;
    uint64_t number = 0;
    for (uint64_t i = 1; i <= 1000; i++) {
        assert_int_equal(seal_tx_number(&tx, &guard, &number), OK);
        assert_int_equal(number, i);
    }
    tx.last_number = SEAL_NUMBERS_MAX - 1;
    assert_int_equal(seal_tx_number(&tx, &guard, &number), OK);
    assert_true(number == SEAL_NUMBERS_MAX);
    number = 5;
    assert_int_equal(seal_tx_number(&tx, &guard, &number), ERR_FULL);
    assert_int_equal(number, 5);
}

/* Two packets under one number would give the key of the tags away. */
static void test_seal_number_is_good_for_one_packet(void **state)
{
    (void)state;
    int status = 0;
    (void)close_next(CLEAR_BYTES);
    const struct seal_packet packet = packet_of(CLEAR_BYTES);
    pid_t child = fork();
    if (child == 0) {
        (void)close(STDERR_FILENO);
        seal_packet_close(&engine, &tx, &packet);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
}

static void test_seal_gives_no_number_after_a_fork(void **state)
{
    (void)state;
    int status = 0;
    uint64_t number;
    pid_t child = fork();
    if (child == 0)
        _exit(seal_tx_number(&tx, &guard, &number) == ERR_OUTDATED ? 42 : 1);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 42);
    assert_int_equal(seal_tx_number(&tx, &guard, &number), OK);
}

static void test_seal_engine_says_what_it_lacks(void **state)
{
    (void)state;
    struct seal_engine other;
    is_without_memory = true;
    enum error error = seal_engine_init(&other);
    is_without_memory = false;
    assert_int_equal(error, ERR_NO_MEMORY);
    is_without_sodium = true;
    error = seal_engine_init(&other);
    is_without_sodium = false;
    assert_int_equal(error, ERR_UNSUPPORTED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_seal_engine_computes_the_known_answer, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_seal_of_a_packet_is_that_of_others, setup, teardown),
        cmocka_unit_test_setup_teardown(test_seal_is_opened_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_seal_finds_each_changed_bit, setup, teardown),
        cmocka_unit_test_setup_teardown(test_seal_is_of_one_key_and_salt, setup, teardown),
        cmocka_unit_test_setup_teardown(test_seal_numbers_rise_and_end, setup, teardown),
        cmocka_unit_test_setup_teardown(test_seal_number_is_good_for_one_packet, setup, teardown),
        cmocka_unit_test_setup_teardown(test_seal_gives_no_number_after_a_fork, setup, teardown),
        cmocka_unit_test(test_seal_engine_says_what_it_lacks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
