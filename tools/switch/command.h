/*
 * The line protocol of the switch's control socket: one command, its arguments separated by blanks.
 * Ports are numbers (0 is the uplink, 1 the first node), lists of them ("1,2") or "*" for all.
 *
 * Pure; any thread.
 */
#ifndef POLLUX_TOOLS_SWITCH_COMMAND_H
#define POLLUX_TOOLS_SWITCH_COMMAND_H

#include "base/error.h"
#include "tools/switch/fault.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define COMMAND_LINE_BYTES_MAX 1024
#define COMMAND_WORDS_MAX      16
#define COMMAND_PATH_BYTES_MAX 512
#define COMMAND_CAPTURE_BYTES  (256ULL * 1024 * 1024)
#define COMMAND_REORDER_NS     (1000ULL * 1000)

/* Name, shape of the arguments (see command.c) and their names for a person. */
#define COMMAND_LIST(X)                                                                            \
    X(partition, "G", "GROUP GROUP...")                                                            \
    X(cut, "FT", "FROM TO")                                                                        \
    X(isolate, "F", "PORTS")                                                                       \
    X(loss, "FT%", "FROM TO PERCENT")                                                              \
    X(duplicate, "FT%", "FROM TO PERCENT")                                                         \
    X(corrupt, "FT%", "FROM TO PERCENT")                                                           \
    X(reorder, "FT%?r", "FROM TO PERCENT [MS]")                                                    \
    X(delay, "FTd?j", "FROM TO MS [JITTER_MS]")                                                    \
    X(pause, "F", "PORTS")                                                                         \
    X(resume, "F", "PORTS")                                                                        \
    X(heal, "?FT", "[FROM TO]")                                                                    \
    X(mtu, "b", "BYTES")                                                                           \
    X(faults, "", "")                                                                              \
    X(stats, "", "")                                                                               \
    X(pcap, "p?m", "FILE|off [MIB]")                                                               \
    X(help, "", "")

enum command_kind {
#define X(name, shape, usage) COMMAND_##name,
    COMMAND_LIST(X)
#undef X
        COMMAND_COUNT
};

struct command {
    enum command_kind kind;
    uint32_t from_mask; /* all ports where the line names none */
    uint32_t to_mask;
    uint32_t groups[SWITCH_PORTS_MAX];
    uint32_t group_count;
    struct fault_link link; /* the values given, in the field of their kind */
    char path[COMMAND_PATH_BYTES_MAX];
    uint64_t limit_bytes;
    bool is_off;
};

/*
 * Parses one line (no newline) for a switch of `port_count` ports. ERR_SYNTAX (unknown command,
 * wrong number of arguments), ERR_ARGUMENT (not a port, number or path), ERR_RANGE; ret_reason then
 * names command and argument.
 */
MUST_USE enum error command_parse(const char *line, uint32_t port_count,
                                  struct command *ret_command, char *ret_reason,
                                  size_t reason_size);

/* "name ARGUMENTS" of a command, for help. */
const char *command_usage(enum command_kind kind);

#endif
