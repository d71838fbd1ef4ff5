/*
 * How nodes take one another's packets, how much they take of clients, and an attacker on their
 * network. In half of the runs nothing is sealed. From generators of their own, so that the rest of
 * a seed's draws mean what they meant before.
 */
#include "tests/sim/draw.h"

#include "base/prng.h"
#include "security/security_mode.h"

#include <stdbool.h>

/* An attacker has a chance only against nodes that take nothing unsealed. */
static void draw_attack(struct draw *draw, struct prng *prng)
{
    static const uint64_t chances[] = {5000, 30000, 100000};
    bool is_required = draw->security_step > SECURITY_STEP_REQUIRED ||
                       (draw->security_step == SECURITY_STEP_REQUIRED && draw->step_chance == 0);
    if (!is_required || prng_range(prng, 0, 2) == 0)
        return;
    draw->attack_chance = chances[prng_range(prng, 0, 2)];
    /* What else is refused would hide what is not: in half of these runs there is nothing else. */
    if (prng_range(prng, 0, 1) == 0) {
        draw->duplicate_chance = 0;
        draw->corrupt_chance = 0;
    }
}

/* Every node has a key in each of its starts, and so knows what clients derive theirs from. */
static void draw_clients(struct draw *draw, struct prng *prng)
{
    bool has_key = draw->security_step > SECURITY_STEP_ACCEPT ||
                   (draw->step_chance == 0 && draw->upgrade_weight == 0);
    if (!has_key)
        return;
    draw->clients_mode = prng_range(prng, SECURITY_NONE, SECURITY_REQUIRED);
    if (draw->clients_mode == SECURITY_ACCEPT)
        draw->keyed_chance = 500000;
    if (draw->clients_mode == SECURITY_REQUIRED)
        draw->keyed_chance = 1000000;
}

/* In a fifth of the runs a node holds clients to a rate, which most of them ask more than. From a
 * generator of its own. */
static void draw_rates(struct draw *draw, uint64_t seed)
{
    static const uint64_t operations[] = {0, 100, 300, 1000};
    struct prng prng;
    prng_init(&prng, seed ^ 0x7261746573u);
    if (!prng_chance(&prng, 200000))
        return;
    draw->client_operations = operations[prng_range(&prng, 0, 3)];
    draw->client_bytes = draw->client_operations == 0 || prng_range(&prng, 0, 2) == 0
                             ? prng_range(&prng, 1, 8) << 20
                             : 0;
}

void draw_security(struct draw *draw, uint64_t seed)
{
    struct prng prng;
    draw_rates(draw, seed);
    prng_init(&prng, seed ^ 0x7365616c73u);
    if (prng_range(&prng, 0, 1) == 0)
        return;
    /* An older program cannot seal. */
    draw->security_step = draw->upgrade_weight > 0
                              ? SECURITY_STEP_ACCEPT
                              : prng_range(&prng, SECURITY_STEP_ACCEPT, SECURITY_STEP_COUNT - 1);
    if (prng_range(&prng, 0, 1) == 0)
        draw->step_chance = prng_range(&prng, 100000, 900000);
    draw->is_encrypted = prng_range(&prng, 0, 3) == 0;
    draw_attack(draw, &prng);
    draw_clients(draw, &prng);
}

/* Half of the runs in which all clients have keys, and nothing is asked for that takes the right
 * `admin`. Drawn when the rest is. */
void draw_rights(struct draw *draw, uint64_t seed)
{
    struct prng prng;
    prng_init(&prng, seed ^ 0x726967687473u);
    uint64_t changes = draw->member_weight + draw->spares + draw->limits_weight +
                       draw->rescue_weight + draw->upgrade_weight + draw->backups +
                       draw->is_restored;
    draw->few_rights =
        draw->clients_mode == SECURITY_REQUIRED && changes == 0 && prng_range(&prng, 0, 1) == 0;
    if (draw->few_rights == 0 || prng_range(&prng, 0, 2) == 0)
        return;
    /* While nodes are apart: then relaxed writes are pending. */
    draw->revoke_ns = draw->first_fault_ns + prng_range(&prng, 0, draw->fault_phase_ns);
    draw->revoke_drops = prng_range(&prng, 0, 3) != 0;
    draw->relaxed_set_weight += 30;
    draw->isolate_weight += 10;
}
