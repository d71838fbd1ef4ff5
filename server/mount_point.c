/* See mount_point.h. The kernel's table of mounts is in proc(5), /proc/pid/mounts; fstab(5) has the
 * same form. */
#include "server/mount_point.h"

#include "base/regular_file.h"

#include <fcntl.h>
#include <mntent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MOUNTS_MAX 65536

/* The path, or the nearest folder above it, with every link followed. False: none was found. */
static bool find_existing(const char *path, char ret_existing[PATH_MAX])
{
    char above[PATH_MAX];
    snprintf(above, sizeof(above), "%s", path[0] != '\0' ? path : ".");
    for (size_t i = 0; i < sizeof(above); i++) {
        if (realpath(above, ret_existing) != NULL)
            return true;
        char *slash = strrchr(above, '/');
        if (slash == NULL)
            return realpath(".", ret_existing) != NULL;
        slash[slash == above ? 1 : 0] = '\0';
    }
    return false;
}

static bool is_below(const char *path, const char *folder)
{
    size_t length = strlen(folder);
    if (length == 1)
        return true;
    return strncmp(path, folder, length) == 0 && (path[length] == '/' || path[length] == '\0');
}

/* The deepest folder of a table that has the path; of two at one place the later one lies above. */
static bool find_in_table(FILE *table, const char *path, struct mount_point *ret_mount)
{
    *ret_mount = (struct mount_point){.folder = ""};
    for (uint32_t i = 0; i < MOUNTS_MAX; i++) {
        struct mntent entry;
        char buffer[2 * PATH_MAX];
        if (getmntent_r(table, &entry, buffer, sizeof(buffer)) == NULL)
            break;
        if (entry.mnt_dir[0] != '/' || !is_below(path, entry.mnt_dir) ||
            strlen(entry.mnt_dir) < strlen(ret_mount->folder))
            continue;
        snprintf(ret_mount->device, sizeof(ret_mount->device), "%s", entry.mnt_fsname);
        snprintf(ret_mount->type, sizeof(ret_mount->type), "%s", entry.mnt_type);
        snprintf(ret_mount->options, sizeof(ret_mount->options), "%s", entry.mnt_opts);
        snprintf(ret_mount->folder, sizeof(ret_mount->folder), "%s", entry.mnt_dir);
    }
    return ret_mount->folder[0] != '\0';
}

static FILE *open_table(const char *root, const char *name)
{
    char path[PATH_MAX];
    const char *why;
    snprintf(path, sizeof(path), "%s%s", root, name);
    int fd = regular_file_open(path, O_RDONLY, &why);
    FILE *table = fd < 0 ? NULL : fdopen(fd, "r");
    if (table == NULL && fd >= 0)
        close(fd);
    return table;
}

bool mount_point_find(const char *root, const char *path, struct mount_point *ret_mount)
{
    char existing[PATH_MAX];
    if (!find_existing(path, existing))
        return false;
    FILE *table = open_table(root, "/proc/self/mounts");
    if (table == NULL)
        return false;
    bool is_found = find_in_table(table, existing, ret_mount);
    fclose(table);
    return is_found;
}

bool mount_point_planned(const char *root, const char *path, struct mount_point *ret_mount,
                         bool *ret_has_table)
{
    FILE *table = open_table(root, "/etc/fstab");
    *ret_has_table = table != NULL;
    if (table == NULL)
        return false;
    bool is_found = find_in_table(table, path, ret_mount);
    fclose(table);
    return is_found;
}

void mount_point_describe(const char *path, char *ret_text, size_t text_size)
{
    char existing[PATH_MAX];
    struct mount_point mount;
    if (!mount_point_find("", path, &mount) || !find_existing(path, existing)) {
        snprintf(ret_text, text_size, "%.160s: where it lies cannot be found out", path);
        return;
    }
    snprintf(ret_text, text_size, "%.160s lies on %.120s (%.30s), mounted at %.120s", existing,
             mount.device, mount.type, mount.folder);
}
