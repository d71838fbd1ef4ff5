/* The command line of the load generator. */
#include "bench/load_options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#define WORDS_MAX 24

static char reason[256];

static enum error parse(const char *const *words, struct load_options *options)
{
    static char text[WORDS_MAX][64];
    char *arguments[WORDS_MAX + 1] = {NULL};
    int count = 0;
    for (; words[count] != NULL; count++) {
        snprintf(text[count], sizeof(text[count]), "%s", words[count]);
        arguments[count] = text[count];
    }
    return load_options_parse(count, arguments, options, reason, sizeof(reason));
}

static void test_load_options_has_defaults(void **state)
{
    (void)state;
    const char *const words[] = {"pollux-bench", "--servers=a:1", NULL};
    struct load_options options;
    assert_int_equal(parse(words, &options), OK);
    assert_string_equal(options.servers, "a:1");
    assert_string_equal(options.cluster, "local");
    assert_int_equal(options.op, LOAD_SET);
    assert_int_equal(options.clients, 1);
    assert_int_equal(options.outstanding, 1);
    assert_int_equal(options.rate_count, 0);
    assert_int_equal(options.value_size, 64);
}

static void test_load_options_reads_all(void **state)
{
    (void)state;
    const char *const words[] = {"b",
                                 "--servers=a:1",
                                 "--cluster=c",
                                 "--op=relaxed-get",
                                 "--clients=9",
                                 "--outstanding=8",
                                 "--packet-ops=7",
                                 "--threads=3",
                                 "--rate=2500,5000,10000",
                                 "--seconds=2",
                                 "--warmup-ms=5",
                                 "--size=6",
                                 "--keys=4",
                                 "--no-fill",
                                 "--timeout-ms=3",
                                 "--spin-us=2",
                                 "--seed=11",
                                 "-o",
                                 "table",
                                 NULL};
    struct load_options options;
    assert_int_equal(parse(words, &options), OK);
    assert_int_equal(options.op, LOAD_RELAXED_GET);
    assert_int_equal(options.clients, 9);
    assert_int_equal(options.outstanding, 8);
    assert_int_equal(options.packet_ops, 7);
    assert_int_equal(options.threads, 3);
    assert_int_equal(options.rate_count, 3);
    assert_int_equal(options.rates[0], 2500);
    assert_int_equal(options.rates[2], 10000);
    assert_int_equal(options.seconds, 2);
    assert_int_equal(options.warmup_ms, 5);
    assert_int_equal(options.value_size, 6);
    assert_int_equal(options.keys, 4);
    assert_true(options.is_unfilled);
    assert_int_equal(options.timeout_ns, 3000000);
    assert_int_equal(options.spin_ns, 2000);
    assert_int_equal(options.seed, 11);
    assert_true(options.is_table);
}

static void test_load_options_reads_those_of_relaxed_sets(void **state)
{
    (void)state;
    const char *const words[] = {"b",
                                 "--servers=a:1",
                                 "--op=relaxed-set",
                                 "--distinct",
                                 "--preferred=2",
                                 "--prefix=p/",
                                 "--record=f",
                                 NULL};
    struct load_options options;
    assert_int_equal(parse(words, &options), OK);
    assert_int_equal(options.op, LOAD_RELAXED_SET);
    assert_true(options.is_distinct);
    assert_int_equal(options.preferred, 2);
    assert_string_equal(options.prefix, "p/");
    assert_string_equal(options.record, "f");
    const char *const few[] = {"b",           "--servers=a:1", "--op=relaxed-set",
                               "--clients=9", "--keys=8",      NULL};
    assert_int_equal(parse(few, &options), ERR_ARGUMENT);
}

static void test_load_options_fits_defaults_to_the_load(void **state)
{
    (void)state;
    const char *const steps[] = {"b", "--servers=a:1", "--rate=10", NULL};
    const char *const packets[] = {"b", "--servers=a:1", "--packet-ops=16", NULL};
    const char *const help[] = {"b", "--help", NULL};
    struct load_options options;
    assert_int_equal(parse(steps, &options), OK);
    assert_int_equal(options.clients, 64);
    assert_int_equal(parse(packets, &options), OK);
    assert_int_equal(options.outstanding, 16);
    assert_int_equal(parse(help, &options), OK);
    assert_true(options.is_help);
}

static void test_load_options_reads_mixes(void **state)
{
    (void)state;
    const char *const mix[] = {"b", "--servers=a:1", "--mix=get=3,set=1", "--check", NULL};
    const char *const ycsb[] = {"b",
                                "--servers=a:1",
                                "--distribution=uniform",
                                "--workload=ycsb-d",
                                "--relaxed-reads",
                                "--zipf-theta=0.5",
                                "--csv=c",
                                "--hdr=h",
                                "--progress",
                                NULL};
    struct load_options options;
    assert_int_equal(parse(mix, &options), OK);
    assert_string_equal(options.load, "mix");
    assert_int_equal(options.mix.total, 4);
    assert_int_equal(options.distribution, KEYS_UNIFORM);
    assert_true(options.is_checked);
    assert_int_equal(parse(ycsb, &options), OK);
    assert_string_equal(options.load, "ycsb-d");
    assert_int_equal(options.distribution, KEYS_UNIFORM); /* an explicit choice wins */
    assert_int_equal(options.mix.parts[LOAD_RELAXED_GET], 95);
    assert_true(options.zipf_theta == 0.5);
    assert_string_equal(options.csv, "c");
    assert_string_equal(options.hgrm, "h");
    assert_true(options.is_progress);
}

static void test_load_options_takes_the_distribution_of_the_workload(void **state)
{
    (void)state;
    const char *const words[] = {"b", "--servers=a:1", "--workload=ycsb-a", NULL};
    struct load_options options;
    assert_int_equal(parse(words, &options), OK);
    assert_int_equal(options.distribution, KEYS_ZIPF);
    assert_true(options.zipf_theta == 0.99);
}

static void assert_refused(const char *option, const char *naming)
{
    const char *const words[] = {"b", "--servers=a:1", option, NULL};
    struct load_options options;
    assert_int_equal(parse(words, &options), ERR_ARGUMENT);
    assert_non_null(strstr(reason, naming));
}

static void test_load_options_refuses_by_name(void **state)
{
    (void)state;
    assert_refused("--op=put", "--op: 'put'");
    assert_refused("--clients=0", "--clients: '0'");
    assert_refused("--clients=10001", "--clients");
    assert_refused("--outstanding=129", "--outstanding");
    assert_refused("--packet-ops=65", "--packet-ops");
    assert_refused("--threads=2", "--threads");
    assert_refused("--rate=", "--rate");
    assert_refused("--rate=5,", "--rate");
    assert_refused("--rate=1,2,3,4,5,6,7,8,9", "--rate");
    assert_refused("--seconds=0", "--seconds");
    assert_refused("--preferred=0", "--preferred");
    assert_refused("--distinct", "--distinct");
    assert_refused("--record=f", "--record");
    assert_refused("--prefix=12345678901234567890123456789012345678901", "--prefix");
    assert_refused("--size=1048577", "--size");
    assert_refused("--keys=x", "--keys: 'x'");
    assert_refused("--timeout-ms=0", "--timeout-ms");
    assert_refused("--output=xml", "--output: 'xml'");
    assert_refused("--mix=get", "--mix: 'get' is wrong: give parts such as get=95,set=5");
    assert_refused("--workload=ycsb-e", "give ycsb-a");
    assert_refused("--distribution=normal", "--distribution: 'normal'");
    assert_refused("--zipf-theta=1", "--zipf-theta: '1' is wrong: give a number above 0");
    assert_refused("--zipf-theta=nan", "--zipf-theta");
    assert_refused("--clients=x", "give a whole number from 1 to 10000");
    assert_refused("--what", "'--what'");
    assert_refused("more", "'more'");
}

static void test_load_options_needs_servers(void **state)
{
    (void)state;
    const char *const words[] = {"b", NULL};
    struct load_options options;
    assert_int_equal(parse(words, &options), ERR_ARGUMENT);
    assert_non_null(strstr(reason, "--servers"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_load_options_has_defaults),
        cmocka_unit_test(test_load_options_reads_all),
        cmocka_unit_test(test_load_options_reads_those_of_relaxed_sets),
        cmocka_unit_test(test_load_options_fits_defaults_to_the_load),
        cmocka_unit_test(test_load_options_reads_mixes),
        cmocka_unit_test(test_load_options_takes_the_distribution_of_the_workload),
        cmocka_unit_test(test_load_options_refuses_by_name),
        cmocka_unit_test(test_load_options_needs_servers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
