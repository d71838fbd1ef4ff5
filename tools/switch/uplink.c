/* Sockets on one side, frames on the other. */
#include "tools/switch/uplink.h"

#include "base/check.h"
#include "tools/switch/nat.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct uplink_peer {
    uint8_t mac[6];
    bool is_known;
    uint64_t asked_ns; /* 0: never */
    uint64_t pause_ns; /* until the next question */
};

struct uplink_socket {
    int fd;
    uint32_t node;
    uint16_t node_port;
    uint32_t tx_count;
    struct mmsghdr tx[UPLINK_BURST_MAX];
    struct iovec tx_iov[UPLINK_BURST_MAX];
    struct sockaddr_in tx_to[UPLINK_BURST_MAX];
    struct dp_frame *tx_frames[UPLINK_BURST_MAX];
};

struct uplink {
    struct uplink_options options;
    uint32_t payload_bytes_max;
    struct dp_frame_port *pools[NODES_MAX];
    struct uplink_peer peers[NODES_MAX];
    struct uplink_socket *sockets;
    uint32_t socket_count;
    struct dp_frame *spare[UPLINK_BURST_MAX]; /* empty frames for the next receive */
    struct mmsghdr rx[UPLINK_BURST_MAX];
    struct iovec rx_iov[UPLINK_BURST_MAX];
    struct sockaddr_in rx_from[UPLINK_BURST_MAX];
    struct dp_frame *own[UPLINK_BURST_MAX];
    uint32_t own_count;
};

/* Locally administered; "plx" and the host number. */
static const uint8_t own_mac[6] = {0x02, 0x70, 0x6c, 0x78, 0x00, NAT_UPLINK_HOST};

void uplink_mac(uint8_t ret_mac[6])
{
    memcpy(ret_mac, own_mac, sizeof(own_mac));
}

static void count_drop(struct uplink *uplink, enum switch_drop drop)
{
    uplink->options.counters->drops[drop]++;
}

static enum error uplink_socket_open(uint16_t port, int *ret_fd, char *ret_reason,
                                     size_t reason_size)
{
    struct sockaddr_in own = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int size_bytes = UPLINK_SOCKET_BYTES;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&own, sizeof(own)) != 0) {
        enum error error = errno == EADDRINUSE ? ERR_BUSY : ERR_IO;
        snprintf(ret_reason, reason_size, "cannot bind UDP 127.0.0.1:%u: %s", port,
                 strerror(errno));
        if (fd >= 0) {
            close(fd);
        }
        return error;
    }
    /* The kernel clips to its own limit: smaller buffers lose more under bursts, nothing else. */
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size_bytes, sizeof(size_bytes));
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size_bytes, sizeof(size_bytes));
    *ret_fd = fd;
    return OK;
}

static enum error sockets_open(struct uplink *uplink, char *ret_reason, size_t reason_size)
{
    const struct uplink_options *options = &uplink->options;
    uint32_t count = options->node_count * options->shard_count;
    for (uint32_t i = 0; i < count; i++) {
        struct uplink_socket *socket = &uplink->sockets[i];
        uint32_t port = options->udp_base + options->shard_count + i;
        enum error error = uplink_socket_open((uint16_t)port, &socket->fd, ret_reason, reason_size);
        if (error != OK) {
            return error;
        }
        socket->node = i / options->shard_count;
        socket->node_port = (uint16_t)(options->node_port + i % options->shard_count);
        uplink->socket_count++;
    }
    return OK;
}

enum error uplink_open(const struct uplink_options *options, struct uplink **ret_uplink,
                       char *ret_reason, size_t reason_size)
{
    CHECK(options->node_count >= 1 && options->node_count <= NODES_MAX);
    CHECK(options->shard_count >= 1 && options->shard_count <= SHARDS_MAX);
    struct uplink *uplink = calloc(1, sizeof(*uplink));
    size_t socket_count = (size_t)options->node_count * options->shard_count;
    struct uplink_socket *sockets = calloc(socket_count, sizeof(*sockets));
    if (uplink == NULL || sockets == NULL) {
        free(uplink);
        free(sockets);
        snprintf(ret_reason, reason_size, "out of memory");
        return ERR_NO_MEMORY;
    }
    uplink->options = *options;
    uplink->payload_bytes_max = options->mtu_bytes - NAT_IP_HEADERS_BYTES;
    uplink->sockets = sockets;
    memcpy(uplink->pools, options->nodes, options->node_count * sizeof(uplink->pools[0]));
    enum error error = sockets_open(uplink, ret_reason, reason_size);
    if (error != OK) {
        uplink_close(uplink);
        return error;
    }
    *ret_uplink = uplink;
    return OK;
}

void uplink_close(struct uplink *uplink)
{
    for (uint32_t i = 0; i < uplink->socket_count; i++) {
        for (uint32_t j = 0; j < uplink->sockets[i].tx_count; j++) {
            dp_frame_free(uplink->sockets[i].tx_frames[j]);
        }
        close(uplink->sockets[i].fd);
    }
    for (uint32_t i = 0; i < UPLINK_BURST_MAX; i++) {
        if (uplink->spare[i] != NULL) {
            dp_frame_free(uplink->spare[i]);
        }
    }
    for (uint32_t i = 0; i < uplink->own_count; i++) {
        dp_frame_free(uplink->own[i]);
    }
    free(uplink->sockets);
    free(uplink);
}

uint32_t uplink_socket_count(const struct uplink *uplink)
{
    return uplink->socket_count;
}

int uplink_socket_fd(const struct uplink *uplink, uint32_t socket)
{
    CHECK(socket < uplink->socket_count);
    return uplink->sockets[socket].fd;
}

/* Fills the spare slots from the node's pool; returns how many, from the first, are usable. */
static uint32_t spare_refill(struct uplink *uplink, uint32_t node)
{
    for (uint32_t i = 0; i < UPLINK_BURST_MAX; i++) {
        if (uplink->spare[i] == NULL) {
            struct dp_frame *frame = dp_frame_new(uplink->pools[node], 0);
            if (frame == NULL) {
                return i;
            }
            uplink->spare[i] = frame;
            uplink->rx_iov[i] = (struct iovec){
                .iov_base = dp_frame_data(frame) + NAT_HEADER_SIZE_BYTES,
                .iov_len = uplink->payload_bytes_max,
            };
        }
        uplink->rx[i].msg_hdr = (struct msghdr){.msg_name = &uplink->rx_from[i],
                                                .msg_namelen = sizeof(uplink->rx_from[i]),
                                                .msg_iov = &uplink->rx_iov[i],
                                                .msg_iovlen = 1};
    }
    return UPLINK_BURST_MAX;
}

/* Turns received datagram `i` into a frame in place; false: dropped, the buffer stays spare. */
static bool datagram_wrap(struct uplink *uplink, const struct uplink_socket *socket, uint32_t i)
{
    const struct uplink_peer *peer = &uplink->peers[socket->node];
    const struct sockaddr_in *from = &uplink->rx_from[i];
    uint32_t size_bytes = uplink->rx[i].msg_len;
    if (from->sin_addr.s_addr != htonl(INADDR_LOOPBACK)) {
        count_drop(uplink, SWITCH_DROP_source);
        return false;
    }
    if ((uplink->rx[i].msg_hdr.msg_flags & MSG_TRUNC) != 0) {
        count_drop(uplink, SWITCH_DROP_too_large);
        return false;
    }
    if (!peer->is_known) {
        count_drop(uplink, SWITCH_DROP_unresolved);
        return false;
    }
    struct nat_flow flow = {.source_host = NAT_UPLINK_HOST,
                            .destination_host = (uint8_t)(socket->node + 1),
                            .source_port = ntohs(from->sin_port),
                            .destination_port = socket->node_port};
    memcpy(flow.source_mac, own_mac, sizeof(own_mac));
    memcpy(flow.destination_mac, peer->mac, sizeof(peer->mac));
    nat_header_write(dp_frame_data(uplink->spare[i]), &flow, size_bytes);
    dp_frame_set_size_bytes(uplink->spare[i], NAT_HEADER_SIZE_BYTES + size_bytes);
    return true;
}

uint32_t uplink_rx(struct uplink *uplink, uint32_t socket, struct dp_frame **ret_frames,
                   bool *ret_is_empty)
{
    CHECK(socket < uplink->socket_count);
    const struct uplink_socket *from = &uplink->sockets[socket];
    uint32_t room = spare_refill(uplink, from->node);
    uint32_t count = 0;
    *ret_is_empty = true;
    if (room == 0) {
        count_drop(uplink, SWITCH_DROP_no_buffer);
        return 0;
    }
    int received = recvmmsg(from->fd, uplink->rx, room, MSG_DONTWAIT, NULL);
    for (int i = 0; i < received; i++) {
        if (datagram_wrap(uplink, from, (uint32_t)i)) {
            ret_frames[count++] = uplink->spare[i];
            uplink->spare[i] = NULL;
        }
    }
    *ret_is_empty = received < (int)room;
    return count;
}

/* Queues an ARP frame of the uplink's own; drops it when the pool or the queue has no room. */
static void arp_send(struct uplink *uplink, bool is_request, uint8_t host, const uint8_t mac[6])
{
    uint32_t pool = host <= uplink->options.node_count ? host - 1U : 0;
    struct nat_arp arp = {
        .is_request = is_request, .sender_host = NAT_UPLINK_HOST, .target_host = host};
    struct dp_frame *frame = NULL;
    if (uplink->own_count < UPLINK_BURST_MAX) {
        frame = dp_frame_new(uplink->pools[pool], 0);
    }
    if (frame == NULL) {
        count_drop(uplink, SWITCH_DROP_no_buffer);
        return;
    }
    memcpy(arp.sender_mac, own_mac, sizeof(own_mac));
    nat_arp_write(dp_frame_data(frame), &arp, mac);
    dp_frame_set_size_bytes(frame, NAT_ARP_SIZE_BYTES);
    uplink->own[uplink->own_count++] = frame;
}

uint32_t uplink_take_own(struct uplink *uplink, struct dp_frame **ret_frames)
{
    uint32_t count = uplink->own_count;
    memcpy(ret_frames, uplink->own, count * sizeof(ret_frames[0]));
    uplink->own_count = 0;
    return count;
}

void uplink_tick(struct uplink *uplink, uint64_t now_ns, uint32_t up_mask)
{
    for (uint32_t node = 0; node < uplink->options.node_count; node++) {
        struct uplink_peer *peer = &uplink->peers[node];
        bool is_due = peer->asked_ns == 0 || now_ns - peer->asked_ns >= peer->pause_ns;
        if (!peer->is_known && (up_mask >> node & 1) != 0 && is_due) {
            /* A node's link is up long before it listens: questions must not pile up there. */
            peer->pause_ns = peer->asked_ns == 0 ? UPLINK_ARP_FIRST_NS : 2 * peer->pause_ns;
            if (peer->pause_ns > UPLINK_ARP_MAX_NS) {
                peer->pause_ns = UPLINK_ARP_MAX_NS;
            }
            peer->asked_ns = now_ns;
            arp_send(uplink, true, (uint8_t)(node + 1), own_mac);
        }
    }
}

void uplink_forget(struct uplink *uplink, uint32_t node)
{
    CHECK(node < uplink->options.node_count);
    uplink->peers[node] = (struct uplink_peer){0};
}

/* Notes a node's Ethernet address; hosts that are no nodes (client ports) reach no socket. */
static void peer_learn(struct uplink *uplink, uint8_t host, const uint8_t mac[6])
{
    if (host >= 1 && host <= uplink->options.node_count) {
        struct uplink_peer *peer = &uplink->peers[host - 1];
        memcpy(peer->mac, mac, sizeof(peer->mac));
        peer->is_known = true;
    }
}

static void arp_receive(struct uplink *uplink, const struct nat_arp *arp)
{
    peer_learn(uplink, arp->sender_host, arp->sender_mac);
    if (arp->is_request && arp->target_host == NAT_UPLINK_HOST && arp->sender_host >= 1) {
        arp_send(uplink, false, arp->sender_host, arp->sender_mac);
    }
}

static void uplink_socket_flush(struct uplink *uplink, struct uplink_socket *socket)
{
    uint32_t done = 0;
    while (done < socket->tx_count) {
        int sent = sendmmsg(socket->fd, socket->tx + done, socket->tx_count - done, MSG_DONTWAIT);
        if (sent <= 0) {
            /* A datagram is refused alone: the next one may go to another client. */
            count_drop(uplink, SWITCH_DROP_socket);
            sent = 1;
        }
        done += (uint32_t)sent;
    }
    for (uint32_t i = 0; i < socket->tx_count; i++) {
        dp_frame_free(socket->tx_frames[i]);
    }
    socket->tx_count = 0;
}

/* The socket of a node's port; NULL when the flow is none between a node and a client. */
static struct uplink_socket *flow_socket(struct uplink *uplink, const struct nat_flow *flow)
{
    uint32_t node = flow->source_host - 1U;
    uint32_t shard = (uint32_t)flow->source_port - uplink->options.node_port;
    if (flow->destination_host != NAT_UPLINK_HOST || node >= uplink->options.node_count ||
        shard >= uplink->options.shard_count) {
        return NULL;
    }
    return &uplink->sockets[node * uplink->options.shard_count + shard];
}

static enum switch_drop drop_of(enum error error)
{
    if (error == ERR_CHECKSUM) {
        return SWITCH_DROP_checksum;
    }
    return error == ERR_SHORT || error == ERR_CORRUPT ? SWITCH_DROP_malformed : SWITCH_DROP_other;
}

static void datagram_queue(struct uplink *uplink, struct uplink_socket *socket,
                           struct dp_frame *frame, struct span payload, uint16_t client_port)
{
    if (socket->tx_count == UPLINK_BURST_MAX) {
        uplink_socket_flush(uplink, socket);
    }
    uint32_t i = socket->tx_count++;
    socket->tx_frames[i] = frame;
    socket->tx_iov[i] =
        (struct iovec){.iov_base = (void *)(uintptr_t)payload.data, .iov_len = payload.size_bytes};
    socket->tx_to[i] = (struct sockaddr_in){.sin_family = AF_INET,
                                            .sin_port = htons(client_port),
                                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socket->tx[i].msg_hdr = (struct msghdr){.msg_name = &socket->tx_to[i],
                                            .msg_namelen = sizeof(socket->tx_to[i]),
                                            .msg_iov = &socket->tx_iov[i],
                                            .msg_iovlen = 1};
}

void uplink_tx(struct uplink *uplink, struct dp_frame *frame)
{
    struct span bytes = span_of(dp_frame_data(frame), dp_frame_size_bytes(frame));
    struct nat_flow flow;
    struct nat_arp arp;
    struct span payload;
    enum error error = nat_frame_read(bytes, &flow, &payload);
    if (error == OK) {
        struct uplink_socket *socket = flow_socket(uplink, &flow);
        if (socket != NULL && flow.destination_port != 0) {
            datagram_queue(uplink, socket, frame, payload, flow.destination_port);
            return;
        }
        count_drop(uplink, SWITCH_DROP_other);
    } else if (error == ERR_TYPE && nat_arp_read(bytes, &arp) == OK) {
        arp_receive(uplink, &arp);
    } else {
        count_drop(uplink, drop_of(error));
    }
    dp_frame_free(frame);
}

void uplink_flush(struct uplink *uplink)
{
    for (uint32_t i = 0; i < uplink->socket_count; i++) {
        if (uplink->sockets[i].tx_count > 0) {
            uplink_socket_flush(uplink, &uplink->sockets[i]);
        }
    }
}
