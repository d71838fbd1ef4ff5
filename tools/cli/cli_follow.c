/*
 * logs follow: the lines of a file as it grows. A file that was replaced by another of its name, or
 * cut, is followed into its successor: the old one is read to its end first, and it has ended once
 * the new one has contents. Every piece that was read is offered whole; which of its lines are this
 * caller's the cursor says.
 */
#include "base/regular_file.h"
#include "tools/cli/cli_commands.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIECE_BYTES_MAX ((size_t)4 << 20) /* and so the longest line */
#define PAUSE_NS        (UINT64_C(50) * 1000 * 1000)

struct follow {
    struct plx_client *client;
    const struct cli_arguments *arguments;
    int at; /* of the files */
    int fd;
    off_t offset_bytes;
    size_t line; /* lines of this file that are done with */
    struct plx_logs_position before;
    char *bytes; /* read and not done with */
    size_t size_bytes;
    int exit_code;
    bool is_failed; /* the file cannot be read */
};

static const char *follow_path(const struct follow *follow)
{
    return follow->arguments->files[follow->at];
}

static bool follow_refuse(struct follow *follow, const char *why)
{
    fprintf(stderr, "pollux: %s: %s\n", follow_path(follow), why);
    follow->exit_code = CLI_EXIT_USAGE;
    follow->is_failed = true;
    return false;
}

static bool follow_fail(struct follow *follow)
{
    return follow_refuse(follow, strerror(errno));
}

/* A pause in which the session is kept alive. */
static void follow_pause(struct follow *follow)
{
    (void)plx_poll(follow->client, PAUSE_NS);
}

/* Opens the file of this name, now. */
static bool follow_open(struct follow *follow)
{
    const char *why;
    int fd = regular_file_open(follow_path(follow), O_RDONLY, &why);
    if (fd < 0)
        return follow_refuse(follow, why);
    if (follow->fd >= 0)
        close(follow->fd);
    follow->fd = fd;
    follow->offset_bytes = 0;
    follow->line = 0;
    return true;
}

/* More bytes of the file; false: there are none now, or it has failed. */
static bool follow_read(struct follow *follow)
{
    size_t room = PIECE_BYTES_MAX - follow->size_bytes;
    ssize_t size =
        pread(follow->fd, follow->bytes + follow->size_bytes, room, follow->offset_bytes);
    if (size < 0)
        return follow_fail(follow);
    if (size == 0)
        return false;
    follow->size_bytes += (size_t)size;
    follow->offset_bytes += size;
    return true;
}

/* What was left without a newline at the end of a file that has ended is a line, too. */
static void follow_end_line(struct follow *follow)
{
    if (follow->size_bytes > 0)
        follow->bytes[follow->size_bytes++] = '\n';
}

/* Nothing more can be read now: is there a successor? False: an error was printed. */
static bool follow_successor(struct follow *follow, bool *ret_is_next)
{
    struct stat named;
    struct stat opened;
    *ret_is_next = false;
    bool is_listed = follow->at + 1 < follow->arguments->file_count;
    if (fstat(follow->fd, &opened) != 0)
        return follow_fail(follow);
    bool is_cut = opened.st_size < follow->offset_bytes;
    bool is_replaced = !is_listed && stat(follow_path(follow), &named) == 0 && named.st_size > 0 &&
                       (named.st_ino != opened.st_ino || named.st_dev != opened.st_dev);
    /* What was written to the old one before the new one had contents is there by now. */
    if (!is_cut && follow_read(follow))
        return true;
    if (follow->is_failed)
        return false;
    if (!is_cut && !is_replaced && !is_listed)
        return true;
    follow_end_line(follow);
    *ret_is_next = true;
    follow->at += is_listed && !is_cut;
    return true;
}

static size_t follow_whole_lines(const struct follow *follow)
{
    const char *last =
        follow->size_bytes == 0 ? NULL : memrchr(follow->bytes, '\n', follow->size_bytes);
    return last == NULL ? 0 : (size_t)(last - follow->bytes) + 1;
}

static void follow_done_with(struct follow *follow, size_t size_bytes)
{
    for (size_t i = 0; i < size_bytes; i++)
        follow->line += follow->bytes[i] == '\n';
    follow->size_bytes -= size_bytes;
    memmove(follow->bytes, follow->bytes + size_bytes, follow->size_bytes);
}

/* Prints lines that are this caller's; then they may be confirmed. */
static bool follow_print(struct follow *follow, const struct plx_logs_result *result)
{
    if (!cli_print(follow->bytes + result->offset_bytes, result->size_bytes)) {
        follow->exit_code = plx_outcome_exit_code(PLX_E_IO);
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

/* Offers whole lines until they are done with, by whomever. False: it is over. */
static bool follow_offer(struct follow *follow, size_t size_bytes)
{
    const struct cli_arguments *arguments = follow->arguments;
    const struct plx_logs_how how = {
        .is_blocking = true, .lease_ns = arguments->lease_ns, .before = follow->before};
    struct plx_logs_result result = {.is_leased = true};
    while (result.is_leased) {
        if (cli_is_interrupted())
            return false;
        result = plx_logs_take_text(
            follow->client, arguments->server, (struct plx_bytes){follow->bytes, size_bytes},
            arguments->is_integer_format ? PLX_LOGS_INTEGER : PLX_LOGS_RFC3339, &how);
        if (result.is_leased)
            follow_pause(follow);
    }
    if (result.outcome == PLX_TIMEOUT && cli_is_interrupted())
        return false;
    if (result.outcome != PLX_OK) {
        result.line += follow->line;
        result.first += follow->line;
        follow->exit_code = cli_logs_explain(arguments, follow_path(follow), &result);
        return false;
    }
    if (result.count > 0 && !follow_print(follow, &result))
        return false;
    follow->before = result.end;
    follow_done_with(follow, size_bytes);
    return true;
}

/* One step: lines offered, a successor opened, or a pause. False: it is over. */
static bool follow_step(struct follow *follow)
{
    bool is_next = false;
    if (!follow_read(follow) && (follow->is_failed || !follow_successor(follow, &is_next)))
        return false;
    size_t size_bytes = follow_whole_lines(follow);
    if (size_bytes == 0 && follow->size_bytes == PIECE_BYTES_MAX) {
        fprintf(stderr, "pollux: %s:%zu: the line is longer than %zu bytes\n", follow_path(follow),
                follow->line + 1, PIECE_BYTES_MAX);
        follow->exit_code = CLI_EXIT_USAGE;
        return false;
    }
    if (size_bytes > 0 && !follow_offer(follow, size_bytes))
        return false;
    if (is_next)
        return follow_open(follow);
    if (size_bytes == 0)
        follow_pause(follow);
    return true;
}

int cli_logs_follow(struct plx_client *client, const struct cli_arguments *arguments)
{
    struct follow follow = {.client = client, .arguments = arguments, .fd = -1};
    follow.bytes = malloc(PIECE_BYTES_MAX + 1); /* and a newline that was missing */
    if (follow.bytes == NULL) {
        fprintf(stderr, "pollux: logs follow: out of memory\n");
        return plx_outcome_exit_code(PLX_E_NO_MEMORY);
    }
    bool is_on = follow_open(&follow);
    while (is_on && !cli_is_interrupted())
        is_on = follow_step(&follow);
    if (follow.fd >= 0)
        close(follow.fd);
    free(follow.bytes);
    return follow.exit_code;
}
