/*
 * Opening a journal: which bank is active, what may have been lost, and where the move between the
 * banks stood that was interrupted.
 */
#include "base/check.h"
#include "base/limits.h"
#include "pmem/journal_internal.h"

#include <inttypes.h>
#include <stdio.h>

#define WIPE_STEP_BYTES (1024u * 1024)

size_t journal_arena_bytes(const struct journal_options *options)
{
    return sizeof(struct journal) + RECORD_PAYLOAD_SIZE_BYTES_MAX + 256 +
           JOURNAL_BANKS * log_arena_bytes(options->size_bytes);
}

bool journal_bank_path(const char *path, uint32_t bank, char ret_path[JOURNAL_BANK_PATH_SIZE])
{
    CHECK(bank < JOURNAL_BANKS);
    int length = snprintf(ret_path, JOURNAL_BANK_PATH_SIZE, "%s-%u", path, bank);
    return length >= 0 && length < JOURNAL_BANK_PATH_SIZE;
}

size_t journal_bank_size_bytes(const struct journal_options *options)
{
    size_t size_bytes = options->size_bytes;
    for (uint32_t bank = 0; bank < JOURNAL_BANKS; bank++) {
        char path[JOURNAL_BANK_PATH_SIZE];
        size_t found =
            journal_bank_path(options->path, bank, path) ? medium_file_size_bytes(path) : 0;
        size_bytes = found > size_bytes ? found : size_bytes;
    }
    return size_bytes;
}

/*
 * A bank that cannot be read gets another name, and a new one takes its place, as if the file were
 * lost: what it has of the writes that only this node acknowledged may be lost, and that is told.
 */
static enum error damaged_bank_open(const struct log_options *options, struct arena *arena,
                                    struct journal_bank *bank, struct log_recovery *ret_recovery)
{
    char aside[JOURNAL_BANK_PATH_SIZE + 16];
    char found[160];
    snprintf(found, sizeof(found), "%s", ret_recovery->note);
    enum error error = log_set_damaged_aside(options->path, aside, sizeof(aside),
                                             ret_recovery->note, sizeof(ret_recovery->note));
    if (error == OK)
        error = log_open(options, arena, &bank->log, ret_recovery);
    if (error != OK)
        return error;
    ret_recovery->is_beyond_repair = true;
    snprintf(ret_recovery->note, sizeof(ret_recovery->note),
             "%.140s. It is now called %.90s. Relaxed writes in it that were not replicated yet "
             "may be lost; pollux-dump shows what is left of them; check the medium",
             found, aside);
    return OK;
}

static enum error bank_open(const struct journal_options *options, uint32_t number,
                            struct arena *arena, struct journal_bank *bank,
                            struct log_recovery *ret_recovery)
{
    char path[JOURNAL_BANK_PATH_SIZE];
    if (!journal_bank_path(options->path, number, path)) {
        snprintf(ret_recovery->note, sizeof(ret_recovery->note),
                 "%.120s...: the path of the journal is too long", options->path);
        return ERR_ARGUMENT;
    }
    const struct log_options log_options = {.path = path,
                                            .size_bytes = options->size_bytes,
                                            .is_created = true,
                                            .is_journal = true,
                                            .identity = options->identity,
                                            .format_max = options->format_max,
                                            .format = options->format};
    size_t used_bytes = arena->used_bytes;
    enum error error = log_open(&log_options, arena, &bank->log, ret_recovery);
    if (error == OK && ret_recovery->hole_first_index == 1 && !log_is_wiping(bank->log)) {
        log_close(bank->log);
        ret_recovery->is_beyond_repair = true;
        error = ERR_CHECKSUM;
        snprintf(ret_recovery->note, sizeof(ret_recovery->note),
                 "%.120s: the first record is damaged", path);
    }
    if (error != OK && ret_recovery->is_beyond_repair) {
        arena_give_back(arena, used_bytes);
        error = damaged_bank_open(&log_options, arena, bank, ret_recovery);
    }
    if (error != OK)
        return error;
    error = journal_bank_inspect(bank);
    if (error != OK) {
        log_close(bank->log);
        snprintf(ret_recovery->note, sizeof(ret_recovery->note),
                 "%.160s: a log, but not of a journal of this version; correct the path", path);
    }
    return error;
}

uint32_t journal_newest(const struct journal_bank banks[JOURNAL_BANKS])
{
    uint32_t newest = JOURNAL_BANKS;
    for (uint32_t i = 0; i < JOURNAL_BANKS; i++) {
        if (banks[i].ready_index != 0 &&
            (newest == JOURNAL_BANKS || banks[i].generation > banks[newest].generation))
            newest = i;
    }
    return newest;
}

/* Rot in a bank that was not given up: in the active one, in a newer one, or in one that no longer
 * says what it was. */
static bool bank_is_damaged(const struct journal *journal, uint32_t newest, uint32_t number,
                            const struct log_recovery *recovery)
{
    const struct journal_bank *bank = &journal->banks[number];
    if (recovery->hole_first_index == 0 || log_is_wiping(bank->log))
        return false;
    return newest == JOURNAL_BANKS || number == newest || bank->generation == 0 ||
           bank->generation > journal->banks[newest].generation;
}

/* Once a journal has begun it says so, and some bank is ready ever after. */
static void loss_describe(const char *path, const struct log_recovery *recoveries,
                          struct journal_recovery *ret_recovery)
{
    for (uint32_t i = 0; i < JOURNAL_BANKS; i++) {
        if (recoveries[i].term < JOURNAL_BEGUN_TERM || ret_recovery->is_damaged)
            continue;
        ret_recovery->is_damaged = true;
        snprintf(ret_recovery->note, sizeof(ret_recovery->note),
                 "%.160s-%u: no record is left in this journal: relaxed writes that were not "
                 "replicated yet may be lost; check the medium",
                 path, i);
    }
}

/* The worst, or the last of equals. */
static void damage_describe(const struct journal *journal, const char *path, uint32_t newest,
                            const struct log_recovery *recoveries,
                            struct journal_recovery *ret_recovery)
{
    for (uint32_t i = 0; i < JOURNAL_BANKS; i++) {
        const struct log_recovery *recovery = &recoveries[i];
        if (recovery->is_beyond_repair)
            ret_recovery->is_damaged = true;
        if (recovery->is_beyond_repair || (recovery->is_repaired && ret_recovery->note[0] == '\0'))
            memcpy(ret_recovery->note, recovery->note, sizeof(ret_recovery->note));
        if (!bank_is_damaged(journal, newest, i, recovery))
            continue;
        ret_recovery->is_damaged = true;
        snprintf(ret_recovery->note, sizeof(ret_recovery->note),
                 "%.100s-%u: records from %" PRIu64 " on are damaged: relaxed writes above number "
                 "%" PRIu64 " that were not replicated yet may be lost; check the medium",
                 path, i, recovery->hole_first_index, ret_recovery->last_seq);
    }
}

/* Start only: waits. */
static enum error bank_wipe(struct journal_bank *bank)
{
    bool is_done = false;
    while (!is_done) { /* a step for each WIPE_STEP_BYTES of the file, and three */
        enum error error = log_wipe(bank->log, WIPE_STEP_BYTES, &is_done);
        if (error == OK && !is_done)
            error = medium_persist_wait(log_medium(bank->log));
        if (error != OK)
            return error;
    }
    *bank = (struct journal_bank){.log = bank->log};
    return OK;
}

/* No bank is ready: a first start, or one that was cut short, or everything rotted. */
static enum error journal_begin(struct journal *journal, uint64_t series)
{
    struct journal_bank *bank = &journal->banks[journal->active];
    enum error error = log_is_blank(bank->log) ? OK : bank_wipe(bank);
    if (error != OK)
        return error;
    journal_bank_begin(bank, 1 + journal->banks[1 - journal->active].generation, journal->last_seq,
                       series);
    CHECK(journal_bank_append_ready(bank, journal->last_seq) == OK);
    log_persist(bank->log);
    error = medium_persist_wait(log_medium(bank->log));
    if (error != OK)
        return error;
    log_write_hard_state(bank->log, JOURNAL_BEGUN_TERM, 0);
    log_persist(bank->log);
    return medium_persist_wait(log_medium(bank->log));
}

/* Bytes behind the last record belong to no entry: a READY behind them says so, or the next start
 * would take them for rot once a record that hangs in the air vouches for them. */
static enum error tail_close(struct journal *journal, const struct log_recovery *recovery)
{
    struct journal_bank *active = &journal->banks[journal->active];
    if (recovery->torn_bytes == 0 && recovery->hole_first_index == 0)
        return OK;
    if (journal_bank_append_ready(active, journal->last_seq) != OK)
        return OK; /* nothing can follow here, either */
    log_persist(active->log);
    return medium_persist_wait(log_medium(active->log));
}

static void live_count(struct journal *journal, struct journal_recovery *ret_recovery)
{
    uint64_t cursor = 0;
    uint64_t seq = 0;
    struct span payload;
    while (journal_next(journal, &cursor, &seq, &payload)) { /* the bank's records */
        journal->live_bytes += journal_entry_room_bytes(payload.size_bytes);
        ret_recovery->entries++;
    }
}

static bool is_of_another(const struct journal_bank *bank, const struct journal_options *options)
{
    return bank->generation != 0 && bank->series != options->series;
}

static enum error journal_recover(struct journal *journal, const struct journal_options *options,
                                  const struct log_recovery *recoveries,
                                  struct journal_recovery *ret_recovery)
{
    uint32_t newest = journal_newest(journal->banks);

    for (uint32_t i = 0; i < JOURNAL_BANKS; i++)
        if (journal->banks[i].last_seq > journal->last_seq)
            journal->last_seq = journal->banks[i].last_seq;
    ret_recovery->last_seq = journal->last_seq;
    for (uint32_t i = 0; i < JOURNAL_BANKS; i++)
        if (is_of_another(&journal->banks[i], options))
            ret_recovery->other_series = journal->banks[i].series;
    ret_recovery->is_created = newest == JOURNAL_BANKS;
    damage_describe(journal, options->path, newest, recoveries, ret_recovery);
    if (newest == JOURNAL_BANKS)
        loss_describe(options->path, recoveries, ret_recovery);
    journal->active = newest % JOURNAL_BANKS;
    enum error error = newest == JOURNAL_BANKS ? journal_begin(journal, options->series)
                                               : tail_close(journal, &recoveries[newest]);
    if (error != OK) {
        snprintf(ret_recovery->note, sizeof(ret_recovery->note),
                 "%.120s-%u: the sync at the journal's start failed; check the medium",
                 options->path, journal->active);
        return error;
    }
    journal->idle_state = log_is_blank(journal->banks[1 - journal->active].log) ? JOURNAL_IDLE_EMPTY
                                                                                : JOURNAL_IDLE_KEPT;
    journal->durable_seq = journal->last_seq;
    journal->live_first = 2;
    live_count(journal, ret_recovery);
    return OK;
}

enum error journal_open(const struct journal_options *options, struct arena *arena,
                        struct journal **ret_journal, struct journal_recovery *ret_recovery)
{
    struct log_recovery recoveries[JOURNAL_BANKS];
    struct journal *journal = arena_take(arena, sizeof(*journal), 64);
    uint32_t opened = 0;
    enum error error = OK;

    memset(ret_recovery, 0, sizeof(*ret_recovery));
    while (opened < JOURNAL_BANKS && error == OK) {
        error = bank_open(options, opened, arena, &journal->banks[opened], &recoveries[opened]);
        journal->banks[opened].has_begun =
            error == OK && recoveries[opened].term >= JOURNAL_BEGUN_TERM;
        if (error == OK)
            opened++;
        else
            snprintf(ret_recovery->note, sizeof(ret_recovery->note), "%s", recoveries[opened].note);
    }
    if (error == OK)
        error = journal_recover(journal, options, recoveries, ret_recovery);
    if (error != OK) {
        while (opened > 0)
            log_close(journal->banks[--opened].log);
        return error;
    }
    journal->entry = arena_take(arena, RECORD_PAYLOAD_SIZE_BYTES_MAX, 64);
    journal->next_needed = options->next_needed;
    journal->context = options->context;
    journal->wiped_part = JOURNAL_MOVE_PART + 1;
    *ret_journal = journal;
    return OK;
}

/* What the name of a bank that was set aside says. */
struct aside_name {
    uint64_t series;
    uint64_t writes;
};

/* Of the journal at `path`. */
static enum error bank_set_aside(const char *path, uint32_t number, const struct aside_name *as,
                                 char *ret_note, size_t note_size)
{
    char bank[JOURNAL_BANK_PATH_SIZE];
    char aside[JOURNAL_BANK_PATH_SIZE + 64];
    CHECK(journal_bank_path(path, number, bank)); /* it was open */
    snprintf(aside, sizeof(aside), "%s" JOURNAL_ASIDE_MARK "%016" PRIx64 ".%" PRIu64, bank,
             as->series, as->writes);
    return medium_move(bank, aside, ret_note, note_size);
}

enum error journal_set_aside(struct journal *journal, const struct journal_options *options,
                             uint64_t writes, char *ret_note, size_t note_size)
{
    bool is_left[JOURNAL_BANKS];
    uint64_t series[JOURNAL_BANKS] = {0};
    uint64_t other = 0;
    enum error error = OK;
    for (uint32_t i = 0; i < JOURNAL_BANKS; i++) {
        const struct journal_bank *bank = &journal->banks[i];
        is_left[i] = log_is_wiping(bank->log) || (bank->has_begun && log_is_blank(bank->log));
        if (is_of_another(&journal->banks[i], options))
            other = series[i] = journal->banks[i].series;
    }
    journal_close(journal);
    /* What a wipe has left goes first: alone it would seem to be a journal that has lost all. */
    for (uint32_t i = 0; i < JOURNAL_BANKS && error == OK; i++) {
        if (is_left[i] && other != 0)
            error = bank_set_aside(options->path, i, &(struct aside_name){other, writes}, ret_note,
                                   note_size);
    }
    for (uint32_t i = 0; i < JOURNAL_BANKS && error == OK; i++) {
        if (!is_left[i] && series[i] != 0)
            error = bank_set_aside(options->path, i, &(struct aside_name){series[i], writes},
                                   ret_note, note_size);
    }
    return error;
}
