/*
 * What a handle and the nodes say to one another, sealed (security/seal.h), where the handle was
 * given a key. With each shard of each node that it speaks to it agrees on keys of both directions;
 * it asks for them when it has something to send there, again when it has and nobody has answered,
 * and anew when what it seals brings no answer: the node may have started anew and lack the keys.
 * One packet waits for the answer and leaves with it; what else is to be sent meanwhile is sent
 * again by its own timer, as if lost. From then on only what a node has sealed counts.
 *
 * Owner: whoever holds the mutex of the handle.
 */
#ifndef POLLUX_CLIENT_SEALS_H
#define POLLUX_CLIENT_SEALS_H

#include "base/address.h"
#include "base/arena.h"
#include "client/include/pollux.h"
#include "client/packet.h"
#include "security/handshake.h"
#include "security/key_file.h"
#include "security/random_stream.h"
#include "security/seal.h"

struct node_seal;

struct seals {
    bool is_on; /* else nothing is sealed, and the rest is not there */
    struct seal_engine engine;
    struct fork_guard guard;
    struct handshake_secret secret;
    struct random_stream random;
    uint8_t key_id;
    uint32_t generation;
    uint32_t name_bytes;
    uint8_t name[KEY_NAME_BYTES_MAX + 1];
    uint64_t incarnation;
    uint64_t attempt;
    uint32_t association;    /* given last */
    struct node_seal *nodes; /* by shard and endpoint */
    uint32_t shards_used;    /* those of later shards were never touched */
};

/* 0 where the options name no key. */
size_t seals_arena_bytes(const struct plx_options *options);
/* Reads the key file, if one is named. PLX_E_ARGUMENT, PLX_E_UNSUPPORTED, PLX_E_NO_MEMORY; the
 * reason names the file. */
enum plx_outcome seals_open(struct plx_client *client, char *ret_reason, size_t reason_size);
void seals_close(struct plx_client *client);

/* Counts the packet at the end of those that are gathered, which wire_piece_encode has written
 * there for seals_keys: sealed, or an initiation in its place; or it is not sent. */
void seals_send(struct plx_client *client);
/* Seals a packet for a relay, around another one. False: there are no keys, and it is not sent. */
bool seals_close_carrier(struct plx_client *client, struct packet_out *packet);
/* Asks for keys by the direct way. */
void seals_try(struct plx_client *client, const struct source *to);
/* Whatever brought no answer says nothing any more: the way is another one. Silence on all of them
 * counts on. */
void seals_way_changed(struct plx_client *client, uint32_t endpoint, uint16_t shard);
/* As packets are to be encoded. */
struct wire_keys seals_keys(const struct plx_client *client);

/* A packet from an endpoint. False: it does not count, or it was an answer to an initiation. */
bool seals_take(struct plx_client *client, const struct source *from, uint8_t *data,
                uint32_t size_bytes);

#endif
