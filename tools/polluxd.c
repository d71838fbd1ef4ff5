/* polluxd: the node daemon. One process is one node; one configuration file says everything. */
#include "server/config.h"
#include "server/node.h"
#include "server/log_event.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define REASON_MAX 512

/* How often log lines leave the ring. */
#define POLL_INTERVAL_NS 20000000

static const char usage[] =
    "usage: polluxd --config FILE [--check]\n"
    "\n"
    "Runs one Pollux node in the foreground, log lines on standard error, until SIGTERM or "
    "SIGINT.\n"
    "\n"
    "  -c, --config FILE   configuration (see polluxd.example.ini)\n"
    "      --check         read the configuration, say whether it is good, and exit\n"
    "  -h, --help          this text\n"
    "      --version       version\n"
    "\n"
    "exit status: 0 stopped as asked; 2 usage; 3 configuration; 4 port; 5 log file or memory;\n"
    "             6 a medium failed; 8 internal\n";

static enum node_exit run_node(const struct config *config, const char *program)
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

int main(int argc, char **argv)
{
    static const struct option options[] = {{"config", required_argument, NULL, 'c'},
                                            {"check", no_argument, NULL, 'k'},
                                            {"help", no_argument, NULL, 'h'},
                                            {"version", no_argument, NULL, 'v'},
                                            {NULL, 0, NULL, 0}};
    const char *path = NULL;
    bool is_check = false;
    int option;
    while ((option = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
        switch (option) {
        case 'c':
            path = optarg;
            break;
        case 'k':
            is_check = true;
            break;
        case 'h':
            fputs(usage, stdout);
            return NODE_EXIT_OK;
        case 'v':
            puts("polluxd " POLLUX_VERSION);
            return NODE_EXIT_OK;
        default:
            fputs(usage, stderr);
            return NODE_EXIT_USAGE;
        }
    }
    if (path == NULL || optind != argc) {
        fputs(usage, stderr);
        return NODE_EXIT_USAGE;
    }
    struct config config;
    char reason[REASON_MAX];
    if (config_read(path, &config, reason, sizeof(reason)) != OK) {
        log_event_line("error", "%s", reason);
        return NODE_EXIT_CONFIG;
    }
    if (is_check) {
        printf("%s: good\n", path);
        return NODE_EXIT_OK;
    }
    return run_node(&config, argv[0]);
}
