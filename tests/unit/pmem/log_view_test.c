/*
 * A log that is read and not opened: the same log as its owner has, while the owner goes on, and
 * whatever of it is damaged. The log under test lies on the simulated medium.
 */
#include "pmem/log_view.h"

#include "base/crc32c.h"
#include "base/le.h"
#include "tests/sim/medium_sim.h"
#include "tests/sim/view_reader.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SEGMENT_BYTES  4096u
#define SEGMENTS       6u
#define TABLE_OFFSET   8192u
#define RECORDS_OFFSET (12u * 1024)
#define FILE_BYTES     (RECORDS_OFFSET + SEGMENTS * SEGMENT_BYTES)
#define PATH           "/media/one.log"
#define RECORD_BYTES   400u /* of payload */
#define ROOM_BYTES     448u /* of the record */
#define START          UINT64_C(0x1234567890000000)

static const struct log_identity owner = {.cluster_id = 7, .node = 2, .shard = 1};

struct fixture {
    struct medium_sim *sim;
    struct arena arena;
    struct log *log;
    struct log_recovery recovery;
    struct view_reader reader;
    struct log_view *view;
    struct view_findings findings;
    char note[VIEW_NOTE_BYTES];
    uint32_t stores;
};

static void open_log(struct fixture *fixture)
{
    const struct log_options options = {.path = PATH,
                                        .size_bytes = FILE_BYTES,
                                        .segment_size_bytes = SEGMENT_BYTES,
                                        .is_created = true,
                                        .birth = 77,
                                        .start = START,
                                        .identity = owner};
    if (fixture->arena.base != NULL)
        arena_deinit(&fixture->arena);
    assert_int_equal(arena_init(&fixture->arena, log_arena_bytes(FILE_BYTES)), OK);
    assert_int_equal(log_open(&options, &fixture->arena, &fixture->log, &fixture->recovery), OK);
    view_reader_init(&fixture->reader, log_medium(fixture->log));
}

static void reopen_log(struct fixture *fixture)
{
    log_close(fixture->log);
    open_log(fixture);
}

static void append(struct fixture *fixture, uint64_t term)
{
    uint8_t payload[RECORD_BYTES];
    uint64_t index = log_last_index(fixture->log) + 1;
    const struct log_record record = {
        .index = index, .term = term, .kind = 2, .payload = span_of(payload, sizeof(payload))};
    memset(payload, 0xab, sizeof(payload));
    le64_store(payload, index);
    assert_int_equal(log_append(fixture->log, &record), OK);
}

static void persist(struct fixture *fixture)
{
    uint64_t ticket;
    uint64_t index;
    (void)log_persist(fixture->log);
    assert_int_equal(log_persisted(fixture->log, &ticket, &index), OK);
}

static void append_many(struct fixture *fixture, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        append(fixture, 3);
        persist(fixture);
    }
}

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    const struct medium_sim_options options = {.seed = 5, .granularity = MEDIUM_CACHE_LINE};
    fixture->sim = medium_sim_create(&options);
    medium_sim_use(fixture->sim);
    open_log(fixture);
    *state = fixture;
    return 0;
}

static void close_view(struct fixture *fixture)
{
    if (fixture->view != NULL)
        log_view_close(fixture->view);
    fixture->view = NULL;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    close_view(fixture);
    log_close(fixture->log);
    arena_deinit(&fixture->arena);
    medium_sim_destroy(fixture->sim);
    free(fixture);
    return 0;
}

static enum error try_view(struct fixture *fixture, const struct log_identity *identity)
{
    const struct log_view_options options = {
        .path = PATH, .reader = &fixture->reader.reader, .identity = identity};
    close_view(fixture);
    enum error error = log_view_open(&options, &fixture->view, fixture->note);
    view_findings_init(&fixture->findings);
    if (error == OK)
        log_view_findings(fixture->view, &fixture->findings.sink);
    return error;
}

static const struct log_view_state *view(struct fixture *fixture)
{
    assert_int_equal(try_view(fixture, &owner), OK);
    return log_view_state(fixture->view);
}

static void flip(struct fixture *fixture, size_t offset)
{
    medium_sim_flip_bit(fixture->sim, PATH, offset, 3);
}

/* The records of the view are those of the log, up to `last_index`. */
static void assert_records(struct fixture *fixture, uint64_t first_index, uint64_t last_index)
{
    const struct log *log = log_view_log(fixture->view);
    assert_int_equal(log_first_index(log), first_index);
    assert_int_equal(log_last_index(log), last_index);
    for (uint64_t index = first_index; index <= last_index; index++) {
        struct log_record record;
        log_read(log, index, &record);
        assert_int_equal(record.index, index);
        assert_int_equal(record.payload.size_bytes, RECORD_BYTES);
        assert_int_equal(le64_load(record.payload.data), index);
    }
}

static uint32_t count_of(struct fixture *fixture, enum log_view_fate fate)
{
    struct log_view_walk walk = {0};
    struct log_view_place place;
    uint32_t count = 0;
    while (log_view_next(fixture->view, &walk, &place))
        count += place.fate == fate;
    return count;
}

static void test_log_view_has_the_log_of_its_owner(void **state)
{
    struct fixture *fixture = *state;
    append_many(fixture, 20);
    log_write_hard_state(fixture->log, 5, 88);
    log_write_commit_hint(fixture->log, 17);
    log_hear(fixture->log, 99, 4711);
    persist(fixture);
    const struct log_view_state *found = view(fixture);
    assert_records(fixture, 1, 20);
    assert_int_equal(found->birth, 77);
    assert_int_equal(found->term, 5);
    assert_int_equal(found->vote, 88);
    assert_int_equal(found->commit_index, 17);
    assert_int_equal(found->segment_count, SEGMENTS);
    assert_int_equal(found->start_count, 1);
    assert_int_equal(log_view_start(fixture->view, 0), log_start(fixture->log));
    assert_int_equal(log_view_start(fixture->view, 1), 0);
    const struct log_heard *heard = log_heard(log_view_log(fixture->view), 0);
    assert_int_equal(heard->start, 4711);
    uint64_t birth;
    assert_true(log_view_voted(fixture->view, 0, &birth));
    assert_int_equal(birth, 88);
    assert_int_equal(fixture->findings.count, 0);
    assert_int_equal(count_of(fixture, LOG_VIEW_TAKEN), 20);
}

static void count_store(void *context, const char *path)
{
    (void)path;
    ++*(uint32_t *)context;
}

static void test_log_view_stores_nothing(void **state)
{
    struct fixture *fixture = *state;
    append_many(fixture, 5);
    flip(fixture, RECORDS_OFFSET + 2 * ROOM_BYTES);
    flip(fixture, 4096);
    medium_sim_set_watch(fixture->sim, (struct medium_sim_watch){.before_store = count_store,
                                                                 .context = &fixture->stores});
    (void)view(fixture);
    assert_int_equal(fixture->stores, 0);
    medium_sim_set_watch(fixture->sim, (struct medium_sim_watch){0});
}

static void test_log_view_shows_what_was_superseded(void **state)
{
    struct fixture *fixture = *state;
    append_many(fixture, 5);
    log_truncate(fixture->log, 4);
    append(fixture, 4);
    persist(fixture);
    (void)view(fixture);
    assert_records(fixture, 1, 4);
    assert_int_equal(count_of(fixture, LOG_VIEW_SUPERSEDED), 2);
    assert_int_equal(fixture->findings.count, 0);
}

static void test_log_view_names_rot_and_shows_the_rest(void **state)
{
    struct fixture *fixture = *state;
    append_many(fixture, 6);
    flip(fixture, RECORDS_OFFSET + 2 * ROOM_BYTES + 100);
    const struct log_view_state *found = view(fixture);
    assert_records(fixture, 1, 2);
    assert_true(found->is_suspect);
    assert_int_equal(count_of(fixture, LOG_VIEW_UNLINKED), 3);
    assert_int_equal(view_findings_damage(&fixture->findings), 1);
    const struct finding *finding = view_findings_of(&fixture->findings, FINDING_DAMAGED);
    assert_non_null(finding);
    assert_int_equal(finding->offset, RECORDS_OFFSET + 2 * ROOM_BYTES);
    assert_int_equal(finding->size_bytes, ROOM_BYTES);
    assert_int_equal(finding->index, 3);
}

static void test_log_view_tells_a_torn_end_from_rot(void **state)
{
    struct fixture *fixture = *state;
    append_many(fixture, 3);
    flip(fixture, RECORDS_OFFSET + 2 * ROOM_BYTES + 100);
    (void)view(fixture);
    assert_records(fixture, 1, 2);
    const struct finding *finding = view_findings_of(&fixture->findings, FINDING_TORN);
    assert_non_null(finding);
    assert_int_equal(finding->offset, RECORDS_OFFSET + 2 * ROOM_BYTES);
    assert_null(view_findings_of(&fixture->findings, FINDING_DAMAGED));
}

static void test_log_view_needs_no_bytes_that_were_superseded(void **state)
{
    struct fixture *fixture = *state;
    append_many(fixture, 5);
    log_truncate(fixture->log, 4);
    append(fixture, 4);
    persist(fixture);
    flip(fixture, RECORDS_OFFSET + 4 * ROOM_BYTES + 100);
    (void)view(fixture);
    assert_records(fixture, 1, 4);
    assert_int_equal(view_findings_damage(&fixture->findings), 0);
    assert_non_null(view_findings_of(&fixture->findings, FINDING_LEFT_OVER));
}

static void test_log_view_takes_the_other_copy_of_header_and_state(void **state)
{
    struct fixture *fixture = *state;
    static const size_t offsets[] = {20, 2048 + 20, 4096 + 4, 4608 + 4};
    append_many(fixture, 3);
    log_write_hard_state(fixture->log, 5, 88);
    persist(fixture);
    for (size_t i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++) {
        flip(fixture, offsets[i]);
        const struct log_view_state *found = view(fixture);
        assert_records(fixture, 1, 3);
        assert_int_equal(found->birth, 77);
        assert_int_equal(found->term, 5);
        assert_int_equal(view_findings_damage(&fixture->findings), 1);
        assert_int_equal(fixture->findings.findings[0].offset, offsets[i] / 64 * 64);
        flip(fixture, offsets[i]);
    }
}

static void test_log_view_reads_on_without_a_header(void **state)
{
    struct fixture *fixture = *state;
    append_many(fixture, 3);
    flip(fixture, 20);
    flip(fixture, 2048 + 20);
    assert_int_equal(try_view(fixture, NULL), ERR_CHECKSUM);
    assert_non_null(strstr(fixture->note, PATH));
    assert_int_equal(try_view(fixture, &owner), OK);
    assert_true(log_view_state(fixture->view)->is_header_lost);
    assert_int_equal(log_view_state(fixture->view)->birth, 0);
    assert_int_equal(view_findings_damage(&fixture->findings) >= 2, 1);
}

static void test_log_view_reads_on_without_term_and_vote(void **state)
{
    struct fixture *fixture = *state;
    append_many(fixture, 3);
    log_write_hard_state(fixture->log, 5, 88);
    persist(fixture);
    flip(fixture, 4096 + 4);
    flip(fixture, 4608 + 4);
    const struct log_view_state *found = view(fixture);
    assert_true(found->is_hard_state_lost);
    assert_int_equal(found->term, 3); /* of the last record */
    assert_records(fixture, 1, 3);
    assert_int_equal(view_findings_damage(&fixture->findings), 2);
}

/* Goes round the ring. */
static void run_round(struct fixture *fixture)
{
    for (uint32_t i = 0; i < 90; i++) {
        append_many(fixture, 1);
        if (i % 8 == 7)
            log_drop(fixture->log, log_last_index(fixture->log) - 4);
        while (!log_is_recycled(fixture->log)) {
            assert_int_equal(log_recycle(fixture->log, SEGMENT_BYTES), OK);
            persist(fixture);
        }
    }
}

static void test_log_view_places_segments_without_their_words(void **state)
{
    struct fixture *fixture = *state;
    run_round(fixture);
    uint64_t first_index = log_first_index(fixture->log);
    uint64_t last_index = log_last_index(fixture->log);
    const struct log_view_state *whole = view(fixture);
    uint64_t row_current = whole->row_current;
    assert_true(row_current > SEGMENTS);
    for (uint32_t slot = 0; slot < SEGMENTS; slot++) {
        medium_sim_flip_bit(fixture->sim, PATH, TABLE_OFFSET + slot * 8, 0);
        medium_sim_flip_bit(fixture->sim, PATH, TABLE_OFFSET + 2048 + slot * 8, 0);
    }
    const struct log_view_state *found = view(fixture);
    assert_true(found->is_table_lost);
    assert_int_equal(found->row_current, row_current);
    assert_records(fixture, first_index, last_index);
    assert_int_equal(view_findings_damage(&fixture->findings), 2 * SEGMENTS);
}

static void test_log_view_tells_what_cannot_be_read(void **state)
{
    struct fixture *fixture = *state;
    append_many(fixture, 20); /* two segments and more */
    fixture->reader.bad_offset = RECORDS_OFFSET + SEGMENT_BYTES + 10;
    fixture->reader.bad_bytes = 1;
    (void)view(fixture);
    assert_records(fixture, 1, 9);
    const struct finding *finding = view_findings_of(&fixture->findings, FINDING_UNREADABLE);
    assert_non_null(finding);
    assert_int_equal(finding->offset, RECORDS_OFFSET + SEGMENT_BYTES);
    assert_int_equal(finding->size_bytes, 4096);
    assert_true(count_of(fixture, LOG_VIEW_UNLINKED) > 0);
}

static void test_log_view_tells_an_unreadable_table(void **state)
{
    struct fixture *fixture = *state;
    run_round(fixture);
    fixture->reader.bad_offset = TABLE_OFFSET;
    fixture->reader.bad_bytes = 4096;
    const struct log_view_state *found = view(fixture);
    assert_true(found->is_table_lost);
    assert_records(fixture, log_first_index(fixture->log), log_last_index(fixture->log));
    assert_non_null(view_findings_of(&fixture->findings, FINDING_UNREADABLE));
}

static void test_log_view_tells_what_was_cut_off(void **state)
{
    struct fixture *fixture = *state;
    append_many(fixture, 20);
    view_reader_cut(&fixture->reader, RECORDS_OFFSET + SEGMENT_BYTES + 100);
    (void)view(fixture);
    assert_records(fixture, 1, 9);
    const struct finding *finding = view_findings_of(&fixture->findings, FINDING_CUT_OFF);
    assert_non_null(finding);
    assert_int_equal(finding->offset, RECORDS_OFFSET + SEGMENT_BYTES + 100);
    assert_int_equal(finding->offset + finding->size_bytes, FILE_BYTES);
    view_reader_cut(&fixture->reader, 63);
    assert_int_equal(try_view(fixture, &owner), ERR_SHORT);
}

static void test_log_view_refuses_another_version_and_names_both(void **state)
{
    struct fixture *fixture = *state;
    uint8_t header[64];
    memcpy(header, medium_data(log_medium(fixture->log)), sizeof(header));
    le32_store(header + 8, 9);
    le32_store(header + 12, 0);
    le32_store(header + 12, crc32c_around(header, sizeof(header), 12));
    medium_write(log_medium(fixture->log), 0, header, sizeof(header));
    assert_int_equal(try_view(fixture, &owner), ERR_VERSION);
    assert_non_null(strstr(fixture->note, "version 9"));
    assert_non_null(strstr(fixture->note, "knows 2"));
}

static void test_log_view_refuses_the_file_of_somebody_else(void **state)
{
    struct fixture *fixture = *state;
    const struct log_identity others[] = {{8, 2, 1}, {7, 3, 1}, {7, 2, 2}};
    static const enum error errors[] = {ERR_CLUSTER, ERR_NODE, ERR_SHARD};
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(try_view(fixture, &others[i]), errors[i]);
    assert_int_equal(try_view(fixture, NULL), OK);
    assert_int_equal(log_view_state(fixture->view)->identity.node, 2);
}

static void test_log_view_refuses_what_is_no_log(void **state)
{
    struct fixture *fixture = *state;
    flip(fixture, 0);
    flip(fixture, 2048);
    assert_int_equal(try_view(fixture, NULL), ERR_MAGIC);
}

/* The node goes on between any two reads. */
static void go_on(void *context)
{
    struct fixture *fixture = context;
    if (fixture->reader.reads % 2 == 0 && log_append_room_bytes(fixture->log) >= ROOM_BYTES)
        append_many(fixture, 1);
}

static void test_log_view_of_a_node_that_appends_is_an_earlier_log(void **state)
{
    struct fixture *fixture = *state;
    append_many(fixture, 10);
    fixture->reader.before_read = go_on;
    fixture->reader.context = fixture;
    const struct log_view_state *found = view(fixture);
    assert_true(found->last_index >= 10);
    assert_records(fixture, 1, found->last_index);
    assert_int_equal(view_findings_damage(&fixture->findings), 0);
}

/* Appends, drops and wipes, so that what is being read goes away; for a while. */
static void go_round(void *context)
{
    struct fixture *fixture = context;
    if (fixture->reader.reads < 6)
        run_round(fixture);
}

static void test_log_view_reads_again_what_was_dropped_meanwhile(void **state)
{
    struct fixture *fixture = *state;
    append_many(fixture, 10);
    fixture->reader.before_read = go_round;
    fixture->reader.context = fixture;
    const struct log_view_state *found = view(fixture);
    assert_false(found->is_changing);
    assert_int_equal(found->last_index, log_last_index(fixture->log));
    assert_records(fixture, log_first_index(fixture->log), found->last_index);
    assert_int_equal(view_findings_damage(&fixture->findings), 0);
}

static void go_round_for_ever(void *context)
{
    run_round(context);
}

static void test_log_view_says_that_it_could_not_keep_up(void **state)
{
    struct fixture *fixture = *state;
    append_many(fixture, 10);
    fixture->reader.before_read = go_round_for_ever;
    fixture->reader.context = fixture;
    assert_true(view(fixture)->is_changing);
    assert_non_null(view_findings_of(&fixture->findings, FINDING_CHANGING));
    fixture->reader.before_read = NULL;
}

static void test_log_view_is_of_a_file_without_records(void **state)
{
    struct fixture *fixture = *state;
    const struct log_view_state *found = view(fixture);
    assert_int_equal(found->first_index, 1);
    assert_int_equal(found->last_index, 0);
    assert_int_equal(fixture->findings.count, 0);
    struct log_view_segment segment;
    uint32_t in_row = 0;
    for (uint32_t slot = 0; log_view_segment(fixture->view, slot, &segment); slot++)
        in_row += segment.state == LOG_VIEW_ROW;
    assert_int_equal(in_row, 3); /* one to append to, two made ready */
}

static void test_log_view_knows_a_storage_that_was_set_back(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(view(fixture)->ended, LOG_END_NONE);
    log_end(fixture->log, LOG_END_SET_BACK);
    persist(fixture);
    assert_int_equal(view(fixture)->ended, LOG_END_SET_BACK);
    reopen_log(fixture);
    assert_int_equal(view(fixture)->start_count, 2);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_log_view_has_the_log_of_its_owner),
        TEST(test_log_view_stores_nothing),
        TEST(test_log_view_shows_what_was_superseded),
        TEST(test_log_view_names_rot_and_shows_the_rest),
        TEST(test_log_view_tells_a_torn_end_from_rot),
        TEST(test_log_view_needs_no_bytes_that_were_superseded),
        TEST(test_log_view_takes_the_other_copy_of_header_and_state),
        TEST(test_log_view_reads_on_without_a_header),
        TEST(test_log_view_reads_on_without_term_and_vote),
        TEST(test_log_view_places_segments_without_their_words),
        TEST(test_log_view_tells_what_cannot_be_read),
        TEST(test_log_view_tells_an_unreadable_table),
        TEST(test_log_view_tells_what_was_cut_off),
        TEST(test_log_view_refuses_another_version_and_names_both),
        TEST(test_log_view_refuses_the_file_of_somebody_else),
        TEST(test_log_view_refuses_what_is_no_log),
        TEST(test_log_view_of_a_node_that_appends_is_an_earlier_log),
        TEST(test_log_view_reads_again_what_was_dropped_meanwhile),
        TEST(test_log_view_says_that_it_could_not_keep_up),
        TEST(test_log_view_is_of_a_file_without_records),
        TEST(test_log_view_knows_a_storage_that_was_set_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
