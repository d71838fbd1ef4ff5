/* Every value of the swarm, drawn in a fixed order from a generator of its own. */
#include "tests/sim/draw.h"

#include "base/limits.h"
#include "base/prng.h"
#include "pmem/medium.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define US           1000ull
#define STORE_BLOCKS (1 << 15)
#define MS           1000000ull
#define S            1000000000ull

static uint64_t pick(struct prng *prng, const uint64_t *choices, uint32_t count)
{
    return choices[prng_range(prng, 0, count - 1)];
}

#define PICK(prng, ...)                                                                            \
    pick(prng, (const uint64_t[]){__VA_ARGS__}, sizeof((const uint64_t[]){__VA_ARGS__}) / 8)

/* Zero with chance `off`, else between low and high with small values likelier. */
static uint64_t swarm(struct prng *prng, uint32_t off, uint64_t low, uint64_t high)
{
    bool is_off = prng_chance(prng, off);
    uint64_t top = prng_range(prng, low, high);
    uint64_t value = prng_range(prng, low, top);
    return is_off ? 0 : value;
}

static void draw_workload(struct draw *draw, struct prng *prng)
{
    draw->nodes = PICK(prng, 1, 2, 3, 3, 3, 3, 3, 4, 5, 5, 5, 7, 9);
    draw->clients = prng_range(prng, 1, 5);
    draw->keys = PICK(prng, 1, 1, 2, 3, 5, 8);
    draw->ops_per_client = prng_range(prng, 20, 120);
    draw->pipeline_max = PICK(prng, 1, 1, 2, 4, 8, 16);
    draw->packet_ops_max = PICK(prng, 1, 1, 2, 4);
    draw->fault_phase_ns = prng_range(prng, 2 * S, 12 * S);
    draw->think_ns = draw->fault_phase_ns / draw->ops_per_client * draw->pipeline_max;
    draw->think_ns = prng_range(prng, draw->think_ns / 4, draw->think_ns);
    /* Some clients are in a hurry: much happens within one election. */
    if (prng_chance(prng, 400000)) {
        draw->ops_per_client *= 3;
        draw->think_ns = draw->fault_phase_ns / draw->ops_per_client * draw->pipeline_max;
    }
    draw->get_weight = prng_range(prng, 1, 10);
    draw->relaxed_get_weight = swarm(prng, 300000, 1, 8);
    draw->set_weight = prng_range(prng, 1, 10);
    draw->swap_weight = swarm(prng, 200000, 1, 10);
    draw->del_weight = swarm(prng, 400000, 1, 4);
    draw->blocking_chance = PICK(prng, 0, 200000, 500000, 900000, 1000000);
    draw->timeout_ns = PICK(prng, 5 * MS, 50 * MS, 50 * MS, 200 * MS, 1 * S);
    draw->fence_wait_ns = PICK(prng, 100 * MS, 500 * MS, 2 * S, 10 * S);
    draw->rto_min_ns = PICK(prng, 2 * MS, 10 * MS, 30 * MS, 100 * MS);
    draw->pinned_chance = PICK(prng, 0, 0, 50000, 300000);
    draw->key_size_max = PICK(prng, 8, 8, 64, KEY_SIZE_BYTES_MAX);
    draw->value_size_max = PICK(prng, 8, 16, 100, 700, 3000);
    draw->big_value_chance = PICK(prng, 0, 0, 0, 0, 0, 0, 0, 5000, 20000, 20000);
}

static void draw_product(struct draw *draw, struct prng *prng)
{
    draw->election_min_ns = PICK(prng, 50 * MS, 100 * MS, 150 * MS, 300 * MS);
    draw->append_entries_max = PICK(prng, 1, 2, 5, APPEND_ENTRIES_MAX, APPEND_ENTRIES_MAX);
    draw->append_size_soft = PICK(prng, 256, 1500, 8192, APPEND_SIZE_BYTES_SOFT);
    draw->inflight_max = PICK(prng, 1, 2, 3, 8, 64);
    draw->batches_inflight_max = PICK(prng, 1, 2, 8, 64, 256);
    draw->reads_pending_max = PICK(prng, 2, 16, 256);
    draw->session_ttl_ns = PICK(prng, 200 * MS, 1 * S, 4 * S, 3600 * S, 3600 * S, 3600 * S);
    draw->turn_cost_ns = PICK(prng, 1 * US, 2 * US, 5 * US, 20 * US, 100 * US);
    draw->granularity = PICK(prng, MEDIUM_CACHE_LINE, MEDIUM_PAGE, MEDIUM_PAGE);
    draw->sync_ns = PICK(prng, 20 * US, 200 * US, 2 * MS, 10 * MS, 40 * MS);
}

static void draw_network(struct draw *draw, struct prng *prng)
{
    draw->delay_ns = PICK(prng, 5 * US, 50 * US, 500 * US, 5 * MS, 15 * MS);
    draw->jitter_ns = draw->delay_ns * PICK(prng, 0, 1, 1, 5) / PICK(prng, 1, 2, 10);
    draw->is_in_order = prng_range(prng, 0, 1);
    draw->loss_chance = swarm(prng, 350000, 1, 300000);
    draw->duplicate_chance = swarm(prng, 400000, 1, 300000);
    draw->duplicate_lag_ns = PICK(prng, 0, 10 * MS, 300 * MS, 2 * S);
    draw->late_chance = swarm(prng, 400000, 1, 100000);
    draw->late_ns = PICK(prng, 20 * MS, 200 * MS, 1 * S, 4 * S);
    draw->corrupt_chance = swarm(prng, 600000, 1, 50000);
    draw->drift_max = PICK(prng, 0, 100, 1000, 20000, 100000);
}

static void draw_faults(struct draw *draw, struct prng *prng)
{
    draw->first_fault_ns = PICK(prng, 0, 1 * S, 1 * S, 2 * S);
    draw->fault_interval_ns = PICK(prng, 50 * MS, 200 * MS, 500 * MS, 1 * S, 3 * S);
    draw->partition_weight = swarm(prng, 400000, 1, 10);
    draw->one_way_weight = swarm(prng, 400000, 1, 10);
    draw->isolate_weight = swarm(prng, 500000, 1, 10);
    draw->lag_weight = swarm(prng, 500000, 1, 6);
    draw->depose_weight = swarm(prng, 500000, 1, 8);
    draw->power_weight = swarm(prng, 300000, 1, 10);
    draw->power_all_weight = swarm(prng, 600000, 1, 4);
    draw->kill_weight = swarm(prng, 400000, 1, 10);
    draw->kill_leader_weight = swarm(prng, 500000, 1, 10);
    draw->mid_turn_chance = PICK(prng, 0, 500000, 900000);
    draw->pause_weight = swarm(prng, 500000, 1, 6);
    draw->slow_weight = swarm(prng, 600000, 1, 4);
    draw->clock_step_weight = swarm(prng, 600000, 1, 4);
    draw->transfer_weight = swarm(prng, 500000, 1, 6);
    draw->stall_weight = swarm(prng, 600000, 1, 6);
    draw->sync_fail_weight = swarm(prng, 700000, 1, 3);
    draw->rot_weight = swarm(prng, 700000, 1, 3);
    draw->lost_file_weight = swarm(prng, 750000, 1, 2);
    draw->strike_chance = PICK(prng, 0, 0, 20000, 100000, 300000);
    draw->recreate_chance = PICK(prng, 0, 500000, 1000000);
    draw->cut_ns_max = PICK(prng, 200 * MS, 1 * S, 5 * S);
    draw->down_ns_max = PICK(prng, 10 * MS, 300 * MS, 2 * S, 5 * S);
    draw->pause_ns_max = PICK(prng, 50 * MS, 500 * MS, 3 * S);
    draw->clock_step_ns_max = PICK(prng, 100 * MS, 2 * S, 60 * S);
    draw->residual = draw->nodes < 3 ? RESIDUAL_NONE : prng_range(prng, 0, RESIDUAL_APART - 1);
}

/* ---- runs with a purpose: what uniform draws meet too rarely ---- */

/* Many readers and writers of one key while leaders are deposed without noticing. */
static void aim_at_reads(struct draw *draw, struct prng *prng)
{
    draw->nodes = PICK(prng, 3, 3, 5);
    draw->clients = prng_range(prng, 4, 6);
    draw->keys = 1;
    draw->ops_per_client = prng_range(prng, 150, 300);
    draw->pipeline_max = PICK(prng, 1, 2);
    draw->think_ns = prng_range(prng, 15 * MS, 40 * MS);
    draw->get_weight = 10;
    draw->set_weight = 5;
    draw->blocking_chance = 1000000;
    draw->rto_min_ns = PICK(prng, 10 * MS, 30 * MS);
    draw->depose_weight = 100;
    draw->fault_interval_ns = 500 * MS;
}

/* Leaders that go on appending what nobody will have, and power that fails when it is cut off. */
static void aim_at_divergence(struct draw *draw, struct prng *prng)
{
    draw->nodes = PICK(prng, 3, 3, 5);
    draw->clients = prng_range(prng, 3, 5);
    draw->pipeline_max = PICK(prng, 8, 16);
    draw->packet_ops_max = 1;
    draw->ops_per_client = prng_range(prng, 100, 250);
    draw->think_ns = prng_range(prng, 20 * MS, 100 * MS);
    draw->set_weight = 20;
    draw->granularity = MEDIUM_PAGE;
    draw->depose_weight = 40;
    draw->power_weight = 10;
    draw->strike_chance = PICK(prng, 300000, 700000);
    draw->down_ns_max = 300 * MS;
    draw->fault_interval_ns = 500 * MS;
    draw->batches_inflight_max = 64;
    draw->append_entries_max = APPEND_ENTRIES_MAX;
    draw->append_size_soft = APPEND_SIZE_BYTES_SOFT;
    draw->sync_ns = PICK(prng, 10 * MS, 40 * MS);
    draw->mid_turn_chance = PICK(prng, 0, 500000);
}

/* Sessions that expire while their owners retry. */
static void aim_at_expiry(struct draw *draw, struct prng *prng)
{
    draw->nodes = PICK(prng, 1, 3, 3, 5);
    draw->clients = prng_range(prng, 3, 6);
    draw->keys = prng_range(prng, 1, 2);
    draw->session_ttl_ns = PICK(prng, 100 * MS, 300 * MS, 1 * S);
    draw->blocking_chance = 1000000;
    draw->set_weight = 20;
    draw->rto_min_ns = PICK(prng, 30 * MS, 100 * MS);
    draw->loss_chance = prng_range(prng, 50000, 400000);
    draw->lag_weight = 10;
    draw->partition_weight = 10;
    draw->cut_ns_max = 1 * S;
    draw->fault_interval_ns = 200 * MS;
}

/* Refusals by nodes that soon lead, with copies of the refused packets still under way. */
static void aim_at_refusals(struct draw *draw, struct prng *prng)
{
    draw->nodes = PICK(prng, 1, 2, 3);
    draw->clients = prng_range(prng, 2, 5);
    draw->blocking_chance = 0;
    draw->timeout_ns = PICK(prng, 20 * MS, 100 * MS);
    draw->rto_min_ns = PICK(prng, 10 * MS, 100 * MS);
    draw->set_weight = 20;
    draw->pinned_chance = 300000;
    draw->duplicate_chance = 500000;
    draw->duplicate_lag_ns = PICK(prng, 300 * MS, 1 * S, 3 * S);
    draw->transfer_weight = 10;
    draw->kill_leader_weight = 10;
    draw->depose_weight = 10;
    draw->down_ns_max = 300 * MS;
    draw->fault_interval_ns = 200 * MS;
    draw->session_ttl_ns = 3600 * S;
}

/* Returns which purpose: those beyond are for draw_contract. */
static uint64_t draw_aim(struct draw *draw, struct prng *prng)
{
    uint64_t aim = prng_range(prng, 0, 11);
    switch (aim) {
    case 0:
        aim_at_reads(draw, prng);
        break;
    case 1:
        aim_at_divergence(draw, prng);
        break;
    case 2:
        aim_at_expiry(draw, prng);
        break;
    case 3:
        aim_at_refusals(draw, prng);
        break;
    default:
        break;
    }
    if (draw->nodes < 3)
        draw->residual = RESIDUAL_NONE;
    return aim;
}

/* What a record takes to be committed, two syncs and two ways, and then some. */
static uint64_t round_ns_of(const struct draw *draw)
{
    return 3 * draw->sync_ns + 2 * (draw->delay_ns + draw->jitter_ns);
}

/* A patience that is shorter than an election elects nobody. */
static void draw_patience(struct draw *draw, struct prng *prng)
{
    uint64_t round_ns = round_ns_of(draw);
    if (draw->election_min_ns < 3 * round_ns)
        draw->election_min_ns = 3 * round_ns;
    draw->election_max_ns = draw->election_min_ns * prng_range(prng, 130, 250) / 100;
    draw->heartbeat_ns = draw->election_min_ns / prng_range(prng, 3, 8);
}

/* ---- relaxed operations, freshness, logs, and clients that die ---- */

/* Relaxed writes that wait long for a quorum, with power failing meanwhile. */
static void aim_at_pending(struct draw *draw, struct prng *prng)
{
    draw->keys = prng_range(prng, 1, 3);
    draw->clients = prng_range(prng, 3, 6);
    draw->relaxed_set_weight = 15;
    draw->relaxed_del_weight = 3;
    draw->relaxed_get_weight = 10;
    draw->set_weight = PICK(prng, 0, 2, 10);
    draw->reads_own_chance = PICK(prng, 0, 500000, 1000000);
    draw->pinned_chance = PICK(prng, 300000, 1000000);
    draw->isolate_weight = 20;
    draw->one_way_weight = PICK(prng, 0, 40);
    draw->partition_weight = 20;
    draw->power_weight = 10;
    draw->cut_ns_max = 5 * S;
    draw->down_ns_max = 300 * MS;
    draw->fault_interval_ns = 200 * MS;
}

/* Half of what aims at expiring sessions: their owners stand still, and late copies come. */
static void aim_at_paused_owners(struct draw *draw, struct prng *prng)
{
    if (prng_chance(prng, 500000))
        return;
    draw->hurt_interval_ns = 200 * MS;
    draw->death_chance = 0;
    draw->client_pause_ns_max = PICK(prng, 1 * S, 3 * S);
    draw->duplicate_chance = 500000;
    draw->duplicate_lag_ns = PICK(prng, 300 * MS, 1 * S);
}

/* Values so large that journals fill and change their banks. */
static void aim_at_full_journals(struct draw *draw, struct prng *prng)
{
    draw->nodes = PICK(prng, 2, 3, 3, 5);
    draw->clients = 3;
    draw->keys = prng_range(prng, 1, 4);
    draw->hot_key_chance = PICK(prng, 0, 800000); /* so that the others stay as they are */
    draw->ops_per_client = PICK(prng, 60, 120);
    draw->pipeline_max = 4;
    draw->think_ns = 60 * MS;
    /* Of relaxed writes hardly one in many comes into the log, which would be full else. */
    draw->set_weight = 0;
    draw->swap_weight = 0;
    draw->relaxed_set_weight = 20;
    draw->relaxed_get_weight = PICK(prng, 1, 10);
    draw->big_value_chance = PICK(prng, 600000, 950000);
    draw->big_value_size_max = PICK(prng, 300000, 900000);
    draw->pinned_chance = 1000000;
    draw->blocking_chance = PICK(prng, 0, 500000);
    draw->timeout_ns = 200 * MS;
    draw->isolate_weight = 20;
    draw->partition_weight = 20;
    draw->power_weight = PICK(prng, 5, 20);
    draw->strike_chance = PICK(prng, 20000, 200000); /* above all while a bank moves */
    draw->cut_ns_max = 5 * S;
    draw->fault_interval_ns = 500 * MS;
    draw->loss_chance /= 20;
    draw->duplicate_chance /= 20;
    draw->corrupt_chance = 0;
}

/* A store that is full now and then: what is pending waits, and must not come in late. */
static void aim_at_full_store(struct draw *draw, struct prng *prng)
{
    draw->nodes = PICK(prng, 1, 3, 3);
    draw->clients = prng_range(prng, 3, 6);
    draw->keys = prng_range(prng, 3, 6);
    draw->value_size_max = 700;
    draw->big_value_chance = 0;
    draw->store_blocks = prng_range(prng, 5, 3 * draw->keys);
    draw->set_weight = 6;
    draw->del_weight = 6;
    draw->relaxed_set_weight = 10;
    draw->relaxed_del_weight = 3;
    draw->relaxed_get_weight = 4;
    draw->pinned_chance = 500000;
    draw->blocking_chance = PICK(prng, 0, 500000);
    draw->kill_leader_weight = 5;
    draw->transfer_weight = 5;
}

/* Nodes that forget their journal while answers are lost and packets come late. */
static void aim_at_recalls(struct draw *draw, struct prng *prng)
{
    draw->nodes = PICK(prng, 3, 5);
    draw->clients = 6;
    draw->pipeline_max = 8;
    draw->ops_per_client = prng_range(prng, 80, 160);
    draw->think_ns = prng_range(prng, 10 * MS, 40 * MS);
    draw->relaxed_set_weight = 20;
    draw->pinned_chance = 1000000;
    draw->blocking_chance = 1000000;
    draw->big_value_chance = 0;
    draw->rto_min_ns = 100 * MS;
    draw->loss_chance = PICK(prng, 50000, 300000);
    draw->duplicate_chance = PICK(prng, 0, 500000);
    draw->duplicate_lag_ns = PICK(prng, 300 * MS, 1 * S);
    draw->lost_file_weight = 20;
    draw->journal_fault_chance = 1000000;
    draw->recreate_chance = 1000000;
    draw->fault_interval_ns = 200 * MS;
    draw->down_ns_max = 300 * MS;
    draw->keys = PICK(prng, 2, 4);
}

/* Takers of one log, and hardly anything else. */
static void aim_at_logs(struct draw *draw, struct prng *prng)
{
    draw->clients = 1;
    draw->ops_per_client = prng_range(prng, 0, 10);
    draw->takers = prng_range(prng, 2, 5);
    draw->log_lines = PICK(prng, 50, 200, 400);
    draw->take_pause_ns = PICK(prng, 5 * MS, 50 * MS);
    draw->lease_chance = PICK(prng, 0, 500000, 1000000);
    draw->hurt_interval_ns = PICK(prng, 100 * MS, 500 * MS);
    draw->death_chance = PICK(prng, 500000, 900000);
}

/*
 * Renewals of all clients together leave a slow cluster room for something else, and are well below
 * the lifetime of a session, as the library asks for.
 */
static void draw_keep_alive(struct draw *draw)
{
    uint64_t least_ns = (draw->clients + draw->takers) * 2 * round_ns_of(draw);
    if (draw->keep_alive_ns > 1 * S)
        draw->keep_alive_ns = 1 * S;
    if (draw->keep_alive_ns < least_ns)
        draw->keep_alive_ns = least_ns;
    if (draw->session_ttl_ns < 3 * draw->keep_alive_ns)
        draw->session_ttl_ns = 3 * draw->keep_alive_ns;
}

static void draw_contract(struct draw *draw, struct prng *prng, uint64_t aim)
{
    draw->relaxed_set_weight = swarm(prng, 350000, 1, 10);
    draw->relaxed_del_weight = swarm(prng, 600000, 1, 4);
    draw->reads_own_chance = PICK(prng, 0, 0, 300000, 1000000);
    draw->min_index_chance = PICK(prng, 0, 0, 100000, 500000);
    draw->max_age_chance = PICK(prng, 0, 0, 200000, 800000);
    draw->max_age_ns = PICK(prng, 10 * MS, 300 * MS, 3 * S);
    draw->relaxed_keys_max = PICK(prng, 1, 2, 64, 64);
    draw->leader_fresh_ns = PICK(prng, 30 * MS, 100 * MS, 100 * MS, 1 * S);
    draw->keep_alive_ns = draw->session_ttl_ns / PICK(prng, 3, 5, 20);
    draw->hurt_interval_ns = PICK(prng, 0, 0, 0, 500 * MS, 2 * S, 5 * S);
    draw->death_chance = PICK(prng, 0, 300000, 700000);
    draw->takers = PICK(prng, 0, 0, 0, 0, 1, 2, 3);
    draw->log_lines = PICK(prng, 10, 50, 200);
    draw->take_pause_ns = PICK(prng, 20 * MS, 100 * MS, 500 * MS);
    draw->lease_chance = PICK(prng, 0, 300000, 1000000);
    draw->lease_ns = PICK(prng, 30 * MS, 300 * MS, 2 * S);
    draw->wall_skew_ns = PICK(prng, 0, 100 * MS, 400 * MS, 400 * MS, 5 * S);
    draw->journal_fault_chance = PICK(prng, 0, 300000, 800000);
    draw->store_blocks = STORE_BLOCKS;
    draw->client_pause_ns_max = PICK(prng, 0, 100 * MS, 3 * S);
    draw->hot_key_chance = PICK(prng, 0, 0, 700000);
    draw->big_value_size_max = 300000;
    switch (aim) {
    case 4:
    case 5:
        aim_at_pending(draw, prng);
        break;
    case 2:
        aim_at_paused_owners(draw, prng);
        break;
    case 6:
        aim_at_full_journals(draw, prng);
        break;
    case 7:
        aim_at_logs(draw, prng);
        break;
    case 8:
        aim_at_full_store(draw, prng);
        break;
    case 9:
        aim_at_recalls(draw, prng);
        break;
    default:
        break;
    }
    if (draw->nodes < 3)
        draw->residual = RESIDUAL_NONE;
    draw_keep_alive(draw);
}

void draw_make(struct draw *draw, uint64_t seed)
{
    struct prng prng;
    prng_init(&prng, seed ^ 0x647261777377616du);
    *draw = (struct draw){0};
    draw_workload(draw, &prng);
    draw_product(draw, &prng);
    draw_network(draw, &prng);
    draw_faults(draw, &prng);
    uint64_t aim = draw_aim(draw, &prng);
    draw_patience(draw, &prng);
    draw_slow_media(draw, seed);
    draw_contract(draw, &prng, aim);
    draw_births(draw, seed);
    draw_members(draw, seed);
    draw_idle(draw, seed);
    draw_leading(draw, seed);
    draw_large(draw, seed);
    draw_log(draw, seed);
    draw_shards(draw, seed);
    draw_limits(draw, seed);
    draw_upgrade(draw, seed);
    draw_life(draw, seed);
    draw_scrub(draw, seed);
    draw_security(draw, seed);
    draw_backup(draw, seed);
    draw_lists(draw, seed);
    draw_hasty(draw, seed);
    draw_paths(draw, seed);
    draw_relays(draw, seed);
    draw_rights(draw, seed);
    draw_leave(draw, seed);
}

struct draw_field {
    const char *name;
    size_t offset_bytes;
};

static const struct draw_field fields[] = {
#define X(name) {#name, offsetof(struct draw, name)},
    DRAW_LIST(X)
#undef X
};

#define FIELD_COUNT (sizeof(fields) / sizeof(fields[0]))

enum error draw_override(struct draw *draw, const char *setting)
{
    const char *equals = strchr(setting, '=');
    if (equals == NULL)
        return ERR_SYNTAX;
    errno = 0;
    char *end = NULL;
    uint64_t value = strtoull(equals + 1, &end, 10);
    if (errno != 0 || end == equals + 1 || *end != '\0')
        return ERR_SYNTAX;
    for (size_t i = 0; i < FIELD_COUNT; i++) {
        size_t length = strlen(fields[i].name);
        if (length != (size_t)(equals - setting) || strncmp(fields[i].name, setting, length) != 0)
            continue;
        memcpy((char *)draw + fields[i].offset_bytes, &value, sizeof(value));
        return OK;
    }
    return ERR_NOT_FOUND;
}

void draw_print(const struct draw *draw)
{
    printf("draw:");
    for (size_t i = 0; i < FIELD_COUNT; i++) {
        uint64_t value;
        memcpy(&value, (const char *)draw + fields[i].offset_bytes, sizeof(value));
        printf(" %s=%llu", fields[i].name, (unsigned long long)value);
    }
    putchar('\n');
}
