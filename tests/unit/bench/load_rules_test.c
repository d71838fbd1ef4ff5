/* Which options go together. */
#include "bench/load_rules.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static char reason[256];

/* What an otherwise complete command line starts from. */
static struct load_options options_of(enum load_op op)
{
    struct load_options options = {.servers = "a:1",
                                   .op = op,
                                   .load_count = 1,
                                   .clients = 2,
                                   .outstanding = 4,
                                   .threads = 1,
                                   .packet_ops = 1,
                                   .value_size = 64,
                                   .keys = 100};
    op_mix_init(&options.mix, op);
    return options;
}

static void assert_refused(struct load_options options, const char *what, const char *advice)
{
    assert_int_equal(load_rules_apply(&options, reason, sizeof(reason)), ERR_ARGUMENT);
    assert_non_null(strstr(reason, what));
    assert_non_null(strstr(reason, advice));
}

static void test_load_rules_refuse_what_does_not_go_together(void **state)
{
    (void)state;
    struct load_options options = options_of(LOAD_FILL);
    options.rate_count = 1;
    assert_refused(options, "--op=fill", "leave out --rate");
    options = options_of(LOAD_FILL);
    options.is_unfilled = true;
    assert_refused(options, "--op=fill", "leave out --no-fill");
    options = options_of(LOAD_SET);
    options.load_count = 2;
    assert_refused(options, "--workload", "give one of them");
    options.load_count = 1;
    options.is_progress = true;
    options.is_quiet = true;
    assert_refused(options, "--quiet", "give one of them");
    options = options_of(LOAD_SET);
    options.threads = 3;
    assert_refused(options, "--threads", "lower --threads");
    options.servers = NULL;
    assert_refused(options, "--servers is missing", "HOST:PORT");
}

static void test_load_rules_of_check(void **state)
{
    (void)state;
    struct load_options options = options_of(LOAD_SWAP);
    options.is_checked = true;
    assert_refused(options, "--check", "leave out swap");
    options = options_of(LOAD_SET);
    options.is_checked = true;
    options.keys = 7;
    assert_refused(options, "--check", "raise --keys");
    options.keys = 8;
    options.value_size = LOAD_NUMBER_BYTES - 1;
    assert_refused(options, "--check", "raise --size");
    options.value_size = LOAD_NUMBER_BYTES;
    assert_int_equal(load_rules_apply(&options, reason, sizeof(reason)), OK);
}

static void test_load_rules_of_history(void **state)
{
    (void)state;
    struct load_options options = options_of(LOAD_RELAXED_SET);
    options.history = "file";
    assert_refused(options, "--history", "leave relaxed-set out");
    options = options_of(LOAD_SWAP);
    options.history = "file";
    options.is_unfilled = true;
    assert_refused(options, "--history", "--no-fill");
    options.is_unfilled = false;
    options.rate_count = 2;
    assert_refused(options, "--history", "give one --rate");
    options.rate_count = 1;
    options.value_size = LOAD_NUMBER_BYTES - 1;
    assert_refused(options, "--history", "raise --size");
    options.value_size = LOAD_NUMBER_BYTES;
    assert_int_equal(load_rules_apply(&options, reason, sizeof(reason)), OK);
}

static void test_load_rules_complete_the_options(void **state)
{
    (void)state;
    struct load_options options = options_of(LOAD_GET);
    options.clients = 0;
    options.outstanding = 0;
    options.packet_ops = 5;
    options.is_relaxed_reads = true;
    assert_int_equal(load_rules_apply(&options, reason, sizeof(reason)), OK);
    assert_int_equal(options.clients, 1);
    assert_int_equal(options.outstanding, 5);
    assert_true(op_mix_has(&options.mix, LOAD_RELAXED_GET));
    assert_false(load_options_is_fill(&options));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_load_rules_refuse_what_does_not_go_together),
        cmocka_unit_test(test_load_rules_of_check),
        cmocka_unit_test(test_load_rules_of_history),
        cmocka_unit_test(test_load_rules_complete_the_options),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
