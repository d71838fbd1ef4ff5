/*
 * A journal as it lies in its two files, read and not opened: see pmem/log_view.h. Which bank is
 * active is judged as a start does: the one with the highest generation that has a READY.
 *
 * A node that is running may move the journal to its other bank meanwhile, and wipe this one. The
 * wipe begins with the first record. So each bank is read until its first record is the same before
 * and after, and both banks are read again where no active one is found.
 *
 * Owner: one thread. For tools.
 */
#ifndef POLLUX_PMEM_JOURNAL_VIEW_H
#define POLLUX_PMEM_JOURNAL_VIEW_H

#include "pmem/journal.h"
#include "pmem/log_view.h"

struct journal_view;

struct journal_view_bank {
    enum error error; /* not OK: the file could not be read as a bank; `note` explains */
    char note[VIEW_NOTE_BYTES];
    bool is_active;
    bool is_blank;       /* no record is in it */
    bool is_wiping;      /* its wipe was begun, and nothing in it counts */
    bool is_ready;       /* it has a READY */
    bool is_sealed;      /* and a second one */
    uint64_t generation; /* 0: none */
    uint64_t series;     /* of the storage that it belongs to */
    uint64_t last_seq;   /* highest that it knows of */
    uint64_t entries;
};

struct journal_view_options {
    const char *paths[JOURNAL_BANKS];                 /* for messages */
    const struct file_reader *readers[JOURNAL_BANKS]; /* as log_view_options; NULL: not there */
    const struct log_identity *identity;              /* as well */
};

/* ERR_NO_MEMORY. Whatever else is wrong with a bank is told of the bank. */
MUST_USE enum error journal_view_open(const struct journal_view_options *options,
                                      struct journal_view **ret_view);
void journal_view_close(struct journal_view *view);

/* Bank 0 or 1. */
const struct journal_view_bank *journal_view_bank(const struct journal_view *view, uint32_t bank);
/* For log_view_findings and the rest; NULL: the bank has an error. */
const struct log_view *journal_view_log(const struct journal_view *view, uint32_t bank);
/* The bank whose entries count; JOURNAL_BANKS: there is none. */
uint32_t journal_view_active(const struct journal_view *view);

/* The entries of a bank in the order of their seqs: *cursor starts at 0. False: that was all. The
 * payload (a request, see docs/wire.md) lives until journal_view_close. */
bool journal_view_next(const struct journal_view *view, uint32_t bank, uint64_t *cursor,
                       uint64_t *ret_seq, struct span *ret_payload);

#endif
