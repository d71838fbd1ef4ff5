/*
 * A lane's thread: pinned if the operator says so, with its idle back-off. Log events leave it over
 * a ring, so that it never formats or writes text itself.
 *
 * Owner: the main thread, which starts it, asks it to stop, and pops its events.
 */
#ifndef POLLUX_SERVER_LANE_THREAD_H
#define POLLUX_SERVER_LANE_THREAD_H

#include "base/arena.h"
#include "server/idle.h"
#include "server/lane.h"
#include "server/log_event.h"
#include "server/node.h"

struct lane_thread;

struct lane_thread_options {
    struct lane_options lane;
    struct idle_options idle;
    int32_t core; /* -1: not pinned */
};

/* Memory that lane_thread_start takes from the arena. */
size_t lane_thread_arena_bytes(void);

/* Starts the thread, which opens its lane: lane_thread_await says what came of that. NULL: the
 * thread could not be made. Options are copied. */
struct lane_thread *lane_thread_start(const struct lane_thread_options *options,
                                      struct arena *arena);

/* Waits until the lane is open or has failed to open: NODE_EXIT_OK, or the exit status. Once. */
enum node_exit lane_thread_await(struct lane_thread *thread);

/* What failed to open; after lane_thread_await. */
const struct lane_report *lane_thread_report(const struct lane_thread *thread);

/* The lane, for what it found when it opened; until lane_thread_stop. NULL: it did not open. */
struct lane *lane_thread_lane(const struct lane_thread *thread);

/* How long a small write of this lane took to become durable at the start; 0: not known. After
 * lane_thread_await. */
uint64_t lane_thread_sync_ns(const struct lane_thread *thread);

/* The next log event; false: none waits. */
bool lane_thread_event(struct lane_thread *thread, struct log_event *ret_event);

/* How many turns the lane has ended. */
uint64_t lane_thread_turns(const struct lane_thread *thread);

/* True once the lane has ended, asked or not. */
bool lane_thread_has_ended(const struct lane_thread *thread);

/* Asks the lane to end once its replicas have handed their leaderships over, after leave_ns at the
 * latest; 0: after its turn. Once. */
void lane_thread_stop(struct lane_thread *thread, uint64_t leave_ns);

/* Waits for the thread's end: the exit status that it ended with. Its events stay to be popped. */
enum node_exit lane_thread_join(struct lane_thread *thread);

#endif
