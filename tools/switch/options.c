/* getopt_long, and each number in its range. */
#include "tools/switch/options.h"

#include "base/limits.h"
#include "tools/switch/fault.h"
#include "tools/switch/uplink.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

static const char help[] =
    "usage: pollux-switch [OPTIONS] RUN_DIR\n"
    "       pollux-switch ctl RUN_DIR COMMAND [ARGUMENT...]\n"
    "\n"
    "A user-space Ethernet switch for a cluster on one machine. Node i attaches as memif client "
    "to\n"
    "RUN_DIR/node<i>.sock and has the address 10.77.0.i; UDP clients reach it at 127.0.0.1, port\n"
    "UDP_BASE + i * SHARDS, and appear to it as 10.77.0.254. `pollux-switch ctl RUN_DIR help` "
    "lists the\n"
    "commands that inject faults, capture packets and report statistics.\n"
    "\n"
    "  -n, --nodes=N          node ports, 1 to 9 (default 5)\n"
    "  -c, --client-ports=N   further memif ports RUN_DIR/client<k>.sock, 0 to 7 (default 0)\n"
    "  -u, --udp-base=PORT    where UDP ports on 127.0.0.1 begin; 0: none (default 7400)\n"
    "  -p, --node-port=PORT   UDP port that the nodes listen on (default 7400)\n"
    "  -S, --shards=N         UDP ports of each node, 1 to 64; shard s of node i is at\n"
    "                         UDP_BASE + i * N + s (default 1)\n"
    "  -m, --mtu=N            of all ports, 1280 to 9000: larger packets are dropped\n"
    "                         (default 1500)\n"
    "  -q, --queues=N         queues of each node's port, 1 to 32: as many as the nodes have\n"
    "                         lanes; the UDP port of a packet chooses its queue (default 1)\n"
    "      --spray            choose queues at random, as a card without flow rules might\n"
    "  -s, --seed=N           of the faults' draws (default 1)\n"
    "      --spin-turns=N     turns without work before the core is yielded (default 64)\n"
    "      --yield-turns=N    yields before the first sleep (default 256)\n"
    "      --sleep-max-us=N   longest sleep, 0: never sleep (default 50)\n"
    "      --pool-size=N      packet buffers of each port, 512 to 65536 (default 4096)\n"
    "      --memory-mib=N     memory for them (default: as needed)\n"
    "      --hugepages        use hugepages (default: ordinary memory, no privileges)\n"
    "  -h, --help             this text\n"
    "\n"
    "Exit status: 0 success, 1 failure, 2 wrong usage, 3 ctl found no switch running in RUN_DIR,\n"
    "4 done, but standard output could not be written.\n";

enum option_id {
    OPTION_SPIN_TURNS = 256,
    OPTION_YIELD_TURNS,
    OPTION_SLEEP_MAX_US,
    OPTION_POOL_SIZE,
    OPTION_MEMORY_MIB,
    OPTION_HUGEPAGES,
    OPTION_SPRAY,
};

static const struct option long_options[] = {
    {"nodes", required_argument, NULL, 'n'},
    {"client-ports", required_argument, NULL, 'c'},
    {"udp-base", required_argument, NULL, 'u'},
    {"node-port", required_argument, NULL, 'p'},
    {"shards", required_argument, NULL, 'S'},
    {"mtu", required_argument, NULL, 'm'},
    {"queues", required_argument, NULL, 'q'},
    {"spray", no_argument, NULL, OPTION_SPRAY},
    {"seed", required_argument, NULL, 's'},
    {"spin-turns", required_argument, NULL, OPTION_SPIN_TURNS},
    {"yield-turns", required_argument, NULL, OPTION_YIELD_TURNS},
    {"sleep-max-us", required_argument, NULL, OPTION_SLEEP_MAX_US},
    {"pool-size", required_argument, NULL, OPTION_POOL_SIZE},
    {"memory-mib", required_argument, NULL, OPTION_MEMORY_MIB},
    {"hugepages", no_argument, NULL, OPTION_HUGEPAGES},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

const char *switch_options_help(void)
{
    return help;
}

/* A whole decimal number in low..high, or false. */
static bool number_parse(const char *text, uint64_t low, uint64_t high, uint64_t *ret_value)
{
    char *end = NULL;
    if (text[0] < '0' || text[0] > '9') {
        return false;
    }
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (errno != 0 || *end != '\0' || value < low || value > high) {
        return false;
    }
    *ret_value = value;
    return true;
}

/* The number of an option that takes one; false when it is out of its range. */
static bool value_parse(int id, const char *text, uint64_t *ret_value)
{
    static const struct {
        int id;
        uint64_t low;
        uint64_t high;
    } ranges[] = {
        {'n', 1, NODES_MAX},
        {'c', 0, SWITCH_CLIENT_PORTS_MAX},
        {'u', 0, 65000},
        {'p', 1, 65000},
        {'S', 1, SHARDS_MAX},
        {'m', MTU_MIN, MTU_MAX},
        {'q', 1, LANES_MAX},
        {'s', 0, UINT64_MAX},
        {OPTION_SPIN_TURNS, 0, 1000000},
        {OPTION_YIELD_TURNS, 0, 1000000},
        {OPTION_SLEEP_MAX_US, 0, 100000},
        {OPTION_POOL_SIZE, 512, 65536},
        {OPTION_MEMORY_MIB, 16, 65536},
    };
    for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
        if (ranges[i].id == id && !number_parse(text, ranges[i].low, ranges[i].high, ret_value))
            return false;
    }
    return true;
}

/* Stores the value of one option; false when it is out of its range. */
static bool option_store(int id, const char *text, struct switch_options *options)
{
    uint64_t value = 0;
    if (!value_parse(id, text, &value))
        return false;
    switch (id) {
    case 'n':
        options->node_count = (uint32_t)value;
        break;
    case 'c':
        options->client_count = (uint32_t)value;
        break;
    case 'u':
        options->udp_base = (uint16_t)value;
        break;
    case 'p':
        options->node_port = (uint16_t)value;
        break;
    case 'S':
        options->shard_count = (uint32_t)value;
        break;
    case 'm':
        options->mtu_bytes = (uint16_t)value;
        break;
    case 'q':
        options->queue_count = (uint32_t)value;
        break;
    case 's':
        options->seed = value;
        break;
    case OPTION_SPIN_TURNS:
        options->idle.spin_turns = (uint32_t)value;
        break;
    case OPTION_YIELD_TURNS:
        options->idle.yield_turns = (uint32_t)value;
        break;
    case OPTION_SLEEP_MAX_US:
        options->idle.sleep_max_ns = value * 1000;
        if (value == 0) {
            options->idle.yield_turns = UINT32_MAX;
        }
        break;
    case OPTION_POOL_SIZE:
        options->pool_size = (uint32_t)value;
        break;
    default:
        options->memory_mib = (uint32_t)value;
        break;
    }
    return true;
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

enum error switch_options_parse(int argc, char **argv, struct switch_options *ret_options,
                                char *ret_reason, size_t reason_size)
{
    struct switch_options options = {
        .node_count = 5,
        .shard_count = 1,
        .queue_count = 1,
        .udp_base = 7400,
        .node_port = 7400,
        .mtu_bytes = MTU_USUAL,
        .pool_size = 4096,
        .seed = 1,
        .idle = {.spin_turns = 64, .yield_turns = 256, .sleep_max_ns = 50 * 1000}};
    opterr = 0;
    optind = 0;
    for (;;) {
        int id = getopt_long(argc, argv, "n:c:u:p:S:m:q:s:h", long_options, NULL);
        if (id == -1) {
            break;
        }
        if (id == '?') {
            snprintf(ret_reason, reason_size, "unknown option or missing value: '%s'",
                     argv[optind - 1]);
            return ERR_ARGUMENT;
        }
        if (id == 'h') {
            options.is_help = true;
        } else if (id == OPTION_HUGEPAGES) {
            options.is_hugepages = true;
        } else if (id == OPTION_SPRAY) {
            options.is_sprayed = true;
        } else if (!option_store(id, optarg, &options)) {
            snprintf(ret_reason, reason_size, "--%s: '%s' is not a number in its range",
                     option_name(id), optarg);
            return ERR_ARGUMENT;
        }
    }
    if (!options.is_help && optind != argc - 1) {
        snprintf(ret_reason, reason_size,
                 optind == argc ? "RUN_DIR is missing" : "more than one RUN_DIR");
        return ERR_ARGUMENT;
    }
    options.run_dir = options.is_help ? NULL : argv[optind];
    *ret_options = options;
    return OK;
}
