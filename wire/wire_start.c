/*
 * Offset, size and meaning of each field:
 *    0  u32  fingerprint
 *    4  u8   kind
 *    5  u8   flags (1: suspect)
 *    6  [2]  zero
 *    8  u32  cluster
 *   12  u32  era
 *   16  u64  birth of the sender's storage
 *   24  u64  start of the sender
 *   32  u64  birth of the receiver's storage; 0: whichever it has
 *   40  u64  the start in question
 *   48  u64  term
 *   56  u64  acknowledged term
 *   64  u64  acknowledged index
 */
#include "wire/wire_internal.h"
#include "wire/wire_start.h"

#define MESSAGE_SIZE_BYTES 72
#define FLAG_SUSPECT       1

void wire_start_encode(struct wire_writer *writer, const struct wire_start_message *message)
{
    CHECK(message->birth != 0 && message->start != 0);
    CHECK(message->kind > 0 && message->kind < WIRE_START_KIND_END);
    uint8_t *to = wire_writer_grow(writer, MESSAGE_SIZE_BYTES);
    if (to == NULL)
        return;
    le32_store(to, message->fingerprint);
    to[4] = message->kind;
    to[5] = message->is_suspect ? FLAG_SUSPECT : 0;
    le16_store(to + 6, 0);
    le32_store(to + 8, message->cluster);
    le32_store(to + 12, message->era);
    le64_store(to + 16, message->birth);
    le64_store(to + 24, message->start);
    le64_store(to + 32, message->to);
    le64_store(to + 40, message->asked);
    le64_store(to + 48, message->term);
    le64_store(to + 56, message->acked_term);
    le64_store(to + 64, message->acked_index);
}

enum error wire_start_decode(struct span bytes, struct wire_start_message *ret_message)
{
    if (bytes.size_bytes != MESSAGE_SIZE_BYTES)
        return bytes.size_bytes < MESSAGE_SIZE_BYTES ? ERR_SHORT : ERR_TRAILING;
    const uint8_t *from = bytes.data;
    if (from[4] == 0 || from[4] >= WIRE_START_KIND_END)
        return ERR_TYPE;
    if ((from[5] & ~FLAG_SUSPECT) != 0 || le16_load(from + 6) != 0)
        return ERR_RESERVED;
    struct wire_start_message message = {.fingerprint = le32_load(from),
                                         .kind = from[4],
                                         .is_suspect = from[5] != 0,
                                         .cluster = le32_load(from + 8),
                                         .era = le32_load(from + 12),
                                         .birth = le64_load(from + 16),
                                         .start = le64_load(from + 24),
                                         .to = le64_load(from + 32),
                                         .asked = le64_load(from + 40),
                                         .term = le64_load(from + 48),
                                         .acked_term = le64_load(from + 56),
                                         .acked_index = le64_load(from + 64)};
    if (message.birth == 0 || message.start == 0)
        return ERR_RANGE;
    *ret_message = message;
    return OK;
}
