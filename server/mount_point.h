/*
 * Where a path lies: the mount of it, or of the nearest folder above it that exists. For messages
 * to operators, who may have forgotten a mount.
 *
 * Any thread, at start only.
 */
#ifndef POLLUX_SERVER_MOUNT_POINT_H
#define POLLUX_SERVER_MOUNT_POINT_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

struct mount_point {
    char device[256];
    char type[32];
    char options[256];
    char folder[PATH_MAX];
};

/* "/mnt/pollux lies on /dev/sda1 (ext4), mounted at /". What cannot be found out is left out. */
void mount_point_describe(const char *path, char *ret_text, size_t text_size);

/* The mount, by the kernel's table below `root` ("": this machine's). False: not known. */
bool mount_point_find(const char *root, const char *path, struct mount_point *ret_mount);

/* The line of etc/fstab below `root` whose folder has the path; of several the deepest. False:
 * there is none; *ret_has_table: the file can be read. */
bool mount_point_planned(const char *root, const char *path, struct mount_point *ret_mount,
                         bool *ret_has_table);

#endif
