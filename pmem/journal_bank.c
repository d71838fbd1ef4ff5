/* One bank of the journal: its records, told in journal_internal.h. */
#include "base/check.h"
#include "base/le.h"
#include "base/limits.h"
#include "pmem/journal_internal.h"

#define OPEN_SIZE_BYTES 24u /* generation, highest seq until then, series */

size_t journal_bank_ready_bytes(void)
{
    return log_record_room_bytes(JOURNAL_SEQ_BYTES);
}

size_t journal_bank_overhead_bytes(void)
{
    return log_record_room_bytes(OPEN_SIZE_BYTES) + 2 * journal_bank_ready_bytes();
}

static bool record_is_of_a_bank(const struct log_record *record)
{
    size_t size_bytes = record->payload.size_bytes;
    switch (record->kind) {
    case JOURNAL_OPEN:
        return record->index == 1 && size_bytes == OPEN_SIZE_BYTES &&
               le64_load(record->payload.data) != 0;
    case JOURNAL_READY:
        return record->index > 1 && size_bytes == JOURNAL_SEQ_BYTES;
    case JOURNAL_ENTRY:
        return record->index > 1 && size_bytes >= JOURNAL_SEQ_BYTES;
    default:
        return false;
    }
}

static void record_learn(struct journal_bank *bank, const struct log_record *record)
{
    uint64_t seq = le64_load(record->payload.data);
    if (record->kind == JOURNAL_OPEN) {
        bank->generation = seq;
        seq = le64_load(record->payload.data + 8);
        bank->series = le64_load(record->payload.data + 16);
    } else if (record->kind == JOURNAL_READY) {
        bank->is_sealed = bank->ready_index != 0;
        if (bank->ready_index == 0)
            bank->ready_index = record->index;
    }
    if (seq > bank->last_seq)
        bank->last_seq = seq;
}

enum error journal_bank_inspect(struct journal_bank *bank)
{
    uint64_t last_index = log_last_index(bank->log);
    uint64_t seq_before = 0;

    /* Whatever else is found in a bank whose wipe was begun is a chance resemblance. */
    if (log_is_wiping(bank->log))
        return OK;
    if (log_first_index(bank->log) > 1)
        return ERR_MAGIC; /* no bank drops its begin */
    for (uint64_t index = 1; index <= last_index; index++) {
        struct log_record record;
        log_read(bank->log, index, &record);
        if (!record_is_of_a_bank(&record))
            return ERR_MAGIC;
        if (record.kind != JOURNAL_OPEN && le64_load(record.payload.data) < seq_before)
            return ERR_MAGIC;
        if (record.kind != JOURNAL_OPEN)
            seq_before = le64_load(record.payload.data);
        record_learn(bank, &record);
    }
    return OK;
}

static enum error bank_append(struct journal_bank *bank, enum journal_kind kind,
                              struct span payload)
{
    const struct log_record record = {.index = log_last_index(bank->log) + 1,
                                      .term = JOURNAL_BANK_TERM,
                                      .kind = (uint8_t)kind,
                                      .payload = payload};
    return log_append(bank->log, &record);
}

void journal_bank_begin(struct journal_bank *bank, uint64_t generation, uint64_t last_seq,
                        uint64_t series)
{
    uint8_t payload[OPEN_SIZE_BYTES];
    CHECK(log_is_blank(bank->log));
    CHECK(generation > 0);
    le64_store(payload, generation);
    le64_store(payload + 8, last_seq);
    le64_store(payload + 16, series);
    CHECK(bank_append(bank, JOURNAL_OPEN, span_of(payload, sizeof(payload))) == OK);
    *bank = (struct journal_bank){
        .log = bank->log, .generation = generation, .last_seq = last_seq, .series = series};
}

enum error journal_bank_append_ready(struct journal_bank *bank, uint64_t last_seq)
{
    uint8_t payload[JOURNAL_SEQ_BYTES];
    le64_store(payload, last_seq);
    enum error error = bank_append(bank, JOURNAL_READY, span_of(payload, sizeof(payload)));
    if (error != OK)
        return error;
    bank->is_sealed = bank->ready_index != 0;
    if (bank->ready_index == 0)
        bank->ready_index = log_last_index(bank->log);
    return OK;
}

enum error journal_bank_append_entry(struct journal_bank *bank, uint64_t seq, struct span payload)
{
    CHECK(le64_load(payload.data) == seq);
    enum error error = bank_append(bank, JOURNAL_ENTRY, payload);
    if (error == OK && seq > bank->last_seq)
        bank->last_seq = seq;
    return error;
}

bool journal_bank_read(const struct journal_bank *bank, uint64_t index, uint64_t *ret_seq,
                       struct span *ret_payload)
{
    struct log_record record;
    log_read(bank->log, index, &record);
    if (record.kind != JOURNAL_ENTRY)
        return false;
    *ret_seq = le64_load(record.payload.data);
    *ret_payload = span_of(record.payload.data + JOURNAL_SEQ_BYTES,
                           record.payload.size_bytes - JOURNAL_SEQ_BYTES);
    return true;
}

uint64_t journal_bank_seq_at(const struct journal_bank *bank, uint64_t index)
{
    struct log_record record;
    log_read(bank->log, index, &record);
    return le64_load(record.payload.data + (record.kind == JOURNAL_OPEN ? 8 : 0));
}

uint64_t journal_bank_find(const struct journal_bank *bank, uint64_t seq)
{
    uint64_t end = log_last_index(bank->log) + 1;
    uint64_t low = 2;
    uint64_t high = end;
    uint64_t seq_found = 0;
    struct span payload;

    while (low < high) { /* each round halves what is left */
        uint64_t middle = low + (high - low) / 2;
        if (journal_bank_seq_at(bank, middle) < seq)
            low = middle + 1;
        else
            high = middle;
    }
    /* READYs may lie in between: two, and one for each start that found a torn tail. */
    while (low < end && !journal_bank_read(bank, low, &seq_found, &payload))
        low++;
    return low;
}
