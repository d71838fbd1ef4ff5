/*
 * What a node tells the service manager that started it (systemd): that it is ready, that it stops,
 * and, again and again, that its lanes are alive. A manager that no longer hears the last one ends
 * the process and starts it again. Where no manager listens, nothing is told.
 *
 * The word that the lanes are alive goes out only when each lane has made a turn since the last
 * one. So a lane that hangs takes the node with it, although the main thread is well.
 *
 * Owner: the main thread. Source: sd_notify(3), sd_watchdog_enabled(3), systemd.service(5).
 */
#ifndef POLLUX_SERVER_SERVICE_MANAGER_H
#define POLLUX_SERVER_SERVICE_MANAGER_H

#include "base/limits.h"

#include <stdbool.h>
#include <stdint.h>

/* So many words are due in the time after which the manager ends the process. */
#define SERVICE_MANAGER_WORDS 4

struct service_manager {
    uint64_t limit_ns;         /* after which the manager ends the process; 0: never */
    uint64_t told_ns;          /* when the last word went out */
    uint64_t turns[LANES_MAX]; /* of each lane, then */
    uint32_t lane_count;
    bool is_stalled; /* a lane is, and service_manager_step has said so */
};

/* Of a lane that makes no turns. */
struct service_stall {
    uint32_t lane;
    uint64_t silent_ns; /* since the last word */
    uint64_t limit_ns;
};

/* What the service does now, for whoever asks the manager; at most 255 bytes are told. */
void service_manager_status(const char *text);

/* The service is ready: `text` says what that means. Begins to watch so many lanes, from now_ns, if
 * the manager asks for that. */
void service_manager_ready(struct service_manager *manager, uint32_t lane_count, uint64_t now_ns,
                           const char *text);

/* Tells that the lanes are alive, when that is due and true. `turns` has a count for each lane.
 * True once in each stall, when half of the time is over: ret_stall has the lane, which the manager
 * will end the process for. */
bool service_manager_step(struct service_manager *manager, uint64_t now_ns, const uint64_t *turns,
                          struct service_stall *ret_stall);

/* The service stops, as asked or by itself. */
void service_manager_stopping(const char *text);

#endif
