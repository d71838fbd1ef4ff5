/* See cookie.h. */
#include "security/cookie.h"

#include "base/le.h"

void cookie_jar_init(struct cookie_jar *jar, struct random_stream *random, uint64_t now_ns)
{
    *jar = (struct cookie_jar){.random = random, .drawn_ns = now_ns};
    for (uint32_t i = 0; i < 2; i++)
        random_stream_draw(random, jar->secrets[i].bytes, SECRET_SIZE_BYTES);
}

/* Replaces the secrets whose time is over: both, if nobody has asked for long. */
static void jar_renew(struct cookie_jar *jar, uint64_t now_ns)
{
    for (uint32_t i = 0; i < 2 && now_ns - jar->drawn_ns >= COOKIE_SECRET_NS; i++) {
        bool is_long_over = now_ns - jar->drawn_ns >= 2 * COOKIE_SECRET_NS;
        jar->secrets[1] = jar->secrets[0];
        random_stream_draw(jar->random, jar->secrets[0].bytes, SECRET_SIZE_BYTES);
        jar->drawn_ns = is_long_over && i == 1 ? now_ns : jar->drawn_ns + COOKIE_SECRET_NS;
    }
}

static void cookie_of(const struct secret *secret, const struct address *address, uint8_t *to)
{
    uint8_t port[2];
    le16_store(port, address->port);
    const struct span parts[] = {span_of(address->ip, sizeof(address->ip)),
                                 span_of(port, sizeof(port))};
    const struct secret_digest digest = {
        .secret = secret, .label = "pollux cookie", .parts = parts, .part_count = 2};
    secret_digest(&digest, to, COOKIE_SIZE_BYTES);
}

void cookie_make(struct cookie_jar *jar, const struct address *address, uint64_t now_ns,
                 uint8_t ret_cookie[COOKIE_SIZE_BYTES])
{
    jar_renew(jar, now_ns);
    cookie_of(&jar->secrets[0], address, ret_cookie);
}

bool cookie_is_good(struct cookie_jar *jar, const struct address *address, uint64_t now_ns,
                    const uint8_t cookie[COOKIE_SIZE_BYTES])
{
    bool is_good = false;
    jar_renew(jar, now_ns);
    for (uint32_t i = 0; i < 2; i++) {
        uint8_t expected[COOKIE_SIZE_BYTES];
        cookie_of(&jar->secrets[i], address, expected);
        is_good |= secret_bytes_are_equal(expected, cookie, COOKIE_SIZE_BYTES);
    }
    return is_good;
}

static bool is_spared(struct cookie_jar *jar, uint64_t now_ns)
{
    uint64_t begin_ns = jar->spared_ns > now_ns ? jar->spared_ns : now_ns;
    if (begin_ns - now_ns > (COOKIES_SPARED - 1) * COOKIE_SPARED_NS)
        return false;
    jar->spared_ns = begin_ns + COOKIE_SPARED_NS;
    return true;
}

bool cookie_is_asked(struct cookie_jar *jar, const struct address *address, uint64_t now_ns,
                     const uint8_t cookie[COOKIE_SIZE_BYTES], uint8_t ret_cookie[COOKIE_SIZE_BYTES])
{
    if (is_spared(jar, now_ns) || cookie_is_good(jar, address, now_ns, cookie))
        return false;
    cookie_make(jar, address, now_ns, ret_cookie);
    return true;
}
