/* Frames as handles: a thin cover over mbufs of one segment. */
#include "dataplane/frame.h"

#include "base/check.h"
#include "dataplane/frame_port.h"

#include <rte_mbuf.h>
#include <string.h>

static struct rte_mbuf *mbuf_of(struct dp_frame *frame)
{
    return (struct rte_mbuf *)frame;
}

static const struct rte_mbuf *const_mbuf_of(const struct dp_frame *frame)
{
    return (const struct rte_mbuf *)frame;
}

struct dp_frame *dp_frame_new(struct dp_frame_port *port, uint32_t queue)
{
    struct rte_mbuf *mbuf;
    return frame_port_new_bulk(port, queue, &mbuf, 1) ? (struct dp_frame *)mbuf : NULL;
}

struct dp_frame *dp_frame_copy(struct dp_frame_port *port, uint32_t queue,
                               const struct dp_frame *frame)
{
    struct dp_frame *copy = dp_frame_new(port, queue);
    uint32_t size_bytes = dp_frame_size_bytes(frame);
    if (copy == NULL || size_bytes > dp_frame_capacity_bytes(copy)) {
        dp_frame_free(copy);
        return NULL;
    }
    memcpy(dp_frame_data(copy), rte_pktmbuf_mtod(const_mbuf_of(frame), const uint8_t *),
           size_bytes);
    dp_frame_set_size_bytes(copy, size_bytes);
    return copy;
}

void dp_frame_free(struct dp_frame *frame)
{
    rte_pktmbuf_free(mbuf_of(frame));
}

uint8_t *dp_frame_data(struct dp_frame *frame)
{
    return rte_pktmbuf_mtod(mbuf_of(frame), uint8_t *);
}

uint32_t dp_frame_size_bytes(const struct dp_frame *frame)
{
    return const_mbuf_of(frame)->data_len;
}

uint32_t dp_frame_capacity_bytes(const struct dp_frame *frame)
{
    const struct rte_mbuf *mbuf = const_mbuf_of(frame);
    return (uint32_t)mbuf->buf_len - mbuf->data_off;
}

void dp_frame_set_size_bytes(struct dp_frame *frame, uint32_t size_bytes)
{
    CHECK(size_bytes <= dp_frame_capacity_bytes(frame));
    mbuf_of(frame)->data_len = (uint16_t)size_bytes;
    mbuf_of(frame)->pkt_len = size_bytes;
}
