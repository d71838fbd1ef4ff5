/*
 * The digest of what is stored, on a node that is a table in memory: it does not depend on the
 * order of the answers, and changes with a value, a version and a key that is missing.
 */
#include "tools/drill/digest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define KEYS        4
#define ANSWERS_MAX 64

static struct stored {
    char value[8];
    uint64_t version; /* 0: the key does not exist */
    uint16_t node;    /* that answers */
    enum plx_outcome outcome;
} table[KEYS];

static struct {
    plx_done *done;
    void *context;
    struct plx_response response;
} answers[ANSWERS_MAX];
static size_t answers_count;
static bool is_backwards;

enum plx_outcome plx_submit(struct plx_client *client, const struct plx_op *op)
{
    (void)client;
    char key[16] = {0};
    assert_int_equal(op->type, PLX_OP_GET);
    assert_int_equal(op->key.size_bytes, strlen("new/00000000"));
    memcpy(key, op->key.data, op->key.size_bytes);
    assert_memory_equal(key, "new/0000000", 11);
    assert_in_range(key[11], '0', '0' + KEYS - 1);
    const struct stored *stored = &table[key[11] - '0'];
    answers[answers_count].done = op->done;
    answers[answers_count].context = op->context;
    answers[answers_count].response = (struct plx_response){
        .outcome = stored->outcome,
        .value = {stored->value, strlen(stored->value)},
        .version = stored->version,
        .node = stored->node,
    };
    answers_count++;
    return PLX_OK;
}

size_t plx_poll(struct plx_client *client, uint64_t max_wait_ns)
{
    (void)client;
    (void)max_wait_ns;
    size_t count = answers_count;
    answers_count = 0;
    for (size_t i = 0; i < count; i++) {
        size_t at = is_backwards ? count - 1 - i : i;
        answers[at].done(answers[at].context, &answers[at].response);
    }
    return count;
}

static void fill(void)
{
    is_backwards = false;
    for (int i = 0; i < KEYS; i++) {
        table[i] = (struct stored){.version = 10 + (uint64_t)i, .node = 3, .outcome = PLX_OK};
        snprintf(table[i].value, sizeof(table[i].value), "v%d", i);
    }
}

static struct digest digest_of_table(void)
{
    struct digest digest = {.prefix = "new/", .count = KEYS, .is_relaxed = true};
    assert_true(digest_read(&digest, NULL));
    return digest;
}

static void test_drill_digest_is_that_of_equal_states(void **state)
{
    (void)state;
    fill();
    struct digest first = digest_of_table();
    is_backwards = true;
    struct digest second = digest_of_table();
    assert_int_equal(first.stored_count, KEYS);
    assert_int_equal(first.failed_count, 0);
    assert_int_equal(first.node, 3);
    assert_int_equal(first.sum, second.sum);
}

static void test_drill_digest_tells_states_apart(void **state)
{
    (void)state;
    fill();
    uint64_t sum = digest_of_table().sum;
    table[1].value[1] = 'x';
    assert_int_not_equal(digest_of_table().sum, sum);
    fill();
    table[2].version++;
    assert_int_not_equal(digest_of_table().sum, sum);
    fill();
    struct stored third = table[3];
    table[3] = table[0];
    table[0] = third;
    assert_int_not_equal(digest_of_table().sum, sum);
}

static void test_drill_digest_counts_what_is_missing_or_failed(void **state)
{
    (void)state;
    fill();
    uint64_t sum = digest_of_table().sum;
    table[0].outcome = PLX_NOT_FOUND;
    struct digest digest = digest_of_table();
    assert_int_equal(digest.stored_count, KEYS - 1);
    assert_int_equal(digest.failed_count, 0);
    assert_int_not_equal(digest.sum, sum);
    table[0].outcome = PLX_TIMEOUT;
    assert_int_equal(digest_of_table().failed_count, 1);
}

static void test_drill_digest_names_no_node_when_several_answered(void **state)
{
    (void)state;
    fill();
    table[2].node = 4;
    assert_int_equal(digest_of_table().node, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_drill_digest_is_that_of_equal_states),
        cmocka_unit_test(test_drill_digest_tells_states_apart),
        cmocka_unit_test(test_drill_digest_counts_what_is_missing_or_failed),
        cmocka_unit_test(test_drill_digest_names_no_node_when_several_answered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
