/*
 * A question how large packets may be, or its answer; offset, size and meaning of each field:
 *    0  u64  number, the asker's; the answer repeats it
 *    8       zeros, to the size of packet that is asked for
 */
#include "wire/wire_path.h"

#include "wire/wire_internal.h"

void wire_path_encode(struct wire_writer *writer, uint64_t number, uint32_t size_bytes)
{
    CHECK(size_bytes >= WIRE_PATH_SIZE_BYTES_MIN);
    uint8_t *to = wire_writer_grow(writer, size_bytes);
    if (to == NULL)
        return;
    memset(to, 0, size_bytes);
    le64_store(to, number);
}

enum error wire_path_decode(struct span bytes, uint64_t *ret_number)
{
    if (bytes.size_bytes < WIRE_PATH_SIZE_BYTES_MIN)
        return ERR_SHORT;
    if (!wire_is_zero(bytes.data + WIRE_PATH_SIZE_BYTES_MIN,
                      bytes.size_bytes - WIRE_PATH_SIZE_BYTES_MIN))
        return ERR_RESERVED;
    *ret_number = le64_load(bytes.data);
    return OK;
}
