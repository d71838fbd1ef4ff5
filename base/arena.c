/* The sealed arena, on one anonymous mapping. */
#include "base/arena.h"

#include "base/check.h"

#include <string.h>
#include <sys/mman.h>

#define ARENA_HUGE_SIZE_BYTES ((size_t)256 * 1024 * 1024)

enum error arena_init(struct arena *arena, size_t capacity_bytes)
{
    CHECK(capacity_bytes > 0);
    void *base = mmap(NULL, capacity_bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (base == MAP_FAILED)
        return ERR_NO_MEMORY;
    /* Large arenas are read at random, where huge pages save a walk of the page tables an access;
     * small ones would only be zeroed in larger steps. Only advice: refusing it changes nothing. */
    if (capacity_bytes >= ARENA_HUGE_SIZE_BYTES)
        (void)madvise(base, capacity_bytes, MADV_HUGEPAGE);
    *arena = (struct arena){.base = base, .capacity_bytes = capacity_bytes};
    return OK;
}

void *arena_take(struct arena *arena, size_t size_bytes, size_t align_bytes)
{
    CHECK(!arena->is_sealed);
    CHECK(align_bytes > 0 && align_bytes <= 4096 && (align_bytes & (align_bytes - 1)) == 0);
    size_t start = (arena->used_bytes + align_bytes - 1) & ~(align_bytes - 1);
    CHECK(start <= arena->capacity_bytes && size_bytes <= arena->capacity_bytes - start);
    arena->used_bytes = start + size_bytes;
    return arena->base + start;
}

void arena_give_back(struct arena *arena, size_t used_bytes)
{
    CHECK(!arena->is_sealed && used_bytes <= arena->used_bytes);
    memset(arena->base + used_bytes, 0, arena->used_bytes - used_bytes);
    arena->used_bytes = used_bytes;
}

void arena_seal(struct arena *arena)
{
    arena->is_sealed = true;
}

void arena_deinit(struct arena *arena)
{
    if (arena->base != NULL)
        munmap(arena->base, arena->capacity_bytes);
    *arena = (struct arena){0};
}
