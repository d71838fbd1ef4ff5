/* See console.h. */
#include "tools/console/console.h"
#include "tools/console/escape.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PIECE_BYTES 1024

struct channel {
    int fd;
    int error; /* errno of the first write that failed; 0: none has */
    bool is_escaped;
    uint8_t cut[ESCAPE_UNIT_BYTES_MAX]; /* begin of a sequence of UTF-8 whose rest is to come */
    size_t cut_bytes;
};

static struct channel out = {.fd = STDOUT_FILENO};
static struct channel error_out = {.fd = STDERR_FILENO, .is_escaped = true};
static const char *program_name = "pollux";

static bool wait_until_writable(int fd)
{
    struct pollfd waiting = {.fd = fd, .events = POLLOUT};
    return poll(&waiting, 1, -1) >= 0 || errno == EINTR;
}

static bool write_all(struct channel *channel, const char *bytes, size_t size_bytes)
{
    while (size_bytes > 0) {
        ssize_t written = write(channel->fd, bytes, size_bytes);
        bool is_later = written < 0 && (errno == EAGAIN || errno == EINTR);
        if (written < 0 && !is_later) {
            channel->error = channel->error != 0 ? channel->error : errno;
            return false;
        }
        if (is_later && errno == EAGAIN && !wait_until_writable(channel->fd))
            is_later = false;
        if (written > 0) {
            bytes += written;
            size_bytes -= (size_t)written;
        }
    }
    return true;
}

/* Takes bytes until the piece is full, or only the begin of a sequence is left. */
static size_t escape_piece(const uint8_t *bytes, size_t size_bytes, bool is_last, char *piece,
                           size_t *ret_piece_bytes)
{
    size_t at = 0;
    size_t used = 0;
    while (at < size_bytes && used + ESCAPE_UNIT_BYTES_MAX <= PIECE_BYTES) {
        size_t size;
        if (!is_last && escape_is_cut(bytes + at, size_bytes - at))
            break;
        at += escape_next(ESCAPE_LINES, bytes + at, size_bytes - at, piece + used, &size);
        used += size;
    }
    *ret_piece_bytes = used;
    return at;
}

/* Returns how many bytes were taken; what is left is the begin of a sequence. */
static size_t write_escaped(struct channel *channel, const uint8_t *bytes, size_t size_bytes,
                            bool is_last, bool *ret_is_written)
{
    char piece[PIECE_BYTES];
    size_t piece_bytes = 0;
    size_t at = 0;
    *ret_is_written = true;
    do {
        at += escape_piece(bytes + at, size_bytes - at, is_last, piece, &piece_bytes);
        *ret_is_written = *ret_is_written && write_all(channel, piece, piece_bytes);
    } while (piece_bytes > 0 && at < size_bytes);
    return at;
}

/* A byte at a time, until what was cut off is whole, or turns out to be no UTF-8. */
static size_t complete(struct channel *channel, const char *bytes, size_t size_bytes,
                       bool *ret_is_written)
{
    size_t used = 0;
    while (channel->cut_bytes > 0 && used < size_bytes) {
        channel->cut[channel->cut_bytes++] = (uint8_t)bytes[used++];
        size_t taken =
            write_escaped(channel, channel->cut, channel->cut_bytes, false, ret_is_written);
        memmove(channel->cut, channel->cut + taken, channel->cut_bytes - taken);
        channel->cut_bytes -= taken;
    }
    return used;
}

static ssize_t channel_write(void *cookie, const char *bytes, size_t size_bytes)
{
    struct channel *channel = cookie;
    bool is_written = true;
    if (!channel->is_escaped)
        return write_all(channel, bytes, size_bytes) ? (ssize_t)size_bytes : 0;
    size_t used = complete(channel, bytes, size_bytes, &is_written);
    bool is_rest_written;
    used += write_escaped(channel, (const uint8_t *)bytes + used, size_bytes - used, false,
                          &is_rest_written);
    if (used < size_bytes) {
        channel->cut_bytes = size_bytes - used;
        memcpy(channel->cut, bytes + used, channel->cut_bytes);
    }
    return is_written && is_rest_written ? (ssize_t)size_bytes : 0;
}

/* By what can neither be read nor written (O_PATH). */
static void hold(int fd)
{
    if (fcntl(fd, F_GETFD) >= 0 || errno != EBADF)
        return;
    int held = open("/", O_PATH | O_DIRECTORY);
    if (held >= 0 && held != fd) {
        (void)dup2(held, fd);
        (void)close(held);
    }
}

static FILE *channel_open(struct channel *channel, int mode)
{
    const cookie_io_functions_t functions = {.write = channel_write};
    FILE *stream = fopencookie(channel, "w", functions);
    if (stream != NULL)
        (void)setvbuf(stream, NULL, mode, BUFSIZ);
    return stream;
}

void console_begin(const char *program)
{
    program_name = program;
    (void)signal(SIGPIPE, SIG_IGN);
    hold(STDIN_FILENO);
    hold(STDOUT_FILENO);
    hold(STDERR_FILENO);
    out.is_escaped = isatty(STDOUT_FILENO) == 1;
    FILE *output = channel_open(&out, out.is_escaped ? _IOLBF : _IOFBF);
    FILE *messages = channel_open(&error_out, _IOLBF);
    /* In the GNU C library these are variables like others (The GNU C Library, 12.2). */
    stdout = output != NULL ? output : stdout;
    stderr = messages != NULL ? messages : stderr;
}

bool console_is_whole(void)
{
    if (fflush(stdout) != 0 || ferror(stdout) != 0)
        out.error = out.error != 0 ? out.error : errno != 0 ? errno : EIO;
    return out.error == 0;
}

bool console_can_print(void)
{
    struct pollfd reader = {.fd = STDOUT_FILENO};
    int flags = fcntl(STDOUT_FILENO, F_GETFL);
    if (flags < 0 || (flags & O_PATH) != 0 || (flags & O_ACCMODE) == O_RDONLY)
        return false;
    return poll(&reader, 1, 0) <= 0 || (reader.revents & (POLLERR | POLLNVAL)) == 0;
}

void console_lost(int error_number)
{
    out.error = out.error != 0 ? out.error : error_number;
}

int console_end(int status, int status_unwritten)
{
    bool is_written = true;
    (void)console_is_whole(); /* out of the buffer of the stream, before what it has cut off */
    if (out.cut_bytes > 0)
        (void)write_escaped(&out, out.cut, out.cut_bytes, true, &is_written);
    if (console_is_whole() && close(STDOUT_FILENO) != 0)
        out.error = errno;
    if (out.error != 0)
        fprintf(stderr, "%s: standard output: %s: %s\n", program_name, strerror(out.error),
                status == 0 ? "the command took effect, but not all of its output was written"
                            : "not all of the output was written; the exit status says what became "
                              "of the command");
    (void)fflush(stderr);
    return out.error != 0 && status == 0 ? status_unwritten : status;
}
