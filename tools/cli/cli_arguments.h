/* The command line of `pollux`, parsed: options anywhere, then a command and its operands. */
#ifndef POLLUX_TOOLS_CLI_CLI_ARGUMENTS_H
#define POLLUX_TOOLS_CLI_CLI_ARGUMENTS_H

#include "client/include/pollux_logs.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum cli_format { CLI_PLAIN, CLI_TABLE, CLI_JSON };

#define CLI_FILES_MAX 16

struct cli_arguments {
    const char *endpoints;
    const char *cluster;
    const char *key_file; /* NULL: packets are not sealed */
    const char *command;
    char **operands;
    int operand_count;
    enum cli_format format;
    bool is_relaxed;
    bool is_blocking;
    bool is_absent;        /* the new value is absent */
    bool is_expect_absent; /* the expected value is absent */
    bool is_raw;           /* no newline behind a value */
    bool is_escaped;       /* keys and values have escapes, on the way in and out */
    bool is_force;         /* config set, member remove: although some node does not answer */
    bool is_yes;           /* member replace: do not ask */
    bool is_learner;       /* member add: it stays a learner */
    bool drops_pending;    /* auth revoke and remove: with what is pending */
    bool is_no_wait;       /* member: do not wait until all shards have followed */
    bool has_values;       /* list: values, too */
    bool is_if_absent;     /* import: keys that are there stay as they are */
    bool is_help;
    bool is_version;
    uint64_t timeout_ns;    /* 0: the command's own */
    uint64_t fence_wait_ns; /* 0: the library's own */
    int32_t preferred;      /* -1: any */
    uint16_t shard;         /* of transfer and sessions */
    bool has_shard;         /* it was named */
    uint64_t max_age_ns;    /* of a relaxed get; 0: any */
    uint64_t min_index;     /* of a relaxed get; 0: any */
    const char *server;     /* whose logs */
    const char *files[CLI_FILES_MAX];
    int file_count;
    bool is_integer_format; /* of the timestamps of logs; else RFC 3339 */
    bool is_by_time;        /* logs: although the files lack where the last hand-out ended */
    enum plx_logs_odd odd;  /* of lines without a timestamp, and those that step back */
    uint64_t lease_ns;      /* 0: none */
    uint64_t limit;         /* of list: so many keys at most; 0: all */
    uint64_t from_line;     /* of import: lines before it are left out */
    uint64_t rate_bytes;    /* of backup, a second; 0: the command's own */
    const char *out;        /* of key new: the file to make */
    const char *root;       /* of key new: file of the root key that the new one follows from */
    uint32_t generation;    /* of key new --root */
    uint8_t key_id;         /* of key new; 0: the command's own */
};

/*
 * Parses; takes endpoints, cluster and key from POLLUX_ENDPOINTS, POLLUX_CLUSTER and POLLUX_KEY
 * where they are not given. False, and a message that names the argument in ret_reason, when it is
 * not valid.
 */
bool cli_arguments_parse(int argc, char **argv, struct cli_arguments *ret_arguments,
                         char *ret_reason, size_t reason_size);

/*
 * An operand that is a key or a value, as bytes: as it is, or without its escapes (--escaped). They
 * are taken back in place, so once only. The text of an operand holds no zero byte, an escape may
 * stand for one. False, and a message that names the place in ret_reason: no escape.
 */
bool cli_operand_read(const struct cli_arguments *arguments, int at, struct plx_bytes *ret_bytes,
                      char *ret_reason, size_t reason_size);

/* False, and a message that names the option in ret_reason, when one is given that the command
 * would ignore and its caller count on. */
bool cli_arguments_fit(const struct cli_arguments *arguments, char *ret_reason, size_t reason_size);

/* "64KiB", "16MiB", "1GiB", "512B". False: none of these, or zero. */
bool cli_size_parse(const char *text, uint64_t *ret_bytes);

/* "250ms", "2s", "100us", "5000ns", "5min", "1h". False: none of these, or zero. */
bool cli_duration_parse(const char *text, uint64_t *ret_ns);

#endif
