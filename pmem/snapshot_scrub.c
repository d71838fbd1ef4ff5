/*
 * Looking for rot in what nobody reads, beside the lane: the thread behind the snapshots compares
 * the blocks and heads of the snapshots with their checksums, and reads pages of other files ahead,
 * so that the lane finds them in memory (server/replica_scrub.c).
 *
 * One request at a time. The lane fills it in and stores its number in `scrub_asked`; the thread
 * answers in place and stores the number in `scrub_done`. A request about a snapshot says which job
 * was the last when it was made. If the thread has begun another one since, the request is void:
 * the file may be a new one's by now, and nothing may be written there on the word of the old one.
 */
#include "pmem/snapshots_internal.h"

#define PAGE_BYTES 4096u
#define HEAD_BYTES SNAPSHOT_SLOTS_OFFSET /* header and completion record */

static_assert(HEAD_BYTES == 2 * PAGE_BYTES && SNAPSHOT_COMPLETION_OFFSET == PAGE_BYTES,
              "a page each");

/* ---- the lane ---- */

bool snapshots_scrub_is_asked(const struct snapshots *snapshots)
{
    return snapshots->scrub_last !=
           atomic_load_explicit(&snapshots->scrub_done, memory_order_relaxed);
}

static void request_post(struct snapshots *snapshots, const struct snapshot_scrub *scrub)
{
    CHECK(!snapshots_scrub_is_asked(snapshots));
    snapshots->scrub = *scrub;
    snapshots->scrub.job = snapshots->job_last;
    snapshots->scrub_last++;
    atomic_store_explicit(&snapshots->scrub_asked, snapshots->scrub_last, memory_order_release);
    snapshot_thread_wake(snapshots->thread);
}

void snapshots_scrub_fetch(struct snapshots *snapshots, struct medium *medium, size_t offset,
                           size_t size_bytes)
{
    request_post(snapshots, &(struct snapshot_scrub){.kind = SNAPSHOT_SCRUB_FETCH,
                                                     .medium = medium,
                                                     .offset = offset,
                                                     .size_bytes = size_bytes});
}

void snapshots_scrub_head(struct snapshots *snapshots, uint32_t file)
{
    CHECK(file < SNAPSHOT_FILES);
    request_post(snapshots, &(struct snapshot_scrub){.kind = SNAPSHOT_SCRUB_HEAD,
                                                     .file = file,
                                                     .info = snapshots->files[file].info});
}

void snapshots_scrub_block(struct snapshots *snapshots, uint32_t file, uint32_t number)
{
    CHECK(file < SNAPSHOT_FILES && number < snapshots->files[file].info.block_count);
    request_post(snapshots, &(struct snapshot_scrub){.kind = SNAPSHOT_SCRUB_BLOCK,
                                                     .file = file,
                                                     .number = number,
                                                     .info = snapshots->files[file].info});
}

bool snapshots_scrub_poll(struct snapshots *snapshots, struct snapshots_scrubbed *ret_scrubbed)
{
    snapshot_thread_poll(snapshots->thread);
    /* Pairs with the release in snapshot_scrub_step: the answer is there. */
    if (atomic_load_explicit(&snapshots->scrub_done, memory_order_acquire) != snapshots->scrub_last)
        return false;
    *ret_scrubbed = snapshots->scrub.scrubbed;
    /* What was said of a snapshot that has made way since counts for nothing. */
    const struct snapshot_scrub *scrub = &snapshots->scrub;
    if (scrub->kind != SNAPSHOT_SCRUB_FETCH &&
        (scrub->job != snapshots->job_last ||
         scrub->info.generation != snapshots->files[scrub->file].info.generation))
        ret_scrubbed->error = ERR_NOT_YET;
    return true;
}

uint64_t snapshots_generation_of(const struct snapshots *snapshots, uint32_t file,
                                 uint32_t *ret_block_count)
{
    CHECK(file < SNAPSHOT_FILES);
    const struct snapshot_info *info = &snapshots->files[file].info;
    *ret_block_count = info->generation != 0 ? info->block_count : 0;
    return info->generation;
}

void snapshots_lose(struct snapshots *snapshots, uint32_t file)
{
    CHECK(file < SNAPSHOT_FILES);
    snapshots->files[file].info.generation = 0;
}

/* ---- the thread ---- */

/* The first page of them that cannot be read; size_bytes: all can. */
static size_t unreadable_find(struct medium *medium, size_t offset, size_t size_bytes)
{
    if (medium_fetch(medium, offset, size_bytes) == OK)
        return size_bytes;
    size_t at = 0;
    while (at < size_bytes && medium_fetch(medium, offset + at, PAGE_BYTES) == OK)
        at += PAGE_BYTES;
    return at;
}

/* A file that was cut off gets its size back: what was cut off is zero then, and can be written. */
static void fetch(struct snapshot_scrub *scrub, struct medium *medium, size_t offset,
                  size_t size_bytes)
{
    size_t at = unreadable_find(medium, offset, size_bytes);
    if (at < size_bytes && medium_restore_size(medium) == OK)
        at = unreadable_find(medium, offset, size_bytes);
    if (at == size_bytes)
        return;
    scrub->scrubbed.error = ERR_IO;
    scrub->scrubbed.offset = offset + at;
}

static void head_write(struct snapshots *snapshots, const struct snapshot_scrub *scrub)
{
    struct snapshot_file *file = &snapshots->files[scrub->file];
    uint8_t head[HEAD_BYTES] = {0}; /* whole pages: so a device replaces what it cannot read */
    snapshot_header_encode(file, &snapshots->identity, head);
    memcpy(head + SNAPSHOT_HEADER_COPY_OFFSET, head, SNAPSHOT_HEADER_SIZE_BYTES);
    if (scrub->info.generation != 0)
        snapshot_completion_encode(snapshots->seed, &scrub->info,
                                   head + SNAPSHOT_COMPLETION_OFFSET);
    medium_write(file->medium, 0, head, sizeof(head));
    (void)medium_persist(file->medium); /* nothing hangs on it: the next pass looks again */
}

/* Where the head is not what it should be; HEAD_BYTES: it is. */
static size_t head_compare(const struct snapshots *snapshots, const struct snapshot_scrub *scrub)
{
    const struct snapshot_file *file = &snapshots->files[scrub->file];
    uint8_t header[SNAPSHOT_HEADER_SIZE_BYTES];
    uint8_t record[SNAPSHOT_COMPLETION_BYTES];
    snapshot_header_encode(file, &snapshots->identity, header);
    snapshot_completion_encode(snapshots->seed, &scrub->info, record);
    if (memcmp(file->data, header, sizeof(header)) != 0)
        return 0;
    if (memcmp(file->data + SNAPSHOT_HEADER_COPY_OFFSET, header, sizeof(header)) != 0)
        return SNAPSHOT_HEADER_COPY_OFFSET;
    if (scrub->info.generation != 0 &&
        memcmp(file->data + SNAPSHOT_COMPLETION_OFFSET, record, sizeof(record)) != 0)
        return SNAPSHOT_COMPLETION_OFFSET;
    return HEAD_BYTES;
}

static void head_scrub(struct snapshots *snapshots)
{
    struct snapshot_scrub *scrub = &snapshots->scrub;
    struct medium *medium = snapshots->files[scrub->file].medium;
    fetch(scrub, medium, 0, HEAD_BYTES);
    size_t at = scrub->scrubbed.error == OK ? head_compare(snapshots, scrub)
                                            : (size_t)scrub->scrubbed.offset;
    if (at == HEAD_BYTES)
        return;
    head_write(snapshots, scrub);
    bool is_readable = medium_fetch(medium, 0, HEAD_BYTES) == OK;
    scrub->scrubbed =
        (struct snapshots_scrubbed){.error = is_readable ? ERR_CHECKSUM : ERR_IO, .offset = at};
}

static void block_scrub(struct snapshots *snapshots)
{
    struct snapshot_scrub *scrub = &snapshots->scrub;
    const struct snapshot_file *file = &snapshots->files[scrub->file];
    size_t offset = snapshot_slot_offset(scrub->number);
    if (scrub->number == 0)
        medium_drop_cache(file->medium); /* what the device has, and not what was written */
    fetch(scrub, file->medium, offset, SNAPSHOT_SLOT_BYTES);
    if (scrub->scrubbed.error != OK)
        return;
    scrub->scrubbed.error = snapshot_block_decode(
        snapshots->seed, &scrub->info, file->data + offset, scrub->number, snapshots->worker.block);
    scrub->scrubbed.offset = offset;
}

static bool is_being_written(const struct snapshots *snapshots, uint32_t file)
{
    return snapshots->worker.phase != SNAPSHOT_REST && snapshots->job.file == file;
}

bool snapshot_scrub_step(struct snapshots *snapshots)
{
    struct snapshot_scrub *scrub = &snapshots->scrub;
    /* Pairs with the release in request_post: the request is there. */
    uint64_t asked = atomic_load_explicit(&snapshots->scrub_asked, memory_order_acquire);
    if (asked == atomic_load_explicit(&snapshots->scrub_done, memory_order_relaxed))
        return false;
    scrub->scrubbed = (struct snapshots_scrubbed){.error = OK};
    if (scrub->kind == SNAPSHOT_SCRUB_FETCH)
        fetch(scrub, scrub->medium, scrub->offset, scrub->size_bytes);
    else if (scrub->job != snapshots->worker.job || is_being_written(snapshots, scrub->file))
        scrub->scrubbed.error = ERR_NOT_YET;
    else if (scrub->kind == SNAPSHOT_SCRUB_HEAD)
        head_scrub(snapshots);
    else
        block_scrub(snapshots);
    atomic_store_explicit(&snapshots->scrub_done, asked, memory_order_release);
    return true;
}
