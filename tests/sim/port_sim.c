/*
 * dataplane/port.h over the simulated network: hands out packets of the inbox, one burst at a time.
 * The queues of a node share its inbox: whichever is read first gets what waits there.
 */
#include "tests/sim/port_sim.h"

#include "base/check.h"
#include "dataplane/port.h"

#include <stdio.h>
#include <stdlib.h>

#define GIVEN_MAX 256 /* packets between two queues of a node */

struct dp_port {
    struct network *network;
    struct port_sim_watch watch;
    uint32_t node;
    uint32_t queue;
    uint16_t first_port;
    uint32_t given_head;
    uint32_t given_count;
    struct packet *given[GIVEN_MAX]; /* a ring of what other queues handed over */
    uint32_t burst_count;
    struct packet *burst[RX_BURST_MAX];
    bool is_reserved;
    struct address to;
    uint8_t tx[PACKET_SIZE_BYTES_MAX];
    struct dp_counters counters;
};

static struct dp_port *open_ports[NODES_MAX][LANES_MAX];
static struct network *attached_network;
static struct port_sim_watch attached_watch;

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

const char *dp_drop_text(enum dp_drop drop)
{
    static const char *const texts[] = {
#define X(name, text) text,
        DP_DROP_LIST(X)
#undef X
    };
    return drop < DP_DROP_COUNT ? texts[drop] : "?";
}

enum error dp_port_open(const struct dp_port_options *options, struct dp_port **ret_port,
                        char *ret_reason, size_t reason_size)
{
    uint32_t node = network_host(&options->ipv4);
    CHECK(attached_network != NULL);
    CHECK(options->queue < LANES_MAX);
    if (node >= NODES_MAX || open_ports[node][options->queue] != NULL) {
        snprintf(ret_reason, reason_size, "the simulated address is not free");
        return ERR_BUSY;
    }
    struct dp_port *port = calloc(1, sizeof(*port));
    CHECK(port != NULL);
    port->network = attached_network;
    port->watch = attached_watch;
    port->node = node;
    port->queue = options->queue;
    port->first_port = options->ipv4.port;
    open_ports[node][options->queue] = port;
    port->network->is_open[node] = true;
    *ret_port = port;
    return OK;
}

static void burst_release(struct dp_port *port)
{
    for (uint32_t i = 0; i < port->burst_count; i++) {
        if (port->burst[i] != NULL)
            network_release(port->network, port->burst[i]);
    }
    port->burst_count = 0;
}

static struct packet *given_take(struct dp_port *port)
{
    if (port->given_count == 0)
        return NULL;
    struct packet *packet = port->given[port->given_head];
    port->given_head = (port->given_head + 1) % GIVEN_MAX;
    port->given_count--;
    return packet;
}

static bool has_open_queue(uint32_t node)
{
    for (uint32_t queue = 0; queue < LANES_MAX; queue++) {
        if (open_ports[node][queue] != NULL)
            return true;
    }
    return false;
}

void dp_port_close(struct dp_port *port)
{
    struct packet *packet;
    burst_release(port);
    while ((packet = given_take(port)) != NULL)
        network_release(port->network, packet);
    open_ports[port->node][port->queue] = NULL;
    if (!has_open_queue(port->node)) {
        network_flush(port->network, port->node);
        port->network->is_open[port->node] = false;
    }
    free(port);
}

static void burst_add(struct dp_port *port, struct packet *packet,
                      struct dp_datagram *ret_datagrams)
{
    ret_datagrams[port->burst_count] =
        (struct dp_datagram){.from = packet->from,
                             .data = packet->data,
                             .size_bytes = packet->size_bytes,
                             .port_offset = (uint16_t)(packet->to_port - port->first_port),
                             .slot = (uint16_t)port->burst_count};
    port->burst[port->burst_count++] = packet;
}

uint32_t dp_port_rx(struct dp_port *port, uint64_t now_ns, struct dp_datagram *ret_datagrams,
                    uint32_t max)
{
    (void)now_ns;
    CHECK(max <= RX_BURST_MAX);
    struct packet *packet;
    burst_release(port);
    while (port->burst_count < (max + 1) / 2 && (packet = given_take(port)) != NULL) {
        burst_add(port, packet, ret_datagrams);
        port->counters.rx_taken_over++;
    }
    while (port->burst_count < max &&
           (packet = network_dequeue(port->network, port->node)) != NULL) {
        burst_add(port, packet, ret_datagrams);
        port->counters.rx_packets++;
        port->counters.rx_bytes += packet->size_bytes;
    }
    return port->burst_count;
}

bool dp_port_hand_over(struct dp_port *port, const struct dp_datagram *datagram, uint32_t queue)
{
    CHECK(queue < LANES_MAX && queue != port->queue);
    struct dp_port *to = open_ports[port->node][queue];
    CHECK(datagram->slot < port->burst_count && port->burst[datagram->slot] != NULL);
    if (to == NULL || to->given_count == GIVEN_MAX) {
        port->counters.drops[DP_DROP_HANDOVER_FULL]++;
        return false;
    }
    to->given[(to->given_head + to->given_count++) % GIVEN_MAX] = port->burst[datagram->slot];
    port->burst[datagram->slot] = NULL;
    port->counters.rx_handed_over++;
    return true;
}

uint8_t *dp_port_tx_reserve(struct dp_port *port, uint16_t port_offset, const struct address *to)
{
    (void)port_offset; /* a simulated node has one port */
    CHECK(!port->is_reserved);
    port->is_reserved = true;
    port->to = *to;
    return port->tx;
}

void dp_port_tx_commit(struct dp_port *port, uint32_t size_bytes)
{
    CHECK(port->is_reserved);
    CHECK(size_bytes <= PACKET_SIZE_BYTES_MAX);
    port->is_reserved = false;
    port->counters.tx_packets++;
    port->counters.tx_bytes += size_bytes;
    port->watch.before_send(port->watch.context, port->node, span_of(port->tx, size_bytes));
    network_send(port->network, port->node, &port->to, span_of(port->tx, size_bytes));
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
