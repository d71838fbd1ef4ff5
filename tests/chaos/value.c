/* Digits, then filler by xorshift. */
#include "tests/chaos/value.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DIGITS          16
#define SHORT_BYTES_MAX 100
#define LONG_BYTES_MIN  2000
#define LONG_IN         32 /* one value of so many is long */

static uint64_t mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

size_t value_fill(uint64_t number, uint8_t *ret_bytes)
{
    char digits[DIGITS + 1];
    uint64_t draw = mix(number + 1);
    size_t size_bytes = DIGITS + (size_t)(draw >> 32) % (SHORT_BYTES_MAX - DIGITS);
    if (draw % LONG_IN == 0)
        size_bytes = LONG_BYTES_MIN + (size_t)(draw >> 32) % (VALUE_BYTES_MAX - LONG_BYTES_MIN);
    snprintf(digits, sizeof(digits), "%016" PRIx64, number);
    memcpy(ret_bytes, digits, DIGITS);
    uint64_t state = draw | 1;
    for (size_t i = DIGITS; i < size_bytes; i++) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        ret_bytes[i] = (uint8_t)(state >> 24);
    }
    return size_bytes;
}

uint64_t value_read(const uint8_t *bytes, size_t size_bytes, size_t whole_size_bytes)
{
    char digits[DIGITS + 1] = {0};
    uint8_t expected[VALUE_BYTES_MAX];
    char *end = NULL;
    if (size_bytes < DIGITS || size_bytes > whole_size_bytes)
        return VALUE_GARBLED;
    memcpy(digits, bytes, DIGITS);
    uint64_t number = strtoull(digits, &end, 16);
    if (*end != '\0' || number == 0)
        return VALUE_GARBLED;
    bool is_whole = value_fill(number, expected) == whole_size_bytes;
    return is_whole && memcmp(bytes, expected, size_bytes) == 0 ? number : VALUE_GARBLED;
}
