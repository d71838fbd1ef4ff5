/*
 * The bytes of a written value, made from its number alone: whoever reads it can tell which write
 * it came from and that not one byte has changed. Most are short; some need several packets.
 *
 * Layout: 16 hexadecimal digits of the number, then filler drawn from the number.
 */
#ifndef POLLUX_TESTS_CHAOS_VALUE_H
#define POLLUX_TESTS_CHAOS_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VALUE_BYTES_MAX 6000
#define VALUE_GARBLED   (UINT64_MAX - 1) /* bytes that nobody wrote */

/* Writes the bytes of value `number`, at most VALUE_BYTES_MAX; returns how many. */
size_t value_fill(uint64_t number, uint8_t *ret_bytes);

/* The number that the bytes spell; VALUE_GARBLED when they are not wholly as value_fill made them.
 * `whole_size_bytes`: of the whole value, of which these are the first bytes. */
uint64_t value_read(const uint8_t *bytes, size_t size_bytes, size_t whole_size_bytes);

#endif
