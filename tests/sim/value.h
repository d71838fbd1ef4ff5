/*
 * Keys and values of the workload as bytes. A value begins with its name (history.h), and the rest
 * is a pattern that depends on it: so whatever comes back tells who wrote it, whole or not at all.
 */
#ifndef POLLUX_TESTS_SIM_VALUE_H
#define POLLUX_TESTS_SIM_VALUE_H

#include "base/limits.h"
#include "base/span.h"
#include "tests/sim/draw.h"

/* Writes the key; returns its size. Where the draw says so, keys share a {tag} by threes. */
size_t value_key(const struct draw *draw, uint32_t key, uint8_t ret_key[KEY_SIZE_BYTES_MAX]);

size_t value_size_bytes(const struct draw *draw, uint64_t name);
size_t value_size_bytes_mean(const struct draw *draw);
/* Writes value_size_bytes. */
void value_write(const struct draw *draw, uint64_t name, uint8_t *to);

/* The name of a value by its beginning and its whole size; 0: nobody wrote such a value. */
uint64_t value_name(const struct draw *draw, struct span begin, size_t whole_size_bytes);

#endif
