/* The relaxed journal, where newer entries take the place of older ones: what a move leaves
 * behind. */
#include "pmem/journal.h"
#include "tests/sim/medium_sim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define PATH        "/media/journal"
#define FILE_BYTES  (16u * 1024) /* 41 entries */
#define ENTRY_BYTES 100u

struct fixture {
    struct medium_sim *sim;
    struct arena arena;
    struct journal *journal;
    struct journal_recovery recovery;
    uint64_t seq; /* last appended */
};

static void fixture_open(struct fixture *fixture, uint64_t (*next_needed)(void *, uint64_t),
                         void *context)
{
    const struct journal_options options = {.path = PATH,
                                            .size_bytes = FILE_BYTES,
                                            .identity = {.cluster_id = 7, .node = 2, .shard = 1},
                                            .next_needed = next_needed,
                                            .context = context};
    assert_int_equal(arena_init(&fixture->arena, journal_arena_bytes(&options)), OK);
    assert_int_equal(journal_open(&options, &fixture->arena, &fixture->journal, &fixture->recovery),
                     OK);
}

static void fixture_close(struct fixture *fixture)
{
    journal_close(fixture->journal);
    arena_deinit(&fixture->arena);
}

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    const struct medium_sim_options options = {.seed = 5, .granularity = MEDIUM_CACHE_LINE};
    fixture->sim = medium_sim_create(&options);
    medium_sim_use(fixture->sim);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    fixture_close(fixture);
    medium_sim_destroy(fixture->sim);
    free(fixture);
    return 0;
}

static enum error append(struct fixture *fixture)
{
    uint8_t payload[ENTRY_BYTES];
    memset(payload, (int)(fixture->seq + 1), sizeof(payload));
    struct span entry = span_of(payload, sizeof(payload));
    enum error error = journal_append(fixture->journal, fixture->seq + 1, entry);
    if (error == ERR_NOT_YET) {
        journal_make_room(fixture->journal);
        error = journal_append(fixture->journal, fixture->seq + 1, entry);
    }
    fixture->seq += error == OK;
    return error;
}

static uint64_t persisted(struct fixture *fixture)
{
    uint64_t seq = UINT64_MAX;
    assert_int_equal(journal_persisted(fixture->journal, &seq), OK);
    return seq;
}

static void assert_entry(uint64_t seq, struct span payload)
{
    uint8_t expected[ENTRY_BYTES];
    memset(expected, (int)seq, sizeof(expected));
    assert_true(span_is_equal(payload, span_of(expected, sizeof(expected))));
}

/* Sets 1 and 2, and the last three. */
static uint64_t cold_and_newest(void *context, uint64_t seq)
{
    const struct fixture *fixture = context;
    return seq <= 2 || seq + 2 > fixture->seq ? seq : fixture->seq - 2;
}

/* Two hundred entries through banks of 41, and nothing is ever forgotten: newer ones take over. */
static void test_journal_leaves_behind_what_is_not_needed(void **state)
{
    struct fixture *fixture = *state;
    uint64_t cursor = 0;
    uint64_t seq = 0;
    struct span payload;
    fixture_open(fixture, cold_and_newest, fixture);
    for (uint32_t i = 0; i < 200; i++) {
        assert_int_equal(append(fixture), OK);
        journal_persist(fixture->journal);
        assert_int_equal(persisted(fixture), fixture->seq);
    }
    medium_sim_lose_power(fixture->sim, PATH "-0", 0);
    medium_sim_lose_power(fixture->sim, PATH "-1", 0);
    fixture_close(fixture);
    fixture_open(fixture, cold_and_newest, fixture);
    assert_in_range(fixture->recovery.entries, 5, 45);
    for (uint64_t cold = 1; cold <= 2; cold++) {
        assert_true(journal_next(fixture->journal, &cursor, &seq, &payload));
        assert_int_equal(seq, cold);
        assert_entry(seq, payload);
    }
    while (journal_next(fixture->journal, &cursor, &seq, &payload))
        assert_entry(seq, payload);
    assert_int_equal(seq, 200);
}

static uint64_t count_calls(void *context, uint64_t seq)
{
    ++*(uint32_t *)context;
    return seq;
}

/* A journal that pushes back does not look for room with every entry. */
static void test_journal_looks_once_for_what_is_not_needed(void **state)
{
    struct fixture *fixture = *state;
    uint32_t calls = 0;
    fixture_open(fixture, count_calls, &calls);
    while (append(fixture) == OK)
        journal_persist(fixture->journal);
    assert_int_equal(persisted(fixture), fixture->seq);
    assert_int_equal(append(fixture), ERR_FULL);
    uint32_t calls_before = calls;
    assert_in_range(calls_before, fixture->seq, 3 * fixture->seq);
    for (uint32_t i = 0; i < 10; i++)
        assert_int_equal(append(fixture), ERR_FULL);
    assert_int_equal(calls, calls_before);
}

/* Whoever hands an entry over may be in the middle of something: only journal_make_room asks. */
static void test_journal_append_calls_nobody_back(void **state)
{
    struct fixture *fixture = *state;
    uint32_t calls = 0;
    uint8_t bytes[ENTRY_BYTES] = {0};
    struct span entry = span_of(bytes, sizeof(bytes));
    enum error error = OK;
    fixture_open(fixture, count_calls, &calls);
    while (error == OK) {
        error = journal_append(fixture->journal, fixture->seq + 1, entry);
        fixture->seq += error == OK;
        journal_persist(fixture->journal);
        assert_int_equal(persisted(fixture), fixture->seq);
    }
    assert_int_equal(error, ERR_NOT_YET);
    assert_int_equal(calls, 0);
    journal_make_room(fixture->journal);
    assert_true(calls > 0);
    assert_int_equal(journal_append(fixture->journal, fixture->seq + 1, entry), ERR_FULL);
    journal_forget(fixture->journal, fixture->seq / 2);
    assert_int_equal(journal_append(fixture->journal, fixture->seq + 1, entry), ERR_NOT_YET);
    journal_make_room(fixture->journal);
    assert_int_equal(journal_append(fixture->journal, fixture->seq + 1, entry), OK);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_journal_leaves_behind_what_is_not_needed),
        TEST(test_journal_looks_once_for_what_is_not_needed),
        TEST(test_journal_append_calls_nobody_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
