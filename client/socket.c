/*
 * The transport, the clocks and the kernel's randomness: one non-blocking, unconnected UDP socket,
 * packets in bursts. A packet that the kernel does not take is lost like any other and sent again
 * by its timer. The simulator links another file in place of this one.
 */
#include "client/client_internal.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BLIND_SLEEP_NS_MAX  1000000           /* where plx_cancel cannot wake the sleeper */
#define SOCKET_BUFFER_BYTES (4 * 1024 * 1024) /* asked for; the kernel gives what it allows */

static uint64_t clock_ns(clockid_t id)
{
    struct timespec now;
    CHECK(clock_gettime(id, &now) == 0);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t clock_monotonic_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

uint64_t clock_realtime_us(void)
{
    return clock_ns(CLOCK_REALTIME) / 1000;
}

uint64_t entropy_draw(void)
{
    uint64_t drawn;
    if (getrandom(&drawn, sizeof(drawn), 0) != (ssize_t)sizeof(drawn))
        drawn = clock_monotonic_ns() ^ clock_realtime_us() ^ (uint64_t)getpid() << 32;
    return drawn;
}

/* One family serves all endpoints: IPv4 where all are and stay so, else IPv6 with mapped
 * addresses. */
static sa_family_t socket_family(const struct plx_client *client)
{
    for (uint32_t i = 0; i < client->endpoint_count; i++) {
        const struct endpoint *endpoint = &client->endpoints[i];
        if (endpoint->is_name || !address_is_ipv4(&endpoint->address))
            return AF_INET6;
    }
    return AF_INET;
}

/* An address in the form that the socket takes. */
union socket_name {
    struct sockaddr_in ipv4;
    struct sockaddr_in6 ipv6;
};

/* Port 0, to which nothing goes: the socket cannot reach such an address, or there is none. */
static socklen_t socket_name_write(const struct plx_client *client, const struct packet_out *packet,
                                   union socket_name *ret_name)
{
    struct candidate to = endpoint_way(client, packet->endpoint, packet->way);
    struct address *address = &to.address;
    memset(ret_name, 0, sizeof(*ret_name));
    address->port = address->port == 0 || (!client->is_ipv6 && !address_is_ipv4(address))
                        ? 0
                        : (uint16_t)(address->port + packet->shard);
    if (client->is_ipv6) {
        ret_name->ipv6.sin6_family = AF_INET6;
        ret_name->ipv6.sin6_port = htons(address->port);
        ret_name->ipv6.sin6_scope_id = to.scope;
        memcpy(&ret_name->ipv6.sin6_addr, address->ip, 16);
        return sizeof(ret_name->ipv6);
    }
    ret_name->ipv4.sin_family = AF_INET;
    ret_name->ipv4.sin_port = htons(address->port);
    memcpy(&ret_name->ipv4.sin_addr, address->ip + 12, 4);
    return sizeof(ret_name->ipv4);
}

bool socket_is_forked(const struct plx_client *client)
{
    if (client->fork_guard.page != NULL)
        return fork_guard_is_forked(&client->fork_guard);
    return client->owner_process != 0 && client->owner_process != getpid();
}

enum plx_outcome socket_open(struct plx_client *client, char *ret_reason, size_t reason_size)
{
    client->owner_process = getpid();
    if (fork_guard_init(&client->fork_guard) == ERR_NO_MEMORY) {
        reason_write(ret_reason, reason_size, "no memory for a page");
        return PLX_E_NO_MEMORY;
    }
    sa_family_t family = socket_family(client);
    client->socket_fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (client->socket_fd < 0 && family == AF_INET6 && errno == EAFNOSUPPORT) {
        family = AF_INET; /* then IPv6 addresses are out of reach, and those of IPv4 are not */
        client->socket_fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    }
    client->is_ipv6 = family == AF_INET6;
    if (client->socket_fd < 0) {
        reason_write(ret_reason, reason_size, "cannot open a UDP socket: %s", strerror(errno));
        return PLX_E_IO;
    }
    int wanted = SOCKET_BUFFER_BYTES;
    int off = 0;
    int probe = IP_PMTUDISC_PROBE;
    int probe_ipv6 = IPV6_PMTUDISC_PROBE;
    /* Nodes take no fragments: what is too large for a link is lost, whoever has heard of it. */
    (void)setsockopt(client->socket_fd, IPPROTO_IP, IP_MTU_DISCOVER, &probe, sizeof(probe));
    if (family == AF_INET6)
        (void)setsockopt(client->socket_fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, &probe_ipv6,
                         sizeof(probe_ipv6));
    /* Advice only: smaller buffers lose more of a long burst, which is then sent again. */
    (void)setsockopt(client->socket_fd, SOL_SOCKET, SO_RCVBUF, &wanted, sizeof(wanted));
    (void)setsockopt(client->socket_fd, SOL_SOCKET, SO_SNDBUF, &wanted, sizeof(wanted));
    if (family == AF_INET6)
        (void)setsockopt(client->socket_fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
    return PLX_OK;
}

void socket_close(struct plx_client *client)
{
    if (client->socket_fd >= 0)
        close(client->socket_fd);
    int wake_fd = atomic_load_explicit(&client->wake_fd, memory_order_relaxed);
    if (wake_fd >= 0)
        close(wake_fd);
    fork_guard_deinit(&client->fork_guard);
}

void socket_flush(struct plx_client *client)
{
    struct mmsghdr messages[PACKETS_OUT_MAX];
    struct iovec parts[PACKETS_OUT_MAX];
    union socket_name names[PACKETS_OUT_MAX];
    if (socket_is_forked(client))
        client->out_count = 0; /* a callback has forked */
    if (client->out_count == 0)
        return;
    memset(messages, 0, sizeof(messages[0]) * client->out_count);
    for (uint32_t i = 0; i < client->out_count; i++) {
        struct packet_out *packet = &client->out[i];
        parts[i] = (struct iovec){packet->bytes, packet->size_bytes};
        messages[i].msg_hdr.msg_namelen = socket_name_write(client, packet, &names[i]);
        messages[i].msg_hdr.msg_name = &names[i];
        messages[i].msg_hdr.msg_iov = &parts[i];
        messages[i].msg_hdr.msg_iovlen = 1;
    }
    /* Each round passes at least one packet, taken or not. */
    for (uint32_t next = 0; next < client->out_count;) {
        int taken = sendmmsg(client->socket_fd, messages + next, client->out_count - next, 0);
        if (taken <= 0) {
            /* One that is larger than the host's own link takes is lost as on any other link. */
            client->statistics.send_failures += errno != EMSGSIZE;
            taken = 1;
        } else {
            client->statistics.packets_sent += (uint64_t)taken;
        }
        next += (uint32_t)taken;
    }
    client->out_count = 0;
}

/* False for an address that no endpoint could have. */
static bool address_of_socket(const struct sockaddr_storage *from, struct address *ret_address)
{
    if (from->ss_family == AF_INET) {
        struct sockaddr_in ipv4;
        memcpy(&ipv4, from, sizeof(ipv4));
        *ret_address =
            address_of_ipv4((const uint8_t *)&ipv4.sin_addr.s_addr, ntohs(ipv4.sin_port));
        return true;
    }
    if (from->ss_family != AF_INET6)
        return false;
    struct sockaddr_in6 ipv6;
    memcpy(&ipv6, from, sizeof(ipv6));
    *ret_address = address_of_ip(ipv6.sin6_addr.s6_addr, ntohs(ipv6.sin6_port));
    return true;
}

/* A packet from an address that no endpoint could have is a stranger's like any other. */
static void datagram_receive(struct plx_client *client, struct span bytes,
                             const struct sockaddr_storage *from)
{
    struct address address = {.port = 0};
    (void)address_of_socket(from, &address);
    packet_receive(client, &address, bytes);
}

void socket_receive(struct plx_client *client)
{
    if (socket_is_forked(client))
        return; /* what arrives is the parent's */
    for (uint32_t burst = 0; burst < PACKETS_IN_BURSTS; burst++) {
        struct mmsghdr messages[PACKETS_IN_BURST];
        struct iovec parts[PACKETS_IN_BURST];
        struct sockaddr_storage from[PACKETS_IN_BURST];
        memset(messages, 0, sizeof(messages));
        for (uint32_t i = 0; i < PACKETS_IN_BURST; i++) {
            /* A byte more than the largest packet, so that a larger one is not cut to fit. */
            parts[i] = (struct iovec){client->in + i * (PACKET_SIZE_BYTES_MAX + 1),
                                      PACKET_SIZE_BYTES_MAX + 1};
            messages[i].msg_hdr.msg_name = &from[i];
            messages[i].msg_hdr.msg_namelen = sizeof(from[i]);
            messages[i].msg_hdr.msg_iov = &parts[i];
            messages[i].msg_hdr.msg_iovlen = 1;
        }
        int count = recvmmsg(client->socket_fd, messages, PACKETS_IN_BURST, MSG_DONTWAIT, NULL);
        for (int i = 0; i < count; i++)
            datagram_receive(client, span_of(parts[i].iov_base, messages[i].msg_len), &from[i]);
        if (count < PACKETS_IN_BURST)
            return;
    }
}

void socket_wake(struct plx_client *client)
{
    uint64_t one = 1;
    /* Changes nothing, but has a place among the changes: wake_open either comes first, and its
     * descriptor is seen here, or it comes later and sees what the caller has done before. */
    int wake_fd = atomic_fetch_add_explicit(&client->wake_fd, 0, memory_order_acq_rel);
    if (wake_fd < 0)
        return; /* nobody has ever slept */
    /* A counter that is full wakes just as well. */
    ssize_t size = write(wake_fd, &one, sizeof(one));
    (void)size;
}

/* A handle that never sleeps, as one of thousands behind one epoll, has one descriptor only. Where
 * the process has no descriptor left, sleeps are short instead. */
static int wake_open(struct plx_client *client)
{
    int wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    /* Pairs with the addition in socket_wake. */
    (void)atomic_exchange_explicit(&client->wake_fd, wake_fd, memory_order_acq_rel);
    return wake_fd;
}

void socket_wait(struct plx_client *client, uint64_t until_ns)
{
    uint64_t now_ns = clock_monotonic_ns();
    if (now_ns >= until_ns || socket_is_forked(client))
        return;
    if (now_ns < client->spin_until_ns) {
        /* Giving way is what lets the node answer where the two share a core. */
        sched_yield();
        return;
    }
    int wake_fd = atomic_load_explicit(&client->wake_fd, memory_order_relaxed);
    if (wake_fd < 0) {
        wake_fd = wake_open(client);
        if (wake_fd >= 0)
            return; /* a short wait: the caller looks whether it was cancelled meanwhile */
    }
    uint64_t left_ns = until_ns - now_ns;
    if (wake_fd < 0 && left_ns > BLIND_SLEEP_NS_MAX)
        left_ns = BLIND_SLEEP_NS_MAX;
    struct timespec timeout = {.tv_sec = (time_t)(left_ns / 1000000000u),
                               .tv_nsec = (long)(left_ns % 1000000000u)};
    struct pollfd fds[2] = {{.fd = client->socket_fd, .events = POLLIN},
                            {.fd = wake_fd, .events = POLLIN}};
    /* An interrupted wait is a short wait: the caller looks at its times anyway. */
    int ready = ppoll(fds, 2, &timeout, NULL);
    if (ready > 0 && (fds[1].revents & POLLIN) != 0) {
        uint64_t count;
        ssize_t size = read(wake_fd, &count, sizeof(count));
        (void)size;
    }
}
