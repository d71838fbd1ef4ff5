/* `pollux restore`: makes the data directory of the first node of a new cluster from a backup. */
#include "tools/restore/restore.h"

#include "base/regular_file.h"
#include "server/user_switch.h"
#include "tools/console/console.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char usage[] =
    "usage: pollux restore FILE --config FILE\n"
    "\n"
    "Makes the data directory of a node from a backup (pollux backup). The node is the only "
    "member\n"
    "of a new cluster; the other nodes join it. The backup is verified first. FILE is - for\n"
    "standard input; a pipe will not do, for the backup is read twice.\n"
    "\n"
    "  -c, --config FILE   the node's configuration, as for polluxd: it names the directory, "
    "which\n"
    "                      must not be there yet, the cluster, and as many shards as the backup "
    "has\n"
    "  -h, --help          this text\n"
    "\n"
    "exit status: 0 done; 2 usage; 3 configuration; 5 refused; 7 the backup cannot be read;\n"
    "             8 done, but standard output could not be written\n";

enum exit_code {
    EXIT_DONE = 0,
    EXIT_USAGE = 2,
    EXIT_CONFIGURATION = 3,
    EXIT_REFUSED = 5,
    EXIT_FILE = 7,
    EXIT_UNWRITTEN = 8
};

static void tell(const struct config *config, const struct restore_summary *summary)
{
    printf("%s: node %u of a new cluster %s, which has no other member; from a backup of cluster "
           "%s\n",
           config->directory, config->id, config->cluster, summary->head.cluster);
    for (uint16_t shard = 0; shard < summary->head.shard_count; shard++)
        printf("shard %u: %" PRIu64 " keys as of record %" PRIu64 "; each has version %" PRIu64
               " now\n",
               shard, summary->shards[shard].keys, summary->shards[shard].index,
               summary->versions[shard]);
    if (summary->pending > 0 || summary->silent_nodes > 0)
        printf("left out: relaxed writes that were pending at the time, up to %" PRIu64
               ", and those of %" PRIu64 " nodes that did not answer\n",
               summary->pending, summary->silent_nodes);
    printf("next: start polluxd here. On each other node: [node] join = true, polluxd --init, "
           "polluxd; then pollux member add NODE ADDRESS\n");
}

/* A regular file, or standard input if it is one. */
static int open_backup(const char *path, const char **ret_why)
{
    static const char no_file[] =
        "not a regular file: a restore reads the whole backup before it makes anything, and then "
        "reads it again, so it takes no pipe: write the backup to a file first";
    struct stat status;
    int fd = -1;
    if (strcmp(path, "-") != 0)
        fd = regular_file_open(path, O_RDONLY, ret_why);
    else if (fstat(STDIN_FILENO, &status) == 0 && S_ISREG(status.st_mode))
        return dup(STDIN_FILENO);
    else
        errno = EINVAL;
    if (fd < 0 && errno == EINVAL)
        *ret_why = no_file;
    return fd;
}

static enum exit_code restore_file(const struct config *config, const char *path)
{
    char text[RESTORE_TEXT_BYTES] = "";
    const char *why;
    int fd = open_backup(path, &why);
    if (fd < 0) {
        fprintf(stderr, "pollux: restore: %s: %s\n", path, why);
        return EXIT_FILE;
    }
    char whole_path[PATH_MAX];
    const struct restore_source source = {
        .fd = fd, .name = realpath(path, whole_path) != NULL ? whole_path : path};
    struct restore_summary *summary = calloc(1, sizeof(*summary));
    enum error error = ERR_NO_MEMORY;
    if (summary != NULL)
        error = restore_run(config, &source, summary, text);
    close(fd);
    if (error == OK)
        error = user_switch_hand_over(config->user, config->directory, text, RESTORE_TEXT_BYTES);
    if (error == OK)
        tell(config, summary);
    else
        fprintf(stderr, "pollux: restore: %s: %s\n", path,
                text[0] != '\0' ? text : error_text(error));
    free(summary);
    return error == OK ? EXIT_DONE : EXIT_REFUSED;
}

static enum exit_code restore_config(const char *config_path, const char *path)
{
    char reason[512];
    struct config *config = calloc(1, sizeof(*config));
    enum exit_code code = EXIT_CONFIGURATION;
    if (config == NULL || config_read(config_path, config, reason, sizeof(reason)) != OK)
        fprintf(stderr, "pollux: restore: %s\n", config == NULL ? "out of memory" : reason);
    else
        code = restore_file(config, path);
    free(config);
    return code;
}

static enum exit_code run_words(int argc, char **argv)
{
    static const struct option options[] = {{"config", required_argument, NULL, 'c'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    const char *config = NULL;
    int option;
    while ((option = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
        if (option == 'h') {
            fputs(usage, stdout);
            return EXIT_DONE;
        }
        if (option != 'c')
            return EXIT_USAGE;
        config = optarg;
    }
    if (config == NULL || optind + 1 != argc) {
        fputs("pollux: restore: give a backup, and --config FILE: the node's configuration\n",
              stderr);
        return EXIT_USAGE;
    }
    return restore_config(config, argv[optind]);
}

int main(int argc, char **argv)
{
    console_begin("pollux: restore");
    return console_end((int)run_words(argc, argv), EXIT_UNWRITTEN);
}
