/* See cookie.h. */
#include "security/cookie.h"

#include "base/budget.h"
#include "base/le.h"

void cookie_jar_init(struct cookie_jar *jar, const struct secret *seed)
{
    *jar = (struct cookie_jar){.seed = *seed, .epoch = UINT64_MAX};
}

void cookie_jar_draw(struct cookie_jar *jar, struct random_stream *random)
{
    struct secret seed;
    random_stream_draw(random, seed.bytes, sizeof(seed.bytes));
    cookie_jar_init(jar, &seed);
    secret_wipe(&seed, sizeof(seed));
}

uint64_t cookie_epoch(uint64_t now_ns)
{
    return now_ns / COOKIE_SECRET_NS + 1;
}

static void secret_of_epoch(const struct secret *seed, uint64_t epoch, struct secret *ret_secret)
{
    uint8_t number[8];
    le64_store(number, epoch);
    const struct span part = span_of(number, sizeof(number));
    const struct secret_digest digest = {
        .secret = seed, .label = "pollux cookies", .parts = &part, .part_count = 1};
    secret_digest(&digest, ret_secret->bytes, SECRET_SIZE_BYTES);
}

static void jar_renew(struct cookie_jar *jar, uint64_t now_ns)
{
    uint64_t epoch = cookie_epoch(now_ns);
    if (epoch == jar->epoch)
        return;
    jar->epoch = epoch;
    secret_of_epoch(&jar->seed, epoch, &jar->secrets[0]);
    secret_of_epoch(&jar->seed, epoch - 1, &jar->secrets[1]);
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

enum cookie_age cookie_age(struct cookie_jar *jar, const struct address *address, uint64_t now_ns,
                           const uint8_t cookie[COOKIE_SIZE_BYTES])
{
    static const enum cookie_age ages[2] = {COOKIE_LATEST, COOKIE_BEFORE};
    jar_renew(jar, now_ns);
    for (uint32_t i = 0; i < 2; i++) {
        uint8_t expected[COOKIE_SIZE_BYTES];
        cookie_of(&jar->secrets[i], address, expected);
        if (secret_bytes_are_equal(expected, cookie, COOKIE_SIZE_BYTES))
            return ages[i];
    }
    return COOKIE_BAD;
}

bool cookie_is_good(struct cookie_jar *jar, const struct address *address, uint64_t now_ns,
                    const uint8_t cookie[COOKIE_SIZE_BYTES])
{
    return cookie_age(jar, address, now_ns, cookie) != COOKIE_BAD;
}

static bool is_spared(struct cookie_jar *jar, uint64_t now_ns)
{
    if (budget_owed_ns(jar->spared_ns, now_ns) > (COOKIES_SPARED - 1) * COOKIE_SPARED_NS)
        return false;
    jar->spared_ns = budget_spend_ns(jar->spared_ns, now_ns, COOKIE_SPARED_NS);
    return true;
}

bool cookie_is_asked(struct cookie_jar *jar, const struct address *address, uint64_t now_ns,
                     const uint8_t cookie[COOKIE_SIZE_BYTES], uint8_t ret_cookie[COOKIE_SIZE_BYTES])
{
    static const uint8_t none[COOKIE_SIZE_BYTES];
    uint8_t before[COOKIE_SIZE_BYTES];
    if (is_spared(jar, now_ns))
        return false;
    cookie_make(jar, address, now_ns, ret_cookie);
    if (secret_bytes_are_equal(none, cookie, COOKIE_SIZE_BYTES))
        return true; /* he shows none, as most do of those who come in floods */
    if (secret_bytes_are_equal(ret_cookie, cookie, COOKIE_SIZE_BYTES))
        return false;
    cookie_of(&jar->secrets[1], address, before);
    return !secret_bytes_are_equal(before, cookie, COOKIE_SIZE_BYTES);
}
