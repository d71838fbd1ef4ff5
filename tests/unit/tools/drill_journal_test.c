/*
 * The proof of a steady load, on a cluster that is a table in memory: it passes what is whole, and
 * finds what is lost, stale, doubled or unreadable.
 */
#include "tools/drill/journal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define ENTRIES_MAX 64

/* The store behind the fake client; an answer is given in the plx_submit of its question. */
static struct {
    char key[PLX_KEY_SIZE_BYTES_MAX];
    char value[24];
} entries[ENTRIES_MAX];
static size_t entries_count;
static enum plx_outcome failure; /* given instead of every answer unless PLX_OK */

static struct {
    plx_done *done;
    void *context;
    struct plx_response response;
} answers[128];
static size_t answers_count;

enum plx_outcome plx_submit(struct plx_client *client, const struct plx_op *op)
{
    (void)client;
    assert_int_equal(op->type, PLX_OP_GET);
    struct plx_response response = {.outcome = PLX_NOT_FOUND};
    for (size_t i = 0; i < entries_count; i++) {
        if (strlen(entries[i].key) == op->key.size_bytes &&
            memcmp(entries[i].key, op->key.data, op->key.size_bytes) == 0) {
            response.outcome = PLX_OK;
            response.value = (struct plx_bytes){entries[i].value, strlen(entries[i].value)};
        }
    }
    if (failure != PLX_OK)
        response.outcome = failure;
    answers[answers_count].done = op->done;
    answers[answers_count].context = op->context;
    answers[answers_count].response = response;
    answers_count++;
    return PLX_OK;
}

size_t plx_poll(struct plx_client *client, uint64_t max_wait_ns)
{
    (void)client;
    (void)max_wait_ns;
    size_t count = answers_count;
    answers_count = 0;
    for (size_t i = 0; i < count; i++)
        answers[i].done(answers[i].context, &answers[i].response);
    return count;
}

static void put(const char *key, const char *value)
{
    assert_in_range(entries_count, 0, ENTRIES_MAX - 1);
    snprintf(entries[entries_count].key, sizeof(entries[0].key), "%s", key);
    snprintf(entries[entries_count].value, sizeof(entries[0].value), "%s", value);
    entries_count++;
}

static void change(const char *key, const char *value)
{
    for (size_t i = 0; i < entries_count; i++) {
        if (strcmp(entries[i].key, key) == 0) {
            snprintf(entries[i].value, sizeof(entries[i].value), "%s", value);
            return;
        }
    }
    fail();
}

/* Two workers; the first has two sets, register 2 and counter 1, the second one set only. */
static struct journal whole(void)
{
    entries_count = 0;
    failure = PLX_OK;
    put("run/0/set/0", "1");
    put("run/0/set/1", "2");
    put("run/0/register", "2");
    put("run/0/counter", "1");
    put("run/1/set/0", "1");
    struct journal journal = {.run = "run", .worker_count = 2};
    journal.workers[0] = (struct journal_worker){.done = {2, 2, 1}, .open = -1};
    journal.workers[1] = (struct journal_worker){.done = {1, 0, 0}, .open = -1};
    return journal;
}

static struct journal_verdict verdict_of(const struct journal *journal)
{
    struct journal_verdict verdict;
    assert_true(journal_verify(journal, NULL, false, &verdict));
    assert_int_equal(verdict.checked_count, 7 + (journal->workers[0].open == JOURNAL_SET));
    return verdict;
}

static void assert_verdict(const struct journal *journal, uint64_t lost, uint64_t twice)
{
    struct journal_verdict verdict = verdict_of(journal);
    assert_int_equal(verdict.lost_count, lost);
    assert_int_equal(verdict.twice_count, twice);
    assert_int_equal(verdict.failed_count, 0);
}

static void test_drill_journal_passes_what_is_whole(void **state)
{
    (void)state;
    struct journal journal = whole();
    assert_verdict(&journal, 0, 0);
}

static void test_drill_journal_finds_a_lost_set(void **state)
{
    (void)state;
    struct journal journal = whole();
    change("run/0/set/1", "0");
    assert_verdict(&journal, 1, 0);
}

static void test_drill_journal_finds_a_stale_register(void **state)
{
    (void)state;
    struct journal journal = whole();
    change("run/0/register", "1");
    assert_verdict(&journal, 1, 0);
}

static void test_drill_journal_finds_a_doubled_swap(void **state)
{
    (void)state;
    struct journal journal = whole();
    change("run/0/counter", "2");
    assert_verdict(&journal, 0, 1);
}

static void test_drill_journal_allows_both_ends_of_an_open_operation(void **state)
{
    (void)state;
    struct journal journal = whole();
    journal.workers[0].open = JOURNAL_COUNTER;
    assert_verdict(&journal, 0, 0);
    change("run/0/counter", "2");
    assert_verdict(&journal, 0, 0);
    change("run/0/counter", "3");
    assert_verdict(&journal, 0, 1);
    change("run/0/counter", "1");
    journal.workers[0].open = JOURNAL_SET;
    assert_verdict(&journal, 0, 0);
    put("run/0/set/2", "3");
    assert_verdict(&journal, 0, 0);
}

static void test_drill_journal_counts_what_cannot_be_read(void **state)
{
    (void)state;
    struct journal journal = whole();
    failure = PLX_TIMEOUT;
    struct journal_verdict verdict = verdict_of(&journal);
    assert_int_equal(verdict.failed_count, 7);
    assert_int_equal(verdict.lost_count, 0);
}

static void test_drill_journal_survives_its_file(void **state)
{
    (void)state;
    struct journal journal = whole();
    struct journal read = {0};
    char path[] = "/tmp/pollux-journal-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    journal.workers[1].open = JOURNAL_REGISTER;
    assert_true(journal_write(&journal, path));
    assert_true(journal_read(&read, path));
    assert_memory_equal(&read, &journal, sizeof(journal));
    assert_int_equal(truncate(path, 8), 0);
    assert_false(journal_read(&read, path));
    unlink(path);
    assert_false(journal_read(&read, path));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_drill_journal_passes_what_is_whole),
        cmocka_unit_test(test_drill_journal_finds_a_lost_set),
        cmocka_unit_test(test_drill_journal_finds_a_stale_register),
        cmocka_unit_test(test_drill_journal_finds_a_doubled_swap),
        cmocka_unit_test(test_drill_journal_allows_both_ends_of_an_open_operation),
        cmocka_unit_test(test_drill_journal_counts_what_cannot_be_read),
        cmocka_unit_test(test_drill_journal_survives_its_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
