/* Files of one log as a stream of lines: see tools/cli/log_files.h. */
#include "tools/cli/log_files.h"

#include "base/regular_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUFFER_BYTES ((size_t)256 * 1024)

static enum plx_logs_fault files_fail(const char *path, const char *why)
{
    fprintf(stderr, "pollux: %s: %s\n", strcmp(path, "-") == 0 ? "standard input" : path, why);
    return PLX_LOGS_UNREAD;
}

bool log_files_init(struct log_files *files, const struct cli_arguments *arguments)
{
    *files = (struct log_files){.arguments = arguments, .buffer = malloc(BUFFER_BYTES)};
    if (files->buffer == NULL)
        (void)files_fail(arguments->files[0], "out of memory");
    return files->buffer != NULL && log_spool_init(&files->spool);
}

static void files_close(struct log_files *files)
{
    for (int i = 0; i < files->count; i++)
        close(files->files[i].fd);
    files->count = 0;
}

void log_files_deinit(struct log_files *files)
{
    files_close(files);
    if (files->input != NULL)
        (void)fclose(files->input);
    log_spool_deinit(&files->spool);
    free(files->buffer);
}

/* ---- places and marks ---- */

/* The bytes before the offset, at most as many as a mark is about. SIZE_MAX: they are not there. */
static size_t bytes_before(int fd, uint64_t offset_bytes, uint8_t *to)
{
    size_t size =
        offset_bytes < LOGS_MARK_CHECKED_BYTES ? (size_t)offset_bytes : LOGS_MARK_CHECKED_BYTES;
    return pread(fd, to, size, (off_t)(offset_bytes - size)) == (ssize_t)size ? size : SIZE_MAX;
}

bool log_file_has(int fd, const struct logs_mark *mark)
{
    uint8_t bytes[LOGS_MARK_CHECKED_BYTES];
    size_t size =
        mark->offset_bytes <= INT64_MAX ? bytes_before(fd, mark->offset_bytes, bytes) : SIZE_MAX;
    return size != SIZE_MAX && logs_mark_check(bytes, size) == mark->check;
}

bool log_file_mark(const struct log_file *file, uint64_t offset_bytes, struct logs_mark *ret_mark)
{
    uint8_t bytes[LOGS_MARK_CHECKED_BYTES];
    size_t size = bytes_before(file->fd, offset_bytes, bytes);
    if (size == SIZE_MAX)
        return false;
    *ret_mark = (struct logs_mark){file->inode, offset_bytes, logs_mark_check(bytes, size)};
    return true;
}

static const struct log_file *offset_in(const struct log_files *files, int at,
                                        uint64_t stream_bytes, uint64_t *ret_offset_bytes)
{
    const struct log_file *file = &files->files[at];
    uint64_t offset = file->begin_bytes + stream_bytes - file->stream_bytes;
    /* A newline that the file lacks is none of it. */
    *ret_offset_bytes = offset < file->size_bytes ? offset : file->size_bytes;
    return file;
}

const struct log_file *log_files_locate(const struct log_files *files, uint64_t stream_bytes,
                                        uint64_t *ret_offset_bytes)
{
    int at = files->count - 1;
    while (at > 0 && files->files[at].stream_bytes > stream_bytes)
        at--;
    return offset_in(files, at, stream_bytes, ret_offset_bytes);
}

/* Where the stream ends there: behind the last byte of a file, never at the begin of the next one.
 * That could be filled, rotated and begun anew, and nothing in it would tell. */
static const struct log_file *locate_end(const struct log_files *files, uint64_t stream_bytes,
                                         uint64_t *ret_offset_bytes)
{
    int at = files->count - 1;
    while (at > 0 && files->files[at].stream_bytes >= stream_bytes)
        at--;
    return offset_in(files, at, stream_bytes, ret_offset_bytes);
}

uint64_t log_files_line(const struct log_file *file, uint64_t offset_bytes)
{
    static char piece[64 * 1024];
    uint64_t line = 1;
    for (uint64_t at = 0; at < offset_bytes;) {
        size_t size =
            offset_bytes - at < sizeof(piece) ? (size_t)(offset_bytes - at) : sizeof(piece);
        ssize_t got = pread(file->fd, piece, size, (off_t)at);
        if (got <= 0)
            return 0;
        for (ssize_t i = 0; i < got; i++)
            line += piece[i] == '\n';
        at += (uint64_t)got;
    }
    return line;
}

/* ---- opening ---- */

static bool file_look(struct log_file *file, enum plx_logs_fault *ret_fault)
{
    struct stat status;
    if (fstat(file->fd, &status) != 0) {
        *ret_fault = files_fail(file->path, strerror(errno));
        close(file->fd);
        return false;
    }
    file->device = status.st_dev;
    file->inode = status.st_ino;
    file->size_bytes = (uint64_t)status.st_size;
    return true;
}

bool log_file_open(struct log_file *file, const char *path, enum plx_logs_fault *ret_fault)
{
    const char *why;
    *ret_fault = PLX_LOGS_VALID;
    *file = (struct log_file){.path = path, .fd = regular_file_open(path, O_RDONLY, &why)};
    if (file->fd < 0) {
        if (errno != ENOENT)
            *ret_fault = files_fail(path, why);
        return false;
    }
    return file_look(file, ret_fault);
}

/* Standard input is read once, and kept in a file. */
static bool input_open(struct log_files *files, struct log_file *file,
                       enum plx_logs_fault *ret_fault)
{
    char piece[64 * 1024];
    size_t size;
    *ret_fault = PLX_LOGS_UNREAD; /* until it is read */
    if (files->input == NULL) {
        if ((files->input = log_spool_file()) == NULL)
            return false;
        while ((size = fread(piece, 1, sizeof(piece), stdin)) > 0) {
            if (fwrite(piece, 1, size, files->input) != size)
                return files_fail("-", strerror(errno)) == PLX_LOGS_VALID;
        }
        if (ferror(stdin) || fflush(files->input) != 0)
            return files_fail("-", strerror(errno)) == PLX_LOGS_VALID;
    }
    *ret_fault = PLX_LOGS_VALID;
    *file = (struct log_file){.path = "-", .fd = dup(fileno(files->input)), .is_piped = true};
    if (file->fd < 0) {
        *ret_fault = files_fail("-", strerror(errno));
        return false;
    }
    return file_look(file, ret_fault);
}

/* Opens all files given. Two names of one file are refused: its lines would count twice. */
static enum plx_logs_fault files_open(struct log_files *files)
{
    enum plx_logs_fault fault = PLX_LOGS_VALID;
    files_close(files);
    for (int i = 0; i < files->arguments->file_count; i++) {
        const char *path = files->arguments->files[i];
        struct log_file *file = &files->files[files->count];
        bool is_open = strcmp(path, "-") == 0 ? input_open(files, file, &fault)
                                              : log_file_open(file, path, &fault);
        if (fault != PLX_LOGS_VALID)
            return fault;
        files->count += is_open;
        for (int j = 0; is_open && j + 1 < files->count; j++) {
            if (files->files[j].inode == file->inode && files->files[j].device == file->device)
                return files_fail(path, "the same file is given twice");
        }
    }
    return PLX_LOGS_VALID;
}

/* ---- where it begins ---- */

/* The newest file that has the mark; the very file before a copy of it. -1: none has. */
static int find_mark(const struct log_files *files, const struct logs_mark *mark)
{
    int found = -1;
    for (int i = 0; i < files->count; i++) {
        const struct log_file *file = &files->files[i];
        bool is_better =
            found < 0 || file->inode == mark->file || files->files[found].inode != mark->file;
        if (is_better && log_file_has(file->fd, mark))
            found = i;
    }
    return found;
}

/* Puts a file that was found beside the last one before all others. */
static enum plx_logs_fault find_beside(struct log_files *files, const struct logs_mark *mark)
{
    struct log_file file;
    enum plx_logs_fault fault;
    const char *path = files->arguments->files[files->arguments->file_count - 1];
    if (!log_beside_find(files, path, mark, files->beside, sizeof(files->beside)) ||
        !log_file_open(&file, files->beside, &fault))
        return PLX_LOGS_MOVED_ON;
    if (!log_file_has(file.fd, mark)) {
        close(file.fd);
        return PLX_LOGS_CHANGING;
    }
    memmove(files->files + 1, files->files, (size_t)files->count * sizeof(file));
    files->files[0] = file;
    files->count++;
    return PLX_LOGS_VALID;
}

static bool is_piped(const struct log_files *files)
{
    for (int i = 0; i < files->count; i++) {
        if (files->files[i].is_piped)
            return true;
    }
    return false;
}

static enum plx_logs_fault begin_at_mark(struct log_files *files, const struct logs_mark *mark,
                                         bool *ret_is_marked)
{
    if (mark->file == 0 || files->arguments->is_by_time || is_piped(files))
        return PLX_LOGS_VALID;
    if (mark->offset_bytes == 0)
        return PLX_LOGS_MOVED_ON; /* by a program of before; each file has such a place */
    int at = find_mark(files, mark);
    if (at < 0) {
        enum plx_logs_fault fault = find_beside(files, mark);
        if (fault != PLX_LOGS_VALID)
            return fault;
        at = 0;
    } else if (at + 1 < files->count &&
               !log_beside_is_none(files, files->arguments->files[files->arguments->file_count - 1],
                                   files->files[at].fd)) {
        return PLX_LOGS_MOVED_ON; /* one that comes in between was not given */
    }
    for (int i = 0; i < at; i++)
        close(files->files[i].fd);
    files->count -= at;
    memmove(files->files, files->files + at, (size_t)files->count * sizeof(files->files[0]));
    files->files[0].begin_bytes = mark->offset_bytes;
    files->begun_at = *mark;
    *ret_is_marked = true;
    return PLX_LOGS_VALID;
}

/* A follower's own place. The files may have grown; none of them may have been cut. */
static enum plx_logs_fault begin_at_place(struct log_files *files)
{
    enum plx_logs_fault fault = PLX_LOGS_VALID;
    files->begun_at = files->place;
    for (int i = 0; i < files->count; i++) {
        struct log_file *file = &files->files[i];
        if (!file_look(file, &fault))
            return fault;
        if ((file->seen.file != 0 && !log_file_has(file->fd, &file->seen)) ||
            !log_file_mark(file, file->size_bytes, &file->seen))
            return PLX_LOGS_CHANGING;
    }
    return log_file_has(files->files[0].fd, &files->place) ? PLX_LOGS_VALID : PLX_LOGS_CHANGING;
}

static void file_enter(struct log_files *files, int at)
{
    struct log_file *file = &files->files[at];
    files->at = at;
    files->carried = 0;
    files->checked_size = 0;
    files->given = 0;
    files->last = '\n';
    if (at < files->count) {
        file->stream_bytes = files->stream_bytes;
        files->offset_bytes = file->begin_bytes;
    }
}

static enum plx_logs_fault stream_begin(void *context, const struct logs_mark *mark,
                                        bool *ret_is_marked)
{
    struct log_files *files = context;
    log_spool_clear(&files->spool);
    files->stream_bytes = 0;
    files->begun_at = (struct logs_mark){.file = 0};
    *ret_is_marked = false;
    enum plx_logs_fault fault = files->has_place ? begin_at_place(files) : files_open(files);
    if (fault == PLX_LOGS_VALID && !files->has_place)
        fault = begin_at_mark(files, mark, ret_is_marked);
    file_enter(files, 0);
    return fault;
}

/* ---- reading ---- */

/* Keeps the last bytes of the file that were read, beside which it is held in the end. */
static void checked_note(struct log_files *files, const char *bytes, size_t size_bytes)
{
    size_t kept = files->checked_size;
    if (size_bytes >= LOGS_MARK_CHECKED_BYTES) {
        bytes += size_bytes - LOGS_MARK_CHECKED_BYTES;
        size_bytes = LOGS_MARK_CHECKED_BYTES;
        kept = 0;
    } else if (kept > LOGS_MARK_CHECKED_BYTES - size_bytes) {
        size_t gone = kept + size_bytes - LOGS_MARK_CHECKED_BYTES;
        memmove(files->checked, files->checked + gone, kept - gone);
        kept -= gone;
    }
    memcpy(files->checked + kept, bytes, size_bytes);
    files->checked_size = kept + size_bytes;
}

/* What was read last of the file is still there. */
static bool is_unchanged(const struct log_files *files)
{
    uint8_t bytes[LOGS_MARK_CHECKED_BYTES];
    size_t size = files->checked_size;
    return pread(files->files[files->at].fd, bytes, size, (off_t)(files->offset_bytes - size)) ==
               (ssize_t)size &&
           memcmp(bytes, files->checked, size) == 0;
}

/* How much of the buffer is given: not the begin of a line whose timestamp may be cut. */
static size_t size_to_give(const struct log_files *files, size_t size_bytes, bool is_end)
{
    const char *newline = memrchr(files->buffer, '\n', size_bytes);
    size_t line = newline != NULL ? (size_t)(newline - files->buffer) + 1 : 0;
    bool is_begin = newline != NULL || files->last == '\n';
    return !is_end && is_begin && size_bytes - line < LOG_FILES_TIMESTAMP_BYTES ? line : size_bytes;
}

/* More of the file; 0 bytes: it has ended. */
static enum plx_logs_fault file_read(struct log_files *files, struct plx_bytes *ret_bytes)
{
    const struct log_file *file = &files->files[files->at];
    memmove(files->buffer, files->buffer + files->given, files->carried);
    uint64_t left =
        file->size_bytes > files->offset_bytes ? file->size_bytes - files->offset_bytes : 0;
    size_t room = BUFFER_BYTES - files->carried;
    size_t wanted = left < room ? (size_t)left : room;
    ssize_t got =
        pread(file->fd, files->buffer + files->carried, wanted, (off_t)files->offset_bytes);
    if (got < 0)
        return files_fail(file->path, strerror(errno));
    if ((size_t)got < wanted)
        return PLX_LOGS_CHANGING;
    checked_note(files, files->buffer + files->carried, (size_t)got);
    files->offset_bytes += (uint64_t)got;
    size_t size = files->carried + (size_t)got;
    files->given = size_to_give(files, size, files->offset_bytes >= file->size_bytes);
    files->carried = size - files->given;
    *ret_bytes = (struct plx_bytes){files->buffer, files->given};
    if (files->given > 0)
        files->last = files->buffer[files->given - 1];
    files->stream_bytes += files->given;
    return PLX_LOGS_VALID;
}

static enum plx_logs_fault stream_read(void *context, struct plx_bytes *ret_bytes)
{
    struct log_files *files = context;
    *ret_bytes = (struct plx_bytes){"", 0};
    while (files->at < files->count) {
        enum plx_logs_fault fault = file_read(files, ret_bytes);
        if (fault != PLX_LOGS_VALID || ret_bytes->size_bytes > 0)
            return fault;
        if (files->at + 1 == files->count)
            return PLX_LOGS_VALID;
        /* One that is followed by another has ended, and so has its last line. */
        if (!is_unchanged(files))
            return PLX_LOGS_CHANGING;
        bool is_whole = files->last == '\n';
        file_enter(files, files->at + 1);
        if (!is_whole) {
            *ret_bytes = (struct plx_bytes){"\n", 1};
            files->stream_bytes++;
            files->files[files->at].stream_bytes++;
            return PLX_LOGS_VALID;
        }
    }
    return PLX_LOGS_VALID;
}

static enum plx_logs_fault stream_keep(void *context, struct plx_bytes bytes)
{
    struct log_files *files = context;
    return log_spool_add(&files->spool, bytes.data, bytes.size_bytes) ? PLX_LOGS_VALID
                                                                      : PLX_LOGS_UNREAD;
}

static enum plx_logs_fault stream_end(void *context, uint64_t size_bytes,
                                      struct logs_mark *ret_mark)
{
    struct log_files *files = context;
    uint64_t offset;
    files->end_bytes = size_bytes;
    files->end = (struct logs_mark){.file = 0};
    if (files->count == 0)
        return PLX_LOGS_VALID;
    if (files->at < files->count && !is_unchanged(files))
        return PLX_LOGS_CHANGING;
    /* It may have been cut, and have grown again, before the first byte was read. */
    if (files->begun_at.file != 0 && !log_file_has(files->files[0].fd, &files->begun_at))
        return PLX_LOGS_CHANGING;
    const struct log_file *file = locate_end(files, size_bytes, &offset);
    if (is_piped(files))
        return PLX_LOGS_VALID;
    if (!log_file_mark(file, offset, ret_mark))
        return PLX_LOGS_CHANGING;
    files->end = *ret_mark;
    return PLX_LOGS_VALID;
}

struct logs_stream log_files_stream(struct log_files *files)
{
    return (struct logs_stream){.context = files,
                                .begin = stream_begin,
                                .read = stream_read,
                                .keep = stream_keep,
                                .end = stream_end};
}
