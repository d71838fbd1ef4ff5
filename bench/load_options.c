/* getopt_long; numbers by a table, with their ranges. */
#include "bench/load_options.h"

#include "bench/load_rules.h"
#include "client/include/pollux.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NS_PER_MS 1000000ULL
#define NS_PER_US 1000ULL
#define RATE_MAX  100000000

enum option_id {
    OPTION_SERVERS = 256,
    OPTION_CLUSTER,
    OPTION_KEY,
    OPTION_OP,
    OPTION_MIX,
    OPTION_WORKLOAD,
    OPTION_RELAXED_READS,
    OPTION_DISTRIBUTION,
    OPTION_ZIPF_THETA,
    OPTION_CLIENTS,
    OPTION_OUTSTANDING,
    OPTION_PACKET_OPS,
    OPTION_THREADS,
    OPTION_RATE,
    OPTION_SECONDS,
    OPTION_WARMUP_MS,
    OPTION_SIZE,
    OPTION_KEYS,
    OPTION_PREFIX,
    OPTION_DISTINCT,
    OPTION_PREFERRED,
    OPTION_RECORD,
    OPTION_CHECK,
    OPTION_HISTORY,
    OPTION_CSV,
    OPTION_HDR,
    OPTION_PROGRESS,
    OPTION_QUIET,
    OPTION_NO_FILL,
    OPTION_TIMEOUT_MS,
    OPTION_SPIN_US,
    OPTION_SEED,
};

static const struct option long_options[] = {
    {"servers", required_argument, NULL, OPTION_SERVERS},
    {"cluster", required_argument, NULL, OPTION_CLUSTER},
    {"key", required_argument, NULL, OPTION_KEY},
    {"op", required_argument, NULL, OPTION_OP},
    {"mix", required_argument, NULL, OPTION_MIX},
    {"workload", required_argument, NULL, OPTION_WORKLOAD},
    {"relaxed-reads", no_argument, NULL, OPTION_RELAXED_READS},
    {"distribution", required_argument, NULL, OPTION_DISTRIBUTION},
    {"zipf-theta", required_argument, NULL, OPTION_ZIPF_THETA},
    {"clients", required_argument, NULL, OPTION_CLIENTS},
    {"outstanding", required_argument, NULL, OPTION_OUTSTANDING},
    {"packet-ops", required_argument, NULL, OPTION_PACKET_OPS},
    {"threads", required_argument, NULL, OPTION_THREADS},
    {"rate", required_argument, NULL, OPTION_RATE},
    {"seconds", required_argument, NULL, OPTION_SECONDS},
    {"warmup-ms", required_argument, NULL, OPTION_WARMUP_MS},
    {"size", required_argument, NULL, OPTION_SIZE},
    {"keys", required_argument, NULL, OPTION_KEYS},
    {"prefix", required_argument, NULL, OPTION_PREFIX},
    {"distinct", no_argument, NULL, OPTION_DISTINCT},
    {"preferred", required_argument, NULL, OPTION_PREFERRED},
    {"record", required_argument, NULL, OPTION_RECORD},
    {"check", no_argument, NULL, OPTION_CHECK},
    {"history", required_argument, NULL, OPTION_HISTORY},
    {"csv", required_argument, NULL, OPTION_CSV},
    {"hdr", required_argument, NULL, OPTION_HDR},
    {"progress", no_argument, NULL, OPTION_PROGRESS},
    {"quiet", no_argument, NULL, OPTION_QUIET},
    {"no-fill", no_argument, NULL, OPTION_NO_FILL},
    {"timeout-ms", required_argument, NULL, OPTION_TIMEOUT_MS},
    {"spin-us", required_argument, NULL, OPTION_SPIN_US},
    {"seed", required_argument, NULL, OPTION_SEED},
    {"output", required_argument, NULL, 'o'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

/* A number, in low..high, is stored times `unit`: in a uint64_t where there is a unit, otherwise in
 * a uint32_t. */
static const struct number_option {
    int id;
    uint64_t low;
    uint64_t high;
    uint64_t unit;
    size_t offset;
} number_options[] = {
    {OPTION_CLIENTS, 1, LOAD_CLIENTS_MAX, 0, offsetof(struct load_options, clients)},
    {OPTION_OUTSTANDING, 1, PLX_WINDOW_MAX, 0, offsetof(struct load_options, outstanding)},
    {OPTION_PACKET_OPS, 1, PLX_PACKET_OPS_MAX, 0, offsetof(struct load_options, packet_ops)},
    {OPTION_THREADS, 1, LOAD_THREADS_MAX, 0, offsetof(struct load_options, threads)},
    {OPTION_SECONDS, 1, LOAD_SECONDS_MAX, 0, offsetof(struct load_options, seconds)},
    {OPTION_WARMUP_MS, 0, 600000, 0, offsetof(struct load_options, warmup_ms)},
    {OPTION_SIZE, 1, PLX_VALUE_SIZE_BYTES_MAX, 0, offsetof(struct load_options, value_size)},
    {OPTION_KEYS, 1, 100000000, 0, offsetof(struct load_options, keys)},
    {OPTION_PREFERRED, 1, PLX_ENDPOINTS_MAX, 0, offsetof(struct load_options, preferred)},
    {OPTION_TIMEOUT_MS, 1, 3600000, NS_PER_MS, offsetof(struct load_options, timeout_ns)},
    {OPTION_SPIN_US, 0, 1000000, NS_PER_US, offsetof(struct load_options, spin_ns)},
    {OPTION_SEED, 0, UINT64_MAX, 1, offsetof(struct load_options, seed)},
};

/* What the other options take, for the message about a wrong value. */
static const struct {
    int id;
    const char *takes;
} texts_taken[] = {
    {OPTION_OP, "set, get, swap, relaxed-set, relaxed-get, rmw, insert or fill"},
    {OPTION_MIX, "parts such as get=95,set=5, each kind once, of get, set, swap, relaxed-get, "
                 "relaxed-set, rmw and insert"},
    {OPTION_WORKLOAD, "ycsb-a, ycsb-b, ycsb-c, ycsb-d or ycsb-f"},
    {OPTION_DISTRIBUTION, "uniform, zipf or latest"},
    {OPTION_ZIPF_THETA, "a number above 0 and below 1, such as 0.99"},
    {OPTION_RATE, "one to eight numbers from 1 to 100000000, with commas between them"},
    {OPTION_PREFIX, "a text of at most 40 bytes"},
    {'o', "json or table"},
};

/* A decimal number that ends at `end`, in low..high. */
static bool number_parse(const char *text, char end, uint64_t low, uint64_t high,
                         uint64_t *ret_value)
{
    char *rest = NULL;
    errno = 0;
    unsigned long long value = text[0] >= '0' && text[0] <= '9' ? strtoull(text, &rest, 10) : 0;
    if (rest == NULL || errno != 0 || (*rest != end && *rest != '\0') || value < low ||
        value > high) {
        return false;
    }
    *ret_value = value;
    return true;
}

static bool rates_parse(const char *text, struct load_options *options)
{
    const char *at = text;
    options->rate_count = 0;
    while (options->rate_count < LOAD_STEPS_MAX) {
        uint64_t rate = 0;
        if (!number_parse(at, ',', 1, RATE_MAX, &rate)) {
            return false;
        }
        options->rates[options->rate_count++] = (uint32_t)rate;
        at = strchr(at, ',');
        if (at == NULL) {
            return true;
        }
        at++;
    }
    return false;
}

static const struct number_option *number_option_find(int id)
{
    for (size_t i = 0; i < sizeof(number_options) / sizeof(number_options[0]); i++) {
        if (number_options[i].id == id) {
            return &number_options[i];
        }
    }
    return NULL;
}

static bool number_store(int id, const char *text, struct load_options *options)
{
    const struct number_option *option = number_option_find(id);
    uint64_t value = 0;
    if (option == NULL || !number_parse(text, '\0', option->low, option->high, &value)) {
        return false;
    }
    void *to = (char *)options + option->offset;
    if (option->unit > 0) {
        *(uint64_t *)to = value * option->unit;
    } else {
        *(uint32_t *)to = (uint32_t)value;
    }
    return true;
}

static bool theta_parse(const char *text, double *ret_theta)
{
    char *rest = NULL;
    double theta = strtod(text, &rest);
    if (rest == text || *rest != '\0' || !(theta > 0 && theta < 1)) {
        return false;
    }
    *ret_theta = theta;
    return true;
}

static bool distribution_parse(const char *text, struct load_options *options)
{
    for (int i = 0; i < KEYS_DISTRIBUTION_COUNT; i++) {
        if (strcmp(text, key_distribution_name((enum key_distribution)i)) == 0) {
            options->distribution = (enum key_distribution)i;
            options->has_distribution = true;
            return true;
        }
    }
    return false;
}

/* One of the three options that name the load. */
static bool load_parse(int id, const char *text, struct load_options *options)
{
    enum key_distribution distribution = KEYS_UNIFORM;
    options->load_count++;
    if (id == OPTION_OP) {
        if (!load_op_parse(text, &options->op)) {
            return false;
        }
        op_mix_init(&options->mix, options->op);
        options->load = load_op_name(options->op);
        return true;
    }
    if (id == OPTION_MIX) {
        options->load = "mix";
        return op_mix_parse(text, &options->mix);
    }
    options->load = text;
    if (!op_mix_workload(text, &options->mix, &distribution)) {
        return false;
    }
    options->distribution = options->has_distribution ? options->distribution : distribution;
    return true;
}

/* Stores an option without a value; false: it is another. */
static bool flag_store(int id, struct load_options *options)
{
    bool *to = NULL;
    switch (id) {
    case OPTION_DISTINCT:
        to = &options->is_distinct;
        break;
    case OPTION_NO_FILL:
        to = &options->is_unfilled;
        break;
    case OPTION_RELAXED_READS:
        to = &options->is_relaxed_reads;
        break;
    case OPTION_CHECK:
        to = &options->is_checked;
        break;
    case OPTION_PROGRESS:
        to = &options->is_progress;
        break;
    case OPTION_QUIET:
        to = &options->is_quiet;
        break;
    case 'h':
        to = &options->is_help;
        break;
    default:
        return false;
    }
    *to = true;
    return true;
}

/* Stores a name that is taken as it is; false: it is another option. */
static bool name_store(int id, const char *text, struct load_options *options)
{
    const char **to = NULL;
    switch (id) {
    case OPTION_SERVERS:
        to = &options->servers;
        break;
    case OPTION_CLUSTER:
        to = &options->cluster;
        break;
    case OPTION_KEY:
        to = &options->key_file;
        break;
    case OPTION_RECORD:
        to = &options->record;
        break;
    case OPTION_HISTORY:
        to = &options->history;
        break;
    case OPTION_CSV:
        to = &options->csv;
        break;
    case OPTION_HDR:
        to = &options->hgrm;
        break;
    default:
        return false;
    }
    *to = text;
    return true;
}

/* Stores one option; false when its value is wrong. */
static bool option_store(int id, const char *text, struct load_options *options)
{
    if (flag_store(id, options) || name_store(id, text, options)) {
        return true;
    }
    switch (id) {
    case OPTION_PREFIX:
        options->prefix = text;
        return strlen(text) <= LOAD_PREFIX_BYTES_MAX;
    case OPTION_OP:
    case OPTION_MIX:
    case OPTION_WORKLOAD:
        return load_parse(id, text, options);
    case OPTION_DISTRIBUTION:
        return distribution_parse(text, options);
    case OPTION_ZIPF_THETA:
        return theta_parse(text, &options->zipf_theta);
    case OPTION_RATE:
        return rates_parse(text, options);
    case 'o':
        options->is_table = strcmp(text, "table") == 0;
        return options->is_table || strcmp(text, "json") == 0;
    default:
        return number_store(id, text, options);
    }
}

static const char *option_name(int id)
{
    for (size_t i = 0; long_options[i].name != NULL; i++) {
        if (long_options[i].val == id) {
            return long_options[i].name;
        }
    }
    return "?";
}

/* Says what a wrong value should have been. */
static void option_explain(int id, const char *text, char *ret_reason, size_t reason_size)
{
    const struct number_option *number = number_option_find(id);
    if (number != NULL) {
        snprintf(ret_reason, reason_size,
                 "--%s: '%s' is wrong: give a whole number from %" PRIu64 " to %" PRIu64,
                 option_name(id), text, number->low, number->high);
        return;
    }
    for (size_t i = 0; i < sizeof(texts_taken) / sizeof(texts_taken[0]); i++) {
        if (texts_taken[i].id == id) {
            snprintf(ret_reason, reason_size, "--%s: '%s' is wrong: give %s", option_name(id), text,
                     texts_taken[i].takes);
        }
    }
}

enum error load_options_parse(int argc, char **argv, struct load_options *ret_options,
                              char *ret_reason, size_t reason_size)
{
    struct load_options options = {.cluster = "local",
                                   .key_file = getenv("POLLUX_KEY"),
                                   .prefix = "bench/",
                                   .zipf_theta = 0.99,
                                   .threads = 1,
                                   .packet_ops = 1,
                                   .value_size = 64,
                                   .keys = 10000,
                                   .seconds = 5,
                                   .warmup_ms = 1000,
                                   .timeout_ns = 20ULL * 1000 * NS_PER_MS,
                                   .spin_ns = 50 * NS_PER_US,
                                   .seed = 1};
    opterr = 0;
    optind = 0;
    for (;;) {
        int id = getopt_long(argc, argv, "o:h", long_options, NULL);
        if (id == -1) {
            break;
        }
        if (id == '?') {
            snprintf(ret_reason, reason_size, "unknown option or missing value: '%s'",
                     argv[optind - 1]);
            return ERR_ARGUMENT;
        }
        if (!option_store(id, optarg, &options)) {
            option_explain(id, optarg, ret_reason, reason_size);
            return ERR_ARGUMENT;
        }
    }
    if (optind < argc) {
        snprintf(ret_reason, reason_size, "unexpected argument '%s'", argv[optind]);
        return ERR_ARGUMENT;
    }
    enum error error = load_rules_apply(&options, ret_reason, reason_size);
    if (error == OK) {
        *ret_options = options;
    }
    return error;
}
