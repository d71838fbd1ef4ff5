/*
 * What a card does not do unless it is asked: room for frames of the wanted size, queues,
 * checksums, memory near it, multicast. A virtual port has most of this by itself, so each wish is
 * made of whatever the driver says that it can do. Source: DPDK 22.11, rte_ethdev.h.
 */
#include "dataplane/frame_port_internal.h"

#include "dataplane/environment.h"

#include <rte_errno.h>
#include <rte_mbuf.h>
#include <stdio.h>
#include <string.h>

#define OFFLOADS_TX_WANTED (RTE_ETH_TX_OFFLOAD_IPV4_CKSUM | RTE_ETH_TX_OFFLOAD_UDP_CKSUM)
#define OFFLOADS_RX_WANTED (RTE_ETH_RX_OFFLOAD_IPV4_CKSUM | RTE_ETH_RX_OFFLOAD_UDP_CKSUM)
#define HASHES_WANTED      (RTE_ETH_RSS_NONFRAG_IPV4_UDP | RTE_ETH_RSS_NONFRAG_IPV6_UDP)

/* What a driver may put around an IP packet: Ethernet, two tags of VLANs, the check sequence, and
 * the header of virtio. A driver that needs more says so. */
#define OVERHEAD_BYTES_MIN 64
/* More is no overhead: a card that takes larger frames than its MTU allows. */
#define OVERHEAD_BYTES_MAX 256

/* Some cards count the room of a buffer in units of so many bytes, rounded down. */
#define ROOM_UNIT_BYTES 1024

static uint16_t mtu_of(const struct dp_frame_port_options *options)
{
    return options->mtu_bytes == 0 ? MTU_USUAL : options->mtu_bytes;
}

static uint32_t overhead_bytes(const struct rte_eth_dev_info *info)
{
    uint32_t told = info->max_rx_pktlen > info->max_mtu ? info->max_rx_pktlen - info->max_mtu : 0;
    return told > OVERHEAD_BYTES_MIN && told <= OVERHEAD_BYTES_MAX ? told : OVERHEAD_BYTES_MIN;
}

/* Without the headroom. */
static uint32_t room_bytes(const struct rte_eth_dev_info *info, uint16_t mtu_bytes)
{
    uint32_t room = mtu_bytes + overhead_bytes(info);
    if (room < RTE_MBUF_DEFAULT_DATAROOM) {
        room = RTE_MBUF_DEFAULT_DATAROOM;
    }
    if (room < info->min_rx_bufsize) {
        room = info->min_rx_bufsize;
    }
    return (room + ROOM_UNIT_BYTES - 1) / ROOM_UNIT_BYTES * ROOM_UNIT_BYTES;
}

/* Near the card if that node has memory, else anywhere. */
static struct rte_mempool *pool_make(struct dp_frame_port *port, uint16_t queue, uint32_t size)
{
    char name[RTE_MEMPOOL_NAMESIZE];
    uint16_t bytes = (uint16_t)(port->facts.room_bytes + RTE_PKTMBUF_HEADROOM);
    (void)snprintf(name, sizeof(name), "frames_%u_%u", port->id, queue);
    struct rte_mempool *pool =
        rte_pktmbuf_pool_create(name, size, POOL_CACHE_MBUFS, 0, bytes, port->facts.numa_node);
    if (pool != NULL || port->facts.numa_node == SOCKET_ID_ANY) {
        return pool;
    }
    port->facts.is_memory_near = false;
    return rte_pktmbuf_pool_create(name, size, POOL_CACHE_MBUFS, 0, bytes, SOCKET_ID_ANY);
}

static enum error pools_make(struct dp_frame_port *port,
                             const struct dp_frame_port_options *options, char *ret_reason,
                             size_t reason_size)
{
    port->facts.numa_node = rte_eth_dev_socket_id(port->id);
    port->facts.is_memory_near = true;
    for (uint16_t queue = 0; queue < port->queue_count; queue++) {
        port->queues[queue].pool = pool_make(port, queue, options->pool_size);
        if (port->queues[queue].pool == NULL) {
            environment_reason(ret_reason, reason_size,
                               "no memory for %u packet buffers of %u bytes (%s); raise [port] "
                               "memory_mib, or lower [port] mtu or ring_size",
                               options->pool_size, port->facts.room_bytes, rte_strerror(rte_errno));
            return ERR_NO_MEMORY;
        }
    }
    return OK;
}

static enum error limits_check(const struct dp_frame_port_options *options,
                               const struct rte_eth_dev_info *info, char *ret_reason,
                               size_t reason_size)
{
    uint16_t mtu_bytes = mtu_of(options);
    if (options->queue_count > info->max_rx_queues || options->queue_count > info->max_tx_queues) {
        environment_reason(ret_reason, reason_size,
                           "port \"%s\" has %u receive and %u transmit queues, %u wanted; set "
                           "[lane] count lower",
                           options->name, info->max_rx_queues, info->max_tx_queues,
                           options->queue_count);
        return ERR_UNSUPPORTED;
    }
    if (mtu_bytes < info->min_mtu || mtu_bytes > info->max_mtu) {
        environment_reason(ret_reason, reason_size,
                           "port \"%s\" takes an MTU from %u to %u, and %u is wanted; set [port] "
                           "mtu within that",
                           options->name, info->min_mtu, info->max_mtu, mtu_bytes);
        return ERR_UNSUPPORTED;
    }
    return OK;
}

/* The largest MTU that the driver may be told. That of memif says 1500, and carries frames of any
 * size, in several of its buffers. */
static uint16_t mtu_told(const struct dp_frame_port *port)
{
    return port->is_memif && port->facts.mtu_bytes > MTU_USUAL ? MTU_USUAL : port->facts.mtu_bytes;
}

static struct rte_eth_conf conf_of(const struct dp_frame_port *port,
                                   const struct rte_eth_dev_info *info)
{
    struct rte_eth_conf conf = {.rxmode = {.offloads = port->rx_offloads, .mtu = mtu_told(port)},
                                .txmode = {.offloads = port->tx_offloads}};
    if (port->facts.has_rss) {
        conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
        conf.rx_adv_conf.rss_conf.rss_hf = info->flow_type_rss_offloads & HASHES_WANTED;
    }
    return conf;
}

static int queues_setup(struct dp_frame_port *port, uint32_t ring_size)
{
    uint16_t rx_size = (uint16_t)ring_size;
    uint16_t tx_size = (uint16_t)ring_size;
    unsigned numa_node =
        (unsigned)(port->facts.is_memory_near ? port->facts.numa_node : SOCKET_ID_ANY);
    int result = rte_eth_dev_adjust_nb_rx_tx_desc(port->id, &rx_size, &tx_size);
    for (uint16_t queue = 0; result == 0 && queue < port->queue_count; queue++) {
        result = rte_eth_rx_queue_setup(port->id, queue, rx_size, numa_node, NULL,
                                        port->queues[queue].pool);
        if (result == 0) {
            result = rte_eth_tx_queue_setup(port->id, queue, tx_size, numa_node, NULL);
        }
    }
    return result;
}

/* A driver that cannot change it has what was configured, or 1500. */
static int mtu_set(const struct dp_frame_port *port)
{
    int result = rte_eth_dev_set_mtu(port->id, mtu_told(port));
    return result == -ENOTSUP ? 0 : result;
}

static void facts_fill(struct dp_frame_port *port, const struct rte_eth_dev_info *info,
                       uint16_t mtu_bytes)
{
    struct dp_frame_facts *facts = &port->facts;
    port->rx_offloads = info->rx_offload_capa & OFFLOADS_RX_WANTED;
    port->tx_offloads = info->tx_offload_capa & OFFLOADS_TX_WANTED;
    facts->mtu_bytes = mtu_bytes;
    facts->room_bytes = room_bytes(info, mtu_bytes);
    facts->has_rx_checksum = (port->rx_offloads & RTE_ETH_RX_OFFLOAD_UDP_CKSUM) != 0;
    facts->has_tx_checksum = (port->tx_offloads & RTE_ETH_TX_OFFLOAD_UDP_CKSUM) != 0;
    facts->has_rss = port->queue_count > 1 && (info->flow_type_rss_offloads & HASHES_WANTED) != 0;
}

enum error frame_card_configure(struct dp_frame_port *port,
                                const struct dp_frame_port_options *options,
                                const struct rte_eth_dev_info *info, char *ret_reason,
                                size_t reason_size)
{
    uint16_t mtu_bytes = mtu_of(options);
    enum error error = limits_check(options, info, ret_reason, reason_size);
    if (error != OK) {
        return error;
    }
    facts_fill(port, info, mtu_bytes);
    error = pools_make(port, options, ret_reason, reason_size);
    if (error != OK) {
        return error;
    }
    struct rte_eth_conf conf = conf_of(port, info);
    int result = rte_eth_dev_configure(port->id, port->queue_count, port->queue_count, &conf);
    if (result == 0 && mtu_bytes != MTU_USUAL) {
        result = mtu_set(port);
    }
    if (result == 0) {
        result = queues_setup(port, options->ring_size);
    }
    return result == 0
               ? OK
               : frame_port_failed(options->name, "set-up", result, ret_reason, reason_size);
}

void frame_card_listen(struct dp_frame_port *port)
{
    struct dp_frame_facts *facts = &port->facts;
    facts->multicast = DP_MULTICAST_UNKNOWN;
    if (rte_eth_allmulticast_enable(port->id) == 0) {
        facts->multicast = DP_MULTICAST_ALL;
    } else if (port->multicast_count > 0 &&
               rte_eth_dev_set_mc_addr_list(port->id, port->multicast_macs,
                                            port->multicast_count) == 0) {
        facts->multicast = DP_MULTICAST_LISTED;
    } else if (rte_eth_promiscuous_enable(port->id) == 0) {
        facts->multicast = DP_MULTICAST_PROMISCUOUS;
    }
}
