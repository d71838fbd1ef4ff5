/*
 * A journal that is read and not opened: its entries, its banks in the middle of a move, damage.
 */
#include "pmem/journal_view.h"

#include "tests/sim/medium_sim.h"
#include "tests/sim/view_reader.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PATH        "/media/journal"
#define BANK_0      PATH "-0"
#define BANK_1      PATH "-1"
#define FILE_BYTES  (16u * 1024)
#define ENTRY_BYTES 100u
#define SERIES      55u
#define TURNS_MAX   100u

static const struct log_identity owner = {.cluster_id = 7, .node = 2, .shard = 1};

struct fixture {
    struct medium_sim *sim;
    struct arena arena;
    struct journal *journal;
    struct journal_recovery recovery;
    struct view_reader readers[JOURNAL_BANKS];
    struct journal_view *view;
    uint64_t seq;
};

static void open_journal(struct fixture *fixture)
{
    const struct journal_options options = {
        .path = PATH, .size_bytes = FILE_BYTES, .identity = owner, .series = SERIES};
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
    open_journal(fixture);
    *state = fixture;
    return 0;
}

static void close_view(struct fixture *fixture)
{
    if (fixture->view != NULL)
        journal_view_close(fixture->view);
    fixture->view = NULL;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    close_view(fixture);
    journal_close(fixture->journal);
    arena_deinit(&fixture->arena);
    medium_sim_destroy(fixture->sim);
    free(fixture);
    return 0;
}

static void append(struct fixture *fixture)
{
    uint8_t payload[ENTRY_BYTES];
    enum error error = ERR_NOT_YET;
    fixture->seq++;
    memset(payload, (int)fixture->seq, sizeof(payload));
    for (uint32_t turn = 0; turn < TURNS_MAX && error == ERR_NOT_YET; turn++) {
        journal_make_room(fixture->journal);
        error = journal_append(fixture->journal, fixture->seq, span_of(payload, sizeof(payload)));
        journal_persist(fixture->journal);
    }
    assert_int_equal(error, OK);
    journal_persist(fixture->journal);
    uint64_t durable_seq;
    assert_int_equal(journal_persisted(fixture->journal, &durable_seq), OK);
    assert_int_equal(durable_seq, fixture->seq);
}

/* The journal stays open. */
static void view(struct fixture *fixture)
{
    static const char *const paths[JOURNAL_BANKS] = {BANK_0, BANK_1};
    struct journal_view_options options = {.identity = &owner};
    close_view(fixture);
    for (uint32_t i = 0; i < JOURNAL_BANKS; i++) {
        view_reader_init_bytes(&fixture->readers[i], medium_sim_persisted(fixture->sim, paths[i]),
                               FILE_BYTES);
        options.paths[i] = paths[i];
        options.readers[i] = &fixture->readers[i].reader;
    }
    assert_int_equal(journal_view_open(&options, &fixture->view), OK);
}

/* The entries of the active bank are those from `first` to the last. */
static void assert_entries(struct fixture *fixture, uint64_t first)
{
    uint32_t active = journal_view_active(fixture->view);
    uint64_t cursor = 0;
    uint64_t expected = first;
    uint64_t seq;
    struct span payload;
    assert_true(active < JOURNAL_BANKS);
    while (journal_view_next(fixture->view, active, &cursor, &seq, &payload)) {
        assert_int_equal(seq, expected);
        assert_int_equal(payload.size_bytes, ENTRY_BYTES);
        assert_int_equal(payload.data[0], (uint8_t)seq);
        expected++;
    }
    assert_int_equal(expected, fixture->seq + 1);
    assert_int_equal(journal_view_bank(fixture->view, active)->entries, fixture->seq + 1 - first);
}

static void test_journal_view_has_the_entries(void **state)
{
    struct fixture *fixture = *state;
    for (uint32_t i = 0; i < 10; i++)
        append(fixture);
    view(fixture);
    assert_entries(fixture, 1);
    const struct journal_view_bank *bank = journal_view_bank(fixture->view, 0);
    assert_true(bank->is_active && bank->is_ready && !bank->is_wiping);
    assert_int_equal(bank->series, SERIES);
    assert_int_equal(bank->last_seq, 10);
    assert_true(journal_view_bank(fixture->view, 1)->is_blank);
}

static void test_journal_view_follows_a_move_at_every_step(void **state)
{
    struct fixture *fixture = *state;
    uint32_t moves = 0;
    uint32_t wiping = 0;
    uint64_t generation = 0;
    for (uint32_t i = 0; i < 200; i++) {
        append(fixture);
        if (i % 20 == 19)
            journal_forget(fixture->journal, fixture->seq - 5);
        view(fixture);
        uint32_t active = journal_view_active(fixture->view);
        assert_true(active < JOURNAL_BANKS);
        const struct journal_view_bank *bank = journal_view_bank(fixture->view, active);
        moves += bank->generation != generation;
        generation = bank->generation;
        uint64_t seq;
        uint64_t cursor = 0;
        uint64_t last = 0;
        struct span payload;
        while (journal_view_next(fixture->view, active, &cursor, &seq, &payload))
            last = seq;
        assert_int_equal(last, fixture->seq);
        wiping += journal_view_bank(fixture->view, 1 - active)->is_wiping;
    }
    assert_true(moves > 2 && wiping > 0);
}

static void test_journal_view_names_rot(void **state)
{
    struct fixture *fixture = *state;
    for (uint32_t i = 0; i < 10; i++)
        append(fixture);
    medium_sim_flip_bit(fixture->sim, BANK_0, 8192 + 1000, 1);
    view(fixture);
    struct view_findings findings;
    view_findings_init(&findings);
    log_view_findings(journal_view_log(fixture->view, 0), &findings.sink);
    assert_int_equal(view_findings_damage(&findings), 1);
    assert_non_null(view_findings_of(&findings, FINDING_DAMAGED));
    uint64_t cursor = 0;
    uint64_t seq = 0;
    struct span payload;
    while (journal_view_next(fixture->view, 0, &cursor, &seq, &payload))
        continue;
    assert_true(seq > 0 && seq < 10);
}

static void test_journal_view_does_without_a_bank(void **state)
{
    struct fixture *fixture = *state;
    append(fixture);
    view(fixture);
    struct journal_view *both = fixture->view;
    const struct journal_view_options options = {.paths = {BANK_0, BANK_1},
                                                 .readers = {NULL, &fixture->readers[1].reader},
                                                 .identity = &owner};
    assert_int_equal(journal_view_open(&options, &fixture->view), OK);
    journal_view_close(both);
    assert_int_equal(journal_view_bank(fixture->view, 0)->error, ERR_NOT_FOUND);
    assert_null(journal_view_log(fixture->view, 0));
    assert_int_equal(journal_view_active(fixture->view), JOURNAL_BANKS);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_journal_view_has_the_entries),
        TEST(test_journal_view_follows_a_move_at_every_step),
        TEST(test_journal_view_names_rot),
        TEST(test_journal_view_does_without_a_bank),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
