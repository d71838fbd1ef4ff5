/*
 * A node's port: opened as [port] asks, told, and looked at while the node runs. If the device is a
 * card that cannot be opened, the reason is what the machine says of it (server/host_fault.h), the
 * command that mends it, and DPDK's last messages.
 *
 * Main thread.
 */
#ifndef POLLUX_SERVER_NODE_PORT_H
#define POLLUX_SERVER_NODE_PORT_H

#include "server/config.h"

/* Of the host and of DPDK; a log line has no more. */
#define NODE_PORT_TEXT_BYTES 2048

struct dp_frame_port;

struct node_port {
    struct dp_frame_port *frames; /* NULL: not open */
    bool was_up;                  /* as it was told last */
};

/* Starts DPDK and opens the port. Tells here, where the files of the machine can be read, if its
 * memory is far. ret_reason has NODE_PORT_TEXT_BYTES. */
MUST_USE enum error node_port_open(struct node_port *port, const struct config *config,
                                   const char *program, char *ret_reason);

/* Log lines: what the port is, and which of the lanes' packets the card steers. */
void node_port_tell(struct node_port *port, const struct config *config);

/* Looks at the link, and tells when it has gone or come. */
void node_port_look(struct node_port *port, const struct config *config);

#endif
