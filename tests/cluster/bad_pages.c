/*
 * A device that cannot read some pages, for real nodes where no device mapper is to be had: a
 * library that is loaded before the C library (LD_PRELOAD). BAD_PAGES names a file with lines
 * "INODE OFFSET"; lines may be added at any time, and all be taken away. Who touches such a page in
 * a mapping of the file gets SIGBUS, and who reads it with pread gets EIO, as from a disk that
 * fails. The mapping shows a page behind the end of an empty file there, for which the kernel sends
 * the same signal. A page that a process writes as a whole is good again for this process, as a
 * disk puts a bad sector elsewhere.
 *
 * The names here stand for mmap64, pread64 and pwrite64, as everywhere where files may be large. It
 * does not imitate what the page cache still holds, nor a write that a disk answers with EIO.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE_BYTES   4096u
#define PAGES_MAX    64u
#define MAPPINGS_MAX 256u
#define POLL_MS      10

struct bad_page {
    uint64_t inode;
    uint64_t offset;
};

struct mapping {
    uint8_t *data; /* NULL: free */
    size_t size_bytes;
    uint64_t inode;
    uint64_t offset;
    uint32_t done; /* bad pages that were looked at */
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct mapping mappings[MAPPINGS_MAX];
static struct bad_page bad_pages[PAGES_MAX];
static bool is_healed[PAGES_MAX];
static uint32_t bad_count;
static int nothing = -1; /* an empty file */

static void *real_mmap(void *address, size_t size_bytes, int protection, int flags, int fd,
                       off_t offset)
{
    void *(*real)(void *, size_t, int, int, int, off_t) = NULL;
    *(void **)(&real) = dlsym(RTLD_NEXT, "mmap64");
    return real(address, size_bytes, protection, flags, fd, offset);
}

static void list_read(void)
{
    const char *path = getenv("BAD_PAGES");
    FILE *file = path != NULL ? fopen(path, "r") : NULL;
    unsigned long inode;
    unsigned long offset;
    uint32_t count = 0;
    while (file != NULL && count < PAGES_MAX && fscanf(file, "%lu %lu\n", &inode, &offset) == 2)
        bad_pages[count++] = (struct bad_page){inode, offset / PAGE_BYTES * PAGE_BYTES};
    if (file != NULL)
        fclose(file);
    for (uint32_t i = 0; i < MAPPINGS_MAX && count < bad_count; i++)
        mappings[i].done = 0; /* the list begins anew */
    for (uint32_t i = count; i < PAGES_MAX; i++)
        is_healed[i] = false;
    bad_count = count;
}

static bool mapping_has(const struct mapping *mapping, const struct bad_page *page)
{
    return page->inode == mapping->inode && page->offset >= mapping->offset &&
           page->offset - mapping->offset < mapping->size_bytes;
}

static void mapping_spoil(struct mapping *mapping)
{
    for (; mapping->done < bad_count; mapping->done++) {
        const struct bad_page *page = &bad_pages[mapping->done];
        if (!is_healed[mapping->done] && mapping_has(mapping, page))
            real_mmap(mapping->data + (page->offset - mapping->offset), PAGE_BYTES,
                      PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, nothing, 0);
    }
}

static void *watch(void *context)
{
    for (;;) {
        pthread_mutex_lock(&mutex);
        list_read();
        for (uint32_t i = 0; i < MAPPINGS_MAX; i++)
            if (mappings[i].data != NULL)
                mapping_spoil(&mappings[i]);
        pthread_mutex_unlock(&mutex);
        poll(NULL, 0, POLL_MS);
    }
    return context;
}

__attribute__((constructor)) static void begin(void)
{
    pthread_t thread;
    sigset_t all;
    sigset_t before;
    nothing = memfd_create("nothing", MFD_CLOEXEC);
    list_read();
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    if (nothing < 0 || pthread_create(&thread, NULL, watch, NULL) != 0)
        abort();
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static void mapping_forget(const uint8_t *data, size_t size_bytes)
{
    for (uint32_t i = 0; i < MAPPINGS_MAX; i++)
        if (mappings[i].data >= data && mappings[i].data < data + size_bytes)
            mappings[i].data = NULL;
}

static void mapping_note(void *data, size_t size_bytes, int fd, off_t offset)
{
    struct stat status;
    uint32_t i = 0;
    if (fstat(fd, &status) != 0)
        return;
    pthread_mutex_lock(&mutex);
    mapping_forget(data, size_bytes);
    while (i < MAPPINGS_MAX && mappings[i].data != NULL)
        i++;
    if (i < MAPPINGS_MAX) {
        mappings[i] = (struct mapping){data, size_bytes, status.st_ino, (uint64_t)offset, 0};
        mapping_spoil(&mappings[i]);
    }
    pthread_mutex_unlock(&mutex);
}

void *mmap(void *address, size_t size_bytes, int protection, int flags, int fd, off_t offset)
{
    void *data = real_mmap(address, size_bytes, protection, flags, fd, offset);
    if (data != MAP_FAILED && fd >= 0 && (flags & MAP_TYPE) == MAP_SHARED)
        mapping_note(data, size_bytes, fd, offset);
    return data;
}

int munmap(void *address, size_t size_bytes)
{
    int (*real)(void *, size_t) = NULL;
    *(void **)(&real) = dlsym(RTLD_NEXT, "munmap");
    pthread_mutex_lock(&mutex);
    mapping_forget(address, size_bytes);
    pthread_mutex_unlock(&mutex);
    return real(address, size_bytes);
}

static bool is_bad(int fd, size_t size_bytes, off_t offset)
{
    struct stat status;
    bool found = false;
    if (fstat(fd, &status) != 0)
        return false;
    pthread_mutex_lock(&mutex);
    for (uint32_t i = 0; i < bad_count; i++)
        found |= !is_healed[i] && bad_pages[i].inode == status.st_ino &&
                 bad_pages[i].offset < (uint64_t)offset + size_bytes &&
                 bad_pages[i].offset + PAGE_BYTES > (uint64_t)offset;
    pthread_mutex_unlock(&mutex);
    return found;
}

/* A whole page that is written is good again: a disk puts it elsewhere. */
static void heal(int fd, uint64_t begin, uint64_t end)
{
    struct stat status;
    if (fstat(fd, &status) != 0)
        return;
    pthread_mutex_lock(&mutex);
    for (uint32_t i = 0; i < bad_count; i++) {
        struct bad_page *page = &bad_pages[i];
        if (page->inode != status.st_ino || page->offset < begin || page->offset + PAGE_BYTES > end)
            continue;
        is_healed[i] = true;
        for (uint32_t j = 0; j < MAPPINGS_MAX; j++) {
            const struct mapping *mapping = &mappings[j];
            if (mapping->data != NULL && mapping_has(mapping, page))
                real_mmap(mapping->data + (page->offset - mapping->offset), PAGE_BYTES,
                          PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, (off_t)page->offset);
        }
    }
    pthread_mutex_unlock(&mutex);
}

ssize_t pwrite(int fd, const void *from, size_t size_bytes, off_t offset)
{
    ssize_t (*real)(int, const void *, size_t, off_t) = NULL;
    *(void **)(&real) = dlsym(RTLD_NEXT, "pwrite64");
    ssize_t written = real(fd, from, size_bytes, offset);
    if (written > 0 && bad_count > 0)
        heal(fd, (uint64_t)offset, (uint64_t)offset + (uint64_t)written);
    return written;
}

ssize_t pread(int fd, void *to, size_t size_bytes, off_t offset)
{
    ssize_t (*real)(int, void *, size_t, off_t) = NULL;
    *(void **)(&real) = dlsym(RTLD_NEXT, "pread64");
    if (is_bad(fd, size_bytes, offset)) {
        errno = EIO;
        return -1;
    }
    return real(fd, to, size_bytes, offset);
}
