/*
 * Endpoints: the places that a handle was given, one a node. Shard s of a node is reached at the
 * endpoint's port + s. Owner: whoever holds the mutex of the handle.
 *
 * A name may have several addresses, and not all of them lead to the node (localhost as ::1). Until
 * one has answered, hellos go to all of them. The one that answers is the endpoint's address, until
 * it is silent.
 */
#ifndef POLLUX_CLIENT_ENDPOINT_H
#define POLLUX_CLIENT_ENDPOINT_H

#include "base/address.h"
#include "client/cluster.h"
#include "client/include/pollux.h"

#define ENDPOINT_NAME_SIZE 128

#define CANDIDATES_MAX     8
#define UNCONFIRMED_MISSES 3 /* hellos in a row without an answer */

/* One of the addresses of an endpoint. */
struct candidate {
    struct address address; /* of shard 0 */
    uint32_t scope;         /* of a link-local address: the interface; else 0 */
};

struct endpoint {
    char name[ENDPOINT_NAME_SIZE]; /* as it was given */
    struct address address;        /* in use; zero: its name led nowhere yet */
    uint32_t scope;
    struct candidate candidates[CANDIDATES_MAX];
    uint32_t candidate_count; /* 0: it was learned */
    uint32_t ways_tried;      /* one after the other, by a handle with a key */
    bool is_name;             /* its addresses may change */
    bool is_confirmed;        /* the address in use has answered, and is not silent since */
    uint64_t lookup_due_ns;   /* of its name, if need be */
    uint64_t incarnation;     /* in which the node told its cluster; 0: it has not */
    struct cluster cluster;
    /* Learned (client/roster.h): */
    bool is_member;  /* the configuration still has it */
    uint16_t node;   /* whose address it is there */
    uint32_t misses; /* hellos in a row that were not answered */
    uint64_t due_ns; /* of the next one at the earliest */
};

/* Reads "host:port,host:port" into the handle's endpoints. PLX_E_ARGUMENT with a reason: a part is
 * malformed, or none leads anywhere now. */
enum plx_outcome endpoints_parse(struct plx_client *client, const char *text, char *ret_reason,
                                 size_t reason_size);
/* The addresses of an endpoint by its name; how many there are. 0: none, and *ret_why says why. Any
 * thread; may wait for long. */
uint32_t endpoint_resolve(const char *name, struct candidate ret_found[CANDIDATES_MAX],
                          const char **ret_why);
/* What its name leads to by now; nothing: all stays. */
void endpoint_found(struct plx_client *client, uint32_t endpoint, const struct candidate *found,
                    uint32_t count);
/* A packet came from there: one of the endpoint's addresses. */
void endpoint_heard(struct plx_client *client, uint32_t endpoint, const struct address *from,
                    uint16_t shard);
/* Hellos to it are not answered. */
void endpoint_missed(struct plx_client *client, uint32_t endpoint, uint32_t misses);
/* To how many addresses a hello goes. */
uint32_t endpoint_ways(const struct endpoint *endpoint);
/* Where this shard of the endpoint's node listens; `way` 0: at the address in use, else at one of
 * its candidates, from 1. */
struct candidate endpoint_way(const struct plx_client *client, uint32_t endpoint, uint32_t way);
struct address endpoint_address(const struct plx_client *client, uint32_t endpoint, uint16_t shard);
/* The endpoint whose shard has this address; -1: none. */
int32_t endpoint_find(const struct plx_client *client, const struct address *from, uint16_t shard);

#endif
