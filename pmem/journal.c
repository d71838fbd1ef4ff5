/*
 * The journal: append, forget, read, and the moves between its banks. Opening is in
 * journal_open.c, one bank in journal_bank.c.
 *
 * A move from bank A to bank B, in the order of what becomes durable:
 *  1. OPEN, the live entries and READY are appended to B, and from then on everything goes to B.
 *     READY hangs on the records before it, so it is found only when they are, too; until then A is
 *     the newest bank that is ready, and nothing in it has been touched. An entry in B is durable
 *     only together with that READY.
 *  2. A second READY in B vouches for the first: what rots in B from here on is told from a move
 *     that was never finished.
 *  3. A is wiped. Its OPEN goes first, so that half a bank is never taken for a whole one.
 *  4. A is empty: B may move.
 */
#include "base/check.h"
#include "base/le.h"
#include "base/limits.h"
#include "pmem/journal_internal.h"

#define WIPE_STEP_BYTES (32u * 1024)

static struct journal_bank *active_of(struct journal *journal)
{
    return &journal->banks[journal->active];
}

static struct journal_bank *idle_of(struct journal *journal)
{
    return &journal->banks[1 - journal->active];
}

void journal_close(struct journal *journal)
{
    for (uint32_t i = 0; i < JOURNAL_BANKS; i++)
        log_close(journal->banks[i].log);
}

/* What a burst of packets may bring: an entry for each, with its record. */
#define BURST_ROOM_BYTES ((size_t)RX_BURST_MAX * (PACKET_SIZE_BYTES_MAX + 2 * RECORD_ALIGN_BYTES))

static size_t active_room_bytes(const struct journal *journal)
{
    const struct journal_bank *active = &journal->banks[journal->active];
    size_t room_bytes = log_room_bytes(active->log);
    size_t kept_bytes = active->is_sealed ? 0 : journal_bank_ready_bytes();
    return room_bytes > kept_bytes ? room_bytes - kept_bytes : 0;
}

/* Something that has rotted in the active bank is not decided yet. */
static bool is_hurt(const struct journal *journal)
{
    return journal->hurt_index != 0 && journal->forgotten_seq < journal->hurt_seq;
}

/* What the idle bank would have left for entries after a move of so many bytes; 0: no move now. */
static size_t move_room_bytes(const struct journal *journal, size_t live_bytes)
{
    if (is_hurt(journal))
        return 0;
    const struct log *idle = journal->banks[1 - journal->active].log;
    size_t needed_bytes = journal_bank_overhead_bytes() + live_bytes;
    size_t size_bytes = log_room_bytes(idle);
    if (journal->idle_state != JOURNAL_IDLE_EMPTY || size_bytes < needed_bytes)
        return 0;
    return size_bytes - needed_bytes < size_bytes / JOURNAL_MOVE_PART ? 0
                                                                      : size_bytes - needed_bytes;
}

size_t journal_entry_room_bytes(size_t payload_size_bytes)
{
    return log_record_room_bytes(payload_size_bytes + JOURNAL_SEQ_BYTES);
}

size_t journal_room_bytes(const struct journal *journal)
{
    size_t active_bytes = active_room_bytes(journal);
    size_t move_bytes = move_room_bytes(journal, journal->live_bytes);
    return active_bytes > move_bytes ? active_bytes : move_bytes;
}

/* A walk over the entries that a move would take along. */
struct walk {
    uint64_t index;  /* of the next record to be looked at */
    uint64_t before; /* seq of the entry before */
    uint64_t needed; /* the first set behind it that is needed */
};

/* What has rotted is passed over: it is decided, or there is no move (is_hurt). */
static struct walk walk_begin(const struct journal *journal)
{
    uint64_t first = journal->live_first;
    if (first <= journal->hurt_index)
        first = journal->hurt_index + 1;
    return (struct walk){.index = first, .before = journal->forgotten_seq};
}

/* The next entry that is needed; false: there is none. */
static bool walk_next(const struct journal *journal, struct walk *walk, uint64_t *ret_seq,
                      struct span *ret_payload)
{
    const struct journal_bank *active = &journal->banks[journal->active];
    uint64_t last_index = log_last_index(active->log);
    while (walk->index <= last_index) {
        if (!journal_bank_read(active, walk->index++, ret_seq, ret_payload) ||
            *ret_seq <= journal->forgotten_seq)
            continue;
        if (journal->next_needed == NULL)
            return true;
        if (walk->needed <= walk->before)
            walk->needed = journal->next_needed(journal->context, walk->before + 1);
        walk->before = *ret_seq;
        if (walk->needed <= *ret_seq)
            return true;
    }
    return false;
}

static size_t needed_bytes(const struct journal *journal)
{
    struct walk walk = walk_begin(journal);
    struct span payload;
    uint64_t seq = 0;
    size_t bytes = 0;
    while (walk_next(journal, &walk, &seq, &payload)) /* the bank's records */
        bytes += journal_entry_room_bytes(payload.size_bytes);
    return bytes;
}

/* Everything needed into the idle bank, which is the active one from here on. */
static void move(struct journal *journal)
{
    struct journal_bank *from = active_of(journal);
    struct journal_bank *to = idle_of(journal);
    struct walk walk = walk_begin(journal);
    size_t room_bytes = log_room_bytes(to->log);
    struct span payload;
    uint64_t seq = 0;

    journal_bank_begin(to, from->generation + 1, journal->last_seq, from->series);
    journal->live_bytes = 0;
    while (walk_next(journal, &walk, &seq, &payload)) { /* the bank's records */
        size_t size_bytes;
        if (!log_is_intact(from->log, walk.index - 1, &size_bytes)) {
            journal->is_failed = true; /* a copy would be taken for good */
            journal->rot_index = walk.index - 1;
            return;
        }
        /* The seq lies in front of the payload, in the mapping as in the record to be. */
        struct span whole =
            span_of(payload.data - JOURNAL_SEQ_BYTES, payload.size_bytes + JOURNAL_SEQ_BYTES);
        CHECK(journal_bank_append_entry(to, seq, whole) == OK);
        journal->live_bytes += journal_entry_room_bytes(payload.size_bytes);
    }
    CHECK(journal_bank_append_ready(to, journal->last_seq) == OK);
    journal->mended_count += journal->hurt_index != 0;
    journal->hurt_index = 0;
    journal->active = 1 - journal->active;
    journal->idle_state = JOURNAL_IDLE_KEPT;
    journal->live_first = 2;
    journal->is_dirty = true;
    journal->walked_durable_seq = 0;
    journal->wiped_part = room_bytes / (log_room_bytes(to->log) + 1) + 1;
}

/* What is not needed is looked for only after something has become durable since that was last in
 * vain: nothing is taken over before. */
static bool may_find_unneeded(const struct journal *journal)
{
    return journal->next_needed != NULL && journal->walked_durable_seq != journal->durable_seq;
}

/* True when a move makes such room, as far as is known without a look at what is needed. */
static bool move_makes_room(const struct journal *journal, size_t room_bytes)
{
    return room_bytes <= move_room_bytes(journal, journal->live_bytes);
}

/* True: a move has left behind what had rotted. */
static bool has_left_rot(struct journal *journal)
{
    if (journal->hurt_index == 0 || is_hurt(journal) || journal->idle_state != JOURNAL_IDLE_EMPTY ||
        journal->walked_seq == journal->forgotten_seq)
        return false;
    journal->walked_seq = journal->forgotten_seq;
    if (move_room_bytes(journal, needed_bytes(journal)) == 0)
        return false;
    move(journal);
    return true;
}

void journal_note_rot(struct journal *journal)
{
    journal->hurt_index = log_last_index(active_of(journal)->log);
    journal->hurt_seq = journal->last_seq;
    journal->walked_seq = UINT64_MAX;
}

void journal_make_room(struct journal *journal)
{
    size_t wanted_bytes = journal->wanted_bytes;
    if (has_left_rot(journal))
        return;
    journal->wanted_bytes = 0;
    if (wanted_bytes == 0) {
        /* Ahead of time, so that hardly any append has to wait; the walk is for need alone. */
        if (active_room_bytes(journal) < BURST_ROOM_BYTES &&
            move_makes_room(journal, BURST_ROOM_BYTES))
            move(journal);
        return;
    }
    if (!move_makes_room(journal, wanted_bytes)) {
        if (!may_find_unneeded(journal))
            return;
        journal->walked_durable_seq = journal->durable_seq;
        if (wanted_bytes > move_room_bytes(journal, needed_bytes(journal)))
            return;
    }
    move(journal);
}

enum error journal_append(struct journal *journal, uint64_t seq, struct span payload)
{
    CHECK(seq > journal->last_seq);
    CHECK(payload.size_bytes <= JOURNAL_ENTRY_SIZE_BYTES_MAX);
    size_t size_bytes = payload.size_bytes + JOURNAL_SEQ_BYTES;
    size_t room_bytes = journal_entry_room_bytes(payload.size_bytes);

    if (room_bytes > active_room_bytes(journal)) {
        if (!move_makes_room(journal, room_bytes) && !may_find_unneeded(journal))
            return ERR_FULL;
        if (journal->wanted_bytes < room_bytes)
            journal->wanted_bytes = room_bytes;
        return ERR_NOT_YET;
    }
    le64_store(journal->entry, seq);
    if (payload.size_bytes > 0)
        memcpy(journal->entry + JOURNAL_SEQ_BYTES, payload.data, payload.size_bytes);
    enum error error =
        journal_bank_append_entry(active_of(journal), seq, span_of(journal->entry, size_bytes));
    CHECK(error == OK);
    journal->last_seq = seq;
    journal->live_bytes += room_bytes;
    journal->appended_bytes += room_bytes;
    journal->is_dirty = true;
    return OK;
}

/* The size of a record that has rotted may say anything. */
static void live_bytes_less(struct journal *journal, size_t room_bytes)
{
    journal->live_bytes -= room_bytes < journal->live_bytes ? room_bytes : journal->live_bytes;
}

void journal_forget(struct journal *journal, uint64_t seq)
{
    const struct journal_bank *active = active_of(journal);
    uint64_t last_index = log_last_index(active->log);
    struct span payload;
    uint64_t found = 0;

    if (seq > journal->last_seq)
        seq = journal->last_seq;
    if (seq <= journal->forgotten_seq)
        return;
    journal->forgotten_seq = seq;
    while (journal->live_first <= last_index) {
        if (journal_bank_read(active, journal->live_first, &found, &payload)) {
            if (found > seq)
                return;
            live_bytes_less(journal, journal_entry_room_bytes(payload.size_bytes));
        }
        journal->live_first++;
    }
}

bool journal_next(const struct journal *journal, uint64_t *cursor, uint64_t *ret_seq,
                  struct span *ret_payload)
{
    const struct journal_bank *active = &journal->banks[journal->active];
    uint64_t seen = *cursor > journal->forgotten_seq ? *cursor : journal->forgotten_seq;
    if (seen >= journal->last_seq)
        return false;
    uint64_t index = journal_bank_find(active, seen + 1);
    if (index > log_last_index(active->log) ||
        !journal_bank_read(active, index, ret_seq, ret_payload))
        return false;
    *cursor = *ret_seq;
    return true;
}

void journal_raise(struct journal *journal, uint32_t format)
{
    for (uint32_t i = 0; i < JOURNAL_BANKS; i++)
        log_raise(journal->banks[i].log, format);
    journal->is_dirty =
        true; /* the idle bank follows with its next persist, or at the next start */
}

bool journal_is_dirty(const struct journal *journal)
{
    return journal->is_dirty;
}

bool journal_is_quiet(const struct journal *journal)
{
    return !journal->is_dirty && journal->idle_state == JOURNAL_IDLE_EMPTY &&
           log_is_quiet(journal->banks[journal->active].log);
}

/* How far the active bank is durable; false after a failed sync. */
static bool active_collect(struct journal *journal, uint64_t *ret_index)
{
    uint64_t ticket = 0;
    if (log_persisted(active_of(journal)->log, &ticket, ret_index) != OK)
        journal->is_failed = true;
    return !journal->is_failed;
}

static void seal(struct journal *journal)
{
    struct journal_bank *active = active_of(journal);
    journal->idle_state = JOURNAL_IDLE_SEALING;
    journal->seal_index = 0;
    /* Without room the bank keeps to its first READY; only damage is told less well. */
    if (active->is_sealed || journal_bank_append_ready(active, journal->last_seq) != OK)
        return;
    journal->seal_index = log_last_index(active->log);
    log_persist(active->log);
    journal->is_dirty = false;
}

/* The idle bank is wiped before the active one is full: the more was appended, the more at a
 * time. */
static size_t wipe_step_bytes(struct journal *journal)
{
    size_t step_bytes = journal->appended_bytes * journal->wiped_part;
    journal->appended_bytes = 0;
    return WIPE_STEP_BYTES + step_bytes / RECORD_ALIGN_BYTES * RECORD_ALIGN_BYTES;
}

static void idle_step(struct journal *journal)
{
    uint64_t durable_index = 0;
    bool is_done = false;

    switch (journal->idle_state) {
    case JOURNAL_IDLE_KEPT:
        if (active_collect(journal, &durable_index) &&
            durable_index >= active_of(journal)->ready_index)
            seal(journal);
        break;
    case JOURNAL_IDLE_SEALING:
        if (active_collect(journal, &durable_index) && durable_index >= journal->seal_index)
            journal->idle_state = JOURNAL_IDLE_WIPING;
        break;
    case JOURNAL_IDLE_WIPING:
        if (log_wipe(idle_of(journal)->log, wipe_step_bytes(journal), &is_done) != OK)
            journal->is_failed = true;
        if (is_done)
            journal->idle_state = JOURNAL_IDLE_EMPTY;
        break;
    case JOURNAL_IDLE_EMPTY:
        break;
    }
}

void journal_persist(struct journal *journal)
{
    if (journal->is_dirty)
        log_persist(active_of(journal)->log);
    journal->is_dirty = false;
    if (!journal->is_failed)
        idle_step(journal);
}

enum error journal_persisted(struct journal *journal, uint64_t *ret_seq)
{
    uint64_t index = 0;
    if (journal->is_failed || !active_collect(journal, &index))
        return ERR_SYNC;
    if (index >= active_of(journal)->ready_index) {
        uint64_t seq = journal_bank_seq_at(active_of(journal), index);
        if (seq > journal->durable_seq && seq <= journal->last_seq) /* else it has rotted */
            journal->durable_seq = seq;
    }
    *ret_seq = journal->durable_seq;
    return OK;
}

const struct log *journal_bank_log(const struct journal *journal, uint32_t bank)
{
    CHECK(bank < JOURNAL_BANKS);
    return journal->banks[bank].log;
}

uint64_t journal_bank_generation(const struct journal *journal, uint32_t bank)
{
    CHECK(bank < JOURNAL_BANKS);
    return journal->banks[bank].generation;
}

struct medium *journal_bank_medium(const struct journal *journal, uint32_t bank)
{
    CHECK(bank < JOURNAL_BANKS);
    return log_medium(journal->banks[bank].log);
}

uint64_t journal_scrub_last(const struct journal *journal, uint32_t bank)
{
    return bank == journal->active ? log_durable_index(journal->banks[bank].log) : 0;
}

uint64_t journal_mended_count(const struct journal *journal)
{
    return journal->mended_count;
}

void journal_mend_head(struct journal *journal, uint32_t bank, size_t offset)
{
    CHECK(bank < JOURNAL_BANKS);
    log_head_mend(journal->banks[bank].log, offset);
    if (bank == journal->active)
        journal->is_dirty = true;
    else
        (void)medium_persist(log_medium(journal->banks[bank].log));
}

bool journal_is_rotten(const struct journal *journal, uint32_t *ret_bank, uint64_t *ret_index,
                       size_t *ret_offset)
{
    if (journal->rot_index == 0)
        return false;
    *ret_bank = journal->active;
    *ret_index = journal->rot_index;
    *ret_offset = log_offset_of(journal->banks[journal->active].log, journal->rot_index);
    return true;
}

bool journal_is_unreadable(const struct journal *journal, uint32_t *ret_bank, size_t *ret_offset)
{
    for (uint32_t i = 0; i < JOURNAL_BANKS; i++) {
        *ret_bank = i;
        if (medium_is_unreadable(log_medium(journal->banks[i].log), ret_offset))
            return true;
    }
    return false;
}
