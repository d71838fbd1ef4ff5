/*
 * How large packets to each peer may be: nodes answer echo requests themselves, so one of the size
 * of [port] mtu that may not be cut (DF) shows whether such packets arrive. They leave through this
 * machine's kernel, and so through another card than the node's own.
 *
 * Sources: RFC 792 and RFC 4443 (echo); RFC 1191; icmp(7), ip(7).
 */
#include "tools/doctor/doctor.h"

#include "base/address_text.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define ECHO_REQUEST_V4  8
#define ECHO_REQUEST_V6  128
#define ECHO_HEADER      8u
#define HEADERS_V4_BYTES (20u + ECHO_HEADER)
#define HEADERS_V6_BYTES (40u + ECHO_HEADER)
#define PACKET_MAX       65536u
#define SMALLEST_BYTES   128u
#define WAIT_MS          250
#define TRIES            2
#define NS               INT64_C(1000000)

struct path {
    int socket;
    bool is_ipv4;
    uint16_t sequence;
    bool is_too_large_here; /* this machine's own interface takes less */
};

static int64_t clock_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / NS;
}

/* The kernel fills identifier and checksum (icmp(7)); false: errno. */
static bool path_open(const struct address *address, struct path *ret_path)
{
    bool is_ipv4 = address_is_ipv4(address);
    struct sockaddr_in to4 = {.sin_family = AF_INET};
    struct sockaddr_in6 to6 = {.sin6_family = AF_INET6};
    int probe4 = IP_PMTUDISC_PROBE;
    int probe6 = IPV6_PMTUDISC_PROBE;
    memcpy(&to4.sin_addr, address->ip + 12, sizeof(to4.sin_addr));
    memcpy(&to6.sin6_addr, address->ip, sizeof(to6.sin6_addr));
    int fd = socket(is_ipv4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
                    is_ipv4 ? IPPROTO_ICMP : IPPROTO_ICMPV6);
    if (fd < 0)
        return false;
    const void *to = is_ipv4 ? (const void *)&to4 : (const void *)&to6;
    bool is_open =
        is_ipv4 ? setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &probe4, sizeof(probe4)) == 0
                : setsockopt(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, &probe6, sizeof(probe6)) == 0;
    if (!is_open || connect(fd, to, is_ipv4 ? sizeof(to4) : sizeof(to6)) != 0) {
        int error = errno;
        close(fd);
        errno = error;
        return false;
    }
    *ret_path = (struct path){.socket = fd, .is_ipv4 = is_ipv4};
    return true;
}

/* An answer of this number and size within the time. */
static bool path_await(const struct path *path, size_t size)
{
    static uint8_t answer[PACKET_MAX];
    int64_t end_ms = clock_ms() + WAIT_MS;
    for (int64_t left_ms = WAIT_MS; left_ms > 0; left_ms = end_ms - clock_ms()) {
        struct pollfd waits = {.fd = path->socket, .events = POLLIN};
        if (poll(&waits, 1, (int)left_ms) <= 0)
            return false;
        ssize_t got = recv(path->socket, answer, sizeof(answer), 0);
        if (got == (ssize_t)size && answer[6] == path->sequence >> 8 &&
            answer[7] == (path->sequence & 0xff))
            return true;
        if (got < 0 && errno != EAGAIN && errno != EINTR)
            return false;
    }
    return false;
}

/* Whether a packet of so many bytes, its IP header counted, comes back. */
static bool path_takes(struct path *path, uint32_t packet_bytes)
{
    static uint8_t request[PACKET_MAX];
    size_t size =
        packet_bytes - (path->is_ipv4 ? HEADERS_V4_BYTES : HEADERS_V6_BYTES) + ECHO_HEADER;
    for (int i = 0; i < TRIES; i++) {
        path->sequence++;
        request[0] = path->is_ipv4 ? ECHO_REQUEST_V4 : ECHO_REQUEST_V6;
        request[6] = (uint8_t)(path->sequence >> 8);
        request[7] = (uint8_t)path->sequence;
        if (send(path->socket, request, size, 0) < 0) {
            path->is_too_large_here |= errno == EMSGSIZE;
            return false;
        }
        if (path_await(path, size))
            return true;
    }
    return false;
}

/* The largest size between one that passes and one that does not. */
static uint32_t path_find(struct path *path, uint32_t passes, uint32_t fails)
{
    while (fails - passes > 1) {
        uint32_t middle = passes + (fails - passes) / 2;
        if (path_takes(path, middle))
            passes = middle;
        else
            fails = middle;
    }
    return passes;
}

static void tell_narrow(struct path *path, const struct config *config, const char *config_path,
                        const struct doctor_found *found, const char *subject)
{
    path->is_too_large_here = false;
    uint32_t largest = path_find(path, SMALLEST_BYTES, config->mtu_bytes);
    (void)path_takes(path, largest + 1);
    if (path->is_too_large_here) {
        (void)doctor_tell(found, CHECK_UNKNOWN, subject,
                          "packets of %u bytes arrive; this machine's own interface on the way "
                          "takes none of [port] mtu = %u",
                          largest, config->mtu_bytes);
        return;
    }
    if (largest < MTU_MIN) {
        (void)doctor_tell(found, CHECK_WRONG, subject,
                          "packets of %u bytes arrive, and none of [port] mtu = %u; a node needs "
                          "%u: raise the MTU of the switches on the way",
                          largest, config->mtu_bytes, MTU_MIN);
        return;
    }
    struct check_finding *finding =
        doctor_tell(found, CHECK_WRONG, subject,
                    "packets of %u bytes arrive, and none of [port] mtu = %u: raise the MTU of the "
                    "switches on the way, or set mtu = %u; the node sends smaller packets there",
                    largest, config->mtu_bytes, largest);
    if (config_path != NULL)
        snprintf(finding->command, sizeof(finding->command), "sed -i 's/^mtu *=.*/mtu = %u/' '%s'",
                 largest, config_path);
}

static void look_at_path(const struct config *config, const char *config_path,
                         const struct doctor_found *found, const struct config_peer *peer)
{
    struct path path;
    char ip[ADDRESS_IP_TEXT_BYTES];
    char subject[ADDRESS_IP_TEXT_BYTES + 32];
    snprintf(subject, sizeof(subject), "path to node %u, %s", peer->id,
             address_ip_text(peer->address.ip, ip));
    if (!path_open(&peer->address, &path)) {
        (void)doctor_tell(found, CHECK_UNKNOWN, subject, "no echo request can be sent: %s",
                          strerror(errno));
        return;
    }
    if (path_takes(&path, config->mtu_bytes))
        (void)doctor_tell(found, CHECK_GOOD, subject, "packets of [port] mtu = %u arrive whole",
                          config->mtu_bytes);
    else if (!path_takes(&path, SMALLEST_BYTES))
        (void)doctor_tell(found, CHECK_UNKNOWN, subject,
                          "no answer to an echo request: the node does not run, or packets of this "
                          "machine's kernel do not reach it");
    else
        tell_narrow(&path, config, config_path, found, subject);
    close(path.socket);
}

void doctor_paths(const struct config *config, const char *config_path,
                  const struct doctor_found *found)
{
    const struct config_peer *self = config_self(config);
    for (uint32_t i = 0; i < config->peer_count; i++) {
        if (&config->peers[i] != self)
            look_at_path(config, config_path, found, &config->peers[i]);
    }
}
