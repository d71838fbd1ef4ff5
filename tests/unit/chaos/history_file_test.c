/* What history_write has written is read back the same; what is no history is refused by line. */
#include "tests/chaos/history_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static char reason[128];

static bool read_text(const char *text, struct history *ret_history, uint32_t *ret_key_count)
{
    FILE *file = fmemopen((void *)text, strlen(text), "r");
    assert_non_null(file);
    bool is_read = history_file_read(file, ret_history, ret_key_count, reason, sizeof(reason));
    fclose(file);
    return is_read;
}

static void assert_refused(const char *text, const char *why)
{
    struct history history;
    uint32_t key_count;
    assert_false(read_text(text, &history, &key_count));
    if (strstr(reason, why) == NULL)
        fail_msg("'%s' instead of '%s'", reason, why);
}

/* One of each kind. */
static const struct history_op ops[] = {
    {.type = HISTORY_SET,
     .outcome = HISTORY_OK,
     .key = 7,
     .value = 1,
     .invoke_ns = 10,
     .return_ns = 20,
     .node = 2,
     .version = 5},
    {.type = HISTORY_SWAP,
     .outcome = HISTORY_MISMATCH,
     .key = 7,
     .value = 2,
     .seen = 1,
     .invoke_ns = 30,
     .return_ns = 40},
    {.type = HISTORY_GET, .outcome = HISTORY_OK, .key = 9, .invoke_ns = 50, .return_ns = 60},
    {.type = HISTORY_SET, .key = 9, .value = 4, .invoke_ns = 70, .return_ns = UINT64_MAX},
    {.type = HISTORY_GET,
     .outcome = HISTORY_OK,
     .key = 7,
     .seen = 1,
     .invoke_ns = 80,
     .return_ns = 90,
     .node = 1,
     .version = 5},
    {.type = HISTORY_SWAP, /* nothing is stored */
     .outcome = HISTORY_MISMATCH,
     .key = 7,
     .value = 6,
     .old = 1,
     .seen = HISTORY_ABSENT,
     .invoke_ns = 100,
     .return_ns = 110},
    {.type = HISTORY_SWAP, /* something is, and the client was not told what */
     .outcome = HISTORY_MISMATCH,
     .key = 7,
     .value = 7,
     .old = 1,
     .seen = HISTORY_UNSEEN,
     .invoke_ns = 120,
     .return_ns = 130},
};

static void test_history_file_reads_what_was_written(void **state)
{
    (void)state;
    uint32_t count = sizeof(ops) / sizeof(ops[0]);
    struct history_op written_ops[sizeof(ops) / sizeof(ops[0])];
    memcpy(written_ops, ops, sizeof(ops));
    struct history written = {.ops = written_ops, .count = count};
    struct history history;
    uint32_t key_count = 0;
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);
    assert_non_null(file);
    history_write(&written, file);
    fclose(file);
    assert_true(read_text(text, &history, &key_count));
    free(text);
    assert_int_equal(key_count, 2);
    assert_int_equal(history.count, count);
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(history.ops[i].type, ops[i].type);
        assert_int_equal(history.ops[i].outcome,
                         ops[i].outcome == HISTORY_PENDING ? HISTORY_PENDING : ops[i].outcome);
        assert_int_equal(history.ops[i].key, ops[i].key == 7 ? 0 : 1);
        assert_int_equal(history.ops[i].value, ops[i].value);
        assert_true(history.ops[i].seen == ops[i].seen);
        assert_int_equal(history.ops[i].invoke_ns, ops[i].invoke_ns);
        assert_int_equal(history.ops[i].return_ns, ops[i].return_ns);
        assert_int_equal(history.ops[i].version, ops[i].version);
    }
    history_deinit(&history);
}

/* Values are any numbers; one that nobody wrote gets a name beyond all operations. */
static void test_history_file_names_values_after_their_operations(void **state)
{
    (void)state;
    struct history history;
    uint32_t key_count = 0;
    assert_true(read_text(
        "{\"type\":\"invoke\",\"op\":\"set\",\"key\":\"3\",\"value\":900,\"id\":0,\"time\":1}\n"
        "{\"type\":\"invoke\",\"op\":\"get\",\"key\":\"3\",\"id\":1,\"time\":2}\n"
        "{\"type\":\"ok\",\"op\":\"get\",\"key\":\"3\",\"value\":901,\"outcome\":\"ok\",\"id\":1,"
        "\"time\":3}\n",
        &history, &key_count));
    assert_int_equal(history.count, 2);
    assert_int_equal(history.ops[0].value, 1);
    assert_int_equal(history.ops[0].outcome, HISTORY_PENDING);
    assert_true(history.ops[0].return_ns == UINT64_MAX);
    assert_int_equal(history.ops[1].seen, 3);
    history_deinit(&history);
}

static void test_history_file_refuses_what_is_no_history(void **state)
{
    (void)state;
    static const char set[] =
        "{\"type\":\"invoke\",\"op\":\"set\",\"key\":\"3\",\"value\":9,\"id\":0,\"time\":1}\n";
    char text[512];
    assert_refused("\n", "line 1: no id");
    snprintf(text, sizeof(text), "%shello\n", set);
    assert_refused(text, "line 2: no id");
    snprintf(text, sizeof(text), "%s%s", set, set);
    assert_refused(text, "line 2: a second invoke");
    assert_refused("{\"type\":\"invoke\",\"op\":\"add\",\"key\":\"3\",\"id\":0,\"time\":1}\n",
                   "line 1: op, key");
    assert_refused("{\"type\":\"ok\",\"op\":\"get\",\"key\":\"3\",\"id\":0,\"time\":1}\n",
                   "line 1: outcome");
    assert_refused("{\"type\":\"ok\",\"op\":\"set\",\"key\":\"3\",\"outcome\":\"ok\",\"id\":0,"
                   "\"time\":1}\n",
                   "lacks the invoke");
    snprintf(
        text, sizeof(text), "%s%s", set,
        "{\"type\":\"invoke\",\"op\":\"set\",\"key\":\"4\",\"value\":9,\"id\":1,\"time\":1}\n");
    assert_refused(text, "the same value");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_history_file_reads_what_was_written),
        cmocka_unit_test(test_history_file_names_values_after_their_operations),
        cmocka_unit_test(test_history_file_refuses_what_is_no_history),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
