/*
 * `pollux backup`: copies the state of a running cluster to a file or to standard output, and
 * verifies such a copy.
 *
 * FILE has its name only when it is whole. Until then it is FILE.partial, and the same command goes
 * on where it was stopped.
 */
#include "base/regular_file.h"
#include "base/units.h"
#include "client/include/pollux_cluster.h"
#include "tools/cli/cli_backup_copy.h"
#include "tools/cli/cli_commands.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define RATE_BYTES   (UINT64_C(16) << 20) /* if --rate does not say */
#define EXIT_REFUSED 5

/* A copy goes on with what is no older: its first shards are of that time. */
#define PARTIAL_AGE_MAX_S 3600

static int refuse(const char *path, const char *why)
{
    fprintf(stderr, "pollux: backup: %s: %s\n", path, why);
    return EXIT_REFUSED;
}

static void tell_time(uint64_t seconds, char *ret_text, size_t text_size)
{
    time_t time = (time_t)seconds;
    struct tm parts;
    if (gmtime_r(&time, &parts) == NULL ||
        strftime(ret_text, text_size, "%Y-%m-%dT%H:%M:%SZ", &parts) == 0)
        snprintf(ret_text, text_size, "%" PRIu64 " s", seconds);
}

/* ---- verify ---- */

static void describe(const struct backup_head *head, const struct backup_judge *judge,
                     const char *name)
{
    char created[64];
    tell_time(head->created_s, created, sizeof(created));
    printf("%s: whole: cluster %s, begun %s, %u shards, %" PRIu64 " keys\n", name, head->cluster,
           created, head->shard_count, backup_judge_keys(judge));
    for (uint16_t shard = 0; shard < head->shard_count; shard++) {
        const struct backup_shard *told = &judge->shards[shard];
        printf("shard %u: %" PRIu64 " keys as of record %" PRIu64 " of term %" PRIu64
               ", from node %u, cluster identity %016" PRIx64 ", era %" PRIu64 "\n",
               shard, told->keys, told->index, told->term, told->node, told->cluster, told->era);
    }
    if (judge->pending > 0 || judge->silent_nodes > 0)
        printf("relaxed writes that were pending and may be left out: %" PRIu64
               "; nodes that did not answer: %" PRIu64 "\n",
               judge->pending, judge->silent_nodes);
}

static int verify_open(int fd, const char *name)
{
    struct backup_reader reader;
    struct backup_judge judge = {0};
    char text[256] = "offset 0: ";
    enum error error = backup_read_begin(&reader, fd);
    if (error == OK && !backup_judge_init(&judge, reader.head.shard_count, NULL))
        error = ERR_NO_MEMORY;
    if (error != OK)
        snprintf(text, sizeof(text), "offset 0: %s", error_text(error));
    else
        error = backup_verify(&reader, &judge, text, sizeof(text));
    if (error == OK)
        describe(&reader.head, &judge, name);
    else
        fprintf(stderr, "pollux: backup: %s: %s\n", name, text);
    backup_judge_deinit(&judge);
    backup_read_deinit(&reader);
    return error == OK ? 0 : 1;
}

static int verify(const char *path)
{
    if (strcmp(path, "-") == 0)
        return verify_open(STDIN_FILENO, "standard input");
    const char *why;
    int fd = regular_file_open(path, O_RDONLY, &why);
    if (fd < 0) {
        fprintf(stderr, "pollux: backup: %s: %s%s\n", path, why,
                errno == EINVAL ? "; to read from a pipe, give - in its place" : "");
        return plx_outcome_exit_code(PLX_E_IO);
    }
    int code = verify_open(fd, path);
    close(fd);
    return code;
}

/* ---- the file ---- */

static void name_partial(const char *path, char ret_name[PATH_MAX])
{
    snprintf(ret_name, PATH_MAX, "%s.partial", path);
}

/* Opens what will become the backup. Not negative, or it was told. */
static int open_partial(const char *path)
{
    char partial[PATH_MAX];
    const char *why;
    struct stat status; /* a link is there, too, even if it leads nowhere */
    if (strlen(path) + sizeof(".partial") > PATH_MAX || lstat(path, &status) == 0) {
        refuse(path, "exists already; a backup overwrites nothing");
        return -1;
    }
    name_partial(path, partial);
    int fd = regular_file_open(partial, O_RDWR | O_CREAT | O_NOFOLLOW, &why);
    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0) {
        refuse(partial, "another command writes it");
        close(fd);
        return -1;
    }
    if (fd < 0)
        fprintf(stderr, "pollux: backup: %s: %s\n", partial, why);
    return fd;
}

/* It gets its name when all of it is durable. */
static bool finish_file(int fd, const char *path)
{
    char partial[PATH_MAX];
    char folder[PATH_MAX];
    name_partial(path, partial);
    snprintf(folder, sizeof(folder), "%s", path);
    if (fsync(fd) != 0 || link(partial, path) != 0 || unlink(partial) != 0)
        return false;
    int folder_fd = open(dirname(folder), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool is_synced = folder_fd >= 0 && fsync(folder_fd) == 0;
    if (folder_fd >= 0)
        close(folder_fd);
    return is_synced;
}

/* ---- going on ---- */

/* Takes what an earlier run has written; what does not fit any more is cut off. */
static void read_on(struct backup_copy *copy, struct backup_reader *reader)
{
    struct backup_frame frame;
    enum error error;
    do { /* a frame each */
        struct backup_totals before = reader->totals;
        copy->writer.totals = before;
        error = backup_read_frame(reader, &frame);
        if (error == OK && frame.kind == BACKUP_SHARD)
            copy->mark.totals = before;
        if (error == OK && frame.kind == BACKUP_END)
            error = ERR_NOT_FOUND; /* written anew */
        if (error == OK)
            error = backup_judge_frame(&copy->judge, &frame, &before);
    } while (error == OK);
}

/* False: there is nothing to go on with. */
static bool resume(struct backup_copy *copy, struct backup_head *ret_head)
{
    struct backup_reader reader;
    struct stat status;
    if (!copy->writer.is_file || fstat(copy->writer.fd, &status) != 0 || status.st_size == 0)
        return false;
    if (backup_read_begin(&reader, copy->writer.fd) != OK) {
        backup_read_deinit(&reader);
        return false;
    }
    if ((uint64_t)time(NULL) - reader.head.created_s > PARTIAL_AGE_MAX_S) {
        char created[64];
        tell_time(reader.head.created_s, created, sizeof(created));
        fprintf(stderr, "pollux: backup: begins anew: what is there was begun %s\n", created);
        backup_read_deinit(&reader);
        return false;
    }
    *ret_head = reader.head;
    copy->writer.id = reader.head.id;
    if (strcmp(reader.head.cluster, copy->arguments->cluster) == 0 &&
        reader.head.shard_count == copy->judge.shard_count)
        read_on(copy, &reader);
    backup_read_deinit(&reader);
    return true;
}

static int begin_anew(struct backup_copy *copy)
{
    struct backup_head head = {.created_s = (uint64_t)time(NULL),
                               .shard_count = copy->judge.shard_count};
    snprintf(head.cluster, sizeof(head.cluster), "%s", copy->arguments->cluster);
    struct backup_mark nothing = {0};
    if (copy->writer.is_file && backup_write_back(&copy->writer, &nothing) != OK)
        return backup_write_failed(copy);
    if (getrandom(&head.id, sizeof(head.id), 0) != sizeof(head.id) ||
        backup_write_head(&copy->writer, &head) != OK)
        return backup_write_failed(copy);
    return 0;
}

/* Whether the handle's cluster is the one that the shards so far are of; shard 0 comes first. */
static enum plx_outcome find_cluster(struct backup_copy *copy, bool *ret_is_same)
{
    const struct backup_shard *first = &copy->judge.shards[0];
    struct plx_cluster now;
    *ret_is_same = true;
    if (first->cluster == 0)
        return PLX_OK;
    /* Who has found a leader knows the cluster. */
    struct plx_response response = backup_get(copy, "backup");
    plx_cluster(copy->client, &now);
    *ret_is_same = first->cluster == now.number && first->era == now.era;
    return response.outcome == PLX_NOT_FOUND ? PLX_OK : response.outcome;
}

/* The file is at the place where the next frame goes. */
static int begin(struct backup_copy *copy)
{
    struct backup_head head;
    char created[64];
    bool is_same;
    if (!resume(copy, &head))
        return begin_anew(copy);
    tell_time(head.created_s, created, sizeof(created));
    if (copy->writer.totals.bytes == 0)
        return refuse(copy->arguments->operands[0],
                      "FILE.partial is of another cluster, or of another number of shards");
    enum plx_outcome outcome = find_cluster(copy, &is_same);
    if (outcome != PLX_OK) {
        fprintf(stderr, "pollux: backup: no leader says which cluster this is: %s\n",
                plx_outcome_text(outcome));
        return plx_outcome_exit_code(outcome);
    }
    if (!is_same)
        return refuse(
            copy->arguments->operands[0],
            "FILE.partial is of another cluster of this name, or of an earlier era of it; "
            "remove it to begin anew");
    struct backup_mark here = {.totals = copy->writer.totals};
    if (backup_write_back(&copy->writer, &here) != OK)
        return backup_write_failed(copy);
    fprintf(stderr,
            "pollux: backup: goes on at byte %" PRIu64 " of what was begun %s; to begin anew, "
            "remove the .partial file\n",
            here.totals.bytes, created);
    return 0;
}

/* ---- backup ---- */

static int copy_all(struct backup_copy *copy)
{
    int code = begin(copy);
    for (uint16_t shard = 0; shard < copy->judge.shard_count && code == 0; shard++)
        code = backup_copy_shard(copy, shard);
    if (code == 0 && backup_write_end(&copy->writer, backup_judge_keys(&copy->judge)) != OK)
        code = backup_write_failed(copy);
    return code;
}

static void tell_whole(const struct backup_copy *copy, const char *path)
{
    char size[UNITS_TEXT_BYTES];
    char duration[UNITS_TEXT_BYTES];
    fprintf(stderr, "pollux: backup: %s: whole: %u shards, %" PRIu64 " keys, %s, in %s\n", path,
            copy->judge.shard_count, backup_judge_keys(&copy->judge),
            units_size(copy->writer.totals.bytes, size),
            units_duration(backup_clock_ns() - copy->begun_ns, duration));
}

static int backup_to(struct backup_copy *copy, const char *path)
{
    bool is_stdout = strcmp(path, "-") == 0;
    uint16_t shard_count = backup_shard_count(copy);
    if (shard_count == 0)
        return CLI_EXIT_UNREACHABLE;
    copy->writer.fd = is_stdout ? STDOUT_FILENO : open_partial(path);
    if (copy->writer.fd < 0)
        return EXIT_REFUSED;
    copy->writer.is_file = !is_stdout;
    int code = plx_outcome_exit_code(PLX_E_NO_MEMORY);
    if (backup_judge_init(&copy->judge, shard_count, NULL))
        code = copy_all(copy);
    backup_judge_deinit(&copy->judge);
    if (code == 0 && !is_stdout && !finish_file(copy->writer.fd, path))
        code = backup_write_failed(copy);
    if (code == 0)
        tell_whole(copy, path);
    else if (!is_stdout)
        fprintf(stderr, "pollux: backup: %s.partial is kept: the same command goes on with it\n",
                path);
    if (!is_stdout)
        close(copy->writer.fd);
    return code;
}

int cli_backup(struct plx_client *client, const struct cli_arguments *arguments)
{
    const char *first = arguments->operands[0];
    if (arguments->operand_count == 2) {
        if (strcmp(first, "verify") != 0)
            return cli_usage_error(arguments, "'%s' is not verify", first);
        return verify(arguments->operands[1]);
    }
    struct backup_copy *copy = calloc(1, sizeof(*copy));
    if (copy == NULL)
        return plx_outcome_exit_code(PLX_E_NO_MEMORY);
    copy->client = client;
    copy->arguments = arguments;
    copy->rate_bytes = arguments->rate_bytes != 0 ? arguments->rate_bytes : RATE_BYTES;
    copy->begun_ns = backup_clock_ns();
    cli_cancel_on_interrupt(client);
    int code = backup_to(copy, first);
    free(copy);
    return code;
}
