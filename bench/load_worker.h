/*
 * One thread's share of a load: its handles, a slot for each operation in flight, and the loop that
 * keeps the slots busy. Owner: its thread while a phase runs, the main thread otherwise.
 */
#ifndef POLLUX_BENCH_LOAD_WORKER_H
#define POLLUX_BENCH_LOAD_WORKER_H

#include "base/prng.h"
#include "bench/load.h"
#include "bench/load_record.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOAD_KEY_BYTES_MAX 64

enum load_phase {
    PHASE_FILL,
    PHASE_MEASURE,
};

/* One operation in flight at most. */
struct load_slot {
    struct load_worker *worker;
    uint32_t client;
    uint64_t key_number;
    uint64_t value_number;
    uint64_t due_ns;
    bool is_in_flight;
    uint8_t *value;
    uint8_t *old_value;
    size_t old_size_bytes; /* 0: none */
    size_t key_size_bytes;
    char key[LOAD_KEY_BYTES_MAX];
};

struct load_worker {
    const struct load_options *options;
    struct load_result *result;
    struct plx_client **clients;
    uint32_t client_count;
    uint32_t slot_count;
    struct load_slot *slots;
    struct load_slot **idle; /* a ring of slots without an operation */
    uint32_t idle_head;
    uint32_t idle_count;
    bool *is_dirty;              /* by client: has operations to be sent */
    uint32_t *keys_used;         /* by client: of its share, where no key is used twice */
    uint32_t first_client;       /* number of its first client among all */
    struct load_record *records; /* by key, of all workers; NULL: nothing is recorded */
    int epoll_fd;
    enum load_phase phase;
    uint32_t fill_next;
    uint32_t fill_end;
    double interval_ns; /* open loop */
    uint64_t issued;
    uint64_t first_ns; /* of the open loop's clock */
    uint64_t begin_ns;
    uint64_t end_ns;
    uint64_t swept_ns;
    uint64_t number; /* makes each value differ */
    uint64_t run;    /* makes each run's swap keys differ */
    struct prng prng;
    uint8_t *memory;
};

/* The monotonic clock. */
uint64_t load_clock_ns(void);

/* The slot has no operation from now on. */
void load_slot_idle(struct load_slot *slot);

/* A thread's main function, on a worker: one phase, until its work is done or its time is over. */
void *load_worker_run(void *worker);

#endif
