/*
 * Cookies: how an address proves that it receives what is sent to it, without the asked one keeping
 * anything. A cookie is a keyed hash of the address under a secret that is replaced every two
 * minutes; cookies of the secret before are taken, too. So a cookie is good for two to four
 * minutes, and for one address. The secrets follow from a seed and the time: all jars of one seed
 * take each other's cookies. Sources: RFC 6347 (4.2.1), RFC 9000 (8.1), the WireGuard paper (5.3).
 *
 * In a handshake one is asked for only where more ask than can be looked at: COOKIES_SPARED at
 * once, and one more in COOKIE_SPARED_NS, need none.
 *
 * Owner: one thread.
 */
#ifndef POLLUX_SECURITY_COOKIE_H
#define POLLUX_SECURITY_COOKIE_H

#include "base/address.h"
#include "security/random_stream.h"

#include <stdbool.h>
#include <stdint.h>

#define COOKIE_SECRET_NS UINT64_C(120000000000)
#define COOKIES_SPARED   256u
#define COOKIE_SPARED_NS UINT64_C(1000000)

struct cookie_jar {
    struct secret seed;
    struct secret secrets[2]; /* the one in use, and the one before */
    uint64_t epoch;           /* of the one in use */
    uint64_t spared_ns;       /* when the allowance of those without a cookie is whole again */
};

enum cookie_age {
    COOKIE_BAD,
    COOKIE_LATEST,
    COOKIE_BEFORE, /* good, and of the secret before: it ends soon */
};

/* Of the secret that is in use then: two minutes have one number, never 0. */
uint64_t cookie_epoch(uint64_t now_ns);

/* The seed is copied. */
void cookie_jar_init(struct cookie_jar *jar, const struct secret *seed);
/* With a seed that is drawn. */
void cookie_jar_draw(struct cookie_jar *jar, struct random_stream *random);

/* The cookie of an address. */
void cookie_make(struct cookie_jar *jar, const struct address *address, uint64_t now_ns,
                 uint8_t ret_cookie[COOKIE_SIZE_BYTES]);

enum cookie_age cookie_age(struct cookie_jar *jar, const struct address *address, uint64_t now_ns,
                           const uint8_t cookie[COOKIE_SIZE_BYTES]);

/* Whether the bytes are a cookie of the address that is still good. */
bool cookie_is_good(struct cookie_jar *jar, const struct address *address, uint64_t now_ns,
                    const uint8_t cookie[COOKIE_SIZE_BYTES]);

/* Whether somebody at the address who shows this cookie, or none, is to come again with the one
 * that ret_cookie has then. */
bool cookie_is_asked(struct cookie_jar *jar, const struct address *address, uint64_t now_ns,
                     const uint8_t cookie[COOKIE_SIZE_BYTES],
                     uint8_t ret_cookie[COOKIE_SIZE_BYTES]);

#endif
