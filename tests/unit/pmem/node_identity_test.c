/* The identity of a node: what was written is read back, and what is not one is refused. */
#include "pmem/node_identity.h"

#include "base/crc32c.h"
#include "base/le.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define COPY_BYTES 320u
#define COPY_STEP  2048u

static const struct node_identity good = {.cluster_id = UINT64_C(0x1122334455667788),
                                          .node = 3,
                                          .shard_count = 5,
                                          .medium = MEDIUM_FILE,
                                          .cluster = "example"};

static uint8_t file[NODE_IDENTITY_FILE_BYTES];

static int setup(void **state)
{
    (void)state;
    node_identity_encode(&good, file);
    return 0;
}

static enum error decode(struct node_identity *ret_identity)
{
    return node_identity_decode(file, sizeof(file), ret_identity);
}

/* Both copies get this byte, under a checksum that is right. */
static void set_byte(size_t offset, uint8_t byte)
{
    for (size_t at = 0; at < sizeof(file); at += COPY_STEP) {
        file[at + offset] = byte;
        le32_store(file + at + 12, 0);
        le32_store(file + at + 12, crc32c(0, file + at, COPY_BYTES));
    }
}

static void test_node_identity_is_read_as_it_was_written(void **state)
{
    (void)state;
    struct node_identity found;
    assert_int_equal(decode(&found), OK);
    assert_true(found.cluster_id == good.cluster_id);
    assert_int_equal(found.node, 3);
    assert_int_equal(found.shard_count, 5);
    assert_int_equal(found.medium, MEDIUM_FILE);
    assert_string_equal(found.cluster, "example");
}

static void test_node_identity_survives_rot_in_one_copy(void **state)
{
    (void)state;
    for (size_t offset = 0; offset < COPY_BYTES; offset++) {
        for (size_t at = 0; at < sizeof(file); at += COPY_STEP) {
            struct node_identity found;
            file[at + offset] ^= 0x10;
            assert_int_equal(decode(&found), OK);
            assert_int_equal(found.node, 3);
            file[at + offset] ^= 0x10;
        }
    }
}

static void test_node_identity_rotten_in_both_copies_is_refused(void **state)
{
    (void)state;
    for (size_t offset = 0; offset < COPY_BYTES; offset++) {
        struct node_identity found = {.node = 99};
        enum error expected = offset < 8 ? ERR_MAGIC : offset < 12 ? ERR_VERSION : ERR_CHECKSUM;
        file[offset] ^= 0x10;
        file[COPY_STEP + offset] ^= 0x10;
        assert_int_equal(decode(&found), expected);
        assert_int_equal(found.node, 99);
        file[offset] ^= 0x10;
        file[COPY_STEP + offset] ^= 0x10;
    }
}

static void test_node_identity_of_another_format_is_refused(void **state)
{
    (void)state;
    struct node_identity found;
    assert_int_equal(node_identity_decode(file, sizeof(file) - 1, &found), ERR_SHORT);
    set_byte(8, 2);
    assert_int_equal(decode(&found), ERR_VERSION);
    memset(file, 0, sizeof(file));
    assert_int_equal(decode(&found), ERR_MAGIC);
}

static void test_node_identity_out_of_range_is_refused(void **state)
{
    static const struct {
        size_t offset;
        uint8_t byte;
    } wrong[] = {{24, 0}, {25, 1}, {26, 0}, {26, 65}, {28, 0},
                 {28, 4}, {29, 1}, {63, 1}, {64, 0},  {319, 'x'}};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct node_identity found;
        setup(state);
        set_byte(wrong[i].offset, wrong[i].byte);
        assert_int_equal(decode(&found), ERR_RANGE);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, setup)
    const struct CMUnitTest tests[] = {
        TEST(test_node_identity_is_read_as_it_was_written),
        TEST(test_node_identity_survives_rot_in_one_copy),
        TEST(test_node_identity_rotten_in_both_copies_is_refused),
        TEST(test_node_identity_of_another_format_is_refused),
        TEST(test_node_identity_out_of_range_is_refused),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
