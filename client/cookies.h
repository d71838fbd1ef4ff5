/*
 * Cookies that nodes have given the handle (server/proof.h): what it sends unsealed shows them. One
 * is of one shard of one endpoint, since the handle's address may look different to each. A node
 * gives one with its answer to a hello, and another one before that ends. What comes without a good
 * one, as after a restart of the node or under another address, the node answers with a cookie
 * alone: it is repeated with it at once.
 *
 * A node of the release before knows no cookies, and drops what shows one. So each other hello
 * without an answer shows none, and the answer without a cookie ends that which was there.
 *
 * Owner: whoever holds the mutex of the handle.
 */
#ifndef POLLUX_CLIENT_COOKIES_H
#define POLLUX_CLIENT_COOKIES_H

#include "base/arena.h"
#include "base/limits.h"
#include "client/packet.h"

struct node_cookie {
    bool is_there;
    uint8_t bytes[COOKIE_SIZE_BYTES];
    uint64_t since_id; /* the last message that was sent without this one */
};

size_t cookies_arena_bytes(void);
/* By shard and endpoint. */
struct node_cookie *cookies_take(struct arena *arena);

/* NULL: none is there, or the handle seals what it sends. */
const uint8_t *cookie_shown(const struct plx_client *client, uint32_t endpoint, uint16_t shard);

/* A cookie alone, for one of the handle's messages. False: it is not worth looking at. */
bool cookie_receive(struct plx_client *client, const struct source *from,
                    const struct wire_packet *packet);

/* The answer to the hello that is under way came with this cookie; NULL: with none. */
void cookie_told(struct plx_client *client, const struct source *from, const uint8_t *cookie);

#endif
