/*
 * A peer of net_memif that is gone before it is greeted.
 *
 * The driver greets whoever connects to its socket. If that process has ended by then, the
 * greeting fails; the driver closes the connection, frees what belongs to it, and leaves both in
 * the table of what EAL's interrupt thread waits for. The interrupt thread then meets a file that
 * is closed, and ends the process.
 *
 * gone_peer.c defines sendmsg for the whole process. To the interrupt thread a message to a peer
 * that is gone counts as sent, and raises no signal: the read that follows finds the end of the
 * connection, and there the driver tidies up. Any other caller's sendmsg is the plain system call.
 *
 * Source: DPDK 22.11, drivers/net/memif/memif_socket.c, memif_listener_handler; sendmsg(2).
 */
#ifndef POLLUX_DATAPLANE_GONE_PEER_H
#define POLLUX_DATAPLANE_GONE_PEER_H

#include <stdbool.h>

/* Whether drivers of this process call the sendmsg that is defined here. Any thread. */
bool gone_peer_is_watched(void);

#endif
