/* The internet checksum (RFC 1071), eight bytes at a time. */
#include "dataplane/checksum.h"

#include <endian.h>
#include <string.h>

/* Sums stay below 2^34 between calls: halves are added apart, so that a 64-bit carry cannot get
 * lost. */
static uint64_t sum_join(uint64_t a, uint64_t b)
{
    a = (a & 0xffffffffu) + (a >> 32) + (b & 0xffffffffu) + (b >> 32);
    return (a & 0xffffffffu) + (a >> 32);
}

/* The four words of eight bytes, summed with the carries out of the top word brought round. */
static uint64_t word_add(uint64_t sum, const uint8_t *data)
{
    uint64_t word;
    memcpy(&word, data, sizeof(word));
    sum += word;
    return sum + (sum < word);
}

/* Fewer than eight bytes, by their powers of two: headers end so, and a copy of variable size is
 * slow. */
static uint64_t tail_sum(const uint8_t *data, size_t size_bytes)
{
    uint64_t sum = 0;
    uint16_t word;
    if ((size_bytes & 4) != 0) {
        uint32_t pair;
        memcpy(&pair, data, sizeof(pair));
        sum += pair;
        data += sizeof(pair);
    }
    if ((size_bytes & 2) != 0) {
        memcpy(&word, data, sizeof(word));
        sum += word;
        data += sizeof(word);
    }
    if ((size_bytes & 1) != 0) {
        const uint8_t padded[2] = {data[0], 0};
        memcpy(&word, padded, sizeof(word));
        sum += word;
    }
    return sum;
}

uint64_t checksum_add(uint64_t sum, const uint8_t *data, size_t size_bytes)
{
    size_t at = 0;
    uint64_t sums[4] = {sum, 0, 0, 0};
    /* Four chains of additions, so that one does not wait for the other. */
    for (; at + 32 <= size_bytes; at += 32) {
        sums[0] = word_add(sums[0], data + at);
        sums[1] = word_add(sums[1], data + at + 8);
        sums[2] = word_add(sums[2], data + at + 16);
        sums[3] = word_add(sums[3], data + at + 24);
    }
    for (; at + 8 <= size_bytes; at += 8) {
        sums[0] = word_add(sums[0], data + at);
    }
    return sum_join(sum_join(sums[0], sums[1]),
                    sum_join(sums[2], sum_join(sums[3], tail_sum(data + at, size_bytes - at))));
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
