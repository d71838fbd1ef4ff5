/*
 * Frames that a fault holds back until their time: a bounded binary heap ordered by due time, equal
 * times in the order of arrival (Williams 1964).
 *
 * Pure. Owner: one thread. The queue owns the frames in it.
 */
#ifndef POLLUX_TOOLS_SWITCH_DELAY_QUEUE_H
#define POLLUX_TOOLS_SWITCH_DELAY_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

#define DELAY_QUEUE_MAX      4096
#define DELAY_QUEUE_NO_FRAME UINT64_MAX

struct dp_frame;

struct delayed_frame {
    uint64_t due_ns;
    uint64_t order;
    struct dp_frame *frame;
    uint32_t port; /* where it leaves */
};

struct delay_queue {
    struct delayed_frame heap[DELAY_QUEUE_MAX];
    uint32_t count;
    uint64_t order_next;
};

void delay_queue_init(struct delay_queue *queue);

/* False when full: the frame stays the caller's. */
bool delay_queue_push(struct delay_queue *queue, struct dp_frame *frame, uint32_t port,
                      uint64_t due_ns);

/* When the first frame is due, or DELAY_QUEUE_NO_FRAME. */
uint64_t delay_queue_deadline_ns(const struct delay_queue *queue);

/* Takes the first frame if it is due; NULL otherwise. */
struct dp_frame *delay_queue_pop(struct delay_queue *queue, uint64_t now_ns, uint32_t *ret_port);

#endif
