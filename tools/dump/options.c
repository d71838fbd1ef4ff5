/* See options.h. */
#include "tools/dump/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>

enum { OPTION_FROM = 1000, OPTION_TO, OPTION_ONLY, OPTION_SHARD };
enum {
    OPTION_RECORDS = 2000,
    OPTION_BLOCKS,
    OPTION_KEYS,
    OPTION_SESSIONS,
    OPTION_VALUES,
    OPTION_ALL
};

static const struct option known[] = {
    {"shard", required_argument, NULL, OPTION_SHARD},
    {"from", required_argument, NULL, OPTION_FROM},
    {"to", required_argument, NULL, OPTION_TO},
    {"only", required_argument, NULL, OPTION_ONLY},
    {"records", no_argument, NULL, OPTION_RECORDS},
    {"blocks", no_argument, NULL, OPTION_BLOCKS},
    {"keys", no_argument, NULL, OPTION_KEYS},
    {"sessions", no_argument, NULL, OPTION_SESSIONS},
    {"values", no_argument, NULL, OPTION_VALUES},
    {"all", no_argument, NULL, OPTION_ALL},
    {"output", required_argument, NULL, 'o'},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'V'},
    {NULL, 0, NULL, 0},
};

static const struct {
    const char *name;
    uint32_t part;
} parts[] = {
    {"identity", DUMP_IDENTITY}, {"log", DUMP_LOG},       {"journal", DUMP_JOURNAL},
    {"snapshot", DUMP_SNAPSHOT}, {"starts", DUMP_STARTS}, {"configuration", DUMP_CONFIGURATION},
};

static enum error refuse(char *ret_reason, size_t reason_size, const char *what, const char *value)
{
    snprintf(ret_reason, reason_size, "%.64s %.128s", what, value);
    return ERR_ARGUMENT;
}

static bool read_number(const char *text, uint64_t max, uint64_t *ret_number)
{
    char *end = NULL;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || number > max)
        return false;
    *ret_number = number;
    return true;
}

static bool is_name(const char *name, const char *text, size_t length)
{
    return strncmp(name, text, length) == 0 && name[length] == '\0';
}

/* A list of parts, separated by commas. */
static bool read_parts(const char *text, uint32_t *ret_parts)
{
    uint32_t found = 0;
    for (;;) { /* the parts of the argument */
        size_t length = strcspn(text, ",");
        uint32_t part = 0;
        for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
            part |= is_name(parts[i].name, text, length) ? parts[i].part : 0;
        if (part == 0)
            return false;
        found |= part;
        if (text[length] == '\0')
            break;
        text += length + 1;
    }
    *ret_parts = found;
    return true;
}

static bool read_format(const char *text, enum output_format *ret_format)
{
    static const char *const names[] = {
        [OUTPUT_TEXT] = "text", [OUTPUT_JSON] = "json", [OUTPUT_LINES] = "jsonl"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(text, names[i]) == 0) {
            *ret_format = (enum output_format)i;
            return true;
        }
    }
    return false;
}

static bool read_shard(const char *text, struct dump_options *options)
{
    uint64_t shard;
    if (!read_number(text, SHARDS_MAX - 1, &shard))
        return false;
    options->has_shards = true;
    options->shards[shard] = true;
    return true;
}

static bool read_flag(int option, struct dump_options *options)
{
    switch (option) {
    case OPTION_RECORDS:
        options->has_records = true;
        return true;
    case OPTION_BLOCKS:
        options->has_blocks = true;
        return true;
    case OPTION_KEYS:
        options->has_keys = true;
        return true;
    case OPTION_SESSIONS:
        options->has_sessions = true;
        return true;
    case OPTION_VALUES:
        options->has_values = true;
        return true;
    case OPTION_ALL:
        options->is_all_read = true;
        return true;
    case 'h':
        options->is_help = true;
        return true;
    case 'V':
        options->is_version = true;
        return true;
    default:
        return false;
    }
}

static enum error read_option(int option, struct dump_options *options, char *ret_reason,
                              size_t reason_size)
{
    if (read_flag(option, options))
        return OK;
    switch (option) {
    case OPTION_SHARD:
        return read_shard(optarg, options)
                   ? OK
                   : refuse(ret_reason, reason_size, "--shard: not a shard:", optarg);
    case OPTION_FROM:
        return read_number(optarg, INDEX_MAX, &options->from_index)
                   ? OK
                   : refuse(ret_reason, reason_size, "--from: not an index:", optarg);
    case OPTION_TO:
        return read_number(optarg, INDEX_MAX, &options->to_index)
                   ? OK
                   : refuse(ret_reason, reason_size, "--to: not an index:", optarg);
    case OPTION_ONLY:
        return read_parts(optarg, &options->parts)
                   ? OK
                   : refuse(ret_reason, reason_size,
                            "--only: not some of identity, log, journal, snapshot, starts, "
                            "configuration:",
                            optarg);
    case 'o':
        return read_format(optarg, &options->format)
                   ? OK
                   : refuse(ret_reason, reason_size, "-o: not one of text, json, jsonl:", optarg);
    default:
        return refuse(ret_reason, reason_size, "unknown option, or an argument is missing:", "");
    }
}

enum error dump_options_read(int count, char *const *arguments, struct dump_options *ret_options,
                             char *ret_reason, size_t reason_size)
{
    struct dump_options options = {.parts = DUMP_ALL, .to_index = INDEX_MAX};
    opterr = 0;
    optind = 0;
    for (;;) { /* the arguments */
        int option = getopt_long(count, arguments, "o:hV", known, NULL);
        if (option < 0)
            break;
        if (option == '?' || option == ':')
            return refuse(ret_reason, reason_size, "unknown option, or its value is missing:",
                          arguments[optind > 1 ? optind - 1 : 1]);
        enum error error = read_option(option, &options, ret_reason, reason_size);
        if (error != OK)
            return error;
    }
    if (!options.is_help && !options.is_version && optind != count - 1)
        return refuse(ret_reason, reason_size, "name one data directory or one file", "");
    if (options.from_index > options.to_index)
        return refuse(ret_reason, reason_size, "--from is behind --to", "");
    options.path = optind < count ? arguments[optind] : NULL;
    *ret_options = options;
    return OK;
}

bool dump_options_has_shard(const struct dump_options *options, uint32_t shard)
{
    return !options->has_shards || (shard < SHARDS_MAX && options->shards[shard]);
}
