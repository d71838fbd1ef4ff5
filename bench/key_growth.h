/*
 * How many keys there are while inserts add keys. Keys are numbered from 0. An insert takes the
 * next number when it begins. Only keys below every insert in flight count as present, so that a
 * read does not look for a key that is not stored yet. An insert that failed counts as ended, too.
 *
 * Any thread.
 */
#ifndef POLLUX_BENCH_KEY_GROWTH_H
#define POLLUX_BENCH_KEY_GROWTH_H

#include "base/error.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define KEY_GROWTH_WINDOW (1U << 21) /* from the oldest insert in flight to the newest */

struct key_growth {
    pthread_mutex_t mutex; /* of all but `present` */
    uint64_t next;
    bool *is_ended; /* by number modulo the window */
    /* Stored (release) under the mutex behind an insert's answer; loaded (acquire) by
     * key_growth_count: who sees the number reads the key after that answer. */
    _Atomic uint64_t present;
};

/* The keys below `count` are there already. ERR_NO_MEMORY. */
MUST_USE enum error key_growth_init(struct key_growth *growth, uint64_t count);
void key_growth_deinit(struct key_growth *growth);

/* The number of the next key; false: too many inserts have begun since the oldest one in flight. */
MUST_USE bool key_growth_begin(struct key_growth *growth, uint64_t *ret_number);

/* The insert of a key has ended. */
void key_growth_end(struct key_growth *growth, uint64_t number);

/* All keys below this one are there. */
uint64_t key_growth_count(struct key_growth *growth);

#endif
