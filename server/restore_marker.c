/* See restore_marker.h. */
#include "server/restore_marker.h"

#include "base/regular_file.h"
#include "pmem/lock_holder.h"
#include "server/node_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define FIRST_WORD   "from "
#define BACKUP_BYTES 512 /* of what names the backup, with its end */

static void name_file(const char *directory, char ret_path[NODE_FILE_NAME_BYTES])
{
    snprintf(ret_path, NODE_FILE_NAME_BYTES, "%s/" NODE_RESTORING_NAME, directory);
}

/* `why`: what errno says, or more. */
static enum error refuse_marker(const char *path, const char *what, const char *why, char *ret_text,
                                size_t text_size)
{
    int error_number = errno;
    snprintf(ret_text, text_size, "%.200s: cannot %s: %s", path, what, why);
    if (error_number == ENOSPC || error_number == EDQUOT)
        return ERR_NO_SPACE;
    bool is_denied = error_number == EACCES || error_number == EPERM || error_number == EROFS;
    return is_denied ? ERR_PERMISSION : ERR_IO;
}

/* Its first line without the first word; whatever else is there does no harm to a terminal. */
static void read_backup(int fd, char ret_backup[BACKUP_BYTES])
{
    char line[BACKUP_BYTES + sizeof(FIRST_WORD)] = "";
    ssize_t size = pread(fd, line, sizeof(line) - 1, 0);
    const char *from = line;
    snprintf(ret_backup, BACKUP_BYTES, "a backup that it does not name");
    if (size <= 0 || strncmp(line, FIRST_WORD, strlen(FIRST_WORD)) != 0)
        return;
    from += strlen(FIRST_WORD);
    snprintf(ret_backup, BACKUP_BYTES, "%.*s", (int)strcspn(from, "\n"), from);
    for (char *at = ret_backup; *at != '\0'; at++)
        *at = (unsigned char)*at < ' ' || *at == 127 ? '?' : *at;
}

static enum error tell_cut_short(const char *directory, const char *backup, char *ret_text,
                                 size_t text_size)
{
    snprintf(ret_text, text_size,
             "%.200s: a restore was cut short here, from %.400s: what is there is not a node's "
             "storage. Run pollux restore again: it begins anew in this directory. Or remove the "
             "directory",
             directory, backup);
    return ERR_SHORT;
}

static enum error tell_running(const char *directory, long process, char *ret_text,
                               size_t text_size)
{
    char holder[64] = "";
    if (process > 0)
        snprintf(holder, sizeof(holder), ", process %ld,", process);
    snprintf(ret_text, text_size,
             "%.200s: a pollux restore%s fills this directory: wait until it has ended", directory,
             holder);
    return ERR_BUSY;
}

enum error restore_marker_check(const char *directory, char *ret_text, size_t text_size)
{
    char path[NODE_FILE_NAME_BYTES];
    char backup[BACKUP_BYTES];
    struct stat status;
    const char *why;
    name_file(directory, path);
    if (lstat(path, &status) != 0)
        return OK; /* what else is wrong with the directory is told elsewhere */
    int fd = regular_file_open(path, O_RDONLY | O_NOFOLLOW, &why);
    if (fd < 0) {
        snprintf(backup, sizeof(backup),
                 "a backup that cannot be told (" NODE_RESTORING_NAME ": %.100s)", why);
        return tell_cut_short(directory, backup, ret_text, text_size);
    }
    long process = lock_holder(fd);
    read_backup(fd, backup);
    close(fd);
    return process > 0 ? tell_running(directory, process, ret_text, text_size)
                       : tell_cut_short(directory, backup, ret_text, text_size);
}

/* Durable on return, with its place in the directory. */
static bool write_marker(int fd, const char *directory, const char *backup)
{
    char text[2048];
    char line[BACKUP_BYTES];
    snprintf(line, sizeof(line), "%s", backup);
    for (char *at = line; *at != '\0'; at++)
        *at = *at == '\n' ? '?' : *at;
    int length = snprintf(
        text, sizeof(text),
        FIRST_WORD
        "%s\n"
        "\n"
        "pollux restore fills this directory, and removes this file when it has ended. If no such\n"
        "command runs any more, it was cut short: run it again, it begins anew here.\n",
        line);
    int folder = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool is_good = folder >= 0 && pwrite(fd, text, (size_t)length, 0) == length &&
                   ftruncate(fd, length) == 0 && fsync(fd) == 0 && fsync(folder) == 0;
    if (folder >= 0)
        close(folder);
    return is_good;
}

/* False: whoever had it has removed it before it was locked here. */
static bool is_marker_there(const char *path, int fd)
{
    struct stat named;
    struct stat opened;
    return stat(path, &named) == 0 && fstat(fd, &opened) == 0 && named.st_ino == opened.st_ino &&
           named.st_dev == opened.st_dev;
}

enum error restore_marker_begin(const char *directory, const char *backup,
                                struct restore_marker *ret_marker, char *ret_text, size_t text_size)
{
    char path[NODE_FILE_NAME_BYTES];
    struct stat status = {0};
    const char *why;
    enum error error = OK;
    name_file(directory, path);
    int fd = regular_file_open(path, O_RDWR | O_CREAT | O_NOFOLLOW, &why);
    if (fd < 0)
        return refuse_marker(path, "make", why, ret_text, text_size);
    if (flock(fd, LOCK_EX | LOCK_NB) != 0 || !is_marker_there(path, fd))
        error = tell_running(directory, lock_holder(fd), ret_text, text_size);
    else if (fstat(fd, &status) != 0 || !write_marker(fd, directory, backup))
        error = refuse_marker(path, "write", strerror(errno), ret_text, text_size);
    if (error != OK) {
        close(fd);
        return error;
    }
    *ret_marker = (struct restore_marker){.lock = fd, .is_found = status.st_size > 0};
    return OK;
}

enum error restore_marker_end(const char *directory, struct restore_marker *marker, char *ret_text,
                              size_t text_size)
{
    char path[NODE_FILE_NAME_BYTES];
    enum error error = OK;
    name_file(directory, path);
    int folder = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0 || unlink(path) != 0 || fsync(folder) != 0)
        error = refuse_marker(path, "remove", strerror(errno), ret_text, text_size);
    if (folder >= 0)
        close(folder);
    restore_marker_leave(marker);
    return error;
}

void restore_marker_leave(struct restore_marker *marker)
{
    close(marker->lock);
}
