/*
 * What `pollux rescue` says to people.
 *
 * Owner: the main thread.
 */
#ifndef POLLUX_TOOLS_RESCUE_TELL_H
#define POLLUX_TOOLS_RESCUE_TELL_H

#include "tools/rescue/probe.h"
#include "tools/rescue/survey.h"

/* Every storage that was looked at, and every node that was asked. */
void tell_found(const struct rescue_survey *survey, const struct rescue_absent *absent,
                uint32_t absent_count);

/* What would be done with a shard, and what may be lost. */
void tell_plan(const struct rescue_survey *survey, uint16_t shard,
               const struct rescue_shard_plan *plan, const struct rescue_absent *absent,
               uint32_t absent_count);

/* What the operator does next. */
void tell_next(const struct rescue_survey *survey, const struct rescue_absent *absent,
               uint32_t absent_count);

#endif
