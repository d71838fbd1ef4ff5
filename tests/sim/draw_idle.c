/*
 * Clients that rest for longer than an idle session lives, packets that are later than that, and
 * clients that stand still for longer: from a generator of its own, so that the rest of a seed's
 * draws mean what they meant before.
 */
#include "tests/sim/draw.h"

#include "base/limits.h"
#include "base/prng.h"

#include <stdbool.h>

#define MS UINT64_C(1000000)
#define S  UINT64_C(1000000000)

/* Rounds that half of an idle session's life takes at least, or nobody could use a session. */
#define ROUNDS_MIN 8
/* A cluster that is so slow that a run would end before its clients have rested is left alone. */
#define REST_NS_MAX (2 * S)

static uint64_t session_ttl_least_ns(const struct draw *draw)
{
    uint64_t round_ns = 3 * draw->sync_ns + 2 * (draw->delay_ns + draw->jitter_ns);
    return 2 * SESSION_IDLE_SHARE * ROUNDS_MIN * (draw->clients + draw->takers) * round_ns;
}

void draw_idle(struct draw *draw, uint64_t seed)
{
    static const uint64_t lifetimes[] = {800 * MS, 2 * S, 8 * S};
    struct prng prng;
    prng_init(&prng, seed ^ 0x69646c65u);
    bool has_rests = prng_chance(&prng, 333333);
    uint64_t ttl_ns = lifetimes[prng_range(&prng, 0, 2)];
    if (has_rests && draw->session_ttl_ns > ttl_ns)
        draw->session_ttl_ns = ttl_ns;
    if (draw->session_ttl_ns < session_ttl_least_ns(draw))
        draw->session_ttl_ns = session_ttl_least_ns(draw);
    uint64_t idle_ns = session_idle_ns(draw->session_ttl_ns);
    if (!has_rests || idle_ns > REST_NS_MAX)
        return;
    draw->rest_chance = prng_range(&prng, 20000, 150000);
    draw->rest_ns_max = 3 * idle_ns;
    if (prng_chance(&prng, 500000)) {
        draw->late_chance = prng_range(&prng, 5000, 100000);
        draw->late_ns = 2 * idle_ns;
    }
    if (prng_chance(&prng, 500000)) {
        draw->hurt_interval_ns = 2 * S;
        draw->client_pause_ns_max = 2 * idle_ns;
    }
}
