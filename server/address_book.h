/*
 * Where the nodes of a shard are reached. Three sources, each better than the one before: [peers];
 * the configuration in force; and where a node was heard from that said by its birth who it is. A
 * configuration with another address for the node than the last one had is news, and wins again.
 *
 * Owner: the replica.
 */
#ifndef POLLUX_SERVER_ADDRESS_BOOK_H
#define POLLUX_SERVER_ADDRESS_BOOK_H

#include "base/address.h"
#include "base/limits.h"
#include "raft/configuration.h"

struct address_book {
    uint16_t shard;                              /* added to the port of shard 0 */
    struct address peers[VOTER_ID_MAX + 1];      /* by node id; of [peers] */
    struct address configured[VOTER_ID_MAX + 1]; /* as the last configuration had it */
    struct address in_use[VOTER_ID_MAX + 1];
};

/* `address` is that of shard 0, here and below. */
void address_book_peer(struct address_book *book, uint16_t id, const struct address *address);
void address_book_follow(struct address_book *book, const struct raft_configuration *configuration);
/* A node that is no member yet, as an operator or the node itself says. */
void address_book_note(struct address_book *book, uint16_t id, const struct address *address);

/* With the port of the shard. NULL: not known. */
const struct address *address_book_find(const struct address_book *book, uint16_t id);
/* The same by [peers] alone. */
const struct address *address_book_find_peer(const struct address_book *book, uint16_t id);
/* A shard's address as that of shard 0. False: its port is too low. */
bool address_book_base(const struct address_book *book, const struct address *address,
                       struct address *ret_base);

#endif
