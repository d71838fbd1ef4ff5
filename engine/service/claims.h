/*
 * What a client's write says of its session, held against what can be. A client chooses its seqs,
 * its floor, its packet numbers and what it cancels, and whoever guesses the id of a session can
 * write in its name. Two things stop that:
 *
 * - The seqs of a session begin at a number that only its client knows (wire_first_seq). A packet
 *   whose seqs and floor are not near those that the session has reached is none of the session, or
 *   far too late: it is dropped before anything of the session changes.
 * - What cannot be is refused: numbers that no client has reached, cancels of writes that no node
 *   has accepted, cancels under the tag of somebody else.
 *
 * Everything here is the judgement of the node that would append. Nothing is replicated.
 */
#ifndef POLLUX_ENGINE_SERVICE_CLAIMS_H
#define POLLUX_ENGINE_SERVICE_CLAIMS_H

#include "engine/state/node_progress.h"
#include "engine/state/request.h"
#include "engine/state/sessions.h"

struct engine;

/* How far the seqs of a packet may lie before and behind those that the session has reached. Seqs
 * that were refused reach no session: a client begins another one well before
 * (SESSION_SEQS_AHEAD_MAX). */
#define CLAIM_SEQS_BEHIND_MAX UINT64_C(4096)
#define CLAIM_SEQS_AHEAD_MAX  UINT64_C(16384)
static_assert(CLAIM_SEQS_AHEAD_MAX >= 2 * SESSION_SEQS_AHEAD_MAX,
              "who keeps to its own limit is never taken for a stranger");
/* The same where the seqs begin at 1: nothing can be told from them, and the client knows no
 * limit. */
#define CLAIM_PLAIN_SEQS_AHEAD_MAX (UINT64_C(1) << 40)
/* How far the numbers of packets rise at once. They rise by one with each transmission. */
#define CLAIM_PACKETS_AHEAD_MAX (UINT64_C(1) << 32)

/* Seqs and floor of a request, which is no relaxed write, may be of this session. */
bool claims_of_session(const struct session *session, const struct request *request);

/* The session may have sent a packet of this number. */
bool claims_packet(const struct session *session, uint64_t packet_number);

/*
 * The cancels of a client's request can be meant: of a seq that a journal gives, under the tag of a
 * client, and of this node only what it has accepted. WIRE_STATUS_PENDING: of what this node knows
 * nothing of. That is no fault of the client if the node has lost it, and is about to find out.
 */
enum wire_status claims_cancels(const struct engine *engine, const struct request *request);

/*
 * The session may cancel what its request does, and this is noted; false: what it has cancelled
 * already is its share. Of the cancels of a series that are remembered one session has no more than
 * are free then: so no session takes them from the others.
 */
bool claims_share_cancels(const struct engine *engine, struct session *session,
                          const struct request *request);

#endif
