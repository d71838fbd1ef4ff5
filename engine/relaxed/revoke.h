/*
 * Pending writes that are dropped because their principal was revoked (`pollux auth revoke NAME
 * --drop-pending`, docs/security.md). They go from the queue at once, and are not shown any more.
 * What is in the log by then is carried out as ever.
 *
 * What else was forwarded may be on its way. So the numbers of what was dropped must be decided:
 * by whatever this node accepted later and the log has taken, or else by a fence.
 *
 * That they were dropped is noted in the journal, under a number of its own. A restart that finds
 * them again finds the note behind them. If the journal has no room for it now, the note waits:
 * what was dropped makes room.
 *
 * Owner: one thread.
 */
#ifndef POLLUX_ENGINE_RELAXED_REVOKE_H
#define POLLUX_ENGINE_RELAXED_REVOKE_H

#include "wire/wire_entry.h"

#include <stdbool.h>
#include <stdint.h>

struct engine;

/* What was dropped may apply yet, as far as the log says. */
bool revoke_is_undecided(const struct engine *engine);

/* Writes the notes that wait, if there are any. */
void revoke_begin_turn(struct engine *engine);

/* A note that was found in the journal, under this number. */
void revoke_restored(struct engine *engine, uint64_t seq, const struct wire_entry *note);

#endif
