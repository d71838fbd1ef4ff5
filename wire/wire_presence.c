/*
 * Offset, size and meaning of each field:
 *    0  u32  fingerprint
 *    4  u8   flags (1: question)
 *    5  [3]  zero
 *    8  u64  birth of the sender's storage
 *   16  u64  cluster; 0: none
 *   24  u64  commit index
 *   32  u64  birth that is no member; 0: none
 *   40  u64  index of the configuration that says so, or zero
 */
#include "wire/wire_internal.h"
#include "wire/wire_presence.h"

#define PRESENCE_SIZE_BYTES 48

#define FLAG_QUESTION 1

void wire_presence_encode(struct wire_writer *writer, const struct wire_presence *presence)
{
    CHECK(presence->birth != 0 && (presence->removed != 0) == (presence->removed_index != 0));
    uint8_t *to = wire_writer_grow(writer, PRESENCE_SIZE_BYTES);
    if (to == NULL)
        return;
    memset(to, 0, PRESENCE_SIZE_BYTES);
    le32_store(to, presence->fingerprint);
    to[4] = presence->is_question ? FLAG_QUESTION : 0;
    le64_store(to + 8, presence->birth);
    le64_store(to + 16, presence->cluster);
    le64_store(to + 24, presence->commit_index);
    le64_store(to + 32, presence->removed);
    le64_store(to + 40, presence->removed_index);
}

enum error wire_presence_decode(struct span bytes, struct wire_presence *ret_presence)
{
    const uint8_t *from = bytes.data;
    if (bytes.size_bytes != PRESENCE_SIZE_BYTES)
        return bytes.size_bytes < PRESENCE_SIZE_BYTES ? ERR_SHORT : ERR_TRAILING;
    if ((from[4] & ~FLAG_QUESTION) != 0 || !wire_is_zero(from + 5, 3))
        return ERR_RESERVED;
    struct wire_presence presence = {.fingerprint = le32_load(from),
                                     .is_question = from[4] == FLAG_QUESTION,
                                     .birth = le64_load(from + 8),
                                     .cluster = le64_load(from + 16),
                                     .commit_index = le64_load(from + 24),
                                     .removed = le64_load(from + 32),
                                     .removed_index = le64_load(from + 40)};
    if (presence.birth == 0 || presence.commit_index > INDEX_MAX ||
        presence.removed_index > INDEX_MAX ||
        (presence.removed != 0) != (presence.removed_index != 0))
        return ERR_RANGE;
    *ret_presence = presence;
    return OK;
}
