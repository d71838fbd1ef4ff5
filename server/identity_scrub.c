/* See identity_scrub.h. */
#include "server/identity_scrub.h"

#include "base/check.h"
#include "base/regular_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FILE_BYTES 4096u /* of each identity: one page */

struct kept_file {
    const char *path;
    bool is_kept;
    bool is_told; /* that it is gone, or lost */
    uint8_t bytes[FILE_BYTES];
};

struct identity_scrub {
    uint32_t count;
    uint32_t next;
    struct kept_file files[SHARDS_MAX + 1];
};

/* Bytes read; -1: the device cannot. */
static ssize_t file_load(int fd, uint8_t ret_bytes[FILE_BYTES])
{
    (void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    ssize_t got_bytes = pread(fd, ret_bytes, FILE_BYTES, 0);
    return got_bytes < 0 ? -1 : got_bytes;
}

void identity_scrub_keep(struct identity_scrub *scrub, uint32_t number)
{
    CHECK(number < scrub->count);
    struct kept_file *file = &scrub->files[number];
    const char *why;
    int fd = regular_file_open(file->path, O_RDONLY, &why);
    file->is_kept = fd >= 0 && file_load(fd, file->bytes) == (ssize_t)FILE_BYTES;
    if (fd >= 0)
        close(fd);
}

struct identity_scrub *identity_scrub_open(const char *const *paths, uint32_t count)
{
    CHECK(count <= SHARDS_MAX + 1);
    struct identity_scrub *scrub = calloc(1, sizeof(*scrub));
    if (scrub == NULL)
        return NULL;
    scrub->count = count;
    for (uint32_t i = 0; i < count; i++) {
        scrub->files[i].path = paths[i];
        identity_scrub_keep(scrub, i);
    }
    return scrub;
}

void identity_scrub_close(struct identity_scrub *scrub)
{
    free(scrub);
}

/* Whole, in one write: so a device replaces a page that it cannot read. */
static bool is_written_again(const struct kept_file *file, int fd)
{
    return pwrite(fd, file->bytes, FILE_BYTES, 0) == (ssize_t)FILE_BYTES && fsync(fd) == 0;
}

static uint32_t offset_of_difference(const uint8_t *found, const uint8_t *kept, uint32_t size_bytes)
{
    uint32_t offset = 0;
    while (offset < size_bytes && found[offset] == kept[offset])
        offset++;
    return offset;
}

static void file_look(struct kept_file *file, int fd, struct identity_finding *finding)
{
    uint8_t found[FILE_BYTES];
    ssize_t got_bytes = file_load(fd, found);
    uint32_t got = got_bytes < 0 ? 0 : (uint32_t)got_bytes;
    finding->offset = offset_of_difference(found, file->bytes, got);
    if (finding->offset == FILE_BYTES)
        return;
    finding->state = IDENTITY_MENDED;
    if (is_written_again(file, fd))
        return;
    finding->reason = errno;
    finding->state = file->is_told ? IDENTITY_WHOLE : IDENTITY_LOST;
    file->is_told = true;
}

void identity_scrub_step(struct identity_scrub *scrub, struct identity_finding *ret_finding)
{
    *ret_finding = (struct identity_finding){.state = IDENTITY_WHOLE};
    if (scrub->count == 0)
        return;
    struct kept_file *file = &scrub->files[scrub->next];
    scrub->next = (scrub->next + 1) % scrub->count;
    ret_finding->path = file->path;
    if (!file->is_kept)
        return;
    const char *why;
    int fd = regular_file_open(file->path, O_RDWR, &why);
    if (fd >= 0) {
        file_look(file, fd, ret_finding);
        close(fd);
    } else if (!file->is_told) {
        file->is_told = true;
        ret_finding->reason = errno;
        ret_finding->state = errno == ENOENT ? IDENTITY_GONE : IDENTITY_LOST;
    }
}
