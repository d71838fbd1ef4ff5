/* What is kept of logs until it is certain whose it is: see tools/cli/log_spool.h. */
#include "tools/cli/log_spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool spool_fail(const char *why)
{
    fprintf(stderr, "pollux: logs: lines cannot be kept in %s: %s\n",
            getenv("TMPDIR") != NULL ? getenv("TMPDIR") : "/tmp", why);
    return false;
}

bool log_spool_init(struct log_spool *spool)
{
    *spool = (struct log_spool){.bytes = malloc(LOG_SPOOL_MEMORY_BYTES)};
    return spool->bytes != NULL || spool_fail("out of memory");
}

void log_spool_deinit(struct log_spool *spool)
{
    log_spool_clear(spool);
    free(spool->bytes);
}

void log_spool_clear(struct log_spool *spool)
{
    if (spool->file != NULL)
        (void)fclose(spool->file);
    spool->file = NULL;
    spool->size_bytes = 0;
}

FILE *log_spool_file(void)
{
    char name[4096];
    const char *folder = getenv("TMPDIR") != NULL ? getenv("TMPDIR") : "/tmp";
    snprintf(name, sizeof(name), "%s/pollux-logs-XXXXXX", folder);
    int fd = mkostemp(name, O_CLOEXEC);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "w+b");
    if (fd >= 0)
        (void)unlink(name);
    if (file == NULL) {
        (void)spool_fail(strerror(errno));
        if (fd >= 0)
            close(fd);
    }
    return file;
}

static bool spool_out(struct log_spool *spool, const void *bytes, size_t size_bytes)
{
    if (spool->file == NULL && (spool->file = log_spool_file()) == NULL)
        return false;
    return fwrite(bytes, 1, size_bytes, spool->file) == size_bytes || spool_fail(strerror(errno));
}

bool log_spool_add(struct log_spool *spool, const void *bytes, size_t size_bytes)
{
    if (size_bytes > LOG_SPOOL_MEMORY_BYTES - spool->size_bytes) {
        if (!spool_out(spool, spool->bytes, spool->size_bytes))
            return false;
        spool->size_bytes = 0;
        if (size_bytes > LOG_SPOOL_MEMORY_BYTES)
            return spool_out(spool, bytes, size_bytes);
    }
    memcpy(spool->bytes + spool->size_bytes, bytes, size_bytes);
    spool->size_bytes += size_bytes;
    return true;
}

bool log_spool_each(struct log_spool *spool, uint64_t size_bytes,
                    bool (*use)(void *context, const char *bytes, size_t size_bytes), void *context)
{
    static char piece[64 * 1024];
    if (spool->file != NULL) {
        /* All of it to the file, so that it is read from one place. */
        if (!spool_out(spool, spool->bytes, spool->size_bytes))
            return false;
        spool->size_bytes = 0;
        if (fflush(spool->file) != 0 || fseeko(spool->file, 0, SEEK_SET) != 0)
            return spool_fail(strerror(errno));
        for (uint64_t done = 0; done < size_bytes;) {
            size_t size =
                size_bytes - done < sizeof(piece) ? (size_t)(size_bytes - done) : sizeof(piece);
            if (fread(piece, 1, size, spool->file) != size)
                return spool_fail("it cannot be read back");
            if (!use(context, piece, size))
                return false;
            done += size;
        }
        return true;
    }
    return size_bytes == 0 || use(context, spool->bytes, (size_t)size_bytes);
}
