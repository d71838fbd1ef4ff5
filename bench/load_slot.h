/*
 * A slot has one operation in flight at most. When the operation ends, the slot counts it and
 * begins the next one, inside the library's callback. Owner: the thread of the slot's worker.
 */
#ifndef POLLUX_BENCH_LOAD_SLOT_H
#define POLLUX_BENCH_LOAD_SLOT_H

#include "bench/op_mix.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOAD_KEY_BYTES_MAX 64

enum load_phase {
    PHASE_FILL,    /* every key is stored once */
    PHASE_MEASURE, /* the load's own operations */
    PHASE_CHECK,   /* what was acknowledged is read back */
};

struct load_slot {
    struct load_worker *worker;
    uint32_t client;
    enum load_phase phase; /* that the operation was begun in */
    enum load_op op;
    bool is_in_flight;
    bool is_modifying; /* read-modify-write: the set is in flight */
    bool is_doubtful;  /* fill: an earlier set of the same value has an unknown outcome */
    uint64_t key_number;
    uint64_t value_number;
    uint64_t due_ns;
    uint32_t history_number; /* of the operation in flight */
    uint8_t *value;
    uint8_t *old_value;    /* of the slot's own swap key */
    size_t old_size_bytes; /* 0: none */
    size_t key_size_bytes;
    size_t swap_key_size_bytes;
    char key[LOAD_KEY_BYTES_MAX];
    char swap_key[LOAD_KEY_BYTES_MAX];
};

/* Hands the slot's next operation of the measured load, due at `due_ns`, to the library. False: no
 * key is free, or the library refused the operation; the slot is as it was. */
bool load_slot_submit(struct load_slot *slot, uint64_t due_ns);

/* Gives the slot its next operation if there is one; otherwise the slot becomes idle. */
void load_slot_continue(struct load_slot *slot, uint64_t now_ns);

#endif
