/*
 * Endpoints: the addresses that a handle was given, one a node. Shard s of a node is reached at the
 * endpoint's port + s. Owner: whoever holds the mutex of the handle.
 */
#ifndef POLLUX_CLIENT_ENDPOINT_H
#define POLLUX_CLIENT_ENDPOINT_H

#include "base/address.h"
#include "client/cluster.h"
#include "client/include/pollux.h"

#define ENDPOINT_NAME_SIZE 128

struct endpoint {
    char name[ENDPOINT_NAME_SIZE]; /* as it was given */
    struct address address;        /* of shard 0 */
    uint64_t incarnation;          /* in which the node told its cluster; 0: it has not */
    struct cluster cluster;
    /* Learned (client/roster.h): */
    bool is_member;  /* the configuration still has it */
    uint16_t node;   /* whose address it is there */
    uint32_t misses; /* hellos in a row that were not answered */
    uint64_t due_ns; /* of the next one at the earliest */
};

/* Reads "host:port,host:port" into the handle's endpoints. PLX_E_ARGUMENT with a reason. */
enum plx_outcome endpoints_parse(struct plx_client *client, const char *text, char *ret_reason,
                                 size_t reason_size);
/* Where this shard of the endpoint's node listens. */
struct address endpoint_address(const struct plx_client *client, uint32_t endpoint, uint16_t shard);
/* The endpoint whose shard has this address; -1: none. */
int32_t endpoint_find(const struct plx_client *client, const struct address *from, uint16_t shard);

#endif
