/*
 * For operators' programs: who leads a shard. `pollux transfer` is such a program.
 */
#ifndef POLLUX_LEADERSHIP_H
#define POLLUX_LEADERSHIP_H

#include "pollux.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Asks the leader of a shard to transfer its leadership to node `target`. Target 0: the node that
 * is fittest to lead. Threads as plx_get.
 * - PLX_OK: the transfer has begun. plx_ping tells who leads.
 * - PLX_TIMEOUT: in all the time there was no leader, or no target that could take over at once.
 *   The transfer has not begun and will not.
 * - PLX_E_TOO_SOON: the leader of the shard has changed too often lately. *ret_retry_ns is the time
 *   after which that is over, of other outcomes 0. ret_retry_ns may be NULL.
 * - PLX_E_UNREACHABLE: the leader did not answer. The transfer may have begun.
 * - PLX_E_ARGUMENT: there is no such shard or node, or the node leads already.
 * - PLX_E_OVERLOADED: another transfer is under way.
 */
PLX_API enum plx_outcome plx_transfer(struct plx_client *client, uint16_t shard, uint16_t target,
                                      uint64_t timeout_ns, uint64_t *ret_retry_ns);

#ifdef __cplusplus
}
#endif

#endif
