/*
 * Creating, opening and locking the file behind a medium.
 *
 * Creation: a temporary name beside the target, zeros written (not merely allocated: a sync after a
 * store into an unwritten extent would have to change the file system's metadata, too), synced,
 * locked, linked to the final name, directory synced. link(2) fails where the name exists, so of
 * two processes that create at once one wins and the other finds the winner's lock.
 */
#include "pmem/backing_file_internal.h"

#include "base/regular_file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define ZERO_STEP_BYTES (64u * 1024)

enum error backing_file_error(int error_number)
{
    switch (error_number) {
    case ENOENT:
    case ENOTDIR:
        return ERR_NOT_FOUND;
    case EACCES:
    case EPERM:
    case EROFS:
        return ERR_PERMISSION;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return ERR_NO_SPACE;
    case ENOMEM:
        return ERR_NO_MEMORY;
    default:
        return ERR_IO;
    }
}

static enum error backing_file_refuse(const char *path, const char *what, char *ret_reason,
                                      size_t reason_size)
{
    int error_number = errno;
    snprintf(ret_reason, reason_size, "%.140s: cannot %s: %s", path, what, strerror(error_number));
    return backing_file_error(error_number);
}

static int zeros_write(int fd, size_t size_bytes)
{
    static const uint8_t zeros[ZERO_STEP_BYTES];
    size_t done_bytes = 0;
    while (done_bytes < size_bytes) {
        size_t step_bytes =
            size_bytes - done_bytes < sizeof(zeros) ? size_bytes - done_bytes : sizeof(zeros);
        ssize_t written_bytes = pwrite(fd, zeros, step_bytes, (off_t)done_bytes);
        if (written_bytes < 0 && errno != EINTR)
            return -1;
        if (written_bytes == 0) { /* would be for ever */
            errno = EIO;
            return -1;
        }
        if (written_bytes > 0)
            done_bytes += (size_t)written_bytes;
    }
    return fsync(fd);
}

static int directory_sync(const char *path)
{
    char copy[PATH_MAX];
    snprintf(copy, sizeof(copy), "%s", path);
    int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    int status = fsync(fd);
    int error_number = errno;
    close(fd);
    errno = error_number;
    return status;
}

/* Space is asked for first, so that a disk too small is refused before it is filled. */
static int file_fill(int fd, size_t size_bytes, bool is_unwritten)
{
    int error_number = posix_fallocate(fd, 0, (off_t)size_bytes);
    if (error_number != 0 && error_number != EOPNOTSUPP && error_number != EINVAL) {
        errno = error_number;
        return -1;
    }
    return is_unwritten && error_number == 0 ? fsync(fd) : zeros_write(fd, size_bytes);
}

/* ERR_EXISTS: another process was faster. */
static enum error file_create(const struct medium_options *options, int *ret_fd, char *ret_reason,
                              size_t reason_size)
{
    const char *path = options->path;
    char temporary[PATH_MAX];
    enum error error = OK;
    int length = snprintf(temporary, sizeof(temporary), "%s.tmp-%ld", path, (long)getpid());

    if (length < 0 || (size_t)length >= sizeof(temporary)) {
        errno = ENAMETOOLONG;
        return backing_file_refuse(path, "create", ret_reason, reason_size);
    }
    unlink(temporary); /* of a start that was cut short, whatever it is */
    int fd = open(temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
    if (fd < 0)
        return backing_file_refuse(path, "create", ret_reason, reason_size);
    if (file_fill(fd, options->size_bytes, options->is_unwritten) != 0)
        error = backing_file_refuse(path, "write", ret_reason, reason_size);
    else if (flock(fd, LOCK_EX | LOCK_NB) != 0)
        error = backing_file_refuse(path, "lock", ret_reason, reason_size);
    else if (link(temporary, path) != 0)
        error = errno == EEXIST ? ERR_EXISTS
                                : backing_file_refuse(path, "create", ret_reason, reason_size);
    unlink(temporary);
    if (error == OK && directory_sync(path) != 0)
        error = backing_file_refuse(path, "sync the directory of", ret_reason, reason_size);
    if (error != OK) {
        close(fd);
        return error;
    }
    *ret_fd = fd;
    return OK;
}

static enum error file_open(const char *path, int *ret_fd, char *ret_reason, size_t reason_size)
{
    const char *why;
    int fd = regular_file_open(path, O_RDWR, &why);
    if (fd < 0) {
        int error_number = errno;
        snprintf(ret_reason, reason_size, "%.140s: cannot open: %s", path, why);
        return backing_file_error(error_number);
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        enum error error = ERR_BUSY;
        if (errno == EWOULDBLOCK)
            snprintf(ret_reason, reason_size,
                     "%.140s: another polluxd has it open; stop that one or choose another file",
                     path);
        else
            error = backing_file_refuse(path, "lock", ret_reason, reason_size);
        close(fd);
        return error;
    }
    *ret_fd = fd;
    return OK;
}

enum error backing_file_open(const struct medium_options *options, int *ret_fd, char *ret_reason,
                             size_t reason_size)
{
    enum error error = file_open(options->path, ret_fd, ret_reason, reason_size);
    if (error != ERR_NOT_FOUND || !options->is_created)
        return error;
    error = file_create(options, ret_fd, ret_reason, reason_size);
    if (error == ERR_EXISTS)
        error = file_open(options->path, ret_fd, ret_reason, reason_size);
    if (error == OK)
        ret_reason[0] = '\0'; /* that there was no file is no complaint */
    return error;
}

enum error medium_move(const char *path, const char *new_path, char *ret_reason, size_t reason_size)
{
    if (rename(path, new_path) != 0)
        return backing_file_refuse(path, "rename", ret_reason, reason_size);
    if (directory_sync(new_path) != 0)
        return backing_file_refuse(new_path, "sync the directory of", ret_reason, reason_size);
    return OK;
}

enum error backing_file_size(int fd, size_t *ret_size_bytes)
{
    struct stat status;
    if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode))
        return ERR_IO;
    *ret_size_bytes = (size_t)status.st_size / 4096 * 4096;
    return OK;
}

enum error backing_file_extend(int fd, size_t size_bytes)
{
    int error_number = posix_fallocate(fd, 0, (off_t)size_bytes);
    if (error_number == EOPNOTSUPP || error_number == EINVAL)
        error_number = ftruncate(fd, (off_t)size_bytes) == 0 ? 0 : errno;
    return error_number == 0 ? OK : backing_file_error(error_number);
}

bool backing_file_is_volatile(int fd)
{
    struct statfs status;
    return fstatfs(fd, &status) == 0 &&
           (status.f_type == TMPFS_MAGIC || status.f_type == RAMFS_MAGIC);
}
