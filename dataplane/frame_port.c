/*
 * One DPDK port: its queues, their buffer pools, and for a memif client the connection to its
 * server.
 *
 * net_memif's client connects once, when the port starts. Here the owner of queue 0 looks at an
 * idle link now and then and has the port started anew while it is down, so that the order in which
 * processes start does not matter. All queues are held off meanwhile.
 *
 * The driver tears connections down in EAL's interrupt thread, without a lock against a stop from
 * another thread. So a memif port is stopped, started anew and closed in that thread, too: an alarm
 * of EAL runs there.
 */
#include "dataplane/frame.h"

#include "base/check.h"
#include "dataplane/environment.h"
#include "dataplane/frame_port.h"
#include "dataplane/unmap_guard.h"
#include "dataplane/vdev.h"

#include <rte_alarm.h>
#include <rte_cycles.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define QUEUES_MAX              16
#define POOL_CACHE_MBUFS        256
#define MTU_BYTES_DEFAULT       1500
#define ETHERNET_OVERHEAD_BYTES 18
#define LINK_LOOK_PER_SECOND    200 /* of an idle memif client */
#define CONNECT_LOOKS_MAX       100 /* looks at a link that stays down before it is started anew */
#define LOG_SIZE_BYTES          512
#define ALARM_DELAY_US          1
#define ALARM_STEPS_MAX         20000000 /* yields; only a stuck driver takes so long */

#define OFFLOADS_TX_WANTED (RTE_ETH_TX_OFFLOAD_IPV4_CKSUM | RTE_ETH_TX_OFFLOAD_UDP_CKSUM)
#define OFFLOADS_RX_WANTED (RTE_ETH_RX_OFFLOAD_IPV4_CKSUM | RTE_ETH_RX_OFFLOAD_UDP_CKSUM)

struct frame_queue {
    struct unmap_guard guard;
    struct rte_mempool *pool;
    uint64_t rx_oversized;
};

struct dp_frame_port {
    struct frame_queue queues[QUEUES_MAX];
    uint16_t id;
    uint16_t queue_count;
    bool is_memif;
    bool is_memif_client;
    atomic_bool is_started;       /* written while the queues are held off */
    atomic_bool is_held;          /* pairs with each queue's guard: see port_hold */
    atomic_bool is_alarm_pending; /* release at the end of the alarm, acquire in who waits for it */
    bool was_up;
    uint32_t connect_looks;
    uint64_t look_tsc; /* next look at the link */
    uint64_t rx_offloads;
    uint64_t tx_offloads;
    uint8_t mac[6];
};

static_assert(sizeof(((struct dp_frame_port *)0)->mac) == RTE_ETHER_ADDR_LEN, "an Ethernet MAC");

static enum error port_find(const char *name, uint16_t *ret_id, char *ret_reason,
                            size_t reason_size)
{
    if (rte_eth_dev_get_port_by_name(name, ret_id) == 0) {
        return OK;
    }
    environment_reason(ret_reason, reason_size,
                       "port \"%s\" does not exist among %u ports; name a virtual port of the "
                       "configuration, or a PCI address that \"dpdk-devbind.py -s\" shows bound to "
                       "vfio-pci and that pci_allow admits",
                       name, rte_eth_dev_count_avail());
    return ERR_NOT_FOUND;
}

static enum error pools_make(struct dp_frame_port *port,
                             const struct dp_frame_port_options *options, uint16_t mtu_bytes,
                             char *ret_reason, size_t reason_size)
{
    uint16_t room = RTE_MBUF_DEFAULT_BUF_SIZE;
    if (mtu_bytes + ETHERNET_OVERHEAD_BYTES + RTE_PKTMBUF_HEADROOM > room) {
        room = (uint16_t)(mtu_bytes + ETHERNET_OVERHEAD_BYTES + RTE_PKTMBUF_HEADROOM);
    }
    for (uint16_t queue = 0; queue < port->queue_count; queue++) {
        char name[RTE_MEMPOOL_NAMESIZE];
        (void)snprintf(name, sizeof(name), "frames_%u_%u", port->id, queue);
        port->queues[queue].pool = rte_pktmbuf_pool_create(
            name, options->pool_size, POOL_CACHE_MBUFS, 0, room, SOCKET_ID_ANY);
        if (port->queues[queue].pool == NULL) {
            environment_reason(ret_reason, reason_size,
                               "no memory for %u packet buffers of %u bytes (%s); raise the memory "
                               "size or lower the pool size",
                               options->pool_size, room, rte_strerror(rte_errno));
            return ERR_NO_MEMORY;
        }
    }
    return OK;
}

static enum error port_failed(const char *name, const char *step, int result, char *ret_reason,
                              size_t reason_size)
{
    char log[LOG_SIZE_BYTES];
    environment_log_copy(log, sizeof(log));
    environment_reason(ret_reason, reason_size, "port \"%s\": %s: %s (%s)", name, step,
                       rte_strerror(-result), log);
    return ERR_IO;
}

static struct rte_eth_conf port_conf(const struct dp_frame_port *port,
                                     const struct rte_eth_dev_info *info)
{
    struct rte_eth_conf conf = {.rxmode = {.offloads = port->rx_offloads},
                                .txmode = {.offloads = port->tx_offloads}};
    uint64_t hash = info->flow_type_rss_offloads &
                    (RTE_ETH_RSS_NONFRAG_IPV4_UDP | RTE_ETH_RSS_NONFRAG_IPV6_UDP);
    if (port->queue_count > 1 && hash != 0) {
        conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
        conf.rx_adv_conf.rss_conf.rss_hf = hash;
    }
    return conf;
}

static int queues_setup(struct dp_frame_port *port, uint32_t ring_size)
{
    uint16_t rx_size = (uint16_t)ring_size;
    uint16_t tx_size = (uint16_t)ring_size;
    int result = rte_eth_dev_adjust_nb_rx_tx_desc(port->id, &rx_size, &tx_size);
    for (uint16_t queue = 0; result == 0 && queue < port->queue_count; queue++) {
        result = rte_eth_rx_queue_setup(port->id, queue, rx_size, SOCKET_ID_ANY, NULL,
                                        port->queues[queue].pool);
        if (result == 0) {
            result = rte_eth_tx_queue_setup(port->id, queue, tx_size, SOCKET_ID_ANY, NULL);
        }
    }
    return result;
}

static bool is_memif_client(const struct rte_eth_dev_info *info)
{
    char role[VDEV_VALUE_SIZE_BYTES];
    const struct rte_devargs *devargs = rte_dev_devargs(info->device);
    return devargs == NULL || devargs->args == NULL || !vdev_value(devargs->args, "role", role) ||
           strcmp(role, "client") == 0;
}

static enum error port_configure(struct dp_frame_port *port,
                                 const struct dp_frame_port_options *options, char *ret_reason,
                                 size_t reason_size)
{
    struct rte_eth_dev_info info;
    uint16_t mtu_bytes = options->mtu_bytes == 0 ? MTU_BYTES_DEFAULT : options->mtu_bytes;
    int result = rte_eth_dev_info_get(port->id, &info);
    if (result != 0) {
        return port_failed(options->name, "information", result, ret_reason, reason_size);
    }
    if (port->queue_count > info.max_rx_queues || port->queue_count > info.max_tx_queues) {
        environment_reason(
            ret_reason, reason_size,
            "port \"%s\" has %u receive and %u transmit queues, %u wanted; use fewer "
            "lanes",
            options->name, info.max_rx_queues, info.max_tx_queues, port->queue_count);
        return ERR_UNSUPPORTED;
    }
    port->rx_offloads = info.rx_offload_capa & OFFLOADS_RX_WANTED;
    port->tx_offloads = info.tx_offload_capa & OFFLOADS_TX_WANTED;
    port->is_memif = strcmp(info.driver_name, "net_memif") == 0;
    port->is_memif_client = port->is_memif && is_memif_client(&info);
    enum error error = pools_make(port, options, mtu_bytes, ret_reason, reason_size);
    if (error != OK) {
        return error;
    }
    struct rte_eth_conf conf = port_conf(port, &info);
    result = rte_eth_dev_configure(port->id, port->queue_count, port->queue_count, &conf);
    if (result == 0 && mtu_bytes != MTU_BYTES_DEFAULT) {
        result = rte_eth_dev_set_mtu(port->id, mtu_bytes);
    }
    if (result == 0) {
        result = queues_setup(port, options->ring_size);
    }
    return result == 0 ? OK : port_failed(options->name, "set-up", result, ret_reason, reason_size);
}

static enum error port_start(struct dp_frame_port *port, const char *name, char *ret_reason,
                             size_t reason_size)
{
    struct rte_ether_addr mac;
    int result = rte_eth_dev_start(port->id);
    port->is_started = result == 0;
    /* A client whose server is not there yet starts without a link and looks for it again. */
    if (result != 0 && !port->is_memif_client) {
        return port_failed(name, "start", result, ret_reason, reason_size);
    }
    result = rte_eth_macaddr_get(port->id, &mac);
    if (result != 0) {
        return port_failed(name, "hardware address", result, ret_reason, reason_size);
    }
    memcpy(port->mac, mac.addr_bytes, sizeof(port->mac));
    return OK;
}

static void port_release(struct dp_frame_port *port)
{
    for (uint16_t queue = 0; queue < port->queue_count; queue++) {
        unmap_guard_close(&port->queues[queue].guard);
        rte_mempool_free(port->queues[queue].pool);
    }
    free(port);
}

static enum error options_check(const struct dp_frame_port_options *options, char *ret_reason,
                                size_t reason_size)
{
    if (options->name == NULL || options->queue_count == 0 || options->queue_count > QUEUES_MAX ||
        options->ring_size == 0 || options->ring_size > UINT16_MAX ||
        options->pool_size < 2 * DP_FRAME_BURST_MAX) {
        environment_reason(ret_reason, reason_size,
                           "a port needs a name, 1 to %d queues, a ring of 1 to %d and a pool of "
                           "at least %d packet buffers",
                           QUEUES_MAX, UINT16_MAX, 2 * DP_FRAME_BURST_MAX);
        return ERR_ARGUMENT;
    }
    return OK;
}

enum error dp_frame_port_open(const struct dp_frame_port_options *options,
                              struct dp_frame_port **ret_port, char *ret_reason, size_t reason_size)
{
    uint16_t id;
    enum error error = options_check(options, ret_reason, reason_size);
    if (error == OK) {
        error = port_find(options->name, &id, ret_reason, reason_size);
    }
    if (error != OK) {
        return error;
    }
    struct dp_frame_port *port = aligned_alloc(alignof(struct dp_frame_port), sizeof(*port));
    if (port == NULL) {
        environment_reason(ret_reason, reason_size, "no memory for port \"%s\"", options->name);
        return ERR_NO_MEMORY;
    }
    memset(port, 0, sizeof(*port));
    port->id = id;
    port->queue_count = (uint16_t)options->queue_count;
    environment_log_clear();
    for (uint16_t queue = 0; error == OK && queue < port->queue_count; queue++) {
        error = unmap_guard_open(&port->queues[queue].guard);
    }
    if (error == OK) {
        error = port_configure(port, options, ret_reason, reason_size);
    }
    if (error == OK) {
        error = port_start(port, options->name, ret_reason, reason_size);
    }
    if (error != OK) {
        port_release(port);
        return error;
    }
    *ret_port = port;
    return OK;
}

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

void dp_frame_port_close(struct dp_frame_port *port)
{
    if (port == NULL) {
        return;
    }
    alarm_await(port);
    atomic_store(&port->is_alarm_pending, true);
    if (port->is_memif && rte_eal_alarm_set(ALARM_DELAY_US, close_alarm, port) == 0) {
        alarm_await(port);
    } else {
        close_alarm(port);
    }
    port_release(port);
}

void dp_frame_port_mac(const struct dp_frame_port *port, uint8_t ret_mac[6])
{
    memcpy(ret_mac, port->mac, sizeof(port->mac));
}

bool dp_frame_port_is_up(const struct dp_frame_port *port)
{
    struct rte_eth_link link = {0};
    return port->is_started && rte_eth_link_get_nowait(port->id, &link) == 0 &&
           link.link_status == RTE_ETH_LINK_UP;
}

/* A client whose server is not there tries again at each look; one whose server has accepted gets
 * time for the handshake. */
static void link_look(struct dp_frame_port *port)
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

/* Buffers in several parts are made one; those that cannot are larger than anything we accept. */
static uint32_t frames_linearise(struct frame_queue *queue, struct rte_mbuf **mbufs, uint32_t count)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (mbufs[i]->nb_segs > 1 && rte_pktmbuf_linearize(mbufs[i]) != 0) {
            queue->rx_oversized++;
            rte_pktmbuf_free(mbufs[i]);
            continue;
        }
        mbufs[kept++] = mbufs[i];
    }
    return kept;
}

/* A thread that EAL did not make has no buffer cache until it registers. */
static void thread_adopt(void)
{
    static _Thread_local bool is_tried;
    if (!is_tried) {
        is_tried = true;
        if (rte_lcore_id() == LCORE_ID_ANY) {
            (void)rte_thread_register();
        }
    }
}

/* Brackets a burst; false when the port is not to be touched now. */
static bool burst_begin(struct dp_frame_port *port, struct frame_queue *queue)
{
    unmap_guard_begin(&queue->guard);
    if (atomic_load_explicit(&port->is_held, memory_order_acquire) || !port->is_started) {
        unmap_guard_end(&queue->guard);
        return false;
    }
    return true;
}

uint32_t dp_frame_rx(struct dp_frame_port *port, uint32_t queue, struct dp_frame **ret_frames,
                     uint32_t max)
{
    CHECK(queue < port->queue_count && max <= DP_FRAME_BURST_MAX);
    struct rte_mbuf **mbufs = (struct rte_mbuf **)ret_frames;
    struct frame_queue *own = &port->queues[queue];
    uint32_t count = 0;
    thread_adopt();
    if (burst_begin(port, own)) {
        count = rte_eth_rx_burst(port->id, (uint16_t)queue, mbufs, (uint16_t)max);
        unmap_guard_end(&own->guard);
    }
    if (count == 0) {
        if (port->is_memif_client && queue == 0) {
            link_look(port);
        }
        return 0;
    }
    return frames_linearise(own, mbufs, count);
}

uint32_t dp_frame_tx(struct dp_frame_port *port, uint32_t queue, struct dp_frame **frames,
                     uint32_t count)
{
    CHECK(queue < port->queue_count && count <= DP_FRAME_BURST_MAX);
    struct frame_queue *own = &port->queues[queue];
    uint32_t sent = 0;
    if (burst_begin(port, own)) {
        sent = rte_eth_tx_burst(port->id, (uint16_t)queue, (struct rte_mbuf **)frames,
                                (uint16_t)count);
        unmap_guard_end(&own->guard);
    }
    return sent;
}

bool frame_port_new_bulk(struct dp_frame_port *port, uint32_t queue, struct rte_mbuf **ret_mbufs,
                         uint32_t count)
{
    return rte_pktmbuf_alloc_bulk(port->queues[queue].pool, ret_mbufs, count) == 0;
}

uint32_t frame_port_queue_count(const struct dp_frame_port *port)
{
    return port->queue_count;
}

uint64_t frame_port_rx_oversized(const struct dp_frame_port *port, uint32_t queue)
{
    return port->queues[queue].rx_oversized;
}

uint64_t frame_port_tx_offloads(const struct dp_frame_port *port)
{
    return port->tx_offloads;
}

uint64_t frame_port_rx_offloads(const struct dp_frame_port *port)
{
    return port->rx_offloads;
}
