/* Explicit big-endian loads and stores at any alignment: network headers are read and written
 * so. */
#ifndef POLLUX_DATAPLANE_BE_H
#define POLLUX_DATAPLANE_BE_H

#include <endian.h>
#include <stdint.h>
#include <string.h>

static inline uint16_t be16_load(const uint8_t *from)
{
    uint16_t value;
    memcpy(&value, from, sizeof(value));
    return be16toh(value);
}

static inline uint32_t be32_load(const uint8_t *from)
{
    uint32_t value;
    memcpy(&value, from, sizeof(value));
    return be32toh(value);
}

static inline void be16_store(uint8_t *to, uint16_t value)
{
    value = htobe16(value);
    memcpy(to, &value, sizeof(value));
}

static inline void be32_store(uint8_t *to, uint32_t value)
{
    value = htobe32(value);
    memcpy(to, &value, sizeof(value));
}

#endif
