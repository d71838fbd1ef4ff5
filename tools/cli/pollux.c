/* `pollux`: the command line client of a cluster. */
#include "client/include/pollux_cluster.h"
#include "tools/cli/cli_commands.h"
#include "tools/console/console.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TIMEOUT_NS (UINT64_C(1000) * 1000 * 1000)

static const char help_of_commands[] =
    "usage: pollux [OPTIONS] COMMAND [OPERANDS]\n"
    "\n"
    "Commands on keys:\n"
    "  get KEY             print the value\n"
    "  set KEY VALUE       store it (- reads VALUE from standard input; --absent: as del)\n"
    "  swap KEY NEW OLD    store NEW if OLD is stored; --expect-absent: if nothing is (leave out\n"
    "                      OLD); --absent: delete instead (leave out NEW)\n"
    "  del KEY             remove the key\n"
    "  list [PREFIX]       the keys that are stored, in their order (--values: and their values)\n"
    "  export [PREFIX] FILE  write keys and values to FILE (- is standard output)\n"
    "  import FILE         store what export has written; --if-absent: only keys that are not "
    "there\n"
    "  resolve TOKEN       learn, for good, the outcome that was unknown\n"
    "  load FILE           store every line KEY<TAB>VALUE (- is standard input)\n"
    "  check FILE          compare every line KEY<TAB>VALUE with what is stored\n"
    "Commands on logs, each line of which is handed out once:\n"
    "  logs take           print the lines of --file that nobody has taken, and take them\n"
    "  logs confirm ID     confirm a lease: its lines are never handed out again\n"
    "  logs release ID     give a lease back: its lines are handed out anew\n"
    "  logs cursor         up to where the lines were handed out\n"
    "  logs follow         take lines as the file grows, across rotations, until interrupted\n";
static const char help_of_nodes[] =
    "Commands on nodes:\n"
    "  status              who leads each shard, how far everybody is: start here when something "
    "is\n"
    "                      wrong\n"
    "  counters            everything that each node counts\n"
    "  ping                which endpoints answer, and how fast\n"
    "  doctor              look at a node and its machine, and mend: see pollux doctor --help\n"
    "  transfer [NODE]     hand the leadership of a shard over, to NODE or to whoever is fittest\n"
    "  sessions [list]     the sessions of a shard, those first that were quiet for longest\n"
    "  sessions end ID     end one: its client, if it lives, opens another\n"
    "  config get          the limits in force, and what each node's memory is made for\n"
    "  config set NAME=VALUE...  change keys_max, store_size or sessions_max (of a node) on all "
    "nodes\n"
    "  member list         which storages count in each shard, and which do not\n"
    "  member add NODE ADDRESS    make the node a member of the cluster, at ip:port\n"
    "  member promote NODE        let a node that was added with --learner count\n"
    "  member remove NODE         let the node count no more\n"
    "  member update NODE ADDRESS the node is at another address\n"
    "  member replace NODE take the storage that NODE has now in place of the one that it lost\n"
    "  upgrade             which formats of files and packets the nodes know, and which is in "
    "force\n"
    "  upgrade finish      put the next one in force, when every member knows it: from then on no\n"
    "                      older program can be started any more\n"
    "  rescue DIRECTORY...  put a cluster that has lost its majority for good together anew, from\n"
    "                      the data directories that are left; see pollux rescue --help\n"
    "  shard KEY           print the number of the shard that the key belongs to\n"
    "  backup FILE         copy the state of all shards to FILE, while the cluster runs (- is\n"
    "                      standard output); again after an interrupt: goes on\n"
    "  backup verify FILE  read a backup, and tell what is in it or where it is damaged\n"
    "  restore FILE        make the data directory of the first node of a new cluster from a\n"
    "                      backup; see pollux restore --help\n"
    "Commands on the rights of clients, with the key of an administrator or the root key:\n"
    "  auth list           who may do what\n"
    "  auth add NAME       a client, with no rights yet; the first one puts rights in force\n"
    "  auth grant NAME RIGHT,... [PREFIX]     read, relaxed-read, write, relaxed-write or logs, "
    "to\n"
    "                      keys that begin with PREFIX (none: all keys); admin\n"
    "  auth revoke NAME [RIGHT,... [PREFIX]]  take them back; without a right: all of them, and "
    "the\n"
    "                      client's key ends\n"
    "  auth remove NAME    the client is none any more\n"
    "Commands on key files, which ask no node:\n"
    "  key new NAME        make the root key of a cluster, in the file --out; with --root FILE: "
    "the\n"
    "                      key of the client NAME, which follows from that root key\n"
    "  key show FILE       print what is in a key file, but for the secret\n"
    "\n";
static const char help_of_options[] =
    "Options:\n"
    "  -e, --endpoints HOST:PORT,...  all nodes (also --servers; default: $POLLUX_ENDPOINTS)\n"
    "  -c, --cluster NAME             the cluster's name (default: $POLLUX_CLUSTER)\n"
    "      --key FILE                 the client's key, or the root key, which may do everything\n"
    "                                 (default: $POLLUX_KEY; none: not sealed)\n"
    "  -o, --output plain|table|json  default: plain\n"
    "  -t, --timeout TIME             of one operation, such as 250ms or 2s; default: 1s\n"
    "      --fence-wait TIME          longest wait beyond it for a definite answer; default: 1s\n"
    "      --blocking                 wait for the answer, however long it takes\n"
    "      --relaxed                  ask, or tell, one node alone, with or without a leader\n"
    "      --preferred N              that node, by its place among the endpoints, from 0\n"
    "      --max-age TIME             relaxed get, list: contact with a quorum at most this long "
    "ago\n"
    "      --min-index N              relaxed get: everything up to this log index is applied\n"
    "      --shard N                  transfer, sessions: of that shard, from 0; default: 0\n"
    "      --force                    config set, member remove: although nodes do not answer\n"
    "      --learner                  member add: it gets everything, and never counts\n"
    "      --no-wait                  member: return as soon as the cluster has noted it\n"
    "      --yes                      member replace: do not ask\n"
    "      --limit N                  list: at most so many keys\n"
    "      --values                   list: print KEY<TAB>VALUE\n"
    "      --if-absent                import: leave keys that are there as they are\n"
    "      --from-line N              import: leave out the lines before, to go on\n"
    "      --rate SIZE                backup: at most so much a second; default: 16MiB\n"
    "      --out FILE                 key new: the file to make\n"
    "      --root FILE                key new: the root key that a client's key follows from\n"
    "      --generation N             key new --root: another one is another key; default: 0;\n"
    "                                 auth add, revoke: the lowest one that is to count\n"
    "      --drop-pending             auth revoke NAME, auth remove: nodes drop the client's\n"
    "                                 relaxed writes that are pending\n"
    "      --id N                     key new: 1 to 255, another one for each root key; default: "
    "1\n"
    "      --raw                      print a value without a newline behind it\n"
    "      --escaped                  keys and values have escapes (\\xNN, \\n, \\t, \\r, \\\\), "
    "on the\n"
    "                                 command line, in files of load and check, and as printed\n"
    "      --server NAME              logs: whose\n"
    "      --file FILE                logs: one on each line, timestamp first; again for the next\n"
    "                                 file, oldest first (- is standard input)\n"
    "      --format rfc3339|integer   logs: of the timestamps; default: rfc3339\n"
    "      --odd refuse|stop|attach   logs: lines without a timestamp, or that step back\n"
    "      --by-time                  logs: although the last hand-out's place is in no file\n"
    "      --lease TIME               logs: lend the lines for so long, until confirmed\n"
    "  -h, --help    --version\n"
    "\n"
    "Exit status:\n"
    "  0 it took effect, or here is the answer       4 unknown: resolve the token it printed\n"
    "  1 another value is stored, or no such key     5 refused, nothing changed\n"
    "  2 wrong usage                                 6 nobody answers\n"
    "  3 timeout: it did not take effect, for sure   7 this machine is out of memory or sockets\n"
    "  8 as 0, but standard output could not be written: closed, full, or a pipe nobody reads\n"
    "An operand that begins with - comes behind --, as in: pollux set -- KEY -1\n";

static const struct cli_command commands[] = {
    {"get", "KEY", 1, 1, cli_get},
    {"set", "KEY VALUE|-", 1, 2, cli_set},
    {"swap", "KEY NEW|- OLD|-", 1, 3, cli_swap},
    {"del", "KEY", 1, 1, cli_del},
    {"resolve", "TOKEN", 1, 1, cli_resolve},
    {"load", "FILE|-", 1, 1, cli_load},
    {"check", "FILE|-", 1, 1, cli_check},
    {"status", "", 0, 0, cli_status},
    {"counters", "", 0, 0, cli_counters},
    {"ping", "", 0, 0, cli_ping},
    {"transfer", "[NODE]", 0, 1, cli_transfer},
    {"logs", "take|confirm|release|cursor|follow [ID]", 1, 2, cli_logs},
    {"shard", "KEY", 1, 1, cli_shard},
    {"sessions", "[list|end ID]", 0, 2, cli_sessions},
    {"config", "get|set [NAME=VALUE...]", 1, 4, cli_config},
    {"member", "list|add|promote|remove|update|replace [NODE [ADDRESS]]", 1, 3, cli_member},
    {"backup", "[verify] FILE|-", 1, 2, cli_backup},
    {"upgrade", "[finish]", 0, 1, cli_upgrade},
    {"key", "new NAME|show FILE", 2, 2, cli_key},
    {"auth", "add|grant|revoke|remove|list [NAME [RIGHTS [PREFIX]]]", 1, 4, cli_auth},
    {"list", "[PREFIX]", 0, 1, cli_list},
    {"export", "[PREFIX] FILE|-", 1, 2, cli_export},
    {"import", "FILE|-", 1, 1, cli_import},
};

int cli_usage_error(const struct cli_arguments *arguments, const char *format, ...)
{
    va_list values;
    va_start(values, format);
    fprintf(stderr, "pollux: %s%s", arguments->command == NULL ? "" : arguments->command,
            arguments->command == NULL ? "" : ": ");
    vfprintf(stderr, format, values);
    fprintf(stderr, "\n");
    va_end(values);
    return CLI_EXIT_USAGE;
}

/* Reads until the end or the limit; the stream stays open. */
static bool stream_read(FILE *stream, size_t size_bytes_max, char **ret_bytes,
                        size_t *ret_size_bytes, const char **ret_fault)
{
    size_t capacity = 64 * 1024;
    size_t size = 0;
    char *bytes = malloc(capacity);
    *ret_fault = "out of memory";
    while (bytes != NULL) {
        size += fread(bytes + size, 1, capacity - size, stream);
        if (size < capacity)
            break;
        capacity *= 2;
        char *larger = size > size_bytes_max ? NULL : realloc(bytes, capacity);
        if (larger == NULL) {
            free(bytes);
            *ret_fault = size > size_bytes_max ? "too large" : "out of memory";
            return false;
        }
        bytes = larger;
    }
    if (bytes == NULL)
        return false;
    *ret_fault = ferror(stream) ? strerror(errno) : "too large";
    if (ferror(stream) || size > size_bytes_max) {
        free(bytes);
        return false;
    }
    *ret_bytes = bytes;
    *ret_size_bytes = size;
    return true;
}

bool cli_read_file(const char *path, size_t size_bytes_max, char **ret_bytes,
                   size_t *ret_size_bytes)
{
    bool is_stdin = strcmp(path, "-") == 0;
    FILE *stream = is_stdin ? stdin : fopen(path, "rb");
    const char *name = is_stdin ? "standard input" : path;
    if (stream == NULL) {
        fprintf(stderr, "pollux: %s: %s\n", name, strerror(errno));
        return false;
    }
    const char *fault;
    bool is_read = stream_read(stream, size_bytes_max, ret_bytes, ret_size_bytes, &fault);
    if (!is_read)
        fprintf(stderr, "pollux: %s: %s\n", name, fault);
    if (!is_stdin)
        fclose(stream);
    return is_read;
}

static const struct cli_command *command_find(const char *name)
{
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    }
    return NULL;
}

/* The command asks no node; its client is NULL. */
static bool is_offline(const struct cli_arguments *arguments)
{
    return (strcmp(arguments->command, "backup") == 0 && arguments->operand_count == 2) ||
           strcmp(arguments->command, "key") == 0;
}

/* NULL: an error was printed. */
static const struct cli_command *command_check(const struct cli_arguments *arguments)
{
    if (arguments->command == NULL) {
        cli_usage_error(arguments, "no command given; pollux --help lists them");
        return NULL;
    }
    const struct cli_command *command = command_find(arguments->command);
    if (command == NULL) {
        cli_usage_error(arguments, "no such command; pollux --help lists them");
    } else if (arguments->operand_count < command->operands_min) {
        cli_usage_error(arguments, "operand %d is missing: pollux %s %s",
                        arguments->operand_count + 1, command->name, command->operands);
        command = NULL;
    } else if (arguments->operand_count > command->operands_max) {
        cli_usage_error(arguments, "operand %d, '%s', is too many: pollux %s %s",
                        command->operands_max + 1, arguments->operands[command->operands_max],
                        command->name, command->operands);
        command = NULL;
    }
    char reason[128];
    if (command != NULL && !cli_arguments_fit(arguments, reason, sizeof(reason))) {
        cli_usage_error(arguments, "%s", reason);
        command = NULL;
    }
    if (command != NULL && is_offline(arguments))
        return command;
    if (command != NULL && arguments->endpoints == NULL) {
        cli_usage_error(arguments, "no endpoints: give -e HOST:PORT,... or POLLUX_ENDPOINTS");
        command = NULL;
    } else if (command != NULL && arguments->cluster == NULL) {
        cli_usage_error(arguments, "no cluster: give -c NAME or POLLUX_CLUSTER");
        command = NULL;
    }
    return command;
}

/* The client that an interrupt cancels. Written before the handler is installed, and never
 * after. */
static struct plx_client *interrupted_client;
static volatile sig_atomic_t is_interrupted;

bool cli_is_interrupted(void)
{
    return is_interrupted != 0;
}

static void on_interrupt(int number)
{
    is_interrupted = 1;
    plx_cancel(interrupted_client);
    /* A second one ends the program at once. */
    signal(number, SIG_DFL);
}

bool cli_print(const char *bytes, size_t size_bytes)
{
    return fwrite(bytes, 1, size_bytes, stdout) == size_bytes && console_is_whole();
}

bool cli_operand_bytes(const struct cli_arguments *arguments, int at, struct plx_bytes *ret_bytes)
{
    char reason[128];
    if (cli_operand_read(arguments, at, ret_bytes, reason, sizeof(reason)))
        return true;
    (void)cli_usage_error(arguments, "%s", reason);
    return false;
}

void cli_cancel_on_interrupt(struct plx_client *client)
{
    interrupted_client = client;
    signal(SIGINT, on_interrupt);
    signal(SIGTERM, on_interrupt);
}

/* Nodes of another cluster that has the same name, or of one of its eras that is over. */
static void tell_strangers(struct plx_client *client)
{
    struct plx_cluster ours;
    struct plx_cluster theirs;
    plx_cluster(client, &ours);
    for (size_t i = 0; i < plx_endpoint_count(client); i++) {
        if (plx_endpoint_is_stranger(client, i, &theirs))
            fprintf(stderr,
                    "pollux: %s is ignored: its node belongs to cluster %016" PRIx64
                    " (era %" PRIu32 "), the others to %016" PRIx64 " (era %" PRIu32
                    "); correct the endpoints\n",
                    plx_endpoint_name(client, i), theirs.number, theirs.era, ours.number, ours.era);
    }
}

enum plx_outcome cli_open(const struct cli_arguments *arguments, const char *endpoints,
                          struct plx_client **ret_client, char *ret_reason, size_t reason_size)
{
    struct plx_options options;
    plx_options_init(&options);
    options.endpoints = endpoints;
    options.cluster = arguments->cluster;
    options.key_file = arguments->key_file;
    options.may_use_root_key = true;
    options.timeout_ns = TIMEOUT_NS;
    if (endpoints == arguments->endpoints)
        options.preferred_endpoint = arguments->preferred;
    return plx_open(&options, ret_client, ret_reason, reason_size);
}

static int run(const struct cli_command *command, const struct cli_arguments *arguments)
{
    struct plx_client *client;
    char reason[512];
    enum plx_outcome outcome =
        cli_open(arguments, arguments->endpoints, &client, reason, sizeof(reason));
    if (outcome != PLX_OK) {
        fprintf(stderr, "pollux: %s\n", reason);
        return plx_outcome_exit_code(outcome);
    }
    int code = command->run(client, arguments);
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    tell_strangers(client);
    plx_close(client);
    return code;
}

static int run_words(int argc, char **argv)
{
    struct cli_arguments arguments;
    char reason[256];
    if (argc > 1 && cli_is_program(argv[1]))
        return cli_run_program(argv + 1);
    if (!cli_arguments_parse(argc, argv, &arguments, reason, sizeof(reason))) {
        fprintf(stderr, "pollux: %s\n", reason);
        return CLI_EXIT_USAGE;
    }
    if (arguments.is_help) {
        fputs(help_of_commands, stdout);
        fputs(help_of_nodes, stdout);
        fputs(help_of_options, stdout);
        return 0;
    }
    if (arguments.is_version) {
        printf("pollux %s\n", POLLUX_VERSION);
        return 0;
    }
    const struct cli_command *command = command_check(&arguments);
    if (command == NULL)
        return CLI_EXIT_USAGE;
    return is_offline(&arguments) ? command->run(NULL, &arguments) : run(command, &arguments);
}

int main(int argc, char **argv)
{
    console_begin("pollux");
    return console_end(run_words(argc, argv), CLI_EXIT_UNWRITTEN);
}
