/* Bursts of frames on one queue of a port. */
#include "dataplane/frame_port_internal.h"

#include "base/check.h"

#include <rte_ethdev.h>
#include <rte_lcore.h>

/* Buffers in several parts are made one; those that cannot are larger than anything we accept. */
static uint32_t frames_linearise(struct frame_queue *queue, struct rte_mbuf **mbufs, uint32_t count)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (mbufs[i]->nb_segs > 1 && rte_pktmbuf_linearize(mbufs[i]) != 0) {
            queue->rx_oversized++;
            rte_pktmbuf_free(mbufs[i]);
            continue;
        }
        mbufs[kept++] = mbufs[i];
    }
    return kept;
}

/* A thread that EAL did not make has no buffer cache until it registers. */
static void thread_adopt(void)
{
    static _Thread_local bool is_tried;
    if (!is_tried) {
        is_tried = true;
        if (rte_lcore_id() == LCORE_ID_ANY) {
            (void)rte_thread_register();
        }
    }
}

/* Brackets a burst; false when the port is not to be touched now. */
static bool burst_begin(struct dp_frame_port *port, struct frame_queue *queue)
{
    unmap_guard_begin(&queue->guard);
    if (atomic_load_explicit(&port->is_held, memory_order_acquire) || !port->is_started) {
        unmap_guard_end(&queue->guard);
        return false;
    }
    return true;
}

uint32_t dp_frame_rx(struct dp_frame_port *port, uint32_t queue, struct dp_frame **ret_frames,
                     uint32_t max)
{
    CHECK(queue < port->queue_count && max <= DP_FRAME_BURST_MAX);
    struct rte_mbuf **mbufs = (struct rte_mbuf **)ret_frames;
    struct frame_queue *own = &port->queues[queue];
    uint32_t count = 0;
    thread_adopt();
    if (burst_begin(port, own)) {
        count = rte_eth_rx_burst(port->id, (uint16_t)queue, mbufs, (uint16_t)max);
        unmap_guard_end(&own->guard);
    }
    return count == 0 ? 0 : frames_linearise(own, mbufs, count);
}

uint32_t dp_frame_tx(struct dp_frame_port *port, uint32_t queue, struct dp_frame **frames,
                     uint32_t count)
{
    CHECK(queue < port->queue_count && count <= DP_FRAME_BURST_MAX);
    struct frame_queue *own = &port->queues[queue];
    uint32_t sent = 0;
    if (burst_begin(port, own)) {
        sent = rte_eth_tx_burst(port->id, (uint16_t)queue, (struct rte_mbuf **)frames,
                                (uint16_t)count);
        unmap_guard_end(&own->guard);
    }
    return sent;
}

bool frame_port_new_bulk(struct dp_frame_port *port, uint32_t queue, struct rte_mbuf **ret_mbufs,
                         uint32_t count)
{
    return rte_pktmbuf_alloc_bulk(port->queues[queue].pool, ret_mbufs, count) == 0;
}
