/* getopt_long, and each number in its range. */
#include "bench/load_options.h"

#include "client/include/pollux.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
    "usage: pollux-bench --servers HOST:PORT,... [OPTIONS]\n"
    "\n"
    "Loads a cluster and measures it from outside. Without --rate, each client keeps its "
    "operations\n"
    "in flight all the time (closed loop). With --rate, operations are due by the clock, and "
    "their\n"
    "latency counts from then, whether or not they could be sent (open loop).\n"
    "\n"
    "  --servers=LIST      the nodes\n"
    "  --cluster=NAME      its name (default local)\n"
    "  --op=OP             set, get, swap, relaxed-set or relaxed-get (default set)\n"
    "  --clients=N         sessions, 1 to 900 (default 1; with --rate 64)\n"
    "  --outstanding=N     operations of each in flight, 1 to 128 (default: as many as "
    "--packet-ops)\n"
    "  --packet-ops=N      operations in one packet at most, 1 to 64 (default 1)\n"
    "  --threads=N         threads that the clients are divided among (default 1)\n"
    "  --rate=N[,N...]     offered operations a second; several are steps, one after the other\n"
    "  --seconds=N         measured time, of each step (default 5)\n"
    "  --warmup-ms=N       load before it (default 1000)\n"
    "  --size=N            bytes of a value (default 64)\n"
    "  --keys=N            distinct keys of sets and gets (default 10000)\n"
    "  --prefix=TEXT       that they begin with (default bench/)\n"
    "  --distinct          relaxed-set: no key twice, so name more than can be set\n"
    "  --preferred=N       the server of relaxed operations, from 1 (default: the first that "
    "answers)\n"
    "  --record=FILE       relaxed-set: the newest acknowledged value of each key, as pollux-drill "
    "reads it\n"
    "  --no-fill           do not store the keys before reading them\n"
    "  --timeout-ms=N      of an operation (default 20000)\n"
    "  --spin-us=N         how long to poll before sleeping in the kernel (default 50)\n"
    "  --seed=N            of the choice of keys (default 1)\n"
    "  -o json|table       one JSON line a step (default), or text\n"
    "  -h, --help          this text\n"
    "\n"
    "Exit status: 0 operations finished and none failed; 1 not so; 2 wrong usage.\n";

enum option_id {
    OPTION_SERVERS = 256,
    OPTION_CLUSTER,
    OPTION_OP,
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
    OPTION_NO_FILL,
    OPTION_TIMEOUT_MS,
    OPTION_SPIN_US,
    OPTION_SEED,
};

static const struct option long_options[] = {
    {"servers", required_argument, NULL, OPTION_SERVERS},
    {"cluster", required_argument, NULL, OPTION_CLUSTER},
    {"op", required_argument, NULL, OPTION_OP},
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
    {"no-fill", no_argument, NULL, OPTION_NO_FILL},
    {"timeout-ms", required_argument, NULL, OPTION_TIMEOUT_MS},
    {"spin-us", required_argument, NULL, OPTION_SPIN_US},
    {"seed", required_argument, NULL, OPTION_SEED},
    {"output", required_argument, NULL, 'o'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

static const char *const op_names[LOAD_OP_COUNT] = {
    [LOAD_SET] = "set",
    [LOAD_GET] = "get",
    [LOAD_RELAXED_GET] = "relaxed-get",
    [LOAD_RELAXED_SET] = "relaxed-set",
    [LOAD_SWAP] = "swap",
};

const char *load_options_help(void)
{
    return help;
}

const char *load_op_name(enum load_op op)
{
    return op_names[op];
}

static bool op_parse(const char *text, enum load_op *ret_op)
{
    for (int op = 0; op < LOAD_OP_COUNT; op++) {
        if (strcmp(text, op_names[op]) == 0) {
            *ret_op = (enum load_op)op;
            return true;
        }
    }
    return false;
}

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
        if (!number_parse(at, ',', 1, 100000000, &rate)) {
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

static bool number_store(int id, uint64_t value, struct load_options *options)
{
    switch (id) {
    case OPTION_CLIENTS:
        options->clients = (uint32_t)value;
        return value >= 1 && value <= LOAD_CLIENTS_MAX;
    case OPTION_OUTSTANDING:
        options->outstanding = (uint32_t)value;
        return value >= 1 && value <= PLX_WINDOW_MAX;
    case OPTION_PACKET_OPS:
        options->packet_ops = (uint32_t)value;
        return value >= 1 && value <= PLX_PACKET_OPS_MAX;
    case OPTION_THREADS:
        options->threads = (uint32_t)value;
        return value >= 1 && value <= LOAD_THREADS_MAX;
    case OPTION_SECONDS:
        options->seconds = (uint32_t)value;
        return value >= 1 && value <= LOAD_SECONDS_MAX;
    case OPTION_WARMUP_MS:
        options->warmup_ms = (uint32_t)value;
        return value <= 600000;
    case OPTION_SIZE:
        options->value_size = (uint32_t)value;
        return value >= 1 && value <= PLX_VALUE_SIZE_BYTES_MAX;
    case OPTION_KEYS:
        options->keys = (uint32_t)value;
        return value >= 1 && value <= 100000000;
    case OPTION_PREFERRED:
        options->preferred = (uint32_t)value;
        return value >= 1 && value <= PLX_ENDPOINTS_MAX;
    case OPTION_TIMEOUT_MS:
        options->timeout_ns = value * 1000000;
        return value >= 1 && value <= 3600000;
    case OPTION_SPIN_US:
        options->spin_ns = value * 1000;
        return value <= 1000000;
    default:
        options->seed = value;
        return true;
    }
}

/* Stores one option; false when its value is wrong. */
static bool option_store(int id, const char *text, struct load_options *options)
{
    uint64_t value = 0;
    switch (id) {
    case OPTION_SERVERS:
        options->servers = text;
        return true;
    case OPTION_CLUSTER:
        options->cluster = text;
        return true;
    case OPTION_PREFIX:
        options->prefix = text;
        return strlen(text) <= LOAD_PREFIX_BYTES_MAX;
    case OPTION_RECORD:
        options->record = text;
        return true;
    case OPTION_DISTINCT:
        options->is_distinct = true;
        return true;
    case OPTION_OP:
        return op_parse(text, &options->op);
    case OPTION_RATE:
        return rates_parse(text, options);
    case OPTION_NO_FILL:
        options->is_unfilled = true;
        return true;
    case 'o':
        options->is_table = strcmp(text, "table") == 0;
        return options->is_table || strcmp(text, "json") == 0;
    case 'h':
        options->is_help = true;
        return true;
    default:
        return number_parse(text, '\0', 0, UINT64_MAX, &value) && number_store(id, value, options);
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

static enum error options_finish(struct load_options *options, char *ret_reason, size_t reason_size)
{
    if (options->is_help) {
        return OK;
    }
    if (options->servers == NULL) {
        snprintf(ret_reason, reason_size, "--servers is missing");
        return ERR_ARGUMENT;
    }
    if (options->clients == 0) {
        options->clients = options->rate_count > 0 ? 64 : 1;
    }
    if (options->outstanding == 0) {
        options->outstanding = options->packet_ops;
    }
    bool is_kept = options->record != NULL || options->is_distinct;
    if (is_kept && options->op != LOAD_RELAXED_SET) {
        snprintf(ret_reason, reason_size, "--record and --distinct go with --op=relaxed-set");
        return ERR_ARGUMENT;
    }
    if (options->op == LOAD_RELAXED_SET &&
        (options->keys < options->clients || options->value_size < LOAD_NUMBER_BYTES)) {
        snprintf(ret_reason, reason_size, "relaxed-set takes a key a client, and %d bytes a value",
                 LOAD_NUMBER_BYTES);
        return ERR_ARGUMENT;
    }
    if (options->threads > options->clients) {
        snprintf(ret_reason, reason_size, "--threads: %u, more than clients", options->threads);
        return ERR_ARGUMENT;
    }
    return OK;
}

enum error load_options_parse(int argc, char **argv, struct load_options *ret_options,
                              char *ret_reason, size_t reason_size)
{
    struct load_options options = {.cluster = "local",
                                   .prefix = "bench/",
                                   .threads = 1,
                                   .packet_ops = 1,
                                   .value_size = 64,
                                   .keys = 10000,
                                   .seconds = 5,
                                   .warmup_ms = 1000,
                                   .timeout_ns = 20ULL * 1000 * 1000 * 1000,
                                   .spin_ns = 50 * 1000,
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
            snprintf(ret_reason, reason_size, "--%s: '%s' is wrong or out of range",
                     option_name(id), optarg);
            return ERR_ARGUMENT;
        }
    }
    if (optind < argc) {
        snprintf(ret_reason, reason_size, "unexpected argument '%s'", argv[optind]);
        return ERR_ARGUMENT;
    }
    enum error error = options_finish(&options, ret_reason, reason_size);
    if (error == OK) {
        *ret_options = options;
    }
    return error;
}
