/* Forwarding. */
#include "tools/switch/fabric.h"

#include "base/check.h"
#include "base/prng.h"
#include "tools/switch/delay_queue.h"
#include "tools/switch/mac_table.h"
#include "tools/switch/nat.h"
#include "tools/switch/tx_queue.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PORT_UPLINK 0

struct fabric_port {
    struct dp_frame_port *frames; /* NULL: the uplink */
    bool is_up;
    uint32_t queue_count;
    struct tx_queue queues[LANES_MAX];
    struct port_counters counters;
};

struct fabric {
    uint32_t port_count;
    uint32_t node_count;
    uint16_t node_port;
    bool is_sprayed;
    struct prng prng;         /* of sprayed queues */
    uint32_t frame_bytes_max; /* larger ones are dropped */
    uint64_t link_checked_ns;
    struct uplink *uplink;
    uint8_t uplink_mac[6];
    uint32_t ready_count;
    uint16_t ready[UPLINK_SOCKETS_MAX];
    bool is_ready[UPLINK_SOCKETS_MAX];
    struct capture capture;
    struct fault_table faults;
    struct mac_table macs;
    struct delay_queue delayed;
    struct fabric_port ports[SWITCH_PORTS_MAX];
};

static enum error fabric_uplink_open(struct fabric *fabric, const struct fabric_options *options,
                                     char *ret_reason, size_t reason_size)
{
    struct dp_frame_port *nodes[NODES_MAX] = {0};
    for (uint32_t i = 0; i < options->node_count; i++) {
        nodes[i] = options->ports[1 + i];
    }
    struct uplink_options uplink = {.node_count = options->node_count,
                                    .shard_count = options->shard_count,
                                    .udp_base = options->udp_base,
                                    .node_port = options->node_port,
                                    .mtu_bytes = options->mtu_bytes,
                                    .nodes = nodes,
                                    .counters = &fabric->ports[PORT_UPLINK].counters};
    return uplink_open(&uplink, &fabric->uplink, ret_reason, reason_size);
}

void fabric_set_mtu(struct fabric *fabric, uint16_t mtu_bytes)
{
    fabric->frame_bytes_max = ETHERNET_HEADER_BYTES + (uint32_t)mtu_bytes;
}

enum error fabric_open(const struct fabric_options *options, struct fabric **ret_fabric,
                       char *ret_reason, size_t reason_size)
{
    CHECK(options->node_count >= 1 && options->node_count <= NODES_MAX);
    CHECK(options->client_count <= SWITCH_CLIENT_PORTS_MAX);
    CHECK(options->queue_count >= 1 && options->queue_count <= LANES_MAX);
    struct fabric *fabric = calloc(1, sizeof(*fabric));
    if (fabric == NULL) {
        snprintf(ret_reason, reason_size, "out of memory");
        return ERR_NO_MEMORY;
    }
    fabric->node_count = options->node_count;
    fabric->node_port = options->node_port;
    fabric->is_sprayed = options->is_sprayed;
    prng_init(&fabric->prng, options->seed);
    fabric_set_mtu(fabric, options->mtu_bytes);
    fabric->ports[PORT_UPLINK].queue_count = 1;
    fabric->port_count = 1 + options->node_count + options->client_count;
    for (uint32_t port = 1; port < fabric->port_count; port++) {
        CHECK(options->ports[port] != NULL);
        fabric->ports[port].frames = options->ports[port];
        fabric->ports[port].queue_count = port <= options->node_count ? options->queue_count : 1;
    }
    mac_table_init(&fabric->macs);
    delay_queue_init(&fabric->delayed);
    fault_init(&fabric->faults, fabric->port_count, options->seed);
    uplink_mac(fabric->uplink_mac);
    if (options->udp_base != 0) {
        enum error error = fabric_uplink_open(fabric, options, ret_reason, reason_size);
        if (error != OK) {
            free(fabric);
            return error;
        }
        fabric->ports[PORT_UPLINK].is_up = true;
    }
    *ret_fabric = fabric;
    return OK;
}

/* Frees what waits to leave by the port; returns how many frames. */
static uint32_t port_clear(struct fabric_port *port)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < port->queue_count; i++) {
        count += tx_queue_clear(&port->queues[i]);
    }
    return count;
}

void fabric_close(struct fabric *fabric)
{
    uint32_t port = 0;
    for (uint32_t i = 0; i < fabric->port_count; i++) {
        (void)port_clear(&fabric->ports[i]);
    }
    for (uint32_t i = 0; i < DELAY_QUEUE_MAX; i++) {
        struct dp_frame *frame = delay_queue_pop(&fabric->delayed, UINT64_MAX, &port);
        if (frame == NULL) {
            break;
        }
        dp_frame_free(frame);
    }
    if (fabric->uplink != NULL) {
        uplink_close(fabric->uplink);
    }
    (void)capture_close(&fabric->capture);
    free(fabric);
}

static void drop(struct fabric *fabric, uint32_t port, enum switch_drop reason,
                 struct dp_frame *frame)
{
    fabric->ports[port].counters.drops[reason]++;
    dp_frame_free(frame);
}

static bool is_paused(const struct fabric *fabric, uint32_t port)
{
    return (fabric->faults.paused_mask >> port & 1) != 0;
}

/* Hands waiting frames to the port; what it does not take stays, in order. True if any left. */
static bool port_flush(struct fabric *fabric, uint32_t index)
{
    struct fabric_port *port = &fabric->ports[index];
    bool has_sent = false;
    if (is_paused(fabric, index)) {
        return false;
    }
    for (uint32_t i = 0; i < port->queue_count; i++) {
        has_sent |= tx_queue_flush(&port->queues[i], port->frames, i, &port->counters);
    }
    return has_sent;
}

static bool uplink_port_flush(struct fabric *fabric)
{
    struct fabric_port *port = &fabric->ports[PORT_UPLINK];
    struct tx_queue *queue = &port->queues[0];
    if (queue->count == 0 || is_paused(fabric, PORT_UPLINK)) {
        return false;
    }
    for (uint32_t i = 0; i < queue->count; i++) {
        port->counters.tx_packets++;
        port->counters.tx_bytes += dp_frame_size_bytes(queue->frames[i]);
        uplink_tx(fabric->uplink, queue->frames[i]);
    }
    uplink_flush(fabric->uplink);
    queue->count = 0;
    return true;
}

static struct tx_queue *queue_choose(struct fabric *fabric, struct fabric_port *port,
                                     struct dp_frame *frame)
{
    struct span bytes = span_of(dp_frame_data(frame), dp_frame_size_bytes(frame));
    if (port->queue_count == 1) {
        return &port->queues[0];
    }
    if (fabric->is_sprayed) {
        return &port->queues[prng_range(&fabric->prng, 0, port->queue_count - 1)];
    }
    return &port->queues[tx_queue_steer(bytes, fabric->node_port, port->queue_count)];
}

/* A frame leaves by a port, its faults behind it. */
static void egress(struct fabric *fabric, uint32_t to, struct dp_frame *frame)
{
    struct fabric_port *port = &fabric->ports[to];
    if (!port->is_up) {
        drop(fabric, to, SWITCH_DROP_link_down, frame);
        return;
    }
    struct tx_queue *queue = queue_choose(fabric, port, frame);
    if (tx_queue_push(queue, frame)) {
        return;
    }
    if (to == PORT_UPLINK) {
        (void)uplink_port_flush(fabric);
    } else {
        (void)port_flush(fabric, to);
    }
    if (!tx_queue_push(queue, frame)) {
        drop(fabric, to, SWITCH_DROP_tx_full, frame);
    }
}

static void egress_after(struct fabric *fabric, uint32_t to, struct dp_frame *frame,
                         uint64_t now_ns, uint64_t delay_ns)
{
    if (delay_ns == 0) {
        egress(fabric, to, frame);
    } else if (delay_queue_push(&fabric->delayed, frame, to, now_ns + delay_ns)) {
        fabric->ports[to].counters.delayed++;
    } else {
        drop(fabric, to, SWITCH_DROP_delay_full, frame);
    }
}

/* A copy from the pool of the port where it leaves; the uplink has the first node's. */
static struct dp_frame *frame_copy(struct fabric *fabric, uint32_t to, const struct dp_frame *frame)
{
    struct dp_frame_port *pool = fabric->ports[to == PORT_UPLINK ? 1 : to].frames;
    struct dp_frame *copy = dp_frame_copy(pool, 0, frame);
    if (copy == NULL) {
        fabric->ports[to].counters.drops[SWITCH_DROP_no_buffer]++;
    }
    return copy;
}

static void pass_faulty(struct fabric *fabric, uint32_t from, uint32_t to, struct dp_frame *frame,
                        uint64_t now_ns)
{
    struct port_counters *counters = &fabric->ports[to].counters;
    struct fault_verdict verdict =
        fault_decide(&fabric->faults, from, to, dp_frame_size_bytes(frame));
    if (verdict.is_cut || verdict.is_lost) {
        drop(fabric, to, verdict.is_cut ? SWITCH_DROP_cut : SWITCH_DROP_loss, frame);
        return;
    }
    struct dp_frame *twin = verdict.is_duplicated ? frame_copy(fabric, to, frame) : NULL;
    counters->reordered += verdict.is_reordered;
    if (verdict.is_corrupted) {
        counters->corrupted++;
        dp_frame_data(frame)[verdict.corrupt_offset] ^= verdict.corrupt_mask;
    }
    egress_after(fabric, to, frame, now_ns, verdict.delay_ns);
    if (twin != NULL) {
        counters->duplicated++;
        egress_after(fabric, to, twin, now_ns, verdict.duplicate_delay_ns);
    }
}

static void pass(struct fabric *fabric, uint32_t from, uint32_t to, struct dp_frame *frame,
                 uint64_t now_ns)
{
    if (fault_is_clean(&fabric->faults, from, to)) {
        egress(fabric, to, frame);
    } else {
        pass_faulty(fabric, from, to, frame, now_ns);
    }
}

/* To every other port that is up: copies, and the frame itself to the last. */
static void flood(struct fabric *fabric, uint32_t from, struct dp_frame *frame, uint64_t now_ns)
{
    uint32_t last = SWITCH_PORTS_MAX;
    for (uint32_t to = 0; to < fabric->port_count; to++) {
        if (to == from || !fabric->ports[to].is_up) {
            continue;
        }
        if (last != SWITCH_PORTS_MAX) {
            struct dp_frame *copy = frame_copy(fabric, last, frame);
            if (copy != NULL) {
                pass(fabric, from, last, copy, now_ns);
            }
        }
        last = to;
    }
    if (last == SWITCH_PORTS_MAX) {
        drop(fabric, from, SWITCH_DROP_link_down, frame);
    } else {
        pass(fabric, from, last, frame, now_ns);
    }
}

static void ingress(struct fabric *fabric, uint32_t from, struct dp_frame *frame, uint64_t now_ns)
{
    struct port_counters *counters = &fabric->ports[from].counters;
    const uint8_t *data = dp_frame_data(frame);
    uint32_t size_bytes = dp_frame_size_bytes(frame);
    counters->rx_packets++;
    counters->rx_bytes += size_bytes;
    if (size_bytes < ETHERNET_HEADER_BYTES) {
        drop(fabric, from, SWITCH_DROP_runt, frame);
        return;
    }
    if (size_bytes > fabric->frame_bytes_max) {
        drop(fabric, from, SWITCH_DROP_too_large, frame);
        return;
    }
    capture_write(&fabric->capture, now_ns, span_of(data, size_bytes));
    if (from != PORT_UPLINK) {
        mac_table_learn(&fabric->macs, data + 6, from, now_ns);
    }
    uint32_t to = MAC_PORT_NONE;
    if (memcmp(data, fabric->uplink_mac, sizeof(fabric->uplink_mac)) == 0) {
        to = PORT_UPLINK;
    } else if (!mac_is_group(data)) {
        to = mac_table_find(&fabric->macs, data, now_ns);
    }
    if (to == MAC_PORT_NONE) {
        flood(fabric, from, frame, now_ns);
    } else if (to == from) {
        drop(fabric, from, SWITCH_DROP_hairpin, frame);
    } else {
        pass(fabric, from, to, frame, now_ns);
    }
}

static bool port_receive(struct fabric *fabric, uint32_t index, uint64_t now_ns)
{
    struct dp_frame *frames[DP_FRAME_BURST_MAX];
    struct fabric_port *port = &fabric->ports[index];
    if (is_paused(fabric, index)) {
        return false;
    }
    bool has_received = false;
    for (uint32_t queue = 0; queue < port->queue_count; queue++) {
        uint32_t count = dp_frame_rx(port->frames, queue, frames, DP_FRAME_BURST_MAX);
        has_received |= count > 0;
        port->is_up |= count > 0;
        for (uint32_t i = 0; i < count; i++) {
            ingress(fabric, index, frames[i], now_ns);
        }
    }
    return has_received;
}

void fabric_socket_ready(struct fabric *fabric, uint32_t socket)
{
    CHECK(socket < UPLINK_SOCKETS_MAX);
    if (!fabric->is_ready[socket]) {
        fabric->is_ready[socket] = true;
        fabric->ready[fabric->ready_count++] = (uint16_t)socket;
    }
}

/* A burst from each readable socket; one that had more stays readable for the next turn. */
static bool uplink_receive(struct fabric *fabric, uint64_t now_ns)
{
    struct dp_frame *frames[UPLINK_BURST_MAX];
    uint32_t ready_count = fabric->ready_count;
    if (fabric->uplink == NULL || is_paused(fabric, PORT_UPLINK)) {
        return false;
    }
    fabric->ready_count = 0;
    for (uint32_t i = 0; i < ready_count; i++) {
        uint32_t socket = fabric->ready[i];
        bool is_empty = true;
        uint32_t count = uplink_rx(fabric->uplink, socket, frames, &is_empty);
        fabric->is_ready[socket] = false;
        if (!is_empty) {
            fabric_socket_ready(fabric, socket);
        }
        for (uint32_t j = 0; j < count; j++) {
            ingress(fabric, PORT_UPLINK, frames[j], now_ns);
        }
    }
    uint32_t own_count = uplink_take_own(fabric->uplink, frames);
    for (uint32_t i = 0; i < own_count; i++) {
        ingress(fabric, PORT_UPLINK, frames[i], now_ns);
    }
    return ready_count > 0 || own_count > 0;
}

static void link_went_down(struct fabric *fabric, uint32_t index)
{
    struct fabric_port *port = &fabric->ports[index];
    port->counters.drops[SWITCH_DROP_link_down] += port_clear(port);
    mac_table_forget_port(&fabric->macs, index);
    if (fabric->uplink != NULL && index <= fabric->node_count) {
        uplink_forget(fabric->uplink, index - 1);
    }
}

static void links_check(struct fabric *fabric, uint64_t now_ns)
{
    uint32_t up_mask = 0;
    if (now_ns - fabric->link_checked_ns < FABRIC_LINK_INTERVAL_NS) {
        return;
    }
    fabric->link_checked_ns = now_ns;
    for (uint32_t index = 1; index < fabric->port_count; index++) {
        struct fabric_port *port = &fabric->ports[index];
        dp_frame_port_look(port->frames);
        bool is_up = dp_frame_port_is_up(port->frames);
        if (port->is_up && !is_up) {
            link_went_down(fabric, index);
        }
        port->is_up = is_up;
        if (is_up && index <= fabric->node_count) {
            up_mask |= 1U << (index - 1);
        }
    }
    if (fabric->uplink != NULL) {
        uplink_tick(fabric->uplink, now_ns, up_mask);
    }
}

bool fabric_turn(struct fabric *fabric, uint64_t now_ns)
{
    bool has_worked = false;
    links_check(fabric, now_ns);
    for (uint32_t port = 1; port < fabric->port_count; port++) {
        has_worked |= port_receive(fabric, port, now_ns);
    }
    has_worked |= uplink_receive(fabric, now_ns);
    for (uint32_t i = 0; i < DELAY_QUEUE_MAX; i++) {
        uint32_t to = 0;
        struct dp_frame *frame = delay_queue_pop(&fabric->delayed, now_ns, &to);
        if (frame == NULL) {
            break;
        }
        egress(fabric, to, frame);
        has_worked = true;
    }
    for (uint32_t port = 1; port < fabric->port_count; port++) {
        has_worked |= port_flush(fabric, port);
    }
    has_worked |= uplink_port_flush(fabric);
    return has_worked;
}

uint64_t fabric_deadline_ns(const struct fabric *fabric)
{
    return delay_queue_deadline_ns(&fabric->delayed);
}

struct uplink *fabric_uplink(struct fabric *fabric)
{
    return fabric->uplink;
}

struct fault_table *fabric_faults(struct fabric *fabric)
{
    return &fabric->faults;
}

struct capture *fabric_capture(struct fabric *fabric)
{
    return &fabric->capture;
}

uint32_t fabric_port_count(const struct fabric *fabric)
{
    return fabric->port_count;
}

static const char *port_kind(const struct fabric *fabric, uint32_t port)
{
    if (port == PORT_UPLINK) {
        return "uplink";
    }
    return port <= fabric->node_count ? "node" : "client";
}

static size_t port_describe(const struct fabric *fabric, uint32_t index, char *to, size_t room)
{
    static const char *const names[] = {
#define X(name) #name,
        SWITCH_DROP_LIST(X)
#undef X
    };
    const struct fabric_port *port = &fabric->ports[index];
    const struct port_counters *counters = &port->counters;
    int used = snprintf(
        to, room,
        "port %u %s %s rx %" PRIu64 " rx_bytes %" PRIu64 " tx %" PRIu64 " tx_bytes %" PRIu64
        " duplicated %" PRIu64 " delayed %" PRIu64 " reordered %" PRIu64 " corrupted %" PRIu64,
        index, port_kind(fabric, index), port->is_up ? "up" : "down", counters->rx_packets,
        counters->rx_bytes, counters->tx_packets, counters->tx_bytes, counters->duplicated,
        counters->delayed, counters->reordered, counters->corrupted);
    for (uint32_t i = 0; i < SWITCH_DROP_COUNT && used >= 0 && (size_t)used < room; i++) {
        if (counters->drops[i] > 0) {
            used += snprintf(to + used, room - (size_t)used, " drop_%s %" PRIu64, names[i],
                             counters->drops[i]);
        }
    }
    if (used >= 0 && (size_t)used < room) {
        used += snprintf(to + used, room - (size_t)used, "\n");
    }
    return used >= 0 && (size_t)used < room ? (size_t)used : room - 1;
}

size_t fabric_describe(const struct fabric *fabric, char *to, size_t capacity_bytes)
{
    size_t used = 0;
    for (uint32_t port = 0; port < fabric->port_count && used + 1 < capacity_bytes; port++) {
        used += port_describe(fabric, port, to + used, capacity_bytes - used);
    }
    const struct capture *capture = &fabric->capture;
    int written = snprintf(to + used, capacity_bytes - used,
                           "capture %s packets %" PRIu64 " bytes %" PRIu64 " skipped %" PRIu64
                           "\ndelayed %u paused_mask %u\n",
                           capture->file != NULL ? "on" : "off", capture->written_packets,
                           capture->written_bytes, capture->skipped_packets, fabric->delayed.count,
                           fabric->faults.paused_mask);
    used += written > 0 ? (size_t)written : 0;
    return used < capacity_bytes ? used : capacity_bytes - 1;
}
