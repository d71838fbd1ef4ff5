/*
 * Requests of several packets on their way out. Owner: whoever holds the mutex of the handle.
 */
#ifndef POLLUX_CLIENT_LARGE_H
#define POLLUX_CLIENT_LARGE_H

#include "client/include/pollux.h"
#include "client/packet.h"

#define LARGE_SENDS_MAX   4                                       /* under way */
#define LARGE_BURST_BYTES (32u * PACKET_PAYLOAD_SIZE_BYTES_USUAL) /* of pieces, at least one */
#define LARGE_RESENDS_MAX 1 /* unanswered repeats of a message, before it gets a new number */
#define LARGE_PAUSE_NS    (100 * 1000) /* between bursts of pieces */
/* What nodes take for a byte of it, beside the round trip: they write it, and send it on. */
#define LARGE_NS_PER_BYTE 32u

struct op;

struct large_send {
    uint32_t op; /* OP_NONE: free */
    uint8_t endpoint;
    bool is_recall;
    uint64_t incarnation;
    uint64_t message_id;
    uint16_t piece_size_bytes;
    uint32_t piece_count;
    uint32_t resends;
    struct wire_missing wanted; /* pieces to send now; those of the ranges before `range` are */
    uint32_t range;
    uint64_t due_ns; /* of the next burst; UINT64_MAX: all sent */
    size_t body_size_bytes;
    uint8_t *body; /* MESSAGE_SIZE_BYTES_MAX */
};

/* The operation is due, to that endpoint: begins to send it, or sends it again. */
void large_begin(struct plx_client *client, struct op *op, uint32_t endpoint);
/* A node lacks pieces of a request that it was sent. */
bool large_missing(struct plx_client *client, const struct source *from, struct span body);
/* Its place is free for another. */
void large_release(struct op *op);
/* Sends what is due; when it has something to do next, UINT64_MAX: never. */
uint64_t large_turn(struct plx_client *client);

#endif
