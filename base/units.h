/*
 * Durations and sizes as text, in the units that the configuration takes: whatever is printed can
 * be copied into it.
 *
 * Pure.
 */
#ifndef POLLUX_BASE_UNITS_H
#define POLLUX_BASE_UNITS_H

#include "base/limits.h"

#include <stdint.h>

/* A whole number and us, ms, s, min or h, rounded down, with at least two digits of what the
 * duration has above 10 us; UINT64_MAX: "never". Returns ret_text. */
const char *units_duration(uint64_t duration_ns, char ret_text[UNITS_TEXT_BYTES]);

/* The size exactly, in the largest of B, KiB, MiB and GiB that it is a multiple of. Returns
 * ret_text. */
const char *units_size(uint64_t size_bytes, char ret_text[UNITS_TEXT_BYTES]);

#endif
