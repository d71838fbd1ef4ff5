/*
 * Frames on their way out through one queue of a port: what the port does not take stays, in order.
 * Owner: the switch's thread.
 */
#ifndef POLLUX_TOOLS_SWITCH_TX_QUEUE_H
#define POLLUX_TOOLS_SWITCH_TX_QUEUE_H

#include "base/span.h"
#include "dataplane/frame.h"
#include "tools/switch/counters.h"

#include <stdbool.h>
#include <stdint.h>

#define TX_QUEUE_FRAMES_MAX 1024

struct tx_queue {
    uint32_t count;
    struct dp_frame *frames[TX_QUEUE_FRAMES_MAX];
};

/* False when the queue is full: the frame stays the caller's. */
bool tx_queue_push(struct tx_queue *queue, struct dp_frame *frame);

/* Hands waiting frames to queue `index` of the port and counts them; true if any left. */
bool tx_queue_flush(struct tx_queue *queue, struct dp_frame_port *port, uint32_t index,
                    struct port_counters *counters);

/* Frees what waits; returns how many there were. */
uint32_t tx_queue_clear(struct tx_queue *queue);

/*
 * The queue of a node's port that a frame belongs in, of `queue_count`: an IPv4 UDP datagram to the
 * port `first_port` plus n goes to queue n modulo the count, all else to queue 0. So the switch
 * stands in for the flow rule of a network card.
 */
uint32_t tx_queue_steer(struct span frame, uint16_t first_port, uint32_t queue_count);

#endif
