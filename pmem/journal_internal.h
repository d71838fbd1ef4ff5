/*
 * What the files of the journal share.
 *
 * A bank is a log whose records are, in this order, an OPEN, the entries copied from the other
 * bank, a READY, and the entries appended since, with one more READY among them. Entries and READYs
 * begin with a seq that never falls along the bank, so a seq is found by halving.
 */
#ifndef POLLUX_PMEM_JOURNAL_INTERNAL_H
#define POLLUX_PMEM_JOURNAL_INTERNAL_H

#include "pmem/journal.h"

/* Nothing here is of a term; a log wants one. */
#define JOURNAL_BANK_TERM 1u
/* The term of the hard state of a bank says that the journal has begun: some bank is ready. */
#define JOURNAL_BEGUN_TERM 2u

#define JOURNAL_SEQ_BYTES 8u
/* A move must free this part of a bank, or each append would be one. */
#define JOURNAL_MOVE_PART 8u

enum journal_kind { JOURNAL_OPEN = 1, JOURNAL_READY, JOURNAL_ENTRY };

struct journal_bank {
    struct log *log;
    uint64_t generation;  /* 0: none, nothing to be read here */
    uint64_t ready_index; /* 0: none */
    bool is_sealed;       /* a second READY is there */
    bool has_begun;       /* by its hard state; known at the opening */
    uint64_t last_seq;    /* highest that the bank knows of */
    uint64_t series;      /* of the storage that it belongs to */
};

/* What has to happen to the bank that is not active. */
enum journal_idle_state {
    JOURNAL_IDLE_KEPT,    /* it counts until the active bank is known to be ready */
    JOURNAL_IDLE_SEALING, /* and until that is vouched for */
    JOURNAL_IDLE_WIPING,
    JOURNAL_IDLE_EMPTY,
};

struct journal {
    struct journal_bank banks[JOURNAL_BANKS];
    uint32_t active;
    enum journal_idle_state idle_state;
    uint64_t seal_index; /* of the active bank's second READY, while sealing */
    bool is_dirty;
    bool is_failed;        /* a sync failed, or an entry has rotted */
    uint64_t rot_index;    /* of that in the active bank; 0: none */
    uint64_t hurt_index;   /* records of the active bank up to here may have rotted; 0: none */
    uint64_t hurt_seq;     /* highest seq among them */
    uint64_t walked_seq;   /* forgotten_seq when a move away from them was last in vain */
    uint64_t mended_count; /* moves that have left such records behind */
    uint64_t last_seq;
    uint64_t durable_seq;
    uint64_t forgotten_seq;
    uint64_t live_first; /* record of the active bank: no live entry lies before it */
    size_t live_bytes;   /* room that the live entries take */
    size_t wanted_bytes; /* room that an append did not find since the last journal_make_room */
    uint64_t (*next_needed)(void *context, uint64_t seq); /* options */
    void *context;
    uint64_t walked_durable_seq; /* when a walk over the live entries last found too few to leave */
    size_t wiped_part;           /* bytes to be wiped for each one appended */
    size_t appended_bytes;       /* since the last step of the wipe */
    uint8_t *entry;              /* where an entry gets its seq in front */
};

/* Room of the records that are not entries. */
size_t journal_bank_overhead_bytes(void);
size_t journal_bank_ready_bytes(void);

/* Learns what a recovered log holds. ERR_MAGIC: not a bank. */
MUST_USE enum error journal_bank_inspect(struct journal_bank *bank);

/* The newest bank that is ready; JOURNAL_BANKS: none. */
uint32_t journal_newest(const struct journal_bank banks[JOURNAL_BANKS]);

/* Begins a generation in an empty bank. */
void journal_bank_begin(struct journal_bank *bank, uint64_t generation, uint64_t last_seq,
                        uint64_t series);
/* ERR_FULL. The first makes the bank ready, the second seals it. */
MUST_USE enum error journal_bank_append_ready(struct journal_bank *bank, uint64_t last_seq);
/* `payload` begins with `seq`. ERR_FULL. */
MUST_USE enum error journal_bank_append_entry(struct journal_bank *bank, uint64_t seq,
                                              struct span payload);

/* False when record `index` is no entry. Without the seq at its start. */
bool journal_bank_read(const struct journal_bank *bank, uint64_t index, uint64_t *ret_seq,
                       struct span *ret_payload);
/* The first entry with this seq or a higher one; last index + 1: none. */
uint64_t journal_bank_find(const struct journal_bank *bank, uint64_t seq);
/* Highest seq among the records up to `index`. */
uint64_t journal_bank_seq_at(const struct journal_bank *bank, uint64_t index);

#endif
