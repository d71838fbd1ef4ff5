/*
 * logs follow: the lines of files as they grow. A follower has a place of its own in the last file,
 * and keeps the file open. A file that was replaced by another of its name is read to its end
 * first; it has ended once the new one has contents. If the file was cut, the rest of it is read
 * from its copy, if there is one beside it. Which of the lines are this caller's the cursor says.
 */
#include "tools/cli/cli_commands.h"
#include "tools/cli/cli_logs_print.h"
#include "tools/console/console.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAUSE_NS       (UINT64_C(50) * 1000 * 1000)
#define CHANGES_IN_ROW 100 /* of files, while they are read: then it is given up */

struct follow {
    struct plx_client *client;
    const struct cli_arguments *arguments;
    struct log_files files;
    struct plx_logs_position before;
    struct stat seen; /* the last file when it was read last; st_ino 0: there was none */
    int changes;
    int exit_code;
};

static const char *follow_path(const struct follow *follow)
{
    return follow->arguments->files[follow->arguments->file_count - 1];
}

/* A pause in which the session is kept alive. */
static void follow_pause(struct follow *follow)
{
    (void)plx_poll(follow->client, PAUSE_NS);
}

static bool follow_fail(struct follow *follow, enum plx_logs_fault fault)
{
    const struct plx_logs_result result = {.outcome = PLX_E_ARGUMENT, .fault = fault};
    follow->exit_code = cli_logs_explain(follow->arguments, &follow->files, &result);
    return false;
}

/* The file was cut: what it had behind the place is in a copy beside it. False: in none. */
static bool follow_copy(struct follow *follow)
{
    struct log_files *files = &follow->files;
    struct log_file copy;
    enum plx_logs_fault fault;
    if (!log_beside_find(files, follow_path(follow), &follow->files.place, files->beside,
                         sizeof(files->beside)) ||
        !log_file_open(&copy, files->beside, &fault))
        return false;
    copy.begin_bytes = follow->files.place.offset_bytes;
    files->files[1] = files->files[0];
    files->files[1].begin_bytes = 0;
    files->files[0] = copy;
    files->count = 2;
    return log_file_has(copy.fd, &follow->files.place);
}

/* Without a place: the file of this name is another one than before, or was written to. */
static bool follow_has_changed(struct follow *follow)
{
    struct stat now;
    struct stat before = follow->seen;
    if (stat(follow_path(follow), &now) != 0)
        now = (struct stat){.st_ino = 0};
    follow->seen = now;
    return now.st_ino != before.st_ino || now.st_size != before.st_size ||
           now.st_mtim.tv_sec != before.st_mtim.tv_sec ||
           now.st_mtim.tv_nsec != before.st_mtim.tv_nsec;
}

/* Files were cut while they were read, or while lines of them were somebody else's: where the
 * follower is to go on, the cursor knows. */
static void follow_begin_anew(struct follow *follow)
{
    follow->files.has_place = false;
    follow->before = (struct plx_logs_position){.count = 0};
    follow->seen.st_mtim.tv_nsec = -1;
}

/* Looks whether there is more to read, and where. False: it is over. */
static bool follow_look(struct follow *follow, bool *ret_is_more)
{
    struct log_files *files = &follow->files;
    struct log_file *file = &files->files[0];
    struct stat opened;
    struct stat named;
    enum plx_logs_fault fault = PLX_LOGS_VALID;
    *ret_is_more = true;
    if (!files->has_place) {
        *ret_is_more = follow_has_changed(follow);
        return true;
    }
    if (files->count > 1)
        return true;
    bool is_there = fstat(file->fd, &opened) == 0;
    if (!is_there || !log_file_has(file->fd, &follow->files.place)) {
        if (is_there && follow_copy(follow))
            return true;
        if (!is_there || !follow->arguments->is_by_time)
            return follow_fail(follow, PLX_LOGS_MOVED_ON);
        fprintf(stderr, "pollux: %s: was cut: goes on at its begin\n", follow_path(follow));
        file->begin_bytes = 0;
        return log_file_mark(file, 0, &files->place);
    }
    if (stat(follow_path(follow), &named) == 0 && named.st_size > 0 &&
        (named.st_ino != opened.st_ino || named.st_dev != opened.st_dev)) {
        files->count += log_file_open(&files->files[1], follow_path(follow), &fault);
        if (fault != PLX_LOGS_VALID)
            return follow_fail(follow, fault);
        /* Rotated twice: the cursor's place decides whether a file comes in between. */
        if (!log_beside_is_none(files, follow_path(follow), file->fd))
            follow_begin_anew(follow);
        return true;
    }
    *ret_is_more = opened.st_size != follow->seen.st_size;
    return true;
}

/*
 * What was read is done with, by whomever: the follower's place is behind it. At the begin of a
 * file a place says nothing: the file could be filled and cut without a trace. There the cursor is
 * asked again, which knows the place in the file before.
 */
static void follow_go_on(struct follow *follow, const struct plx_logs_result *result)
{
    struct log_files *files = &follow->files;
    uint64_t offset_bytes = 0;
    int at = files->count - 1;
    bool is_in_last =
        at >= 0 && log_files_locate(files, files->end_bytes, &offset_bytes) == &files->files[at];
    files->has_place = is_in_last && offset_bytes > 0;
    if (!files->has_place) {
        follow->before = (struct plx_logs_position){.count = 0};
        return;
    }
    struct log_file last = files->files[at];
    for (int i = 0; i < at; i++)
        close(files->files[i].fd);
    last.begin_bytes = offset_bytes;
    last.path = follow_path(follow);
    last.seen = (struct logs_mark){.file = 0};
    files->files[0] = last;
    files->count = 1;
    files->place = files->end;
    follow->before = result->end;
    follow->seen.st_size = (off_t)last.size_bytes;
}

/* Prints lines that are this caller's; then they may be confirmed. */
static bool follow_print(struct follow *follow, const struct plx_logs_result *result)
{
    if (!cli_logs_print(&follow->files, result)) {
        fprintf(
            stderr,
            "pollux: logs follow: %zu lines were taken and not all of them could be printed: %s\n",
            result->count,
            follow->arguments->lease_ns > 0
                ? "the lease is not confirmed, and they come back when it is over"
                : "nobody gets them again (--lease lends them only)");
        follow->exit_code = CLI_EXIT_UNWRITTEN;
        return false;
    }
    if (follow->arguments->lease_ns == 0)
        return true;
    struct plx_response response =
        plx_logs_confirm(follow->client, follow->arguments->server, &result->id,
                         &(struct plx_call){.is_blocking = !cli_is_interrupted()});
    if (response.outcome == PLX_OK)
        return true;
    fprintf(stderr,
            "pollux: logs follow: %zu lines were printed and not confirmed (%s): somebody else may "
            "print them, too\n",
            result->count, plx_outcome_name(response.outcome));
    follow->exit_code = plx_outcome_exit_code(response.outcome);
    return response.outcome == PLX_MISMATCH;
}

/* What a call came to. False: it is over. */
static bool follow_judge(struct follow *follow, const struct plx_logs_result *result)
{
    if (result->outcome == PLX_TIMEOUT && cli_is_interrupted())
        return false;
    if (result->fault == PLX_LOGS_CHANGING && ++follow->changes < CHANGES_IN_ROW) {
        follow_begin_anew(follow);
        follow_pause(follow);
        return true;
    }
    if (result->outcome != PLX_OK) {
        follow->exit_code = cli_logs_explain(follow->arguments, &follow->files, result);
        return false;
    }
    follow->changes = 0;
    if (result->is_leased) {
        follow->seen.st_mtim.tv_nsec = -1; /* what is there is looked at again */
        follow_pause(follow);
        return true;
    }
    if (result->count > 0 && !follow_print(follow, result))
        return false;
    if (result->fault != PLX_LOGS_VALID) {
        follow->exit_code = CLI_EXIT_USAGE;
        (void)cli_logs_explain(follow->arguments, &follow->files, result);
        return false;
    }
    follow_go_on(follow, result);
    if (result->count == 0)
        follow_pause(follow);
    return true;
}

/* One step: lines taken, or a pause. False: it is over. */
static bool follow_step(struct follow *follow)
{
    const struct cli_arguments *arguments = follow->arguments;
    const struct logs_stream stream = log_files_stream(&follow->files);
    /* What came before a line at fault was there first, and is taken. */
    struct plx_logs_how how = {.is_blocking = true,
                               .lease_ns = arguments->lease_ns,
                               .before = follow->before,
                               .odd = arguments->odd == PLX_LOGS_ODD_REFUSE ? PLX_LOGS_ODD_STOP
                                                                            : arguments->odd};
    bool is_more;
    if (!console_can_print()) {
        fprintf(stderr,
                "pollux: logs follow: standard output is closed, or nobody reads it: nothing "
                "more was taken\n");
        follow->exit_code = plx_outcome_exit_code(PLX_E_PERMISSION);
        return false;
    }
    if (!follow_look(follow, &is_more))
        return false;
    if (!is_more) {
        follow_pause(follow);
        return true;
    }
    struct plx_logs_result result = client_take_stream(
        follow->client, arguments->server, &stream,
        arguments->is_integer_format ? PLX_LOGS_INTEGER : PLX_LOGS_RFC3339, &how);
    return follow_judge(follow, &result);
}

int cli_logs_follow(struct plx_client *client, const struct cli_arguments *arguments)
{
    struct follow follow = {.client = client, .arguments = arguments};
    follow.seen.st_mtim.tv_nsec = -1; /* nothing was seen */
    for (int i = 0; i < arguments->file_count; i++) {
        if (strcmp(arguments->files[i], "-") == 0)
            return cli_usage_error(arguments, "standard input cannot be followed");
    }
    bool is_on = log_files_init(&follow.files, arguments);
    follow.exit_code = is_on ? 0 : plx_outcome_exit_code(PLX_E_NO_MEMORY);
    while (is_on && !cli_is_interrupted())
        is_on = follow_step(&follow);
    log_files_deinit(&follow.files);
    return follow.exit_code;
}
