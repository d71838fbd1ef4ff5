/*
 * The lane's side of the snapshots: handing a stream over, polling, reading. Opening is in
 * snapshots_open.c, installing in snapshots_install.c, what the thread does in snapshot_worker.c.
 *
 * A job is a snapshot to be written or installed. The lane begins one only when it has seen the end
 * of the one before, so that the worker has no use for what the lane then sets up.
 */
#include "pmem/snapshots_internal.h"

/* The file with the newest complete snapshot; SNAPSHOT_FILES: there is none. */
static uint32_t newest_file(const struct snapshots *snapshots)
{
    uint32_t newest = SNAPSHOT_FILES;
    for (uint32_t i = 0; i < SNAPSHOT_FILES; i++) {
        uint64_t generation = snapshots->files[i].info.generation;
        if (generation != 0 &&
            (newest == SNAPSHOT_FILES || generation > snapshots->files[newest].info.generation))
            newest = i;
    }
    return newest;
}

uint32_t snapshots_target(const struct snapshots *snapshots)
{
    uint32_t newest = newest_file(snapshots);
    return newest == SNAPSHOT_FILES ? 0 : 1 - newest;
}

static bool info_of(const struct snapshots *snapshots, uint32_t file,
                    struct snapshot_info *ret_info)
{
    if (file >= SNAPSHOT_FILES || snapshots->files[file].info.generation == 0)
        return false;
    *ret_info = snapshots->files[file].info;
    return true;
}

bool snapshots_newest(const struct snapshots *snapshots, struct snapshot_info *ret_info)
{
    return info_of(snapshots, newest_file(snapshots), ret_info);
}

bool snapshots_older(const struct snapshots *snapshots, struct snapshot_info *ret_info)
{
    uint32_t newest = newest_file(snapshots);
    return newest != SNAPSHOT_FILES && info_of(snapshots, 1 - newest, ret_info);
}

uint64_t snapshots_block_offset(uint32_t number)
{
    return snapshot_slot_offset(number);
}

uint32_t snapshots_file_of(const struct snapshots *snapshots, uint64_t generation)
{
    uint32_t file = 0;
    while (file < SNAPSHOT_FILES &&
           (generation == 0 || snapshots->files[file].info.generation != generation))
        file++;
    return file;
}

const char *snapshots_path_of(const struct snapshots *snapshots, uint64_t generation)
{
    uint32_t file = snapshots_file_of(snapshots, generation);
    return file < SNAPSHOT_FILES ? snapshots->files[file].path : NULL;
}

enum error snapshots_read_block(struct snapshots *snapshots, uint64_t generation, uint32_t number,
                                uint8_t *buffer, struct span *ret_raw)
{
    uint32_t at = snapshots_file_of(snapshots, generation);
    if (at == SNAPSHOT_FILES)
        return ERR_NOT_FOUND;
    struct snapshot_file *file = &snapshots->files[at];
    if (number >= file->info.block_count)
        return ERR_RANGE;
    const uint8_t *slot = file->data + snapshot_slot_offset(number);
    enum error error = snapshot_block_decode(snapshots->seed, &file->info, slot, number, buffer);
    if (error != OK) {
        file->info.generation = 0;
        return error;
    }
    *ret_raw = span_of(buffer, snapshot_block_size_bytes(&file->info, number));
    return OK;
}

void snapshots_raise(struct snapshots *snapshots, uint32_t format)
{
    if (format > snapshots->format)
        snapshots->format = format;
}

enum error snapshots_begin(struct snapshots *snapshots, const struct snapshot_info *info,
                           bool is_install)
{
    if (snapshots->has_sync_failed)
        return ERR_SYNC;
    CHECK(info->label.index <= INDEX_MAX && info->label.term <= TERM_MAX);
    CHECK(snapshots->phase == SNAPSHOT_LANE_IDLE);
    uint32_t target = snapshots_target(snapshots);
    snapshots->files[target].info.generation = 0;
    snapshots->job = (struct snapshot_job){
        .file = target, .format = snapshots->format, .is_install = is_install, .info = *info};
    snapshots->job.info.generation = ++snapshots->generation_last;
    snapshots->phase = is_install ? SNAPSHOT_LANE_INSTALLING : SNAPSHOT_LANE_WRITING;
    snapshots->fill_bytes = 0;
    snapshots->stream_bytes = 0;
    /* Ordered by the release of job_begun. */
    atomic_store_explicit(&snapshots->head, 0, memory_order_relaxed);
    atomic_store_explicit(&snapshots->tail, 0, memory_order_relaxed);
    snapshots->job_last++;
    atomic_store_explicit(&snapshots->job_begun, snapshots->job_last, memory_order_release);
    snapshot_thread_wake(snapshots->thread);
    return OK;
}

enum error snapshots_write_begin(struct snapshots *snapshots, const struct snapshot_label *label)
{
    const struct snapshot_info info = {.label = *label};
    if (!snapshots->has_sync_failed && snapshots->phase != SNAPSHOT_LANE_IDLE)
        return ERR_NOT_YET;
    return snapshots_begin(snapshots, &info, false);
}

uint32_t snapshots_ring_room(const struct snapshots *snapshots)
{
    uint64_t head = atomic_load_explicit(&snapshots->head, memory_order_acquire);
    uint64_t tail = atomic_load_explicit(&snapshots->tail, memory_order_relaxed);
    return SNAPSHOT_RING_BLOCKS - (uint32_t)(tail - head);
}

struct snapshot_handover *snapshots_ring_next(struct snapshots *snapshots)
{
    uint64_t tail = atomic_load_explicit(&snapshots->tail, memory_order_relaxed);
    return &snapshots->ring[tail % SNAPSHOT_RING_BLOCKS];
}

void snapshots_ring_push(struct snapshots *snapshots, uint32_t number, uint32_t size_bytes)
{
    struct snapshot_handover *next = snapshots_ring_next(snapshots);
    uint64_t tail = atomic_load_explicit(&snapshots->tail, memory_order_relaxed);
    next->number = number;
    next->size_bytes = size_bytes;
    atomic_store_explicit(&snapshots->tail, tail + 1, memory_order_release);
    snapshot_thread_wake(snapshots->thread);
}

size_t snapshots_room_bytes(const struct snapshots *snapshots)
{
    if (snapshots->phase != SNAPSHOT_LANE_WRITING)
        return 0;
    return (size_t)snapshots_ring_room(snapshots) * SNAPSHOT_BLOCK_BYTES - snapshots->fill_bytes;
}

static void block_push(struct snapshots *snapshots)
{
    uint32_t number = snapshot_block_count(snapshots->stream_bytes) - 1;
    snapshots_ring_push(snapshots, number, snapshots->fill_bytes);
    snapshots->fill_bytes = 0;
}

static void give_up(struct snapshots *snapshots, enum error error)
{
    snapshots->phase = SNAPSHOT_LANE_ABANDONING;
    snapshots->abandon_error = error;
    atomic_store_explicit(&snapshots->job_abandoned, snapshots->job_last, memory_order_release);
    snapshot_thread_wake(snapshots->thread);
}

enum error snapshots_write(struct snapshots *snapshots, struct span bytes)
{
    const struct snapshot_file *file = &snapshots->files[snapshots->job.file];
    uint64_t bytes_max = (uint64_t)file->slots_writable * SNAPSHOT_BLOCK_BYTES;
    CHECK(bytes.size_bytes <= snapshots_room_bytes(snapshots));
    if (bytes.size_bytes > bytes_max - snapshots->stream_bytes) {
        give_up(snapshots, ERR_TOO_LARGE);
        return ERR_TOO_LARGE;
    }
    while (bytes.size_bytes > 0) { /* the blocks of the ring */
        size_t free_bytes = SNAPSHOT_BLOCK_BYTES - snapshots->fill_bytes;
        size_t part_bytes = bytes.size_bytes < free_bytes ? bytes.size_bytes : free_bytes;
        uint8_t *to = snapshots_ring_next(snapshots)->bytes + snapshots->fill_bytes;
        memcpy(to, bytes.data, part_bytes);
        bytes = span_of(bytes.data + part_bytes, bytes.size_bytes - part_bytes);
        snapshots->fill_bytes += (uint32_t)part_bytes;
        snapshots->stream_bytes += part_bytes;
        if (snapshots->fill_bytes == SNAPSHOT_BLOCK_BYTES)
            block_push(snapshots);
    }
    return OK;
}

void snapshots_end(struct snapshots *snapshots, const struct snapshot_info *info)
{
    snapshots->phase = SNAPSHOT_LANE_ENDING;
    snapshots->end_info = *info;
    atomic_store_explicit(&snapshots->job_ended, snapshots->job_last, memory_order_release);
    snapshot_thread_wake(snapshots->thread);
}

void snapshots_write_end(struct snapshots *snapshots)
{
    CHECK(snapshots->phase == SNAPSHOT_LANE_WRITING);
    const struct snapshot_info info = {.stream_bytes = snapshots->stream_bytes,
                                       .block_count =
                                           snapshot_block_count(snapshots->stream_bytes)};
    if (snapshots->fill_bytes > 0)
        block_push(snapshots);
    snapshots_end(snapshots, &info);
}

void snapshots_abandon(struct snapshots *snapshots)
{
    if (snapshots->phase != SNAPSHOT_LANE_IDLE && snapshots->phase != SNAPSHOT_LANE_ABANDONING)
        give_up(snapshots, OK);
}

/* The worker has ended the job: what became of it. */
static void job_collect(struct snapshots *snapshots, struct snapshots_progress *ret_progress)
{
    struct snapshot_file *file = &snapshots->files[snapshots->job.file];
    bool is_abandoning = snapshots->phase == SNAPSHOT_LANE_ABANDONING;
    enum error error = snapshots->outcome;

    snapshots->phase = SNAPSHOT_LANE_IDLE;
    ret_progress->path = file->path;
    if (error == OK && snapshots->is_outcome_abandoned) {
        CHECK(is_abandoning);
        error = snapshots->abandon_error;
        ret_progress->state = error == OK ? SNAPSHOTS_IDLE : SNAPSHOTS_FAILED;
    } else if (error == OK) {
        file->info = snapshots->outcome_info;
        ret_progress->state = SNAPSHOTS_GOOD;
        ret_progress->info = file->info;
    } else {
        snapshots->has_sync_failed = error == ERR_SYNC;
        ret_progress->state = SNAPSHOTS_FAILED;
    }
    ret_progress->error = error;
}

void snapshots_poll(struct snapshots *snapshots, struct snapshots_progress *ret_progress)
{
    *ret_progress = (struct snapshots_progress){.state = SNAPSHOTS_IDLE, .error = OK};
    if (snapshots->has_sync_failed) {
        ret_progress->state = SNAPSHOTS_FAILED;
        ret_progress->error = ERR_SYNC;
        ret_progress->path = snapshots->files[snapshots->job.file].path;
        return;
    }
    if (snapshots->phase == SNAPSHOT_LANE_IDLE)
        return;
    snapshot_thread_poll(snapshots->thread);
    ret_progress->state = SNAPSHOTS_BUSY;
    if (atomic_load_explicit(&snapshots->job_finished, memory_order_acquire) == snapshots->job_last)
        job_collect(snapshots, ret_progress);
}
