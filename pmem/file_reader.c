/* See file_reader.h: the reader of a real file. */
#include "pmem/file_reader.h"

#include "pmem/backing_file_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static ssize_t read_file(void *context, void *to, size_t size_bytes, uint64_t offset)
{
    const struct file_reader *reader = (const struct file_reader *)context;
    for (;;) { /* until no signal comes between */
        ssize_t got_bytes = pread(reader->fd, to, size_bytes, (off_t)offset);
        if (got_bytes >= 0)
            return got_bytes;
        if (errno != EINTR)
            return -errno;
    }
}

/* Only the owner of a file may leave its time of access alone. */
static int open_quietly(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOATIME);
    if (fd < 0 && errno == EPERM)
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    return fd;
}

enum error file_reader_open(const char *path, struct file_reader *ret_reader, char *ret_reason,
                            size_t reason_size)
{
    struct stat status;
    int fd = open_quietly(path);
    if (fd < 0) {
        int error_number = errno;
        snprintf(ret_reason, reason_size, "%.140s: cannot open: %s", path, strerror(error_number));
        return backing_file_error(error_number);
    }
    if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
        snprintf(ret_reason, reason_size, "%.140s: not a regular file", path);
        close(fd);
        return ERR_IO;
    }
    *ret_reader =
        (struct file_reader){.read = read_file, .size_bytes = (uint64_t)status.st_size, .fd = fd};
    ret_reader->context = ret_reader;
    return OK;
}

void file_reader_close(struct file_reader *reader)
{
    close(reader->fd);
}
