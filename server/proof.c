/* See proof.h. */
#include "server/proof.h"

/* So much must be free for an answer that nobody knows yet: the largest one to a read. */
#define ANSWER_BYTES (UINT64_C(64) << 10)

void proof_init(struct proof *proof, const struct secret *seed, uint64_t rate)
{
    *proof = (struct proof){.is_on = true};
    host_budget_init(&proof->budget, seed, rate);
    cookie_jar_init(&proof->cookies, seed);
}

/* ---- cookies ---- */

/* Whoever collides here on purpose has computed what he sent. */
static struct proof_seen *seen_of(struct proof *proof, const struct address *address)
{
    uint32_t ip;
    memcpy(&ip, address->ip + sizeof(address->ip) - sizeof(ip), sizeof(ip));
    return &proof->seen[(ip ^ ip >> 16 ^ ip >> 24 ^ address->port) % PROOF_SEEN];
}

enum cookie_age proof_cookie_age(struct proof *proof, const struct address *address,
                                 uint64_t now_ns, const uint8_t cookie[COOKIE_SIZE_BYTES])
{
    struct proof_seen *seen = seen_of(proof, address);
    uint64_t epoch = cookie_epoch(now_ns);
    if (seen->epoch == epoch && address_is_equal(&seen->address, address) &&
        secret_bytes_are_equal(seen->cookie, cookie, COOKIE_SIZE_BYTES))
        return seen->age;
    enum cookie_age age = cookie_age(&proof->cookies, address, now_ns, cookie);
    if (age != COOKIE_BAD) {
        *seen = (struct proof_seen){.address = *address, .epoch = epoch, .age = age};
        memcpy(seen->cookie, cookie, COOKIE_SIZE_BYTES);
    }
    return age;
}

/* ---- the budget ---- */

bool proof_has_room(const struct proof *proof, const struct address *address, uint64_t now_ns)
{
    uint64_t half = proof->budget.rate / 2;
    return host_budget_has(&proof->budget, address, half < ANSWER_BYTES ? half : ANSWER_BYTES,
                           now_ns);
}

bool proof_take(struct proof *proof, const struct address *address, uint64_t bytes, uint64_t now_ns)
{
    return host_budget_take(&proof->budget, address, bytes, now_ns);
}
