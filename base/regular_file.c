/* See regular_file.h. */
#include "base/regular_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int refuse(int error_number, const char **ret_why)
{
    *ret_why = error_number == EINVAL ? "not a regular file" : strerror(error_number);
    errno = error_number;
    return -1;
}

int regular_file_open(const char *path, int flags, const char **ret_why)
{
    struct stat status;
    int fd = open(path, flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0600);
    if (fd < 0) /* ENXIO: a fifo that nobody reads, or a socket (open(2)) */
        return refuse(errno == ENXIO ? EINVAL : errno, ret_why);
    if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode))
        return fd;
    close(fd);
    return refuse(EINVAL, ret_why);
}
