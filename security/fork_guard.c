/* See fork_guard.h. */
#include "security/fork_guard.h"

#include <stddef.h>
#include <sys/mman.h>

/* madvise works on whole pages, and one of these is at least one. */
#define GUARD_BYTES 4096

enum error fork_guard_init(struct fork_guard *guard)
{
    void *page =
        mmap(NULL, GUARD_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED)
        return ERR_NO_MEMORY;
    if (madvise(page, GUARD_BYTES, MADV_WIPEONFORK) != 0) {
        (void)munmap(page, GUARD_BYTES);
        return ERR_UNSUPPORTED;
    }
    guard->page = page;
    *guard->page = 1;
    return OK;
}

void fork_guard_deinit(struct fork_guard *guard)
{
    if (guard->page != NULL)
        (void)munmap((void *)guard->page, GUARD_BYTES);
    guard->page = NULL;
}
