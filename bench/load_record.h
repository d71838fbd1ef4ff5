/*
 * What a load of relaxed sets was told: of each key the newest value that was acknowledged, so that
 * it can be looked for later. Each key is written by one client only; of several writes in flight
 * the order is that of their journal seqs, which the node tells.
 *
 * Owner: the thread of the key's client, then the main thread.
 */
#ifndef POLLUX_BENCH_LOAD_RECORD_H
#define POLLUX_BENCH_LOAD_RECORD_H

#include "base/error.h"
#include "bench/load_options.h"
#include "client/include/pollux.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct load_record {
    uint64_t journal_seq; /* of the newest acknowledged write; 0: none */
    uint64_t value_number;
    bool is_open; /* a write has no known outcome: what is stored cannot be told */
};

/* The key's text, terminated; returns its length. */
int load_record_key(const char *prefix, uint64_t number, char *ret_key, size_t size_bytes);

/* Writes the first LOAD_NUMBER_BYTES of a value. */
void load_record_value(uint64_t number, uint8_t *ret_value);

/* The number of a value whose other bytes are as the load writes them; false: it is not. */
bool load_record_number(const uint8_t *value, size_t size_bytes, uint64_t *ret_number);

/* Notes the outcome of one write. */
void load_record_note(struct load_record *record, uint64_t value_number,
                      const struct plx_response *response);

/* Writes key, tab and value of every record but the open ones, a line each; ret_count says how
 * many. ERR_IO. */
MUST_USE enum error load_record_write(const struct load_record *records,
                                      const struct load_options *options, uint64_t *ret_count);

#endif
