/* See tests/unit/pmem/log_fixture.h. */
#include "tests/unit/pmem/log_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

struct log_fixture *log_fixture_new(const struct medium_sim_options *medium, size_t size_bytes,
                                    size_t segment_size_bytes)
{
    struct log_fixture *fixture = calloc(1, sizeof(*fixture));
    assert_non_null(fixture);
    fixture->options = (struct log_options){.path = LOG_FIXTURE_PATH,
                                            .size_bytes = size_bytes,
                                            .segment_size_bytes = segment_size_bytes,
                                            .is_created = true,
                                            .identity = {.cluster_id = 7, .node = 2, .shard = 1}};
    fixture->sim = medium_sim_create(medium);
    medium_sim_use(fixture->sim);
    return fixture;
}

enum error log_fixture_open(struct log_fixture *fixture)
{
    if (fixture->arena.base != NULL)
        arena_deinit(&fixture->arena);
    assert_int_equal(arena_init(&fixture->arena, log_arena_bytes(fixture->options.size_bytes)), OK);
    return log_open(&fixture->options, &fixture->arena, &fixture->log, &fixture->recovery);
}

void log_fixture_reopen(struct log_fixture *fixture)
{
    log_close(fixture->log);
    assert_int_equal(log_fixture_open(fixture), OK);
}

uint64_t log_fixture_persist(struct log_fixture *fixture)
{
    uint64_t ticket = 0;
    uint64_t index = 0;
    log_persist(fixture->log);
    assert_int_equal(medium_persist_wait(log_medium(fixture->log)), OK);
    assert_int_equal(log_persisted(fixture->log, &ticket, &index), OK);
    return index;
}

int log_fixture_teardown(void **state)
{
    struct log_fixture *fixture = *state;
    log_close(fixture->log);
    arena_deinit(&fixture->arena);
    medium_sim_destroy(fixture->sim);
    free(fixture);
    return 0;
}
