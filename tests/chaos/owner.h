/*
 * A handle that alone writes its keys, relaxed and consistent, one operation after the other, often
 * with so little time that the outcome stays unknown; and reads its own writes. Each key is judged
 * by own_order.h, whenever it is read and once more when all is mended.
 */
#ifndef POLLUX_TESTS_CHAOS_OWNER_H
#define POLLUX_TESTS_CHAOS_OWNER_H

#include "base/prng.h"
#include "client/include/pollux.h"
#include "tests/chaos/own_order.h"

#include <pthread.h>
#include <stdatomic.h>

#define OWNERS_MAX      3
#define OWNER_KEYS      4    /* at one time; */
#define OWNER_KEYS_MAX  4096 /* of a run; then it ends */
#define OWNER_TEXT_SIZE 192

struct owner_options {
    struct plx_options plx;
    uint64_t seed;
    uint32_t number; /* below OWNERS_MAX */
    bool has_losses; /* storages may be lost, with what they accepted relaxed */
};

/* All but is_stopping belongs to the owner's thread until owner_end. */
struct owner {
    struct owner_options options;
    struct plx_client *client;
    struct prng prng;
    pthread_t thread;
    _Atomic bool is_stopping;
    struct own_order *orders;   /* by the number of the key */
    bool *is_spoilt;            /* an outcome could not be resolved: not judged */
    uint32_t slots[OWNER_KEYS]; /* the key in each */
    uint32_t slot_writes[OWNER_KEYS];
    uint32_t key_count;
    uint64_t value;
    uint64_t relaxed_counts[PLX_OUTCOME_COUNT];
    uint64_t write_counts[PLX_OUTCOME_COUNT];
    uint64_t judged_count;
    uint64_t broken_count;
    char text[OWNER_TEXT_SIZE]; /* of the first breach; "" */
};

/* False: no memory, thread or handle. */
bool owner_begin(struct owner *owner, const struct owner_options *options);
/* Waits for the last operation. */
void owner_stop(struct owner *owner);
/* After that: all is mended, and nodes agree. Judges each key by a consistent get, and once more a
 * while later. */
void owner_end(struct owner *owner);

#endif
