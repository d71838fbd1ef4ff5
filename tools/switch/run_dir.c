/* Directory, lock and socket names. */
#include "tools/switch/run_dir.h"

#include "base/limits.h"
#include "base/regular_file.h"
#include "tools/switch/fault.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

void run_dir_socket(const char *dir, const char *kind, uint32_t number,
                    char ret_path[RUN_PATH_BYTES_MAX])
{
    if (number == 0) {
        snprintf(ret_path, RUN_PATH_BYTES_MAX, "%s/%s.sock", dir, kind);
    } else {
        snprintf(ret_path, RUN_PATH_BYTES_MAX, "%s/%s%u.sock", dir, kind, number);
    }
}

static void sockets_remove(const char *dir)
{
    char path[RUN_PATH_BYTES_MAX];
    for (uint32_t node = 1; node <= NODES_MAX; node++) {
        run_dir_socket(dir, "node", node, path);
        (void)unlink(path);
    }
    for (uint32_t client = 1; client <= SWITCH_CLIENT_PORTS_MAX; client++) {
        run_dir_socket(dir, "client", client, path);
        (void)unlink(path);
    }
    run_dir_socket(dir, "control", 0, path);
    (void)unlink(path);
}

static enum error error_of_errno(void)
{
    return errno == EACCES || errno == EPERM || errno == EROFS ? ERR_PERMISSION : ERR_IO;
}

enum error run_dir_open(struct run_dir *dir, const char *path, char *ret_reason, size_t reason_size)
{
    char lock[RUN_DIR_BYTES_MAX + 16];
    const char *why;
    if (strlen(path) == 0 || strlen(path) >= sizeof(dir->path) || strpbrk(path, ",=") != NULL) {
        snprintf(ret_reason, reason_size,
                 "RUN_DIR '%s' must have 1 to %zu bytes, without , and =", path,
                 sizeof(dir->path) - 1);
        return ERR_ARGUMENT;
    }
    if (mkdir(path, 0700) != 0 && errno != EEXIST) {
        enum error error = error_of_errno();
        snprintf(ret_reason, reason_size, "cannot make directory %s: %s", path, strerror(errno));
        return error;
    }
    snprintf(lock, sizeof(lock), "%s/switch.lock", path);
    int fd = regular_file_open(lock, O_RDWR | O_CREAT, &why);
    if (fd < 0) {
        enum error error = error_of_errno();
        snprintf(ret_reason, reason_size, "cannot open %s: %s", lock, why);
        return error;
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        close(fd);
        snprintf(ret_reason, reason_size, "another switch runs in %s; stop it or choose another",
                 path);
        return ERR_BUSY;
    }
    memcpy(dir->path, path, strlen(path) + 1);
    dir->lock_fd = fd;
    sockets_remove(dir->path);
    return OK;
}

void run_dir_close(struct run_dir *dir)
{
    sockets_remove(dir->path);
    close(dir->lock_fd);
}
