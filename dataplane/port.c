/* Datagrams over one queue of a DPDK port: the receiving half, and the port's life. */
#include "dataplane/port.h"

#include "base/check.h"
#include "dataplane/environment.h"
#include "dataplane/port_internal.h"

#include <rte_ethdev.h>
#include <rte_prefetch.h>
#include <stdlib.h>
#include <string.h>

#define PREFETCH_AHEAD   4
#define UDP_PORTS_MAX    65536u
#define LOOK_INTERVAL_NS UINT64_C(10000000) /* between looks at the link */

static bool has_ip(const struct address *address)
{
    static const uint8_t nobody[16] = {0};
    return memcmp(address->ip, nobody, sizeof(nobody)) != 0;
}

static uint32_t count_of(uint32_t option)
{
    return option == 0 ? 1 : option;
}

static enum error port_options_check(const struct dp_port_options *options, char *ret_reason,
                                     size_t reason_size)
{
    bool has_ipv4 = has_ip(&options->ipv4);
    bool has_ipv6 = has_ip(&options->ipv6);
    const char *fault = NULL;
    uint32_t udp_ports = options->udp_port_count;
    if (options->frames == NULL || options->queue >= frame_port_queue_count(options->frames) ||
        options->queue >= count_of(options->queue_count) ||
        count_of(options->queue_count) != frame_port_queue_count(options->frames)) {
        fault = "the port has no such queue, or another number of queues";
    } else if (!has_ipv4 && !has_ipv6) {
        fault = "a port needs an IPv4 or an IPv6 address";
    } else if (has_ipv4 && (!address_is_ipv4(&options->ipv4) || options->ipv4_prefix_bits > 32)) {
        fault = "the IPv4 address is none, or its prefix is longer than 32 bits";
    } else if (has_ipv6 && (address_is_ipv4(&options->ipv6) || options->ipv6.ip[0] == 0xff ||
                            options->ipv6_prefix_bits > 128)) {
        fault = "the IPv6 address is not one machine's, or its prefix is longer than 128 bits";
    } else if ((has_ipv4 && options->ipv4.port == 0) || (has_ipv6 && options->ipv6.port == 0)) {
        fault = "UDP port 0 cannot be listened on";
    } else if ((has_ipv4 && options->ipv4.port + udp_ports > UDP_PORTS_MAX) ||
               (has_ipv6 && options->ipv6.port + udp_ports > UDP_PORTS_MAX)) {
        fault = "UDP ports end at 65535";
    }
    if (fault != NULL) {
        environment_reason(ret_reason, reason_size, "%s", fault);
        return ERR_ARGUMENT;
    }
    return OK;
}

static void self_fill(struct dp_port *port)
{
    const struct dp_port_options *options = &port->options;
    struct packet_self *self = &port->self;
    dp_frame_port_mac(options->frames, self->mac);
    self->has_ipv4 = has_ip(&options->ipv4);
    self->has_ipv6 = has_ip(&options->ipv6);
    memcpy(self->ipv4, options->ipv4.ip + 12, sizeof(self->ipv4));
    memcpy(self->ipv6, options->ipv6.ip, sizeof(self->ipv6));
    self->ipv4_port = options->ipv4.port;
    self->ipv6_port = options->ipv6.port;
    self->udp_port_count = (uint16_t)count_of(options->udp_port_count);
}

static void offloads_fill(struct dp_port *port)
{
    uint64_t tx = frame_port_tx_offloads(port->options.frames);
    if ((tx & RTE_ETH_TX_OFFLOAD_IPV4_CKSUM) != 0) {
        port->tx_offloads |= PACKET_TRUST_IP;
    }
    if ((tx & RTE_ETH_TX_OFFLOAD_UDP_CKSUM) != 0) {
        port->tx_offloads |= PACKET_TRUST_UDP;
    }
}

static enum error neighbours_fill(struct dp_port *port, const struct dp_port_options *options)
{
    enum error error = OK;
    for (uint32_t i = 0; i < options->neighbour_count && error == OK; i++) {
        const struct dp_neighbour *neighbour = &options->neighbours[i];
        error = neighbours_pin(&port->neighbours, neighbour->ip, neighbour->mac);
    }
    return error;
}

enum error dp_port_open(const struct dp_port_options *options, struct dp_port **ret_port,
                        char *ret_reason, size_t reason_size)
{
    enum error error = port_options_check(options, ret_reason, reason_size);
    if (error != OK) {
        return error;
    }
    struct dp_port *port = calloc(1, sizeof(*port));
    if (port == NULL) {
        environment_reason(ret_reason, reason_size, "no memory for a port");
        return ERR_NO_MEMORY;
    }
    port->options = *options;
    port->options.queue_count = count_of(options->queue_count);
    port->options.neighbours = NULL;
    self_fill(port);
    offloads_fill(port);
    error = neighbours_fill(port, options);
    if (error != OK) {
        free(port);
        environment_reason(ret_reason, reason_size,
                           "too many MACs are given for addresses of one set of the table");
        return error;
    }
    *ret_port = port;
    return OK;
}

static void held_release(struct dp_port *port)
{
    frame_port_release(port->options.frames, port->options.queue, port->held, port->held_count);
    port->held_count = 0;
}

void dp_port_close(struct dp_port *port)
{
    if (port == NULL) {
        return;
    }
    dp_port_tx_flush(port);
    held_release(port);
    rte_pktmbuf_free_bulk(port->spares, port->spare_count);
    rte_pktmbuf_free(port->reserved);
    free(port);
}

const struct dp_counters *dp_port_counters(const struct dp_port *port)
{
    return &port->counters;
}

/* Only next hops on the link are worth a place in the table. */
static void learn(struct dp_port *port, const struct packet *packet)
{
    struct neighbours *neighbours = &port->neighbours;
    if (!packet->has_neighbour || !port_is_on_link(port, packet->from.ip)) {
        return;
    }
    if (packet->kind == PACKET_NEIGHBOUR_NEWS) {
        neighbours_answer(neighbours, packet->from.ip, packet->neighbour_mac, port->now_ns);
    } else if (neighbours_hear(neighbours, packet->from.ip, packet->neighbour_mac, port->now_ns) ==
               ERR_FULL) {
        port->counters.drops[DP_DROP_NEIGHBOURS_FULL]++;
    }
}

static void answer(struct dp_port *port, const struct packet *packet, struct rte_mbuf *mbuf)
{
    uint32_t size = packet_answer(&port->self, packet, rte_pktmbuf_mtod(mbuf, uint8_t *));
    switch (packet->kind) {
    case PACKET_ARP_REQUEST:
        port->counters.arp_answers++;
        break;
    case PACKET_SOLICITATION:
        port->counters.neighbour_answers++;
        break;
    case PACKET_ECHO_IPV4:
    case PACKET_ECHO_IPV6:
        port->counters.echo_answers++;
        break;
    case PACKET_UDP:
    case PACKET_NEIGHBOUR_NEWS:
        break;
    }
    port_tx_frame(port, mbuf, size);
}

/*
 * What the port's hardware says of a frame's checksums. NONE: the frame holds no checksum, and is
 * known to be whole, as between guests of one host. Unknown, and BAD, which some cards say of what
 * they cannot check: they are computed.
 */
static uint32_t trust_of(const struct rte_mbuf *mbuf)
{
    uint32_t trust = 0;
    uint64_t ip = mbuf->ol_flags & RTE_MBUF_F_RX_IP_CKSUM_MASK;
    uint64_t udp = mbuf->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK;
    if (ip == RTE_MBUF_F_RX_IP_CKSUM_GOOD || ip == RTE_MBUF_F_RX_IP_CKSUM_NONE) {
        trust |= PACKET_TRUST_IP;
    }
    if (udp == RTE_MBUF_F_RX_L4_CKSUM_GOOD || udp == RTE_MBUF_F_RX_L4_CKSUM_NONE) {
        trust |= PACKET_TRUST_UDP;
    }
    return trust;
}

/* A card may take a tag out of the frame though nobody has asked for that. */
static bool is_of_vlan(const struct rte_mbuf *mbuf)
{
    return (mbuf->ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED) != 0 &&
           !packet_is_untagged(mbuf->vlan_tci);
}

static enum dp_drop parse(const struct dp_port *port, struct rte_mbuf *mbuf,
                          struct packet *ret_packet)
{
    uint8_t *data = rte_pktmbuf_mtod(mbuf, uint8_t *);
    if (is_of_vlan(mbuf)) {
        return DP_DROP_VLAN;
    }
    enum dp_drop drop =
        packet_parse(&port->self, span_of(data, mbuf->data_len), trust_of(mbuf), ret_packet);
    /* The rare frames: of a VLAN, or with a tag that says nothing but a priority. */
    if (drop != DP_DROP_VLAN || !packet_untag(data, mbuf->data_len)) {
        return drop;
    }
    CHECK(rte_pktmbuf_adj(mbuf, VLAN_TAG_SIZE_BYTES) != NULL);
    /* What a card says of checksums behind a tag need not be about these headers. */
    mbuf->ol_flags &= ~(RTE_MBUF_F_RX_IP_CKSUM_MASK | RTE_MBUF_F_RX_L4_CKSUM_MASK);
    return packet_parse(&port->self, span_of(rte_pktmbuf_mtod(mbuf, uint8_t *), mbuf->data_len), 0,
                        ret_packet);
}

/* Each lane has a neighbour table of its own, and an answer comes to one queue only, whoever asked.
 * All of them read the same frame. */
static void news_spread(struct dp_port *port, struct rte_mbuf *mbuf)
{
    for (uint32_t queue = 0; queue < port->options.queue_count; queue++) {
        if (queue == port->options.queue) {
            continue;
        }
        rte_mbuf_refcnt_update(mbuf, 1);
        if (!frame_port_hand_over(port->options.frames, queue, mbuf)) {
            rte_mbuf_refcnt_update(mbuf, -1);
            port->counters.drops[DP_DROP_HANDOVER_FULL]++;
        }
    }
}

/* Since when a frame may have been here; a frame says so to the lane that it is handed over to, in
 * microseconds of which it has 32 bits. */
static uint64_t waited_ns(const struct dp_port *port, const struct rte_mbuf *mbuf,
                          bool is_taken_over)
{
    if (is_taken_over) {
        return (uint64_t)((uint32_t)(port->now_ns / 1000) - mbuf->hash.usr) * 1000;
    }
    return port->now_ns > port->emptied_ns ? port->now_ns - port->emptied_ns : 0;
}

/* True when the frame is a datagram for the caller, who then holds the buffer; else it is done
 * with. */
static bool take(struct dp_port *port, struct rte_mbuf *mbuf, bool is_taken_over,
                 struct dp_datagram *ret_datagram)
{
    struct packet packet;
    enum dp_drop drop = parse(port, mbuf, &packet);
    if (drop != DP_DROP_NONE) {
        port->counters.drops[drop]++;
        frame_port_release(port->options.frames, port->options.queue, &mbuf, 1);
        return false;
    }
    learn(port, &packet);
    switch (packet.kind) {
    case PACKET_UDP:
        port->counters.rx_taken_over += is_taken_over;
        *ret_datagram = (struct dp_datagram){
            .from = packet.from,
            .data = rte_pktmbuf_mtod_offset(mbuf, uint8_t *, packet.payload_offset),
            .size_bytes = packet.payload_size_bytes,
            .port_offset = packet.port_offset,
            .slot = (uint16_t)port->held_count,
            .waited_ns = waited_ns(port, mbuf, is_taken_over)};
        return true;
    case PACKET_NEIGHBOUR_NEWS:
        if (!is_taken_over) {
            news_spread(port, mbuf);
        }
        frame_port_release(port->options.frames, port->options.queue, &mbuf, 1);
        return false;
    case PACKET_ARP_REQUEST:
    case PACKET_SOLICITATION:
    case PACKET_ECHO_IPV4:
    case PACKET_ECHO_IPV6:
        answer(port, &packet, mbuf);
        return false;
    }
    return false;
}

static void prefetch(struct rte_mbuf *mbuf)
{
    uint8_t *data = rte_pktmbuf_mtod(mbuf, uint8_t *);
    rte_prefetch0(data);
    rte_prefetch0(data + 64);
}

/* Holds the datagrams among the frames, behind those that are held. */
static void frames_take(struct dp_port *port, struct rte_mbuf **mbufs, uint32_t count,
                        bool is_taken_over, struct dp_datagram *ret_datagrams)
{
    for (uint32_t i = 0; i < count && i < PREFETCH_AHEAD; i++) {
        prefetch(mbufs[i]);
    }
    for (uint32_t i = 0; i < count; i++) {
        if (i + PREFETCH_AHEAD < count) {
            prefetch(mbufs[i + PREFETCH_AHEAD]);
        }
        if (take(port, mbufs[i], is_taken_over, &ret_datagrams[port->held_count])) {
            port->held[port->held_count++] = mbufs[i];
        }
    }
}

uint32_t dp_port_rx(struct dp_port *port, uint64_t now_ns, struct dp_datagram *ret_datagrams,
                    uint32_t max)
{
    struct dp_frame_port *frames = port->options.frames;
    struct rte_mbuf *mbufs[RX_BURST_MAX];
    CHECK(max <= RX_BURST_MAX);
    port->now_ns = now_ns;
    if (port->emptied_ns == 0) {
        port->emptied_ns = now_ns; /* it was opened just now */
    }
    held_release(port);
    /* Half of a burst at most, so that neither source starves the other. */
    uint32_t count = frame_port_take_over(frames, port->options.queue, mbufs, (max + 1) / 2);
    frames_take(port, mbufs, count, true, ret_datagrams);
    uint32_t taken_over = port->held_count;
    count = dp_frame_rx(frames, port->options.queue, (struct dp_frame **)mbufs, max - taken_over);
    port->counters.rx_packets += count;
    for (uint32_t i = 0; i < count; i++) {
        port->counters.rx_bytes += mbufs[i]->data_len;
    }
    frames_take(port, mbufs, count, false, ret_datagrams);
    uint64_t oversized = frame_port_rx_oversized(frames, port->options.queue);
    if (count + oversized - port->counters.drops[DP_DROP_FRAME_LONG] < max - taken_over) {
        port->emptied_ns = now_ns;
    }
    port->counters.drops[DP_DROP_FRAME_LONG] = oversized;
    return port->held_count;
}

bool dp_port_hand_over(struct dp_port *port, const struct dp_datagram *datagram, uint32_t queue)
{
    CHECK(queue < port->options.queue_count && queue != port->options.queue);
    CHECK(datagram->slot < port->held_count && port->held[datagram->slot] != NULL);
    struct rte_mbuf *mbuf = port->held[datagram->slot];
    /* Its checksums were found right here: the other lane need not compute them again. */
    mbuf->ol_flags &= ~(RTE_MBUF_F_RX_IP_CKSUM_MASK | RTE_MBUF_F_RX_L4_CKSUM_MASK);
    mbuf->ol_flags |= RTE_MBUF_F_RX_IP_CKSUM_GOOD | RTE_MBUF_F_RX_L4_CKSUM_GOOD;
    mbuf->hash.usr = (uint32_t)((port->now_ns - datagram->waited_ns) / 1000);
    if (!frame_port_hand_over(port->options.frames, queue, mbuf)) {
        port->counters.drops[DP_DROP_HANDOVER_FULL]++;
        return false;
    }
    port->held[datagram->slot] = NULL;
    port->counters.rx_handed_over++;
    return true;
}

/* A link that came up leads to peers that may hold an older MAC of ours. */
static void port_link_look(struct dp_port *port)
{
    bool is_up = dp_frame_port_is_up(port->options.frames);
    if (is_up && !port->was_up && port->options.queue == 0) {
        port_announce(port);
    }
    port->was_up = is_up;
}

/* What another thread has found out of the card: here it is only read. */
static void card_look(struct dp_port *port)
{
    const struct dp_frame_port *frames = port->options.frames;
    struct dp_counters *counters = &port->counters;
    counters->link_up = port->was_up;
    counters->link_mbps = dp_frame_port_speed_mbps(frames);
    counters->link_changes = dp_frame_port_link_changes(frames);
    counters->card_rx_missed = dp_frame_port_card_counter(frames, DP_CARD_RX_MISSED);
    counters->card_rx_errors = dp_frame_port_card_counter(frames, DP_CARD_RX_ERRORS);
    counters->card_rx_no_buffer = dp_frame_port_card_counter(frames, DP_CARD_RX_NO_BUFFER);
    counters->card_tx_errors = dp_frame_port_card_counter(frames, DP_CARD_TX_ERRORS);
}

void dp_port_tick(struct dp_port *port, uint64_t now_ns)
{
    port->now_ns = now_ns;
    port->counters.neighbour_conflicts = port->neighbours.conflicts;
    if (port->counters.neighbour_changes != port->neighbours.changes) {
        port->counters.neighbour_changes = port->neighbours.changes;
        port->counters.neighbour_change = port->neighbours.last;
    }
    if (now_ns >= port->look_ns) {
        port->look_ns = now_ns + LOOK_INTERVAL_NS;
        port_link_look(port);
        card_look(port);
    }
    for (uint32_t i = 0; i < QUERIES_PER_TICK_MAX; i++) {
        const struct neighbour *due = neighbours_next_due(&port->neighbours, now_ns);
        if (due == NULL) {
            return;
        }
        port_query(port, due->ip);
        dp_port_tx_flush(port);
    }
}
