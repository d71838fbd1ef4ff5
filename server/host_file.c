/* See host_file_internal.h. */
#include "server/host_file_internal.h"

#include "base/regular_file.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define ENTRIES_MAX 4096

bool host_file_read(const char *root, const char *path, char *ret_text, size_t text_size)
{
    char name[HOST_PATH_BYTES];
    const char *why;
    ret_text[0] = '\0';
    (void)snprintf(name, sizeof(name), "%s%s", root, path);
    int fd = regular_file_open(name, O_RDONLY, &why);
    if (fd < 0)
        return false;
    ssize_t size = read(fd, ret_text, text_size - 1);
    close(fd);
    ret_text[size > 0 ? size : 0] = '\0';
    if (size > 0 && ret_text[size - 1] == '\n')
        ret_text[size - 1] = '\0';
    return size >= 0;
}

bool host_file_link(const char *root, const char *path, char *ret_name, size_t name_size)
{
    char name[HOST_PATH_BYTES];
    char target[HOST_PATH_BYTES];
    ret_name[0] = '\0';
    (void)snprintf(name, sizeof(name), "%s%s", root, path);
    ssize_t size = readlink(name, target, sizeof(target) - 1);
    if (size < 0)
        return false;
    target[size] = '\0';
    const char *slash = strrchr(target, '/');
    (void)snprintf(ret_name, name_size, "%s", slash == NULL ? target : slash + 1);
    return true;
}

bool host_file_entry(const char *root, const char *path, unsigned index, char *ret_name,
                     size_t name_size)
{
    char name[HOST_PATH_BYTES];
    bool is_found = false;
    (void)snprintf(name, sizeof(name), "%s%s", root, path);
    DIR *folder = opendir(name);
    if (folder == NULL)
        return false;
    for (unsigned i = 0; i < ENTRIES_MAX && !is_found; i++) {
        const struct dirent *entry = readdir(folder);
        if (entry == NULL)
            break;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        is_found = index == 0;
        index -= !is_found;
        if (is_found)
            (void)snprintf(ret_name, name_size, "%s", entry->d_name);
    }
    closedir(folder);
    return is_found;
}

bool host_file_exists(const char *root, const char *path)
{
    char name[HOST_PATH_BYTES];
    (void)snprintf(name, sizeof(name), "%s%s", root, path);
    return access(name, F_OK) == 0;
}
