/*
 * How large the packets to each endpoint, and its answers, may be (wire/path_limit.h). The handle
 * finds it out where it matters: once something is larger than the packets that every path carries.
 * In its questions it tells the node what it has found: answers come in such packets.
 *
 * What is relayed is always of the smallest size.
 *
 * Owner: whoever holds the mutex of the handle.
 */
#ifndef POLLUX_CLIENT_PATHS_H
#define POLLUX_CLIENT_PATHS_H

#include "base/address.h"
#include "wire/path_limit.h"
#include "wire/wire_packet.h"

struct plx_client;
struct packet_out;
struct source;

/* While a handle tells a size, it is asked for again after this time at the latest. */
#define PATHS_TOLD_NS UINT64_C(1000000000)

struct endpoint_path {
    struct path_limit limit;
    struct address address; /* of the endpoint that this is of */
    uint64_t incarnation;   /* of its node */
    bool is_wanted;
    uint16_t shard; /* about which it is asked */
};

void paths_init(struct plx_client *client);
/* Payload of the largest packet that may go to an endpoint about a shard. */
uint16_t paths_piece_size(struct plx_client *client, uint32_t endpoint, uint16_t shard);
/* Payload of the largest packet around another one, of a body of so many bytes, that may go to the
 * packet's endpoint, which relays. It was in one piece before there were questions, and is until
 * the endpoint has answered one. */
uint16_t paths_carrier_piece_size(struct plx_client *client, const struct packet_out *packet,
                                  size_t body_bytes);
/* Whether how large packets may be will be known in a moment: what is large waits for that. */
bool paths_is_open(struct plx_client *client, uint32_t endpoint, uint16_t shard);
/* Something that is sent there, or comes from there, takes several packets, or more than one that
 * did arrive: it is asked, in this turn, how large they may be. */
void paths_want(struct plx_client *client, uint32_t endpoint, uint16_t shard);
/* What is sent there is sent again: the same, if packets there are larger than the smallest. */
void paths_doubt(struct plx_client *client, uint32_t endpoint, uint16_t shard);
/* Which packets an answer may come in, as the question tells. */
uint16_t paths_answer_size(struct plx_client *client, uint32_t endpoint,
                           const struct wire_message_header *header);
/* The node says who it is: after its restart it may be another program. */
void paths_note_incarnation(struct plx_client *client, uint32_t endpoint, uint64_t incarnation);
/* Sends the questions that are due. */
void paths_turn(struct plx_client *client);
/* An answer. False: nothing of the kind was asked. */
bool paths_receive(struct plx_client *client, const struct source *from, struct span body);

#endif
