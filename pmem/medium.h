/*
 * A medium: one file, mapped, that bytes are stored to and made durable on. Two backends behind
 * this header, chosen at link time: medium_pmem2.c (libpmem2) and the simulator's medium with crash
 * states.
 *
 * Granularity decides how durability is reached and is published by every node:
 *  - BYTE, CACHE_LINE (persistent memory): medium_write stores with non-temporal copies and
 *    medium_persist drains before it returns.
 *  - PAGE (an ordinary file): medium_write writes to the file, and the mapping shows it at once
 *    (both are the page cache). medium_persist only asks; a helper thread syncs and group-commits,
 *    and medium_persisted reports how far. libpmem2's own page flush aborts the process on an
 *    error, so the sync is our own fdatasync. After one failed write or sync nothing is ever
 *    acknowledged again: the page cache may have dropped the bytes (Rebello et al., "Can
 *    Applications Recover from fsync Failures?", ATC'20).
 *
 * Persistence model: aligned 8-byte stores are atomic against power loss; whatever was written and
 * not yet persisted may survive word by word, in any order.
 *
 * A page that the device cannot read, or that was cut off, reads as zeros (bus_guard_internal.h).
 * From then on nothing of the medium becomes durable: medium_persisted and the others that wait
 * answer ERR_IO, until medium_map_again.
 *
 * Owner: one thread (the lane); the helper thread is the medium's own business.
 */
#ifndef POLLUX_PMEM_MEDIUM_H
#define POLLUX_PMEM_MEDIUM_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum medium_granularity { MEDIUM_BYTE, MEDIUM_CACHE_LINE, MEDIUM_PAGE };

/* What operators name: persistent memory, an ordinary file, or a file that passes for persistent
 * memory and does not survive a power loss. Numbers as in pmem/node_identity.h. */
enum medium_kind { MEDIUM_PMEM = 1, MEDIUM_FILE = 2, MEDIUM_EMULATED = 3 };

struct medium;

/*
 * Opens `path`, creating it with `size_bytes` zeroed and allocated bytes when it does not exist and
 * `is_created` permits; an existing file keeps its size. Creation is atomic: made under a temporary
 * name, synced, renamed, directory synced, so no half-made file is ever seen. The file is locked
 * against a second process.
 * Errors: ERR_NOT_FOUND, ERR_BUSY (locked), ERR_NO_SPACE, ERR_PERMISSION, ERR_SHORT (an existing
 * file of less than a page), ERR_IO, ERR_NO_MEMORY. A human explanation that names the file is left
 * in `ret_reason` (reason_size bytes) on failure.
 */
struct medium_options {
    const char *path;
    size_t size_bytes; /* a multiple of 4096 */
    bool is_created;
    /* Only the room is taken at creation, nothing is written or touched: the first write to a part
     * of the file may wait for the file system. Not for a lane's own writes. */
    bool is_unwritten;
};
MUST_USE enum error medium_open(const struct medium_options *options, struct medium **ret_medium,
                                char *ret_reason, size_t reason_size);

void medium_close(struct medium *medium);

/* Size of the file that medium_open would find under `path`; 0: none. Any thread. */
size_t medium_file_size_bytes(const char *path);

/*
 * Gives a file that nobody has open another name in the same folder, durably, over a file that had
 * that name. ERR_NOT_FOUND, ERR_PERMISSION, ERR_IO; `ret_reason` then explains.
 */
MUST_USE enum error medium_move(const char *path, const char *new_path, char *ret_reason,
                                size_t reason_size);

enum medium_granularity medium_granularity(const struct medium *medium);
const char *medium_granularity_name(enum medium_granularity granularity);

/* True when the granularity was forced by PMEM2_FORCE_GRANULARITY: emulated, and to be named so. */
bool medium_is_emulated(const struct medium *medium);

enum medium_kind medium_kind(const struct medium *medium);

/* As the setting [node] medium has it: "pmem", "file", "emulated"; "?" outside the enum. */
const char *medium_kind_name(enum medium_kind kind);

/* True on a file system that lives in memory (tmpfs): nothing there survives power loss, whatever
 * the granularity; never to be called durable. */
bool medium_is_volatile(const struct medium *medium);

/* The mapping, readable at any time; valid until medium_close. */
const uint8_t *medium_data(const struct medium *medium);
size_t medium_size_bytes(const struct medium *medium);

/* Stores bytes at `offset`; visible to reads at once, durable only after a persist. In range
 * (CHECK). On PAGE a write may fail; medium_persisted tells. */
void medium_write(struct medium *medium, size_t offset, const void *data, size_t size_bytes);

/* Stores one aligned 8-byte word, atomically against power loss. */
void medium_write_word(struct medium *medium, size_t offset, uint64_t word);

/* Asks that all writes so far become durable; returns the ticket to wait for (rising). Not blocking
 * on PAGE; done on return on the others. */
uint64_t medium_persist(struct medium *medium);

/* Highest ticket whose writes are durable. ERR_SYNC for ever after one write or sync has failed,
 * ERR_IO after a page could not be read. */
MUST_USE enum error medium_persisted(struct medium *medium, uint64_t *ret_ticket);

/* Blocks until everything written so far is durable. Start, stop and recovery only. */
MUST_USE enum error medium_persist_wait(struct medium *medium);

/* Blocks until `ticket` is durable. For an owner that is no lane. */
MUST_USE enum error medium_await(struct medium *medium, uint64_t ticket);

/* Whether a page could not be read, and the offset of the last one. Any thread. */
bool medium_is_unreadable(const struct medium *medium, size_t *ret_offset);

/*
 * For an owner that needs nothing of what the file holds and writes it anew: gives the file its
 * whole size again, and shows what is written to pages that could not be read. ERR_IO,
 * ERR_NO_SPACE.
 */
MUST_USE enum error medium_map_again(struct medium *medium);

/* Gives a file that was cut off its whole size again: what was cut off is zero then. Nothing to do
 * where nothing was. Blocks: for an owner that is no lane. ERR_IO, ERR_NO_SPACE. */
MUST_USE enum error medium_restore_size(struct medium *medium);

/*
 * On PAGE: lets go of the cached copy of all that is durable, so that medium_data shows what the
 * device has. The whole file at once: the kernel keeps what it holds in one piece with bytes that
 * stay. Nothing to do on the others. For an owner that is no lane.
 */
void medium_drop_cache(struct medium *medium);

/*
 * On PAGE: reads these bytes, whole pages, from the device where they are not cached. Nothing to do
 * on the others. Blocks: for an owner that is no lane. ERR_IO: the device cannot read them; whoever
 * touches them reads zeros.
 */
MUST_USE enum error medium_fetch(struct medium *medium, size_t offset, size_t size_bytes);

#endif
