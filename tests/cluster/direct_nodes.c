/*
 * A client that reaches the nodes at their own addresses: loaded before the C library (LD_PRELOAD),
 * it lets a program that has no network but the loopback send to 10.77.0.I:7400 + shard, and turns
 * that into the port of the switch on 127.0.0.1. The other way round for what it receives.
 *
 * DIRECT_BASE: the switch's --udp-base. DIRECT_SHARDS: its --shards.
 */
#include <arpa/inet.h>
#include <dlfcn.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define NETWORK   0x0A4D0000u /* 10.77.0.0 */
#define NODE_PORT 7400
#define BURST_MAX 64

static unsigned number_of(const char *name)
{
    const char *text = getenv(name);
    return text == NULL ? 0 : (unsigned)strtoul(text, NULL, 10);
}

static void to_loopback(struct sockaddr_in *name)
{
    unsigned ip = ntohl(name->sin_addr.s_addr);
    unsigned shard = ntohs(name->sin_port) - NODE_PORT;
    unsigned shards = number_of("DIRECT_SHARDS");
    if ((ip & 0xFFFFFF00u) != NETWORK || shard >= shards)
        return;
    unsigned port = number_of("DIRECT_BASE") + (ip & 0xFF) * shards + shard;
    name->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    name->sin_port = htons((uint16_t)port);
}

static void to_node(struct sockaddr_in *name)
{
    unsigned shards = number_of("DIRECT_SHARDS");
    unsigned place = ntohs(name->sin_port) - number_of("DIRECT_BASE");
    if (ntohl(name->sin_addr.s_addr) != INADDR_LOOPBACK || place / shards > 0xFF)
        return;
    name->sin_addr.s_addr = htonl(NETWORK | place / shards);
    name->sin_port = htons((uint16_t)(NODE_PORT + place % shards));
}

int sendmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags)
{
    int (*real)(int, struct mmsghdr *, unsigned, int) = NULL;
    struct mmsghdr changed[BURST_MAX];
    struct sockaddr_in names[BURST_MAX];
    *(void **)(&real) = dlsym(RTLD_NEXT, "sendmmsg");
    if (count > BURST_MAX)
        count = BURST_MAX;
    for (unsigned i = 0; i < count; i++) {
        changed[i] = messages[i];
        memcpy(&names[i], messages[i].msg_hdr.msg_name, sizeof(names[i]));
        to_loopback(&names[i]);
        changed[i].msg_hdr.msg_name = &names[i];
    }
    return real(fd, changed, count, flags);
}

int recvmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags, struct timespec *timeout)
{
    int (*real)(int, struct mmsghdr *, unsigned, int, struct timespec *) = NULL;
    *(void **)(&real) = dlsym(RTLD_NEXT, "recvmmsg");
    int taken = real(fd, messages, count, flags, timeout);
    for (int i = 0; i < taken; i++) {
        struct sockaddr_in name;
        memcpy(&name, messages[i].msg_hdr.msg_name, sizeof(name));
        to_node(&name);
        memcpy(messages[i].msg_hdr.msg_name, &name, sizeof(name));
    }
    return taken;
}
