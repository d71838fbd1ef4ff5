/* polluxd: the node daemon. One process is one node; one configuration file says everything. */
#include "server/check.h"
#include "server/config.h"
#include "server/data_directory.h"
#include "server/log_event.h"
#include "server/node.h"
#include "server/user_switch.h"
#include "tools/console/console.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define REASON_MAX 512

/* How often log lines leave the ring. */
#define POLL_INTERVAL_NS 20000000

static const char usage[] =
    "usage: polluxd --config FILE [--init | --check | --moved]\n"
    "\n"
    "Runs one Pollux node in the foreground, log lines on standard error, until SIGTERM or "
    "SIGINT.\n"
    "\n"
    "  -c, --config FILE   configuration (see polluxd.example.ini)\n"
    "      --init          make the node's data directory, and exit; once, before the first start\n"
    "      --check         look at configuration, directory, medium, sizes and the machine; tell\n"
    "                      what is good and what is wrong, and exit. pollux doctor also mends\n"
    "      --moved         note that the data directory was moved to the medium that [node] "
    "medium\n"
    "                      names, and exit\n"
    "  -h, --help          this text\n"
    "      --version       version\n"
    "\n"
    "exit status: 0 stopped as asked; 2 usage; 3 configuration; 4 port; 5 log file or memory;\n"
    "             6 a medium failed; 7 data directory; 8 internal; 9 done, but\n"
    "             standard output could not be written\n";

enum action { ACTION_RUN, ACTION_INIT, ACTION_CHECK, ACTION_MOVED };

struct arguments {
    const char *path;
    enum action action;
    bool is_done; /* help or version */
};

static enum node_exit serve(const struct config *config, const char *program)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, &signals, NULL); /* before any thread: all inherit it */
    struct node *node;
    enum node_exit exit = node_start(config, program, &node);
    if (exit != NODE_EXIT_OK)
        return exit;
    struct timespec interval = {.tv_nsec = POLL_INTERVAL_NS};
    while (node_poll(node)) {
        if (sigtimedwait(&signals, NULL, &interval) > 0)
            break;
    }
    return node_stop(node);
}

static enum error open_directory(const struct config *config, struct data_directory *directory,
                                 char *text)
{
    struct user_switch user;
    enum error error = user_switch_find(config->user, &user, text, DATA_DIRECTORY_TEXT_BYTES);
    if (error == OK)
        error = user_switch_check(&user, config->directory, text, DATA_DIRECTORY_TEXT_BYTES);
    if (error == OK)
        error = data_directory_open(config, directory, text);
    if (error != OK || !directory->is_mended)
        return error;
    error = user_switch_hand_over(config->user, config->directory, text, DATA_DIRECTORY_TEXT_BYTES);
    if (error != OK)
        data_directory_close(directory);
    return error;
}

static enum node_exit run_node(const struct config *config, const char *program)
{
    struct data_directory directory;
    char text[DATA_DIRECTORY_TEXT_BYTES] = "";
    if (open_directory(config, &directory, text) != OK) {
        log_event_line("error", "%s", text);
        return NODE_EXIT_DIRECTORY;
    }
    if (directory.is_mended)
        log_event_line("warning",
                       "%s/identity: a damaged copy was repaired from the other; check the medium",
                       config->directory);
    enum node_exit exit = serve(config, program);
    data_directory_close(&directory);
    return exit;
}

static enum node_exit tell_directory(enum error error, const char *text)
{
    if (error == OK)
        printf("%s\n", text);
    else
        log_event_line("error", "%s", text);
    return error == OK ? NODE_EXIT_OK : NODE_EXIT_DIRECTORY;
}

/* True: nothing is wrong. */
static bool check(const struct arguments *arguments, const struct config *config)
{
    struct host host;
    host_init(&host);
    struct check_task task = {.host = &host, .config = config, .config_path = arguments->path};
    return check_print(&task, stdout);
}

/* What keeps a node from starting is often the machine. */
static enum node_exit run_and_hint(const struct arguments *arguments, const struct config *config,
                                   const char *program)
{
    enum node_exit exit = run_node(config, program);
    if (exit == NODE_EXIT_CONFIG || exit == NODE_EXIT_PORT || exit == NODE_EXIT_DIRECTORY)
        log_event_line("info",
                       "what is wrong, and the command that mends it: pollux doctor "
                       "--config %s",
                       arguments->path);
    return exit;
}

static enum node_exit act(const struct arguments *arguments, const struct config *config,
                          const char *program)
{
    char text[DATA_DIRECTORY_TEXT_BYTES] = "";
    bool is_made;
    enum error error;
    switch (arguments->action) {
    case ACTION_RUN:
        return run_and_hint(arguments, config, program);
    case ACTION_INIT:
        error = data_directory_init(config, &is_made, text);
        if (error == OK)
            error = user_switch_hand_over(config->user, config->directory, text,
                                          DATA_DIRECTORY_TEXT_BYTES);
        return tell_directory(error, text);
    case ACTION_CHECK:
        printf("good %s: can be read\n", arguments->path);
        return check(arguments, config) ? NODE_EXIT_OK : NODE_EXIT_CONFIG;
    case ACTION_MOVED:
        error = data_directory_move(config, text);
        if (error == OK)
            error = user_switch_hand_over(config->user, config->directory, text,
                                          DATA_DIRECTORY_TEXT_BYTES);
        return tell_directory(error, text);
    }
    return NODE_EXIT_INTERNAL;
}

/* One action at most. */
static bool take_action(struct arguments *arguments, enum action action)
{
    bool is_first = arguments->action == ACTION_RUN;
    arguments->action = action;
    return is_first;
}

static bool take_option(struct arguments *arguments, int option)
{
    switch (option) {
    case 'c':
        arguments->path = optarg;
        return true;
    case 'i':
        return take_action(arguments, ACTION_INIT);
    case 'k':
        return take_action(arguments, ACTION_CHECK);
    case 'm':
        return take_action(arguments, ACTION_MOVED);
    case 'h':
        fputs(usage, stdout);
        arguments->is_done = true;
        return true;
    case 'v':
        puts("polluxd " POLLUX_VERSION);
        arguments->is_done = true;
        return true;
    default:
        return false;
    }
}

static bool take_arguments(int argc, char **argv, struct arguments *ret_arguments)
{
    static const struct option options[] = {{"config", required_argument, NULL, 'c'},
                                            {"init", no_argument, NULL, 'i'},
                                            {"check", no_argument, NULL, 'k'},
                                            {"moved", no_argument, NULL, 'm'},
                                            {"help", no_argument, NULL, 'h'},
                                            {"version", no_argument, NULL, 'v'},
                                            {NULL, 0, NULL, 0}};
    *ret_arguments = (struct arguments){.action = ACTION_RUN};
    int option;
    while ((option = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
        if (!take_option(ret_arguments, option))
            return false;
        if (ret_arguments->is_done)
            return true;
    }
    return ret_arguments->path != NULL && optind == argc;
}

static enum node_exit run_words(int argc, char **argv)
{
    struct arguments arguments;
    (void)umask(027); /* what a node writes is nobody else's */
    if (!take_arguments(argc, argv, &arguments)) {
        fputs(usage, stderr);
        return NODE_EXIT_USAGE;
    }
    if (arguments.is_done)
        return NODE_EXIT_OK;
    struct config config;
    char reason[REASON_MAX];
    if (config_read(arguments.path, &config, reason, sizeof(reason)) != OK) {
        if (arguments.action == ACTION_CHECK)
            printf("wrong %s\n", reason);
        else
            log_event_line("error", "%s", reason);
        return NODE_EXIT_CONFIG;
    }
    return act(&arguments, &config, argv[0]);
}

int main(int argc, char **argv)
{
    console_begin("polluxd");
    return console_end((int)run_words(argc, argv), NODE_EXIT_OUTPUT);
}
