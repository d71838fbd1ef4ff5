/* CRC-32C (Castagnoli, RFC 3720 appendix B.4) over bytes, by ISA-L. */
#ifndef POLLUX_BASE_CRC32C_H
#define POLLUX_BASE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/*
 * Continues `crc` (0 to begin) over `size_bytes` at `data`; crc32c(crc32c(0, a), b) equals the crc
 * of a followed by b. Known answer: "123456789" gives 0xE3069283. Any thread.
 */
uint32_t crc32c(uint32_t crc, const void *data, size_t size_bytes);

/* Of `size_bytes` at `data`. The 4 bytes at offset `hole` count as zero: the checksum itself is
 * kept there. Any thread. */
uint32_t crc32c_around(const void *data, size_t size_bytes, size_t hole);

#endif
