/* The banks of a journal state the format in force, and keep what is in them. */
#include "base/format.h"
#include "base/le.h"
#include "pmem/journal.h"
#include "tests/sim/medium_sim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PATH       "/media/journal"
#define BANK_0     PATH "-0"
#define BANK_1     PATH "-1"
#define FILE_BYTES (16u * 1024)
#define ENTRIES    3u

struct fixture {
    struct medium_sim *sim;
    struct arena arena;
    struct journal_options options;
    struct journal *journal;
    struct journal_recovery recovery;
};

static enum error fixture_open(struct fixture *fixture)
{
    if (fixture->arena.base != NULL)
        arena_deinit(&fixture->arena);
    assert_int_equal(arena_init(&fixture->arena, journal_arena_bytes(&fixture->options)), OK);
    return journal_open(&fixture->options, &fixture->arena, &fixture->journal, &fixture->recovery);
}

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    const struct medium_sim_options options = {.seed = 5, .granularity = MEDIUM_CACHE_LINE};
    fixture->sim = medium_sim_create(&options);
    medium_sim_use(fixture->sim);
    fixture->options =
        (struct journal_options){.path = PATH,
                                 .size_bytes = FILE_BYTES,
                                 .format_max = FORMAT_KNOWN,
                                 .identity = {.cluster_id = 7, .node = 2, .shard = 1}};
    assert_int_equal(fixture_open(fixture), OK);
    for (uint64_t seq = 1; seq <= ENTRIES; seq++)
        assert_int_equal(journal_append(fixture->journal, seq, span_of("entry", 5)), OK);
    journal_persist(fixture->journal);
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

static uint32_t version_of(const struct fixture *fixture, const char *path)
{
    return le32_load(medium_sim_persisted(fixture->sim, path) + 8);
}

static void assert_entries(struct fixture *fixture)
{
    uint64_t cursor = 0;
    uint64_t seq;
    struct span payload;
    for (uint64_t expected = 1; expected <= ENTRIES; expected++) {
        assert_true(journal_next(fixture->journal, &cursor, &seq, &payload));
        assert_int_equal(seq, expected);
    }
    assert_false(journal_next(fixture->journal, &cursor, &seq, &payload));
}

static void test_journal_is_raised_while_it_is_open(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(version_of(fixture, BANK_0), 2);
    journal_raise(fixture->journal, 1);
    assert_true(journal_is_dirty(fixture->journal));
    journal_persist(fixture->journal);
    assert_int_equal(version_of(fixture, BANK_0), 3);
    assert_entries(fixture);
    journal_close(fixture->journal);
    assert_int_equal(fixture_open(fixture), OK);
    assert_entries(fixture);
    journal_close(fixture->journal);
    fixture->options.format_max = 0; /* an older program */
    assert_int_equal(fixture_open(fixture), ERR_VERSION);
    assert_non_null(strstr(fixture->recovery.note, BANK_0));
    assert_non_null(strstr(fixture->recovery.note, "start the newer program"));
}

/* Its log was raised, and the node died before the journal was. */
static void test_journal_is_raised_when_it_is_opened(void **state)
{
    struct fixture *fixture = *state;
    journal_close(fixture->journal);
    fixture->options.format = 1;
    assert_int_equal(fixture_open(fixture), OK);
    assert_entries(fixture);
    assert_int_equal(version_of(fixture, BANK_0), 3);
    assert_int_equal(version_of(fixture, BANK_1), 3);
    journal_close(fixture->journal);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_journal_is_raised_while_it_is_open),
        TEST(test_journal_is_raised_when_it_is_opened),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
