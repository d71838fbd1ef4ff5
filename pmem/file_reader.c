/* See file_reader.h: the reader of a real file. */
#include "pmem/file_reader.h"

#include "base/regular_file.h"
#include "pmem/backing_file_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
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
static int open_quietly(const char *path, const char **ret_why)
{
    int fd = regular_file_open(path, O_RDONLY | O_NOATIME, ret_why);
    if (fd < 0 && errno == EPERM)
        fd = regular_file_open(path, O_RDONLY, ret_why);
    return fd;
}

static bool wait_for_writer(uint32_t turn)
{
    static const long waits_ns[] = {10000000, 60000000, 250000000};
    if (turn >= sizeof(waits_ns) / sizeof(waits_ns[0]))
        return false;
    const struct timespec wait = {.tv_nsec = waits_ns[turn]};
    nanosleep(&wait, NULL);
    return true;
}

enum error file_reader_open(const char *path, struct file_reader *ret_reader, char *ret_reason,
                            size_t reason_size)
{
    struct stat status;
    const char *why;
    int fd = open_quietly(path, &why);
    if (fd < 0) {
        int error_number = errno;
        snprintf(ret_reason, reason_size, "%.140s: cannot open: %s", path, why);
        return backing_file_error(error_number);
    }
    if (fstat(fd, &status) != 0) {
        snprintf(ret_reason, reason_size, "%.140s: cannot ask for its size", path);
        close(fd);
        return ERR_IO;
    }
    *ret_reader = (struct file_reader){.read = read_file,
                                       .wait = wait_for_writer,
                                       .size_bytes = (uint64_t)status.st_size,
                                       .fd = fd};
    ret_reader->context = ret_reader;
    return OK;
}

void file_reader_close(struct file_reader *reader)
{
    close(reader->fd);
}
