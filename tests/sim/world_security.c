/*
 * Nodes that seal what they send each other. A cluster comes to that step by step, and so it gets
 * another key; in each start a node may still be one step behind. Packets of an attacker are
 * counted when a node looks at them: at least as many must have been refused.
 */
#include "tests/sim/world.h"

#include "base/le.h"
#include "security/key_file.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* The root key with this id, in the run of this seed. */
static struct secret root_of(uint64_t seed, uint8_t id)
{
    struct secret secret = {.bytes = {id}};
    le64_store(secret.bytes + 8, digest_word(seed, 0x6b6579u + id));
    return secret;
}

static struct security_key key_of(const struct world *world, uint8_t id)
{
    struct security_key key = {.id = id, .root = root_of(world->seed, id)};
    handshake_secret_of(&key.root, &key.secret);
    return key;
}

/* ---- clients ---- */

#define ROOT_NAME "root"

void security_client_key(const struct client_world *clients, const char *name, char *ret_path,
                         size_t size)
{
    unsigned int id = clients->draw->security_step < SECURITY_STEP_OTHER_KEY ? 1 : 2;
    snprintf(ret_path, size, "key-%u-%" PRIu64 "-%s", id, clients->key_seed,
             name == NULL ? ROOT_NAME : name);
}

enum error __wrap_key_file_read(const char *path, struct key *ret_key,
                                char ret_reason[KEY_FILE_REASON_BYTES]);

/* There are no files here: what they would hold follows from their names. */
enum error __wrap_key_file_read(const char *path, struct key *ret_key,
                                char ret_reason[KEY_FILE_REASON_BYTES])
{
    unsigned int id;
    uint64_t seed;
    char name[16];
    if (sscanf(path, "key-%u-%" SCNu64 "-%15s", &id, &seed, name) != 3) {
        snprintf(ret_reason, KEY_FILE_REASON_BYTES, "no key file %s", path);
        return ERR_NOT_FOUND;
    }
    struct secret root = root_of(seed, (uint8_t)id);
    *ret_key = (struct key){.kind = KEY_OF_CLUSTER, .id = (uint8_t)id, .secret = root};
    snprintf(ret_key->name, sizeof(ret_key->name), "%s", name);
    if (strcmp(name, ROOT_NAME) == 0)
        return OK;
    ret_key->kind = KEY_OF_CLIENT;
    secret_of_client(&root, span_of(name, strlen(name)), 0, &ret_key->secret);
    return OK;
}

/* ---- nodes ---- */

void security_draw(struct world *world, struct sim_node *node)
{
    const struct draw *draw = &world->draw;
    world->network.hostile_taken[node->number] = 0;
    node->security_step = draw->security_step;
    if (draw->security_step == SECURITY_STEP_NONE)
        return;
    if (draw->step_chance > 0 && prng_chance(&world->fault_prng, (uint32_t)draw->step_chance))
        node->security_step--;
    if (upgrade_is_older(node))
        node->security_step = SECURITY_STEP_NONE;
    world->tally->boots_sealing += node->security_step != SECURITY_STEP_NONE;
}

struct security_options security_options_of(struct world *world, const struct sim_node *node)
{
    static const uint8_t ids[SECURITY_STEP_COUNT][SECURITY_KEYS_MAX] = {
        [SECURITY_STEP_ACCEPT] = {1},
        [SECURITY_STEP_REQUIRED] = {1},
        [SECURITY_STEP_TWO_KEYS] = {1, 2},
        [SECURITY_STEP_OTHER_KEY] = {2, 1},
        [SECURITY_STEP_OTHER_KEY_ONLY] = {2}};
    struct security_options options = {.mode = SECURITY_NONE};
    if (node->security_step == SECURITY_STEP_NONE)
        return options;
    options.mode =
        node->security_step == SECURITY_STEP_ACCEPT ? SECURITY_ACCEPT : SECURITY_REQUIRED;
    options.clients = (enum security_mode)world->draw.clients_mode;
    options.is_encrypted = world->draw.is_encrypted != 0;
    for (uint32_t i = 0; i < SECURITY_KEYS_MAX && ids[node->security_step][i] != 0; i++)
        options.keys[i] = key_of(world, ids[node->security_step][i]);
    for (uint32_t i = 0; i < SECRET_SIZE_BYTES / 8; i++)
        le64_store(options.seed.bytes + (size_t)i * 8, prng_next(&world->prng));
    return options;
}

static uint64_t refused_by(const struct lane_counters *counters)
{
    uint64_t refused = 0;
#define X(name) refused += counters->drop_##name;
    LANE_DROP_LIST(X)
#undef X
    /* What only clients do who are believed hides nothing of an attacker's. */
    return refused - counters->drop_rate - counters->drop_relay_target -
           counters->drop_relay_budget;
}

void security_look(struct world *world, const struct sim_node *node)
{
    uint64_t refused = 0;
    uint64_t hostile = world->network.hostile_taken[node->number];
    if (hostile == 0)
        return;
    for (uint32_t i = 0; i < node->lane_count; i++)
        refused += refused_by(lane_counters(node->lanes[i].lane)) +
                   lane_clients_waiting(node->lanes[i].lane);
    if (refused < hostile)
        verdict_break(&world->verdict, RULE_HOSTILE,
                      "node %u has looked at %llu packets of an attacker, and refused %llu",
                      node->number + 1, (unsigned long long)hostile, (unsigned long long)refused);
}
