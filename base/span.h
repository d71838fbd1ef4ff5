/* A borrowed run of bytes. The span owns nothing; whoever hands it out says how long it lives. */
#ifndef POLLUX_BASE_SPAN_H
#define POLLUX_BASE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct span {
    const uint8_t *data; /* may be NULL only when size_bytes is 0 */
    size_t size_bytes;
};

static inline struct span span_of(const void *data, size_t size_bytes)
{
    return (struct span){.data = (const uint8_t *)data, .size_bytes = size_bytes};
}

static inline bool span_is_equal(struct span a, struct span b)
{
    return a.size_bytes == b.size_bytes &&
           (a.size_bytes == 0 || memcmp(a.data, b.data, a.size_bytes) == 0);
}

#endif
