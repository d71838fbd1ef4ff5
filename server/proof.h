/*
 * Nobody is sent more than he has sent, before he has shown that he receives what is sent to his
 * address: else whoever forges the sender of a packet makes a node send many times as much to
 * somebody else. A client shows it by the cookie that a node has given it (security/cookie.h), or
 * by what it has sealed.
 *
 * Programs of before know no cookies. All unproven addresses together may be answered with so many
 * bytes a second, and each host of them with an eighth of that: server/host_budget.h.
 *
 * All memory is taken at the start. Owner: the lane's thread.
 */
#ifndef POLLUX_SERVER_PROOF_H
#define POLLUX_SERVER_PROOF_H

#include "base/address.h"
#include "base/error.h"
#include "security/cookie.h"
#include "server/host_budget.h"

#define PROOF_SEEN 256u

struct proof_seen {
    struct address address;
    uint64_t epoch; /* of the jar, when the cookie was good; 0: nothing is there */
    enum cookie_age age;
    uint8_t cookie[COOKIE_SIZE_BYTES];
};

struct proof {
    bool is_on; /* else all addresses count as proven, and nobody is given a cookie */
    struct cookie_jar cookies;
    struct host_budget budget;
    struct proof_seen seen[PROOF_SEEN]; /* good cookies, so that few have to be computed again */
};

/* `seed`: random, of this start of the node; all its lanes have the same. */
void proof_init(struct proof *proof, const struct secret *seed, uint64_t rate);

enum cookie_age proof_cookie_age(struct proof *proof, const struct address *address,
                                 uint64_t now_ns, const uint8_t cookie[COOKIE_SIZE_BYTES]);

/* Whether an unproven address may ask: an answer of the usual size would fit the budget. */
bool proof_has_room(const struct proof *proof, const struct address *address, uint64_t now_ns);

/* Takes the bytes from the budget. False: there is not so much left. */
MUST_USE bool proof_take(struct proof *proof, const struct address *address, uint64_t bytes,
                         uint64_t now_ns);

#endif
