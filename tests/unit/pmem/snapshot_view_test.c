/* A snapshot file that is read and not opened: its blocks, damage, a node that writes over it. */
#include "pmem/snapshot_view.h"

#include "base/crc32c.h"
#include "base/le.h"
#include "tests/sim/snapshot_model.h"
#include "tests/sim/view_reader.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define COMPLETION_OFFSET 4096u

struct fixture {
    struct medium_sim *sim;
    struct snapshot_subject subject;
    struct medium *medium;
    struct view_reader reader;
    struct snapshot_view view;
    char note[VIEW_NOTE_BYTES];
    uint8_t block[SNAPSHOT_BLOCK_BYTES];
};

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    const struct medium_sim_options options = {
        .seed = 5, .granularity = MEDIUM_PAGE, .sync_delay_min_ns = 100, .sync_delay_max_ns = 100};
    fixture->sim = medium_sim_create(&options);
    medium_sim_use(fixture->sim);
    snapshot_subject_init(&fixture->subject, fixture->sim);
    *state = fixture;
    if (snapshot_subject_open(&fixture->subject) != OK)
        return -1;
    struct snapshots_progress progress =
        snapshot_subject_write(&fixture->subject, 1, SNAPSHOT_MODEL_BYTES);
    snapshot_subject_close(&fixture->subject);
    const struct medium_options medium = {.path = SNAPSHOT_MODEL_FILE_0};
    enum error error = medium_open(&medium, &fixture->medium, fixture->note, sizeof(fixture->note));
    if (error == OK)
        view_reader_init(&fixture->reader, fixture->medium);
    return progress.state == SNAPSHOTS_GOOD && error == OK ? 0 : -1;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    medium_close(fixture->medium);
    snapshot_subject_deinit(&fixture->subject);
    medium_sim_destroy(fixture->sim);
    free(fixture);
    return 0;
}

static enum error try_view(struct fixture *fixture, const struct log_identity *identity)
{
    return snapshot_view_open(SNAPSHOT_MODEL_FILE_0, &fixture->reader.reader, identity,
                              &fixture->view, fixture->note);
}

static void view(struct fixture *fixture)
{
    assert_int_equal(try_view(fixture, &fixture->subject.options.identity), OK);
}

static void flip(struct fixture *fixture, size_t offset)
{
    uint8_t byte = (uint8_t)(medium_data(fixture->medium)[offset] ^ 4);
    medium_write(fixture->medium, offset, &byte, 1);
}

static enum error read_block(struct fixture *fixture, uint32_t number)
{
    struct span raw;
    uint32_t stored_bytes;
    return snapshot_view_block(&fixture->view, number, fixture->block, &raw, &stored_bytes);
}

static void test_snapshot_view_has_every_byte(void **state)
{
    struct fixture *fixture = *state;
    uint64_t offset = 0;
    uint32_t crc = 0;
    view(fixture);
    assert_true(fixture->view.is_complete);
    assert_int_equal(fixture->view.info.label.index, 100);
    assert_int_equal(fixture->view.info.block_count, SNAPSHOT_MODEL_BLOCKS);
    for (uint32_t number = 0; number < SNAPSHOT_MODEL_BLOCKS; number++) {
        struct span raw;
        uint32_t stored_bytes;
        assert_int_equal(
            snapshot_view_block(&fixture->view, number, fixture->block, &raw, &stored_bytes), OK);
        assert_true(stored_bytes > 0 && stored_bytes <= raw.size_bytes);
        for (size_t i = 0; i < raw.size_bytes; i++)
            assert_int_equal(raw.data[i],
                             snapshot_model_byte(fixture->view.info.label.id, offset + i));
        offset += raw.size_bytes;
        crc = snapshot_view_crc(crc, raw);
    }
    assert_int_equal(offset, SNAPSHOT_MODEL_BYTES);
    assert_true(snapshot_view_is_whole(&fixture->view, crc));
    assert_false(snapshot_view_is_whole(&fixture->view, crc + 1));
    assert_int_equal(read_block(fixture, SNAPSHOT_MODEL_BLOCKS), ERR_RANGE);
    struct view_findings findings;
    view_findings_init(&findings);
    snapshot_view_findings(&fixture->view, &findings.sink);
    assert_int_equal(findings.count, 0);
}

static void test_snapshot_view_names_a_rotten_block(void **state)
{
    struct fixture *fixture = *state;
    view(fixture);
    flip(fixture, snapshot_view_offset(1) + 100);
    assert_int_equal(read_block(fixture, 0), OK);
    assert_int_equal(read_block(fixture, 1), ERR_CHECKSUM);
    assert_int_equal(read_block(fixture, 2), OK);
}

static void test_snapshot_view_names_what_cannot_be_read(void **state)
{
    struct fixture *fixture = *state;
    view(fixture);
    fixture->reader.bad_offset = snapshot_view_offset(1) + 100;
    fixture->reader.bad_bytes = 1;
    assert_int_equal(read_block(fixture, 0), OK);
    assert_int_equal(read_block(fixture, 1), ERR_IO);
    fixture->reader.bad_bytes = 0;
    view_reader_cut(&fixture->reader, (size_t)snapshot_view_offset(1) + 100);
    assert_int_equal(read_block(fixture, 1), ERR_SHORT);
    struct view_findings findings;
    view_findings_init(&findings);
    view(fixture);
    snapshot_view_findings(&fixture->view, &findings.sink);
    assert_non_null(view_findings_of(&findings, FINDING_CUT_OFF));
    fixture->reader.bad_bytes = 1;
    fixture->reader.bad_offset = 0;
    assert_int_equal(try_view(fixture, NULL), ERR_IO);
    view_reader_cut(&fixture->reader, 10);
    fixture->reader.bad_bytes = 0;
    assert_int_equal(try_view(fixture, NULL), ERR_SHORT);
}

static void test_snapshot_view_sees_that_another_one_is_written(void **state)
{
    struct fixture *fixture = *state;
    static const uint8_t zeros[64];
    view(fixture);
    medium_write(fixture->medium, COMPLETION_OFFSET, zeros, sizeof(zeros));
    flip(fixture, snapshot_view_offset(1) + 100);
    assert_int_equal(read_block(fixture, 0), OK);
    assert_int_equal(read_block(fixture, 1), ERR_NOT_YET);
    view(fixture);
    assert_false(fixture->view.is_complete);
    assert_false(fixture->view.is_completion_torn);
    assert_int_equal(read_block(fixture, 0), ERR_RANGE);
}

static void test_snapshot_view_takes_the_other_header(void **state)
{
    struct fixture *fixture = *state;
    struct view_findings findings;
    flip(fixture, 20);
    view(fixture);
    view_findings_init(&findings);
    snapshot_view_findings(&fixture->view, &findings.sink);
    assert_int_equal(findings.count, 1);
    assert_int_equal(findings.findings[0].offset, 0);
    assert_int_equal(read_block(fixture, 0), OK);
    flip(fixture, 2048 + 20);
    assert_int_equal(try_view(fixture, NULL), ERR_CHECKSUM);
    view(fixture);
    assert_true(fixture->view.is_header_lost);
    assert_int_equal(read_block(fixture, 0), OK);
}

static void test_snapshot_view_names_a_torn_completion_record(void **state)
{
    struct fixture *fixture = *state;
    struct view_findings findings;
    flip(fixture, COMPLETION_OFFSET + 9);
    view(fixture);
    assert_false(fixture->view.is_complete);
    view_findings_init(&findings);
    snapshot_view_findings(&fixture->view, &findings.sink);
    assert_int_equal(view_findings_damage(&findings), 1);
    assert_int_equal(findings.findings[0].offset, COMPLETION_OFFSET);
}

static void test_snapshot_view_refuses_another_version_or_owner(void **state)
{
    struct fixture *fixture = *state;
    struct log_identity other = fixture->subject.options.identity;
    uint8_t header[64];
    other.shard++;
    assert_int_equal(try_view(fixture, &other), ERR_SHARD);
    other = fixture->subject.options.identity;
    other.node++;
    assert_int_equal(try_view(fixture, &other), ERR_NODE);
    other = fixture->subject.options.identity;
    other.cluster_id++;
    assert_int_equal(try_view(fixture, &other), ERR_CLUSTER);
    memcpy(header, medium_data(fixture->medium), sizeof(header));
    le32_store(header + 8, 9);
    le32_store(header + 12, crc32c_around(header, sizeof(header), 12));
    medium_write(fixture->medium, 0, header, sizeof(header));
    assert_int_equal(try_view(fixture, NULL), ERR_VERSION);
    assert_non_null(strstr(fixture->note, "version 9"));
    assert_non_null(strstr(fixture->note, "knows 1"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_snapshot_view_has_every_byte),
        TEST(test_snapshot_view_names_a_rotten_block),
        TEST(test_snapshot_view_names_what_cannot_be_read),
        TEST(test_snapshot_view_sees_that_another_one_is_written),
        TEST(test_snapshot_view_takes_the_other_header),
        TEST(test_snapshot_view_names_a_torn_completion_record),
        TEST(test_snapshot_view_refuses_another_version_or_owner),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
