/*
 * Where a path lies: the device and the mount point of it, or of the nearest folder above it that
 * exists. For messages to operators, who may have forgotten a mount.
 *
 * Any thread, at start only.
 */
#ifndef POLLUX_SERVER_MOUNT_POINT_H
#define POLLUX_SERVER_MOUNT_POINT_H

#include <stddef.h>

/* "/mnt/pollux lies on /dev/sda1 (ext4), mounted at /". What cannot be found out is left out. */
void mount_point_describe(const char *path, char *ret_text, size_t text_size);

#endif
