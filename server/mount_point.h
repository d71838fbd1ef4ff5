/*
 * Where a path lies: the mount of it, or of the nearest folder above it that exists. For messages
 * to operators, who may have forgotten a mount.
 *
 * Any thread, at start only. Source for DAX: the kernel's Documentation/filesystems/dax.rst.
 */
#ifndef POLLUX_SERVER_MOUNT_POINT_H
#define POLLUX_SERVER_MOUNT_POINT_H

#include "server/host.h"
#include "server/host_finding.h"

struct mount_point {
    char device[256];
    char type[32];
    char options[256];
    char folder[PATH_MAX];
};

/* "/mnt/pollux lies on /dev/sda1 (ext4), mounted at /". Of persistent memory it says, too,
 * that DAX is missing. What cannot be found out is left out. */
void mount_point_describe(const char *path, char *ret_text, size_t text_size);

/* The mount, by the kernel's table. False: not known. */
bool mount_point_find(const struct host *host, const char *path, struct mount_point *ret_mount);

/* The line of /etc/fstab whose folder has the path; of several the deepest. False: there is none;
 * *ret_has_table: the file can be read. */
bool mount_point_planned(const struct host *host, const char *path, struct mount_point *ret_mount,
                         bool *ret_has_table);

enum mount_dax {
    MOUNT_DAX_UNKNOWN, /* the kernel does not tell of block devices */
    MOUNT_DAX_NEVER,   /* no persistent memory */
    MOUNT_DAX_OFF,     /* persistent memory, mounted without DAX */
    MOUNT_DAX_ON
};

/* Whether writes go to persistent memory without the page cache: by the option of the mount, or by
 * the node's own file in this directory. */
enum mount_dax mount_point_dax(const struct host *host, const struct mount_point *mount,
                               const char *directory);

/* What is wrong about MOUNT_DAX_OFF. */
void mount_point_tell_dax(const struct mount_point *mount, struct host_finding *ret_finding);

#endif
