/*
 * An operator who makes backups while faults happen: from a generator of its own, so that the rest
 * of a seed's draws mean what they meant before.
 */
#include "tests/sim/draw.h"

#include "base/prng.h"

#include <stdbool.h>

#define KIB 1024ull
#define MS  1000000ull

#define BACKUP_CHANCE 120000 /* in a million runs */

#define SLOW_KEYS      40
#define SLOW_OPS       1500
#define SLOW_LOG_BYTES ((12 + 8 * 64) * KIB)

void draw_backup(struct draw *draw, uint64_t seed)
{
    static const uint64_t rates[] = {64 * KIB, 1024 * KIB, 16 * 1024 * KIB};
    static const uint64_t chances[] = {0, 20000, 200000};
    struct prng prng;
    prng_init(&prng, seed ^ 0x6261636b7570u);
    bool is_drawn = prng_chance(&prng, BACKUP_CHANCE);
    draw->backup_pause_ns = prng_range(&prng, 10, 1000) * MS;
    draw->backup_patience_ns = prng_range(&prng, 500, 6000) * MS;
    draw->backup_rate = rates[prng_range(&prng, 0, 2)];
    draw->backup_strike_chance = chances[prng_range(&prng, 0, 2)];
    draw->is_backup_slow = prng_chance(&prng, 500000);
    draw->is_restored = prng_chance(&prng, 300000);
    draw->backups = is_drawn ? prng_range(&prng, 1, 4) : 0;
}

/* States of several blocks, copied so slowly that nodes take other snapshots meanwhile: as many as
 * a small log needs that much is written to. */
static void aim_at_slow_copies(struct draw *draw)
{
    draw->keys = draw->keys < SLOW_KEYS ? SLOW_KEYS : draw->keys;
    draw->big_value_chance = 0;
    draw->value_size_max = 6000;
    draw->set_weight = 20;
    draw->relaxed_set_weight = 10;
    draw->ops_per_client = SLOW_OPS / draw->clients;
    draw->pipeline_max = 8;
    draw->think_ns = draw->fault_phase_ns / draw->ops_per_client;
    draw->segment_bytes = 32 * KIB;
    draw->log_bytes = SLOW_LOG_BYTES;
    draw->snapshot_rate = 16 * 1024 * KIB;
    draw->snapshots_held = 0;
    draw->backup_rate = 64 * KIB;
    draw->backup_patience_ns = 20000 * MS;
}

/* A backup of the era before a rescue is judged by no rule. */
void draw_fit_backup(struct draw *draw, uint32_t clients_max)
{
    if (draw->rescue_weight > 0 || draw->clients + draw->takers >= clients_max)
        draw->backups = 0;
    if (draw->backups > 0 && draw->is_backup_slow != 0 && draw->lasting_loss_chance == 0 &&
        draw->store_blocks > SLOW_KEYS * 2 * 6000 / 128)
        aim_at_slow_copies(draw);
}
