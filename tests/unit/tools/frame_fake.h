/*
 * dataplane/frame.h without DPDK: ports are two arrays, filled and read by a test. Counts the
 * frames that live, so that a test can prove that none leaks.
 */
#ifndef POLLUX_TESTS_UNIT_TOOLS_FRAME_FAKE_H
#define POLLUX_TESTS_UNIT_TOOLS_FRAME_FAKE_H

#include "dataplane/frame.h"

#define FAKE_QUEUE_MAX 4096

struct dp_frame_port {
    bool is_up;
    uint32_t tx_room;   /* frames that dp_frame_tx still takes */
    uint32_t pool_room; /* frames that the pool still has */
    struct dp_frame *rx[FAKE_QUEUE_MAX];
    uint32_t rx_count;
    struct dp_frame *tx[FAKE_QUEUE_MAX];
    uint32_t tx_count;
};

void fake_port_init(struct dp_frame_port *port);
void fake_port_deinit(struct dp_frame_port *port);

/* The port receives these bytes. */
void fake_receive(struct dp_frame_port *port, const uint8_t *bytes, uint32_t size_bytes);

/* Frames that were made and not freed. */
extern int64_t fake_frames_alive;

#endif
