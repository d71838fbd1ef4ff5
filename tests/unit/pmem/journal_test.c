/*
 * The relaxed journal on the simulated medium: what is kept, moved, refused, and found again after
 * a crash at any point of a move. Many more states: tests/sim/journal_states.c.
 */
#include "pmem/journal.h"
#include "tests/sim/medium_sim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define PATH        "/media/journal"
#define BANK_0      PATH "-0"
#define BANK_1      PATH "-1"
#define FILE_BYTES  (16u * 1024) /* 128 lines of records */
#define ENTRY_BYTES 100u         /* three lines each */
#define TURNS_MAX   100u

struct fixture {
    struct medium_sim *sim;
    struct arena arena;
    struct journal *journal;
    struct journal_recovery recovery;
    struct journal_options options;
    uint64_t seq; /* last appended */
};

static enum error fixture_open(struct fixture *fixture)
{
    if (fixture->arena.base != NULL)
        arena_deinit(&fixture->arena);
    assert_int_equal(arena_init(&fixture->arena, journal_arena_bytes(&fixture->options)), OK);
    return journal_open(&fixture->options, &fixture->arena, &fixture->journal, &fixture->recovery);
}

static void fixture_reopen(struct fixture *fixture)
{
    journal_close(fixture->journal);
    assert_int_equal(fixture_open(fixture), OK);
}

static int setup_on(void **state, enum medium_granularity granularity)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    const struct medium_sim_options options = {
        .seed = 5, .granularity = granularity, .sync_delay_min_ns = 10, .sync_delay_max_ns = 10};
    fixture->sim = medium_sim_create(&options);
    medium_sim_use(fixture->sim);
    fixture->options =
        (struct journal_options){.path = PATH,
                                 .size_bytes = FILE_BYTES,
                                 .identity = {.cluster_id = 7, .node = 2, .shard = 1}};
    *state = fixture;
    return fixture_open(fixture) == OK ? 0 : -1;
}

static int setup(void **state)
{
    return setup_on(state, MEDIUM_CACHE_LINE);
}

static int setup_page(void **state)
{
    return setup_on(state, MEDIUM_PAGE);
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    if (fixture->journal != NULL)
        journal_close(fixture->journal);
    arena_deinit(&fixture->arena);
    medium_sim_destroy(fixture->sim);
    free(fixture);
    return 0;
}

static void payload_fill(uint64_t seq, uint8_t *payload)
{
    for (uint32_t i = 0; i < ENTRY_BYTES; i++)
        payload[i] = (uint8_t)(seq * 7 + i);
}

static enum error append(struct fixture *fixture)
{
    uint8_t payload[ENTRY_BYTES];
    payload_fill(fixture->seq + 1, payload);
    struct span entry = span_of(payload, sizeof(payload));
    enum error error = journal_append(fixture->journal, fixture->seq + 1, entry);
    if (error == ERR_NOT_YET) {
        journal_make_room(fixture->journal);
        error = journal_append(fixture->journal, fixture->seq + 1, entry);
    }
    if (error == OK)
        fixture->seq++;
    return error;
}

static uint64_t persisted(struct fixture *fixture)
{
    uint64_t seq = UINT64_MAX;
    assert_int_equal(journal_persisted(fixture->journal, &seq), OK);
    return seq;
}

static void lose_power(struct fixture *fixture, uint32_t survive_per_million)
{
    medium_sim_lose_power(fixture->sim, BANK_0, survive_per_million);
    medium_sim_lose_power(fixture->sim, BANK_1, survive_per_million);
}

static void assert_entry(uint64_t seq, struct span payload)
{
    uint8_t expected[ENTRY_BYTES];
    payload_fill(seq, expected);
    assert_true(span_is_equal(payload, span_of(expected, sizeof(expected))));
}

/* One live entry. ERR_NOT_FOUND: forgotten, or never appended. */
static enum error entry_read(const struct journal *journal, uint64_t seq, struct span *ret_payload)
{
    uint64_t cursor = seq - 1;
    uint64_t found = 0;
    struct span payload;
    if (!journal_next(journal, &cursor, &found, &payload) || found != seq)
        return ERR_NOT_FOUND;
    *ret_payload = payload;
    return OK;
}

/* Exactly the entries first .. last, walked and read one by one. */
static void assert_entries(const struct fixture *fixture, uint64_t first, uint64_t last)
{
    uint64_t cursor = 0;
    uint64_t seq = 0;
    struct span payload;
    for (uint64_t expected = first; expected <= last; expected++) {
        assert_true(journal_next(fixture->journal, &cursor, &seq, &payload));
        assert_int_equal(seq, expected);
        assert_entry(seq, payload);
        assert_int_equal(entry_read(fixture->journal, expected, &payload), OK);
        assert_entry(seq, payload);
    }
    assert_false(journal_next(fixture->journal, &cursor, &seq, &payload));
    assert_int_equal(entry_read(fixture->journal, first - 1, &payload), ERR_NOT_FOUND);
    assert_int_equal(entry_read(fixture->journal, last + 1, &payload), ERR_NOT_FOUND);
}

static void test_journal_is_empty_when_created(void **state)
{
    struct fixture *fixture = *state;
    assert_true(fixture->recovery.is_created);
    assert_false(fixture->recovery.is_damaged);
    assert_int_equal(fixture->recovery.entries, 0);
    assert_int_equal(fixture->recovery.last_seq, 0);
    assert_string_equal(fixture->recovery.note, "");
    assert_false(journal_is_dirty(fixture->journal));
    assert_int_equal(persisted(fixture), 0);
    assert_entries(fixture, 1, 0);
    fixture_reopen(fixture);
    assert_false(fixture->recovery.is_created);
    assert_int_equal(fixture->recovery.last_seq, 0);
}

static void test_journal_returns_what_was_appended_after_reopening(void **state)
{
    struct fixture *fixture = *state;
    for (uint32_t i = 0; i < 5; i++)
        assert_int_equal(append(fixture), OK);
    assert_true(journal_is_dirty(fixture->journal));
    assert_entries(fixture, 1, 5);
    journal_persist(fixture->journal);
    assert_false(journal_is_dirty(fixture->journal));
    assert_int_equal(persisted(fixture), 5);
    assert_int_equal(append(fixture), OK);
    lose_power(fixture, 0);
    fixture_reopen(fixture);
    assert_int_equal(fixture->recovery.entries, 5);
    assert_int_equal(fixture->recovery.last_seq, 5);
    assert_false(fixture->recovery.is_created);
    assert_entries(fixture, 1, 5);
    fixture->seq = 1000; /* seqs rise, and need not be dense */
    assert_int_equal(append(fixture), OK);
    journal_persist(fixture->journal);
    assert_int_equal(persisted(fixture), 1001);
    struct span payload;
    assert_int_equal(entry_read(fixture->journal, 1001, &payload), OK);
    assert_int_equal(entry_read(fixture->journal, 1000, &payload), ERR_NOT_FOUND);
}

static void test_journal_takes_an_empty_entry(void **state)
{
    struct fixture *fixture = *state;
    struct span payload;
    assert_int_equal(journal_append(fixture->journal, 3, (struct span){0}), OK);
    assert_int_equal(entry_read(fixture->journal, 3, &payload), OK);
    assert_int_equal(payload.size_bytes, 0);
}

static void test_journal_forgets(void **state)
{
    struct fixture *fixture = *state;
    for (uint32_t i = 0; i < 5; i++)
        assert_int_equal(append(fixture), OK);
    journal_forget(fixture->journal, 2);
    journal_forget(fixture->journal, 1);
    assert_entries(fixture, 3, 5);
    journal_forget(fixture->journal, 99); /* of an earlier journal: all that is here */
    assert_entries(fixture, 6, 5);
    assert_int_equal(append(fixture), OK);
    assert_entries(fixture, 6, 6);
}

static void test_journal_tells_what_is_durable(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(append(fixture), OK);
    journal_persist(fixture->journal);
    assert_int_equal(append(fixture), OK);
    assert_int_equal(persisted(fixture), 0);
    medium_sim_set_now(fixture->sim, 10);
    assert_int_equal(persisted(fixture), 1);
    journal_persist(fixture->journal);
    medium_sim_set_now(fixture->sim, 20);
    assert_int_equal(persisted(fixture), 2);
}

/* Two hundred entries through banks of 41: only four are ever live. */
static void test_journal_moves_exactly_the_live_entries(void **state)
{
    struct fixture *fixture = *state;
    for (uint32_t i = 0; i < 200; i++) {
        assert_int_equal(append(fixture), OK);
        if (fixture->seq > 4)
            journal_forget(fixture->journal, fixture->seq - 4);
        assert_entries(fixture, fixture->seq > 4 ? fixture->seq - 3 : 1, fixture->seq);
        journal_persist(fixture->journal);
        assert_int_equal(persisted(fixture), fixture->seq);
    }
    lose_power(fixture, 0);
    fixture_reopen(fixture);
    assert_int_equal(fixture->recovery.last_seq, 200);
    assert_in_range(fixture->recovery.entries, 4, 45);
    journal_forget(fixture->journal, 196);
    assert_entries(fixture, 197, 200);
}

static void test_journal_remembers_the_last_seq_of_what_it_forgot(void **state)
{
    struct fixture *fixture = *state;
    for (uint32_t i = 0; i < 41; i++)
        assert_int_equal(append(fixture), OK);
    journal_forget(fixture->journal, 41);
    uint64_t before = fixture->seq;
    assert_int_equal(append(fixture), OK); /* moves, with nothing to copy */
    journal_forget(fixture->journal, 42);
    journal_persist(fixture->journal);
    fixture_reopen(fixture);
    assert_int_equal(fixture->recovery.entries, 1); /* only the newest lies in the new bank */
    assert_int_equal(fixture->recovery.last_seq, before + 1);
}

/* Full of live entries: refuses, loses nothing, and takes on again what is given room. */
static void test_journal_pushes_back_when_full(void **state)
{
    struct fixture *fixture = *state;
    while (append(fixture) == OK)
        assert_true(fixture->seq < TURNS_MAX);
    assert_int_equal(fixture->seq, 41); /* of 128 lines, less OPEN and two READYs */
    assert_true(journal_room_bytes(fixture->journal) < journal_entry_room_bytes(ENTRY_BYTES));
    journal_persist(fixture->journal);
    assert_int_equal(append(fixture), ERR_FULL);
    assert_int_equal(persisted(fixture), 41);
    journal_forget(fixture->journal, 1); /* a move for one entry would be no gain */
    assert_int_equal(append(fixture), ERR_FULL);
    assert_entries(fixture, 2, 41);
    journal_forget(fixture->journal, 10);
    assert_true(journal_room_bytes(fixture->journal) >= journal_entry_room_bytes(ENTRY_BYTES));
    assert_int_equal(append(fixture), OK);
    assert_entries(fixture, 11, 42);
    lose_power(fixture, 0); /* the move was not durable: the old bank counts */
    fixture_reopen(fixture);
    assert_entries(fixture, 1, 41);
}

/* While the old bank is not wiped yet a second move has to wait. */
static void test_journal_waits_for_the_other_bank(void **state)
{
    struct fixture *fixture = *state;
    uint32_t turns = 0;
    while (append(fixture) == OK) {
        journal_forget(fixture->journal, fixture->seq);
        assert_true(fixture->seq < TURNS_MAX); /* never persisted: one move, and no other */
    }
    assert_in_range(fixture->seq, 80, 90);
    while (append(fixture) == ERR_FULL && turns++ < TURNS_MAX)
        journal_persist(fixture->journal);
    assert_in_range(turns, 4, 20);
    assert_entries(fixture, fixture->seq, fixture->seq);
}

enum fate { FATE_POWER_LOST, FATE_POWER_LOST_TORN, FATE_POWER_KEPT, FATE_KILLED, FATE_COUNT };

static void suffer(struct fixture *fixture, enum fate fate)
{
    static const uint32_t chances[] = {0, 500000, 1000000};
    if (fate != FATE_KILLED) {
        lose_power(fixture, chances[fate]);
        return;
    }
    medium_sim_kill(fixture->sim, BANK_0);
    medium_sim_kill(fixture->sim, BANK_1);
}

/* Appends and forgets for `turns` turns, then crashes; what was acknowledged and not forgotten is
 * there again, in order, and the journal goes on. */
static void crash_after(struct fixture *fixture, uint32_t turns, enum fate fate)
{
    uint64_t now_ns = 0;
    uint64_t acknowledged = 0;
    uint64_t seq = 0;
    uint64_t cursor = 0;
    struct span payload;
    for (uint32_t i = 0; i < turns; i++) {
        enum error error = append(fixture);
        assert_true(error == OK || error == ERR_FULL);
        journal_forget(fixture->journal, fixture->seq > 6 ? fixture->seq - 6 : 0);
        if (i % 3 != 2)
            journal_persist(fixture->journal);
        medium_sim_set_now(fixture->sim, now_ns += 7);
        acknowledged = persisted(fixture);
    }
    suffer(fixture, fate);
    fixture_reopen(fixture);
    assert_false(fixture->recovery.is_damaged);
    assert_true(fixture->recovery.last_seq >= acknowledged);
    uint64_t first_live = fixture->seq > 6 ? fixture->seq - 5 : 1;
    uint64_t expected = 0;
    while (journal_next(fixture->journal, &cursor, &seq, &payload)) {
        assert_true(expected == 0 || seq == expected);
        assert_entry(seq, payload);
        if (expected == 0 && seq > first_live)
            assert_true(first_live > acknowledged);
        expected = seq + 1;
    }
    assert_true(expected > acknowledged || acknowledged == 0);
    fixture->seq = fixture->recovery.last_seq;
    for (uint32_t i = 0; i < 60; i++) {
        (void)append(fixture);
        journal_forget(fixture->journal, fixture->seq - 1);
        journal_persist(fixture->journal);
        for (uint32_t j = 0; j < 3; j++) /* a sync may have to wait for the one before it */
            medium_sim_set_now(fixture->sim, now_ns += 10);
        assert_int_equal(persisted(fixture), fixture->seq);
    }
    assert_true(fixture->seq >= fixture->recovery.last_seq + 50);
}

static void test_journal_survives_a_crash_anywhere(void **state)
{
    struct fixture *fixture = *state;
    (void)teardown(state);
    for (uint32_t turns = 1; turns < TURNS_MAX; turns++)
        for (int fate = 0; fate < FATE_COUNT; fate++)
            for (int granularity = MEDIUM_CACHE_LINE; granularity <= MEDIUM_PAGE; granularity++) {
                assert_int_equal(setup_on(state, (enum medium_granularity)granularity), 0);
                fixture = *state;
                crash_after(fixture, turns, (enum fate)fate);
                (void)teardown(state);
            }
    assert_int_equal(setup(state), 0);
}

static void rot(struct fixture *fixture, const char *bank, uint32_t line)
{
    medium_sim_flip_bit(fixture->sim, bank, 8192 + line * 64 + 48, 0);
}

static void test_journal_tells_of_rot_and_goes_on(void **state)
{
    struct fixture *fixture = *state;
    for (uint32_t i = 0; i < 6; i++) {
        assert_int_equal(append(fixture), OK);
        journal_persist(fixture->journal);
        assert_int_equal(persisted(fixture), i + 1);
    }
    rot(fixture, BANK_0, 3 + 3 * 3); /* the fourth */
    fixture_reopen(fixture);
    assert_true(fixture->recovery.is_damaged);
    assert_false(fixture->recovery.is_created);
    assert_non_null(strstr(fixture->recovery.note, BANK_0 ": records from 6 on are damaged"));
    assert_non_null(strstr(fixture->recovery.note, "relaxed writes above number 3 "));
    assert_entries(fixture, 1, 3);
    assert_int_equal(append(fixture), OK); /* 7 */
    journal_persist(fixture->journal);
    fixture_reopen(fixture);
    assert_false(fixture->recovery.is_damaged);
    assert_int_equal(fixture->recovery.entries, 4);
    assert_int_equal(fixture->recovery.last_seq, 7);
}

/* The old bank is gone, the new one's first record rots: not taken for a move that never ended. */
static void test_journal_tells_of_rot_in_the_first_record(void **state)
{
    struct fixture *fixture = *state;
    while (fixture->seq < 50) {
        if (append(fixture) == OK)
            journal_forget(fixture->journal, fixture->seq - 1);
        journal_persist(fixture->journal);
    }
    rot(fixture, BANK_1, 0);
    fixture_reopen(fixture);
    assert_true(fixture->recovery.is_damaged);
    assert_non_null(strstr(fixture->recovery.note, BANK_1 ": the first record is damaged"));
    assert_non_null(strstr(fixture->recovery.note, "is now called " BANK_1 ".damaged-1"));
    assert_int_equal(fixture->recovery.entries, 0);
    fixture->seq = 1000;
    assert_int_equal(append(fixture), OK);
    journal_persist(fixture->journal);
    assert_int_equal(persisted(fixture), 1001);
    fixture_reopen(fixture);
    assert_entries(fixture, 1001, 1001);
}

/* The same before anything was appended to the new bank. */
static void test_journal_vouches_for_a_move_before_it_wipes(void **state)
{
    struct fixture *fixture = *state;
    while (fixture->seq < 42) {
        assert_int_equal(append(fixture), OK);
        journal_forget(fixture->journal, fixture->seq - 1);
    }
    for (uint32_t i = 0; i < 10; i++)
        journal_persist(fixture->journal);
    assert_int_equal(medium_sim_persisted(fixture->sim, BANK_0)[8192], 0); /* wiped */
    rot(fixture, BANK_1, 0);
    fixture_reopen(fixture);
    assert_true(fixture->recovery.is_damaged);
}

static void test_journal_passes_over_rot_in_a_bank_given_up(void **state)
{
    struct fixture *fixture = *state;
    while (fixture->seq < 42) {
        assert_int_equal(append(fixture), OK);
        journal_forget(fixture->journal, fixture->seq - 1);
        if (fixture->seq < 42)
            journal_persist(fixture->journal);
        assert_int_equal(persisted(fixture), fixture->seq < 42 ? fixture->seq : 41);
    }
    journal_persist(fixture->journal); /* moved and durable; the old bank is whole */
    rot(fixture, BANK_0, 10);
    fixture_reopen(fixture);
    assert_false(fixture->recovery.is_damaged);
    assert_entries(fixture, 41, 42);
}

/* The storage was lost, and the journal was not: what it holds is told, kept, and not taken. */
static void test_journal_of_another_storage_is_set_aside(void **state)
{
    struct fixture *fixture = *state;
    char note[384] = "";
    fixture->options.series = 5;
    fixture->options.path = "/media/other";
    fixture_reopen(fixture);
    assert_true(fixture->recovery.other_series == 0);
    assert_int_equal(append(fixture), OK);
    assert_int_equal(append(fixture), OK);
    fixture_reopen(fixture);
    assert_true(fixture->recovery.other_series == 0);
    fixture->options.series = 6;
    fixture_reopen(fixture);
    assert_true(fixture->recovery.other_series == 5);
    assert_int_equal(fixture->recovery.entries, 2);
    assert_int_equal(journal_set_aside(fixture->journal, &fixture->options, 7, note, sizeof(note)),
                     OK);
    assert_int_equal(fixture_open(fixture), OK);
    assert_true(fixture->recovery.other_series == 0 && fixture->recovery.is_created);
    assert_true(fixture->recovery.entries == 0 && fixture->recovery.last_seq == 0);
    assert_true(medium_file_size_bytes("/media/other-0.of.0000000000000005.7") > 0);
}

static void test_journal_serves_one_process(void **state)
{
    struct fixture *fixture = *state;
    struct arena arena;
    struct journal *second = NULL;
    struct journal_recovery recovery;
    assert_int_equal(arena_init(&arena, journal_arena_bytes(&fixture->options)), OK);
    assert_int_equal(journal_open(&fixture->options, &arena, &second, &recovery), ERR_BUSY);
    assert_non_null(strstr(recovery.note, BANK_0));
    arena_deinit(&arena);
}

static void test_journal_refuses_what_is_no_journal(void **state)
{
    struct fixture *fixture = *state;
    static char long_path[2048];
    struct log *log = NULL;
    struct log_recovery recovery;
    const struct log_record record = {.index = 1, .term = 1, .kind = 2};
    const struct log_options options = {.path = "/media/log-1",
                                        .size_bytes = FILE_BYTES,
                                        .is_created = true,
                                        .identity = fixture->options.identity};
    journal_close(fixture->journal);
    fixture->journal = NULL;
    arena_deinit(&fixture->arena);
    assert_int_equal(arena_init(&fixture->arena, log_arena_bytes(FILE_BYTES)), OK);
    assert_int_equal(log_open(&options, &fixture->arena, &log, &recovery), OK);
    assert_int_equal(log_append(log, &record), OK);
    log_persist(log);
    log_close(log);
    fixture->options.path = "/media/log";
    assert_int_equal(fixture_open(fixture), ERR_MAGIC);
    assert_non_null(strstr(fixture->recovery.note, "/media/log-1: a log, but not of a journal"));
    memset(long_path, 'x', sizeof(long_path) - 1);
    fixture->options.path = long_path;
    assert_int_equal(fixture_open(fixture), ERR_ARGUMENT);
    fixture->options.path = PATH;
    fixture->options.identity.node = 3;
    assert_int_equal(fixture_open(fixture), ERR_NODE);
    fixture->options.identity.node = 2;
    assert_int_equal(fixture_open(fixture), OK);
}

static void test_journal_acknowledges_nothing_after_a_failed_sync(void **state)
{
    struct fixture *fixture = *state;
    uint64_t seq = 0;
    assert_int_equal(append(fixture), OK);
    medium_sim_fail_sync(fixture->sim, BANK_0);
    journal_persist(fixture->journal);
    medium_sim_set_now(fixture->sim, 10);
    assert_int_equal(journal_persisted(fixture->journal, &seq), ERR_SYNC);
    assert_int_equal(journal_persisted(fixture->journal, &seq), ERR_SYNC);
}

/* The idle bank's medium counts, too: the next move would need it. */
static void test_journal_notices_a_failed_sync_of_the_wipe(void **state)
{
    struct fixture *fixture = *state;
    uint64_t now_ns = 0;
    uint64_t seq = 0;
    enum error error = OK;
    while (fixture->seq < 42) {
        assert_int_equal(append(fixture), OK);
        journal_forget(fixture->journal, fixture->seq - 1);
    }
    medium_sim_fail_sync(fixture->sim, BANK_0);
    for (uint32_t i = 0; i < 10 && error == OK; i++) {
        journal_persist(fixture->journal);
        medium_sim_set_now(fixture->sim, now_ns += 10);
        error = journal_persisted(fixture->journal, &seq);
    }
    assert_int_equal(error, ERR_SYNC);
    assert_int_equal(seq, 42);
}

static void test_journal_fails_where_the_sync_of_its_start_fails(void **state)
{
    struct fixture *fixture = *state;
    journal_close(fixture->journal);
    fixture->journal = NULL;
    medium_sim_fail_sync(fixture->sim, BANK_1);
    assert_int_equal(fixture_open(fixture), ERR_SYNC);
    assert_non_null(strstr(fixture->recovery.note, BANK_1));
}

int main(void)
{
#define TEST(name)      cmocka_unit_test_setup_teardown(name, setup, teardown)
#define TEST_PAGE(name) cmocka_unit_test_setup_teardown(name, setup_page, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_journal_is_empty_when_created),
        TEST(test_journal_returns_what_was_appended_after_reopening),
        TEST(test_journal_takes_an_empty_entry),
        TEST(test_journal_forgets),
        TEST_PAGE(test_journal_tells_what_is_durable),
        TEST(test_journal_moves_exactly_the_live_entries),
        TEST(test_journal_remembers_the_last_seq_of_what_it_forgot),
        TEST(test_journal_pushes_back_when_full),
        TEST(test_journal_waits_for_the_other_bank),
        TEST(test_journal_survives_a_crash_anywhere),
        TEST(test_journal_tells_of_rot_and_goes_on),
        TEST(test_journal_tells_of_rot_in_the_first_record),
        TEST(test_journal_vouches_for_a_move_before_it_wipes),
        TEST(test_journal_passes_over_rot_in_a_bank_given_up),
        TEST(test_journal_of_another_storage_is_set_aside),
        TEST(test_journal_serves_one_process),
        TEST(test_journal_refuses_what_is_no_journal),
        TEST_PAGE(test_journal_acknowledges_nothing_after_a_failed_sync),
        TEST_PAGE(test_journal_notices_a_failed_sync_of_the_wipe),
        TEST_PAGE(test_journal_fails_where_the_sync_of_its_start_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
