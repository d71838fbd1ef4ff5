/* dataplane/port.h over the simulated network: hands out packets of the inbox, one burst at a
 * time. */
#include "tests/sim/port_sim.h"

#include "base/check.h"
#include "dataplane/port.h"

#include <stdio.h>
#include <stdlib.h>

struct dp_port {
    struct network *network;
    struct port_sim_watch watch;
    uint32_t node;
    uint32_t burst_count;
    struct packet *burst[RX_BURST_MAX];
    bool is_reserved;
    struct address to;
    uint8_t tx[PACKET_SIZE_BYTES_MAX];
    struct dp_counters counters;
};

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
    if (node >= NODES_MAX || attached_network->is_open[node]) {
        snprintf(ret_reason, reason_size, "the simulated address is not free");
        return ERR_BUSY;
    }
    struct dp_port *port = calloc(1, sizeof(*port));
    CHECK(port != NULL);
    port->network = attached_network;
    port->watch = attached_watch;
    port->node = node;
    port->network->is_open[node] = true;
    *ret_port = port;
    return OK;
}

static void burst_release(struct dp_port *port)
{
    for (uint32_t i = 0; i < port->burst_count; i++)
        network_release(port->network, port->burst[i]);
    port->burst_count = 0;
}

void dp_port_close(struct dp_port *port)
{
    burst_release(port);
    network_flush(port->network, port->node);
    port->network->is_open[port->node] = false;
    free(port);
}

uint32_t dp_port_rx(struct dp_port *port, uint64_t now_ns, struct dp_datagram *ret_datagrams,
                    uint32_t max)
{
    (void)now_ns;
    CHECK(max <= RX_BURST_MAX);
    burst_release(port);
    while (port->burst_count < max) {
        struct packet *packet = network_dequeue(port->network, port->node);
        if (packet == NULL)
            break;
        ret_datagrams[port->burst_count] = (struct dp_datagram){
            .from = packet->from, .data = packet->data, .size_bytes = packet->size_bytes};
        port->burst[port->burst_count++] = packet;
        port->counters.rx_packets++;
        port->counters.rx_bytes += packet->size_bytes;
    }
    return port->burst_count;
}

uint8_t *dp_port_tx_reserve(struct dp_port *port, const struct address *to)
{
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
