/*
 * What operators ask about sessions: pages of the table, and the end of one session. Only who leads
 * answers, and only to who has the right of an administrator.
 *
 * A page begins at a place of the table and looks at SESSION_PAGE_PLACES_MAX places at most, so it
 * may have few sessions, or none, and name the next place all the same. Places mean nothing on
 * another node or after a restart.
 *
 * A session ends by a record, as one that its client gives back. What is known of its writes is
 * gone then, as after its lifetime (engine/state/closed_sessions.h).
 *
 * Owner: the lane of the engine.
 */
#ifndef POLLUX_ENGINE_SERVICE_SESSION_PAGES_H
#define POLLUX_ENGINE_SERVICE_SESSION_PAGES_H

#include "base/address.h"
#include "base/span.h"

struct engine;

#define SESSION_PAGE_PLACES_MAX 512u

/* A WIRE_SESSIONS from `from`. */
void session_pages_receive(struct engine *engine, const struct address *from, struct span body);
/* A WIRE_SESSION_END from `from`. */
void session_end_receive(struct engine *engine, const struct address *from, struct span body);

#endif
