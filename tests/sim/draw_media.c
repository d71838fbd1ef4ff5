/*
 * Media whose syncs take as long as an election timeout or longer, drawn from a generator of their
 * own: in all other runs a seed means what it meant before there were any.
 */
#include "tests/sim/draw.h"

#include "base/limits.h"
#include "base/prng.h"
#include "pmem/medium.h"

#define MS 1000000u

#define SLOW_CHANCE 120000 /* in a million runs */

void draw_slow_media(struct draw *draw, uint64_t seed)
{
    struct prng prng;
    prng_init(&prng, seed ^ 0x736c6f776d656469u);
    if (!prng_chance(&prng, SLOW_CHANCE))
        return;
    draw->granularity = MEDIUM_PAGE;
    draw->election_min_ns = prng_range(&prng, 50, 150) * MS;
    /* The medium is slow, not the network: two ways there and back are shorter than a patience. */
    uint64_t ways_ns = 4 * (draw->delay_ns + draw->jitter_ns);
    if (draw->election_min_ns < ways_ns)
        draw->election_min_ns = ways_ns;
    draw->election_max_ns = draw->election_min_ns * prng_range(&prng, 130, 250) / 100;
    draw->heartbeat_ns = draw->election_min_ns / prng_range(&prng, 3, 8);
    /* A sync takes up to half as long again, and a leader steps down after four timeouts. */
    draw->sync_ns = prng_range(&prng, draw->election_max_ns / 2, 2 * draw->election_max_ns);
    /* With a record or two for each sync no backlog is ever caught up. */
    draw->append_entries_max = APPEND_ENTRIES_MAX;
    draw->append_size_soft = APPEND_SIZE_BYTES_SOFT;
}
