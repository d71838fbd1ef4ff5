/* The heap of delayed frames. */
#include "tools/switch/delay_queue.h"

#include <stddef.h>

void delay_queue_init(struct delay_queue *queue)
{
    queue->count = 0;
    queue->order_next = 0;
}

static bool is_before(const struct delayed_frame *a, const struct delayed_frame *b)
{
    return a->due_ns != b->due_ns ? a->due_ns < b->due_ns : a->order < b->order;
}

bool delay_queue_push(struct delay_queue *queue, struct dp_frame *frame, uint32_t port,
                      uint64_t due_ns)
{
    if (queue->count == DELAY_QUEUE_MAX) {
        return false;
    }
    struct delayed_frame added = {
        .due_ns = due_ns, .order = queue->order_next++, .frame = frame, .port = port};
    uint32_t hole = queue->count++;
    while (hole > 0 && is_before(&added, &queue->heap[(hole - 1) / 2])) {
        queue->heap[hole] = queue->heap[(hole - 1) / 2];
        hole = (hole - 1) / 2;
    }
    queue->heap[hole] = added;
    return true;
}

uint64_t delay_queue_deadline_ns(const struct delay_queue *queue)
{
    return queue->count == 0 ? DELAY_QUEUE_NO_FRAME : queue->heap[0].due_ns;
}

static void heap_refill_root(struct delay_queue *queue)
{
    struct delayed_frame last = queue->heap[--queue->count];
    uint32_t hole = 0;
    while (2 * hole + 1 < queue->count) {
        uint32_t child = 2 * hole + 1;
        if (child + 1 < queue->count && is_before(&queue->heap[child + 1], &queue->heap[child])) {
            child++;
        }
        if (!is_before(&queue->heap[child], &last)) {
            break;
        }
        queue->heap[hole] = queue->heap[child];
        hole = child;
    }
    queue->heap[hole] = last;
}

struct dp_frame *delay_queue_pop(struct delay_queue *queue, uint64_t now_ns, uint32_t *ret_port)
{
    if (queue->count == 0 || queue->heap[0].due_ns > now_ns) {
        return NULL;
    }
    struct dp_frame *frame = queue->heap[0].frame;
    *ret_port = queue->heap[0].port;
    heap_refill_root(queue);
    return frame;
}
