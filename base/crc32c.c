/* CRC-32C through ISA-L's crc32_iscsi, which leaves both complements to its caller. */
#include "base/crc32c.h"

#include "base/check.h"

#include <limits.h>
#include <isa-l/crc.h>

uint32_t crc32c(uint32_t crc, const void *data, size_t size_bytes)
{
    CHECK(size_bytes <= INT_MAX);
    if (size_bytes == 0)
        return crc;
    /* ISA-L's prototype lacks const; it only reads. */
    return ~crc32_iscsi((unsigned char *)(uintptr_t)data, (int)size_bytes, ~crc);
}
