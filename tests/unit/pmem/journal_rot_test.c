/* A journal whose pages are lost: what is mended, what is set aside, and what is told of it. */
#include "pmem/journal.h"
#include "tests/sim/medium_sim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PATH          "/media/journal"
#define BANK_0        PATH "-0"
#define FILE_BYTES    (16u * 1024)
#define RECORD_OFFSET 8192u
#define ENTRIES       3u

struct fixture {
    struct medium_sim *sim;
    struct arena arena;
    struct journal *journal;
    struct journal_recovery recovery;
    uint64_t series;
};

static void fixture_open(struct fixture *fixture)
{
    const struct journal_options options = {.path = PATH,
                                            .size_bytes = FILE_BYTES,
                                            .series = fixture->series,
                                            .identity = {.cluster_id = 7, .node = 2, .shard = 1}};
    if (fixture->arena.base != NULL)
        arena_deinit(&fixture->arena);
    assert_int_equal(arena_init(&fixture->arena, journal_arena_bytes(&options)), OK);
    assert_int_equal(journal_open(&options, &fixture->arena, &fixture->journal, &fixture->recovery),
                     OK);
}

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    const struct medium_sim_options options = {.seed = 5, .granularity = MEDIUM_CACHE_LINE};
    fixture->sim = medium_sim_create(&options);
    medium_sim_use(fixture->sim);
    fixture->series = 5;
    fixture_open(fixture);
    for (uint64_t seq = 1; seq <= ENTRIES; seq++)
        assert_int_equal(journal_append(fixture->journal, seq, span_of("entry", 5)), OK);
    journal_persist(fixture->journal);
    journal_close(fixture->journal);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    journal_close(fixture->journal);
    arena_deinit(&fixture->arena);
    medium_sim_destroy(fixture->sim);
    free(fixture);
    return 0;
}

static void assert_note(const struct fixture *fixture, const char *words)
{
    if (strstr(fixture->recovery.note, words) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", fixture->recovery.note, words);
}

/* The header says nothing that this node does not know. */
static void test_journal_loses_nothing_with_its_header(void **state)
{
    struct fixture *fixture = *state;
    medium_sim_zero_page(fixture->sim, BANK_0, 0);
    fixture_open(fixture);
    assert_note(fixture, BANK_0 ": offsets 0 to 8192: a damaged copy of header");
    assert_false(fixture->recovery.is_damaged);
    assert_int_equal(fixture->recovery.entries, ENTRIES);
    journal_close(fixture->journal);
    fixture_open(fixture);
    assert_string_equal(fixture->recovery.note, "");
}

/* The hard state says nothing at all. */
static void test_journal_loses_nothing_with_its_hard_state(void **state)
{
    struct fixture *fixture = *state;
    medium_sim_zero_page(fixture->sim, BANK_0, 4096);
    fixture_open(fixture);
    assert_false(fixture->recovery.is_damaged);
    assert_int_equal(fixture->recovery.entries, ENTRIES);
    assert_note(fixture, BANK_0 ": offset 4096: this page was empty");
}

/* Once it has begun, it is never without a record. */
static void test_journal_tells_that_nothing_is_left(void **state)
{
    struct fixture *fixture = *state;
    medium_sim_zero_page(fixture->sim, BANK_0, RECORD_OFFSET);
    fixture_open(fixture);
    assert_true(fixture->recovery.is_damaged);
    assert_true(fixture->recovery.is_created);
    assert_int_equal(fixture->recovery.entries, 0);
    assert_note(fixture, BANK_0 ": no record is left in this journal");
}

/* The writes in it may be on no other node: the file is kept. */
static void test_journal_that_cannot_be_read_is_set_aside(void **state)
{
    struct fixture *fixture = *state;
    medium_sim_spoil_page(fixture->sim, BANK_0, RECORD_OFFSET + 4096);
    fixture_open(fixture);
    assert_true(fixture->recovery.is_damaged);
    assert_note(fixture, BANK_0 ": offset 12288: the device cannot read this page");
    assert_note(fixture, "is now called " BANK_0 ".damaged-1");
    assert_note(fixture, "may be lost");
    assert_true(medium_sim_exists(fixture->sim, BANK_0 ".damaged-1"));
    assert_int_equal(journal_append(fixture->journal, 100, span_of("entry", 5)), OK);
}

static void test_journal_that_was_cut_off_is_set_aside(void **state)
{
    struct fixture *fixture = *state;
    medium_sim_cut(fixture->sim, BANK_0, RECORD_OFFSET);
    fixture_open(fixture);
    assert_true(fixture->recovery.is_damaged);
    assert_note(fixture, "it was cut off. It is now called " BANK_0 ".damaged-1");
}

/* A move would make it whole again, with a checksum of its own. */
static void test_journal_copies_no_entry_that_has_rotted(void **state)
{
    struct fixture *fixture = *state;
    uint64_t seq = ENTRIES;
    uint64_t durable = 0;
    uint32_t bank;
    uint64_t index;
    size_t offset;
    fixture_open(fixture);
    while (seq < 60) /* most of the bank */
        assert_int_equal(journal_append(fixture->journal, ++seq, span_of("entry", 5)), OK);
    journal_persist(fixture->journal);
    journal_close(fixture->journal);
    fixture_open(fixture);
    journal_forget(fixture->journal, seq - 1);
    assert_false(journal_is_rotten(fixture->journal, &bank, &index, &offset));
    /* The last record: behind an OPEN of two lines, a READY of one, and entries of one each. */
    const size_t last_offset = RECORD_OFFSET + (size_t)(seq + 2) * 64;
    medium_sim_flip_bit(fixture->sim, BANK_0, last_offset + 58, 1);
    while (!journal_is_rotten(fixture->journal, &bank, &index, &offset)) {
        assert_true(seq < 200);
        if (journal_append(fixture->journal, seq + 1, span_of("entry", 5)) == OK)
            seq++;
        journal_make_room(fixture->journal);
    }
    assert_int_equal(bank, 0);
    assert_int_equal(offset, last_offset);
    assert_int_equal(journal_persisted(fixture->journal, &durable), ERR_SYNC);
    journal_close(fixture->journal);
    fixture_open(fixture);
    assert_true(fixture->recovery.is_damaged);
}

static void fill(struct fixture *fixture, uint64_t *seq)
{
    while (*seq < 40)
        assert_int_equal(journal_append(fixture->journal, ++*seq, span_of("entry", 5)), OK);
    journal_persist(fixture->journal);
}

static size_t size_of_first_rotten(const struct journal *journal)
{
    const struct log *log = journal_bank_log(journal, 0);
    size_t size_bytes = 0;
    for (uint64_t index = 1; index <= journal_scrub_last(journal, 0); index++) {
        if (!log_is_intact(log, index, &size_bytes))
            return size_bytes;
    }
    return 0;
}

/* What rots in the bank that is in use is decided some day. Then the journal moves away from it,
 * and not before, for the move would lack an entry. */
static void test_journal_moves_away_from_what_has_rotted(void **state)
{
    struct fixture *fixture = *state;
    uint64_t seq = ENTRIES;
    uint64_t durable = 0;
    fixture_open(fixture);
    fill(fixture, &seq);
    assert_int_equal(journal_persisted(fixture->journal, &durable), OK);
    assert_int_equal(size_of_first_rotten(fixture->journal), 0);
    medium_sim_flip_bit(fixture->sim, BANK_0, RECORD_OFFSET + 20 * 64 + 48, 5); /* of a seq */
    assert_int_equal(size_of_first_rotten(fixture->journal), 64);
    journal_note_rot(fixture->journal);
    uint64_t generation = journal_bank_generation(fixture->journal, 0);
    for (uint64_t decided = 0; decided <= seq; decided++) {
        assert_int_equal(journal_mended_count(fixture->journal), 0);
        assert_int_equal(journal_bank_generation(fixture->journal, 1), 0);
        journal_make_room(fixture->journal);
        journal_persist(fixture->journal);
        journal_forget(fixture->journal, decided);
    }
    assert_int_equal(journal_append(fixture->journal, ++seq, span_of("entry", 5)), OK);
    journal_make_room(fixture->journal);
    assert_int_equal(journal_mended_count(fixture->journal), 1);
    assert_int_equal(journal_bank_generation(fixture->journal, 1), generation + 1);
    while (!journal_is_quiet(fixture->journal)) {
        assert_int_equal(journal_persisted(fixture->journal, &durable), OK);
        journal_persist(fixture->journal);
    }
    assert_int_equal(durable, seq);
    journal_close(fixture->journal);
    fixture_open(fixture);
    assert_false(fixture->recovery.is_damaged);
    assert_int_equal(fixture->recovery.entries, 1);
    assert_int_equal(fixture->recovery.last_seq, seq);
}

/* Nobody is told that something is durable because a number has rotted. */
static void test_journal_believes_no_seq_that_it_never_gave(void **state)
{
    struct fixture *fixture = *state;
    uint64_t seq = ENTRIES;
    uint64_t durable = 0;
    fixture_open(fixture);
    fill(fixture, &seq);
    medium_sim_flip_bit(fixture->sim, BANK_0, RECORD_OFFSET + (size_t)(seq + 2) * 64 + 52, 5);
    assert_int_equal(journal_persisted(fixture->journal, &durable), OK);
    assert_true(durable <= seq);
}

static void test_journal_writes_the_head_of_a_bank_again(void **state)
{
    struct fixture *fixture = *state;
    size_t offset = 0;
    fixture_open(fixture);
    for (uint32_t bank = 0; bank < JOURNAL_BANKS; bank++) {
        const struct log *log = journal_bank_log(fixture->journal, bank);
        const char *path = bank == 0 ? BANK_0 : PATH "-1";
        assert_true(log_head_is_whole(log, &offset));
        medium_sim_zero_page(fixture->sim, path, 4096);
        assert_false(log_head_is_whole(log, &offset));
        assert_in_range(offset, 4096, 8191);
        journal_mend_head(fixture->journal, bank, offset);
        assert_true(log_head_is_whole(log, &offset));
        assert_ptr_equal(journal_bank_medium(fixture->journal, bank),
                         log_medium((struct log *)log));
    }
    journal_persist(fixture->journal);
    journal_close(fixture->journal);
    fixture_open(fixture);
    assert_string_equal(fixture->recovery.note, "");
}

/* The bank that says that the journal has begun may be wiped, and the other one is in use. */
static void test_journal_sets_a_wiped_bank_aside_with_the_other(void **state)
{
    struct fixture *fixture = *state;
    const struct journal_options options = {.path = PATH, .series = 6};
    char note[384] = "";
    uint64_t durable = 0;
    fixture_open(fixture);
    journal_note_rot(fixture->journal);
    journal_forget(fixture->journal, ENTRIES);
    journal_make_room(fixture->journal); /* it moves to the second bank */
    assert_int_equal(journal_mended_count(fixture->journal), 1);
    while (!journal_is_quiet(fixture->journal)) {
        journal_persist(fixture->journal);
        assert_int_equal(journal_persisted(fixture->journal, &durable), OK);
    }
    journal_close(fixture->journal);
    fixture->series = 6;
    fixture_open(fixture);
    assert_int_equal(fixture->recovery.other_series, 5);
    assert_int_equal(journal_set_aside(fixture->journal, &options, 1, note, sizeof(note)), OK);
    fixture_open(fixture);
    assert_false(fixture->recovery.is_damaged);
    assert_string_equal(fixture->recovery.note, "");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_journal_loses_nothing_with_its_header),
        TEST(test_journal_loses_nothing_with_its_hard_state),
        TEST(test_journal_tells_that_nothing_is_left),
        TEST(test_journal_that_cannot_be_read_is_set_aside),
        TEST(test_journal_that_was_cut_off_is_set_aside),
        TEST(test_journal_copies_no_entry_that_has_rotted),
        TEST(test_journal_moves_away_from_what_has_rotted),
        TEST(test_journal_believes_no_seq_that_it_never_gave),
        TEST(test_journal_writes_the_head_of_a_bank_again),
        TEST(test_journal_sets_a_wiped_bank_aside_with_the_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
