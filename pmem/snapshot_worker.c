/*
 * The worker: what the thread behind the snapshots does, as steps. Each step handles one block at
 * most, and says whether there is more to do. A step that may not block gives up where it would
 * have to wait for the medium, and is tried again.
 *
 * The order of what becomes durable is told in snapshots.h; each phase waits for the ticket of the
 * one before. A failed sync ends the job: nothing of it counts, and the lane stops the process.
 */
#include "base/crc32c.h"
#include "base/le.h"
#include "pmem/snapshots_internal.h"

#include <lz4.h>

size_t snapshot_worker_arena_bytes(void)
{
    return (size_t)LZ4_sizeofState() + SNAPSHOT_SLOT_BYTES + SNAPSHOT_BLOCK_BYTES + 256;
}

void snapshot_worker_init(struct snapshot_worker *worker, struct arena *arena)
{
    worker->lz4_state = arena_take(arena, (size_t)LZ4_sizeofState(), 64);
    worker->slot = arena_take(arena, SNAPSHOT_SLOT_BYTES, 64);
    worker->block = arena_take(arena, SNAPSHOT_BLOCK_BYTES, 64);
}

static struct snapshot_file *job_file(struct snapshots *snapshots)
{
    return &snapshots->files[snapshots->job.file];
}

static bool is_marked(const _Atomic uint64_t *mark, const struct snapshot_worker *worker)
{
    return atomic_load_explicit(mark, memory_order_acquire) == worker->job;
}

/* Ends the job. The lane looks at the outcome when it sees its number. */
static void job_finish(struct snapshots *snapshots, enum error outcome, bool is_abandoned)
{
    struct snapshot_worker *worker = &snapshots->worker;
    snapshots->outcome = outcome;
    snapshots->is_outcome_abandoned = is_abandoned;
    snapshots->outcome_info = worker->info;
    worker->phase = SNAPSHOT_REST;
    atomic_store_explicit(&snapshots->job_finished, worker->job, memory_order_release);
}

/* Whether everything up to worker->ticket is durable. A failed sync ends the job. */
static bool is_durable(struct snapshots *snapshots, bool may_block)
{
    const struct snapshot_worker *worker = &snapshots->worker;
    struct medium *medium = job_file(snapshots)->medium;
    uint64_t ticket = 0;
    enum error error = may_block ? medium_await(medium, worker->ticket) : OK;
    if (error == OK)
        error = medium_persisted(medium, &ticket);
    if (error != OK)
        job_finish(snapshots, error, false);
    return error == OK && ticket >= worker->ticket;
}

static void persist(struct snapshots *snapshots)
{
    snapshots->worker.ticket = medium_persist(job_file(snapshots)->medium);
    snapshots->worker.blocks_since_ticket = 0;
}

static bool job_take(struct snapshots *snapshots)
{
    static const uint8_t nothing[SNAPSHOT_COMPLETION_BYTES];
    struct snapshot_worker *worker = &snapshots->worker;
    uint64_t begun = atomic_load_explicit(&snapshots->job_begun, memory_order_acquire);
    if (begun == worker->job)
        return false;
    worker->job = begun;
    worker->info = snapshots->job.info;
    worker->phase = SNAPSHOT_EMPTYING;
    worker->blocks_checked = 0;
    worker->checked_crc = 0;
    /* Nothing of the file is needed any more. Where this fails, nothing becomes durable. */
    (void)!medium_map_again(job_file(snapshots)->medium);
    snapshot_header_raise(job_file(snapshots), snapshots->job.format);
    medium_write(job_file(snapshots)->medium, SNAPSHOT_COMPLETION_OFFSET, nothing, sizeof(nothing));
    persist(snapshots);
    return true;
}

static void block_write(struct snapshots *snapshots, const struct snapshot_handover *block)
{
    struct snapshot_worker *worker = &snapshots->worker;
    size_t size_bytes = snapshot_block_encode(snapshots, block);
    medium_write(job_file(snapshots)->medium, snapshot_slot_offset(block->number), worker->slot,
                 size_bytes);
    worker->blocks_since_ticket++;
}

/* The stream is at its end and its blocks are written. */
static bool stream_end(struct snapshots *snapshots)
{
    struct snapshot_worker *worker = &snapshots->worker;
    worker->info.stream_bytes = snapshots->end_info.stream_bytes;
    worker->info.block_count = snapshots->end_info.block_count;
    worker->phase = SNAPSHOT_SYNCING;
    persist(snapshots);
    return true;
}

static bool blocks_step(struct snapshots *snapshots, bool may_block)
{
    struct snapshot_worker *worker = &snapshots->worker;
    bool is_ended =
        is_marked(&snapshots->job_ended, worker); /* before `tail`, which then is last */
    uint64_t head = atomic_load_explicit(&snapshots->head, memory_order_relaxed);
    uint64_t tail = atomic_load_explicit(&snapshots->tail, memory_order_acquire);
    if (head == tail)
        return is_ended && stream_end(snapshots);
    if (worker->blocks_since_ticket >= SNAPSHOT_SYNC_BLOCKS) {
        if (!is_durable(snapshots, may_block))
            return false;
        persist(snapshots);
    }
    block_write(snapshots, &snapshots->ring[head % SNAPSHOT_RING_BLOCKS]);
    atomic_store_explicit(&snapshots->head, head + 1, memory_order_release);
    return true;
}

/* All blocks are as they were handed over. An install: and they are those of the snapshot. */
static bool completion_write(struct snapshots *snapshots)
{
    struct snapshot_worker *worker = &snapshots->worker;
    uint8_t record[SNAPSHOT_COMPLETION_BYTES];
    if (snapshots->job.is_install && worker->info.content_crc != worker->checked_crc) {
        job_finish(snapshots, ERR_CORRUPT, false);
        return true;
    }
    worker->info.content_crc = worker->checked_crc;
    snapshot_completion_encode(snapshots->seed, &worker->info, record);
    medium_write(job_file(snapshots)->medium, SNAPSHOT_COMPLETION_OFFSET, record, sizeof(record));
    worker->phase = SNAPSHOT_COMPLETING;
    persist(snapshots);
    return true;
}

/* Everything is durable: what is read from here on comes from the device. */
static enum error chunk_fetch(struct snapshots *snapshots)
{
    const struct snapshot_worker *worker = &snapshots->worker;
    struct medium *medium = job_file(snapshots)->medium;
    uint32_t first = worker->blocks_checked;
    uint32_t count = worker->info.block_count - first;
    if (first == 0)
        medium_drop_cache(medium);
    if (first % SNAPSHOT_SYNC_BLOCKS != 0)
        return OK;
    count = count < SNAPSHOT_SYNC_BLOCKS ? count : SNAPSHOT_SYNC_BLOCKS;
    return medium_fetch(medium, snapshot_slot_offset(first), (size_t)count * SNAPSHOT_SLOT_BYTES);
}

static bool read_back_step(struct snapshots *snapshots)
{
    struct snapshot_worker *worker = &snapshots->worker;
    uint32_t number = worker->blocks_checked;
    uint8_t crc[4];
    if (number == worker->info.block_count)
        return completion_write(snapshots);
    const uint8_t *slot = job_file(snapshots)->data + snapshot_slot_offset(number);
    enum error error = chunk_fetch(snapshots);
    if (error == OK)
        error = snapshot_block_decode(snapshots->seed, &worker->info, slot, number, worker->block);
    if (error != OK) {
        job_finish(snapshots, error, false);
        return true;
    }
    le32_store(crc, snapshot_block_crc(slot));
    worker->checked_crc = crc32c(worker->checked_crc, crc, sizeof(crc));
    worker->blocks_checked++;
    return true;
}

/* Goes on once the ticket is durable; false: not yet, or never. */
static bool await_step(struct snapshots *snapshots, enum snapshot_phase next, bool may_block)
{
    if (!is_durable(snapshots, may_block))
        return false;
    snapshots->worker.phase = next;
    return true;
}

bool snapshot_worker_step(void *context, bool may_block)
{
    struct snapshots *snapshots = context;
    const struct snapshot_worker *worker = &snapshots->worker;
    if (snapshot_scrub_step(snapshots))
        return true;
    /* A completion record that is on its way cannot be taken back. */
    if (worker->phase != SNAPSHOT_REST && worker->phase != SNAPSHOT_COMPLETING &&
        is_marked(&snapshots->job_abandoned, worker)) {
        job_finish(snapshots, OK, true);
        return true;
    }
    switch (worker->phase) {
    case SNAPSHOT_REST:
        return job_take(snapshots);
    case SNAPSHOT_EMPTYING:
        return await_step(snapshots, SNAPSHOT_BLOCKS, may_block);
    case SNAPSHOT_BLOCKS:
        return blocks_step(snapshots, may_block);
    case SNAPSHOT_SYNCING:
        return await_step(snapshots, SNAPSHOT_READING_BACK, may_block);
    case SNAPSHOT_READING_BACK:
        return read_back_step(snapshots);
    case SNAPSHOT_COMPLETING:
        if (!is_durable(snapshots, may_block))
            return false;
        job_finish(snapshots, OK, false);
        return true;
    }
    return false;
}
