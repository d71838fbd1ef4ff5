/* Virtual port strings: what can be said of them before EAL reads them. */
#include "dataplane/vdev.h"

#include "dataplane/environment.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

void vdev_name(const char *vdev, char ret_name[VDEV_NAME_SIZE_BYTES])
{
    size_t size = strcspn(vdev, ",");
    if (size >= VDEV_NAME_SIZE_BYTES) {
        size = VDEV_NAME_SIZE_BYTES - 1;
    }
    memcpy(ret_name, vdev, size);
    ret_name[size] = '\0';
}

bool vdev_value(const char *vdev, const char *key, char ret_value[VDEV_VALUE_SIZE_BYTES])
{
    size_t key_size = strlen(key);
    const char *at = vdev;
    while (at != NULL) {
        at += *at == ',';
        if (strncmp(at, key, key_size) == 0 && at[key_size] == '=') {
            at += key_size + 1;
            size_t size = strcspn(at, ",");
            if (size >= VDEV_VALUE_SIZE_BYTES) {
                size = VDEV_VALUE_SIZE_BYTES - 1;
            }
            memcpy(ret_value, at, size);
            ret_value[size] = '\0';
            return true;
        }
        at = strchr(at, ',');
    }
    return false;
}

static enum error folder_check(const char *path, char *ret_reason, size_t reason_size)
{
    char folder[VDEV_VALUE_SIZE_BYTES];
    struct stat status;
    const char *slash = strrchr(path, '/');
    if (slash == NULL || slash == path) {
        return OK;
    }
    (void)snprintf(folder, sizeof(folder), "%.*s", (int)(slash - path), path);
    if (stat(folder, &status) != 0 || !S_ISDIR(status.st_mode)) {
        environment_reason(ret_reason, reason_size,
                           "memif socket %s: folder %s does not exist; make it, or start the "
                           "switch that does",
                           path, folder);
        return ERR_NOT_FOUND;
    }
    return OK;
}

static enum error stale_socket_remove(const struct sockaddr_un *address, char *ret_reason,
                                      size_t reason_size)
{
    struct stat status;
    if (stat(address->sun_path, &status) != 0 || !S_ISSOCK(status.st_mode)) {
        environment_reason(ret_reason, reason_size,
                           "memif socket %s exists and is no socket; remove it or choose another "
                           "path",
                           address->sun_path);
        return ERR_EXISTS;
    }
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        environment_reason(ret_reason, reason_size, "socket: %s", strerror(errno));
        return ERR_IO;
    }
    int result = connect(fd, (const struct sockaddr *)address, sizeof(*address));
    int connect_errno = errno;
    (void)close(fd);
    if (result == 0) {
        environment_reason(ret_reason, reason_size,
                           "memif socket %s is in use by another process; stop it or choose "
                           "another path",
                           address->sun_path);
        return ERR_BUSY;
    }
    if (connect_errno != ECONNREFUSED || unlink(address->sun_path) != 0) {
        environment_reason(ret_reason, reason_size,
                           "memif socket %s exists and cannot be replaced (%s); remove it",
                           address->sun_path, strerror(connect_errno));
        return ERR_EXISTS;
    }
    return OK;
}

static enum error memif_check(const char *vdev, char *ret_reason, size_t reason_size)
{
    char value[VDEV_VALUE_SIZE_BYTES];
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (!vdev_value(vdev, "socket-abstract", value) || strcmp(value, "no") != 0 ||
        !vdev_value(vdev, "socket", value)) {
        return OK;
    }
    if (strlen(value) >= sizeof(address.sun_path)) {
        environment_reason(ret_reason, reason_size,
                           "memif socket %s: a socket's path has at most %zu letters", value,
                           sizeof(address.sun_path) - 1);
        return ERR_TOO_LARGE;
    }
    enum error error = folder_check(value, ret_reason, reason_size);
    if (error != OK) {
        return error;
    }
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", value);
    bool is_server = vdev_value(vdev, "role", value) && strcmp(value, "server") == 0;
    if (is_server && access(address.sun_path, F_OK) == 0) {
        return stale_socket_remove(&address, ret_reason, reason_size);
    }
    return OK;
}

static enum error interface_check(const char *vdev, char *ret_reason, size_t reason_size)
{
    char value[VDEV_VALUE_SIZE_BYTES];
    if (vdev_value(vdev, "iface", value) && if_nametoindex(value) == 0) {
        environment_reason(ret_reason, reason_size,
                           "network interface %s does not exist; \"ip link\" lists those that do",
                           value);
        return ERR_NOT_FOUND;
    }
    return OK;
}

enum error vdev_check(const char *vdev, char *ret_reason, size_t reason_size)
{
    if (vdev[0] == '\0' || vdev[0] == ',' || strchr(vdev, ' ') != NULL) {
        environment_reason(ret_reason, reason_size,
                           "\"%s\" is no virtual port; write driver and number, then comma and "
                           "key=value pairs (net_memif0,role=client,...)",
                           vdev);
        return ERR_SYNTAX;
    }
    if (strncmp(vdev, "net_memif", 9) == 0) {
        return memif_check(vdev, ret_reason, reason_size);
    }
    if (strncmp(vdev, "net_af_", 7) == 0) {
        return interface_check(vdev, ret_reason, reason_size);
    }
    return OK;
}
