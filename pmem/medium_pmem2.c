/*
 * The real medium: a libpmem2 mapping (libpmem2(7)). On BYTE and CACHE_LINE its non-temporal copies
 * and its drain; on PAGE write(2) and the sync thread, because pmem2_persist there is an msync that
 * aborts the process on an error. The only file that names pmem2_*.
 */
#include "base/check.h"
#include "pmem/backing_file_internal.h"
#include "pmem/bus_guard_internal.h"
#include "pmem/medium.h"
#include "pmem/syncer_internal.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <libpmem2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <unistd.h>
#include <sys/stat.h>

struct medium {
    uint8_t *data;
    size_t size_bytes;
    enum medium_granularity granularity;
    bool is_emulated;
    bool is_volatile;
    int fd;
    uint64_t ticket; /* of the newest persist; BYTE and CACHE_LINE */
    pmem2_memcpy_fn copy;
    pmem2_flush_fn flush;
    pmem2_drain_fn drain;
    struct pmem2_map *map;
    bool is_own_mapping; /* by this file, not by pmem2_map_new */
    struct pmem2_source *source;
    struct syncer *syncer;  /* PAGE only */
    bool has_write_failed;  /* PAGE only */
    struct bus_guard guard; /* open once `data` is set */
};

static enum error map_refuse(const char *path, char *ret_reason, size_t reason_size)
{
    snprintf(ret_reason, reason_size, "%.120s: cannot map: %.100s", path, pmem2_errormsg());
    return ERR_IO;
}

static enum medium_granularity granularity_of(const struct pmem2_map *map)
{
    /* pmem2_map_get_store_granularity takes a plain pointer. */
    switch (pmem2_map_get_store_granularity((struct pmem2_map *)map)) {
    case PMEM2_GRANULARITY_BYTE:
        return MEDIUM_BYTE;
    case PMEM2_GRANULARITY_CACHE_LINE:
        return MEDIUM_CACHE_LINE;
    case PMEM2_GRANULARITY_PAGE:
        break;
    }
    return MEDIUM_PAGE;
}

/* Whether the file takes MAP_SYNC, which is to say: lies on persistent memory (mmap(2)). */
static bool has_map_sync(int fd)
{
    size_t page_bytes = (size_t)sysconf(_SC_PAGESIZE);
    void *page =
        mmap(NULL, page_bytes, PROT_READ | PROT_WRITE, MAP_SHARED_VALIDATE | MAP_SYNC, fd, 0);
    return page != MAP_FAILED && munmap(page, page_bytes) == 0;
}

/* Persistent memory: libpmem2 chooses the address, for large pages, and finds the granularity. */
static int map_by_pmem2(struct medium *medium)
{
    struct pmem2_config *config = NULL;
    int status = pmem2_config_new(&config);
    if (status == 0)
        status = pmem2_config_set_required_store_granularity(config, PMEM2_GRANULARITY_PAGE);
    if (status == 0)
        status = pmem2_config_set_length(config, medium->size_bytes);
    if (status == 0)
        status = pmem2_map_new(&medium->map, config, medium->source);
    if (config != NULL)
        pmem2_config_delete(&config);
    return status;
}

/* Of a file that is not on persistent memory: as pmem2_map_new would have it, PAGE unless the
 * environment asks for an emulation (PMEM2_FORCE_GRANULARITY, libpmem2(7)). */
static enum pmem2_granularity granularity_of_file(void)
{
    const char *forced = getenv("PMEM2_FORCE_GRANULARITY");
    if (forced != NULL && strcasecmp(forced, "BYTE") == 0)
        return PMEM2_GRANULARITY_BYTE;
    if (forced != NULL &&
        (strcasecmp(forced, "CACHE_LINE") == 0 || strcasecmp(forced, "CACHELINE") == 0))
        return PMEM2_GRANULARITY_CACHE_LINE;
    return PMEM2_GRANULARITY_PAGE;
}

/*
 * An ordinary file is mapped here and handed to libpmem2. pmem2_map_new would try MAP_SYNC first,
 * over a place that it has reserved (MAP_FIXED); the file system refuses only after the kernel has
 * taken the reservation away. What another thread maps at that moment comes to lie there, and
 * pmem2_map_new maps over it: two lanes that opened their logs together got one address for two
 * files.
 */
static int map_by_hand(struct medium *medium)
{
    void *data = mmap(NULL, medium->size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, medium->fd, 0);
    if (data == MAP_FAILED)
        return -errno;
    int status = pmem2_map_from_existing(&medium->map, medium->source, data, medium->size_bytes,
                                         granularity_of_file());
    medium->is_own_mapping = status == 0;
    if (status != 0)
        munmap(data, medium->size_bytes);
    return status;
}

static enum error medium_map(struct medium *medium, const struct medium_options *options,
                             char *ret_reason, size_t reason_size)
{
    int status = pmem2_source_from_fd(&medium->source, medium->fd);
    if (status == 0)
        status = has_map_sync(medium->fd) ? map_by_pmem2(medium) : map_by_hand(medium);
    if (status != 0)
        return map_refuse(options->path, ret_reason, reason_size);
    medium->data = pmem2_map_get_address(medium->map);
    medium->guard = (struct bus_guard){.data = medium->data, .size_bytes = medium->size_bytes};
    if (bus_guard_open(&medium->guard) != OK) {
        snprintf(ret_reason, reason_size, "%.120s: too many files are open", options->path);
        return ERR_FULL;
    }
    medium->granularity = granularity_of(medium->map);
    medium->copy = pmem2_get_memcpy_fn(medium->map);
    medium->flush = pmem2_get_flush_fn(medium->map);
    medium->drain = pmem2_get_drain_fn(medium->map);
    /* Page faults now and not in the first append to each page; a kernel that cannot is only
     * slower. Not for PAGE: every page would be dirty, and the first sync would write the whole
     * file. */
    if (medium->granularity != MEDIUM_PAGE && !options->is_unwritten)
        (void)madvise(medium->data, medium->size_bytes, MADV_POPULATE_WRITE);
    medium->is_emulated =
        medium->granularity != MEDIUM_PAGE && getenv("PMEM2_FORCE_GRANULARITY") != NULL;
    return OK;
}

static enum error medium_init(struct medium *medium, const struct medium_options *options,
                              char *ret_reason, size_t reason_size)
{
    enum error error = backing_file_open(options, &medium->fd, ret_reason, reason_size);
    if (error != OK)
        return error;
    error = backing_file_size(medium->fd, &medium->size_bytes);
    if (error != OK || medium->size_bytes == 0) {
        snprintf(ret_reason, reason_size, "%.140s: %s", options->path,
                 error != OK ? error_text(error) : "less than one page; move the file away");
        return error != OK ? error : ERR_SHORT;
    }
    medium->is_volatile = backing_file_is_volatile(medium->fd);
    error = medium_map(medium, options, ret_reason, reason_size);
    if (error != OK || medium->granularity != MEDIUM_PAGE)
        return error;
    error = syncer_open(medium->fd, &medium->syncer);
    if (error != OK)
        snprintf(ret_reason, reason_size, "%.140s: cannot start the sync thread", options->path);
    return error;
}

enum error medium_open(const struct medium_options *options, struct medium **ret_medium,
                       char *ret_reason, size_t reason_size)
{
    struct medium *medium = calloc(1, sizeof(*medium));
    if (medium == NULL) {
        snprintf(ret_reason, reason_size, "%.140s: out of memory", options->path);
        return ERR_NO_MEMORY;
    }
    medium->fd = -1;
    enum error error = medium_init(medium, options, ret_reason, reason_size);
    if (error != OK) {
        medium_close(medium);
        return error;
    }
    *ret_medium = medium;
    return OK;
}

size_t medium_file_size_bytes(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISREG(status.st_mode) ? (size_t)status.st_size : 0;
}

void medium_close(struct medium *medium)
{
    if (medium->syncer != NULL)
        syncer_close(medium->syncer);
    bus_guard_close(&medium->guard);
    if (medium->map != NULL)
        pmem2_map_delete(&medium->map);
    if (medium->is_own_mapping) /* which pmem2_map_delete leaves alone */
        munmap(medium->data, medium->size_bytes);
    if (medium->source != NULL)
        pmem2_source_delete(&medium->source);
    if (medium->fd >= 0)
        close(medium->fd);
    free(medium);
}

enum medium_granularity medium_granularity(const struct medium *medium)
{
    return medium->granularity;
}

bool medium_is_emulated(const struct medium *medium)
{
    return medium->is_emulated;
}

bool medium_is_volatile(const struct medium *medium)
{
    return medium->is_volatile;
}

const uint8_t *medium_data(const struct medium *medium)
{
    return medium->data;
}

size_t medium_size_bytes(const struct medium *medium)
{
    return medium->size_bytes;
}

/* Through the file and not through the mapping, which shows it at once. A store to a clean page
 * costs a fault, and its sync an interrupt at every core. Where the page cache has large folios
 * (ext4 since Linux 6.16) that sync writes the whole folio. */
static void file_write(struct medium *medium, size_t offset, const uint8_t *data, size_t size_bytes)
{
    while (size_bytes > 0 && !medium->has_write_failed) {
        ssize_t written_bytes = pwrite(medium->fd, data, size_bytes, (off_t)offset);
        if (written_bytes <= 0) { /* 0 would be for ever */
            medium->has_write_failed = written_bytes == 0 || errno != EINTR;
            continue;
        }
        data += written_bytes;
        offset += (size_t)written_bytes;
        size_bytes -= (size_t)written_bytes;
    }
}

void medium_write(struct medium *medium, size_t offset, const void *data, size_t size_bytes)
{
    CHECK(size_bytes <= medium->size_bytes);
    CHECK(offset <= medium->size_bytes - size_bytes);
    if (medium->granularity == MEDIUM_PAGE)
        file_write(medium, offset, data, size_bytes);
    else
        medium->copy(medium->data + offset, data, size_bytes,
                     PMEM2_F_MEM_NODRAIN | PMEM2_F_MEM_NONTEMPORAL);
}

void medium_write_word(struct medium *medium, size_t offset, uint64_t word)
{
    CHECK(offset % sizeof(word) == 0);
    CHECK(offset <= medium->size_bytes - sizeof(word));
    uint64_t stored = htole64(word);
    if (medium->granularity == MEDIUM_PAGE) {
        /* Never torn: it lies in one sector, and no sync runs into the middle of a copy that has
         * the page locked. */
        file_write(medium, offset, (const uint8_t *)&stored, sizeof(stored));
        return;
    }
    /* The mapping is page-aligned, so the word is aligned; one store, never torn. */
    uint64_t *target = (uint64_t *)(void *)(medium->data + offset);
    __atomic_store_n(target, stored, __ATOMIC_RELAXED);
    medium->flush(target, sizeof(stored));
}

uint64_t medium_persist(struct medium *medium)
{
    if (medium->syncer != NULL)
        return syncer_request(medium->syncer);
    medium->drain();
    return ++medium->ticket;
}

bool medium_is_unreadable(const struct medium *medium, size_t *ret_offset)
{
    return bus_guard_has_fault(&medium->guard, ret_offset);
}

/* Why nothing becomes durable any more. */
static enum error failure_of(const struct medium *medium)
{
    size_t offset;
    if (medium->has_write_failed)
        return ERR_SYNC;
    return medium_is_unreadable(medium, &offset) ? ERR_IO : OK;
}

enum error medium_persisted(struct medium *medium, uint64_t *ret_ticket)
{
    enum error error = failure_of(medium);
    if (error != OK)
        return error;
    if (medium->syncer != NULL)
        return syncer_completed(medium->syncer, ret_ticket);
    *ret_ticket = medium->ticket;
    return OK;
}

enum error medium_persist_wait(struct medium *medium)
{
    return medium_await(medium, medium_persist(medium));
}

enum error medium_await(struct medium *medium, uint64_t ticket)
{
    enum error error = failure_of(medium);
    if (error != OK)
        return error;
    return medium->syncer != NULL ? syncer_wait(medium->syncer, ticket) : OK;
}

/* A mapping by libpmem2 is of persistent memory, where MAP_SHARED may lack MAP_SYNC: that one is
 * not mapped again. */
enum error medium_map_again(struct medium *medium)
{
    size_t offset;
    if (!medium_is_unreadable(medium, &offset))
        return OK;
    enum error error = backing_file_extend(medium->fd, medium->size_bytes);
    if (error != OK)
        return error;
    return medium->is_own_mapping && bus_guard_map_again(&medium->guard, medium->fd) ? OK : ERR_IO;
}

enum error medium_restore_size(struct medium *medium)
{
    size_t size_bytes = 0;
    enum error error = backing_file_size(medium->fd, &size_bytes);
    if (error != OK || size_bytes >= medium->size_bytes)
        return error;
    return backing_file_extend(medium->fd, medium->size_bytes);
}

/* The kernel keeps pages that are mapped: they are unmapped first. What it keeps all the same (a
 * file system in memory) is read from there. */
void medium_drop_cache(struct medium *medium)
{
    if (medium->granularity != MEDIUM_PAGE)
        return;
    (void)madvise(medium->data, medium->size_bytes, MADV_DONTNEED);
    (void)posix_fadvise(medium->fd, 0, 0, POSIX_FADV_DONTNEED);
}

enum error medium_fetch(struct medium *medium, size_t offset, size_t size_bytes)
{
    CHECK(offset % 4096 == 0 && size_bytes % 4096 == 0);
    CHECK(size_bytes <= medium->size_bytes && offset <= medium->size_bytes - size_bytes);
    if (medium->granularity != MEDIUM_PAGE)
        return OK;
    int status = madvise(medium->data + offset, size_bytes, MADV_POPULATE_READ);
    return status == 0 || errno == EINVAL ? OK : ERR_IO; /* EINVAL: a kernel that cannot */
}
