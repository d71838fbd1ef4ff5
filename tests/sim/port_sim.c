/* dataplane/port.h over the simulated network: hands out packets of a lane's queue and ring, one
 * burst at a time. */
#include "tests/sim/port_sim.h"

#include "base/check.h"
#include "dataplane/port.h"
#include "server/peer_seals.h"

#include <stdio.h>
#include <stdlib.h>

struct dp_port {
    struct network *network;
    struct port_sim_watch watch;
    uint32_t node;
    uint32_t lane;
    uint16_t udp_port; /* the first of udp_port_count */
    uint16_t udp_port_count;
    uint32_t burst_count;
    struct packet *burst[RX_BURST_MAX]; /* NULL: handed over */
    bool is_reserved;
    uint16_t port_offset;
    struct address to;
    uint8_t tx[PACKET_SIZE_BYTES_MAX];
    struct dp_counters counters;
};

/* The packet that was sealed last, its payload as it was before: who judges hears through seals. */
struct opened_packet {
    const uint8_t *sealed; /* where it lies; NULL: none */
    uint8_t data[PACKET_SIZE_BYTES_MAX];
};
static struct opened_packet opened;

static struct network *attached_network;
static struct port_sim_watch attached_watch;

/* Who opens ports; HOSTS_MAX: the owner of the address. */
static uint32_t opener = HOSTS_MAX;

void port_sim_open_as(uint32_t host)
{
    opener = host;
}

void port_sim_attach(struct network *network, struct port_sim_watch watch)
{
    attached_network = network;
    attached_watch = watch;
}

const char *dp_drop_name(enum dp_drop drop)
{
    static const char *const names[] = {
#define X(name, text) #name,
        DP_DROP_LIST(X)
#undef X
    };
    return drop < DP_DROP_COUNT ? names[drop] : "?";
}

enum error dp_port_open(const struct dp_port_options *options, struct dp_port **ret_port,
                        char *ret_reason, size_t reason_size)
{
    uint32_t node = opener < HOSTS_MAX ? opener : network_host(&options->ipv4);
    CHECK(attached_network != NULL);
    CHECK(options->queue < SIM_LANES_MAX);
    if (node >= NODES_MAX || attached_network->is_open[node][options->queue]) {
        snprintf(ret_reason, reason_size, "the simulated address is not free");
        return ERR_BUSY;
    }
    struct dp_port *port = calloc(1, sizeof(*port));
    CHECK(port != NULL);
    port->network = attached_network;
    port->watch = attached_watch;
    port->node = node;
    port->lane = options->queue;
    port->udp_port = options->ipv4.port;
    port->udp_port_count = options->udp_port_count > 0 ? options->udp_port_count : 1;
    port->network->is_open[node][port->lane] = true;
    *ret_port = port;
    return OK;
}

/* Of a port that is closed, the lane may not have looked at all of them. */
static void burst_release(struct dp_port *port, bool is_looked_at)
{
    for (uint32_t i = 0; i < port->burst_count; i++) {
        if (port->burst[i] == NULL)
            continue;
        if (is_looked_at)
            network_note_taken(port->network, port->burst[i]);
        network_release(port->network, port->burst[i]);
    }
    port->burst_count = 0;
}

void dp_port_close(struct dp_port *port)
{
    burst_release(port, false);
    network_flush(port->network, port->node, port->lane);
    port->network->is_open[port->node][port->lane] = false;
    free(port);
}

/* Hands out one packet. */
static void burst_add(struct dp_port *port, struct packet *packet, struct dp_datagram *ret_datagram)
{
    *ret_datagram =
        (struct dp_datagram){.from = packet->from,
                             .data = packet->data,
                             .size_bytes = packet->size_bytes,
                             .port_offset = (uint16_t)(packet->to_port - port->udp_port),
                             .slot = (uint16_t)port->burst_count,
                             .waited_ns = network_waited_ns(port->network, packet)};
    network_note_heard(port->network, packet, port->lane);
    port->burst[port->burst_count++] = packet;
}

uint32_t dp_port_rx(struct dp_port *port, uint64_t now_ns, struct dp_datagram *ret_datagrams,
                    uint32_t max)
{
    (void)now_ns;
    CHECK(max <= RX_BURST_MAX);
    burst_release(port, true);
    while (port->burst_count < (max + 1) / 2) {
        struct packet *packet = network_take_over(port->network, port->node, port->lane);
        if (packet == NULL)
            break;
        port->counters.rx_taken_over++;
        burst_add(port, packet, &ret_datagrams[port->burst_count]);
    }
    while (port->burst_count < max) {
        struct packet *packet = network_dequeue(port->network, port->node, port->lane);
        if (packet == NULL)
            break;
        if ((uint16_t)(packet->to_port - port->udp_port) >= port->udp_port_count) {
            port->counters.drops[DP_DROP_UDP_PORT]++;
            network_release(port->network, packet);
            continue;
        }
        port->counters.rx_packets++;
        port->counters.rx_bytes += packet->size_bytes;
        burst_add(port, packet, &ret_datagrams[port->burst_count]);
    }
    return port->burst_count;
}

bool dp_port_hand_over(struct dp_port *port, const struct dp_datagram *datagram, uint32_t queue)
{
    struct packet *packet = port->burst[datagram->slot];
    CHECK(datagram->slot < port->burst_count);
    CHECK(packet != NULL && queue != port->lane && queue < SIM_LANES_MAX);
    if (!network_hand_over(port->network, packet, queue)) {
        port->counters.drops[DP_DROP_HANDOVER_FULL]++;
        return false;
    }
    port->burst[datagram->slot] = NULL;
    port->counters.rx_handed_over++;
    port->watch.after_hand_over(port->watch.context, port->node, queue);
    return true;
}

uint8_t *dp_port_tx_reserve(struct dp_port *port, uint16_t port_offset, const struct address *to)
{
    CHECK(!port->is_reserved);
    CHECK(port_offset < port->udp_port_count);
    port->is_reserved = true;
    port->port_offset = port_offset;
    port->to = *to;
    return port->tx;
}

enum error __real_peer_seals_close(struct peer_seals *seals, uint16_t node, uint8_t *data,
                                   uint32_t size_bytes);
enum error __wrap_peer_seals_close(struct peer_seals *seals, uint16_t node, uint8_t *data,
                                   uint32_t size_bytes);

enum error __wrap_peer_seals_close(struct peer_seals *seals, uint16_t node, uint8_t *data,
                                   uint32_t size_bytes)
{
    opened.sealed = data;
    memcpy(opened.data, data, size_bytes);
    enum error error = __real_peer_seals_close(seals, node, data, size_bytes);
    memcpy(opened.data, data, PACKET_HEADER_SIZE_BYTES);
    return error;
}

void dp_port_tx_commit(struct dp_port *port, uint32_t size_bytes)
{
    CHECK(port->is_reserved);
    CHECK(size_bytes <= PACKET_SIZE_BYTES_MAX);
    port->is_reserved = false;
    port->counters.tx_packets++;
    port->counters.tx_bytes += size_bytes;
    const uint8_t *said = opened.sealed == port->tx ? opened.data : port->tx;
    opened.sealed = NULL;
    port->watch.before_send(port->watch.context, port->node, span_of(said, size_bytes));
    network_send(port->network, (struct network_sender){port->node, port->port_offset}, &port->to,
                 span_of(port->tx, size_bytes));
}

void dp_port_tx_flush(struct dp_port *port)
{
    CHECK(!port->is_reserved);
}

void dp_port_tick(struct dp_port *port, uint64_t now_ns)
{
    (void)port;
    (void)now_ns;
}

const struct dp_counters *dp_port_counters(const struct dp_port *port)
{
    return &port->counters;
}
