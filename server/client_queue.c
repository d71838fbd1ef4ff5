/* See client_queue.h. */
#include "server/client_queue.h"

#include <string.h>

struct client_queue {
    uint32_t first;
    uint32_t count;
    uint32_t packet_bytes_max;
    struct dp_datagram datagrams[CLIENT_QUEUE_MAX];
    uint8_t *bytes; /* CLIENT_QUEUE_MAX times packet_bytes_max */
};

size_t client_queue_arena_bytes(uint32_t packet_bytes_max)
{
    return sizeof(struct client_queue) + (size_t)CLIENT_QUEUE_MAX * packet_bytes_max + 2 * 64;
}

struct client_queue *client_queue_init(struct arena *arena, uint32_t packet_bytes_max)
{
    struct client_queue *queue = arena_take(arena, sizeof(struct client_queue), 64);
    queue->packet_bytes_max = packet_bytes_max;
    queue->bytes = arena_take(arena, (size_t)CLIENT_QUEUE_MAX * packet_bytes_max, 64);
    return queue;
}

uint32_t client_queue_count(const struct client_queue *queue)
{
    return queue->count;
}

enum error client_queue_add(struct client_queue *queue, const struct dp_datagram *datagram)
{
    if (datagram->size_bytes > queue->packet_bytes_max)
        return ERR_TOO_LARGE;
    if (queue->count == CLIENT_QUEUE_MAX)
        return ERR_FULL;
    uint32_t place = (queue->first + queue->count++) % CLIENT_QUEUE_MAX;
    uint8_t *bytes = queue->bytes + (size_t)place * queue->packet_bytes_max;
    memcpy(bytes, datagram->data, datagram->size_bytes);
    queue->datagrams[place] = *datagram;
    queue->datagrams[place].data = bytes;
    return OK;
}

bool client_queue_take(struct client_queue *queue, struct dp_datagram *ret_datagram)
{
    if (queue->count == 0)
        return false;
    *ret_datagram = queue->datagrams[queue->first];
    queue->first = (queue->first + 1) % CLIENT_QUEUE_MAX;
    queue->count--;
    return true;
}
