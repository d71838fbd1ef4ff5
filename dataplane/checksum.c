/* The internet checksum (RFC 1071), eight bytes at a time. */
#include "dataplane/checksum.h"

#include <endian.h>
#include <string.h>

static uint64_t word_add(uint64_t sum, const uint8_t *data)
{
    uint64_t word;
    memcpy(&word, data, sizeof(word));
    return sum + (word & 0xffffffffu) + (word >> 32);
}

uint64_t checksum_add(uint64_t sum, const uint8_t *data, size_t size_bytes)
{
    size_t at = 0;
    uint64_t other = 0;
    /* Two chains of additions, so that one does not wait for the other. */
    for (; at + 16 <= size_bytes; at += 16) {
        sum = word_add(sum, data + at);
        other = word_add(other, data + at + 8);
    }
    if (at + 8 <= size_bytes) {
        sum = word_add(sum, data + at);
        at += 8;
    }
    if (at < size_bytes) {
        uint8_t tail[8] = {0};
        memcpy(tail, data + at, size_bytes - at);
        sum = word_add(sum, tail);
    }
    return sum + other;
}

uint64_t checksum_add_be16(uint64_t sum, uint16_t value)
{
    return sum + htobe16(value);
}

uint16_t checksum_finish(uint64_t sum)
{
    sum = (sum & 0xffffffffu) + (sum >> 32);
    sum = (sum & 0xffffffffu) + (sum >> 32);
    sum = (sum & 0xffffu) + (sum >> 16);
    sum = (sum & 0xffffu) + (sum >> 16);
    return (uint16_t)~sum;
}

uint64_t checksum_pseudo(const uint8_t *addresses, size_t addresses_size_bytes, uint8_t protocol,
                         uint32_t upper_size_bytes)
{
    uint64_t sum = checksum_add(0, addresses, addresses_size_bytes);
    sum = checksum_add_be16(sum, protocol);
    return checksum_add_be16(sum, (uint16_t)upper_size_bytes);
}
