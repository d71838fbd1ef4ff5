/*
 * The log on a real medium: an ordinary file in a directory of its own. What recovery makes of
 * damage is in recovery_test.c, who may open a file in header_test.c.
 */
#include "pmem/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#define FILE_BYTES (64u * 1024)

struct fixture {
    char directory[64];
    char path[96];
    struct arena arena;
    struct log *log;
    struct log_recovery recovery;
};

static enum error fixture_open(struct fixture *fixture)
{
    const struct log_options options = {.path = fixture->path,
                                        .size_bytes = FILE_BYTES,
                                        .is_created = true,
                                        .identity = {.cluster_id = 7, .node = 2, .shard = 1}};
    assert_int_equal(arena_init(&fixture->arena, log_arena_bytes(FILE_BYTES)), OK);
    return log_open(&options, &fixture->arena, &fixture->log, &fixture->recovery);
}

static void fixture_close(struct fixture *fixture)
{
    log_close(fixture->log);
    arena_deinit(&fixture->arena);
}

static void fixture_reopen(struct fixture *fixture)
{
    fixture_close(fixture);
    assert_int_equal(fixture_open(fixture), OK);
}

/* As after the cluster's first election: what follows is of a log that a quorum has settled. */
static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    snprintf(fixture->directory, sizeof(fixture->directory), "/tmp/pollux-log-XXXXXX");
    if (mkdtemp(fixture->directory) == NULL)
        return -1;
    snprintf(fixture->path, sizeof(fixture->path), "%s/log", fixture->directory);
    if (fixture_open(fixture) != OK)
        return -1;
    log_settle(fixture->log);
    uint64_t ticket = 0;
    uint64_t index = 0;
    if (medium_persist_wait(log_medium(fixture->log)) != OK ||
        log_persisted(fixture->log, &ticket, &index) != OK)
        return -1;
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    fixture_close(fixture);
    unlink(fixture->path);
    rmdir(fixture->directory);
    free(fixture);
    return 0;
}

static enum error append(struct log *log, uint64_t term, const void *payload, size_t size_bytes)
{
    const struct log_record record = {.index = log_last_index(log) + 1,
                                      .term = term,
                                      .kind = 2,
                                      .payload = span_of(payload, size_bytes)};
    return log_append(log, &record);
}

static void assert_record(const struct log *log, uint64_t index, uint64_t term, const char *text)
{
    struct log_record record;
    log_read(log, index, &record);
    assert_int_equal(record.index, index);
    assert_int_equal(record.term, term);
    assert_int_equal(record.kind, 2);
    assert_int_equal(record.payload.size_bytes, strlen(text));
    assert_memory_equal(record.payload.data, text, strlen(text));
    assert_int_equal(log_payload_size_bytes(log, index), strlen(text));
}

static void persist_until_durable(struct log *log, uint64_t *ret_index)
{
    uint64_t wanted = log_persist(log);
    uint64_t ticket = 0;
    assert_int_equal(medium_persist_wait(log_medium(log)), OK);
    assert_int_equal(log_persisted(log, &ticket, ret_index), OK);
    assert_true(ticket >= wanted);
}

static void test_log_is_empty_when_created(void **state)
{
    struct fixture *fixture = *state;
    assert_true(fixture->recovery.is_created);
    assert_false(fixture->recovery.is_suspect);
    assert_int_equal(fixture->recovery.last_index, 0);
    assert_int_equal(fixture->recovery.term, 0);
    assert_non_null(strstr(fixture->recovery.note,
                           "/log: created; a cluster forms when all nodes of [peers] are there"));
    assert_int_equal(log_room_bytes(fixture->log), FILE_BYTES - 8192);
}

static void test_log_returns_what_was_appended_after_reopening(void **state)
{
    struct fixture *fixture = *state;
    char large[3000];
    memset(large, 'x', sizeof(large) - 1);
    large[sizeof(large) - 1] = '\0';
    assert_int_equal(append(fixture->log, 1, "", 0), OK);
    assert_int_equal(append(fixture->log, 1, "one", 3), OK);
    assert_int_equal(append(fixture->log, 2, large, strlen(large)), OK);
    assert_int_equal(append(fixture->log, 2, "sixteen bytes !!", 16), OK);
    fixture_reopen(fixture);
    assert_false(fixture->recovery.is_created);
    assert_false(fixture->recovery.is_suspect);
    assert_int_equal(fixture->recovery.last_index, 4);
    assert_record(fixture->log, 1, 1, "");
    assert_record(fixture->log, 2, 1, "one");
    assert_record(fixture->log, 3, 2, large);
    assert_record(fixture->log, 4, 2, "sixteen bytes !!");
}

static void test_log_takes_the_term_of_its_last_record(void **state)
{
    struct fixture *fixture = *state;
    log_write_hard_state(fixture->log, 3, 1);
    assert_int_equal(append(fixture->log, 5, "a", 1), OK);
    fixture_reopen(fixture);
    assert_int_equal(fixture->recovery.term, 5);
    assert_int_equal(fixture->recovery.vote, 0);
}

static void test_log_supersedes_after_truncation(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(append(fixture->log, 1, "a", 1), OK);
    assert_int_equal(append(fixture->log, 1, "b", 1), OK);
    assert_int_equal(append(fixture->log, 1, "c", 1), OK);
    log_truncate(fixture->log, 2);
    assert_int_equal(log_last_index(fixture->log), 1);
    fixture_reopen(fixture);
    assert_int_equal(fixture->recovery.last_index, 3); /* a truncation alone writes nothing */
    log_truncate(fixture->log, 2);
    assert_int_equal(append(fixture->log, 2, "B", 1), OK);
    fixture_reopen(fixture);
    assert_int_equal(fixture->recovery.last_index, 2);
    assert_false(fixture->recovery.is_suspect);
    assert_record(fixture->log, 1, 1, "a");
    assert_record(fixture->log, 2, 2, "B");
}

static void test_log_refuses_what_does_not_fit_and_stays_usable(void **state)
{
    struct fixture *fixture = *state;
    static const char payload[1000];
    uint32_t appended = 0;
    while (append(fixture->log, 1, payload, sizeof(payload)) == OK)
        appended++;
    assert_int_equal(appended, (FILE_BYTES - 8192) / log_record_room_bytes(sizeof(payload)));
    assert_int_equal(append(fixture->log, 1, payload, sizeof(payload)), ERR_FULL);
    assert_int_equal(log_last_index(fixture->log), appended);
    assert_int_equal(append(fixture->log, 1, "", 0), OK);
    fixture_reopen(fixture);
    assert_int_equal(fixture->recovery.last_index, appended + 1);
}

static void test_log_reports_durable_records(void **state)
{
    struct fixture *fixture = *state;
    uint64_t index = 0;
    assert_int_equal(append(fixture->log, 1, "a", 1), OK);
    assert_int_equal(append(fixture->log, 1, "b", 1), OK);
    persist_until_durable(fixture->log, &index);
    assert_int_equal(index, 2);
}

static void test_log_lowers_what_is_durable_when_truncated(void **state)
{
    struct fixture *fixture = *state;
    uint64_t index = 0;
    uint64_t ticket = 0;
    assert_int_equal(append(fixture->log, 1, "a", 1), OK);
    assert_int_equal(append(fixture->log, 1, "b", 1), OK);
    log_persist(fixture->log);
    log_truncate(fixture->log, 2);
    assert_int_equal(append(fixture->log, 2, "B", 1), OK);
    assert_int_equal(medium_persist_wait(log_medium(fixture->log)), OK);
    assert_int_equal(log_persisted(fixture->log, &ticket, &index), OK);
    assert_int_equal(index, 1); /* the persist was asked for before "B" was written */
    persist_until_durable(fixture->log, &index);
    assert_int_equal(index, 2);
    log_truncate(fixture->log, 1);
    assert_int_equal(log_persisted(fixture->log, &ticket, &index), OK);
    assert_int_equal(index, 0);
}

static void test_log_merges_persists_that_are_not_collected(void **state)
{
    struct fixture *fixture = *state;
    uint64_t index = 0;
    for (uint32_t i = 0; i < 200; i++) {
        assert_int_equal(append(fixture->log, 1, "a", 1), OK);
        log_persist(fixture->log);
    }
    persist_until_durable(fixture->log, &index);
    assert_int_equal(index, 200);
}

static void test_log_keeps_hard_state_and_commit(void **state)
{
    struct fixture *fixture = *state;
    log_write_hard_state(fixture->log, 4, 3);
    log_write_hard_state(fixture->log, 9, 0);
    log_write_hard_state(fixture->log, 9, 255);
    log_write_hard_state(fixture->log, 9, 255);
    assert_int_equal(append(fixture->log, 1, "a", 1), OK);
    assert_int_equal(append(fixture->log, 1, "b", 1), OK);
    log_write_commit_hint(fixture->log, 1);
    fixture_reopen(fixture);
    assert_int_equal(fixture->recovery.term, 9);
    assert_int_equal(fixture->recovery.vote, 255);
    assert_int_equal(fixture->recovery.commit_index, 1);
    log_write_commit_hint(fixture->log, 100);
    fixture_reopen(fixture);
    assert_int_equal(fixture->recovery.commit_index, 2);
}

static void test_log_learns_the_commit_index_from_records(void **state)
{
    struct fixture *fixture = *state;
    struct log_record record = {.index = 1, .term = 1, .kind = 1, .commit_index = 0};
    assert_int_equal(log_append(fixture->log, &record), OK);
    record.index = 2;
    record.commit_index = 1;
    assert_int_equal(log_append(fixture->log, &record), OK);
    fixture_reopen(fixture);
    assert_int_equal(fixture->recovery.commit_index, 1);
}

static void test_log_ignores_a_hint_for_a_superseded_record(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(append(fixture->log, 1, "a", 1), OK);
    log_write_commit_hint(fixture->log, 1);
    log_truncate(fixture->log, 1);
    assert_int_equal(append(fixture->log, 2, "A", 1), OK);
    fixture_reopen(fixture);
    assert_int_equal(fixture->recovery.last_index, 1);
    assert_int_equal(fixture->recovery.commit_index, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_log_is_empty_when_created, setup, teardown),
        cmocka_unit_test_setup_teardown(test_log_returns_what_was_appended_after_reopening, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_log_takes_the_term_of_its_last_record, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_log_supersedes_after_truncation, setup, teardown),
        cmocka_unit_test_setup_teardown(test_log_refuses_what_does_not_fit_and_stays_usable, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_log_reports_durable_records, setup, teardown),
        cmocka_unit_test_setup_teardown(test_log_lowers_what_is_durable_when_truncated, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_log_merges_persists_that_are_not_collected, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_log_keeps_hard_state_and_commit, setup, teardown),
        cmocka_unit_test_setup_teardown(test_log_learns_the_commit_index_from_records, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_log_ignores_a_hint_for_a_superseded_record, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
