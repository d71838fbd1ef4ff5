/* One DPDK port: its queues and their buffer pools. */
#include "dataplane/frame.h"

#include "dataplane/environment.h"
#include "dataplane/frame_port_internal.h"
#include "dataplane/vdev.h"

#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOG_SIZE_BYTES 512

static_assert(sizeof(((struct dp_frame_port *)0)->mac) == RTE_ETHER_ADDR_LEN, "an Ethernet MAC");

static enum error port_find(const char *name, uint16_t *ret_id, char *ret_reason,
                            size_t reason_size)
{
    if (rte_eth_dev_get_port_by_name(name, ret_id) == 0) {
        return OK;
    }
    char log[LOG_SIZE_BYTES];
    environment_log_copy(log, sizeof(log));
    environment_reason(ret_reason, reason_size,
                       "DPDK has no port \"%s\" among its %u: it took no device of that name (%s)",
                       name, rte_eth_dev_count_avail(), log);
    return ERR_NOT_FOUND;
}

enum error frame_port_failed(const char *name, const char *step, int result, char *ret_reason,
                             size_t reason_size)
{
    char log[LOG_SIZE_BYTES];
    environment_log_copy(log, sizeof(log));
    environment_reason(ret_reason, reason_size, "port \"%s\": %s: %s (%s)", name, step,
                       rte_strerror(-result), log);
    return ERR_IO;
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
    int result = rte_eth_dev_info_get(port->id, &info);
    if (result != 0) {
        return frame_port_failed(options->name, "information", result, ret_reason, reason_size);
    }
    port->is_memif = strcmp(info.driver_name, "net_memif") == 0;
    port->is_memif_client = port->is_memif && is_memif_client(&info);
    (void)snprintf(port->facts.driver, sizeof(port->facts.driver), "%s", info.driver_name);
    return frame_card_configure(port, options, &info, ret_reason, reason_size);
}

static enum error port_start(struct dp_frame_port *port, const char *name, char *ret_reason,
                             size_t reason_size)
{
    struct rte_ether_addr mac;
    int result = rte_eth_dev_start(port->id);
    port->is_started = result == 0;
    /* A client whose server is not there yet starts without a link and looks for it again. */
    if (result != 0 && !port->is_memif_client) {
        return frame_port_failed(name, "start", result, ret_reason, reason_size);
    }
    result = rte_eth_macaddr_get(port->id, &mac);
    if (result != 0) {
        return frame_port_failed(name, "hardware address", result, ret_reason, reason_size);
    }
    memcpy(port->mac, mac.addr_bytes, sizeof(port->mac));
    frame_card_listen(port);
    return OK;
}

static void port_release(struct dp_frame_port *port)
{
    for (uint16_t queue = 0; queue < port->queue_count; queue++) {
        unmap_guard_close(&port->queues[queue].guard);
        frame_handover_close(port->queues[queue].handover);
    }
    for (uint16_t queue = 0; queue < port->queue_count; queue++) {
        rte_mempool_free(port->queues[queue].pool);
    }
    free(port);
}

static enum error frame_options_check(const struct dp_frame_port_options *options, char *ret_reason,
                                      size_t reason_size)
{
    if (options->name == NULL || options->queue_count == 0 || options->queue_count > LANES_MAX ||
        options->ring_size == 0 || options->ring_size > UINT16_MAX ||
        options->multicast_count > DP_MULTICAST_MACS_MAX ||
        options->pool_size < 2 * DP_FRAME_BURST_MAX) {
        environment_reason(ret_reason, reason_size,
                           "a port needs a name, 1 to %d queues, a ring of 1 to %d and a pool of "
                           "at least %d packet buffers",
                           LANES_MAX, UINT16_MAX, 2 * DP_FRAME_BURST_MAX);
        return ERR_ARGUMENT;
    }
    return OK;
}

static enum error queue_init(struct dp_frame_port *port, uint16_t index, char *ret_reason,
                             size_t reason_size)
{
    struct frame_queue *queue = &port->queues[index];
    if (unmap_guard_open(&queue->guard) != OK) {
        environment_reason(ret_reason, reason_size, "more than %d queues in one process",
                           UNMAP_GUARDS_MAX);
        return ERR_FULL;
    }
    if (port->queue_count == 1) {
        return OK;
    }
    queue->handover = frame_handover_open(port, index);
    if (queue->handover == NULL) {
        environment_reason(ret_reason, reason_size,
                           "no memory for the ring of queue %u (%s); raise the memory size ([port] "
                           "memory_mib)",
                           index, rte_strerror(rte_errno));
        return ERR_NO_MEMORY;
    }
    return OK;
}

enum error dp_frame_port_open(const struct dp_frame_port_options *options,
                              struct dp_frame_port **ret_port, char *ret_reason, size_t reason_size)
{
    uint16_t id;
    enum error error = frame_options_check(options, ret_reason, reason_size);
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
    port->multicast_count = options->multicast_count;
    for (uint32_t i = 0; i < options->multicast_count; i++) {
        memcpy(port->multicast_macs[i].addr_bytes, options->multicast_macs[i], RTE_ETHER_ADDR_LEN);
    }
    environment_log_clear();
    for (uint16_t queue = 0; error == OK && queue < port->queue_count; queue++) {
        error = queue_init(port, queue, ret_reason, reason_size);
    }
    if (error == OK) {
        error = port_configure(port, options, ret_reason, reason_size);
    }
    if (error == OK) {
        error = port_start(port, options->name, ret_reason, reason_size);
    }
    if (error == OK) {
        port->is_steered = frame_steer_open(port, options->udp_port_first, options->udp_port_count);
    }
    if (error != OK) {
        port_release(port);
        return error;
    }
    dp_frame_port_look(port);
    *ret_port = port;
    return OK;
}

void dp_frame_port_close(struct dp_frame_port *port)
{
    if (port == NULL) {
        return;
    }
    frame_link_close(port);
    port_release(port);
}

void dp_frame_port_mac(const struct dp_frame_port *port, uint8_t ret_mac[6])
{
    memcpy(ret_mac, port->mac, sizeof(port->mac));
}

const struct dp_frame_facts *dp_frame_port_facts(const struct dp_frame_port *port)
{
    return &port->facts;
}

bool dp_frame_port_is_steered(const struct dp_frame_port *port)
{
    return port->is_steered;
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
