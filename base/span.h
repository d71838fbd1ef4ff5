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

static inline bool span_begins_with(struct span span, struct span prefix)
{
    return span.size_bytes >= prefix.size_bytes &&
           (prefix.size_bytes == 0 || memcmp(span.data, prefix.data, prefix.size_bytes) == 0);
}

/* The order of keys, bytes as unsigned numbers: below 0, the first span comes before the second; 0,
 * they are equal. A span comes before every longer one that begins with it. */
static inline int span_compare(struct span a, struct span b)
{
    size_t size_bytes = a.size_bytes < b.size_bytes ? a.size_bytes : b.size_bytes;
    int order = size_bytes == 0 ? 0 : memcmp(a.data, b.data, size_bytes);
    if (order != 0 || a.size_bytes == b.size_bytes)
        return order;
    return a.size_bytes < b.size_bytes ? -1 : 1;
}

#endif
