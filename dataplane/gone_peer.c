/* The sendmsg of drivers: see dataplane/gone_peer.h. */
#include "dataplane/gone_peer.h"

#include <dlfcn.h>
#include <errno.h>
#include <rte_interrupts.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static ssize_t whole_size(const struct msghdr *message)
{
    size_t size_bytes = 0;
    for (size_t i = 0; i < message->msg_iovlen; i++)
        size_bytes += message->msg_iov[i].iov_len;
    return (ssize_t)size_bytes;
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    bool is_driver = rte_thread_is_intr() != 0;
    ssize_t sent = syscall(SYS_sendmsg, fd, message, is_driver ? flags | MSG_NOSIGNAL : flags);
    bool is_gone = sent < 0 && (errno == EPIPE || errno == ECONNRESET || errno == ENOTCONN);
    return is_driver && is_gone ? whole_size(message) : sent;
}

bool gone_peer_is_watched(void)
{
    return (uintptr_t)dlsym(RTLD_DEFAULT, "sendmsg") == (uintptr_t)&sendmsg;
}
