/* See state_digest.h. */
#include "engine/state/state_digest.h"

#include "base/le.h"

/* Odd: multiplying loses nothing. */
#define MULTIPLIER UINT64_C(0x9e3779b97f4a7c15)

static uint64_t mix(uint64_t value, uint64_t word)
{
    value = (value ^ word) * MULTIPLIER;
    return value ^ value >> 29;
}

static void keep_mark(struct state_digest *digest, uint64_t index)
{
    uint64_t step = DIGEST_FIRST_STEP;
    for (uint32_t scale = 0; scale < DIGEST_SCALES && index % step == 0; scale++) {
        uint32_t place = scale * DIGEST_OF_SCALE + (uint32_t)(index / step % DIGEST_OF_SCALE);
        digest->marks[place] = (struct state_mark){.index = index, .digest = digest->value};
        step <<= DIGEST_STEP_SHIFT;
    }
}

/* Index and term name a record, and no two records have one log time: its first and its last word
 * stand for the whole of it. */
void state_digest_fold(struct state_digest *digest, const struct digest_record *record,
                       uint64_t keys, uint64_t blocks)
{
    size_t size = record->payload.size_bytes;
    uint64_t value = mix(digest->value, record->term << 32 ^ record->kind << 28 ^ size);
    if (size >= sizeof(uint64_t)) {
        value = mix(value, le64_load(record->payload.data));
        value = mix(value, le64_load(record->payload.data + size - sizeof(uint64_t)));
    }
    digest->value = mix(value, keys << 32 ^ blocks);
    if (record->index % DIGEST_FIRST_STEP == 0)
        keep_mark(digest, record->index);
}

void state_digest_begin(struct state_digest *digest, uint64_t value)
{
    *digest = (struct state_digest){.value = value};
}
