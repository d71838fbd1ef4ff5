/*
 * The segments of a log on the simulated medium: used in turn, dropped, wiped and used again; what
 * a power loss at any moment leaves; and a log that begins anew behind a snapshot.
 */
#include "base/le.h"
#include "base/prng.h"
#include "tests/unit/pmem/log_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SEGMENT_BYTES 4096u
#define SEGMENTS      6u
#define FILE_BYTES    (12u * 1024 + SEGMENTS * SEGMENT_BYTES)
#define TABLE_OFFSET  8192u
#define PATH          LOG_FIXTURE_PATH
#define STEP_BYTES    1024u
#define SEEDS         1000u
#define INDEX_RUN_MAX 4096u

static void lose_power(struct log_fixture *fixture, uint32_t survival_ppm)
{
    medium_sim_lose_power(fixture->sim, PATH, survival_ppm);
    log_fixture_reopen(fixture);
}

/* A record says which it is: index and `number`. */
static enum error try_append(struct log_fixture *fixture, uint64_t term, uint64_t number,
                             size_t size_bytes)
{
    uint8_t payload[2048];
    const struct log_record record = {.index = log_last_index(fixture->log) + 1,
                                      .term = term,
                                      .kind = 1,
                                      .payload = span_of(payload, size_bytes)};
    memset(payload, 0xab, sizeof(payload));
    le64_store(payload, number);
    return log_append(fixture->log, &record);
}

static void append(struct log_fixture *fixture, uint64_t term)
{
    assert_int_equal(try_append(fixture, term, log_last_index(fixture->log) + 1, 400), OK);
}

static uint64_t number_at(const struct log_fixture *fixture, uint64_t index)
{
    struct log_record record;
    log_read(fixture->log, index, &record);
    assert_int_equal(record.index, index);
    return le64_load(record.payload.data);
}

static void settle(struct log_fixture *fixture)
{
    log_settle(fixture->log);
    log_fixture_persist(fixture);
    log_fixture_persist(fixture);
}

static void recycle(struct log_fixture *fixture)
{
    for (uint32_t i = 0; !log_is_recycled(fixture->log); i++) {
        assert_true(i < 1000);
        assert_int_equal(log_recycle(fixture->log, STEP_BYTES), OK);
        log_fixture_persist(fixture);
    }
    log_fixture_persist(fixture);
}

static int setup(void **state)
{
    const struct medium_sim_options options = {.seed = 5, .granularity = MEDIUM_PAGE};
    struct log_fixture *fixture = log_fixture_new(&options, FILE_BYTES, SEGMENT_BYTES);
    *state = fixture;
    if (log_fixture_open(fixture) != OK)
        return -1;
    append(fixture, 1);
    log_fixture_persist(fixture);
    settle(fixture);
    return 0;
}

/* Appends until the log is full; each record durable. */
static void fill(struct log_fixture *fixture, uint64_t term)
{
    for (uint32_t i = 0; try_append(fixture, term, log_last_index(fixture->log) + 1, 400) == OK;
         i++) {
        assert_true(i < 1000);
        log_fixture_persist(fixture);
    }
}

static void test_segments_are_used_in_turn_until_the_kept_one(void **state)
{
    struct log_fixture *fixture = *state;
    fill(fixture, 1);
    /* Records of 448 bytes: nine a segment. */
    assert_int_equal(log_last_index(fixture->log), 9 * (SEGMENTS - 1));
    log_fixture_reopen(fixture);
    assert_int_equal(fixture->recovery.last_index, 9 * (SEGMENTS - 1));
    assert_false(fixture->recovery.is_suspect);
    for (uint64_t index = 1; index <= 9 * (SEGMENTS - 1); index++)
        assert_int_equal(number_at(fixture, index), index);
    assert_int_equal(try_append(fixture, 1, 0, 400), ERR_FULL);
}

static void test_drop_makes_room_again_and_again(void **state)
{
    struct log_fixture *fixture = *state;
    for (uint32_t round = 0; round < 20; round++) {
        fill(fixture, 1 + round);
        uint64_t last = log_last_index(fixture->log);
        fixture->options.snapshot_index = last - 10;
        fixture->options.snapshot_term = 1 + round;
        log_drop(fixture->log, fixture->options.snapshot_index);
        assert_in_range(log_first_index(fixture->log), last - 19, last - 9);
        recycle(fixture);
        if (round % 3 == 0)
            log_fixture_reopen(fixture);
        assert_int_equal(log_last_index(fixture->log), last);
        for (uint64_t index = log_first_index(fixture->log); index <= last; index++)
            assert_int_equal(number_at(fixture, index), index);
        assert_true(log_room_bytes(fixture->log) > 2 * SEGMENT_BYTES);
    }
    assert_true(log_last_index(fixture->log) > 400);
    assert_false(fixture->recovery.is_suspect);
}

static void test_drop_keeps_what_is_later(void **state)
{
    struct log_fixture *fixture = *state;
    fill(fixture, 1);
    log_drop(fixture->log, 8);
    assert_int_equal(log_first_index(fixture->log), 1);
    log_drop(fixture->log, 9);
    assert_int_equal(log_first_index(fixture->log), 10);
    log_drop(fixture->log, log_last_index(fixture->log));
    assert_int_equal(log_first_index(fixture->log), 9 * (SEGMENTS - 2) + 1);
}

/* Appends a record, after dropping what is in its way. */
static void append_dropping(struct log_fixture *fixture, size_t size_bytes)
{
    while (try_append(fixture, 2, 0, size_bytes) != OK) {
        log_drop(fixture->log, log_last_index(fixture->log));
        fixture->options.snapshot_index = log_first_index(fixture->log) - 1;
        recycle(fixture);
    }
    log_fixture_persist(fixture);
}

/*
 * A log that may have lost as many records as fit into one large one, drops the segment that shows
 * it, and loses power before it has as many again: it is suspect still. That its begin was noted as
 * settled before does not count.
 */
static void test_suspect_log_stays_suspect_when_it_drops(void **state)
{
    struct log_fixture *fixture = *state;
    fixture->options.snapshot_term = 2;
    for (uint32_t i = 0; i < 20; i++)
        append_dropping(fixture, 1900);
    uint64_t last = log_last_index(fixture->log);
    struct log_record record;
    log_read(fixture->log, last, &record);
    size_t offset = (size_t)(record.payload.data - medium_data(log_medium(fixture->log)));
    log_close(fixture->log);
    medium_sim_flip_bit(fixture->sim, PATH, offset - 20, 1);
    assert_int_equal(log_fixture_open(fixture), OK);
    assert_true(fixture->recovery.is_suspect);
    for (uint32_t i = 0; i < 16; i++)
        append_dropping(fixture, 1900);
    assert_true(log_first_index(fixture->log) > last);
    lose_power(fixture, 0);
    assert_false(fixture->recovery.is_reset);
    assert_int_equal(fixture->recovery.last_index, last + 15);
    assert_true(fixture->recovery.is_suspect);
    settle(fixture);
    lose_power(fixture, 0);
    assert_false(fixture->recovery.is_suspect);
}

/* A record below the base of its segment goes into the next one, so that what it supersedes can be
 * dropped without it. */
static void test_truncation_across_segments_survives_a_drop(void **state)
{
    struct log_fixture *fixture = *state;
    while (log_last_index(fixture->log) < 24) { /* three segments */
        append(fixture, 1);
        log_fixture_persist(fixture);
    }
    log_truncate(fixture->log, 15); /* in the second */
    for (uint64_t index = 15; index < 27; index++) {
        assert_int_equal(try_append(fixture, 2, 1000 + index, 400), OK);
        log_fixture_persist(fixture);
    }
    for (uint64_t drop = 9; drop <= 26; drop++) {
        log_drop(fixture->log, drop);
        recycle(fixture);
        fixture->options.snapshot_index = drop;
        fixture->options.snapshot_term = drop < 15 ? 1 : 2;
        log_fixture_reopen(fixture);
        assert_int_equal(fixture->recovery.last_index, 26);
        assert_false(fixture->recovery.is_suspect);
        assert_true(log_first_index(fixture->log) <= drop + 1);
        for (uint64_t index = log_first_index(fixture->log); index <= 26; index++)
            assert_int_equal(number_at(fixture, index), index < 15 ? index : 1000 + index);
    }
    assert_int_equal(log_first_index(fixture->log), 24);
}

/* The record before the first was dropped, and its place is used again, by the very record that
 * follows it in the end. */
static void test_truncation_to_the_begin_names_no_place(void **state)
{
    struct log_fixture *fixture = *state;
    while (log_last_index(fixture->log) < 20) {
        append(fixture, 1);
        log_fixture_persist(fixture);
    }
    fixture->options.snapshot_index = 18; /* two segments */
    fixture->options.snapshot_term = 1;
    for (uint64_t term = 2; term < 2 + 4 * SEGMENTS; term++) { /* two a segment */
        log_drop(fixture->log, 18);
        recycle(fixture);
        log_truncate(fixture->log, 19);
        assert_int_equal(try_append(fixture, term, 7000 + term, 1900), OK);
        log_fixture_persist(fixture);
        if (term >= 11) /* in the place of record 18, the eighth segment of the row */
            log_fixture_reopen(fixture);
        assert_int_equal(log_first_index(fixture->log), 19);
        assert_int_equal(log_last_index(fixture->log), 19);
        assert_int_equal(number_at(fixture, 19), 7000 + term);
    }
}

static void test_reset_begins_behind_the_snapshot(void **state)
{
    struct log_fixture *fixture = *state;
    fill(fixture, 1);
    fixture->options.snapshot_index = 500;
    fixture->options.snapshot_term = 7;
    assert_int_equal(log_reset(fixture->log, 500), OK);
    assert_int_equal(log_first_index(fixture->log), 501);
    assert_int_equal(log_last_index(fixture->log), 500);
    append(fixture, 8);
    log_fixture_persist(fixture);
    lose_power(fixture, 0);
    assert_int_equal(fixture->recovery.first_index, 501);
    assert_int_equal(fixture->recovery.last_index, 501);
    assert_false(fixture->recovery.is_suspect);
    recycle(fixture);
    log_fixture_reopen(fixture);
    assert_int_equal(fixture->recovery.last_index, 501);
    assert_int_equal(number_at(fixture, 501), 501);
    assert_false(fixture->recovery.is_suspect);
}

/* The snapshot became durable, and then the power went. */
static void test_open_begins_anew_where_the_snapshot_is_ahead(void **state)
{
    struct log_fixture *fixture = *state;
    fill(fixture, 1);
    fixture->options.snapshot_index = 500;
    fixture->options.snapshot_term = 7;
    log_fixture_reopen(fixture);
    assert_true(fixture->recovery.is_reset);
    assert_int_equal(fixture->recovery.first_index, 501);
    assert_int_equal(fixture->recovery.last_index, 500);
    assert_int_equal(fixture->recovery.commit_index, 500);
    lose_power(fixture, 0);
    assert_int_equal(fixture->recovery.last_index, 500);
    assert_false(fixture->recovery.is_suspect);
    recycle(fixture);
    append(fixture, 8);
    log_fixture_persist(fixture);
    log_fixture_reopen(fixture);
    assert_int_equal(fixture->recovery.last_index, 501);
    assert_false(fixture->recovery.is_suspect);
}

/* A file that was made beside older snapshots, and then the power went. */
static void test_log_behind_a_kept_snapshot_is_unused(void **state)
{
    struct log_fixture *fixture = *state;
    fixture->options.snapshot_index = 500;
    fixture->options.snapshot_term = 7;
    log_close(fixture->log);
    medium_sim_remove(fixture->sim, PATH);
    assert_int_equal(log_fixture_open(fixture), OK);
    assert_true(fixture->recovery.is_created);
    assert_int_equal(fixture->recovery.last_index, 500);
    assert_true(log_is_unused(&fixture->recovery));
    lose_power(fixture, 0);
    assert_false(fixture->recovery.is_created);
    assert_true(log_is_unused(&fixture->recovery));
    log_write_hard_state(fixture->log, 8, 3);
    log_fixture_persist(fixture);
    lose_power(fixture, 0);
    assert_false(log_is_unused(&fixture->recovery)); /* it has voted */
    append(fixture, 8);
    log_fixture_persist(fixture);
    lose_power(fixture, 0);
    assert_false(log_is_unused(&fixture->recovery));
}

static void test_open_begins_anew_where_the_terms_differ(void **state)
{
    struct log_fixture *fixture = *state;
    fill(fixture, 1);
    fixture->options.snapshot_index = 20;
    fixture->options.snapshot_term = 1;
    log_fixture_reopen(fixture);
    assert_false(fixture->recovery.is_reset);
    fixture->options.snapshot_term = 2;
    log_fixture_reopen(fixture);
    assert_true(fixture->recovery.is_reset);
    assert_int_equal(fixture->recovery.last_index, 20);
}

/* The snapshot is lost: what the log holds is of no use, and acknowledged records may be gone. */
static void test_log_that_begins_behind_its_snapshot_is_suspect(void **state)
{
    struct log_fixture *fixture = *state;
    fill(fixture, 1);
    log_drop(fixture->log, 20);
    recycle(fixture);
    fixture->options.snapshot_index = 5;
    fixture->options.snapshot_term = 1;
    log_fixture_reopen(fixture);
    assert_true(fixture->recovery.is_reset);
    assert_int_equal(fixture->recovery.last_index, 5);
    assert_true(fixture->recovery.is_suspect);
    lose_power(fixture, 0);
    assert_true(fixture->recovery.is_suspect);
    assert_false(fixture->recovery.is_history_lost); /* it goes on from the older snapshot */
    fixture->options.snapshot_index = 0;
    log_fixture_reopen(fixture);
    assert_true(fixture->recovery.is_history_lost);
}

static void test_word_of_the_table_is_repaired_from_its_copy(void **state)
{
    struct log_fixture *fixture = *state;
    fill(fixture, 1);
    log_close(fixture->log);
    medium_sim_flip_bit(fixture->sim, PATH, TABLE_OFFSET + 8, 3);
    assert_int_equal(log_fixture_open(fixture), OK);
    assert_int_equal(fixture->recovery.last_index, 9 * (SEGMENTS - 1));
    assert_non_null(strstr(fixture->recovery.note, "repaired"));
    log_fixture_reopen(fixture);
    assert_string_equal(fixture->recovery.note, "");
    medium_sim_flip_bit(fixture->sim, PATH, TABLE_OFFSET + 8, 3);
    medium_sim_flip_bit(fixture->sim, PATH, TABLE_OFFSET + 2048 + 8, 5);
    log_close(fixture->log);
    assert_int_equal(log_fixture_open(fixture), ERR_CHECKSUM);
    assert_non_null(strstr(fixture->recovery.note, "segment's word"));
    medium_sim_flip_bit(fixture->sim, PATH, TABLE_OFFSET + 8, 3);
    assert_int_equal(log_fixture_open(fixture), OK);
}

/* ---- everything at once, with power losses ---- */

/* What the log must hold: the number of each record, and up to where it was acknowledged. */
struct model {
    struct prng prng;
    uint64_t numbers[INDEX_RUN_MAX];
    uint64_t terms[INDEX_RUN_MAX];
    uint64_t last_index;
    uint64_t durable_index;
    uint64_t next_number;
    uint64_t term;
};

static void model_append(struct model *model, struct log_fixture *fixture)
{
    size_t size_bytes = (size_t)prng_range(&model->prng, 8, 1500);
    uint64_t number = model->next_number;
    if (model->last_index + 1 >= INDEX_RUN_MAX ||
        try_append(fixture, model->term, number, size_bytes) != OK)
        return;
    model->next_number++;
    model->last_index++;
    model->numbers[model->last_index] = number;
    model->terms[model->last_index] = model->term;
}

/* Only what is not committed is truncated: here, what is behind the snapshot. */
static void model_truncate(struct model *model, struct log_fixture *fixture)
{
    uint64_t low = fixture->options.snapshot_index + 1;
    if (low < log_first_index(fixture->log))
        low = log_first_index(fixture->log);
    if (low > model->last_index)
        return;
    uint64_t index = prng_range(&model->prng, low, model->last_index);
    log_truncate(fixture->log, index);
    model->term++;
    model->last_index = index - 1;
    if (model->durable_index >= index)
        model->durable_index = index - 1;
    model_append(model, fixture);
}

static void model_snapshot(struct model *model, struct log_fixture *fixture)
{
    if (model->durable_index == 0)
        return;
    fixture->options.snapshot_index =
        prng_range(&model->prng, fixture->options.snapshot_index, model->durable_index);
    fixture->options.snapshot_term = model->terms[fixture->options.snapshot_index];
    if (prng_range(&model->prng, 0, 1) == 0)
        log_drop(fixture->log, fixture->options.snapshot_index);
}

static void model_persist(struct model *model, struct log_fixture *fixture)
{
    log_fixture_persist(fixture);
    model->durable_index = model->last_index;
}

/* The recovered log is the acknowledged one and perhaps some of what came behind it. A truncation
 * that nothing followed was not written. */
static void model_check(struct model *model, struct log_fixture *fixture)
{
    uint64_t last = fixture->recovery.last_index;
    assert_true(last >= model->durable_index);
    assert_true(fixture->recovery.first_index <= fixture->options.snapshot_index + 1);
    for (uint64_t index = fixture->recovery.first_index; index <= last; index++) {
        uint64_t number = number_at(fixture, index);
        if (index <= model->durable_index)
            assert_int_equal(number, model->numbers[index]);
        struct log_record record;
        log_read(fixture->log, index, &record);
        model->numbers[index] = number;
        model->terms[index] = record.term;
    }
    model->last_index = last;
    model->durable_index = last;
    model->term++;
    if (fixture->recovery.is_suspect)
        settle(fixture);
}

/* What the table calls clean holds nothing, not even of what was never acknowledged. */
static void assert_clean_is_zero(const struct log_fixture *fixture)
{
    const uint8_t *data = medium_sim_persisted(fixture->sim, PATH);
    for (uint32_t slot = 0; slot < SEGMENTS; slot++) {
        uint64_t word = le64_load(data + TABLE_OFFSET + (size_t)slot * 8);
        uint64_t copy = le64_load(data + TABLE_OFFSET + 2048 + (size_t)slot * 8);
        const uint8_t *segment = data + 12288 + (size_t)slot * SEGMENT_BYTES;
        if (word == 0 || word >> 16 != 0 || word != copy)
            continue;
        for (uint32_t i = 0; i < SEGMENT_BYTES; i++)
            assert_int_equal(segment[i], 0);
    }
}

static void model_crash(struct model *model, struct log_fixture *fixture)
{
    medium_sim_lose_power(fixture->sim, PATH, (uint32_t)prng_range(&model->prng, 0, 1000000));
    assert_clean_is_zero(fixture);
    log_fixture_reopen(fixture);
    model_check(model, fixture);
}

static void model_step(struct model *model, struct log_fixture *fixture)
{
    uint64_t roll = prng_range(&model->prng, 0, 99);
    if (roll < 45) {
        model_append(model, fixture);
    } else if (roll < 65) {
        model_persist(model, fixture);
    } else if (roll < 85) {
        for (uint32_t i = 0; i < 4; i++)
            assert_int_equal(log_recycle(fixture->log, STEP_BYTES), OK);
    } else if (roll < 92) {
        model_snapshot(model, fixture);
    } else if (roll < 96) {
        model_truncate(model, fixture);
    } else {
        model_crash(model, fixture);
    }
}

static void test_rows_survive_power_losses(void **state)
{
    struct log_fixture *fixture = *state;
    uint64_t appended = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct model *model = calloc(1, sizeof(*model));
        log_close(fixture->log);
        medium_sim_remove(fixture->sim, PATH);
        fixture->options.snapshot_index = 0;
        fixture->options.snapshot_term = 0;
        assert_int_equal(log_fixture_open(fixture), OK);
        settle(fixture);
        prng_init(&model->prng, seed);
        model->term = 1;
        for (uint32_t i = 0; i < 2000; i++)
            model_step(model, fixture);
        appended += model->last_index;
        free(model);
    }
    /* Far more than the file has room for, or the row was never used again. */
    assert_true(appended > SEEDS * 2 * FILE_BYTES / 750);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, log_fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_segments_are_used_in_turn_until_the_kept_one),
        TEST(test_drop_makes_room_again_and_again),
        TEST(test_drop_keeps_what_is_later),
        TEST(test_suspect_log_stays_suspect_when_it_drops),
        TEST(test_truncation_across_segments_survives_a_drop),
        TEST(test_truncation_to_the_begin_names_no_place),
        TEST(test_reset_begins_behind_the_snapshot),
        TEST(test_open_begins_anew_where_the_snapshot_is_ahead),
        TEST(test_log_behind_a_kept_snapshot_is_unused),
        TEST(test_open_begins_anew_where_the_terms_differ),
        TEST(test_log_that_begins_behind_its_snapshot_is_suspect),
        TEST(test_word_of_the_table_is_repaired_from_its_copy),
        TEST(test_rows_survive_power_losses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
