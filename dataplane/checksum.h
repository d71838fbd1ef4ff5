/*
 * The internet checksum (RFC 1071): the ones' complement of the ones' complement sum of 16-bit
 * words. Sums are kept wide and folded at the end, which RFC 1071 section 2 shows to be equivalent;
 * words are summed in memory order, so the folded result is stored as it is, without a byte swap.
 */
#ifndef POLLUX_DATAPLANE_CHECKSUM_H
#define POLLUX_DATAPLANE_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

/* Adds the bytes to a running sum; an odd last byte is padded with zero, so it must come last. */
uint64_t checksum_add(uint64_t sum, const uint8_t *data, size_t size_bytes);

/* Adds one 16-bit field given in host order. */
uint64_t checksum_add_be16(uint64_t sum, uint16_t value);

/* The checksum field's two bytes in memory order. A message that contains its own correct checksum
 * finishes as 0. */
uint16_t checksum_finish(uint64_t sum);

/* Sum of the IPv4 or IPv6 pseudo-header; addresses are 4 or 16 bytes each, source first,
 * adjacent. */
uint64_t checksum_pseudo(const uint8_t *addresses, size_t addresses_size_bytes, uint8_t protocol,
                         uint32_t upper_size_bytes);

#endif
