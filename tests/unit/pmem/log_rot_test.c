/* Records that rot, or whose page is gone, while the log is open. */
#include "tests/unit/pmem/log_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define FILE_BYTES    (256u * 1024)
#define PATH          LOG_FIXTURE_PATH
#define RECORD_OFFSET 8192u
#define RECORD_BYTES  128u /* of the records here: two lines each */
#define FOUND_COUNT   40u  /* records that the opening finds: more than a page of them */

static void append(struct log_fixture *fixture, uint32_t count)
{
    uint8_t payload[RECORD_BYTES - 60];
    memset(payload, 'x', sizeof(payload));
    for (uint32_t i = 0; i < count; i++) {
        const struct log_record record = {.index = log_last_index(fixture->log) + 1,
                                          .term = 1,
                                          .kind = 2,
                                          .payload = span_of(payload, sizeof(payload))};
        assert_int_equal(log_append(fixture->log, &record), OK);
    }
    log_persist(fixture->log);
    assert_int_equal(medium_persist_wait(log_medium(fixture->log)), OK);
}

static int setup(void **state)
{
    const struct medium_sim_options options = {.seed = 5, .granularity = MEDIUM_PAGE};
    struct log_fixture *fixture = log_fixture_new(&options, FILE_BYTES, 0);
    assert_int_equal(log_fixture_open(fixture), OK);
    append(fixture, FOUND_COUNT);
    log_fixture_reopen(fixture);
    *state = fixture;
    return 0;
}

static size_t offset_of(uint64_t index)
{
    return RECORD_OFFSET + (size_t)(index - 1) * RECORD_BYTES;
}

static void test_log_tells_which_record_has_rotted(void **state)
{
    struct log_fixture *fixture = *state;
    for (size_t byte = 0; byte < RECORD_BYTES - 12; byte++) {
        assert_int_equal(log_offset_of(fixture->log, 7), offset_of(7));
        medium_sim_flip_bit(fixture->sim, PATH, offset_of(7) + byte, 4);
        assert_false(log_is_whole(fixture->log, 7));
        assert_true(log_is_whole(fixture->log, 6));
        assert_true(log_is_whole(fixture->log, 8));
        medium_sim_flip_bit(fixture->sim, PATH, offset_of(7) + byte, 4);
        assert_true(log_is_whole(fixture->log, 7));
    }
}

/* Also of those that were written a moment ago. */
static void test_log_tells_which_record_has_no_page(void **state)
{
    struct log_fixture *fixture = *state;
    size_t offset;
    append(fixture, 100);
    assert_true(log_is_whole(fixture->log, 100));
    assert_false(medium_is_unreadable(log_medium(fixture->log), &offset));
    medium_sim_spoil_page(fixture->sim, PATH, offset_of(100));
    assert_false(log_is_whole(fixture->log, 100));
    assert_true(log_is_whole(fixture->log, 100 + 4096 / RECORD_BYTES));
    assert_true(medium_is_unreadable(log_medium(fixture->log), &offset));
    uint64_t ticket;
    uint64_t index;
    assert_int_equal(log_persisted(fixture->log, &ticket, &index), ERR_IO);
}

/* What is long behind the end may have been out of memory. */
static void test_log_compares_again_what_was_written_long_ago(void **state)
{
    struct log_fixture *fixture = *state;
    append(fixture, 400);
    medium_sim_flip_bit(fixture->sim, PATH, offset_of(50) + 60, 1);
    assert_false(log_is_whole(fixture->log, 50));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, log_fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_log_tells_which_record_has_rotted),
        TEST(test_log_tells_which_record_has_no_page),
        TEST(test_log_compares_again_what_was_written_long_ago),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
