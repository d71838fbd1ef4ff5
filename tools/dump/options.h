/* What pollux-dump is asked for. */
#ifndef POLLUX_TOOLS_DUMP_OPTIONS_H
#define POLLUX_TOOLS_DUMP_OPTIONS_H

#include "base/error.h"
#include "base/limits.h"
#include "tools/dump/output.h"

enum dump_part {
    DUMP_IDENTITY = 1,
    DUMP_LOG = 2,
    DUMP_JOURNAL = 4,
    DUMP_SNAPSHOT = 8,
    DUMP_STARTS = 16,
    DUMP_CONFIGURATION = 32,
    DUMP_ALL = 63
};

struct dump_options {
    const char *path; /* of the data directory, or of one file */
    enum output_format format;
    uint32_t parts; /* of enum dump_part */
    bool has_shards;
    bool shards[SHARDS_MAX];
    uint64_t from_index; /* of log records */
    uint64_t to_index;
    bool has_records;
    bool has_blocks;
    bool has_keys;
    bool has_sessions;
    bool has_values;
    bool is_all_read;
    bool is_help;
    bool is_version;
};

/* Reads the arguments. ERR_ARGUMENT: `ret_reason` says what is wrong with which. */
MUST_USE enum error dump_options_read(int count, char *const *arguments,
                                      struct dump_options *ret_options, char *ret_reason,
                                      size_t reason_size);

/* Whether a shard is asked for. */
bool dump_options_has_shard(const struct dump_options *options, uint32_t shard);

#endif
