/*
 * The life of a frame port's link, and for a memif client the connection to its server.
 *
 * Drivers sleep when they are asked for the link (e1000e), or ask the kernel (af_packet). So a
 * thread that is no lane asks, and lanes read what that thread has published.
 *
 * net_memif's client connects once, when the port starts. Here a look has the port started anew
 * while the link is down, so that the order in which processes start does not matter. All queues
 * are held off meanwhile.
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
/* How long a link may stay down before it is started anew: half a second. */
#define HANDSHAKES_PER_SECOND 2
#define ALARM_DELAY_US        1
#define ALARM_STEPS_MAX       20000000 /* yields; only a stuck driver takes so long */

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

static bool port_is_up(const struct dp_frame_port *port, struct rte_eth_link *ret_link)
{
    *ret_link = (struct rte_eth_link){0};
    return port->is_started && rte_eth_link_get_nowait(port->id, ret_link) == 0 &&
           ret_link->link_status == RTE_ETH_LINK_UP;
}

/* A client whose server is not there tries again at each look; one whose server has accepted gets
 * time for the handshake. */
static void client_look(struct dp_frame_port *port, bool is_up, uint64_t tsc)
{
    /* Where the server went away there is no handshake to wait for. */
    bool is_due = port->was_up || !port->is_started || tsc >= port->handshake_tsc;
    port->was_up = is_up;
    if (!is_up && is_due) {
        port->handshake_tsc = tsc + rte_get_tsc_hz() / HANDSHAKES_PER_SECOND;
        atomic_store(&port->is_alarm_pending, true);
        if (rte_eal_alarm_set(ALARM_DELAY_US, restart_alarm, port) != 0) {
            atomic_store(&port->is_alarm_pending, false); /* the next look tries again */
        }
    }
}

static void news_set(atomic_uint_fast64_t *news, uint64_t number)
{
    atomic_store_explicit(news, number, memory_order_relaxed);
}

/* Memif counts nothing of this, and its counters must not be read while it connects. */
static void stats_read(struct dp_frame_port *port, uint64_t tsc)
{
    struct rte_eth_stats stats;
    if (tsc < port->stats_tsc || port->is_memif) {
        return;
    }
    port->stats_tsc = tsc + rte_get_tsc_hz();
    if (rte_eth_stats_get(port->id, &stats) != 0) {
        return;
    }
    news_set(&port->news.card[DP_CARD_RX_MISSED], stats.imissed);
    news_set(&port->news.card[DP_CARD_RX_ERRORS], stats.ierrors);
    news_set(&port->news.card[DP_CARD_RX_NO_BUFFER], stats.rx_nombuf);
    news_set(&port->news.card[DP_CARD_TX_ERRORS], stats.oerrors);
}

void dp_frame_port_look(struct dp_frame_port *port)
{
    struct rte_eth_link link;
    uint64_t tsc = rte_rdtsc();
    /* A port that is being started anew belongs to EAL's interrupt thread. */
    if (is_alarm_pending(port)) {
        return;
    }
    bool is_up = port_is_up(port, &link);
    bool is_known = is_up && link.link_speed != RTE_ETH_SPEED_NUM_UNKNOWN;
    if (is_up != dp_frame_port_is_up(port)) {
        news_set(&port->news.link_changes, dp_frame_port_link_changes(port) + 1);
    }
    atomic_store_explicit(&port->news.speed_mbps, is_known ? link.link_speed : 0,
                          memory_order_relaxed);
    atomic_store_explicit(&port->news.is_up, is_up, memory_order_relaxed);
    stats_read(port, tsc);
    if (port->is_memif_client && tsc >= port->look_tsc) {
        port->look_tsc = tsc + rte_get_tsc_hz() / LINK_LOOK_PER_SECOND;
        client_look(port, is_up, tsc);
    }
}

bool dp_frame_port_is_up(const struct dp_frame_port *port)
{
    return atomic_load_explicit(&port->news.is_up, memory_order_relaxed);
}

uint32_t dp_frame_port_speed_mbps(const struct dp_frame_port *port)
{
    return (uint32_t)atomic_load_explicit(&port->news.speed_mbps, memory_order_relaxed);
}

uint64_t dp_frame_port_link_changes(const struct dp_frame_port *port)
{
    return atomic_load_explicit(&port->news.link_changes, memory_order_relaxed);
}

uint64_t dp_frame_port_card_counter(const struct dp_frame_port *port, enum dp_card_counter counter)
{
    CHECK(counter < DP_CARD_COUNTERS);
    return atomic_load_explicit(&port->news.card[counter], memory_order_relaxed);
}
