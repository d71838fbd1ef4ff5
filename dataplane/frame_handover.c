/*
 * Frames that one lane gives another: a bounded ring for each receiving queue, and the release of
 * frames that belong to another queue's pool.
 *
 * The rings have several producers and one consumer. Lanes are ordinary threads that the kernel may
 * stop at any instruction, so the producers use the relaxed tail of DPDK's RTS rings: one that was
 * stopped in the middle of a push does not keep the other lanes spinning, it only delays what they
 * pushed behind it. Source: DPDK programmer's guide, Ring Library, "Relaxed tail sync".
 *
 * Any thread may free a frame: pools are made with DPDK's default handler, a ring of several
 * producers and consumers, and the count of references is atomic. A thread's cache needs more care:
 * frames of a pool that this thread never takes from would collect in the cache that it has for
 * that pool, up to 1.5 times POOL_CACHE_MBUFS for every other lane. So such frames pass the cache
 * by and go straight back to the pool's ring.
 */
#include "dataplane/frame_port_internal.h"

#include "base/check.h"

#include <stdio.h>

struct rte_ring *frame_handover_open(const struct dp_frame_port *port, uint16_t queue)
{
    char name[RTE_RING_NAMESIZE];
    (void)snprintf(name, sizeof(name), "handover_%u_%u", port->id, queue);
    return rte_ring_create(name, HANDOVER_FRAMES_MAX, SOCKET_ID_ANY,
                           RING_F_MP_RTS_ENQ | RING_F_SC_DEQ | RING_F_EXACT_SZ);
}

void frame_handover_close(struct rte_ring *ring)
{
    void *mbuf;
    if (ring == NULL) {
        return;
    }
    for (uint32_t i = 0; i < HANDOVER_FRAMES_MAX && rte_ring_dequeue(ring, &mbuf) == 0; i++) {
        rte_pktmbuf_free(mbuf);
    }
    rte_ring_free(ring);
}

bool frame_port_hand_over(struct dp_frame_port *port, uint32_t queue, struct rte_mbuf *mbuf)
{
    CHECK(queue < port->queue_count && port->queues[queue].handover != NULL);
    return rte_ring_enqueue(port->queues[queue].handover, mbuf) == 0;
}

uint32_t frame_port_take_over(struct dp_frame_port *port, uint32_t queue,
                              struct rte_mbuf **ret_mbufs, uint32_t max)
{
    struct rte_ring *ring = port->queues[queue].handover;
    return ring == NULL ? 0 : rte_ring_dequeue_burst(ring, (void **)ret_mbufs, max, NULL);
}

static void foreign_release(struct rte_mbuf *mbuf)
{
    struct rte_mbuf *unused = rte_pktmbuf_prefree_seg(mbuf);
    if (unused != NULL) {
        rte_mempool_generic_put(unused->pool, (void **)&unused, 1, NULL);
    }
}

void frame_port_release(struct dp_frame_port *port, uint32_t queue, struct rte_mbuf **mbufs,
                        uint32_t count)
{
    const struct rte_mempool *own = port->queues[queue].pool;
    for (uint32_t i = 0; port->queue_count > 1 && i < count; i++) {
        if (mbufs[i] != NULL && mbufs[i]->pool != own) {
            foreign_release(mbufs[i]);
            mbufs[i] = NULL;
        }
    }
    rte_pktmbuf_free_bulk(mbufs, count);
}
