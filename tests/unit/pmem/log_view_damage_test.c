/*
 * A log that is read and not opened, and damaged, unreadable, cut off, or somebody else's: each
 * such place is told, and the rest is read.
 */
#include "base/crc32c.h"
#include "base/le.h"
#include "tests/unit/pmem/log_view_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void test_log_view_names_rot_and_shows_the_rest(void **state)
{
    struct log_view_fixture *fixture = *state;
    log_view_fixture_append_many(fixture, 6);
    log_view_fixture_flip(fixture, LOG_VIEW_FIXTURE_RECORDS + 2 * LOG_VIEW_FIXTURE_ROOM + 100);
    const struct log_view_state *found = log_view_fixture_view(fixture);
    log_view_fixture_expect(fixture, 1, 2);
    assert_true(found->is_suspect);
    assert_int_equal(log_view_fixture_count(fixture, LOG_VIEW_UNLINKED), 3);
    assert_int_equal(view_findings_damage(&fixture->findings), 1);
    const struct finding *finding = view_findings_of(&fixture->findings, FINDING_DAMAGED);
    assert_non_null(finding);
    assert_int_equal(finding->offset, LOG_VIEW_FIXTURE_RECORDS + 2 * LOG_VIEW_FIXTURE_ROOM);
    assert_int_equal(finding->size_bytes, LOG_VIEW_FIXTURE_ROOM);
    assert_int_equal(finding->index, 3);
}

static void test_log_view_tells_a_torn_end_from_rot(void **state)
{
    struct log_view_fixture *fixture = *state;
    log_view_fixture_append_many(fixture, 3);
    log_view_fixture_flip(fixture, LOG_VIEW_FIXTURE_RECORDS + 2 * LOG_VIEW_FIXTURE_ROOM + 100);
    (void)log_view_fixture_view(fixture);
    log_view_fixture_expect(fixture, 1, 2);
    const struct finding *finding = view_findings_of(&fixture->findings, FINDING_TORN);
    assert_non_null(finding);
    assert_int_equal(finding->offset, LOG_VIEW_FIXTURE_RECORDS + 2 * LOG_VIEW_FIXTURE_ROOM);
    assert_null(view_findings_of(&fixture->findings, FINDING_DAMAGED));
}

static void test_log_view_needs_no_bytes_that_were_superseded(void **state)
{
    struct log_view_fixture *fixture = *state;
    log_view_fixture_append_many(fixture, 5);
    log_truncate(fixture->log, 4);
    log_view_fixture_append(fixture, 4);
    log_view_fixture_persist(fixture);
    log_view_fixture_flip(fixture, LOG_VIEW_FIXTURE_RECORDS + 4 * LOG_VIEW_FIXTURE_ROOM + 100);
    (void)log_view_fixture_view(fixture);
    log_view_fixture_expect(fixture, 1, 4);
    assert_int_equal(view_findings_damage(&fixture->findings), 0);
    assert_non_null(view_findings_of(&fixture->findings, FINDING_LEFT_OVER));
}

static void test_log_view_takes_the_other_copy_of_header_and_state(void **state)
{
    struct log_view_fixture *fixture = *state;
    static const size_t offsets[] = {20, 2048 + 20, 4096 + 4, 4608 + 4};
    log_view_fixture_append_many(fixture, 3);
    log_write_hard_state(fixture->log, 5, 88);
    log_view_fixture_persist(fixture);
    for (size_t i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++) {
        log_view_fixture_flip(fixture, offsets[i]);
        const struct log_view_state *found = log_view_fixture_view(fixture);
        log_view_fixture_expect(fixture, 1, 3);
        assert_int_equal(found->birth, 77);
        assert_int_equal(found->term, 5);
        assert_int_equal(view_findings_damage(&fixture->findings), 1);
        assert_int_equal(fixture->findings.findings[0].offset, offsets[i] / 64 * 64);
        log_view_fixture_flip(fixture, offsets[i]);
    }
}

static void test_log_view_reads_on_without_a_header(void **state)
{
    struct log_view_fixture *fixture = *state;
    log_view_fixture_append_many(fixture, 3);
    log_view_fixture_flip(fixture, 20);
    log_view_fixture_flip(fixture, 2048 + 20);
    assert_int_equal(log_view_fixture_try(fixture, NULL), ERR_CHECKSUM);
    assert_non_null(strstr(fixture->note, LOG_VIEW_FIXTURE_PATH));
    assert_int_equal(log_view_fixture_try(fixture, &log_view_fixture_owner), OK);
    assert_true(log_view_state(fixture->view)->is_header_lost);
    assert_int_equal(log_view_state(fixture->view)->birth, 0);
    assert_int_equal(view_findings_damage(&fixture->findings) >= 2, 1);
}

static void test_log_view_reads_on_without_term_and_vote(void **state)
{
    struct log_view_fixture *fixture = *state;
    log_view_fixture_append_many(fixture, 3);
    log_write_hard_state(fixture->log, 5, 88);
    log_view_fixture_persist(fixture);
    log_view_fixture_flip(fixture, 4096 + 4);
    log_view_fixture_flip(fixture, 4608 + 4);
    const struct log_view_state *found = log_view_fixture_view(fixture);
    assert_true(found->is_hard_state_lost);
    assert_int_equal(found->term, 3); /* of the last record */
    log_view_fixture_expect(fixture, 1, 3);
    assert_int_equal(view_findings_damage(&fixture->findings), 2);
}

static void test_log_view_places_segments_without_their_words(void **state)
{
    struct log_view_fixture *fixture = *state;
    log_view_fixture_run_round(fixture);
    uint64_t first_index = log_first_index(fixture->log);
    uint64_t last_index = log_last_index(fixture->log);
    const struct log_view_state *whole = log_view_fixture_view(fixture);
    uint64_t row_current = whole->row_current;
    assert_true(row_current > LOG_VIEW_FIXTURE_SEGMENTS);
    for (uint32_t slot = 0; slot < LOG_VIEW_FIXTURE_SEGMENTS; slot++) {
        medium_sim_flip_bit(fixture->sim, LOG_VIEW_FIXTURE_PATH, LOG_VIEW_FIXTURE_TABLE + slot * 8,
                            0);
        medium_sim_flip_bit(fixture->sim, LOG_VIEW_FIXTURE_PATH,
                            LOG_VIEW_FIXTURE_TABLE + 2048 + slot * 8, 0);
    }
    const struct log_view_state *found = log_view_fixture_view(fixture);
    assert_true(found->is_table_lost);
    assert_int_equal(found->row_current, row_current);
    log_view_fixture_expect(fixture, first_index, last_index);
    assert_int_equal(view_findings_damage(&fixture->findings), 2 * LOG_VIEW_FIXTURE_SEGMENTS);
}

static void test_log_view_tells_what_cannot_be_read(void **state)
{
    struct log_view_fixture *fixture = *state;
    log_view_fixture_append_many(fixture, 20); /* two segments and more */
    fixture->reader.bad_offset = LOG_VIEW_FIXTURE_RECORDS + LOG_VIEW_FIXTURE_SEGMENT + 10;
    fixture->reader.bad_bytes = 1;
    (void)log_view_fixture_view(fixture);
    log_view_fixture_expect(fixture, 1, 9);
    const struct finding *finding = view_findings_of(&fixture->findings, FINDING_UNREADABLE);
    assert_non_null(finding);
    assert_int_equal(finding->offset, LOG_VIEW_FIXTURE_RECORDS + LOG_VIEW_FIXTURE_SEGMENT);
    assert_int_equal(finding->size_bytes, 4096);
    assert_true(log_view_fixture_count(fixture, LOG_VIEW_UNLINKED) > 0);
}

static void test_log_view_tells_an_unreadable_table(void **state)
{
    struct log_view_fixture *fixture = *state;
    log_view_fixture_run_round(fixture);
    fixture->reader.bad_offset = LOG_VIEW_FIXTURE_TABLE;
    fixture->reader.bad_bytes = 4096;
    const struct log_view_state *found = log_view_fixture_view(fixture);
    assert_true(found->is_table_lost);
    log_view_fixture_expect(fixture, log_first_index(fixture->log), log_last_index(fixture->log));
    assert_non_null(view_findings_of(&fixture->findings, FINDING_UNREADABLE));
}

static void test_log_view_tells_what_was_cut_off(void **state)
{
    struct log_view_fixture *fixture = *state;
    log_view_fixture_append_many(fixture, 20);
    view_reader_cut(&fixture->reader, LOG_VIEW_FIXTURE_RECORDS + LOG_VIEW_FIXTURE_SEGMENT + 100);
    (void)log_view_fixture_view(fixture);
    log_view_fixture_expect(fixture, 1, 9);
    const struct finding *finding = view_findings_of(&fixture->findings, FINDING_CUT_OFF);
    assert_non_null(finding);
    assert_int_equal(finding->offset, LOG_VIEW_FIXTURE_RECORDS + LOG_VIEW_FIXTURE_SEGMENT + 100);
    assert_int_equal(finding->offset + finding->size_bytes, LOG_VIEW_FIXTURE_BYTES);
    view_reader_cut(&fixture->reader, 63);
    assert_int_equal(log_view_fixture_try(fixture, &log_view_fixture_owner), ERR_SHORT);
}

static void test_log_view_refuses_another_version_and_names_both(void **state)
{
    struct log_view_fixture *fixture = *state;
    uint8_t header[64];
    memcpy(header, medium_data(log_medium(fixture->log)), sizeof(header));
    le32_store(header + 8, 9);
    le32_store(header + 12, 0);
    le32_store(header + 12, crc32c_around(header, sizeof(header), 12));
    medium_write(log_medium(fixture->log), 0, header, sizeof(header));
    assert_int_equal(log_view_fixture_try(fixture, &log_view_fixture_owner), ERR_VERSION);
    assert_non_null(strstr(fixture->note, "version 9"));
    assert_non_null(strstr(fixture->note, "knows 2"));
}

static void test_log_view_refuses_the_file_of_somebody_else(void **state)
{
    struct log_view_fixture *fixture = *state;
    const struct log_identity others[] = {{8, 2, 1}, {7, 3, 1}, {7, 2, 2}};
    static const enum error errors[] = {ERR_CLUSTER, ERR_NODE, ERR_SHARD};
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(log_view_fixture_try(fixture, &others[i]), errors[i]);
    assert_int_equal(log_view_fixture_try(fixture, NULL), OK);
    assert_int_equal(log_view_state(fixture->view)->identity.node, 2);
}

static void test_log_view_refuses_what_is_no_log(void **state)
{
    struct log_view_fixture *fixture = *state;
    log_view_fixture_flip(fixture, 0);
    log_view_fixture_flip(fixture, 2048);
    assert_int_equal(log_view_fixture_try(fixture, NULL), ERR_MAGIC);
}

int main(void)
{
#define TEST(name)                                                                                 \
    cmocka_unit_test_setup_teardown(name, log_view_fixture_setup, log_view_fixture_teardown)
    const struct CMUnitTest tests[] = {
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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
