/*
 * What the files of the snapshots share. The byte layout and the rules are told in snapshots.h.
 *
 * Two threads: the lane and the worker. What each may touch is said at each field. `job` and what
 * goes with its begin and end are handed over by the atomics beside them.
 */
#ifndef POLLUX_PMEM_SNAPSHOTS_INTERNAL_H
#define POLLUX_PMEM_SNAPSHOTS_INTERNAL_H

#include "base/check.h"
#include "base/format.h"
#include "pmem/snapshot_thread_internal.h"
#include "pmem/snapshots.h"

#include <stdalign.h>
#include <stdatomic.h>

#define SNAPSHOT_HEADER_COPY_OFFSET 2048u
#define SNAPSHOT_HEADER_SIZE_BYTES  64u
#define SNAPSHOT_COMPLETION_OFFSET  4096u
#define SNAPSHOT_COMPLETION_BYTES   64u
#define SNAPSHOT_SLOTS_OFFSET       8192u
/* Blocks between two requests for durability. One request at most is under way: so much and as much
 * again may be dirty, and the syncs of a log on the same device wait no longer than for that. Also
 * what is read back at once. */
#define SNAPSHOT_SYNC_BLOCKS 64u

static_assert(SNAPSHOT_SLOTS_OFFSET % 4096 == 0, "slots are whole pages");

/* One file. The medium is written by the worker alone once the thread runs; the lane reads the
 * blocks of a file that the worker does not write. */
struct snapshot_file {
    char path[SNAPSHOT_PATH_SIZE];
    struct medium *medium;
    const uint8_t *data;
    uint32_t slots;            /* that the file has */
    uint32_t format;           /* by its header; the worker's once the thread runs */
    uint32_t slots_writable;   /* that a new snapshot may use */
    struct snapshot_info info; /* lane only; generation 0: empty */
};

/* A block on its way to the worker. */
struct snapshot_handover {
    uint32_t number;
    uint32_t size_bytes;
    uint8_t *bytes;
};

struct snapshot_job {
    uint32_t file;
    uint32_t format; /* that the file is of from this job on, or a later one */
    bool is_install;
    struct snapshot_info info; /* an install: complete; else label and generation */
};

/* snapshot_worker.c */
enum snapshot_phase {
    SNAPSHOT_REST,
    SNAPSHOT_EMPTYING, /* the old completion record is on its way to zero */
    SNAPSHOT_BLOCKS,
    SNAPSHOT_SYNCING, /* the last blocks */
    SNAPSHOT_READING_BACK,
    SNAPSHOT_COMPLETING
};

struct snapshot_worker {
    enum snapshot_phase phase;
    uint64_t job; /* number of the one under way or last done */
    uint64_t ticket;
    uint32_t blocks_since_ticket;
    uint32_t blocks_checked; /* read back */
    uint32_t checked_crc;
    struct snapshot_info info; /* of the job */
    void *lz4_state;
    uint8_t *slot;  /* SNAPSHOT_SLOT_BYTES: what is written */
    uint8_t *block; /* SNAPSHOT_BLOCK_BYTES: what is read back */
};

/* snapshot_scrub.c */
enum snapshot_scrub_kind { SNAPSHOT_SCRUB_FETCH, SNAPSHOT_SCRUB_HEAD, SNAPSHOT_SCRUB_BLOCK };

struct snapshot_scrub {
    enum snapshot_scrub_kind kind;
    struct medium *medium; /* FETCH: these pages of it */
    size_t offset;
    size_t size_bytes;
    uint32_t file; /* HEAD, BLOCK: of it */
    uint32_t number;
    uint64_t job; /* the last one that the lane had begun */
    struct snapshot_info info;
    struct snapshots_scrubbed scrubbed; /* the answer */
};

enum snapshot_lane_phase {
    SNAPSHOT_LANE_IDLE,
    SNAPSHOT_LANE_WRITING,
    SNAPSHOT_LANE_INSTALLING,
    SNAPSHOT_LANE_ENDING,
    SNAPSHOT_LANE_ABANDONING
};

struct snapshots {
    uint32_t seed; /* of every checksum in both files: identity */
    struct log_identity identity;
    struct snapshot_file files[SNAPSHOT_FILES];
    struct snapshot_thread *thread;

    /* The lane's. */
    enum snapshot_lane_phase phase;
    enum error abandon_error; /* ABANDONING: why, OK: the caller wanted it */
    bool has_sync_failed;
    uint32_t format; /* of the snapshots to come */
    uint64_t generation_last;
    uint64_t job_last;
    uint32_t fill_bytes; /* of the block that is being filled */
    uint64_t stream_bytes;
    uint32_t blocks_here; /* of an install */
    uint64_t *here;       /* an install: bit n is set when block n is here */

    /* From the lane to the worker. Each is stored with release after what it stands for was
     * written, and loaded with acquire by the worker. */
    struct snapshot_job job;
    struct snapshot_info end_info; /* counts of the stream */
    alignas(64) _Atomic uint64_t job_begun;
    _Atomic uint64_t job_ended;
    _Atomic uint64_t job_abandoned;
    /* The ring: `tail` is the lane's, `head` the worker's, as in base/ring.h. The lane sets both to
     * 0 before a job begins: the worker then looks at neither. */
    alignas(64) _Atomic uint64_t tail;
    alignas(64) _Atomic uint64_t head;
    struct snapshot_handover ring[SNAPSHOT_RING_BLOCKS];

    /* From the worker to the lane, by the release of job_finished. */
    enum error outcome;
    bool is_outcome_abandoned;
    struct snapshot_info outcome_info;
    alignas(64) _Atomic uint64_t job_finished;

    /* What is to be looked at: the lane's until scrub_asked is `scrub_last`, then the worker's
     * until scrub_done is. Each pairs a release with the acquire of the other side. */
    struct snapshot_scrub scrub;
    uint64_t scrub_last; /* the lane's */
    alignas(64) _Atomic uint64_t scrub_asked;
    alignas(64) _Atomic uint64_t scrub_done;

    struct snapshot_worker worker; /* the worker's */
};

static inline size_t snapshot_slot_offset(uint32_t number)
{
    return SNAPSHOT_SLOTS_OFFSET + (size_t)number * SNAPSHOT_SLOT_BYTES;
}

/* snapshot_header.c: one copy of a header, whatever its fields say. ERR_MAGIC, ERR_CHECKSUM,
 * ERR_VERSION. */
struct snapshot_header {
    uint32_t version;
    uint32_t format; /* that has the version */
    struct log_identity identity;
    uint64_t slots;
};
MUST_USE enum error snapshot_header_decode(const uint8_t *header,
                                           struct snapshot_header *ret_header);
/* Whose the file is, and how many slots it has (file->slots; before: how many it
 * has room for). Writes nothing. `note` is left as it is when there is nothing to tell. */
MUST_USE enum error snapshot_header_check(struct snapshot_file *file,
                                          const struct snapshots_options *options,
                                          bool *ret_is_fresh, char *note, size_t note_size);
void snapshot_header_write(const struct snapshot_file *file, const struct log_identity *identity);
/* One copy of it, as it should be. */
void snapshot_header_encode(const struct snapshot_file *file, const struct log_identity *identity,
                            uint8_t ret_header[SNAPSHOT_HEADER_SIZE_BYTES]);
/* As log_header_raise. */
void snapshot_header_raise(struct snapshot_file *file, uint32_t format);

/* snapshot_block.c: one block, one completion record. */

/* Blocks of a stream. */
uint32_t snapshot_block_count(uint64_t stream_bytes);
/* Size of block `number` of the stream. */
uint32_t snapshot_block_size_bytes(const struct snapshot_info *info, uint32_t number);
/* Makes worker->slot of a block; returns how much of it is to be written, whole pages. */
size_t snapshot_block_encode(const struct snapshots *snapshots,
                             const struct snapshot_handover *block);
/* Reads block `number`: checks everything and leaves its bytes in `buffer`. ERR_CHECKSUM. */
MUST_USE enum error snapshot_block_decode(uint32_t seed, const struct snapshot_info *info,
                                          const uint8_t *slot, uint32_t number, uint8_t *buffer);
/* The checksum of a block's bytes, and the size of what is stored of it, as a slot states. */
uint32_t snapshot_block_crc(const uint8_t *slot);
uint32_t snapshot_block_stored_bytes(const uint8_t *slot);
void snapshot_completion_encode(uint32_t seed, const struct snapshot_info *info, uint8_t *record);
/* False: it is not whole, or speaks of more than `slots`. */
bool snapshot_completion_decode(uint32_t seed, const uint8_t *record, uint32_t slots,
                                struct snapshot_info *ret_info);

/* snapshot_worker.c: one step of the worker, see snapshot_work. `context`: struct snapshots. */
bool snapshot_worker_step(void *context, bool may_block);
size_t snapshot_worker_arena_bytes(void);
void snapshot_worker_init(struct snapshot_worker *worker, struct arena *arena);

/* snapshot_scrub.c: what the lane asks the worker to look at. False: nothing. */
bool snapshot_scrub_step(struct snapshots *snapshots);

/* snapshots.c: what installing shares with writing. */
MUST_USE enum error snapshots_begin(struct snapshots *snapshots, const struct snapshot_info *info,
                                    bool is_install);
/* Blocks that may be handed over now. */
uint32_t snapshots_ring_room(const struct snapshots *snapshots);
/* Hands over the block that lies in the ring's next place. */
void snapshots_ring_push(struct snapshots *snapshots, uint32_t number, uint32_t size_bytes);
struct snapshot_handover *snapshots_ring_next(struct snapshots *snapshots);
void snapshots_end(struct snapshots *snapshots, const struct snapshot_info *info);
/* The file that the next snapshot goes to. */
uint32_t snapshots_target(const struct snapshots *snapshots);

#endif
