/* See client_queue.h. */
#include "server/client_queue.h"

#include <string.h>

struct client_packet_copy {
    struct dp_datagram datagram;
    uint8_t bytes[PACKET_SIZE_BYTES_MAX];
};

struct client_queue {
    uint32_t first;
    uint32_t count;
    struct client_packet_copy packets[CLIENT_QUEUE_MAX];
};

size_t client_queue_arena_bytes(void)
{
    return sizeof(struct client_queue) + 64;
}

struct client_queue *client_queue_init(struct arena *arena)
{
    return arena_take(arena, sizeof(struct client_queue), 64);
}

uint32_t client_queue_count(const struct client_queue *queue)
{
    return queue->count;
}

enum error client_queue_add(struct client_queue *queue, const struct dp_datagram *datagram)
{
    if (datagram->size_bytes > PACKET_SIZE_BYTES_MAX)
        return ERR_TOO_LARGE;
    if (queue->count == CLIENT_QUEUE_MAX)
        return ERR_FULL;
    struct client_packet_copy *copy =
        &queue->packets[(queue->first + queue->count++) % CLIENT_QUEUE_MAX];
    copy->datagram = *datagram;
    copy->datagram.data = copy->bytes;
    memcpy(copy->bytes, datagram->data, datagram->size_bytes);
    return OK;
}

bool client_queue_take(struct client_queue *queue, struct dp_datagram *ret_datagram)
{
    if (queue->count == 0)
        return false;
    *ret_datagram = queue->packets[queue->first].datagram;
    queue->first = (queue->first + 1) % CLIENT_QUEUE_MAX;
    queue->count--;
    return true;
}
