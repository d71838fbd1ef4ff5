/*
 * Who may open a log: every reason to refuse a file, with the note that tells the operator. On the
 * simulated medium, where a bit is flipped by command.
 */
#include "base/crc32c.h"
#include "base/format.h"
#include "base/le.h"
#include "pmem/log.h"
#include "tests/sim/medium_sim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define FILE_BYTES (64u * 1024)
#define PATH       "/media/one.log"

struct fixture {
    struct medium_sim *sim;
    struct arena arena;
    struct log *log;
    struct log_recovery recovery;
    struct log_options options;
};

static enum error fixture_open(struct fixture *fixture)
{
    if (fixture->arena.base != NULL)
        arena_deinit(&fixture->arena);
    assert_int_equal(arena_init(&fixture->arena, log_arena_bytes(FILE_BYTES)), OK);
    return log_open(&fixture->options, &fixture->arena, &fixture->log, &fixture->recovery);
}

static int setup(void **state)
{
    static const uint8_t payload[] = "something";
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    const struct medium_sim_options options = {.seed = 5, .granularity = MEDIUM_CACHE_LINE};
    const struct log_record record = {
        .index = 1, .term = 3, .kind = 2, .payload = span_of(payload, sizeof(payload))};
    fixture->options = (struct log_options){.path = PATH,
                                            .size_bytes = FILE_BYTES,
                                            .is_created = true,
                                            .identity = {.cluster_id = 7, .node = 2, .shard = 1}};
    fixture->sim = medium_sim_create(&options);
    medium_sim_use(fixture->sim);
    if (fixture_open(fixture) != OK)
        return -1;
    uint64_t ticket = 0;
    uint64_t index = 0;
    log_settle(fixture->log);
    if (log_persisted(fixture->log, &ticket, &index) != OK)
        return -1;
    if (log_append(fixture->log, &record) != OK)
        return -1;
    log_write_hard_state(fixture->log, 3, 2);
    log_persist(fixture->log);
    log_close(fixture->log);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    arena_deinit(&fixture->arena);
    medium_sim_destroy(fixture->sim);
    free(fixture);
    return 0;
}

/* The file is refused with `expected`, the note names file and `words`, and nothing was written. */
static void assert_refused(struct fixture *fixture, enum error expected, const char *words)
{
    uint8_t before[8192];
    memcpy(before, medium_sim_persisted(fixture->sim, PATH), sizeof(before));
    assert_string_equal(error_name(fixture_open(fixture)), error_name(expected));
    assert_non_null(strstr(fixture->recovery.note, PATH));
    assert_non_null(strstr(fixture->recovery.note, words));
    assert_memory_equal(before, medium_sim_persisted(fixture->sim, PATH), sizeof(before));
    assert_int_equal(medium_sim_pending_count(fixture->sim, PATH), 0);
}

/* Changes one byte of both header copies and makes their checksums right again. */
static void headers_forge(struct fixture *fixture, size_t offset, uint8_t value)
{
    for (size_t copy = 0; copy <= 2048; copy += 2048) {
        uint8_t header[64];
        uint8_t now[64];
        memcpy(now, medium_sim_persisted(fixture->sim, PATH) + copy, sizeof(now));
        memcpy(header, now, sizeof(header));
        header[offset] = value;
        le32_store(header + 12, 0);
        le32_store(header + 12, crc32c(0, header, sizeof(header)));
        for (size_t i = 0; i < sizeof(header) * 8; i++)
            if ((header[i / 8] >> (i % 8) & 1) != (now[i / 8] >> (i % 8) & 1))
                medium_sim_flip_bit(fixture->sim, PATH, copy + i / 8, (uint32_t)(i % 8));
    }
}

static void test_header_refuses_another_cluster(void **state)
{
    struct fixture *fixture = *state;
    fixture->options.identity.cluster_id = 0xbeef;
    assert_refused(fixture, ERR_CLUSTER, "belongs to cluster 7, not beef");
}

static void test_header_refuses_another_node(void **state)
{
    struct fixture *fixture = *state;
    fixture->options.identity.node = 4;
    assert_refused(fixture, ERR_NODE, "belongs to node 2, not 4");
}

static void test_header_refuses_another_shard(void **state)
{
    struct fixture *fixture = *state;
    fixture->options.identity.shard = 0;
    assert_refused(fixture, ERR_SHARD, "belongs to shard 1, not 0");
}

static void test_header_refuses_a_newer_format(void **state)
{
    struct fixture *fixture = *state;
    headers_forge(fixture, 8, 3);
    assert_refused(fixture, ERR_VERSION, "format version 3, this program knows 2");
    assert_false(fixture->recovery.is_beyond_repair);
}

static void raise(struct fixture *fixture, uint32_t format)
{
    fixture->options.format_max = FORMAT_KNOWN;
    assert_int_equal(fixture_open(fixture), OK);
    log_raise(fixture->log, format);
    assert_int_equal(log_format(fixture->log), format);
    log_persist(fixture->log);
    log_close(fixture->log);
}

/* The record and the vote are as they were, and a program that knows the format before refuses. */
static void test_header_is_raised_in_place(void **state)
{
    struct fixture *fixture = *state;
    raise(fixture, 1);
    fixture->options.format_max = 0;
    assert_refused(fixture, ERR_VERSION, "format version 3, this program knows 2 to 2");
    assert_refused(fixture, ERR_VERSION, "start the newer program");
    fixture->options.format_max = 1;
    assert_int_equal(fixture_open(fixture), OK);
    assert_int_equal(fixture->recovery.format, 1);
    assert_int_equal(fixture->recovery.last_index, 1);
    assert_int_equal(fixture->recovery.term, 3);
    assert_int_equal(fixture->recovery.note[0], '\0');
    log_raise(fixture->log, 0); /* nothing lowers it */
    assert_int_equal(log_format(fixture->log), 1);
    log_close(fixture->log);
}

static void store_word(size_t offset, uint64_t word)
{
    struct medium *medium;
    char note[256];
    const struct medium_options options = {.path = PATH};
    assert_int_equal(medium_open(&options, &medium, note, sizeof(note)), OK);
    medium_write_word(medium, offset, word);
    assert_int_equal(medium_persist_wait(medium), OK);
    medium_close(medium);
}

/* Power was lost when one of the copies was written: the higher version counts. */
static void test_header_of_two_versions_is_of_the_higher_one(void **state)
{
    struct fixture *fixture = *state;
    uint64_t before = le64_load(medium_sim_persisted(fixture->sim, PATH) + 8);
    raise(fixture, 1);
    for (size_t copy = 0; copy <= 2048; copy += 2048) {
        store_word(copy + 8, before);
        fixture->options.format_max = 0;
        assert_refused(fixture, ERR_VERSION, "format version 3");
        fixture->options.format_max = 1;
        assert_int_equal(fixture_open(fixture), OK);
        assert_int_equal(fixture->recovery.format, 1);
        log_close(fixture->log);
        assert_true(le64_load(medium_sim_persisted(fixture->sim, PATH) + copy + 8) != before);
    }
}

static void test_header_refuses_a_file_shorter_than_it_says(void **state)
{
    struct fixture *fixture = *state;
    medium_sim_cut(fixture->sim, PATH, FILE_BYTES / 2);
    assert_refused(fixture, ERR_SHORT, "the header says 65536 bytes, the file has 32768");
}

static void test_header_refuses_a_size_that_makes_no_sense(void **state)
{
    struct fixture *fixture = *state;
    headers_forge(fixture, 32, 1);
    assert_refused(fixture, ERR_SHORT, "offset 32");
}

static void test_header_refuses_two_damaged_copies(void **state)
{
    struct fixture *fixture = *state;
    medium_sim_flip_bit(fixture->sim, PATH, 20, 3);
    medium_sim_flip_bit(fixture->sim, PATH, 2048 + 33, 0);
    assert_refused(fixture, ERR_CHECKSUM, "offsets 0 and 2048");
}

static void test_header_refuses_what_is_no_log(void **state)
{
    struct fixture *fixture = *state;
    medium_sim_flip_bit(fixture->sim, PATH, 0, 0);
    medium_sim_flip_bit(fixture->sim, PATH, 2048, 0);
    assert_refused(fixture, ERR_MAGIC, "not a Pollux log");
}

static void test_header_refuses_two_damaged_hard_states(void **state)
{
    struct fixture *fixture = *state;
    medium_sim_flip_bit(fixture->sim, PATH, 4096 + 3, 1);
    medium_sim_flip_bit(fixture->sim, PATH, 4608 + 4, 1);
    assert_refused(fixture, ERR_CHECKSUM, "offset 4096: both copies of term and vote");
    assert_true(fixture->recovery.is_beyond_repair);
}

/* Both slots become zero. */
static void hard_state_clear(struct fixture *fixture)
{
    const char *path = fixture->options.path;
    const uint8_t *data = medium_sim_persisted(fixture->sim, path);
    for (size_t offset = 4096; offset <= 4608; offset += 512)
        for (size_t bit = 0; bit < 64; bit++)
            if ((data[offset + bit / 8] >> (bit % 8) & 1) != 0)
                medium_sim_flip_bit(fixture->sim, path, offset + bit / 8, (uint32_t)(bit % 8));
}

/* A vote may be gone with it: the file is damaged, and not fresh. */
static void test_header_refuses_a_log_without_a_hard_state(void **state)
{
    struct fixture *fixture = *state;
    hard_state_clear(fixture);
    assert_refused(fixture, ERR_CHECKSUM, "offset 4096: both copies of term and vote");
    assert_true(fixture->recovery.is_beyond_repair);
}

/* Earlier releases wrote none before the first term. */
static void test_header_takes_a_log_of_no_term_without_a_hard_state(void **state)
{
    struct fixture *fixture = *state;
    fixture->options.path = "/media/other.log";
    fixture->options.start = 77;
    assert_int_equal(fixture_open(fixture), OK);
    log_close(fixture->log);
    hard_state_clear(fixture);
    assert_int_equal(fixture_open(fixture), OK);
    assert_string_equal(fixture->recovery.note, "");
    assert_true(log_is_unused(&fixture->recovery));
    log_write_hard_state(fixture->log, 1, 9); /* it votes, and has no record */
    assert_int_equal(medium_persist_wait(log_medium(fixture->log)), OK);
    log_close(fixture->log);
    hard_state_clear(fixture);
    assert_int_equal(fixture_open(fixture), ERR_CHECKSUM);
    assert_true(fixture->recovery.is_beyond_repair);
}

static void test_header_refuses_a_log_that_the_device_cannot_read(void **state)
{
    struct fixture *fixture = *state;
    medium_sim_spoil_page(fixture->sim, PATH, 16384);
    assert_refused(fixture, ERR_IO, "offset 16384: the device cannot read this page");
    assert_true(fixture->recovery.is_beyond_repair);
}

static void test_a_damaged_log_gets_another_name(void **state)
{
    struct fixture *fixture = *state;
    for (int number = 1; number <= 2; number++) {
        char name[64];
        char note[256];
        assert_int_equal(log_set_damaged_aside(PATH, name, sizeof(name), note, sizeof(note)), OK);
        assert_string_equal(name, number == 1 ? PATH ".damaged-1" : PATH ".damaged-2");
        assert_true(medium_sim_exists(fixture->sim, name));
        assert_false(medium_sim_exists(fixture->sim, PATH));
        assert_int_equal(fixture_open(fixture), OK);
        assert_true(fixture->recovery.is_created);
        log_close(fixture->log);
    }
}

static void test_header_is_repaired_from_its_copy(void **state)
{
    struct fixture *fixture = *state;
    for (size_t copy = 0; copy <= 2048; copy += 2048) {
        medium_sim_flip_bit(fixture->sim, PATH, copy + 17, 5);
        assert_int_equal(fixture_open(fixture), OK);
        assert_non_null(strstr(fixture->recovery.note, "was repaired"));
        assert_false(fixture->recovery.is_suspect);
        assert_int_equal(fixture->recovery.last_index, 1);
        log_close(fixture->log);
        assert_int_equal(fixture_open(fixture), OK);
        assert_string_equal(fixture->recovery.note, "");
        log_close(fixture->log);
    }
}

static void test_hard_state_is_repaired_from_its_copy(void **state)
{
    struct fixture *fixture = *state;
    for (size_t slot = 4096; slot <= 4608; slot += 512) {
        medium_sim_flip_bit(fixture->sim, PATH, slot + 3, 7);
        assert_int_equal(fixture_open(fixture), OK);
        assert_non_null(strstr(fixture->recovery.note, "was repaired"));
        assert_int_equal(fixture->recovery.term, 3);
        assert_int_equal(fixture->recovery.vote, 2);
        log_close(fixture->log);
        assert_int_equal(fixture_open(fixture), OK);
        assert_string_equal(fixture->recovery.note, "");
        log_close(fixture->log);
    }
}

static void test_header_refuses_a_file_larger_than_planned(void **state)
{
    struct fixture *fixture = *state;
    fixture->options.size_bytes = FILE_BYTES / 2;
    arena_deinit(&fixture->arena);
    assert_int_equal(arena_init(&fixture->arena, log_arena_bytes(8192)), OK);
    assert_int_equal(
        log_open(&fixture->options, &fixture->arena, &fixture->log, &fixture->recovery),
        ERR_NO_MEMORY);
    assert_non_null(strstr(fixture->recovery.note, "the file has 65536 bytes"));
}

static void test_header_refuses_a_size_of_no_whole_pages(void **state)
{
    struct fixture *fixture = *state;
    fixture->options.size_bytes = FILE_BYTES + 1;
    assert_int_equal(fixture_open(fixture), ERR_ARGUMENT);
    fixture->options.size_bytes = 4096;
    assert_int_equal(fixture_open(fixture), ERR_ARGUMENT);
    assert_non_null(strstr(fixture->recovery.note, "4096"));
    fixture->options.size_bytes = FILE_BYTES;
    fixture->options.path = "";
    assert_int_equal(fixture_open(fixture), ERR_ARGUMENT);
}

static void test_header_refuses_an_empty_file_of_zeros_unless_it_may_create(void **state)
{
    struct fixture *fixture = *state;
    struct medium *medium = NULL;
    char reason[256];
    const struct medium_options options = {
        .path = "/media/zeros.log", .size_bytes = FILE_BYTES, .is_created = true};
    assert_int_equal(medium_open(&options, &medium, reason, sizeof(reason)), OK);
    medium_close(medium);
    fixture->options.path = options.path;
    fixture->options.is_created = false;
    assert_int_equal(fixture_open(fixture), ERR_MAGIC);
    fixture->options.is_created = true;
    assert_int_equal(fixture_open(fixture), OK);
    assert_true(fixture->recovery.is_created);
    log_close(fixture->log);
}

static void test_header_refuses_less_than_a_header(void **state)
{
    struct fixture *fixture = *state;
    medium_sim_cut(fixture->sim, PATH, 4095);
    assert_int_equal(fixture_open(fixture), ERR_SHORT);
    assert_non_null(strstr(fixture->recovery.note, PATH));
}

static void test_header_tells_that_there_is_no_file(void **state)
{
    struct fixture *fixture = *state;
    medium_sim_remove(fixture->sim, PATH);
    fixture->options.is_created = false;
    assert_int_equal(fixture_open(fixture), ERR_NOT_FOUND);
    assert_non_null(strstr(fixture->recovery.note, PATH));
    assert_false(medium_sim_exists(fixture->sim, PATH));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_header_refuses_another_cluster),
        TEST(test_header_refuses_another_node),
        TEST(test_header_refuses_another_shard),
        TEST(test_header_refuses_a_newer_format),
        TEST(test_header_is_raised_in_place),
        TEST(test_header_of_two_versions_is_of_the_higher_one),
        TEST(test_header_refuses_a_file_shorter_than_it_says),
        TEST(test_header_refuses_a_size_that_makes_no_sense),
        TEST(test_header_refuses_two_damaged_copies),
        TEST(test_header_refuses_what_is_no_log),
        TEST(test_header_refuses_two_damaged_hard_states),
        TEST(test_header_refuses_a_log_without_a_hard_state),
        TEST(test_header_takes_a_log_of_no_term_without_a_hard_state),
        TEST(test_header_refuses_a_log_that_the_device_cannot_read),
        TEST(test_a_damaged_log_gets_another_name),
        TEST(test_header_is_repaired_from_its_copy),
        TEST(test_hard_state_is_repaired_from_its_copy),
        TEST(test_header_refuses_a_file_larger_than_planned),
        TEST(test_header_refuses_a_size_of_no_whole_pages),
        TEST(test_header_refuses_an_empty_file_of_zeros_unless_it_may_create),
        TEST(test_header_refuses_less_than_a_header),
        TEST(test_header_tells_that_there_is_no_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
