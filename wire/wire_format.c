/*
 * Offset, size and meaning of each field:
 *    0  u32  fingerprint
 *    4  u32  cluster
 *    8  u32  era
 *   12  u16  format that the sender knows
 *   14  u16  format in force
 *   16  u8   flags (1: question)
 *   17  [7]  zero
 *   24  u64  number of the question
 *   32  u64  birth of the sender's storage
 *   40  u64  its start
 */
#include "wire/wire_format.h"
#include "wire/wire_internal.h"

#define FORMAT_SIZE_BYTES 48
#define FLAG_QUESTION     1

void wire_format_encode(struct wire_writer *writer, const struct wire_format *format)
{
    CHECK(format->in_force <= format->known);
    uint8_t *to = wire_writer_grow(writer, FORMAT_SIZE_BYTES);
    if (to == NULL)
        return;
    memset(to, 0, FORMAT_SIZE_BYTES);
    le32_store(to, format->fingerprint);
    le32_store(to + 4, format->cluster);
    le32_store(to + 8, format->era);
    le16_store(to + 12, format->known);
    le16_store(to + 14, format->in_force);
    to[16] = format->is_question ? FLAG_QUESTION : 0;
    le64_store(to + 24, format->number);
    le64_store(to + 32, format->birth);
    le64_store(to + 40, format->start);
}

enum error wire_format_decode(struct span bytes, struct wire_format *ret_format)
{
    const uint8_t *from = bytes.data;
    if (bytes.size_bytes != FORMAT_SIZE_BYTES)
        return bytes.size_bytes < FORMAT_SIZE_BYTES ? ERR_SHORT : ERR_TRAILING;
    if ((from[16] & ~FLAG_QUESTION) != 0 || !wire_is_zero(from + 17, 7))
        return ERR_RESERVED;
    struct wire_format format = {.fingerprint = le32_load(from),
                                 .cluster = le32_load(from + 4),
                                 .era = le32_load(from + 8),
                                 .known = le16_load(from + 12),
                                 .in_force = le16_load(from + 14),
                                 .is_question = from[16] != 0,
                                 .number = le64_load(from + 24),
                                 .birth = le64_load(from + 32),
                                 .start = le64_load(from + 40)};
    if (format.in_force > format.known)
        return ERR_RANGE;
    *ret_format = format;
    return OK;
}
