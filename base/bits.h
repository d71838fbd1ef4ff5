/* Words as bits. */
#ifndef POLLUX_BASE_BITS_H
#define POLLUX_BASE_BITS_H

#include <stdint.h>

/* `count` is 1 to 63. */
static inline uint64_t rotate_left(uint64_t word, unsigned count)
{
    return word << count | word >> (64 - count);
}

#endif
