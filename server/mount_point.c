/* See mount_point.h. The kernel's table of mounts is in proc(5), /proc/pid/mounts. */
#include "server/mount_point.h"

#include <limits.h>
#include <mntent.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

void mount_point_describe(const char *path, char *ret_text, size_t text_size)
{
    char existing[PATH_MAX];
    char device[128] = "";
    char type[32] = "";
    char folder[PATH_MAX] = "";
    FILE *mounts = find_existing(path, existing) ? setmntent("/proc/self/mounts", "re") : NULL;
    if (mounts == NULL) {
        snprintf(ret_text, text_size, "%.160s: where it lies cannot be found out", path);
        return;
    }
    for (uint32_t i = 0; i < MOUNTS_MAX; i++) {
        struct mntent entry;
        char buffer[2 * PATH_MAX];
        if (getmntent_r(mounts, &entry, buffer, sizeof(buffer)) == NULL)
            break;
        /* Of two at one place the later one lies above. */
        if (!is_below(existing, entry.mnt_dir) || strlen(entry.mnt_dir) < strlen(folder))
            continue;
        snprintf(device, sizeof(device), "%s", entry.mnt_fsname);
        snprintf(type, sizeof(type), "%s", entry.mnt_type);
        snprintf(folder, sizeof(folder), "%s", entry.mnt_dir);
    }
    endmntent(mounts);
    snprintf(ret_text, text_size, "%.160s lies on %.120s (%.30s), mounted at %.120s", existing,
             device, type, folder);
}
