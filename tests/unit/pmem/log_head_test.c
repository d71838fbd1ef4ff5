/* What lies before the records of an open log: whatever the medium holds there that was not
 * written is found and written again, and what the log itself stores there is no damage. And
 * records that nobody reads. */
#include "pmem/log.h"
#include "tests/sim/medium_sim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SEGMENT_BYTES (32u * 1024)
#define FILE_BYTES    (12u * 1024 + 6 * SEGMENT_BYTES)
#define PATH          "/media/one.log"
#define HEAD_BYTES    12288u

struct fixture {
    struct medium_sim *sim;
    struct arena arena;
    struct log *log;
    struct log_recovery recovery;
};

static void fixture_open(struct fixture *fixture)
{
    const struct log_options options = {.path = PATH,
                                        .size_bytes = FILE_BYTES,
                                        .segment_size_bytes = SEGMENT_BYTES,
                                        .is_created = true,
                                        .birth = 3,
                                        .start = 12345,
                                        .format_max = 1,
                                        .identity = {.cluster_id = 7, .node = 2, .shard = 1}};
    if (fixture->arena.base != NULL)
        arena_deinit(&fixture->arena);
    assert_int_equal(arena_init(&fixture->arena, log_arena_bytes(FILE_BYTES)), OK);
    assert_int_equal(log_open(&options, &fixture->arena, &fixture->log, &fixture->recovery), OK);
}

static void persist(struct fixture *fixture)
{
    uint64_t ticket;
    uint64_t index;
    log_persist(fixture->log);
    assert_int_equal(medium_persist_wait(log_medium(fixture->log)), OK);
    assert_int_equal(log_persisted(fixture->log, &ticket, &index), OK);
}

static void append(struct fixture *fixture, uint32_t count)
{
    uint8_t payload[1000];
    memset(payload, 'x', sizeof(payload));
    for (uint32_t i = 0; i < count; i++) {
        const struct log_record record = {.index = log_last_index(fixture->log) + 1,
                                          .term = 1,
                                          .kind = 2,
                                          .payload = span_of(payload, sizeof(payload))};
        assert_int_equal(log_append(fixture->log, &record), OK);
    }
    persist(fixture);
}

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    const struct medium_sim_options options = {.seed = 5, .granularity = MEDIUM_PAGE};
    fixture->sim = medium_sim_create(&options);
    medium_sim_use(fixture->sim);
    fixture_open(fixture);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    log_close(fixture->log);
    arena_deinit(&fixture->arena);
    medium_sim_destroy(fixture->sim);
    free(fixture);
    return 0;
}

static void assert_head_whole(const struct fixture *fixture)
{
    size_t offset = 0;
    if (!log_head_is_whole(fixture->log, &offset))
        fail_msg("offset %zu is not what was written", offset);
}

/* Every kind of store that a log makes there. */
static void use(struct fixture *fixture)
{
    persist(fixture);
    log_settle(fixture->log);
    log_write_hard_state(fixture->log, 5, 77);
    append(fixture, 20);
    log_write_hard_state(fixture->log, 6, 88);
    log_hear(fixture->log, 99, 1234);
    log_write_commit_hint(fixture->log, 3);
    persist(fixture);
    assert_int_equal(log_probe(fixture->log), OK);
    append(fixture, 60);
    log_drop(fixture->log, 70);
    assert_true(log_first_index(fixture->log) > 1);
    while (!log_is_recycled(fixture->log)) {
        assert_int_equal(log_recycle(fixture->log, 4096), OK);
        persist(fixture);
        assert_head_whole(fixture);
    }
    log_raise(fixture->log, 1);
    log_end(fixture->log, LOG_END_SET_BACK);
    persist(fixture);
}

static void test_log_takes_no_store_of_its_own_for_damage(void **state)
{
    struct fixture *fixture = *state;
    assert_head_whole(fixture);
    use(fixture);
    assert_head_whole(fixture);
    log_close(fixture->log);
    fixture_open(fixture);
    assert_head_whole(fixture);
    log_write_hard_state(fixture->log, 9, 0);
    assert_head_whole(fixture);
}

static void test_log_finds_each_byte_of_its_head(void **state)
{
    struct fixture *fixture = *state;
    use(fixture);
    assert_int_equal(log_head_bytes(fixture->log), HEAD_BYTES);
    for (size_t byte = 0; byte < HEAD_BYTES; byte++) {
        size_t offset = 0;
        medium_sim_flip_bit(fixture->sim, PATH, byte, (uint32_t)(byte % 8));
        assert_false(log_head_is_whole(fixture->log, &offset));
        assert_int_equal(offset, byte);
        log_head_mend(fixture->log, offset);
        assert_head_whole(fixture);
    }
}

/* All three pages are lost while the log is open; the next start finds nothing to mend. */
static void test_log_writes_its_head_again(void **state)
{
    struct fixture *fixture = *state;
    size_t offset = 0;
    append(fixture, 40);
    log_write_hard_state(fixture->log, 5, 77);
    persist(fixture);
    for (size_t page = 0; page < HEAD_BYTES; page += 4096)
        medium_sim_zero_page(fixture->sim, PATH, page);
    for (size_t page = 0; page < HEAD_BYTES; page += 4096) {
        assert_false(log_head_is_whole(fixture->log, &offset));
        log_head_mend(fixture->log, offset);
    }
    assert_head_whole(fixture);
    persist(fixture);
    uint64_t start = log_start(fixture->log);
    log_close(fixture->log);
    fixture_open(fixture);
    assert_false(fixture->recovery.is_repaired);
    assert_int_equal(fixture->recovery.last_index, 40);
    assert_int_equal(fixture->recovery.term, 5);
    assert_int_equal(fixture->recovery.vote, 77);
    assert_int_equal(fixture->recovery.birth, 3);
    assert_true(log_had_start(fixture->log, start));
}

/* Also of those that were written a moment ago, and however long the record is. */
static void test_log_finds_rot_in_what_nobody_reads(void **state)
{
    struct fixture *fixture = *state;
    size_t size_bytes = 0;
    append(fixture, 40);
    assert_int_equal(log_durable_index(fixture->log), 40);
    for (uint64_t index = 1; index <= 40; index++) {
        size_t offset = log_offset_of(fixture->log, index);
        assert_true(log_is_intact(fixture->log, index, &size_bytes));
        assert_int_equal(size_bytes, log_record_room_bytes(1000));
        assert_in_range(log_extent_end(fixture->log, index), offset + size_bytes,
                        offset + SEGMENT_BYTES);
        medium_sim_flip_bit(fixture->sim, PATH, offset + 4, 6); /* of its size */
        assert_false(log_is_intact(fixture->log, index, &size_bytes));
        assert_int_equal(size_bytes, log_extent_end(fixture->log, index) - offset);
        medium_sim_flip_bit(fixture->sim, PATH, offset + 4, 6);
        struct log_piece piece = log_piece_at(fixture->log, index, 8192);
        assert_int_equal(piece.offset % 4096, 0);
        assert_int_equal(piece.size_bytes % 4096, 0);
        assert_true(piece.offset <= offset);
        assert_true(piece.offset + piece.size_bytes >= log_extent_end(fixture->log, index));
        assert_true(piece.offset + piece.size_bytes <= FILE_BYTES);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_log_takes_no_store_of_its_own_for_damage),
        TEST(test_log_finds_each_byte_of_its_head),
        TEST(test_log_writes_its_head_again),
        TEST(test_log_finds_rot_in_what_nobody_reads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
