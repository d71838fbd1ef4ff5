/*
 * What a node that is removed without force has accepted is in the log before it goes. It looks
 * into the engines, and so stands apart from the world of clients, whose names are the engine's.
 */
#ifndef POLLUX_TESTS_SIM_DRAIN_CHECK_H
#define POLLUX_TESTS_SIM_DRAIN_CHECK_H

#include "engine/engine.h"

/* Index of the newest configuration that the engine has applied. */
uint64_t drain_configuration_index(const struct engine *engine);

/* False: by what `applied` has applied the series of the other node's storage is closed and the
 * node is no member, and that node has a relaxed write that the log lacks, *ret_seq or below. */
bool drain_is_kept(const struct engine *applied, const struct engine *other, uint64_t *ret_seq);

#endif
