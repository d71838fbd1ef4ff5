/* Datagrams over one queue of a DPDK port: the sending half. */
#include "dataplane/port_internal.h"

#include "base/check.h"

#include <rte_pause.h>
#include <string.h>

static bool is_prefix_equal(const uint8_t *a, const uint8_t *b, uint32_t bits)
{
    uint32_t bytes = bits / 8;
    uint32_t mask = 0xff00u >> (bits % 8);
    return memcmp(a, b, bytes) == 0 &&
           (bits % 8 == 0 || ((a[bytes] ^ b[bytes]) & mask & 0xff) == 0);
}

bool port_is_on_link(const struct dp_port *port, const uint8_t ip[16])
{
    struct address address = address_of_ip(ip, 0);
    if (address_is_ipv4(&address)) {
        return port->self.has_ipv4 &&
               is_prefix_equal(ip + 12, port->self.ipv4, port->options.ipv4_prefix_bits);
    }
    bool is_link_local = ip[0] == 0xfe && (ip[1] & 0xc0) == 0x80;
    return port->self.has_ipv6 &&
           (is_link_local || is_prefix_equal(ip, port->self.ipv6, port->options.ipv6_prefix_bits));
}

/* The address on this link to which a packet for `ip` goes; false when there is none. */
static bool next_hop(const struct dp_port *port, const uint8_t ip[16], uint8_t ret_hop[16])
{
    static const uint8_t nobody[4] = {0};
    struct address hop = address_of_ip(ip, 0);
    bool is_ipv4 = address_is_ipv4(&hop);
    if (!port_is_on_link(port, ip)) {
        if (!is_ipv4 || !port->self.has_ipv4 ||
            memcmp(port->options.gateway_ipv4, nobody, sizeof(nobody)) == 0) {
            return false;
        }
        hop = address_of_ipv4(port->options.gateway_ipv4, 0);
    }
    memcpy(ret_hop, hop.ip, sizeof(hop.ip));
    return true;
}

static struct rte_mbuf *spare_take(struct dp_port *port)
{
    if (port->spare_count == 0 && frame_port_new_bulk(port->options.frames, port->options.queue,
                                                      port->spares, TX_BURST_MAX)) {
        port->spare_count = TX_BURST_MAX;
    }
    if (port->spare_count == 0) {
        struct rte_mbuf *single = NULL;
        /* A pool that cannot fill a burst may still have one. */
        return frame_port_new_bulk(port->options.frames, port->options.queue, &single, 1) ? single
                                                                                          : NULL;
    }
    return port->spares[--port->spare_count];
}

void port_query(struct dp_port *port, const uint8_t ip[16])
{
    struct rte_mbuf *mbuf = spare_take(port);
    if (mbuf == NULL) {
        port->counters.drops[DP_DROP_POOL_EMPTY]++;
        return;
    }
    port_tx_frame(port, mbuf,
                  packet_write_query(&port->self, ip, rte_pktmbuf_mtod(mbuf, uint8_t *)));
}

static void announce_one(struct dp_port *port, bool is_ipv4)
{
    struct rte_mbuf *mbuf = spare_take(port);
    if (mbuf == NULL) {
        port->counters.drops[DP_DROP_POOL_EMPTY]++;
        return;
    }
    uint8_t *data = rte_pktmbuf_mtod(mbuf, uint8_t *);
    port_tx_frame(port, mbuf, packet_write_announcement(&port->self, is_ipv4, data));
}

void port_announce(struct dp_port *port)
{
    if (port->self.has_ipv4) {
        announce_one(port, true);
    }
    if (port->self.has_ipv6) {
        announce_one(port, false);
    }
    dp_port_tx_flush(port);
}

/* The MAC to send to; NULL, counted, while nobody has answered for it. */
static const uint8_t *resolve(struct dp_port *port, const struct address *to)
{
    uint8_t hop[16];
    struct neighbour *neighbour;
    if (!next_hop(port, to->ip, hop)) {
        port->counters.drops[DP_DROP_NO_ROUTE]++;
        return NULL;
    }
    if (neighbours_want(&port->neighbours, hop, port->now_ns, &neighbour) != OK) {
        port->counters.drops[DP_DROP_NEIGHBOURS_FULL]++;
        return NULL;
    }
    if (neighbours_is_query_due(&port->neighbours, neighbour, port->now_ns)) {
        port_query(port, hop);
    }
    if (!neighbour->is_known) {
        port->counters.drops[DP_DROP_NO_ROUTE]++;
        return NULL;
    }
    return neighbour->mac;
}

uint8_t *dp_port_tx_reserve(struct dp_port *port, uint16_t port_offset, const struct address *to)
{
    CHECK(port_offset < port->self.udp_port_count);
    const uint8_t *mac = resolve(port, to);
    port->is_reserved = false;
    if (mac == NULL) {
        return NULL;
    }
    if (port->reserved == NULL) {
        port->reserved = spare_take(port);
    }
    if (port->reserved == NULL) {
        port->counters.drops[DP_DROP_POOL_EMPTY]++;
        return NULL;
    }
    uint8_t *data = rte_pktmbuf_mtod(port->reserved, uint8_t *);
    packet_begin_udp(&port->self, port_offset, to, mac, data);
    port->is_reserved = true;
    port->is_reserved_ipv4 = address_is_ipv4(to);
    return data + packet_udp_header_size_bytes(port->is_reserved_ipv4);
}

static void offloads_set(const struct dp_port *port, struct rte_mbuf *mbuf)
{
    bool is_ipv4 = port->is_reserved_ipv4;
    mbuf->ol_flags |= is_ipv4 ? RTE_MBUF_F_TX_IPV4 : RTE_MBUF_F_TX_IPV6;
    if (is_ipv4 && (port->tx_offloads & PACKET_TRUST_IP) != 0) {
        mbuf->ol_flags |= RTE_MBUF_F_TX_IP_CKSUM;
    }
    if ((port->tx_offloads & PACKET_TRUST_UDP) != 0) {
        mbuf->ol_flags |= RTE_MBUF_F_TX_UDP_CKSUM;
    }
    mbuf->l2_len = ETHERNET_HEADER_SIZE_BYTES;
    mbuf->l3_len = is_ipv4 ? IPV4_HEADER_SIZE_BYTES : IPV6_HEADER_SIZE_BYTES;
}

void dp_port_tx_commit(struct dp_port *port, uint32_t size_bytes)
{
    CHECK(port->is_reserved);
    struct rte_mbuf *mbuf = port->reserved;
    CHECK(packet_udp_header_size_bytes(port->is_reserved_ipv4) + size_bytes <=
          rte_pktmbuf_tailroom(mbuf));
    port->reserved = NULL;
    port->is_reserved = false;
    uint32_t size = packet_end_udp(rte_pktmbuf_mtod(mbuf, uint8_t *), port->is_reserved_ipv4,
                                   size_bytes, port->tx_offloads);
    if (port->tx_offloads != 0) {
        offloads_set(port, mbuf);
    }
    port_tx_frame(port, mbuf, size);
}

void port_tx_frame(struct dp_port *port, struct rte_mbuf *mbuf, uint32_t size_bytes)
{
    mbuf->data_len = (uint16_t)size_bytes;
    mbuf->pkt_len = size_bytes;
    port->queued[port->queued_count++] = mbuf;
    if (port->queued_count == TX_BURST_MAX) {
        dp_port_tx_flush(port);
    }
}

void dp_port_tx_flush(struct dp_port *port)
{
    uint32_t sent = 0;
    uint64_t bytes = 0;
    uint32_t sizes[TX_BURST_MAX];
    uint32_t count = port->queued_count;
    for (uint32_t i = 0; i < count; i++) {
        sizes[i] = port->queued[i]->data_len; /* a sent buffer is no longer ours to read */
    }
    for (uint32_t tries = 0; sent < count && tries <= TX_RETRIES_MAX; tries++) {
        if (tries > 0) {
            rte_pause();
        }
        sent += dp_frame_tx(port->options.frames, port->options.queue,
                            (struct dp_frame **)port->queued + sent, count - sent);
    }
    for (uint32_t i = 0; i < sent; i++) {
        bytes += sizes[i];
    }
    rte_pktmbuf_free_bulk(port->queued + sent, count - sent);
    port->counters.tx_packets += sent;
    port->counters.tx_bytes += bytes;
    port->counters.drops[DP_DROP_TX_FULL] += count - sent;
    port->queued_count = 0;
}
