/* The command line of pollux-switch. Pure but for getopt's own state; once a process, main
 * thread. */
#ifndef POLLUX_TOOLS_SWITCH_OPTIONS_H
#define POLLUX_TOOLS_SWITCH_OPTIONS_H

#include "base/error.h"
#include "server/idle.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct switch_options {
    const char *run_dir;
    uint32_t node_count;
    uint32_t client_count;
    uint32_t shard_count;
    uint32_t queue_count; /* of each node's port */
    uint16_t udp_base;    /* 0: no uplink */
    uint16_t node_port;
    uint16_t mtu_bytes;
    uint32_t memory_mib; /* 0: computed from the ports */
    uint32_t pool_size;
    uint64_t seed;
    struct idle_options idle;
    bool is_sprayed; /* queues are drawn at random */
    bool is_hugepages;
    bool is_help;
};

/* ERR_ARGUMENT; ret_reason names the option. */
MUST_USE enum error switch_options_parse(int argc, char **argv, struct switch_options *ret_options,
                                         char *ret_reason, size_t reason_size);

/* What --help prints. */
const char *switch_options_help(void);

#endif
