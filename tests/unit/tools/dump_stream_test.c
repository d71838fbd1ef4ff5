/* The items of a snapshot stream, in blocks of any size, with gaps, and in bytes that are none. */
#include "tools/dump/stream.h"

#include "base/le.h"
#include "base/prng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define ENTRIES      200u
#define STREAM_BYTES (256u * 1024)

struct fixture {
    uint8_t bytes[STREAM_BYTES];
    size_t size_bytes;
    size_t offsets[ENTRIES]; /* of the entries */
    uint8_t buffer[STREAM_BUFFER_BYTES];
    struct stream stream;
    uint32_t items;
    uint32_t entries;
    uint64_t versions; /* sum */
    bool has_wrong;
};

static uint8_t *add(struct fixture *fixture, enum snapshot_item type, size_t body_bytes)
{
    uint8_t *at = fixture->bytes + fixture->size_bytes;
    le32_store(at, type);
    le32_store(at + 4, (uint32_t)body_bytes);
    fixture->size_bytes += SNAPSHOT_ITEM_HEADER_BYTES + body_bytes;
    assert_true(fixture->size_bytes <= STREAM_BYTES);
    return at + SNAPSHOT_ITEM_HEADER_BYTES;
}

static void add_entry(struct fixture *fixture, uint32_t number)
{
    size_t value_bytes = number * 7 % 1000;
    fixture->offsets[number] = fixture->size_bytes;
    uint8_t *body = add(fixture, SNAPSHOT_ENTRY, SNAPSHOT_ENTRY_BYTES + 8 + value_bytes);
    le64_store(body, number + 1);
    le32_store(body + 8, (uint32_t)value_bytes);
    le16_store(body + 12, 8);
    le64_store(body + 16, number);
    memset(body + 24, (int)number, value_bytes);
}

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    uint8_t *head = add(fixture, SNAPSHOT_HEAD, SNAPSHOT_HEAD_BYTES);
    le64_store(head, SNAPSHOT_MAGIC);
    le32_store(head + 8, SNAPSHOT_VERSION);
    uint8_t *node = add(fixture, SNAPSHOT_NODE, SNAPSHOT_NODE_BYTES + SNAPSHOT_CANCEL_64_BYTES);
    le32_store(node + 4, 1);
    uint8_t *session = add(fixture, SNAPSHOT_SESSION, SNAPSHOT_SESSION_BYTES);
    le64_store(session, 4711);
    for (uint32_t i = 0; i < ENTRIES; i++)
        add_entry(fixture, i);
    (void)add(fixture, SNAPSHOT_END, SNAPSHOT_END_BYTES);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    free(*state);
    return 0;
}

static void take(void *context, const struct stream_item *item)
{
    struct fixture *fixture = context;
    fixture->items++;
    if (item->type != SNAPSHOT_ENTRY)
        return;
    const struct stream_entry entry = stream_entry_of(item->body);
    uint64_t number = le64_load(entry.key.data);
    fixture->entries++;
    fixture->versions += entry.version;
    fixture->has_wrong |= entry.version != number + 1 || item->offset != fixture->offsets[number] ||
                          entry.value.size_bytes != number * 7 % 1000;
}

static void begin(struct fixture *fixture)
{
    fixture->items = 0;
    fixture->entries = 0;
    fixture->versions = 0;
    fixture->has_wrong = false;
    fixture->stream.take = take;
    fixture->stream.context = fixture;
    stream_begin(&fixture->stream, fixture->buffer);
}

static void run(struct fixture *fixture, size_t from, size_t to, size_t block_bytes)
{
    for (size_t at = from; at < to; at += block_bytes)
        stream_block(&fixture->stream,
                     span_of(fixture->bytes + at, to - at < block_bytes ? to - at : block_bytes));
}

static void test_stream_has_every_item_whatever_the_blocks(void **state)
{
    struct fixture *fixture = *state;
    static const size_t sizes[] = {1, 7, 8, 64, 1000, SNAPSHOT_BLOCK_BYTES};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        begin(fixture);
        run(fixture, 0, fixture->size_bytes, sizes[i]);
        stream_end(&fixture->stream);
        assert_int_equal(fixture->items, ENTRIES + 4);
        assert_int_equal(fixture->versions, ENTRIES * (ENTRIES + 1) / 2);
        assert_false(fixture->has_wrong || fixture->stream.is_broken);
        assert_true(fixture->stream.has_end);
        assert_int_equal(fixture->stream.lost_bytes, 0);
    }
}

static void test_stream_goes_on_behind_a_gap(void **state)
{
    struct fixture *fixture = *state;
    for (size_t from = 100; from < fixture->size_bytes - 3000; from += 911) {
        size_t to = from + 2500;
        begin(fixture);
        run(fixture, 0, from, 4000);
        stream_gap(&fixture->stream, to - from);
        run(fixture, to, fixture->size_bytes, 4000);
        stream_end(&fixture->stream);
        uint32_t expected = 0;
        for (uint32_t i = 0; i < ENTRIES; i++) {
            size_t end = i + 1 < ENTRIES ? fixture->offsets[i + 1]
                                         : fixture->size_bytes - SNAPSHOT_ITEM_HEADER_BYTES -
                                               SNAPSHOT_END_BYTES;
            expected += end <= from || fixture->offsets[i] >= to;
        }
        assert_int_equal(fixture->entries, expected);
        assert_false(fixture->has_wrong || fixture->stream.is_broken);
        assert_true(fixture->stream.lost_bytes >= to - from);
    }
}

static void test_stream_names_the_first_place_that_is_no_item(void **state)
{
    struct fixture *fixture = *state;
    fixture->bytes[fixture->offsets[20]] = 99;
    begin(fixture);
    run(fixture, 0, fixture->size_bytes, 4000);
    stream_end(&fixture->stream);
    assert_true(fixture->stream.is_broken);
    assert_int_equal(fixture->stream.broken_offset, fixture->offsets[20]);
    assert_int_equal(fixture->entries, ENTRIES - 1);
    assert_false(fixture->has_wrong);
}

static void test_stream_that_is_cut_is_broken(void **state)
{
    struct fixture *fixture = *state;
    begin(fixture);
    run(fixture, 0, fixture->offsets[30] + 20, 4000);
    stream_end(&fixture->stream);
    assert_true(fixture->stream.is_broken);
    assert_false(fixture->stream.has_end);
    assert_int_equal(fixture->entries, 30);
}

static void test_stream_survives_any_bytes(void **state)
{
    struct fixture *fixture = *state;
    struct prng prng;
    prng_init(&prng, 7);
    for (uint32_t round = 0; round < 200; round++) {
        for (uint32_t i = 0; i < 20; i++)
            fixture->bytes[prng_range(&prng, 0, fixture->size_bytes - 1)] =
                (uint8_t)prng_next(&prng);
        begin(fixture);
        run(fixture, 0, fixture->size_bytes, prng_range(&prng, 1, 9000));
        stream_end(&fixture->stream);
        assert_true(fixture->items <= ENTRIES + 4);
        assert_true(fixture->stream.offset <= fixture->size_bytes);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_stream_has_every_item_whatever_the_blocks),
        TEST(test_stream_goes_on_behind_a_gap),
        TEST(test_stream_names_the_first_place_that_is_no_item),
        TEST(test_stream_that_is_cut_is_broken),
        TEST(test_stream_survives_any_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
