/*
 * Packets on their way out and in, and what carries them: client/socket.c, or what a program links
 * in its place. Owner: whoever holds the mutex of the handle, but for socket_wake.
 */
#ifndef POLLUX_CLIENT_PACKET_H
#define POLLUX_CLIENT_PACKET_H

#include "base/address.h"
#include "base/limits.h"
#include "base/span.h"
#include "client/include/pollux.h"
#include "wire/wire.h"

#define PACKETS_IN_BURST  32
#define PACKETS_IN_BURSTS 8 /* bursts received in one turn */
#define PACKETS_OUT_MAX   64
#define REPLY_SLOTS       8 /* replies of several packets under way */

struct shard_state;

struct packet_out {
    uint8_t endpoint;
    uint8_t way;   /* endpoint_way */
    uint8_t relay; /* client/relay.h; 0 once it is put into a packet for the relay */
    uint16_t shard;
    uint32_t size_bytes;
    uint32_t room_bytes; /* behind `bytes` */
    uint8_t *bytes;      /* in the handle's `out_bytes` */
};

/* Where a message came from. */
struct source {
    uint32_t endpoint;
    uint16_t shard;
    uint8_t relay; /* the endpoint, and one, by way of which it came; 0: directly */
};

/* Room for the packets that are gathered: that many of the usual size. */
#define PACKETS_OUT_BYTES ((size_t)PACKETS_OUT_MAX * PACKET_SIZE_BYTES_USUAL)
/* What a relay's packet around another one adds. */
#define PACKET_AROUND_BYTES (PACKET_HEADER_SIZE_BYTES + RELAY_HEAD_SIZE_BYTES)

uint64_t message_id_next(struct plx_client *client);
/* The next packet, to be counted in `out_count` by the caller, with room for so many bytes; NULL:
 * there is none before the next flush. */
struct packet_out *packet_next(struct plx_client *client, size_t room_bytes);
/* The same, after a flush if need be. */
struct packet_out *packet_begin(struct plx_client *client, size_t room_bytes);
/* One more packet to send, to the shard of the header; flushed when PACKETS_OUT_MAX are
 * gathered. */
void packet_send_piece(struct plx_client *client, uint32_t endpoint,
                       const struct wire_message_header *header, struct span body, uint32_t piece);
/* A message that fits a packet of the usual size, under a fresh message id; of two packets where
 * the way takes smaller ones alone. */
void packet_send(struct plx_client *client, const struct source *to, uint8_t wire_type,
                 struct span body);
/* The same, to each address that the endpoint may have, or, with a key, to the next of them; how
 * many were sent. For what may arrive more than once. */
uint32_t packet_send_all_ways(struct plx_client *client, const struct source *to, uint8_t wire_type,
                              struct span body);
/* Sends the packets that were gathered. */
void packets_flush(struct plx_client *client);
/* Asks for pieces of replies that have not come. */
void packets_ask_missing(struct plx_client *client);
/* A packet arrived; a message that it completes goes to receive_message. */
void packet_receive(struct plx_client *client, const struct address *from, struct span bytes);

/* ---- receive.c, reply.c ---- */
void receive_message(struct plx_client *client, const struct source *from,
                     const struct wire_message_header *header, struct span body);
void reply_receive(struct plx_client *client, const struct source *from, bool is_read,
                   const struct wire_reply *reply);

/* ---- socket.c, or what a program links in its place ---- */
uint64_t clock_monotonic_ns(void);
uint64_t clock_realtime_us(void);
/* What nobody else draws: the seed of names that must differ between handles. */
uint64_t entropy_draw(void);
enum plx_outcome socket_open(struct plx_client *client, char *ret_reason, size_t reason_size);
void socket_close(struct plx_client *client);
/* Whether this process is another one than the one that opened the handle. Then nothing is sent,
 * received or waited for. Any thread. */
bool socket_is_forked(const struct plx_client *client);
/* Sends the packets that were gathered, as they are. */
void socket_flush(struct plx_client *client);
/* Receives what is there and hands each packet to packet_receive. */
void socket_receive(struct plx_client *client);
/* Waits until a packet, a wake-up, or `until_ns`. */
void socket_wait(struct plx_client *client, uint64_t until_ns);
/* Ends the wait under way, or the next one. Any thread; from a signal handler, too. */
void socket_wake(struct plx_client *client);

#endif
