/*
 * Whether a record may be appended. A node applies what its log holds without looking for faults,
 * and again at each start: so a record that does not decode would end the node for ever. What a
 * peer sends is therefore looked through before it is appended.
 *
 * Pure; any thread.
 */
#ifndef POLLUX_ENGINE_SERVICE_RECORD_CHECK_H
#define POLLUX_ENGINE_SERVICE_RECORD_CHECK_H

#include "base/error.h"
#include "base/span.h"

/*
 * The payload of a data record, as batch.h lays it out: requests that decode, of ops that their
 * session may hold; limits alone in their request, at most once, and marked in the flags. ERR_SHORT
 * and ERR_TRAILING: its sizes contradict one another. ERR_RANGE: what it holds is nothing that a
 * leader puts into a record. Other errors: those of wire_request_open and wire_op_decode.
 */
MUST_USE enum error record_check(struct span payload);

#endif
