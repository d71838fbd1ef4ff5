/* What a log of segments promises to have room for, and where its records lie in the row. */
#include "tests/unit/pmem/log_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SEGMENT_BYTES 4096u
#define SEGMENTS      6u
#define FILE_BYTES    (12u * 1024 + SEGMENTS * SEGMENT_BYTES)

static int setup(void **state)
{
    const struct medium_sim_options medium = {.seed = 5, .granularity = MEDIUM_PAGE};
    struct log_fixture *fixture = log_fixture_new(&medium, FILE_BYTES, SEGMENT_BYTES);
    assert_int_equal(log_fixture_open(fixture), OK);
    *state = fixture;
    return 0;
}

static enum error try_append(struct log_fixture *fixture, size_t size_bytes)
{
    static const uint8_t payload[2048] = {1};
    const struct log_record record = {.index = log_last_index(fixture->log) + 1,
                                      .term = 1,
                                      .kind = 1,
                                      .payload = span_of(payload, size_bytes)};
    enum error error = log_append(fixture->log, &record);
    log_fixture_persist(fixture);
    return error;
}

static void fill(struct log_fixture *fixture)
{
    log_fixture_persist(fixture);
    while (try_append(fixture, 400) == OK) {
    }
}

/* Drops what lies before the current segment, and wipes it. */
static void recycle(struct log_fixture *fixture)
{
    log_drop(fixture->log, log_last_index(fixture->log));
    for (uint32_t i = 0; !log_is_recycled(fixture->log); i++) {
        assert_true(i < 1000);
        assert_int_equal(log_recycle(fixture->log, 1024), OK);
        log_fixture_persist(fixture);
    }
    log_fixture_persist(fixture);
}

/* What is promised fits, however its records cut the segments; what is kept is there afterwards. */
static void test_log_room_is_there_for_records_of_any_size(void **state)
{
    struct log_fixture *fixture = *state;
    static const size_t payloads[] = {16, 400, 1300, 1900};
    uint64_t filled = 1;
    for (uint32_t round = 0; round < 60; round++, filled = filled % 37 + 1) {
        recycle(fixture);
        for (uint64_t i = 0; i < filled; i++)
            (void)try_append(fixture, 400);
        size_t room_bytes = log_sure_room_bytes(fixture->log, 1024);
        assert_true(room_bytes + 1024 <= log_room_bytes(fixture->log));
        size_t payload = payloads[round % 4];
        for (; room_bytes >= log_record_room_bytes(payload);
             room_bytes -= log_record_room_bytes(payload)) {
            assert_int_equal(try_append(fixture, payload), OK);
        }
        assert_true(log_room_bytes(fixture->log) >= 1024);
    }
    fill(fixture);
    assert_int_equal(log_sure_room_bytes(fixture->log, 1024), 0);
}

static void test_log_room_knows_the_bytes_between_two_records(void **state)
{
    struct log_fixture *fixture = *state;
    fill(fixture);
    uint64_t first = log_position_behind(fixture->log, 1);
    for (uint64_t index = 2; index <= log_last_index(fixture->log); index++) {
        /* Nine records a segment, whose end loses the rest of it. */
        uint64_t lost = (index - 1) / 9 * (SEGMENT_BYTES - 9 * 448);
        if (index % 9 == 0 && index < log_last_index(fixture->log))
            lost += SEGMENT_BYTES - 9 * 448; /* up to the begin of the next one */
        assert_true(log_position_behind(fixture->log, index) == first + (index - 1) * 448 + lost);
    }
    uint64_t last = log_last_index(fixture->log);
    uint64_t position = log_position_behind(fixture->log, last);
    log_drop(fixture->log, 9);
    assert_true(log_position_behind(fixture->log, 9) == first - 448 + SEGMENT_BYTES);
    recycle(fixture);
    assert_int_equal(try_append(fixture, 400), OK);
    assert_true(log_position_behind(fixture->log, last + 1) >= position + 448); /* rises for ever */
}

/* Whoever has a full log appends nothing that would make the wiped segments ready on the way. */
static void test_log_room_becomes_ready_without_an_append(void **state)
{
    struct log_fixture *fixture = *state;
    fill(fixture);
    assert_int_equal(log_reset(fixture->log, log_last_index(fixture->log)), OK);
    fill(fixture); /* the segment that is kept for this: the others are not wiped yet */
    for (uint32_t i = 0; !log_is_recycled(fixture->log); i++) {
        uint64_t ticket;
        uint64_t index;
        assert_true(i < 1000);
        assert_int_equal(log_recycle(fixture->log, 1024), OK);
        assert_int_equal(medium_persist_wait(log_medium(fixture->log)), OK);
        assert_int_equal(log_persisted(fixture->log, &ticket, &index), OK);
    }
    assert_int_equal(try_append(fixture, 400), OK);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, log_fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_log_room_is_there_for_records_of_any_size),
        TEST(test_log_room_knows_the_bytes_between_two_records),
        TEST(test_log_room_becomes_ready_without_an_append),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
