/*
 * Where encoders write: a buffer of the caller, filled from its beginning. What does not fit sets
 * is_overflow and writes nothing.
 *
 * Owner: the caller; one thread.
 */
#ifndef POLLUX_WIRE_WIRE_WRITER_H
#define POLLUX_WIRE_WIRE_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct wire_writer {
    uint8_t *data;
    size_t capacity_bytes;
    size_t size_bytes; /* grows with every encoder */
    bool is_overflow;
};

#endif
