/*
 * The strings that name virtual ports ("net_memif0,role=client,socket=/run/x.sock"): read only so
 * far as needed to say beforehand, in words, what EAL would only say by failing. Pure text and
 * files.
 */
#ifndef POLLUX_DATAPLANE_VDEV_H
#define POLLUX_DATAPLANE_VDEV_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

#define VDEV_NAME_SIZE_BYTES  64
#define VDEV_VALUE_SIZE_BYTES 256

/* The part before the first comma, cut to VDEV_NAME_SIZE_BYTES. */
void vdev_name(const char *vdev, char ret_name[VDEV_NAME_SIZE_BYTES]);

/* The value of `key`, in a whole string or in one without the name; false when the key is
 * missing. */
bool vdev_value(const char *vdev, const char *key, char ret_value[VDEV_VALUE_SIZE_BYTES]);

/*
 * Checks what can be checked without the driver. A memif server's stale socket (of a process that
 * was killed) is removed; a living one is an error. ERR_SYNTAX, ERR_NOT_FOUND (folder or
 * interface), ERR_TOO_LARGE (socket path), ERR_BUSY (socket in use), ERR_IO, with the reason.
 */
MUST_USE enum error vdev_check(const char *vdev, char *ret_reason, size_t reason_size);

#endif
