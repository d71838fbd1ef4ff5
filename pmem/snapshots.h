/*
 * The two files in which a shard keeps snapshots of its state. What a snapshot means is the
 * caller's: here it is a stream of bytes, cut into blocks of SNAPSHOT_BLOCK_BYTES (the last one may
 * be shorter).
 *
 * A snapshot that is complete has a generation, a number that rises. The next snapshot is written
 * over the older of the two, never over the newest. A snapshot counts only when it has a completion
 * record, and the steps to that record are:
 *  1. The completion record of what lay in the file before becomes zero, durably.
 *  2. The blocks are written, and made durable.
 *  3. All blocks are read back from the device, and their checksums hold.
 *  4. The completion record is written, and made durable. Only now is the snapshot told to be good,
 *     and only now may the other file be overwritten.
 * So once a snapshot was good, a restart finds that one or a newer one, whatever happens. Rot alone
 * can take it: then the other file is there.
 *
 * The file (little endian):
 *      0  4096 bytes  header, in two copies: see snapshot_header.c
 *   4096    64 bytes  completion record: see snapshot_block.c
 *   8192              slots of SNAPSHOT_SLOT_BYTES. Slot n has block n: 64 bytes of header, then
 *                     the bytes; on an ordinary file compressed (LZ4) where that saves an eighth.
 *                     See snapshot_block.c.
 * The seed of a block's checksum is made of the file's identity, the generation, the snapshot's id
 * and the number of the block. So a block of another snapshot or of another place is never taken.
 *
 * The lane hands over bytes through a ring of SNAPSHOT_RING_BLOCKS blocks, and never waits. A
 * thread of its own compresses, checks, writes, syncs and reads back (snapshot_worker.c).
 *
 * Owner: one thread (the lane).
 */
#ifndef POLLUX_PMEM_SNAPSHOTS_H
#define POLLUX_PMEM_SNAPSHOTS_H

#include "base/arena.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/span.h"
#include "pmem/log.h"

#define SNAPSHOT_FILES 2u

struct medium;

struct snapshots;

struct snapshots_options {
    const char *path; /* what the names of the files begin with: PATH.0, PATH.1 */
    /* Of a file to be created: snapshots_file_bytes. An existing file keeps its size. */
    size_t size_bytes;
    struct log_identity identity;
    uint32_t format_max; /* as log_options */
};

/* Which snapshot this is, on every node. */
struct snapshot_label {
    uint64_t id;    /* drawn at random by whoever makes the snapshot */
    uint64_t index; /* of the last record in it */
    uint64_t term;  /* of that record */
};

struct snapshot_info {
    struct snapshot_label label;
    uint64_t generation; /* on this node, from 1 */
    uint64_t stream_bytes;
    uint32_t block_count;
    /* Of the checksums of all blocks as they were before compression: the same on every node. */
    uint32_t content_crc;
};

/* `note` is for the operator, and empty when there is nothing to tell. */
struct snapshots_recovery {
    bool is_created; /* at least one of the files was new */
    bool is_damaged; /* at least one was damaged as a whole, and set aside */
    uint32_t empty;  /* the one of the files that holds no snapshot, from 1; 0: none, or both */
    char note[384];
};

enum snapshots_state {
    SNAPSHOTS_IDLE,
    SNAPSHOTS_BUSY, /* being written or installed, or being given up */
    SNAPSHOTS_GOOD,
    SNAPSHOTS_FAILED
};

struct snapshots_progress {
    enum snapshots_state state;
    enum error error;          /* FAILED: why */
    struct snapshot_info info; /* GOOD: what snapshots_newest returns from now on */
    const char *path;          /* GOOD, FAILED: of the file that was written */
};

/* False: the name is too long. */
bool snapshots_file_path(const char *path, uint32_t file, char ret_path[SNAPSHOT_PATH_SIZE]);

/* Size of a file that takes streams of up to `stream_bytes_max`, at most SNAPSHOT_STREAM_BYTES_MAX
 * (CHECK). */
size_t snapshots_file_bytes(uint64_t stream_bytes_max);
size_t snapshots_arena_bytes(const struct snapshots_options *options);

/*
 * Opens both files, creates those that are missing, and starts the thread. Errors: as log_open, for
 * either file; `ret_recovery->note` explains. A snapshot that is not complete or whose completion
 * record has rotted is no error: that file is empty. The blocks are not read.
 */
MUST_USE enum error snapshots_open(const struct snapshots_options *options, struct arena *arena,
                                   struct snapshots **ret_snapshots,
                                   struct snapshots_recovery *ret_recovery);

/* Ends the thread; a step under way, a sync at most, is waited for. What was being written is
 * gone. */
void snapshots_close(struct snapshots *snapshots);

/*
 * Where the writing or installing stands. Call it in every turn while it is not IDLE. GOOD and
 * FAILED are told once. FAILED with
 *   ERR_SYNC       stop the process. Told for ever, and nothing more can be written.
 *   ERR_TOO_LARGE  the stream was longer than the file;
 *   ERR_CHECKSUM, ERR_IO  what was read back is not what was written: check the medium;
 *   ERR_CORRUPT    the blocks that were installed are not those of content_crc.
 * After these the file is empty, the other one untouched, and the next snapshot may begin.
 */
void snapshots_poll(struct snapshots *snapshots, struct snapshots_progress *ret_progress);

/* The next snapshot states this format in the header of its file (base/format.h). */
void snapshots_raise(struct snapshots *snapshots, uint32_t format);

/* The two snapshots that are complete and not known to be rotten. False: there is none. */
bool snapshots_newest(const struct snapshots *snapshots, struct snapshot_info *ret_info);
bool snapshots_older(const struct snapshots *snapshots, struct snapshot_info *ret_info);
/* The name of the file that has this generation; NULL: none has. */
/* Its number; SNAPSHOT_FILES: none has this generation. */
uint32_t snapshots_file_of(const struct snapshots *snapshots, uint64_t generation);
/* Place of a block in its file: for messages. */
uint64_t snapshots_block_offset(uint32_t number);
const char *snapshots_path_of(const struct snapshots *snapshots, uint64_t generation);

/*
 * Copies block `number` of a generation into `buffer` (SNAPSHOT_BLOCK_BYTES); `ret_raw` lies in
 * there. ERR_NOT_FOUND: the generation is not, or no longer, in a file. ERR_RANGE: it has no such
 * block. ERR_CHECKSUM: the block has rotted; the whole generation counts as gone from now on, and
 * the next snapshot overwrites it. Reads the medium: a page that is not cached is waited for.
 */
MUST_USE enum error snapshots_read_block(struct snapshots *snapshots, uint64_t generation,
                                         uint32_t number, uint8_t *buffer, struct span *ret_raw);

/*
 * Looking for rot in what nobody reads: requests to the thread, one at a time (CHECK). They wait
 * for the device, and the lane does not. snapshots_scrub_fetch reads whole pages of another file
 * ahead, which must stay open until snapshots_close. snapshots_scrub_head compares header and
 * completion record of a file, and writes them again where they are not what they should be.
 * snapshots_scrub_block compares a block of the snapshot in a file (CHECK: it has the block).
 */
void snapshots_scrub_fetch(struct snapshots *snapshots, struct medium *medium, size_t offset,
                           size_t size_bytes);
void snapshots_scrub_head(struct snapshots *snapshots, uint32_t file);
void snapshots_scrub_block(struct snapshots *snapshots, uint32_t file, uint32_t number);
/* A request is under way. */
bool snapshots_scrub_is_asked(const struct snapshots *snapshots);

/*
 * ERR_CHECKSUM: what lies there is not what was written; a head was written again. ERR_IO: the
 * device cannot read the page, a head not even after it was written again. ERR_NOT_YET: the
 * snapshot has made way for another since, and nothing was found out.
 */
struct snapshots_scrubbed {
    enum error error;
    uint64_t offset; /* of the page, part or block */
};
/* False: the thread has not answered yet. */
bool snapshots_scrub_poll(struct snapshots *snapshots, struct snapshots_scrubbed *ret_scrubbed);

/* The generation in a file; 0: no snapshot is there, or one that is being written. */
uint64_t snapshots_generation_of(const struct snapshots *snapshots, uint32_t file,
                                 uint32_t *ret_block_count);
/* The snapshot in the file has rotted: it counts as gone, and the next one is written over it. */
void snapshots_lose(struct snapshots *snapshots, uint32_t file);

/*
 * Begins a snapshot, over the older one or over the one that is rotten: that one is gone from this
 * call on. index and term at most INDEX_MAX and TERM_MAX (CHECK). ERR_NOT_YET: snapshots_poll is
 * not IDLE. ERR_SYNC: a sync has failed before.
 */
MUST_USE enum error snapshots_write_begin(struct snapshots *snapshots,
                                          const struct snapshot_label *label);
/* How much of the stream may be handed over now. 0 when none is being written. */
size_t snapshots_room_bytes(const struct snapshots *snapshots);
/*
 * Copies the next bytes of the stream, at most snapshots_room_bytes (CHECK). ERR_TOO_LARGE: the
 * file is too small for them; the snapshot is given up, and snapshots_poll tells FAILED.
 */
MUST_USE enum error snapshots_write(struct snapshots *snapshots, struct span bytes);
/* That was the whole stream. snapshots_poll tells what becomes of it. */
void snapshots_write_end(struct snapshots *snapshots);

/* Gives up what is being written or installed: snapshots_poll tells BUSY, then IDLE. If it was too
 * late, GOOD. Nothing happens when nothing was begun. */
void snapshots_abandon(struct snapshots *snapshots);

/*
 * Begins a copy of another node's snapshot, as snapshots_write_begin. Of `info` everything counts
 * but the generation. ERR_RANGE: the numbers contradict each other or are beyond their limits.
 * ERR_TOO_LARGE: the file is too small. ERR_NOT_YET, ERR_SYNC.
 */
MUST_USE enum error snapshots_install_begin(struct snapshots *snapshots,
                                            const struct snapshot_info *info);
/*
 * Takes block `number` as snapshots_read_block gave it at the sender; in any order. ERR_SNAPSHOT:
 * `label` is another one than that of snapshots_install_begin, or nothing is being installed.
 * ERR_RANGE: no such block. ERR_SHORT, ERR_TRAILING: not the size of that block. ERR_EXISTS: it is
 * here already. ERR_FULL: come again when the thread has written some. Any error changes nothing.
 */
MUST_USE enum error snapshots_install_block(struct snapshots *snapshots,
                                            const struct snapshot_label *label, uint32_t number,
                                            struct span raw);
/* The first block, from `number` on, that is not here yet; block_count: none is missing. CHECK:
 * something is being installed. */
uint32_t snapshots_install_missing(const struct snapshots *snapshots, uint32_t number);
/* Blocks that snapshots_install_block may take now. */
uint32_t snapshots_install_room(const struct snapshots *snapshots);
/* ERR_NOT_YET: blocks are missing. Otherwise snapshots_poll tells what becomes of it. */
MUST_USE enum error snapshots_install_end(struct snapshots *snapshots);

#endif
