/*
 * The journal of one replica: the relaxed writes that the node has accepted. An entry is durable
 * before its client is answered. The entry is kept until the log has decided it, or until a newer
 * entry has taken its place.
 *
 * The journal has two banks. Each bank is a log file of its own (pmem/log.h), so recovery is the
 * log's. Entries are appended to the active bank. When the active bank is full, the entries that
 * are still needed are copied into the other bank. The other bank becomes active once it says that
 * it is complete; the old bank is then wiped in small steps. So the journal is bounded, and nothing
 * acknowledged is ever overwritten.
 *
 * A record of a bank is of one of these kinds:
 *    JOURNAL_OPEN   generation u64, highest seq ever u64, series u64
 *    JOURNAL_READY  highest seq u64. The first: all copies are before it. The second: the first is
 *                   durable.
 *    JOURNAL_ENTRY  seq u64, then the caller's bytes
 * Of the banks with a READY, the one with the highest generation is active. A bank without a READY
 * is wiped.
 *
 * A journal belongs to one storage, whose numbers its seqs are (the series). What a journal of
 * another storage holds may be in the log already, so it is not taken: see journal_set_aside.
 *
 * A torn tail was not acknowledged, and is dropped. Rot is told to the operator, and the rest of
 * the entries is kept. The suspect mark of a bank means nothing: no quorum knows what a journal
 * held.
 *
 * Owner: one thread (the lane).
 */
#ifndef POLLUX_PMEM_JOURNAL_H
#define POLLUX_PMEM_JOURNAL_H

#include "base/limits.h"
#include "pmem/log.h"

struct journal;

/* The file of bank 0 or 1: PATH.0, PATH.1. */
#define JOURNAL_BANKS 2u
/* In the name of one that was set aside. */
#define JOURNAL_ASIDE_MARK ".of."

struct journal_options {
    const char *path;  /* what the names of the banks begin with */
    size_t size_bytes; /* of one bank, as log_options.size_bytes */
    struct log_identity identity;
    uint32_t format_max; /* as log_options */
    uint32_t format;     /* at least: an older bank is raised */
    uint64_t series;     /* of the storage that the journal belongs to */
    /*
     * Returns the seq of the first set, from `seq` on, that is still needed. (An entry holds the
     * sets with the seqs above that of the entry before it, up to its own.) A move leaves behind
     * the entries of which no set is needed. For the same entries a later answer is never lower
     * than an earlier one. NULL: all entries are needed.
     */
    uint64_t (*next_needed)(void *context, uint64_t seq);
    void *context;
};

struct journal_recovery {
    uint64_t entries;      /* live entries found; those forgotten since the last move among them */
    uint64_t last_seq;     /* highest seq ever seen, 0: none */
    uint64_t other_series; /* a bank belongs to this other storage: journal_set_aside; 0: none */
    bool is_created;       /* no bank was ready: a first start, unless is_damaged */
    bool is_damaged;       /* rot: entries may be missing; `note` says which */
    char note[384];
};

/* False: the name is too long. */
bool journal_bank_path(const char *path, uint32_t bank, char ret_path[JOURNAL_BANK_PATH_SIZE]);

/* Size of a bank: what the options say, or that of an existing file where it is larger. Limits and
 * memory follow the file. */
size_t journal_bank_size_bytes(const struct journal_options *options);

size_t journal_arena_bytes(const struct journal_options *options);

/* Errors as log_open, and ERR_MAGIC for a log that is no bank; nothing but the files of missing
 * banks is written on an error. */
MUST_USE enum error journal_open(const struct journal_options *options, struct arena *arena,
                                 struct journal **ret_journal,
                                 struct journal_recovery *ret_recovery);
void journal_close(struct journal *journal);

/*
 * Closes a journal in which journal_open found banks of another storage, and gives these another
 * name, which says the series and how many `writes` the journal has: PATH-0.of.SERIES.WRITES. Then
 * the journal can be opened anew. ERR_IO, and medium_move's: `ret_note` explains.
 */
MUST_USE enum error journal_set_aside(struct journal *journal,
                                      const struct journal_options *options, uint64_t writes,
                                      char *ret_note, size_t note_size);

/*
 * Appends an entry. `seq` rises with every call and is above journal_recovery.last_seq; the payload
 * is at most JOURNAL_ENTRY_SIZE_BYTES_MAX (CHECK). Calls nobody back. ERR_NOT_YET: the bank is
 * full, but the next journal_make_room may help. ERR_FULL: the live entries leave no room (or the
 * other bank is not wiped yet). Either way nothing was taken and nothing is lost.
 */
MUST_USE enum error journal_append(struct journal *journal, uint64_t seq, struct span payload);

/*
 * Moves to the other bank if this one has not enough room for a burst of packets, or for what
 * journal_append could not take, and if the move makes such room. Asks `next_needed`: call it once
 * a turn, when whoever answers that is not in the middle of anything.
 */
void journal_make_room(struct journal *journal);

/* Entries up to `seq` are applied through the log and need not be kept. Not durable: until a move
 * leaves them behind, the next start finds them again. */
void journal_forget(struct journal *journal, uint64_t seq);

/* Walks the live entries in order of seq: *cursor starts at 0. False at the end. Payload is
 * borrowed until the next append. For recovery. */
bool journal_next(const struct journal *journal, uint64_t *cursor, uint64_t *ret_seq,
                  struct span *ret_payload);

/* As log_raise, of both banks. */
void journal_raise(struct journal *journal, uint32_t format);

/* True when something was appended since the last persist. */
bool journal_is_dirty(const struct journal *journal);
/* True when everything is durable and the idle bank is wiped: a persist would do nothing. */
bool journal_is_quiet(const struct journal *journal);
/* Asks for durability of everything so far. Also wipes a step of the idle bank: call it in every
 * turn that worked. */
void journal_persist(struct journal *journal);
/* Highest seq whose entry is durable. ERR_SYNC for ever after a failed sync. */
MUST_USE enum error journal_persisted(struct journal *journal, uint64_t *ret_seq);

/*
 * For whoever looks for rot in what nobody reads. The log of a bank; its records up to
 * journal_scrub_last are those of the active bank that are durable, of the other one none: it is
 * wiped, or about to be.
 */
const struct log *journal_bank_log(const struct journal *journal, uint32_t bank);
uint64_t journal_scrub_last(const struct journal *journal, uint32_t bank);
/* Rises when the bank begins anew. */
uint64_t journal_bank_generation(const struct journal *journal, uint32_t bank);
struct medium *journal_bank_medium(const struct journal *journal, uint32_t bank);
/*
 * A record of the active bank has rotted. What it held is still in memory, so the journal goes on.
 * Once everything that the bank holds by now is decided (journal_forget), a move leaves it behind;
 * until then there is no move, for it would lack an entry. A full journal refuses meanwhile.
 */
void journal_note_rot(struct journal *journal);
/* How often a move has left such records behind. */
uint64_t journal_mended_count(const struct journal *journal);
/* As log_head_mend, of a bank. */
void journal_mend_head(struct journal *journal, uint32_t bank, size_t offset);

/* A move met an entry of bank `ret_bank` that is not what was written, at this offset of the file:
 * nothing becomes durable any more. */
bool journal_is_rotten(const struct journal *journal, uint32_t *ret_bank, uint64_t *ret_index,
                       size_t *ret_offset);
/* Whether a page of a bank could not be read, and where. */
bool journal_is_unreadable(const struct journal *journal, uint32_t *ret_bank, size_t *ret_offset);

/* An entry is taken, now or after journal_make_room, as long as its room (journal_entry_room_bytes)
 * is at most this; more where a move finds entries that are not needed. */
size_t journal_room_bytes(const struct journal *journal);
size_t journal_entry_room_bytes(size_t payload_size_bytes);

#endif
