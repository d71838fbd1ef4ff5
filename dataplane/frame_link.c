/*
 * The life of a frame port's link, and for a memif client the connection to its server.
 *
 * net_memif's client connects once, when the port starts. Here the owner of queue 0 looks at an
 * idle link now and then and has the port started anew while it is down, so that the order in which
 * processes start does not matter. All queues are held off meanwhile.
 *
 * The driver tears connections down in EAL's interrupt thread, without a lock against a stop from
 * another thread. So a memif port is stopped, started anew and closed in that thread, too: an alarm
 * of EAL runs there.
 */
#include "dataplane/frame_port_internal.h"

#include "base/check.h"

#include <rte_alarm.h>
#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <sched.h>

#define LINK_LOOK_PER_SECOND 200 /* of an idle memif client */
#define CONNECT_LOOKS_MAX    100 /* looks at a link that stays down before it is started anew */
#define ALARM_DELAY_US       1
#define ALARM_STEPS_MAX      20000000 /* yields; only a stuck driver takes so long */

/* Returns once no queue is in a burst; those that begin later see the mark and turn back. */
static void port_hold(struct dp_frame_port *port)
{
    atomic_store(&port->is_held, true);
    unmap_guard_wait();
}

static void port_stop(struct dp_frame_port *port)
{
    port_hold(port);
    if (port->is_started) {
        (void)rte_eth_dev_stop(port->id);
    }
    port->is_started = false;
}

/* EAL's interrupt thread. */
static void restart_alarm(void *context)
{
    struct dp_frame_port *port = context;
    port_stop(port);
    port->is_started = rte_eth_dev_start(port->id) == 0;
    atomic_store(&port->is_held, false);
    atomic_store_explicit(&port->is_alarm_pending, false, memory_order_release);
}

static void close_alarm(void *context)
{
    struct dp_frame_port *port = context;
    port_stop(port);
    (void)rte_eth_dev_close(port->id);
    atomic_store_explicit(&port->is_alarm_pending, false, memory_order_release);
}

static bool is_alarm_pending(const struct dp_frame_port *port)
{
    return atomic_load_explicit(&port->is_alarm_pending, memory_order_acquire);
}

static void alarm_await(const struct dp_frame_port *port)
{
    for (uint32_t steps = 0; steps < ALARM_STEPS_MAX && is_alarm_pending(port); steps++) {
        (void)sched_yield();
    }
    CHECK(!is_alarm_pending(port));
}

void frame_link_close(struct dp_frame_port *port)
{
    alarm_await(port);
    atomic_store(&port->is_alarm_pending, true);
    if (port->is_memif && rte_eal_alarm_set(ALARM_DELAY_US, close_alarm, port) == 0) {
        alarm_await(port);
    } else {
        close_alarm(port);
    }
}

bool dp_frame_port_is_up(const struct dp_frame_port *port)
{
    struct rte_eth_link link = {0};
    return port->is_started && rte_eth_link_get_nowait(port->id, &link) == 0 &&
           link.link_status == RTE_ETH_LINK_UP;
}

/* A client whose server is not there tries again at each look; one whose server has accepted gets
 * time for the handshake. */
void frame_link_look(struct dp_frame_port *port)
{
    uint64_t tsc = rte_rdtsc();
    if (tsc < port->look_tsc || is_alarm_pending(port)) {
        return;
    }
    port->look_tsc = tsc + rte_get_tsc_hz() / LINK_LOOK_PER_SECOND;
    if (dp_frame_port_is_up(port)) {
        port->was_up = true;
        port->connect_looks = 0;
        return;
    }
    if (port->was_up) {
        /* The server went away: no handshake to wait for. */
        port->was_up = false;
        port->connect_looks = CONNECT_LOOKS_MAX - 1;
    }
    port->connect_looks++;
    if (!port->is_started || port->connect_looks >= CONNECT_LOOKS_MAX) {
        port->connect_looks = 0;
        atomic_store(&port->is_alarm_pending, true);
        if (rte_eal_alarm_set(ALARM_DELAY_US, restart_alarm, port) != 0) {
            atomic_store(&port->is_alarm_pending, false); /* the next look tries again */
        }
    }
}
