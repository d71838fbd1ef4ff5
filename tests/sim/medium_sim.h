/*
 * The simulated medium: pmem/medium.h in memory, with the faults of real ones. Linked in place of
 * medium_pmem2.c.
 *
 * Model: every store is kept as 8-byte words, in the order of the stores, until it is persisted.
 * Power loss applies a subset of the words not yet persisted, in order, to what was; so any word
 * may survive without any other, and a word stored twice may keep either value. A killed process
 * loses no store, but on CACHE_LINE and BYTE media what it had not persisted is then an orphan:
 * only storing it again and a persist make it durable. The same holds for what a failed sync was to
 * write.
 *
 * PAGE media: a sync begins when it is asked for and none is under way, takes what was stored by
 * then, and completes after a delay in simulated time; one more covers all that was asked for
 * meanwhile.
 *
 * All state is in `struct medium_sim`; which simulation medium_open serves is set by
 * medium_sim_use. Deterministic: equal calls and seeds give equal contents. Owner: one thread.
 */
#ifndef POLLUX_TESTS_SIM_MEDIUM_SIM_H
#define POLLUX_TESTS_SIM_MEDIUM_SIM_H

#include "pmem/medium.h"

/* A log, a journal of two banks, two files of snapshots and an identity: of 9 nodes, 4 shards. */
#define MEDIUM_SIM_FILES_MAX 256
#define MEDIUM_SIM_PATH_MAX  128
/* Sync delay that never ends by itself: a stalled device. */
#define MEDIUM_SIM_STALLED UINT64_MAX

struct medium_sim;

struct medium_sim_options {
    uint64_t seed;
    enum medium_granularity granularity; /* of files to come */
    uint64_t sync_delay_min_ns;          /* PAGE only; drawn anew for each sync */
    uint64_t sync_delay_max_ns;          /* MEDIUM_SIM_STALLED: never completes */
    size_t space_bytes;                  /* of all files together; 0: no limit */
};

/* Aborts without memory. */
struct medium_sim *medium_sim_create(const struct medium_sim_options *options);
/* Ends the simulation and forgets its files. No medium may be open. */
void medium_sim_destroy(struct medium_sim *sim);
/* A copy with the same files, all of them closed; nothing in it has been persisted by the
 * copying. */
struct medium_sim *medium_sim_clone(const struct medium_sim *sim);

/* Room for files to come, of all files together; 0: no limit. */
void medium_sim_set_space(struct medium_sim *sim, size_t space_bytes);

/* The simulation that medium_open serves from here on. */
void medium_sim_use(struct medium_sim *sim);

/* Simulated time; syncs that are due complete. Never goes back (CHECK). */
void medium_sim_set_now(struct medium_sim *sim, uint64_t now_ns);
/* When the next sync of this file is due; UINT64_MAX: none. */
uint64_t medium_sim_deadline_ns(const struct medium_sim *sim, const char *path);

/* Called before every store to an open file: where a process may die in the middle of its work. */
struct medium_sim_watch {
    void (*before_store)(void *context, const char *path);
    void *context;
};
void medium_sim_set_watch(struct medium_sim *sim, struct medium_sim_watch watch);

/* What the sim can do to one file, by path (CHECK: it exists). */

/* Delays of the file's next syncs; the one under way is drawn anew from now on. */
void medium_sim_set_delay(struct medium_sim *sim, const char *path, uint64_t min_ns,
                          uint64_t max_ns);
/* The next sync fails: ERR_SYNC for ever to this opener, and its stores are orphans. */
void medium_sim_fail_sync(struct medium_sim *sim, const char *path);
/* Inverts one bit of the medium and of what is visible. */
void medium_sim_flip_bit(struct medium_sim *sim, const char *path, size_t offset, uint32_t bit);
/* The page at `offset` becomes zero, on the medium and in what is visible. */
void medium_sim_zero_page(struct medium_sim *sim, const char *path, size_t offset);
/* The device cannot read the page at `offset` any more: it reads as zeros, until the file is
 * written anew (medium_map_again). */
void medium_sim_spoil_page(struct medium_sim *sim, const char *path, size_t offset);
/* Cuts the file to `size_bytes`. */
void medium_sim_cut(struct medium_sim *sim, const char *path, size_t size_bytes);
/* What a power loss that keeps no pending store would leave of a file: the file may be set back to
 * that later. Whoever has it open then is cut off. */
struct medium_sim_image {
    uint8_t *bytes; /* NULL: none */
    size_t size_bytes;
};
void medium_sim_save(const struct medium_sim *sim, const char *path,
                     struct medium_sim_image *ret_image);
void medium_sim_restore(struct medium_sim *sim, const char *path,
                        const struct medium_sim_image *image);
/* Makes a file that holds what a power loss would leave of another one. */
void medium_sim_copy(struct medium_sim *sim, const char *path, const char *new_path);
void medium_sim_image_free(struct medium_sim_image *image);

/* The file is gone. */
void medium_sim_remove(struct medium_sim *sim, const char *path);

/*
 * The process dies. Its open medium stays valid until medium_close, keeps what is stored to it for
 * itself, and reaches the file no more.
 * Each word not yet persisted survives with a chance of `survive_per_million` in a million. A file
 * that does not exist: nothing.
 */
void medium_sim_lose_power(struct medium_sim *sim, const char *path, uint32_t survive_per_million);
/* The same with chosen survivors: bit i of `survivors` (64 a word) is store i of the pending
 * ones. */
void medium_sim_lose_power_but(struct medium_sim *sim, const char *path, const uint64_t *survivors);
/* The process dies, the machine runs on: everything stored stays visible. */
void medium_sim_kill(struct medium_sim *sim, const char *path);

bool medium_sim_exists(const struct medium_sim *sim, const char *path);
/* End of what was ever stored. */
size_t medium_sim_written_bytes(const struct medium_sim *sim, const char *path);
/* Words stored and not yet persisted: the bits of medium_sim_lose_power_but. */
size_t medium_sim_pending_count(const struct medium_sim *sim, const char *path);
/* What would be read after a power loss that keeps none of them. */
const uint8_t *medium_sim_persisted(const struct medium_sim *sim, const char *path);

#endif
