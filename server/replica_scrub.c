/* See replica_scrub.h. What is done with damage is in replica_damage.c. */
#include "server/replica_scrub.h"

#include "base/budget.h"
#include "server/replica_internal.h"

/* What the lane compares in a turn, if a record is not larger. */
#define STEP_BYTES (16u * 1024)
/* What the thread reads ahead. */
#define AHEAD_BYTES (256u * 1024)
/* When to look again whether the thread has answered. */
#define ANSWER_AGAIN_NS UINT64_C(1000000)
#define PAGE_BYTES      4096u

static void part_begin(struct replica_scrub *scrub, enum replica_scrub_part part, uint32_t number)
{
    scrub->part = part;
    scrub->number = number;
    scrub->next = 0;
    scrub->is_here = false;
    scrub->is_answered = false;
    scrub->is_written_again = false;
}

static void pass_end(struct replica *replica)
{
    struct replica_scrub *scrub = &replica->scrub;
    uint64_t now_ns = replica->shared->now_ns;
    replica->counters.scrub_passes++;
    scrub->ended_ns = now_ns;
    part_begin(scrub, SCRUB_LOG_HEAD, 0);
    uint64_t next_ns = scrub->begun_ns + replica->options.scrub_pass_ns;
    scrub->begun_ns = next_ns > now_ns ? next_ns : now_ns;
    scrub->due_ns = scrub->begun_ns;
}

/* The part behind this one, of those that the replica has. */
static void part_end(struct replica *replica)
{
    struct replica_scrub *scrub = &replica->scrub;
    bool has_journal = replica->journal != NULL;
    bool has_snapshots = replica->snapshot.files != NULL;
    uint32_t next = scrub->number + 1;
    switch (scrub->part) {
    case SCRUB_LOG_HEAD:
        part_begin(scrub, SCRUB_LOG_RECORDS, 0);
        return;
    case SCRUB_BANK_HEAD:
        part_begin(scrub, SCRUB_BANK_RECORDS, scrub->number);
        return;
    case SCRUB_SNAPSHOT_HEAD:
        part_begin(scrub, SCRUB_SNAPSHOT_BLOCKS, scrub->number);
        return;
    case SCRUB_LOG_RECORDS:
        next = 0;
        if (has_journal) {
            part_begin(scrub, SCRUB_BANK_HEAD, 0);
            return;
        }
        break;
    case SCRUB_BANK_RECORDS:
        if (next < JOURNAL_BANKS) {
            part_begin(scrub, SCRUB_BANK_HEAD, next);
            return;
        }
        next = 0;
        break;
    case SCRUB_SNAPSHOT_BLOCKS:
        break;
    }
    if (has_snapshots && next < SNAPSHOT_FILES)
        part_begin(scrub, SCRUB_SNAPSHOT_HEAD, next);
    else
        pass_end(replica);
}

/* ---- log and journal ---- */

static struct medium *medium_of(struct replica *replica)
{
    const struct replica_scrub *scrub = &replica->scrub;
    bool is_log = scrub->part == SCRUB_LOG_HEAD || scrub->part == SCRUB_LOG_RECORDS;
    return is_log ? log_medium(replica->log) : journal_bank_medium(replica->journal, scrub->number);
}

/* A medium that is memory is not read ahead. */
static bool is_direct(struct replica *replica)
{
    return replica->snapshot.files == NULL || medium_granularity(medium_of(replica)) != MEDIUM_PAGE;
}

/* The thread reads the pages, and says whether the device can. */
static void ask_ahead(struct replica *replica, struct log_piece piece)
{
    struct replica_scrub *scrub = &replica->scrub;
    scrub->piece = piece;
    scrub->is_here = false;
    scrub->is_waiting = true;
    snapshots_scrub_fetch(replica->snapshot.files, medium_of(replica), piece.offset,
                          piece.size_bytes);
}

static void take_ahead(struct replica_scrub *scrub)
{
    bool is_bad = scrub->answer.error != OK;
    scrub->is_answered = false;
    scrub->is_here = true;
    scrub->readable_end =
        is_bad ? scrub->answer.offset : scrub->piece.offset + scrub->piece.size_bytes;
}

static void head_mend(struct replica *replica, size_t offset)
{
    const struct replica_scrub *scrub = &replica->scrub;
    bool is_log = scrub->part == SCRUB_LOG_HEAD;
    replica->counters.heads_rotten++;
    replica->damage =
        (struct replica_damage){.file = is_log ? REPLICA_FILE_LOG : REPLICA_FILE_JOURNAL,
                                .number = scrub->number,
                                .is_rotten = true,
                                .is_written_again = true,
                                .offset = offset};
    if (is_log) {
        log_head_mend(replica->log, offset);
        replica->is_persist_owed = true;
    } else {
        journal_mend_head(replica->journal, scrub->number, offset);
    }
}

/* A page that the device cannot read is written as a whole, and so replaced by many devices. */
static void head_write_again(struct replica *replica)
{
    struct replica_scrub *scrub = &replica->scrub;
    if (scrub->is_written_again) {
        replica->damage.is_unreadable = true;
        scrub->is_failed = true;
        return;
    }
    head_mend(replica, (size_t)scrub->readable_end);
    scrub->is_written_again = true;
    scrub->is_here = false;
}

static size_t head_step(struct replica *replica, const struct log *log)
{
    struct replica_scrub *scrub = &replica->scrub;
    const struct log_piece head = {.size_bytes = log_head_bytes(log)};
    size_t offset = 0;
    if (scrub->is_answered)
        take_ahead(scrub);
    if (!is_direct(replica) && !scrub->is_here) {
        ask_ahead(replica, head);
        return 0;
    }
    if (!is_direct(replica) && scrub->readable_end < head.size_bytes) {
        head_write_again(replica);
        return 0;
    }
    for (size_t page = 0; page < head.size_bytes && !log_head_is_whole(log, &offset);
         page += PAGE_BYTES)
        head_mend(replica, offset);
    part_end(replica);
    return head.size_bytes;
}

static void record_note(struct replica *replica, uint64_t index, size_t offset)
{
    const struct replica_scrub *scrub = &replica->scrub;
    if (scrub->part == SCRUB_LOG_RECORDS) {
        /* Told once, until it is mended. */
        if (index > replica->rot_index)
            replica_note_rot(replica, index);
        return;
    }
    replica->counters.entries_rotten++;
    replica->damage = (struct replica_damage){.file = REPLICA_FILE_JOURNAL,
                                              .number = scrub->number,
                                              .is_rotten = true,
                                              .index = index,
                                              .offset = offset};
    journal_note_rot(replica->journal);
}

enum look { LOOK_GOOD, LOOK_BAD, LOOK_LATER };

/* Whether the pages of a record are in memory, or cannot be read. If neither is known, they are
 * asked for, and more behind them. */
static enum look look_ahead(struct replica *replica, const struct log *log, uint64_t index)
{
    struct replica_scrub *scrub = &replica->scrub;
    size_t offset = log_offset_of(log, index);
    size_t end = log_extent_end(log, index);
    if (is_direct(replica))
        return LOOK_GOOD;
    if (scrub->is_answered)
        take_ahead(scrub);
    bool is_there = scrub->is_here && scrub->piece_index >= log_first_index(log) &&
                    scrub->piece_index <= index &&
                    log_offset_of(log, scrub->piece_index) == scrub->piece_offset &&
                    offset >= scrub->piece.offset &&
                    end <= scrub->piece.offset + scrub->piece.size_bytes;
    if (is_there && end <= scrub->readable_end)
        return LOOK_GOOD;
    if (is_there && offset < scrub->readable_end + PAGE_BYTES)
        return LOOK_BAD;
    scrub->piece_index = index;
    scrub->piece_offset = offset;
    ask_ahead(replica, log_piece_at(log, index, AHEAD_BYTES));
    return LOOK_LATER;
}

/* A few records, up to `last`. */
static size_t records_step(struct replica *replica, const struct log *log, uint64_t last)
{
    struct replica_scrub *scrub = &replica->scrub;
    size_t done_bytes = 0;
    uint64_t first = log_first_index(log);
    if (scrub->part == SCRUB_LOG_RECORDS && first <= scrub->mended_index)
        first = scrub->mended_index + 1;
    /* Else a log that grows faster than it is looked at would keep the pass from the snapshots. */
    if (scrub->next == 0)
        scrub->last = last;
    if (scrub->last < last)
        last = scrub->last;
    if (scrub->next < first)
        scrub->next = first;
    while (scrub->next <= last && done_bytes < STEP_BYTES) {
        size_t size_bytes = log_extent_end(log, scrub->next) - log_offset_of(log, scrub->next);
        enum look look = look_ahead(replica, log, scrub->next);
        if (look == LOOK_LATER)
            return done_bytes;
        if (look == LOOK_BAD || !log_is_intact(log, scrub->next, &size_bytes))
            record_note(replica, scrub->next, log_offset_of(log, scrub->next));
        done_bytes += size_bytes;
        scrub->next++;
    }
    if (scrub->next > last)
        part_end(replica);
    return done_bytes;
}

/* A bank that has begun anew is looked at in the next pass. */
static size_t bank_step(struct replica *replica, uint32_t number)
{
    struct replica_scrub *scrub = &replica->scrub;
    uint64_t generation = journal_bank_generation(replica->journal, number);
    if (scrub->next == 0)
        scrub->generation = generation;
    if (generation != scrub->generation) {
        part_end(replica);
        return 0;
    }
    return records_step(replica, journal_bank_log(replica->journal, number),
                        journal_scrub_last(replica->journal, number));
}

/* ---- snapshots ---- */

/* What the thread says of a head or a block. */
static void answer_take(struct replica *replica)
{
    struct replica_scrub *scrub = &replica->scrub;
    scrub->is_answered = false;
    if (scrub->answer.error == OK || scrub->answer.error == ERR_NOT_YET)
        return;
    if (scrub->part == SCRUB_SNAPSHOT_BLOCKS) {
        replica_lose_snapshot(replica, scrub->number, (uint32_t)scrub->next - 1);
        return;
    }
    replica->counters.heads_rotten++;
    replica->damage = (struct replica_damage){.file = REPLICA_FILE_SNAPSHOT,
                                              .number = scrub->number,
                                              .is_rotten = true,
                                              .is_written_again = scrub->answer.error != ERR_IO,
                                              .offset = scrub->answer.offset};
}

static size_t snapshot_head_step(struct replica *replica)
{
    struct replica_scrub *scrub = &replica->scrub;
    if (scrub->is_answered) {
        answer_take(replica);
        part_end(replica);
        return 2 * (size_t)PAGE_BYTES;
    }
    scrub->is_waiting = true;
    snapshots_scrub_head(replica->snapshot.files, scrub->number);
    return 0;
}

static size_t block_step(struct replica *replica)
{
    struct replica_scrub *scrub = &replica->scrub;
    uint32_t block_count;
    size_t done_bytes = scrub->is_answered ? SNAPSHOT_SLOT_BYTES : 0;
    if (scrub->is_answered)
        answer_take(replica);
    uint64_t generation =
        snapshots_generation_of(replica->snapshot.files, scrub->number, &block_count);
    if (scrub->next == 0)
        scrub->generation = generation;
    if (generation == 0 || generation != scrub->generation || scrub->next >= block_count) {
        part_end(replica); /* its end, or another one, which was read when it was written */
        return done_bytes;
    }
    scrub->is_waiting = true;
    snapshots_scrub_block(replica->snapshot.files, scrub->number, (uint32_t)scrub->next++);
    return done_bytes;
}

/* ---- the turn ---- */

static size_t part_step(struct replica *replica)
{
    uint32_t number = replica->scrub.number;
    switch (replica->scrub.part) {
    case SCRUB_LOG_HEAD:
        return head_step(replica, replica->log);
    case SCRUB_LOG_RECORDS:
        return records_step(replica, replica->log, log_durable_index(replica->log));
    case SCRUB_BANK_HEAD:
        return head_step(replica, journal_bank_log(replica->journal, number));
    case SCRUB_BANK_RECORDS:
        return bank_step(replica, number);
    case SCRUB_SNAPSHOT_HEAD:
        return snapshot_head_step(replica);
    case SCRUB_SNAPSHOT_BLOCKS:
        return block_step(replica);
    }
    return 0;
}

void replica_scrub_turn(struct replica *replica)
{
    struct replica_scrub *scrub = &replica->scrub;
    uint64_t now_ns = replica->shared->now_ns;
    if (replica->options.scrub_rate == 0 || now_ns < scrub->due_ns)
        return;
    if (scrub->begun_ns == 0)
        scrub->begun_ns = now_ns;
    if (scrub->is_waiting) {
        scrub->due_ns = now_ns + ANSWER_AGAIN_NS;
        if (!snapshots_scrub_poll(replica->snapshot.files, &scrub->answer))
            return;
        scrub->is_waiting = false;
        scrub->is_answered = true;
    }
    scrub->due_ns = now_ns;
    size_t done_bytes = part_step(replica);
    replica->counters.scrub_bytes += done_bytes;
    uint64_t paced_ns = now_ns + budget_cost_ns(done_bytes, replica->options.scrub_rate);
    if (scrub->is_waiting && paced_ns < now_ns + ANSWER_AGAIN_NS)
        paced_ns = now_ns + ANSWER_AGAIN_NS;
    if (paced_ns > scrub->due_ns)
        scrub->due_ns = paced_ns;
}

uint64_t replica_scrub_deadline_ns(const struct replica *replica)
{
    return replica->options.scrub_rate == 0 ? UINT64_MAX : replica->scrub.due_ns;
}
