/*
 * A handle of its own, a thread of its own, and a few clients that share both: each asks one thing,
 * waits for the answer, and asks the next. Everything goes to the record.
 */
#ifndef POLLUX_TESTS_CHAOS_WORKER_H
#define POLLUX_TESTS_CHAOS_WORKER_H

#include "base/prng.h"
#include "client/include/pollux.h"
#include "tests/chaos/record.h"
#include "tests/chaos/resolver.h"
#include "tests/chaos/value.h"

#include <pthread.h>

#define WORKER_CLIENTS 8 /* of a handle, at most; */
#define WORKER_PATIENT 3 /* of these, may make calls that block */
#define WORKER_TOKENS  4096
#define WORKERS_MAX    16
#define WORKER_READERS 3 /* one handle of so many only reads */

/* What all workers share. */
struct load {
    struct record *record;
    struct resolver *resolver;
    uint32_t client_count; /* of a handle */
    uint64_t interval_ns;  /* from one operation of a client to its next, on average */
    uint64_t swaps_max;    /* with it: swaps that do not block, and gets, until so many; 0: all */
    _Atomic uint64_t swap_count;
    _Atomic bool is_stopping;
    _Atomic uint32_t next_process;
};

struct worker;

struct worker_client {
    struct worker *worker;
    uint32_t process; /* changes after an unknown outcome, as its operation may still go on */
    bool is_patient;
    bool is_busy;
    uint64_t due_ns;
    uint32_t number; /* of its operation */
    uint32_t ops_count;
    char key[RECORD_KEY_TEXT_MAX];
    uint8_t value[VALUE_BYTES_MAX];
    uint8_t old_value[VALUE_BYTES_MAX];
};

struct worker {
    struct load *load;
    struct plx_client *client;
    struct prng prng;
    bool is_reader; /* only gets, so that its handle learns of a new leader by nothing else */
    pthread_t thread;
    struct resolver_task tokens[WORKER_TOKENS]; /* to be forgotten once they are resolved */
    uint32_t token_count;
    uint32_t stuck_count; /* operations that had to be cancelled at the end */
    struct worker_client clients[WORKER_CLIENTS];
};

/* Prepares and starts the thread; false when there is none to be had. The handle is borrowed. */
bool worker_begin(struct worker *worker, struct load *load, struct plx_client *client,
                  uint64_t seed);

/* After load->is_stopping: waits until every operation has ended. */
void worker_end(struct worker *worker);

#endif
