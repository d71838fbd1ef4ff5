/* What was asked and answered, written as lines in the order of time. */
#include "bench/load_history.h"

#include "bench/load_record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#define TEXT_BYTES_MAX 4096

static struct plx_response answer(enum plx_outcome outcome, uint64_t value, uint8_t *bytes)
{
    struct plx_response response = {.outcome = outcome, .node = 1, .version = 8};
    if (value != 0) {
        load_record_value(value, bytes);
        response.has_value = true;
        response.value = (struct plx_bytes){bytes, LOAD_NUMBER_BYTES};
    }
    return response;
}

static void begin_end(struct load_history *history, const struct load_history_op *op,
                      const struct plx_response *response)
{
    uint32_t number = load_history_begin(history, op);
    load_history_end(history, number, op->invoke_ns + 5, response);
}

static void assert_written(const struct load_history *histories, uint32_t count,
                           const char *expected)
{
    char path[] = "/tmp/pollux-load-history-XXXXXX";
    char text[TEXT_BYTES_MAX] = "";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(load_history_write(histories, count, path), OK);
    assert_true(read(fd, text, sizeof(text) - 1) >= 0);
    close(fd);
    unlink(path);
    assert_string_equal(text, expected);
}

static void test_load_history_writes_what_happened(void **state)
{
    (void)state;
    struct load_history histories[2];
    uint8_t bytes[LOAD_NUMBER_BYTES];
    assert_int_equal(load_history_init(&histories[0]), OK);
    assert_int_equal(load_history_init(&histories[1]), OK);
    struct plx_response response = answer(PLX_OK, 0, bytes);
    begin_end(
        &histories[0],
        &(struct load_history_op){.kind = LOAD_HISTORY_SET, .key = 3, .value = 77, .invoke_ns = 10},
        &response);
    response = answer(PLX_OK, 77, bytes);
    begin_end(&histories[1],
              &(struct load_history_op){
                  .kind = LOAD_HISTORY_GET, .key = 3, .process = 4, .invoke_ns = 12},
              &response);
    response = answer(PLX_MISMATCH, 77, bytes);
    begin_end(&histories[0],
              &(struct load_history_op){
                  .kind = LOAD_HISTORY_SWAP, .key = 3, .value = 78, .invoke_ns = 20},
              &response);
    assert_written(
        histories, 2,
        "{\"type\":\"invoke\",\"process\":0,\"op\":\"set\",\"key\":\"3\",\"value\":77,\"id\":0,"
        "\"time\":10}\n"
        "{\"type\":\"invoke\",\"process\":4,\"op\":\"get\",\"key\":\"3\",\"id\":2,\"time\":12}\n"
        "{\"type\":\"ok\",\"process\":0,\"op\":\"set\",\"key\":\"3\",\"value\":77,\"outcome\":"
        "\"ok\","
        "\"node\":1,\"version\":8,\"id\":0,\"time\":15}\n"
        "{\"type\":\"ok\",\"process\":4,\"op\":\"get\",\"key\":\"3\",\"value\":77,\"outcome\":"
        "\"ok\","
        "\"node\":1,\"version\":8,\"id\":2,\"time\":17}\n"
        "{\"type\":\"invoke\",\"process\":0,\"op\":\"swap\",\"key\":\"3\",\"value\":78,\"old\":"
        "null,"
        "\"id\":1,\"time\":20}\n"
        "{\"type\":\"fail\",\"process\":0,\"op\":\"swap\",\"key\":\"3\",\"value\":78,\"old\":null,"
        "\"seen\":77,\"outcome\":\"mismatch\",\"node\":1,\"version\":8,\"id\":1,\"time\":25}\n");
    load_history_deinit(&histories[0]);
    load_history_deinit(&histories[1]);
}

/* Nothing is stored; or something that the client was not told. */
static void test_load_history_tells_absent_from_untold(void **state)
{
    (void)state;
    static const char *const seen[] = {"null", "\"untold\""};
    for (uint64_t version = 0; version < 2; version++) {
        struct load_history history;
        char expected[512];
        assert_int_equal(load_history_init(&history), OK);
        struct plx_response response = {.outcome = PLX_MISMATCH, .node = 1, .version = version};
        begin_end(
            &history,
            &(struct load_history_op){.kind = LOAD_HISTORY_SWAP, .value = 78, .invoke_ns = 20},
            &response);
        snprintf(expected, sizeof(expected),
                 "{\"type\":\"invoke\",\"process\":0,\"op\":\"swap\",\"key\":\"0\",\"value\":78,"
                 "\"old\":null,\"id\":0,\"time\":20}\n"
                 "{\"type\":\"fail\",\"process\":0,\"op\":\"swap\",\"key\":\"0\",\"value\":78,"
                 "\"old\":null,\"seen\":%s,\"outcome\":\"mismatch\",\"node\":1,\"version\":%d,"
                 "\"id\":0,\"time\":25}\n",
                 seen[version], (int)version);
        assert_written(&history, 1, expected);
        load_history_deinit(&history);
    }
}

static void test_load_history_says_that_an_operation_has_not_ended(void **state)
{
    (void)state;
    struct load_history history;
    assert_int_equal(load_history_init(&history), OK);
    (void)load_history_begin(
        &history, &(struct load_history_op){.kind = LOAD_HISTORY_SET, .value = 5, .invoke_ns = 1});
    assert_written(&history, 1,
                   "{\"type\":\"invoke\",\"process\":0,\"op\":\"set\",\"key\":\"0\",\"value\":5,"
                   "\"id\":0,\"time\":1}\n"
                   "{\"type\":\"info\",\"process\":0,\"op\":\"set\",\"key\":\"0\",\"value\":5,"
                   "\"outcome\":\"unknown\",\"node\":0,\"version\":0,\"id\":0,"
                   "\"time\":18446744073709551615}\n");
    load_history_deinit(&history);
}

static void test_load_history_refuses_to_write_half_of_it(void **state)
{
    (void)state;
    struct load_history history;
    assert_int_equal(load_history_init(&history), OK);
    assert_int_equal(load_history_write(&history, 1, "/nowhere/history"), ERR_IO);
    history.count = LOAD_HISTORY_CHUNK_OPS * LOAD_HISTORY_CHUNKS_MAX;
    assert_int_equal(load_history_begin(&history, &(struct load_history_op){.value = 1}),
                     LOAD_HISTORY_FULL);
    history.count = 0;
    assert_int_equal(load_history_write(&history, 1, "/dev/null"), ERR_NO_MEMORY);
    load_history_deinit(&history);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_load_history_writes_what_happened),
        cmocka_unit_test(test_load_history_tells_absent_from_untold),
        cmocka_unit_test(test_load_history_says_that_an_operation_has_not_ended),
        cmocka_unit_test(test_load_history_refuses_to_write_half_of_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
