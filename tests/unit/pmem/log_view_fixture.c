/* See log_view_fixture.h. */
#include "tests/unit/pmem/log_view_fixture.h"

#include "base/le.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define START UINT64_C(0x1234567890000000)

const struct log_identity log_view_fixture_owner = {.cluster_id = 7, .node = 2, .shard = 1};

void log_view_fixture_open(struct log_view_fixture *fixture)
{
    const struct log_options options = {.path = LOG_VIEW_FIXTURE_PATH,
                                        .size_bytes = LOG_VIEW_FIXTURE_BYTES,
                                        .segment_size_bytes = LOG_VIEW_FIXTURE_SEGMENT,
                                        .is_created = true,
                                        .birth = 77,
                                        .start = START,
                                        .identity = log_view_fixture_owner};
    if (fixture->arena.base != NULL)
        arena_deinit(&fixture->arena);
    assert_int_equal(arena_init(&fixture->arena, log_arena_bytes(LOG_VIEW_FIXTURE_BYTES)), OK);
    assert_int_equal(log_open(&options, &fixture->arena, &fixture->log, &fixture->recovery), OK);
    view_reader_init(&fixture->reader, log_medium(fixture->log));
}

void log_view_fixture_reopen(struct log_view_fixture *fixture)
{
    log_close(fixture->log);
    log_view_fixture_open(fixture);
}

void log_view_fixture_append(struct log_view_fixture *fixture, uint64_t term)
{
    uint8_t payload[LOG_VIEW_FIXTURE_PAYLOAD];
    uint64_t index = log_last_index(fixture->log) + 1;
    const struct log_record record = {
        .index = index, .term = term, .kind = 2, .payload = span_of(payload, sizeof(payload))};
    memset(payload, 0xab, sizeof(payload));
    le64_store(payload, index);
    assert_int_equal(log_append(fixture->log, &record), OK);
}

void log_view_fixture_persist(struct log_view_fixture *fixture)
{
    uint64_t ticket;
    uint64_t index;
    (void)log_persist(fixture->log);
    assert_int_equal(log_persisted(fixture->log, &ticket, &index), OK);
}

void log_view_fixture_append_many(struct log_view_fixture *fixture, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        log_view_fixture_append(fixture, 3);
        log_view_fixture_persist(fixture);
    }
}

int log_view_fixture_setup(void **state)
{
    struct log_view_fixture *fixture = calloc(1, sizeof(*fixture));
    const struct medium_sim_options options = {.seed = 5, .granularity = MEDIUM_CACHE_LINE};
    fixture->sim = medium_sim_create(&options);
    medium_sim_use(fixture->sim);
    log_view_fixture_open(fixture);
    *state = fixture;
    return 0;
}

static void close_view(struct log_view_fixture *fixture)
{
    if (fixture->view != NULL)
        log_view_close(fixture->view);
    fixture->view = NULL;
}

int log_view_fixture_teardown(void **state)
{
    struct log_view_fixture *fixture = *state;
    close_view(fixture);
    log_close(fixture->log);
    arena_deinit(&fixture->arena);
    medium_sim_destroy(fixture->sim);
    free(fixture);
    return 0;
}

enum error log_view_fixture_try(struct log_view_fixture *fixture,
                                const struct log_identity *identity)
{
    const struct log_view_options options = {
        .path = LOG_VIEW_FIXTURE_PATH, .reader = &fixture->reader.reader, .identity = identity};
    close_view(fixture);
    enum error error = log_view_open(&options, &fixture->view, fixture->note);
    view_findings_init(&fixture->findings);
    if (error == OK)
        log_view_findings(fixture->view, &fixture->findings.sink);
    return error;
}

const struct log_view_state *log_view_fixture_view(struct log_view_fixture *fixture)
{
    assert_int_equal(log_view_fixture_try(fixture, &log_view_fixture_owner), OK);
    return log_view_state(fixture->view);
}

void log_view_fixture_flip(struct log_view_fixture *fixture, size_t offset)
{
    medium_sim_flip_bit(fixture->sim, LOG_VIEW_FIXTURE_PATH, offset, 3);
}

/* The records of the view are those of the log, up to `last_index`. */
void log_view_fixture_expect(struct log_view_fixture *fixture, uint64_t first_index,
                             uint64_t last_index)
{
    const struct log *log = log_view_log(fixture->view);
    assert_int_equal(log_first_index(log), first_index);
    assert_int_equal(log_last_index(log), last_index);
    for (uint64_t index = first_index; index <= last_index; index++) {
        struct log_record record;
        log_read(log, index, &record);
        assert_int_equal(record.index, index);
        assert_int_equal(record.payload.size_bytes, LOG_VIEW_FIXTURE_PAYLOAD);
        assert_int_equal(le64_load(record.payload.data), index);
    }
}

uint32_t log_view_fixture_count(struct log_view_fixture *fixture, enum log_view_fate fate)
{
    struct log_view_walk walk = {0};
    struct log_view_place place;
    uint32_t count = 0;
    while (log_view_next(fixture->view, &walk, &place))
        count += place.fate == fate;
    return count;
}

/* Goes round the ring. */
void log_view_fixture_run_round(struct log_view_fixture *fixture)
{
    for (uint32_t i = 0; i < 90; i++) {
        log_view_fixture_append_many(fixture, 1);
        if (i % 8 == 7)
            log_drop(fixture->log, log_last_index(fixture->log) - 4);
        while (!log_is_recycled(fixture->log)) {
            assert_int_equal(log_recycle(fixture->log, LOG_VIEW_FIXTURE_SEGMENT), OK);
            log_view_fixture_persist(fixture);
        }
    }
}
