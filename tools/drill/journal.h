/*
 * What the workers of a steady load had acknowledged, and the proof that the cluster still has it.
 *
 * Worker w alone writes three kinds of keys, a round of them in turn:
 *   RUN/w/set/n    set once, to n: an acknowledged one that is missing is a lost write
 *   RUN/w/register set to n, again and again: an older value is a lost write, or one applied twice
 *   RUN/w/counter  swapped from n to n + 1: any other value is a swap lost or applied twice
 * At most one operation of a worker is open: its key may have the value from before or after it.
 *
 * File: one line "RUN WORKERS", then for each worker "SETS REGISTER COUNTER OPEN".
 */
#ifndef POLLUX_TOOLS_DRILL_JOURNAL_H
#define POLLUX_TOOLS_DRILL_JOURNAL_H

#include "client/include/pollux.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JOURNAL_WORKERS_MAX 64
#define JOURNAL_RUN_MAX     32

enum journal_kind { JOURNAL_SET, JOURNAL_REGISTER, JOURNAL_COUNTER, JOURNAL_KINDS };

struct journal_worker {
    uint64_t done[JOURNAL_KINDS]; /* acknowledged operations: the value of register and counter */
    int open; /* enum journal_kind of the operation without an answer; -1: none */
};

struct journal {
    char run[JOURNAL_RUN_MAX]; /* prefix of the keys */
    uint32_t worker_count;
    struct journal_worker workers[JOURNAL_WORKERS_MAX];
};

/* Key of a worker's operation `number` of a kind; returns its length. */
size_t journal_key(const struct journal *journal, uint32_t worker, enum journal_kind kind,
                   uint64_t number, char ret_key[PLX_KEY_SIZE_BYTES_MAX]);

/* False, with a message on standard error, when the file cannot be written or read. */
bool journal_write(const struct journal *journal, const char *path);
bool journal_read(struct journal *ret_journal, const char *path);

struct journal_verdict {
    uint64_t checked_count;
    uint64_t lost_count;   /* acknowledged, and not there */
    uint64_t twice_count;  /* beyond what was asked for */
    uint64_t failed_count; /* could not be read */
};

/* Reads every key that the journal names and compares. False when the handle refused. */
bool journal_verify(const struct journal *journal, struct plx_client *client, bool is_relaxed,
                    struct journal_verdict *ret_verdict);

#endif
