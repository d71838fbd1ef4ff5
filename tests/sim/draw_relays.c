/*
 * Clients that cannot reach all nodes, though the nodes reach one another: the rest is relayed.
 * From a generator of its own, so that the rest of a seed's draws mean what they meant before.
 */
#include "tests/sim/draw.h"

#include "base/prng.h"

#include <stdbool.h>

void draw_relays(struct draw *draw, uint64_t seed)
{
    struct prng prng;
    prng_init(&prng, seed ^ UINT64_C(0x72656c617973));
    if (draw->nodes < 3 || !prng_chance(&prng, 300000))
        return;
    draw->apart_weight = prng_range(&prng, 2, 40);
    /* An older program relays nothing, and who is no member neither. */
    bool can_relay = draw->upgrade_weight == 0 && draw->spares == 0;
    if (can_relay && prng_chance(&prng, 700000))
        draw->residual = RESIDUAL_APART;
}
