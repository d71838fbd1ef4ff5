/*
 * Does what is planned for one shard. The nodes are stopped, and their directories locked.
 *
 * First the other nodes get new storages: each old log gets another name, LOG.before-era-N.BIRTH,
 * and is never deleted. Then the record that begins the era is appended to the chosen log. A rescue
 * that is cut off in between is repeated as a whole: until the record is there the shard has no
 * majority, and is planned anew.
 *
 * Owner: the main thread. Waits for the medium.
 */
#ifndef POLLUX_TOOLS_RESCUE_APPLY_H
#define POLLUX_TOOLS_RESCUE_APPLY_H

#include "tools/rescue/survey.h"

/* As log_open, medium_move, identity_note; ERR_FULL: the chosen log has no room for one record.
 * `ret_text` (RESCUE_TEXT_BYTES) then explains. */
MUST_USE enum error rescue_apply(const struct rescue_survey *survey, uint16_t shard,
                                 const struct rescue_shard_plan *plan, char *ret_text);

#endif
