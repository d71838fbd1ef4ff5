/*
 * Packets of clients that wait while those of peers are taken from the port: copies, so that no
 * number of clients holds buffers of the port. What finds no place is dropped, as if it were lost.
 *
 * All memory is taken at the start. Owner: the lane's thread.
 */
#ifndef POLLUX_SERVER_CLIENT_QUEUE_H
#define POLLUX_SERVER_CLIENT_QUEUE_H

#include "base/arena.h"
#include "base/error.h"
#include "base/limits.h"
#include "dataplane/port.h"

/* As many as the largest receive ring has by default. */
#define CLIENT_QUEUE_MAX 1024u

struct client_queue;

/* `packet_bytes_max`: the largest packet that it has room for. */
size_t client_queue_arena_bytes(uint32_t packet_bytes_max);
struct client_queue *client_queue_init(struct arena *arena, uint32_t packet_bytes_max);

uint32_t client_queue_count(const struct client_queue *queue);

/* ERR_FULL; ERR_TOO_LARGE: no packet is so large. */
MUST_USE enum error client_queue_add(struct client_queue *queue,
                                     const struct dp_datagram *datagram);

/* The oldest; it lies in the queue until the next one is added. False: none waits. */
bool client_queue_take(struct client_queue *queue, struct dp_datagram *ret_datagram);

#endif
