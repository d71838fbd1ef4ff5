/*
 * What a rescue does to the storage of one shard in one data directory. The node is stopped.
 *
 * Owner: the main thread. Waits for the medium.
 */
#ifndef POLLUX_TOOLS_RESCUE_STORAGE_H
#define POLLUX_TOOLS_RESCUE_STORAGE_H

#include "pmem/log.h"
#include "tools/rescue/plan.h"

/*
 * A new, empty log (`options`, with is_created and its birth), noted in the identity. The old one,
 * if there is one, is then called LOG.before-era-N.BIRTH. As log_open, medium_move, identity_note;
 * `ret_text` (RESCUE_TEXT_BYTES) explains.
 */
MUST_USE enum error rescue_renew(const struct log_options *options, const char *identity_path,
                                 uint64_t era, uint64_t birth_before, char *ret_text);

/* Appends the record that begins the era; durable on return. As log_open, and ERR_FULL: the log has
 * no room for it; `ret_text` likewise. */
MUST_USE enum error rescue_begin_era(const struct log_options *options,
                                     const struct rescue_shard_plan *plan, char *ret_text);

#endif
