/*
 * Offset, size and meaning of each field:
 *    0  u32  fingerprint
 *    4  u32  zero
 *    8  u64  birth of the sender's storage
 *   16  u64  birth that was addressed, if a storage of the node had it; else 0
 */
#include "wire/wire_internal.h"
#include "wire/wire_storage.h"

#define MESSAGE_SIZE_BYTES 24

void wire_storage_encode(struct wire_writer *writer, const struct wire_storage_message *message)
{
    CHECK(message->birth != 0);
    uint8_t *to = wire_writer_grow(writer, MESSAGE_SIZE_BYTES);
    if (to == NULL)
        return;
    le32_store(to, message->fingerprint);
    le32_store(to + 4, 0);
    le64_store(to + 8, message->birth);
    le64_store(to + 16, message->replaced);
}

enum error wire_storage_decode(struct span bytes, struct wire_storage_message *ret_message)
{
    if (bytes.size_bytes != MESSAGE_SIZE_BYTES)
        return bytes.size_bytes < MESSAGE_SIZE_BYTES ? ERR_SHORT : ERR_TRAILING;
    if (le32_load(bytes.data + 4) != 0)
        return ERR_RESERVED;
    struct wire_storage_message message = {.fingerprint = le32_load(bytes.data),
                                           .birth = le64_load(bytes.data + 8),
                                           .replaced = le64_load(bytes.data + 16)};
    if (message.birth == 0)
        return ERR_RANGE;
    *ret_message = message;
    return OK;
}
