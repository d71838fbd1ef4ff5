/* The command line of `pollux`: see tools/cli/cli_arguments.h. */
#include "tools/cli/cli_arguments.h"

#include "tools/console/escape.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum long_option {
    OPTION_RELAXED = 256,
    OPTION_BLOCKING,
    OPTION_ABSENT,
    OPTION_EXPECT_ABSENT,
    OPTION_RAW,
    OPTION_ESCAPED,
    OPTION_FORCE,
    OPTION_YES,
    OPTION_LEARNER,
    OPTION_NO_WAIT,
    OPTION_DROP_PENDING,
    OPTION_FENCE_WAIT,
    OPTION_PREFERRED,
    OPTION_SHARD,
    OPTION_MAX_AGE,
    OPTION_MIN_INDEX,
    OPTION_SERVER,
    OPTION_FILE,
    OPTION_FORMAT,
    OPTION_LEASE,
    OPTION_ODD,
    OPTION_BY_TIME,
    OPTION_RATE,
    OPTION_LIMIT,
    OPTION_FROM_LINE,
    OPTION_VALUES,
    OPTION_IF_ABSENT,
    OPTION_KEY,
    OPTION_OUT,
    OPTION_ROOT,
    OPTION_GENERATION,
    OPTION_ID,
    OPTION_VERSION,
};

static const struct option long_options[] = {
    {"endpoints", required_argument, NULL, 'e'},
    {"servers", required_argument, NULL, 'e'}, /* the name that the other tools use */
    {"cluster", required_argument, NULL, 'c'},
    {"output", required_argument, NULL, 'o'},
    {"timeout", required_argument, NULL, 't'},
    {"fence-wait", required_argument, NULL, OPTION_FENCE_WAIT},
    {"preferred", required_argument, NULL, OPTION_PREFERRED},
    {"shard", required_argument, NULL, OPTION_SHARD},
    {"max-age", required_argument, NULL, OPTION_MAX_AGE},
    {"min-index", required_argument, NULL, OPTION_MIN_INDEX},
    {"server", required_argument, NULL, OPTION_SERVER},
    {"file", required_argument, NULL, OPTION_FILE},
    {"format", required_argument, NULL, OPTION_FORMAT},
    {"lease", required_argument, NULL, OPTION_LEASE},
    {"odd", required_argument, NULL, OPTION_ODD},
    {"by-time", no_argument, NULL, OPTION_BY_TIME},
    {"rate", required_argument, NULL, OPTION_RATE},
    {"limit", required_argument, NULL, OPTION_LIMIT},
    {"from-line", required_argument, NULL, OPTION_FROM_LINE},
    {"values", no_argument, NULL, OPTION_VALUES},
    {"if-absent", no_argument, NULL, OPTION_IF_ABSENT},
    {"key", required_argument, NULL, OPTION_KEY},
    {"out", required_argument, NULL, OPTION_OUT},
    {"root", required_argument, NULL, OPTION_ROOT},
    {"generation", required_argument, NULL, OPTION_GENERATION},
    {"id", required_argument, NULL, OPTION_ID},
    {"relaxed", no_argument, NULL, OPTION_RELAXED},
    {"blocking", no_argument, NULL, OPTION_BLOCKING},
    {"absent", no_argument, NULL, OPTION_ABSENT},
    {"expect-absent", no_argument, NULL, OPTION_EXPECT_ABSENT},
    {"raw", no_argument, NULL, OPTION_RAW},
    {"escaped", no_argument, NULL, OPTION_ESCAPED},
    {"force", no_argument, NULL, OPTION_FORCE},
    {"yes", no_argument, NULL, OPTION_YES},
    {"learner", no_argument, NULL, OPTION_LEARNER},
    {"no-wait", no_argument, NULL, OPTION_NO_WAIT},
    {"drop-pending", no_argument, NULL, OPTION_DROP_PENDING},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, OPTION_VERSION},
    {NULL, 0, NULL, 0},
};

#define NANOSECONDS UINT64_C(1000000000)

struct reason {
    char *text;
    size_t size;
};

static bool fail_argument(const struct reason *reason, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static bool fail_argument(const struct reason *reason, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(reason->text, reason->size, format, arguments);
    va_end(arguments);
    return false;
}

bool cli_duration_parse(const char *text, uint64_t *ret_ns)
{
    static const struct {
        const char *name;
        uint64_t ns;
    } units[] = {{"ns", 1},
                 {"us", 1000},
                 {"ms", 1000000},
                 {"s", NANOSECONDS},
                 {"min", 60 * NANOSECONDS},
                 {"h", 3600 * NANOSECONDS}};
    char *end;
    if (text[0] < '0' || text[0] > '9')
        return false;
    errno = 0;
    unsigned long long count = strtoull(text, &end, 10);
    if (errno != 0 || count == 0)
        return false;
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (strcmp(end, units[i].name) == 0) {
            if (count > UINT64_MAX / units[i].ns)
                return false;
            *ret_ns = count * units[i].ns;
            return true;
        }
    }
    return false;
}

bool cli_size_parse(const char *text, uint64_t *ret_bytes)
{
    static const struct {
        const char *name;
        uint64_t bytes;
    } units[] = {{"B", 1}, {"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}};
    char *end;
    if (text[0] < '0' || text[0] > '9')
        return false;
    errno = 0;
    unsigned long long count = strtoull(text, &end, 10);
    if (errno != 0 || count == 0)
        return false;
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (strcmp(end, units[i].name) == 0)
            return !__builtin_mul_overflow((uint64_t)count, units[i].bytes, ret_bytes);
    }
    return false;
}

static bool format_parse(const char *text, enum cli_format *ret_format)
{
    static const char *const names[] = {"plain", "table", "json"};
    for (int i = 0; i < 3; i++) {
        if (strcmp(text, names[i]) == 0) {
            *ret_format = (enum cli_format)i;
            return true;
        }
    }
    return false;
}

static bool preferred_parse(const char *text, int32_t *ret_preferred)
{
    char *end;
    long preferred = strtol(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || preferred > INT16_MAX)
        return false;
    *ret_preferred = (int32_t)preferred;
    return true;
}

static bool shard_parse(const char *text, uint16_t *ret_shard)
{
    char *end;
    long shard = strtol(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || shard > INT16_MAX)
        return false;
    *ret_shard = (uint16_t)shard;
    return true;
}

static bool index_parse(const char *text, uint64_t *ret_index)
{
    char *end;
    errno = 0;
    unsigned long long index = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || index == 0)
        return false;
    *ret_index = index;
    return true;
}

/* Decimal, `min` .. `max`. */
static bool number_parse(const char *text, uint64_t min, uint64_t max, uint64_t *ret_number)
{
    char *end;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || number < min ||
        number > max)
        return false;
    *ret_number = number;
    return true;
}

static bool file_add(struct cli_arguments *arguments, const char *path)
{
    if (arguments->file_count == CLI_FILES_MAX)
        return false;
    arguments->files[arguments->file_count++] = path;
    return true;
}

static bool log_format_parse(const char *text, bool *ret_is_integer)
{
    bool is_integer = strcmp(text, "integer") == 0;
    if (!is_integer && strcmp(text, "rfc3339") != 0)
        return false;
    *ret_is_integer = is_integer;
    return true;
}

static bool odd_parse(const char *text, enum plx_logs_odd *ret_odd)
{
    static const char *const names[] = {"refuse", "stop", "attach"};
    for (int i = 0; i < 3; i++) {
        if (strcmp(text, names[i]) == 0) {
            *ret_odd = (enum plx_logs_odd)i;
            return true;
        }
    }
    return false;
}

/* Options of `logs` that carry a text. */
static bool option_of_logs(struct cli_arguments *arguments, int option, const char *value,
                           const struct reason *reason)
{
    switch (option) {
    case OPTION_SERVER:
        arguments->server = value;
        return true;
    case OPTION_FILE:
        return file_add(arguments, value) ||
               fail_argument(reason, "--file %s: more than %d files", value, CLI_FILES_MAX);
    case OPTION_FORMAT:
        return log_format_parse(value, &arguments->is_integer_format) ||
               fail_argument(reason, "--format %s: not one of rfc3339, integer", value);
    case OPTION_ODD:
        return odd_parse(value, &arguments->odd) ||
               fail_argument(reason, "--odd %s: not one of refuse, stop, attach", value);
    default:
        return cli_duration_parse(value, &arguments->lease_ns) ||
               fail_argument(reason, "--lease %s: not a time such as 250ms or 2s", value);
    }
}

/* Options of `key` that carry a text. */
static bool option_of_key(struct cli_arguments *arguments, int option, const char *value,
                          const struct reason *reason)
{
    uint64_t number;
    switch (option) {
    case OPTION_OUT:
        arguments->out = value;
        return true;
    case OPTION_ROOT:
        arguments->root = value;
        return true;
    case OPTION_GENERATION:
        if (!number_parse(value, 0, UINT32_MAX, &number))
            return fail_argument(reason, "--generation %s: not a number from 0 to 4294967295",
                                 value);
        arguments->generation = (uint32_t)number;
        return true;
    default:
        if (!number_parse(value, 1, UINT8_MAX, &number))
            return fail_argument(reason, "--id %s: not a number from 1 to 255", value);
        arguments->key_id = (uint8_t)number;
        return true;
    }
}

/* Options that carry a text. */
static bool option_with_value(struct cli_arguments *arguments, int option, const char *value,
                              const struct reason *reason)
{
    switch (option) {
    case 'e':
        arguments->endpoints = value;
        return true;
    case 'c':
        arguments->cluster = value;
        return true;
    case OPTION_KEY:
        arguments->key_file = value;
        return true;
    case 'o':
        return format_parse(value, &arguments->format) ||
               fail_argument(reason, "-o %s: not one of plain, table, json", value);
    case 't':
        return cli_duration_parse(value, &arguments->timeout_ns) ||
               fail_argument(reason, "--timeout %s: not a time such as 250ms or 2s", value);
    case OPTION_FENCE_WAIT:
        return cli_duration_parse(value, &arguments->fence_wait_ns) ||
               fail_argument(reason, "--fence-wait %s: not a time such as 250ms or 2s", value);
    case OPTION_PREFERRED:
        return preferred_parse(value, &arguments->preferred) ||
               fail_argument(reason, "--preferred %s: not the number of an endpoint, from 0",
                             value);
    case OPTION_SHARD:
        arguments->has_shard = true;
        return shard_parse(value, &arguments->shard) ||
               fail_argument(reason, "--shard %s: not the number of a shard, from 0", value);
    case OPTION_MAX_AGE:
        return cli_duration_parse(value, &arguments->max_age_ns) ||
               fail_argument(reason, "--max-age %s: not a time such as 250ms or 2s", value);
    case OPTION_MIN_INDEX:
        return index_parse(value, &arguments->min_index) ||
               fail_argument(reason, "--min-index %s: not an index, from 1", value);
    case OPTION_RATE:
        return cli_size_parse(value, &arguments->rate_bytes) ||
               fail_argument(reason, "--rate %s: not a size such as 512KiB or 16MiB", value);
    case OPTION_LIMIT:
        return number_parse(value, 1, UINT64_MAX, &arguments->limit) ||
               fail_argument(reason, "--limit %s: not a number of keys, from 1", value);
    case OPTION_FROM_LINE:
        return number_parse(value, 1, UINT64_MAX, &arguments->from_line) ||
               fail_argument(reason, "--from-line %s: not the number of a line, from 1", value);
    case OPTION_OUT:
    case OPTION_ROOT:
    case OPTION_GENERATION:
    case OPTION_ID:
        return option_of_key(arguments, option, value, reason);
    default:
        return option_of_logs(arguments, option, value, reason);
    }
}

/* True when the option is one that stands alone. */
static bool option_alone(struct cli_arguments *arguments, int option)
{
    bool *const flag = option == 'h'                    ? &arguments->is_help
                       : option == OPTION_VERSION       ? &arguments->is_version
                       : option == OPTION_RELAXED       ? &arguments->is_relaxed
                       : option == OPTION_BLOCKING      ? &arguments->is_blocking
                       : option == OPTION_ABSENT        ? &arguments->is_absent
                       : option == OPTION_EXPECT_ABSENT ? &arguments->is_expect_absent
                       : option == OPTION_RAW           ? &arguments->is_raw
                       : option == OPTION_ESCAPED       ? &arguments->is_escaped
                       : option == OPTION_FORCE         ? &arguments->is_force
                       : option == OPTION_YES           ? &arguments->is_yes
                       : option == OPTION_BY_TIME       ? &arguments->is_by_time
                       : option == OPTION_LEARNER       ? &arguments->is_learner
                       : option == OPTION_VALUES        ? &arguments->has_values
                       : option == OPTION_IF_ABSENT     ? &arguments->is_if_absent
                       : option == OPTION_NO_WAIT       ? &arguments->is_no_wait
                       : option == OPTION_DROP_PENDING  ? &arguments->drops_pending
                                                        : NULL;
    if (flag != NULL)
        *flag = true;
    return flag != NULL;
}

static bool fail_option(char **argv, int option, const struct reason *reason)
{
    static const char missing[] = ": its value is missing";
    static const char unknown[] = ": unknown option; an operand that begins with - comes behind --,"
                                  " as in: pollux set -- KEY -1";
    const char *what = option == ':' ? missing : unknown;
    if (optopt != 0 && optopt < 256)
        return fail_argument(reason, "-%c%s", optopt, what);
    return fail_argument(reason, "%s%s", argv[optind - 1], what);
}

static const char *environment(const char *name)
{
    const char *value = getenv(name);
    return value != NULL && value[0] != '\0' ? value : NULL;
}

bool cli_arguments_parse(int argc, char **argv, struct cli_arguments *ret_arguments,
                         char *ret_reason, size_t reason_size)
{
    const struct reason reason = {ret_reason, reason_size};
    struct cli_arguments arguments = {.endpoints = environment("POLLUX_ENDPOINTS"),
                                      .cluster = environment("POLLUX_CLUSTER"),
                                      .key_file = environment("POLLUX_KEY"),
                                      .preferred = -1};
    int option;
    opterr = 0;
    optind = 0; /* a fresh start, whatever was parsed before */
    while ((option = getopt_long(argc, argv, ":e:c:o:t:h", long_options, NULL)) != -1) {
        if (option == '?' || option == ':')
            return fail_option(argv, option, &reason);
        if (!option_alone(&arguments, option) &&
            !option_with_value(&arguments, option, optarg, &reason))
            return false;
    }
    if (optind < argc) {
        arguments.command = argv[optind];
        arguments.operands = argv + optind + 1;
        arguments.operand_count = argc - optind - 1;
    }
    *ret_arguments = arguments;
    return true;
}

/* Options of list, export and import. */
static bool options_of_list_fit(const struct cli_arguments *arguments, const struct reason *reason)
{
    bool is_list = strcmp(arguments->command, "list") == 0;
    bool is_import = strcmp(arguments->command, "import") == 0;
    if (arguments->limit != 0 && !is_list)
        return fail_argument(reason, "--limit: only of list");
    if (arguments->has_values && !is_list)
        return fail_argument(reason, "--values: only of list");
    if (arguments->is_if_absent && !is_import)
        return fail_argument(reason, "--if-absent: only of import");
    if (arguments->from_line != 0 && !is_import)
        return fail_argument(reason, "--from-line: only of import");
    if (arguments->is_relaxed && is_import)
        return fail_argument(reason, "--relaxed: an import is always consistent");
    return true;
}

/* Whether the operands of the command are keys and values, or a file of them. */
static bool takes_bytes(const char *command)
{
    static const char *const names[] = {"get", "set", "swap", "del", "load", "check", "shard"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(names[i], command) == 0)
            return true;
    }
    return false;
}

/* How often `-` stands where it means standard input. */
static int stdin_uses(const struct cli_arguments *arguments)
{
    int uses = 0;
    int first = strcmp(arguments->command, "set") == 0 || strcmp(arguments->command, "swap") == 0
                    ? 1
                    : INT_MAX; /* a key is no file */
    for (int i = first; i < arguments->operand_count; i++)
        uses += strcmp(arguments->operands[i], "-") == 0;
    for (int i = 0; i < arguments->file_count; i++)
        uses += strcmp(arguments->files[i], "-") == 0;
    return uses;
}

bool cli_operand_read(const struct cli_arguments *arguments, int at, struct plx_bytes *ret_bytes,
                      char *ret_reason, size_t reason_size)
{
    char *text = arguments->operands[at];
    size_t size_bytes = strlen(text);
    size_t fault;
    if (arguments->is_escaped && !escape_parse(text, size_bytes, &size_bytes, &fault)) {
        snprintf(ret_reason, reason_size,
                 "operand %d: at '%.16s': no escape; --escaped takes \\xNN, \\n, \\t, \\r and \\\\",
                 at + 1, text + fault);
        return false;
    }
    *ret_bytes = (struct plx_bytes){text, size_bytes};
    return true;
}

bool cli_arguments_fit(const struct cli_arguments *arguments, char *ret_reason, size_t reason_size)
{
    const struct reason reason = {ret_reason, reason_size};
    bool is_get = strcmp(arguments->command, "get") == 0;
    bool is_set = strcmp(arguments->command, "set") == 0;
    bool is_swap = strcmp(arguments->command, "swap") == 0;
    bool is_logs = strcmp(arguments->command, "logs") == 0;
    if (arguments->is_expect_absent && !is_swap)
        return fail_argument(&reason, "--expect-absent: only of swap");
    if (arguments->is_absent && !is_swap && !is_set)
        return fail_argument(&reason, "--absent: only of set and swap");
    if (arguments->is_escaped && !takes_bytes(arguments->command))
        return fail_argument(&reason, "--escaped: only of commands on keys, and of shard");
    if (stdin_uses(arguments) > 1)
        return fail_argument(&reason,
                             "- is given %d times: standard input can be read only once; "
                             "give a value that is the character - as --escaped '\\x2d'",
                             stdin_uses(arguments));
    bool is_list = strcmp(arguments->command, "list") == 0;
    bool is_read = is_get || is_list || strcmp(arguments->command, "export") == 0;
    if (arguments->max_age_ns != 0 && !(is_read && arguments->is_relaxed))
        return fail_argument(&reason, "--max-age: only of get, list and export with --relaxed");
    if (arguments->min_index != 0 && !(is_get && arguments->is_relaxed))
        return fail_argument(&reason, "--min-index: only of get --relaxed");
    bool is_of_shard =
        strcmp(arguments->command, "transfer") == 0 || strcmp(arguments->command, "sessions") == 0;
    if (arguments->has_shard && !is_of_shard)
        return fail_argument(&reason, "--shard: only of transfer and sessions");
    bool is_member = strcmp(arguments->command, "member") == 0;
    if (arguments->is_force && !is_member && strcmp(arguments->command, "config") != 0)
        return fail_argument(&reason, "--force: only of config set and member remove");
    if (arguments->is_yes && !is_member)
        return fail_argument(&reason, "--yes: only of member replace");
    if (arguments->is_learner && !is_member)
        return fail_argument(&reason, "--learner: only of member add");
    if (arguments->is_no_wait && !is_member)
        return fail_argument(&reason, "--no-wait: only of member add, promote, remove and update");
    if (arguments->rate_bytes != 0 && strcmp(arguments->command, "backup") != 0)
        return fail_argument(&reason, "--rate: only of backup");
    if (arguments->lease_ns != 0 && !is_logs)
        return fail_argument(&reason, "--lease: only of logs take and logs follow");
    if (arguments->is_by_time && !is_logs)
        return fail_argument(&reason, "--by-time: only of logs take and logs follow");
    if (arguments->odd != PLX_LOGS_ODD_REFUSE && !is_logs)
        return fail_argument(&reason, "--odd: only of logs take and logs follow");
    if (!options_of_list_fit(arguments, &reason))
        return false;
    bool is_key = strcmp(arguments->command, "key") == 0;
    if (arguments->out != NULL && !is_key)
        return fail_argument(&reason, "--out: only of key new");
    if (arguments->root != NULL && !is_key)
        return fail_argument(&reason, "--root: only of key new");
    if (arguments->key_id != 0 && (!is_key || arguments->root != NULL))
        return fail_argument(&reason, "--id: only of key new, without --root");
    bool is_auth = strcmp(arguments->command, "auth") == 0;
    if (arguments->drops_pending && !is_auth)
        return fail_argument(&reason, "--drop-pending: only of auth revoke NAME and auth remove");
    if (arguments->generation != 0 && !is_auth && (!is_key || arguments->root == NULL))
        return fail_argument(&reason, "--generation: only of key new --root, auth add and auth "
                                      "revoke");
    return true;
}
