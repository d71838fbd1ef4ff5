/* CRC-32C through ISA-L's crc32_iscsi, which leaves both complements to its caller. */
#include "base/crc32c.h"

#include "base/check.h"

#include <limits.h>
#include <isa-l/crc.h>

#if defined(__x86_64__)
#include <immintrin.h>

/* ISA-L 2.30 leaves the upper halves of the vector registers in use. Then each SSE instruction
 * waits for them: 350 ns after the checksum of 256 bytes. */
__attribute__((target("avx"))) static void vector_halves_clear(void)
{
    _mm256_zeroupper();
}
#endif

uint32_t crc32c(uint32_t crc, const void *data, size_t size_bytes)
{
    CHECK(size_bytes <= INT_MAX);
    if (size_bytes == 0)
        return crc;
    /* ISA-L's prototype lacks const; it only reads. */
    crc = ~crc32_iscsi((unsigned char *)(uintptr_t)data, (int)size_bytes, ~crc);
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx"))
        vector_halves_clear();
#endif
    return crc;
}

uint32_t crc32c_around(const void *data, size_t size_bytes, size_t hole)
{
    static const uint8_t zero[4];
    const uint8_t *bytes = data;
    CHECK(hole + sizeof(zero) <= size_bytes);
    uint32_t crc = crc32c(crc32c(0, bytes, hole), zero, sizeof(zero));
    size_t behind = hole + sizeof(zero);
    return crc32c(crc, bytes + behind, size_bytes - behind);
}
