/* See tools/switch/tx_queue.h. */
#include "tools/switch/tx_queue.h"

#include "tools/switch/nat.h"

#include <string.h>

bool tx_queue_push(struct tx_queue *queue, struct dp_frame *frame)
{
    if (queue->count == TX_QUEUE_FRAMES_MAX)
        return false;
    queue->frames[queue->count++] = frame;
    return true;
}

static uint64_t bytes_of(struct dp_frame *const *frames, uint32_t count)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < count; i++)
        bytes += dp_frame_size_bytes(frames[i]);
    return bytes;
}

/* At most a burst, from the frame `from` on; returns how many the port took. */
static uint32_t burst_flush(struct tx_queue *queue, struct dp_frame_port *port, uint32_t index,
                            uint32_t from, struct port_counters *counters)
{
    uint32_t count = queue->count - from;
    count = count < DP_FRAME_BURST_MAX ? count : DP_FRAME_BURST_MAX;
    uint64_t bytes = bytes_of(queue->frames + from, count);
    uint32_t taken = dp_frame_tx(port, index, queue->frames + from, count);
    counters->tx_packets += taken;
    counters->tx_bytes += bytes - bytes_of(queue->frames + from + taken, count - taken);
    return taken;
}

bool tx_queue_flush(struct tx_queue *queue, struct dp_frame_port *port, uint32_t index,
                    struct port_counters *counters)
{
    uint32_t sent = 0;
    while (sent < queue->count) {
        uint32_t wanted = queue->count - sent;
        uint32_t taken = burst_flush(queue, port, index, sent, counters);
        sent += taken;
        if (taken < DP_FRAME_BURST_MAX && taken < wanted)
            break;
    }
    if (sent == 0)
        return false;
    queue->count -= sent;
    memmove(queue->frames, queue->frames + sent, queue->count * sizeof(queue->frames[0]));
    return true;
}

uint32_t tx_queue_clear(struct tx_queue *queue)
{
    uint32_t count = queue->count;
    for (uint32_t i = 0; i < count; i++)
        dp_frame_free(queue->frames[i]);
    queue->count = 0;
    return count;
}

uint32_t tx_queue_steer(struct span frame, uint16_t first_port, uint32_t queue_count)
{
    if (queue_count == 1 || frame.size_bytes < NAT_HEADER_SIZE_BYTES)
        return 0;
    const uint8_t *data = frame.data;
    bool is_udp = data[12] == 0x08 && data[13] == 0x00 && data[14] == 0x45 && data[23] == 17;
    uint16_t port = (uint16_t)(data[36] << 8 | data[37]);
    return is_udp && port >= first_port ? (uint32_t)(port - first_port) % queue_count : 0;
}
