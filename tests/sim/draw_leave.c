/*
 * Clients that leave, with nothing open, while leaders change: at the end no session of theirs may
 * be left. Nothing else goes wrong in such a run, because a notice that reaches no node, or whose
 * nodes all die within a second, is lost for good. From a generator of its own, so that the rest of
 * a seed's draws mean what they meant before.
 */
#include "tests/sim/draw.h"

#include "base/prng.h"

#define MS UINT64_C(1000000)
#define S  UINT64_C(1000000000)

/* Nothing is lost on the way, and no storage is hurt. */
static void draw_calm(struct draw *draw)
{
    draw->loss_chance = draw->corrupt_chance = draw->late_chance = 0;
    draw->lasting_loss_chance = draw->attack_chance = draw->stray_chance = 0;
    draw->partition_weight = draw->one_way_weight = draw->isolate_weight = draw->lag_weight = 0;
    draw->power_weight = draw->power_all_weight = draw->kill_weight = draw->pause_weight = 0;
    draw->slow_weight = draw->clock_step_weight = draw->stop_weight = draw->stall_weight = 0;
    draw->sync_fail_weight = draw->rot_weight = draw->lost_file_weight = 0;
    draw->set_back_weight = draw->duplicate_weight = draw->strike_chance = 0;
    draw->journal_fault_chance = draw->hold_weight = draw->apart_weight = 0;
    draw->limits_weight = draw->rescue_weight = draw->rot_running_chance = 0;
    draw->scrub_rate = draw->recreate_chance = draw->upgrade_weight = 0;
    draw->residual = RESIDUAL_NONE;
}

void draw_leave(struct draw *draw, uint64_t seed)
{
    struct prng prng;
    prng_init(&prng, seed ^ UINT64_C(0x6c65617665));
    if (!prng_chance(&prng, 80000) || draw->nodes < 3 || draw->spares > 0)
        return;
    draw_calm(draw);
    draw->gives_back = 1;
    draw->takers = draw->backups = draw->is_restored = 0;
    draw->shards = 1;
    draw->session_ttl_ns = 60 * S;
    draw->fault_phase_ns = 10 * S;
    draw->first_fault_ns = 500 * MS;
    draw->fault_interval_ns = 1500 * MS;
    draw->depose_weight = prng_range(&prng, 0, 4);
    draw->transfer_weight = prng_range(&prng, 0, 4);
    draw->kill_leader_weight = prng_range(&prng, 1, 4);
    draw->down_ns_max = 500 * MS;
    /* They rest more than they work, and some die meanwhile. */
    draw->pipeline_max = 1;
    draw->timeout_ns = draw->fence_wait_ns = 2 * S;
    draw->rest_chance = 0;
    draw->think_ns = prng_range(&prng, 50, 400) * MS;
    draw->hurt_interval_ns = prng_range(&prng, 200, 1500) * MS;
    draw->death_chance = 1000000;
    draw->client_pause_ns_max = 0;
}
