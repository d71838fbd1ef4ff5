/*
 * The sync thread of one file: its owner asks for ticket n, the thread syncs and reports the newest
 * ticket that was asked for when that sync began. Many requests share one sync. After a failed sync
 * nothing is reported any more, and none is tried again: the page cache may have dropped the bytes.
 *
 * Owner: the thread that opened it.
 */
#ifndef POLLUX_PMEM_SYNCER_INTERNAL_H
#define POLLUX_PMEM_SYNCER_INTERNAL_H

#include "base/error.h"

#include <stdint.h>

struct syncer;

/* Starts the thread, with all signals blocked. `fd` stays the caller's. ERR_NO_MEMORY. */
MUST_USE enum error syncer_open(int fd, struct syncer **ret_syncer);

/* Ends and joins the thread; a sync under way is waited for. */
void syncer_close(struct syncer *syncer);

/* Asks for a sync of everything stored so far; returns its ticket. Never waits for the disk. */
uint64_t syncer_request(struct syncer *syncer);

/* Newest durable ticket. ERR_SYNC for ever after one failure. */
MUST_USE enum error syncer_completed(const struct syncer *syncer, uint64_t *ret_ticket);

/* Waits until `ticket` is durable. ERR_SYNC. */
MUST_USE enum error syncer_wait(struct syncer *syncer, uint64_t ticket);

#endif
