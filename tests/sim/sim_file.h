/*
 * One file of the simulated medium: what is visible, what is persisted, and the stores between the
 * two, in order. The model is told in medium_sim.h. Owner: one thread.
 */
#ifndef POLLUX_TESTS_SIM_SIM_FILE_H
#define POLLUX_TESTS_SIM_SIM_FILE_H

#include "base/prng.h"
#include "tests/sim/medium_sim.h"

#define SIM_WORD_BYTES 8u

struct sim_store {
    uint32_t word;
    bool is_orphan; /* no flush or sync will reach it any more */
    uint64_t value; /* as it lies in memory */
};

struct sim_file {
    char path[MEDIUM_SIM_PATH_MAX]; /* empty: free */
    uint64_t path_hash;
    enum medium_granularity granularity;
    size_t size_bytes;
    size_t image_bytes; /* of each of the two images: its size before it was cut */
    uint8_t *visible;
    uint8_t *persisted;
    struct sim_store *stores; /* pending, in order */
    size_t store_count;
    size_t store_capacity;
    size_t high_bytes; /* beyond this both images are zero */
    bool is_open;
    bool has_orphans;
    bool is_sync_failing;
    uint64_t delay_min_ns;
    uint64_t delay_max_ns;
    uint64_t sync_due_ns; /* UINT64_MAX: none under way, or stalled */
    bool is_syncing;
    size_t sync_count;    /* pending stores that the sync under way covers */
    uint64_t sync_ticket; /* and the ticket it completes */
    uint64_t requested;   /* newest ticket */
    uint64_t completed;
    bool is_failed;
    bool is_unreadable; /* a page is */
    size_t unreadable_offset;
};

/* Zeroed memory; aborts without. */
void *sim_take(size_t size_bytes);

/*
 * Images of files are large and mostly zeros that nobody touches: those given back are kept for the
 * next, zeroed as far as they were used.
 */
uint8_t *sim_image_take(size_t size_bytes);
void sim_image_give(uint8_t *image, size_t size_bytes, size_t used_bytes);

/* Frees what the file holds and makes its place free. */
void sim_file_release(struct sim_file *file);

/* Stores one word as it is to lie in memory. */
void sim_file_store_word(struct sim_file *file, size_t offset, uint64_t value);
/* This store reaches what is persisted. */
void sim_file_apply(struct sim_file *file, const struct sim_store *store);
/* Makes the first `count` pending stores durable, but for orphans. */
void sim_file_persist(struct sim_file *file, size_t count);
/* Makes orphans of the first `count` pending stores. */
void sim_file_orphan(struct sim_file *file, size_t count);

/* The sync thread of a PAGE medium. */
void sim_file_sync_begin(struct sim_file *file, struct prng *prng, uint64_t now_ns);
void sim_file_sync_end(struct sim_file *file, struct prng *prng, uint64_t now_ns);
/* Ends the syncs that are due. */
void sim_file_sync_advance(struct sim_file *file, struct prng *prng, uint64_t now_ns);

/* Whoever had it open is gone, and its sync thread, too. */
void sim_file_forget_opener(struct sim_file *file);

#endif
