/*
 * Term, vote, commit hint and settled mark: 8-byte words, each of which validates itself.
 *
 * Hard state: term (bits 24 to 63), vote (16 to 23), checksum (0 to 15), in two slots. A write
 * stores both, so once it is durable either can be lost to rot; while it is not, the slots may
 * differ, and the newest wins: the higher term, then the one that has a vote. (A word is atomic, so
 * an invalid one is rot, never a torn write.) Both are written when the file is made, before
 * anything else but its header. Earlier releases wrote none before the first term: so a file
 * without a hard state is damaged if anything in it is of a term.
 *
 * The vote is the place, from 1, of a birth in the table of births that this node has voted for:
 * the birth in one word, a sequence (bits 32 to 63) and a checksum in the next. An entry becomes
 * durable together with the word that names it, at the latest. If only the word survives, or the
 * entry rots, the vote was given to a storage that nobody knows: this node votes for no one in that
 * term.
 *
 * Commit hint: place of the record known to be committed (unit, high half) and a checksum over that
 * record's header. The hint may become durable before records written earlier, so an index would
 * bless whatever older record has it, and a place alone whatever newer record comes to lie there.
 *
 * Settled mark: the same of the record that was the last when a quorum had settled the log. It
 * counts where recovery takes that record into the log, for then everything before it is there too.
 *
 * Begin mark: a word that says of a log whose first records were dropped that it was settled then.
 */
#include "base/crc32c.h"
#include "base/le.h"
#include "pmem/log_internal.h"

static size_t slot_offset(uint32_t slot)
{
    return LOG_STATE_OFFSET + (size_t)slot * LOG_SLOT_STEP_BYTES;
}

static size_t birth_offset(uint32_t place)
{
    return LOG_BIRTHS_OFFSET + (size_t)(place - 1) * 16;
}

static uint64_t birth_check(const struct log *log, uint32_t place, uint64_t birth,
                            uint32_t sequence)
{
    uint8_t bytes[12];
    le64_store(bytes, birth);
    le32_store(bytes + 8, sequence);
    return (uint64_t)sequence << 32 | crc32c(log->seed ^ place, bytes, sizeof(bytes));
}

/* The sequence of the entry; 0: there is no good one. */
static uint32_t birth_load(const struct log *log, uint32_t place, uint64_t *ret_birth)
{
    const uint8_t *entry = log->data + birth_offset(place);
    uint64_t birth = le64_load(entry);
    uint64_t check = le64_load(entry + 8);
    uint32_t sequence = (uint32_t)(check >> 32);
    if (birth == 0 || check != birth_check(log, place, birth, sequence))
        return 0;
    *ret_birth = birth;
    return sequence;
}

bool hard_state_birth(const struct log *log, uint32_t place, uint64_t *ret_birth)
{
    CHECK(place >= 1 && place <= LOG_BIRTHS_MAX);
    return birth_load(log, place, ret_birth) != 0;
}

bool hard_state_birth_is_empty(const struct log *log, uint32_t place)
{
    return recovery_is_zero(log->data, birth_offset(place), birth_offset(place) + 16);
}

static void birth_write(struct log *log, uint32_t place, uint64_t birth, uint32_t sequence)
{
    log_head_write_word(log, birth_offset(place), birth);
    log_head_write_word(log, birth_offset(place) + 8, birth_check(log, place, birth, sequence));
}

/* Where the last entry was put, and the entry that the vote names. */
static void births_load(struct log *log)
{
    log->vote = log->vote_place != 0 ? LOG_VOTE_UNKNOWN : 0;
    for (uint32_t place = 1; place <= LOG_BIRTHS_MAX; place++) {
        uint64_t birth;
        uint32_t sequence = birth_load(log, place, &birth);
        if (sequence > log->birth_sequence) {
            log->birth_sequence = sequence;
            log->birth_place = place;
        }
        if (sequence != 0 && place == log->vote_place)
            log->vote = birth;
    }
}

/*
 * The place of a birth, which is put there if it is new. New ones go round the table, so that a
 * place is used again after all others: a word on the medium that an older vote left, and that may
 * still count after a crash, never comes to name another birth.
 */
static uint8_t birth_store(struct log *log, uint64_t birth)
{
    for (uint32_t place = 1; place <= LOG_BIRTHS_MAX; place++) {
        uint64_t there;
        if (birth_load(log, place, &there) != 0 && there == birth)
            return (uint8_t)place;
    }
    uint32_t place = log->birth_place % LOG_BIRTHS_MAX + 1;
    if (place == log->vote_place)
        place = place % LOG_BIRTHS_MAX + 1;
    log->birth_place = place;
    log->birth_sequence++;
    birth_write(log, place, birth, log->birth_sequence);
    return (uint8_t)place;
}

void hard_state_set(struct log *log, uint64_t term, uint64_t vote)
{
    log->term = term;
    log->vote = vote;
    log->vote_place = vote != 0 ? birth_store(log, vote) : 0;
    hard_state_store(log);
}

void births_rewrite(struct log *log)
{
    for (uint32_t place = 1; place <= LOG_BIRTHS_MAX; place++) {
        uint64_t birth;
        uint32_t sequence = birth_load(log, place, &birth);
        if (sequence != 0)
            birth_write(log, place, birth, sequence);
    }
}

static uint64_t slot_encode(uint32_t seed, uint64_t term, uint8_t vote)
{
    uint8_t bytes[8];
    uint64_t word = term << 24 | (uint64_t)vote << 16;
    le64_store(bytes, word);
    uint32_t crc = crc32c(seed, bytes, sizeof(bytes));
    return word | ((crc ^ crc >> 16) & 0xffff);
}

void hard_state_store(struct log *log)
{
    uint64_t word = slot_encode(log->seed, log->term, log->vote_place);
    for (uint32_t slot = 0; slot < LOG_SLOTS; slot++)
        log_head_write_word(log, slot_offset(slot), word);
}

bool hard_state_slot_load(const struct log *log, uint32_t slot, uint64_t *ret_term,
                          uint8_t *ret_vote_place)
{
    CHECK(slot < LOG_SLOTS);
    uint64_t word = le64_load(log->data + slot_offset(slot));
    uint64_t term = word >> 24;
    uint8_t vote_place = (uint8_t)(word >> 16);
    if (word != 0 && word != slot_encode(log->seed, term, vote_place))
        return false;
    *ret_term = term;
    *ret_vote_place = vote_place;
    return true;
}

uint32_t hard_state_take(struct log *log)
{
    uint32_t damaged_count = 0;
    log->term = 0;
    log->vote_place = 0;
    for (uint32_t slot = 0; slot < LOG_SLOTS; slot++) {
        uint64_t term = 0;
        uint8_t vote_place = 0;
        if (!hard_state_slot_load(log, slot, &term, &vote_place)) {
            damaged_count++;
        } else if (term > log->term || (term == log->term && vote_place != 0)) {
            log->term = term;
            log->vote_place = vote_place;
        }
    }
    births_load(log);
    return damaged_count;
}

enum error hard_state_load(struct log *log, bool *ret_is_damaged)
{
    uint32_t absent_count = 0;
    uint32_t damaged_count = hard_state_take(log);
    for (uint32_t slot = 0; slot < LOG_SLOTS; slot++)
        absent_count += le64_load(log->data + slot_offset(slot)) == 0;
    if (damaged_count > 0 && damaged_count + absent_count >= LOG_SLOTS)
        return ERR_CHECKSUM;
    /* One is absent beside no term: a power loss came while the file was made. */
    *ret_is_damaged = damaged_count > 0 || (absent_count == 1 && log->term != 0);
    return absent_count == LOG_SLOTS ? ERR_NOT_FOUND : OK;
}

bool hard_state_has_births(const struct log *log)
{
    return !recovery_is_zero(log->data, birth_offset(1), birth_offset(LOG_BIRTHS_MAX + 1));
}

static uint64_t hint_encode(const struct log *log, uint32_t unit)
{
    const uint8_t *header = log->data + log_unit_offset(unit);
    return (uint64_t)unit << 32 | crc32c(log->seed ^ unit, header, RECORD_HEADER_SIZE_BYTES);
}

void commit_hint_store(struct log *log, uint64_t commit_index)
{
    CHECK(commit_index >= log->first_index && commit_index <= log->last_index);
    log_head_write_word(log, LOG_HINT_OFFSET, hint_encode(log, *log_unit_at(log, commit_index)));
}

void settled_mark_store(struct log *log)
{
    CHECK(log->last_index >= log->first_index);
    log_head_write_word(log, LOG_SETTLED_OFFSET,
                        hint_encode(log, *log_unit_at(log, log->last_index)));
}

bool settled_mark_is_at(const struct log *log, uint32_t unit)
{
    uint64_t word = le64_load(log->data + LOG_SETTLED_OFFSET);
    return (uint32_t)(word >> 32) == unit && word == hint_encode(log, unit);
}

uint64_t commit_hint_load(const struct log *log)
{
    uint64_t word = le64_load(log->data + LOG_HINT_OFFSET);
    uint32_t unit = (uint32_t)(word >> 32);
    size_t offset = log_unit_offset(unit);
    struct record_view view;

    if (offset < log->records_offset || offset >= log->end_offset ||
        log->segments[log_slot_at(log, offset)].state != LOG_SEGMENT_ROW ||
        word != hint_encode(log, unit) || !record_load(log, offset, &view))
        return 0;
    uint64_t index = view.record.index;
    bool is_part = index >= log->first_index && index <= log->last_index;
    return is_part && *log_unit_at(log, index) == unit ? index : 0;
}

static uint64_t begin_mark_encode(const struct log *log)
{
    return (uint64_t)1 << 32 | crc32c(log->seed, "settled", 7);
}

void begin_mark_store(struct log *log, bool is_settled)
{
    log_head_write_word(log, LOG_BEGIN_OFFSET, is_settled ? begin_mark_encode(log) : 0);
}

bool begin_mark_is_settled(const struct log *log)
{
    return le64_load(log->data + LOG_BEGIN_OFFSET) == begin_mark_encode(log);
}
