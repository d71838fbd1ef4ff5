/* Key files on a disk. See key_file.h. */
#include "security/key_file.h"

#include "base/regular_file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define GROUP_AND_OTHERS 077

static enum error key_file_fail(char *reason, enum error error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static enum error key_file_fail(char *reason, enum error error, const char *format, ...)
{
    va_list values;
    va_start(values, format);
    vsnprintf(reason, KEY_FILE_REASON_BYTES, format, values);
    va_end(values);
    return error;
}

static enum error error_of_errno(int number)
{
    switch (number) {
    case ENOENT:
        return ERR_NOT_FOUND;
    case EACCES:
    case EPERM:
        return ERR_PERMISSION;
    case EEXIST:
        return ERR_EXISTS;
    case ENOSPC:
    case EDQUOT:
        return ERR_NO_SPACE;
    default:
        return ERR_IO;
    }
}

/* A key that others can read is no secret, and one that others can write is theirs. */
static enum error key_owner_check(const char *path, int fd, char *reason)
{
    struct stat status;
    if (fstat(fd, &status) != 0)
        return key_file_fail(reason, ERR_IO, "key file %s: %s", path, strerror(errno));
    if (status.st_uid != geteuid() && status.st_uid != 0)
        return key_file_fail(
            reason, ERR_PERMISSION,
            "key file %s: it belongs to user %u; make it yours (chown) or run as its owner", path,
            status.st_uid);
    if ((status.st_mode & GROUP_AND_OTHERS) != 0)
        return key_file_fail(
            reason, ERR_PERMISSION,
            "key file %s: others than its owner may use it (mode %03o); chmod 600 it, and "
            "replace the key if somebody may have read it",
            path, status.st_mode & 0777);
    return OK;
}

static enum error text_fault(const char *path, enum error error, uint32_t line, char *reason)
{
    switch (error) {
    case ERR_MAGIC:
        return key_file_fail(
            reason, error, "key file %s: no key file: its first line is not 'pollux key 1'", path);
    case ERR_VERSION:
        return key_file_fail(reason, error, "key file %s: made by a later program; use that one",
                             path);
    case ERR_SYNTAX:
        return key_file_fail(
            reason, error,
            "key file %s: line %u is not as `pollux key new` writes it; copy the file again", path,
            line);
    case ERR_TRAILING:
        return key_file_fail(
            reason, error,
            "key file %s: something stands behind its last line; copy the file again", path);
    default:
        return key_file_fail(
            reason, error,
            "key file %s: its check does not fit the other lines; copy the file again", path);
    }
}

/* All of the file, at most size_max; -1: errno. */
static ssize_t read_all(int fd, char *to, size_t size_max)
{
    size_t size = 0;
    while (size < size_max) {
        ssize_t count = read(fd, to + size, size_max - size);
        if (count < 0 && errno != EINTR)
            return -1;
        if (count == 0)
            break;
        size += count > 0 ? (size_t)count : 0;
    }
    return (ssize_t)size;
}

static enum error file_decode(const char *path, int fd, struct key *ret_key, char *reason)
{
    char text[KEY_FILE_SIZE_BYTES_MAX + 1];
    uint32_t line = 0;
    enum error error = key_owner_check(path, fd, reason);
    if (error != OK)
        return error;
    ssize_t size = read_all(fd, text, sizeof(text));
    if (size < 0)
        return key_file_fail(reason, ERR_IO, "key file %s: %s", path, strerror(errno));
    if ((size_t)size == sizeof(text)) {
        secret_wipe(text, sizeof(text));
        return key_file_fail(reason, ERR_TOO_LARGE, "key file %s: too large for one", path);
    }
    error = key_file_decode(span_of(text, (size_t)size), ret_key, &line);
    secret_wipe(text, sizeof(text));
    return error == OK ? OK : text_fault(path, error, line, reason);
}

enum error key_file_read(const char *path, struct key *ret_key,
                         char ret_reason[KEY_FILE_REASON_BYTES])
{
    const char *why;
    int fd = regular_file_open(path, O_RDONLY, &why);
    if (fd < 0)
        return key_file_fail(ret_reason, error_of_errno(errno), "key file %s: %s", path, why);
    enum error error = file_decode(path, fd, ret_key, ret_reason);
    close(fd);
    return error;
}

/* Writes all, and syncs; false: errno. */
static bool write_all(int fd, const char *text, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t count = write(fd, text + done, size - done);
        if (count < 0 && errno != EINTR)
            return false;
        done += count > 0 ? (size_t)count : 0;
    }
    return fsync(fd) == 0;
}

/* False: errno. */
static bool folder_sync(const char *path)
{
    char copy[PATH_MAX];
    snprintf(copy, sizeof(copy), "%s", path);
    int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool is_synced = fsync(fd) == 0;
    close(fd);
    return is_synced;
}

enum error key_file_write(const char *path, const struct key *key,
                          char ret_reason[KEY_FILE_REASON_BYTES])
{
    char text[KEY_FILE_SIZE_BYTES_MAX];
    if (strnlen(path, PATH_MAX) == PATH_MAX)
        return key_file_fail(ret_reason, ERR_IO, "key file: its name is too long");
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0 && errno == EEXIST)
        return key_file_fail(
            ret_reason, ERR_EXISTS,
            "key file %s: there is such a file, and no key is overwritten; give another "
            "name, or remove it",
            path);
    if (fd < 0)
        return key_file_fail(ret_reason, error_of_errno(errno), "key file %s: %s", path,
                             strerror(errno));
    size_t size = key_file_encode(key, text);
    bool is_written = fchmod(fd, 0600) == 0 && write_all(fd, text, size);
    int number = errno;
    secret_wipe(text, sizeof(text));
    if (close(fd) != 0 && is_written) {
        is_written = false;
        number = errno;
    }
    if (is_written && folder_sync(path))
        return OK;
    number = is_written ? errno : number;
    (void)unlink(path);
    return key_file_fail(ret_reason, error_of_errno(number), "key file %s: %s", path,
                         strerror(number));
}
