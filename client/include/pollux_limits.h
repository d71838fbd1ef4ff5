/*
 * For operators' programs: the limits of a running cluster. `pollux config` is such a program.
 */
#ifndef POLLUX_LIMITS_H
#define POLLUX_LIMITS_H

#include "pollux.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * The limits of one shard. They begin as the configuration has them, with number 0; each change has
 * the next number. plx_status has what is in force among its counters: engine_limits_number,
 * engine_keys_max, engine_blocks_max (of 128 bytes) and engine_sessions_max. And what the node's
 * memory was made for: engine_keys_capacity, engine_blocks_capacity, engine_sessions_capacity.
 */
struct plx_limits {
    uint32_t number; /* of this change: the number in force and one more */
    uint32_t keys_max;
    uint64_t store_size_bytes; /* counted in whole blocks of 128 bytes */
    uint32_t sessions_max;
};

/*
 * Changes the limits of a shard, on all nodes at one place of its log. A limit may be below what is
 * in use: then new keys, or sessions, are refused until enough are gone. First ask all nodes for
 * their capacity: a node whose capacity is below a limit in force stops with that shard until it is
 * started with a larger one. Threads as plx_get.
 * - PLX_OK: the limits are in force.
 * - PLX_MISMATCH: the number is not the next one; nothing changed now. Somebody else has changed
 *   the limits, or an earlier call has taken effect whose answer was lost: compare what is in
 *   force.
 * - PLX_TIMEOUT: there was no leader in time. Nothing changed.
 * - PLX_UNKNOWN, without a token: they may take effect, now or later, as long as no other change
 *   takes the number. Ask for the number in force, and call again.
 * - PLX_E_UNSUPPORTED: a limit is above what the leader's memory was made for. Nothing changed.
 * - PLX_E_ARGUMENT: there is no such shard, or a field is 0 or too large.
 * - PLX_E_OVERLOADED: the log has no room, or another change is under way.
 */
PLX_API enum plx_outcome plx_limits_set(struct plx_client *client, uint16_t shard,
                                        const struct plx_limits *limits, uint64_t timeout_ns);

#ifdef __cplusplus
}
#endif

#endif
