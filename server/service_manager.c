/* See service_manager.h. */
#include "server/service_manager.h"

#include "base/check.h"

#include <stdio.h>
#include <string.h>
#include <systemd/sd-daemon.h>

#define TEXT_BYTES 256
#define US_NS      UINT64_C(1000)

/* A manager that cannot be reached is no reason to stop serving. */
static void service_tell(const char *state, const char *text)
{
    char lines[TEXT_BYTES + 64];
    snprintf(lines, sizeof(lines), "%s%sSTATUS=%.*s", state, state[0] == '\0' ? "" : "\n",
             TEXT_BYTES - 1, text);
    (void)sd_notify(0, lines);
}

void service_manager_status(const char *text)
{
    service_tell("", text);
}

void service_manager_ready(struct service_manager *manager, uint32_t lane_count, uint64_t now_ns,
                           const char *text)
{
    uint64_t limit_us = 0;
    CHECK(lane_count <= LANES_MAX);
    *manager = (struct service_manager){.told_ns = now_ns, .lane_count = lane_count};
    if (sd_watchdog_enabled(0, &limit_us) > 0 && limit_us <= UINT64_MAX / US_NS)
        manager->limit_ns = limit_us * US_NS;
    service_tell("READY=1", text);
}

/* The first lane that has made no turn since the last word; lane_count: there is none. */
static uint32_t find_stalled(const struct service_manager *manager, const uint64_t *turns)
{
    uint32_t lane = 0;
    while (lane < manager->lane_count && turns[lane] != manager->turns[lane])
        lane++;
    return lane;
}

bool service_manager_step(struct service_manager *manager, uint64_t now_ns, const uint64_t *turns,
                          struct service_stall *ret_stall)
{
    uint64_t silent_ns = now_ns - manager->told_ns;
    if (manager->limit_ns == 0 || silent_ns < manager->limit_ns / SERVICE_MANAGER_WORDS)
        return false;
    uint32_t stalled = find_stalled(manager, turns);
    if (stalled == manager->lane_count) {
        (void)sd_notify(0, "WATCHDOG=1");
        manager->told_ns = now_ns;
        manager->is_stalled = false;
        memcpy(manager->turns, turns, manager->lane_count * sizeof(*turns));
        return false;
    }
    if (manager->is_stalled || silent_ns < manager->limit_ns / 2)
        return false;
    manager->is_stalled = true;
    *ret_stall = (struct service_stall){
        .lane = stalled, .silent_ns = silent_ns, .limit_ns = manager->limit_ns};
    return true;
}

void service_manager_stopping(const char *text)
{
    service_tell("STOPPING=1", text);
}
