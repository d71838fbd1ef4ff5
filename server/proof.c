/* See proof.h. A budget is a time: that at which all of it is free again (GCRA, ITU-T I.371). */
#include "server/proof.h"

#define NS_PER_S UINT64_C(1000000000)
/* What is free at once: a second's worth. */
#define BURST_NS NS_PER_S
/* So much must be free for an answer that nobody knows yet: the largest one to a read. */
#define ANSWER_BYTES (UINT64_C(64) << 10)

void proof_init(struct proof *proof, const struct secret *seed, uint64_t rate)
{
    static const char label[] = "pollux hosts";
    const struct secret_digest digest = {.secret = seed, .label = label};
    *proof = (struct proof){.is_on = true, .rate = rate};
    cookie_jar_init(&proof->cookies, seed);
    secret_digest(&digest, (uint8_t *)&proof->key, sizeof(proof->key));
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

static uint64_t *host_of(struct proof *proof, const struct address *address)
{
    size_t size = address_is_ipv4(address) ? sizeof(address->ip) : sizeof(address->ip) / 2;
    return &proof->hosts_ns[siphash(&proof->key, span_of(address->ip, size)) % PROOF_HOSTS];
}

static uint64_t later_ns(uint64_t a_ns, uint64_t b_ns)
{
    return a_ns > b_ns ? a_ns : b_ns;
}

/* When it would be whole again after so many bytes; 0: they do not fit. */
static uint64_t whole_ns(uint64_t until_ns, uint64_t now_ns, uint64_t bytes, uint64_t rate)
{
    uint64_t begin_ns = later_ns(until_ns, now_ns);
    uint64_t end_ns = begin_ns + bytes * NS_PER_S / rate;
    return end_ns - now_ns <= BURST_NS ? end_ns : 0;
}

bool proof_has_room(struct proof *proof, const struct address *address, uint64_t now_ns)
{
    if (proof->rate == 0)
        return false;
    uint64_t bytes = proof->rate / 2 < ANSWER_BYTES ? proof->rate / 2 : ANSWER_BYTES;
    return whole_ns(*host_of(proof, address), now_ns, bytes, proof->rate) != 0 &&
           whole_ns(proof->all_ns, now_ns, bytes, PROOF_HOSTS_AT_ONCE * proof->rate) != 0;
}

bool proof_take(struct proof *proof, const struct address *address, uint64_t bytes, uint64_t now_ns)
{
    if (proof->rate == 0)
        return false;
    uint64_t *host_ns = host_of(proof, address);
    uint64_t host_end_ns = whole_ns(*host_ns, now_ns, bytes, proof->rate);
    uint64_t all_end_ns = whole_ns(proof->all_ns, now_ns, bytes, PROOF_HOSTS_AT_ONCE * proof->rate);
    if (host_end_ns == 0 || all_end_ns == 0)
        return false;
    *host_ns = host_end_ns;
    proof->all_ns = all_end_ns;
    return true;
}
