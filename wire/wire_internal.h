/*
 * What the files of the codec share: growing a writer, and reading checked runs of bytes. Nothing
 * outside wire_*.c includes this.
 */
#ifndef POLLUX_WIRE_WIRE_INTERNAL_H
#define POLLUX_WIRE_WIRE_INTERNAL_H

#include "base/check.h"
#include "base/le.h"
#include "base/span.h"
#include "wire/wire_writer.h"

#include <string.h>

/* Room for `size_bytes` more, not zeroed; NULL, and the overflow noted, where they do not fit. */
static inline uint8_t *wire_writer_grow(struct wire_writer *writer, size_t size_bytes)
{
    CHECK(writer->size_bytes <= writer->capacity_bytes);
    if (writer->is_overflow || size_bytes > writer->capacity_bytes - writer->size_bytes) {
        writer->is_overflow = true;
        return NULL;
    }
    uint8_t *to = writer->data + writer->size_bytes;
    writer->size_bytes += size_bytes;
    return to;
}

/* Copies a span to `to`, which may be where it lies already; returns the byte behind it. */
static inline uint8_t *wire_copy(uint8_t *to, struct span from)
{
    if (from.size_bytes > 0 && from.data != to)
        memmove(to, from.data, from.size_bytes);
    return to + from.size_bytes;
}

/* True when all of the bytes are zero: reserved fields. */
static inline bool wire_is_zero(const uint8_t *bytes, size_t size_bytes)
{
    for (size_t i = 0; i < size_bytes; i++) {
        if (bytes[i] != 0)
            return false;
    }
    return true;
}

#endif
