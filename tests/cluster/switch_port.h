/*
 * A host of a test behind pollux-switch: one more memif port, frames in and out.
 *
 * Owner: one thread, one port for each process.
 */
#ifndef POLLUX_TESTS_CLUSTER_SWITCH_PORT_H
#define POLLUX_TESTS_CLUSTER_SWITCH_PORT_H

#include "dataplane/frame.h"

/* Attaches to a socket of the switch, `pool_size` frames. NULL: the reason is told on standard
 * error. */
struct dp_frame_port *switch_port_open(const char *program, const char *socket_path,
                                       uint32_t pool_size);

/* Sends the frame, or gives it back after many tries. */
bool switch_port_send(struct dp_frame_port *port, struct dp_frame *frame);

void switch_port_close(struct dp_frame_port *port);

#endif
