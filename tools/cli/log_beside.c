/*
 * The file that was renamed or copied when a log was rotated: beside the log, under the log's name
 * with a number, a date or "old" behind it.
 */
#include "tools/cli/log_files.h"

#include "base/regular_file.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILES_BESIDE_MAX 4096

struct beside {
    char folder[512];
    const char *name; /* of the log */
    const struct log_files *files;
    const struct logs_mark *mark;
};

static bool is_given(const struct beside *beside, const struct stat *status)
{
    for (int i = 0; i < beside->files->count; i++) {
        const struct log_file *file = &beside->files->files[i];
        if (file->inode == status->st_ino && file->device == status->st_dev)
            return true;
    }
    return false;
}

static bool is_newer(const struct stat *a, const struct stat *b)
{
    return a->st_mtim.tv_sec != b->st_mtim.tv_sec ? a->st_mtim.tv_sec > b->st_mtim.tv_sec
                                                  : a->st_mtim.tv_nsec >= b->st_mtim.tv_nsec;
}

/* log.1, log.1.gz, log-20260131, log.old; and not log.pid. */
static bool is_rotated_name(const char *name, const char *log)
{
    size_t size = strlen(log);
    if (strncmp(name, log, size) != 0 || strchr(".-_", name[size]) == NULL || name[size] == '\0')
        return false;
    const char *rest = name + size + 1;
    return (rest[0] >= '0' && rest[0] <= '9') || strcmp(rest, "old") == 0;
}

/* A regular file that has the name of a log that was rotated, and that is not read anyway. */
static bool is_beside(const struct beside *beside, const char *name, char *ret_path,
                      size_t path_size, struct stat *ret_status)
{
    int length = snprintf(ret_path, path_size, "%s/%s", beside->folder, name);
    return is_rotated_name(name, beside->name) && length > 0 && (size_t)length < path_size &&
           stat(ret_path, ret_status) == 0 && S_ISREG(ret_status->st_mode) &&
           !is_given(beside, ret_status);
}

static bool has_mark(const char *path, const struct logs_mark *mark)
{
    const char *why;
    int fd = regular_file_open(path, O_RDONLY, &why);
    bool is_so = fd >= 0 && log_file_has(fd, mark);
    if (fd >= 0)
        close(fd);
    return is_so;
}

/* Of several that have it, a copy and the file renamed, the newest. */
static bool newest_with_mark(const struct beside *beside, DIR *folder, char *ret_path,
                             size_t path_size, struct stat *ret_status)
{
    bool is_found = false;
    struct dirent *entry;
    for (int i = 0; i < FILES_BESIDE_MAX && (entry = readdir(folder)) != NULL; i++) {
        char path[1024];
        struct stat status;
        if (!is_beside(beside, entry->d_name, path, sizeof(path), &status) ||
            (is_found && !is_newer(&status, ret_status)) || strlen(path) >= path_size ||
            !has_mark(path, beside->mark))
            continue;
        memcpy(ret_path, path, strlen(path) + 1);
        *ret_status = status;
        is_found = true;
    }
    return is_found;
}

/* Another file beside the log was written later, or `since` then: nobody can tell whether it comes
 * in between. */
static bool is_last(const struct beside *beside, DIR *folder, const struct stat *found, bool since)
{
    struct dirent *entry = NULL;
    rewinddir(folder);
    for (int i = 0; i < FILES_BESIDE_MAX && (entry = readdir(folder)) != NULL; i++) {
        char path[1024];
        struct stat status;
        if (is_beside(beside, entry->d_name, path, sizeof(path), &status) &&
            status.st_ino != found->st_ino &&
            (since ? is_newer(&status, found) : !is_newer(found, &status)))
            return false;
    }
    return entry == NULL; /* else there are too many to tell */
}

static DIR *beside_open(struct beside *beside, const char *path)
{
    const char *slash = strrchr(path, '/');
    beside->name = slash != NULL ? slash + 1 : path;
    if (slash != NULL) {
        size_t size = (size_t)(slash - path);
        if (size + 1 >= sizeof(beside->folder))
            return NULL;
        memcpy(beside->folder, path, size + 1);
        beside->folder[size + (size == 0)] = '\0';
    }
    return opendir(beside->folder);
}

bool log_beside_is_none(const struct log_files *files, const char *path, int fd)
{
    struct beside beside = {.folder = ".", .files = files};
    struct stat status;
    DIR *folder = beside_open(&beside, path);
    bool is_none =
        folder != NULL && fstat(fd, &status) == 0 && is_last(&beside, folder, &status, false);
    if (folder != NULL)
        (void)closedir(folder);
    return is_none;
}

bool log_beside_find(const struct log_files *files, const char *path, const struct logs_mark *mark,
                     char *ret_path, size_t path_size)
{
    struct beside beside = {.folder = ".", .files = files, .mark = mark};
    struct stat found;
    DIR *folder = beside_open(&beside, path);
    if (folder == NULL)
        return false;
    bool is_found = newest_with_mark(&beside, folder, ret_path, path_size, &found) &&
                    is_last(&beside, folder, &found, true);
    (void)closedir(folder);
    return is_found;
}
