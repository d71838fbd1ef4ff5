/* One file of the simulated medium; told in sim_file.h. */
#include "tests/sim/sim_file.h"

#include "base/check.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* Rooms of images double from here on, in pages; so much of a spare one stays in memory. */
#define IMAGE_ROOM_BYTES_MIN ((size_t)256 * 1024)
#define IMAGE_KEPT_BYTES     ((size_t)128 * 1024)

void *sim_take(size_t size_bytes)
{
    void *memory = calloc(1, size_bytes);
    CHECK(memory != NULL);
    return memory;
}

/* Begins an image that nobody uses. */
struct spare_image {
    struct spare_image *next;
    size_t room_bytes;
};

static struct spare_image *spares;

/* So that images of other runs, whose files have other sizes, fit. */
static size_t image_room_bytes(size_t size_bytes)
{
    size_t room_bytes = IMAGE_ROOM_BYTES_MIN;
    while (room_bytes < size_bytes)
        room_bytes *= 2;
    return room_bytes;
}

uint8_t *sim_image_take(size_t size_bytes)
{
    size_t room_bytes = image_room_bytes(size_bytes);
    for (struct spare_image **link = &spares; *link != NULL; link = &(*link)->next) {
        struct spare_image *spare = *link;
        if (spare->room_bytes != room_bytes)
            continue;
        *link = spare->next;
        memset(spare, 0, sizeof(*spare));
        return (uint8_t *)spare;
    }
    void *image = mmap(NULL, room_bytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    CHECK(image != MAP_FAILED);
    /* Each start reads all of it: one call, not a fault for each page. */
    (void)madvise(image, room_bytes, MADV_POPULATE_READ);
    return image;
}

/* Makes all of it zero: by hand where little was used, else by returning the memory. */
static void image_clear(uint8_t *image, size_t used_bytes)
{
    size_t kept_bytes = used_bytes < IMAGE_KEPT_BYTES ? used_bytes : IMAGE_KEPT_BYTES;
    memset(image, 0, kept_bytes);
    if (used_bytes > kept_bytes)
        CHECK(madvise(image + kept_bytes, used_bytes - kept_bytes, MADV_DONTNEED) == 0);
}

void sim_image_give(uint8_t *image, size_t size_bytes, size_t used_bytes)
{
    CHECK(used_bytes <= size_bytes && size_bytes >= sizeof(struct spare_image));
    image_clear(image, used_bytes);
    struct spare_image *spare = (struct spare_image *)(void *)image;
    *spare = (struct spare_image){.next = spares, .room_bytes = image_room_bytes(size_bytes)};
    spares = spare;
}

void sim_file_release(struct sim_file *file)
{
    if (file->visible != NULL)
        sim_image_give(file->visible, file->image_bytes, file->high_bytes);
    if (file->persisted != NULL)
        sim_image_give(file->persisted, file->image_bytes, file->high_bytes);
    free(file->stores);
    memset(file, 0, sizeof(*file));
}

static void store_push(struct sim_file *file, uint32_t word, uint64_t value)
{
    if (file->store_count == file->store_capacity) {
        file->store_capacity = file->store_capacity == 0 ? 256 : 2 * file->store_capacity;
        file->stores = realloc(file->stores, file->store_capacity * sizeof(*file->stores));
        CHECK(file->stores != NULL);
    }
    file->stores[file->store_count++] = (struct sim_store){.word = word, .value = value};
    if (((size_t)word + 1) * SIM_WORD_BYTES > file->high_bytes)
        file->high_bytes = ((size_t)word + 1) * SIM_WORD_BYTES;
}

void sim_file_apply(struct sim_file *file, const struct sim_store *store)
{
    memcpy(file->persisted + (size_t)store->word * SIM_WORD_BYTES, &store->value, SIM_WORD_BYTES);
}

/* An orphan whose word was stored again and made durable is overwritten for good. */
static void orphans_drop(struct sim_file *file, const uint8_t *is_durable)
{
    size_t kept = 0;
    for (size_t i = 0; i < file->store_count; i++)
        if (!file->stores[i].is_orphan || is_durable[file->stores[i].word] == 0)
            file->stores[kept++] = file->stores[i];
    file->store_count = kept;
    file->has_orphans = kept > 0;
}

/* Makes the first `count` pending stores durable, but for orphans. */
void sim_file_persist(struct sim_file *file, size_t count)
{
    uint8_t *is_durable = file->has_orphans ? sim_take(file->size_bytes / SIM_WORD_BYTES) : NULL;
    size_t kept = 0;
    for (size_t i = 0; i < file->store_count; i++) {
        const struct sim_store *store = &file->stores[i];
        if (i >= count || store->is_orphan) {
            file->stores[kept++] = *store;
            continue;
        }
        sim_file_apply(file, store);
        if (is_durable != NULL)
            is_durable[store->word] = 1;
    }
    file->store_count = kept;
    if (is_durable != NULL)
        orphans_drop(file, is_durable);
    free(is_durable);
}

void sim_file_orphan(struct sim_file *file, size_t count)
{
    for (size_t i = 0; i < count; i++)
        file->stores[i].is_orphan = true;
    file->has_orphans = file->has_orphans || count > 0;
}

void sim_file_sync_begin(struct sim_file *file, struct prng *prng, uint64_t now_ns)
{
    uint64_t delay_ns = file->delay_max_ns == MEDIUM_SIM_STALLED
                            ? MEDIUM_SIM_STALLED
                            : prng_range(prng, file->delay_min_ns, file->delay_max_ns);
    file->is_syncing = true;
    file->sync_count = file->store_count;
    file->sync_ticket = file->requested;
    file->sync_due_ns = delay_ns > UINT64_MAX - now_ns ? UINT64_MAX : now_ns + delay_ns;
}

void sim_file_sync_end(struct sim_file *file, struct prng *prng, uint64_t now_ns)
{
    size_t count = file->sync_count;
    file->is_syncing = false;
    file->sync_count = 0;
    file->sync_due_ns = UINT64_MAX;
    if (file->is_sync_failing) {
        file->is_failed = true;
        sim_file_orphan(file, count);
        return;
    }
    sim_file_persist(file, count);
    file->completed = file->sync_ticket;
    if (file->requested > file->completed)
        sim_file_sync_begin(file, prng, now_ns);
}

void sim_file_sync_advance(struct sim_file *file, struct prng *prng, uint64_t now_ns)
{
    while (file->is_syncing && !file->is_failed && file->sync_due_ns <= now_ns &&
           file->sync_due_ns != UINT64_MAX)
        sim_file_sync_end(file, prng, now_ns);
}

void sim_file_forget_opener(struct sim_file *file)
{
    file->is_open = false;
    file->is_syncing = false;
    file->is_failed = false;
    file->is_sync_failing = false;
    file->sync_count = 0;
    file->sync_due_ns = UINT64_MAX;
    file->requested = 0;
    file->completed = 0;
}

/* A word that stays as it is adds no state, unless what is there is a killed process's. */
void sim_file_store_word(struct sim_file *file, size_t offset, uint64_t value)
{
    if (!file->has_orphans && memcmp(file->visible + offset, &value, SIM_WORD_BYTES) == 0)
        return;
    memcpy(file->visible + offset, &value, SIM_WORD_BYTES);
    store_push(file, (uint32_t)(offset / SIM_WORD_BYTES), value);
}
