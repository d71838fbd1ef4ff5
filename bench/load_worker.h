/*
 * One thread's share of a load: its handles, a slot for each operation in flight, and the loop that
 * keeps the slots busy. Owner: its thread while a phase runs, the main thread otherwise.
 */
#ifndef POLLUX_BENCH_LOAD_WORKER_H
#define POLLUX_BENCH_LOAD_WORKER_H

#include "base/error.h"
#include "base/prng.h"
#include "bench/key_growth.h"
#include "bench/load_check.h"
#include "bench/load_history.h"
#include "bench/load_options.h"
#include "bench/load_progress.h"
#include "bench/load_record.h"
#include "bench/load_result.h"
#include "bench/load_slot.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct load_worker {
    const struct load_options *options;
    struct load_result result;
    struct plx_client **clients;
    uint32_t client_count;
    uint32_t slot_count;
    struct load_slot *slots;
    struct load_slot **idle; /* a ring of slots without an operation */
    uint32_t idle_head;
    uint32_t idle_count;
    bool *is_dirty;  /* by client: has operations to be sent */
    uint32_t *dirty; /* these clients */
    uint32_t dirty_count;
    uint32_t *keys_used;          /* by client: of its share, where no key is used twice */
    uint32_t first_client;        /* number of its first client among all */
    struct load_record *records;  /* by key, of all workers; NULL: nothing is recorded */
    struct load_check *checks;    /* by key, of all workers; NULL: nothing is checked */
    struct load_history *history; /* its own; NULL: none */
    struct key_growth *growth;    /* of all workers; NULL: nothing is inserted */
    struct key_chooser chooser;
    int epoll_fd;
    enum load_phase phase;
    uint32_t key_next; /* fill and check: the keys that are left */
    uint32_t key_end;
    uint32_t missing_count;   /* fill: keys that could not be stored */
    uint32_t reading_count;   /* check: keys being read */
    uint64_t stored_ns;       /* fill: when a key was last stored */
    uint64_t reread_until_ns; /* check */
    bool is_open_loop;
    double interval_ns; /* open loop */
    uint64_t issued;
    uint64_t first_ns; /* of the open loop's clock */
    uint64_t swept_ns;
    struct load_progress *progress; /* of all workers; NULL: no line a second */
    uint64_t pulse_begin_ns;        /* of second 0 */
    uint64_t pulse_second;
    struct load_pulse pulse;
    uint64_t number; /* makes each value differ */
    uint64_t run;    /* makes each run's swap keys differ */
    struct prng prng;
    uint8_t *memory;
};

/* The monotonic clock. */
uint64_t load_clock_ns(void);

/* Opens `clients` handles for the thread `index`. Before, the caller sets the worker to zero and
 * then options, epoll_fd (-1), run, number, first_client, records, checks, history, growth and
 * progress.
 * ERR_ARGUMENT, ERR_NO_MEMORY, ERR_IO; ret_reason says what. The worker is to be closed even so. */
MUST_USE enum error load_worker_open(struct load_worker *worker, uint32_t index, uint32_t clients,
                                     char *ret_reason, size_t reason_size);
void load_worker_close(struct load_worker *worker);

/* The client has operations to be sent. */
void load_worker_touch(struct load_worker *worker, uint32_t client);

/* The slot has no operation from now on. */
void load_worker_rest(struct load_worker *worker, struct load_slot *slot);

/* Counts an operation that has ended for the line of this second. */
void load_worker_pulse(struct load_worker *worker, uint64_t due_ns, uint64_t now_ns,
                       enum plx_outcome outcome);

/* A thread's main function, on a worker: one phase, until its work is done or its time is over. */
void *load_worker_run(void *worker);

/* Operations without an outcome; of these, the ones that count. */
uint32_t load_worker_in_flight(const struct load_worker *worker);
uint32_t load_worker_unfinished(const struct load_worker *worker);

#endif
