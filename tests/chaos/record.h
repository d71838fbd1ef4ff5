/*
 * Everything that clients asked and were told, in memory that is fixed at the start. Operations are
 * numbered across all threads; the value that operation n writes has the name n + 1. An operation
 * whose outcome was unknown keeps what its client saw, and gets its resolution beside it.
 *
 * Each operation is written by the thread that began it, each resolution by the one resolver; all
 * of it is read when they have ended.
 */
#ifndef POLLUX_TESTS_CHAOS_RECORD_H
#define POLLUX_TESTS_CHAOS_RECORD_H

#include "client/include/pollux.h"
#include "tests/sim/history.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define RECORD_KEYS           8    /* at one time: few, so that clients collide */
#define RECORD_GENERATION_OPS 4000 /* then the next few keys, so that each history stays short */
#define RECORD_FULL           UINT32_MAX

struct resolution {
    _Atomic bool is_resolved; /* released by the resolver after the rest, acquired by the worker */
    enum history_outcome outcome; /* OK, MISMATCH or TIMEOUT */
    uint64_t at_ns;
    uint64_t version;
};

struct record {
    struct history_op *ops;
    struct resolution *resolutions;
    enum plx_outcome *answers;   /* as told, which the history knows less exactly */
    _Atomic uint64_t *last_seen; /* of each key: the newest value somebody saw, 0: none */
    uint32_t capacity;
    uint32_t key_capacity;
    _Atomic uint32_t next;
    _Atomic uint64_t garbled_count;
};

/* Room for `capacity` operations; false without memory. */
bool record_init(struct record *record, uint32_t capacity);
void record_deinit(struct record *record);

/* The number of a new operation; RECORD_FULL when there is no room. Any thread. */
uint32_t record_number(struct record *record);

uint32_t record_count(const struct record *record);

/* The name of key `slot` (below RECORD_KEYS) at the time of operation `number`. */
uint32_t record_key(uint32_t number, uint32_t slot);

/* Keys that operations may have used: 0 up to this. */
uint32_t record_key_count(const struct record *record);

#define RECORD_KEY_TEXT_MAX 24
size_t record_key_text(uint32_t key, char ret_text[RECORD_KEY_TEXT_MAX]);

/* The history with every resolution in the place of its unknown outcome; needs history_deinit. */
struct history record_resolved(const struct record *record);

/* The history as the clients saw it; borrowed. */
struct history record_seen(const struct record *record);

uint64_t clock_now_ns(void); /* CLOCK_MONOTONIC: of every time in the record */

#endif
