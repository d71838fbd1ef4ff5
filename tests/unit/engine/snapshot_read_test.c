/* Streams that are cut, altered or of something else: an error each, and the machine can be emptied
 * and filled again. */
#include "tests/unit/engine/history.h"

#include "base/le.h"
#include "engine/state/rcu.h"

#define RECORDS 60

struct reading {
    struct history *history;
    struct world *world; /* that the stream is of */
    struct world *other; /* that reads it */
    struct stream stream;
    uint8_t *bytes; /* the stream, altered */
    size_t size_bytes;
};

static int setup(void **state)
{
    struct machine_options options = history_options();
    struct reading *reading = calloc(1, sizeof(*reading));
    rcu_thread_begin();
    reading->history = history_new(6, 300);
    reading->world = world_new(&options);
    reading->other = world_new(&options);
    for (uint32_t i = 0; i < RECORDS; i++)
        history_go_on(reading->history, reading->world);
    stream_take(&reading->stream, reading->world);
    reading->bytes = malloc(2 * reading->stream.size_bytes);
    assert_non_null(reading->bytes);
    *state = reading;
    return 0;
}

static int teardown(void **state)
{
    struct reading *reading = *state;
    stream_free(&reading->stream);
    world_free(reading->other);
    world_free(reading->world);
    history_free(reading->history);
    free(reading->bytes);
    free(reading);
    rcu_thread_end();
    return 0;
}

/* The stream as it was written. */
static void restore(struct reading *reading)
{
    reading->size_bytes = reading->stream.size_bytes;
    memcpy(reading->bytes, reading->stream.bytes, reading->size_bytes);
}

static enum error read_with(struct reading *reading, size_t chunk_bytes)
{
    return stream_read(span_of(reading->bytes, reading->size_bytes), reading->other, chunk_bytes,
                       NULL);
}

/* The error, in one chunk and byte by byte; then the right stream is read. */
static void expect_error(struct reading *reading, enum error expected)
{
    for (size_t chunk = 1; chunk <= 1000; chunk += 999) {
        assert_string_equal(error_name(read_with(reading, chunk)), error_name(expected));
        world_clear(reading->other);
    }
    restore(reading);
    assert_int_equal(read_with(reading, 1000), OK);
    assert_int_equal(machine_state_hash(&reading->other->machine),
                     machine_state_hash(&reading->world->machine));
    world_clear(reading->other);
}

static size_t size_at(const struct reading *reading, size_t at)
{
    return SNAPSHOT_ITEM_HEADER_BYTES + (size_t)le32_load(reading->bytes + at + 4);
}

/* Where the item `number` (from 0) of the type begins. */
static size_t item_at(const struct reading *reading, enum snapshot_item type, uint32_t number)
{
    for (size_t at = 0; at < reading->size_bytes; at += size_at(reading, at)) {
        if (le32_load(reading->bytes + at) == (uint32_t)type && number-- == 0)
            return at;
    }
    fail_msg("no such item");
    return 0;
}

static void leave_out(struct reading *reading, enum snapshot_item type)
{
    restore(reading);
    size_t at = item_at(reading, type, 0);
    size_t size = size_at(reading, at);
    memmove(reading->bytes + at, reading->bytes + at + size, reading->size_bytes - at - size);
    reading->size_bytes -= size;
}

static void repeat(struct reading *reading, enum snapshot_item type)
{
    restore(reading);
    size_t at = item_at(reading, type, 0);
    size_t size = size_at(reading, at);
    memmove(reading->bytes + at + size, reading->bytes + at, reading->size_bytes - at);
    reading->size_bytes += size;
}

static void test_read_takes_chunks_of_any_size(void **state)
{
    struct reading *reading = *state;
    uint64_t hash = machine_state_hash(&reading->world->machine);
    restore(reading);
    for (size_t chunk = 1; chunk < 40; chunk++) {
        assert_int_equal(read_with(reading, chunk), OK);
        machine_check_invariants(&reading->other->machine);
        assert_int_equal(machine_state_hash(&reading->other->machine), hash);
        world_clear(reading->other);
    }
}

static void test_read_refuses_a_cut_stream(void **state)
{
    struct reading *reading = *state;
    for (size_t size = 0; size < reading->stream.size_bytes; size += 1 + size / 200) {
        restore(reading);
        reading->size_bytes = size;
        assert_int_equal(read_with(reading, 1000), ERR_SHORT);
        world_clear(reading->other);
    }
    restore(reading);
    reading->size_bytes--;
    expect_error(reading, ERR_SHORT);
}

static void test_read_refuses_bytes_after_the_end(void **state)
{
    struct reading *reading = *state;
    repeat(reading, SNAPSHOT_END);
    expect_error(reading, ERR_TRAILING);
}

static void test_read_refuses_what_comes_twice_or_is_missing(void **state)
{
    struct reading *reading = *state;
    for (int type = SNAPSHOT_NODE; type <= SNAPSHOT_ENTRY; type++) {
        repeat(reading, (enum snapshot_item)type);
        expect_error(reading, ERR_CORRUPT);
        leave_out(reading, (enum snapshot_item)type);
        expect_error(reading, ERR_CORRUPT);
    }
    repeat(reading, SNAPSHOT_HEAD);
    expect_error(reading, ERR_CORRUPT);
    leave_out(reading, SNAPSHOT_HEAD);
    expect_error(reading, ERR_MAGIC);
    leave_out(reading, SNAPSHOT_END);
    expect_error(reading, ERR_SHORT);
}

/* One field of the first item of a type, and what comes of it. */
struct alteration {
    enum snapshot_item type;
    size_t at; /* in the item */
    uint8_t size;
    uint64_t value;
    enum error error;
};

static void alter(struct reading *reading, const struct alteration *alteration)
{
    restore(reading);
    uint8_t *to = reading->bytes + item_at(reading, alteration->type, 0) + alteration->at;
    if (alteration->size == 1)
        *to = (uint8_t)alteration->value;
    else if (alteration->size == 2)
        le16_store(to, (uint16_t)alteration->value);
    else if (alteration->size == 4)
        le32_store(to, (uint32_t)alteration->value);
    else
        le64_store(to, alteration->value);
}

static void test_read_refuses_altered_fields(void **state)
{
    struct reading *reading = *state;
    static const struct alteration alterations[] = {
        {SNAPSHOT_HEAD, 0, 4, SNAPSHOT_ENTRY, ERR_MAGIC},
        {SNAPSHOT_HEAD, 8, 8, 1, ERR_MAGIC},
        {SNAPSHOT_HEAD, 16, 4, SNAPSHOT_VERSION + 1, ERR_VERSION},
        {SNAPSHOT_HEAD, 24, 8, INDEX_MAX + 1, ERR_RANGE},
        {SNAPSHOT_HEAD, 40, 8, HISTORY_KEYS, ERR_RANGE},
        {SNAPSHOT_HEAD, 48, 8, UINT64_MAX, ERR_RANGE},
        {SNAPSHOT_HEAD, 56, 4, HISTORY_KEYS, ERR_RANGE},
        {SNAPSHOT_HEAD, 60, 4, 0, ERR_RANGE},
        {SNAPSHOT_HEAD, 64, 4, HISTORY_SESSIONS, ERR_RANGE},
        {SNAPSHOT_HEAD, 68, 4, HISTORY_SESSIONS, ERR_RANGE},
        {SNAPSHOT_HEAD, 80, 8, UINT64_MAX, ERR_RANGE},
        {SNAPSHOT_NODE, 0, 4, SNAPSHOT_END + 1, ERR_TYPE},
        {SNAPSHOT_NODE, 0, 4, 0, ERR_TYPE},
        {SNAPSHOT_NODE, 4, 4, SNAPSHOT_ENTRY_BYTES_MAX + 1, ERR_TOO_LARGE},
        {SNAPSHOT_NODE, 4, 4, SNAPSHOT_NODE_BYTES - 1, ERR_SHORT},
        {SNAPSHOT_NODE, 8, 2, 0, ERR_RANGE}, /* open, and of no node */
        {SNAPSHOT_NODE, 8, 2, VOTER_ID_MAX + 1, ERR_RANGE},
        {SNAPSHOT_NODE, 10, 2, 2, ERR_RESERVED},
        {SNAPSHOT_NODE, 10, 2, 0x0101, ERR_RESERVED},
        {SNAPSHOT_NODE, 24, 8, 0, ERR_RANGE},
        {SNAPSHOT_NODE, 24, 8, UINT64_MAX, ERR_RANGE},
        {SNAPSHOT_NODE, 12, 4, NODE_CANCELS_CAPACITY + 1, ERR_RANGE},
        {SNAPSHOT_NODE, 12, 4, NODE_CANCELS_CAPACITY, ERR_CORRUPT},
        {SNAPSHOT_NODE, 16, 8, UINT64_MAX, ERR_CORRUPT},
        {SNAPSHOT_SESSION, 4, 4, SNAPSHOT_SESSION_BYTES - 1, ERR_SHORT},
        {SNAPSHOT_SESSION, 8, 8, 0, ERR_RANGE},
        {SNAPSHOT_SESSION, 8, 8, UINT64_MAX / 2, ERR_CORRUPT},
        {SNAPSHOT_SESSION, 24, 8, 0, ERR_RANGE},
        {SNAPSHOT_SESSION, 24, 8, UINT64_MAX, ERR_RANGE},
        {SNAPSHOT_SESSION, 32, 8, UINT64_MAX, ERR_RANGE},
        {SNAPSHOT_SESSION, 40, 8, UINT64_MAX, ERR_RANGE},
        {SNAPSHOT_SESSION, 48, 1, 2, ERR_RANGE},
        {SNAPSHOT_SESSION, 49, 1, 2, ERR_RANGE},
        {SNAPSHOT_SESSION, 50, 2, SESSION_WINDOW + 1, ERR_RANGE},
        {SNAPSHOT_SESSION, 50, 2, SESSION_WINDOW, ERR_CORRUPT},
        {SNAPSHOT_SESSION, 52, 4, 1, ERR_RESERVED},
        {SNAPSHOT_ENTRY, 4, 4, SNAPSHOT_ENTRY_BYTES - 1, ERR_SHORT},
        {SNAPSHOT_ENTRY, 8, 8, 0, ERR_RANGE},
        {SNAPSHOT_ENTRY, 8, 8, RECORDS + 1, ERR_RANGE},
        {SNAPSHOT_ENTRY, 16, 4, VALUE_SIZE_BYTES_MAX + 1, ERR_RANGE},
        {SNAPSHOT_ENTRY, 16, 4, VALUE_SIZE_BYTES_MAX, ERR_CORRUPT},
        {SNAPSHOT_ENTRY, 20, 2, 0, ERR_RANGE},
        {SNAPSHOT_ENTRY, 20, 2, KEY_SIZE_BYTES_MAX + 1, ERR_RANGE},
        {SNAPSHOT_ENTRY, 22, 2, 1, ERR_RESERVED},
        {SNAPSHOT_END, 4, 4, SNAPSHOT_END_BYTES - 1, ERR_SHORT},
        {SNAPSHOT_END, 8, 8, 0, ERR_CORRUPT},
        {SNAPSHOT_END, 16, 8, 0, ERR_CORRUPT},
    };
    for (size_t i = 0; i < sizeof(alterations) / sizeof(alterations[0]); i++) {
        alter(reading, &alterations[i]);
        expect_error(reading, alterations[i].error);
    }
}

static size_t session_with_outcomes(const struct reading *reading, uint16_t count_min)
{
    for (uint32_t i = 0; i < HISTORY_SESSIONS; i++) {
        size_t at = item_at(reading, SNAPSHOT_SESSION, i);
        if (le16_load(reading->bytes + at + 50) >= count_min)
            return at;
    }
    fail_msg("no such session");
    return 0;
}

static void test_read_refuses_altered_outcomes(void **state)
{
    struct reading *reading = *state;
    restore(reading);
    size_t at =
        session_with_outcomes(reading, 2) + SNAPSHOT_ITEM_HEADER_BYTES + SNAPSHOT_SESSION_BYTES;
    reading->bytes[at + 8] = 0;
    expect_error(reading, ERR_RANGE);
    reading->bytes[at + 8] = WIRE_OUTCOME_END;
    expect_error(reading, ERR_RANGE);
    reading->bytes[at + 9] = SESSION_WINDOW;
    expect_error(reading, ERR_RANGE);
    reading->bytes[at + SNAPSHOT_OUTCOME_BYTES + 9] = reading->bytes[at + 9];
    expect_error(reading, ERR_RANGE);
}

static void test_read_refuses_an_order_of_sessions_that_contradicts_itself(void **state)
{
    struct reading *reading = *state;
    restore(reading);
    size_t first = item_at(reading, SNAPSHOT_SESSION, 0);
    size_t second = item_at(reading, SNAPSHOT_SESSION, 1);
    memcpy(reading->bytes + first + 40, reading->bytes + second + 40, 8);
    expect_error(reading, ERR_CORRUPT);
    /* Longer silent than all others, yet of the last rank. */
    le64_store(reading->bytes + first + 32, 0);
    uint64_t last = reading->world->machine.sessions.next_rank - 1;
    le64_store(reading->bytes + first + 40, last);
    expect_error(reading, ERR_CORRUPT);
}

/* Most altered bytes are noticed, and those of values are for a checksum to notice. Nothing
 * crashes, and the machine can be emptied each time. */
static void test_read_survives_any_altered_byte(void **state)
{
    struct reading *reading = *state;
    struct prng prng;
    uint32_t noticed = 0;
    prng_init(&prng, 11);
    for (size_t at = 0; at < reading->stream.size_bytes; at++) {
        restore(reading);
        reading->bytes[at] ^= (uint8_t)prng_range(&prng, 1, 255);
        noticed += read_with(reading, 1000) != OK;
        world_clear(reading->other);
    }
    assert_true(noticed > reading->stream.size_bytes / 5);
    restore(reading);
    expect_error(reading, OK);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_read_takes_chunks_of_any_size),
        T(test_read_refuses_a_cut_stream),
        T(test_read_refuses_bytes_after_the_end),
        T(test_read_refuses_what_comes_twice_or_is_missing),
        T(test_read_refuses_altered_fields),
        T(test_read_refuses_altered_outcomes),
        T(test_read_refuses_an_order_of_sessions_that_contradicts_itself),
        T(test_read_survives_any_altered_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
