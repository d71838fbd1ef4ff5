/* Ports made of arrays. */
#include "tests/unit/tools/frame_fake.h"

#include "base/check.h"

#include <stdlib.h>
#include <string.h>

#define FAKE_FRAME_BYTES 2048

struct dp_frame {
    struct dp_frame_port *pool;
    uint32_t size_bytes;
    uint8_t bytes[FAKE_FRAME_BYTES];
};

int64_t fake_frames_alive;

void fake_port_init(struct dp_frame_port *port)
{
    *port = (struct dp_frame_port){
        .is_up = true, .tx_room = FAKE_QUEUE_MAX, .pool_room = UINT32_MAX / 2};
}

void fake_port_deinit(struct dp_frame_port *port)
{
    for (uint32_t i = 0; i < port->rx_count; i++) {
        dp_frame_free(port->rx[i]);
    }
    for (uint32_t i = 0; i < port->tx_count; i++) {
        dp_frame_free(port->tx[i]);
    }
    port->rx_count = 0;
    port->tx_count = 0;
}

void fake_receive(struct dp_frame_port *port, const uint8_t *bytes, uint32_t size_bytes)
{
    struct dp_frame *frame = dp_frame_new(port, 0);
    CHECK(frame != NULL && port->rx_count < FAKE_QUEUE_MAX);
    memcpy(frame->bytes, bytes, size_bytes);
    frame->size_bytes = size_bytes;
    port->rx[port->rx_count++] = frame;
}

void dp_frame_port_look(struct dp_frame_port *port)
{
    (void)port;
}

bool dp_frame_port_is_up(const struct dp_frame_port *port)
{
    return port->is_up;
}

uint32_t dp_frame_rx(struct dp_frame_port *port, uint32_t queue, struct dp_frame **ret_frames,
                     uint32_t max)
{
    CHECK(queue == 0 && max <= DP_FRAME_BURST_MAX);
    uint32_t count = port->rx_count < max ? port->rx_count : max;
    memcpy(ret_frames, port->rx, count * sizeof(ret_frames[0]));
    port->rx_count -= count;
    memmove(port->rx, port->rx + count, port->rx_count * sizeof(port->rx[0]));
    return count;
}

uint32_t dp_frame_tx(struct dp_frame_port *port, uint32_t queue, struct dp_frame **frames,
                     uint32_t count)
{
    CHECK(queue == 0 && count <= DP_FRAME_BURST_MAX);
    uint32_t taken = count < port->tx_room ? count : port->tx_room;
    memcpy(port->tx + port->tx_count, frames, taken * sizeof(frames[0]));
    port->tx_count += taken;
    port->tx_room -= taken;
    return taken;
}

struct dp_frame *dp_frame_new(struct dp_frame_port *port, uint32_t queue)
{
    CHECK(queue == 0);
    if (port->pool_room == 0) {
        return NULL;
    }
    struct dp_frame *frame = calloc(1, sizeof(*frame));
    CHECK(frame != NULL);
    port->pool_room--;
    frame->pool = port;
    fake_frames_alive++;
    return frame;
}

struct dp_frame *dp_frame_copy(struct dp_frame_port *port, uint32_t queue,
                               const struct dp_frame *frame)
{
    struct dp_frame *copy = dp_frame_new(port, queue);
    if (copy != NULL) {
        memcpy(copy->bytes, frame->bytes, frame->size_bytes);
        copy->size_bytes = frame->size_bytes;
    }
    return copy;
}

void dp_frame_free(struct dp_frame *frame)
{
    frame->pool->pool_room++;
    fake_frames_alive--;
    free(frame);
}

uint8_t *dp_frame_data(struct dp_frame *frame)
{
    return frame->bytes;
}

uint32_t dp_frame_size_bytes(const struct dp_frame *frame)
{
    return frame->size_bytes;
}

uint32_t dp_frame_capacity_bytes(const struct dp_frame *frame)
{
    (void)frame;
    return FAKE_FRAME_BYTES;
}

void dp_frame_set_size_bytes(struct dp_frame *frame, uint32_t size_bytes)
{
    CHECK(size_bytes <= FAKE_FRAME_BYTES);
    frame->size_bytes = size_bytes;
}
