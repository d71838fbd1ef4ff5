/* A client's process: its handle, what it does in turn, and its deaths. */
#include "client/include/pollux_leadership.h"
#include "tests/sim/client.h"
#include "tests/sim/copier.h"
#include "tests/sim/lister.h"

#include "base/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Notices wait for a second, and are looked at again after one more. */
#define HASTY_NS       (2000 * MS)
#define MS             UINT64_C(1000000)
#define POLL_NS_MAX    (50 * MS)
#define START_NS_MAX   (300 * MS)
#define REBIRTH_NS_MAX (1000 * MS)
#define TRANSFER_NS    (50 * MS)
#define DEATHS_MAX     6
#define MONOTONIC_NS   (UINT64_C(3600000) * MS) /* any host has been up for less */
#define WALL_NS        UINT64_C(1700000000000000000)
#define ENDPOINT_SIZE  24

uint64_t client_now_ns(const struct client *client)
{
    return client->world->verdict->now_ns;
}

/* ---- a process ---- */

/* How many nodes its handle is told of, from the first one: of nodes that come and go some handles
 * learn from the founders. Whoever changes the members asks each for the leader, and whoever makes
 * backups asks each for what is pending. */
static uint32_t endpoints_draw(struct client *client)
{
    const struct draw *draw = client->world->draw;
    bool is_operator = client->number == 0 || client->nodes_to_add != 0 || client->copier != NULL;
    bool is_learning = draw->spares > 0 && !is_operator && prng_chance(&client->prng, 500000);
    return is_learning ? draw_founders(draw) : (uint32_t)draw->nodes;
}

static void endpoints_write(uint32_t count, char *text, size_t size)
{
    size_t used = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct address address = network_address(i);
        const uint8_t *ip = address.ip + 12;
        used += (size_t)snprintf(text + used, size - used, "%s%u.%u.%u.%u:%u", i == 0 ? "" : ",",
                                 ip[0], ip[1], ip[2], ip[3], address.port);
        CHECK(used < size);
    }
}

static void options_draw(struct client *client, uint32_t endpoints, struct plx_options *options)
{
    const struct draw *draw = client->world->draw;
    plx_options_init(options);
    options->cluster = "simulated";
    options->timeout_ns = draw->timeout_ns;
    options->fence_wait_ns = draw->fence_wait_ns;
    options->spin_ns = 0;
    if (prng_chance(&client->prng, 500000))
        options->keep_alive_ns = draw->keep_alive_ns;
    options->leader_fresh_ns = draw->leader_fresh_ns;
    options->rto_min_ns = draw->rto_min_ns;
    options->window = CLIENT_SLOTS_MAX + 1; /* and one for a call that waits */
    options->packet_ops_max = (uint32_t)draw->packet_ops_max;
    options->relaxed_keys_max = (uint32_t)draw->relaxed_keys_max;
    options->preferred_endpoint = -1;
    if (prng_chance(&client->prng, (uint32_t)draw->pinned_chance))
        options->preferred_endpoint = (int32_t)prng_range(&client->prng, 0, endpoints - 1);
    options->read_your_writes = prng_chance(&client->prng, (uint32_t)draw->reads_own_chance);
    if (prng_chance(&client->prng, (uint32_t)draw->max_age_chance / 2))
        options->max_age_ns = prng_range(&client->prng, 1, draw->max_age_ns);
    options->seed = prng_next(&client->prng) | 1;
}

/* `name`: of its key, if it has one; NULL: the root key. */
static void open_as(struct client *client, const char *name)
{
    char endpoints[NODES_MAX * ENDPOINT_SIZE];
    char key[64];
    char reason[128] = "";
    struct plx_options options;
    uint32_t count = endpoints_draw(client);
    options_draw(client, count, &options);
    endpoints_write(count, endpoints, sizeof(endpoints));
    uint32_t keyed_chance = (uint32_t)client->world->draw->keyed_chance;
    if (keyed_chance > 0 && prng_chance(&client->prng, keyed_chance)) {
        security_client_key(client->world, name, key, sizeof(key));
        options.key_file = key;
        options.may_use_root_key = name == NULL;
        client->world->tally->handles_sealing++;
    }
    options.endpoints = endpoints;
    client->preferred = options.preferred_endpoint;
    client->reads_own = options.read_your_writes;
    client->max_age_ns = options.max_age_ns;
    memset(client->seen_index, 0, sizeof(client->seen_index));
    if (plx_open(&options, &client->handle, reason, sizeof(reason)) != PLX_OK)
        verdict_break(client->world->verdict, RULE_PROTOCOL, "a handle does not open: %s", reason);
}

void client_open(struct client *client)
{
    open_as(client, client_has_few_rights(client) ? SIM_KEY_FEW : SIM_KEY_FULL);
}

void client_close(struct client *client)
{
    struct tally *tally = client->world->tally;
    struct plx_statistics statistics;
    plx_statistics(client->handle, &statistics);
    tally->library_transmissions += statistics.transmissions;
    tally->library_retransmissions += statistics.retransmissions;
    tally->library_fences += statistics.fences;
    tally->library_sessions += statistics.sessions;
    plx_close(client->handle);
    client->handle = NULL;
}

/* ---- what it does ---- */

static bool has_work(const struct client *client)
{
    const struct client_world *world = client->world;
    bool has_more = client->ops_left > 0 && !world->is_winding_down;
    return has_more || client_in_flight(client) > 0 || world->tokens.open_count > 0 ||
           client->nodes_to_add != 0;
}

/* An operator ends a session of the first page, whosever it is: in some runs, so that others hold
 * sessions against what the log alone ends. */
static void session_end_turn(struct client *client)
{
    static struct plx_sessions page;
    page.next = 0;
    if (client->world->draw->keys % 2 != 0)
        return;
    if (plx_sessions_list(client->handle, client->transfer_shard, &page, TRANSFER_NS) != PLX_OK ||
        page.entry_count == 0)
        return;
    const struct plx_session *session = &page.entries[client->number % page.entry_count];
    enum plx_outcome outcome =
        plx_session_end(client->handle, client->transfer_shard, session->id, TRANSFER_NS);
    client->world->has_ended_session = true;
    client->world->tally->sessions_ended += outcome == PLX_OK;
    verdict_say(client->world->verdict, "c%u asked for the end of session %lu: %s", client->number,
                (unsigned long)session->id, plx_outcome_name(outcome));
}

static void transfer_turn(struct client *client)
{
    if (!client->is_transfer_wanted)
        return;
    client->is_transfer_wanted = false;
    session_end_turn(client);
    enum plx_outcome outcome = plx_transfer(client->handle, client->transfer_shard,
                                            client->transfer_target, TRANSFER_NS, NULL);
    verdict_say(client->world->verdict, "c%u asked for a transfer to n%u: %s", client->number,
                client->transfer_target, plx_outcome_name(outcome));
}

/* A number that is used up is not used again; one whose fate is open is. */
static void limits_turn(struct client *client)
{
    if (!client->are_limits_wanted)
        return;
    client->are_limits_wanted = false;
    uint32_t *number = &client->limits_number[client->limits_shard];
    client->limits.number = *number + 1;
    enum plx_outcome outcome =
        plx_limits_set(client->handle, client->limits_shard, &client->limits, TRANSFER_NS);
    *number += outcome == PLX_OK || outcome == PLX_MISMATCH;
    client->world->tally->limits_changed += outcome == PLX_OK;
    verdict_say(client->world->verdict, "c%u asked for limits %u of shard %u: %s", client->number,
                client->limits.number, client->limits_shard, plx_outcome_name(outcome));
}

/* Whoever learns an outcome in place of the handle that has the token tells it so. */
static void tokens_forget(struct client *client)
{
    struct tokens *tokens = &client->world->tokens;
    for (uint32_t i = 0; i < tokens->count; i++) {
        struct token *token = &tokens->tokens[i];
        if (!token->is_settled || token->is_forgotten || token->client != client->number ||
            token->life != client->life)
            continue;
        token->is_forgotten = true;
        plx_forget(client->handle, &token->token);
    }
}

static void tokens_turn(struct client *client)
{
    struct tokens *tokens = &client->world->tokens;
    tokens_forget(client);
    struct token *token = tokens_claim(tokens, client->number, client_now_ns(client));
    if (token != NULL)
        client_resolve(client, token);
}

static uint64_t poll_ns(const struct client *client)
{
    bool has_more = client->ops_left > 0 && !client->world->is_winding_down;
    uint64_t now_ns = client_now_ns(client);
    if (!has_more || client->next_op_ns <= now_ns || client->next_op_ns - now_ns > POLL_NS_MAX)
        return POLL_NS_MAX;
    return client->next_op_ns - now_ns;
}

/* Consistent writes: those of sessions. */
static bool client_has_writes(const struct client *client)
{
    bool has_any = false;
    for (uint32_t i = 0; i < CLIENT_SLOTS_MAX; i++) {
        const struct history_op *op = &client->world->history->ops[client->slots[i].op];
        has_any |= client->slots[i].is_used &&
                   (op->type == HISTORY_SET || op->type == HISTORY_SWAP || op->type == HISTORY_DEL);
    }
    return has_any;
}

/* Something of its sessions may be asked for when it is gone: an outcome that it has not learned,
 * or one of a token. */
static bool is_open(const struct client *client)
{
    const struct tokens *tokens = &client->world->tokens;
    bool is_any = client_has_writes(client);
    for (uint32_t i = 0; i < tokens->count; i++)
        is_any |= tokens->tokens[i].client == client->number &&
                  tokens->tokens[i].life == client->life && !tokens->tokens[i].is_forgotten;
    return is_any;
}

static void program_of_members(void *argument)
{
    struct client *client = argument;
    client_open(client);
    client_add_nodes(client);
    client_close(client);
}

static void program(void *argument)
{
    struct client *client = argument;
    if (client_is_to_write_rights(client)) {
        open_as(client, NULL);
        client_write_rights(client);
        client_close(client);
    }
    client_open(client);
    while (has_work(client)) {
        if (client_is_revoked(client))
            client->ops_left = client->lists_left = 0;
        client_begin_ops(client);
        tokens_turn(client);
        transfer_turn(client);
        limits_turn(client);
        client_change_turn(client);
        lister_turn(client);
        if (client->world->is_winding_down && client_is_stranded(client))
            plx_cancel(client->handle);
        (void)plx_poll(client->handle, poll_ns(client));
    }
    client->world->lives_open += is_open(client);
    client_close(client);
    if (client->nodes_to_add != 0) /* it was asked while it closed its handle */
        program_of_members(client);
}

static void program_of_taker(void *argument)
{
    struct client *client = argument;
    client_open(client);
    taker_run(client);
    client_close(client);
}

static void program_of_last_reads(void *argument)
{
    struct client *client = argument;
    client_open(client);
    for (uint32_t key = 0; key < client->world->draw->keys; key++)
        client_read_key(client, key);
    lister_list_finally(client);
    taker_read_cursor(client);
    client_close(client);
}

static void program_of_copier(void *argument)
{
    copier_run(argument);
}

void client_start(struct client *client, void (*program_next)(void *argument))
{
    CHECK(!client->socket.fiber.is_live);
    client->life++;
    fiber_start(&client->socket.fiber, program_next, client);
    socket_sim_plan(&client->socket, client_now_ns(client) + 1);
}

void client_add_members(struct client *client, uint32_t nodes)
{
    client_ask_nodes(client, nodes);
    if (client->socket.fiber.is_live)
        return; /* it does so in its turns */
    client_start(client, program_of_members);
}

void client_read_finally(struct client *client)
{
    client_start(client, program_of_last_reads);
}

void client_ask_transfer(struct client *client, uint16_t shard, uint16_t target)
{
    client->transfer_shard = shard;
    client->is_transfer_wanted = true;
    client->transfer_target = target;
}

void client_ask_limits(struct client *client, uint16_t shard, const struct plx_limits *limits)
{
    client->limits_shard = shard;
    client->limits = *limits;
    client->are_limits_wanted = true;
}

/* ---- life and death ---- */

static void hurt_plan(struct client *client)
{
    const struct draw *draw = client->world->draw;
    client->hurt_at_ns = UINT64_MAX;
    if (draw->hurt_interval_ns > 0)
        client->hurt_at_ns =
            client_now_ns(client) + prng_range(&client->prng, 1, 2 * draw->hurt_interval_ns);
}

static void life_begin(struct client *client, uint64_t at_ns)
{
    fiber_start(&client->socket.fiber,
                client->copier != NULL ? program_of_copier
                : client->is_taker     ? program_of_taker
                                       : program,
                client);
    socket_sim_plan(&client->socket, at_ns);
}

void client_world_lose_notices(struct client_world *world, uint64_t now_ns)
{
    world->lives_open += now_ns < world->hasty_until_ns ? world->lives_hasty : 0;
    world->lives_hasty = 0;
}

/* Its notice that a session is idle waits at the leader for a while, in case that it goes on. */
static void note_hasty(struct client *client)
{
    struct client_world *world = client->world;
    uint64_t now_ns = client_now_ns(client);
    world->lives_hasty = now_ns < world->hasty_until_ns ? world->lives_hasty + 1 : 1;
    world->hasty_until_ns = now_ns + HASTY_NS;
}

/* The process dies where it waits; what its handle had in flight nobody will tell it. */
static void process_kill(struct client *client)
{
    struct logs_history *logs = client->world->logs_history;
    if (is_open(client))
        client->world->lives_open++;
    else
        note_hasty(client);
    socket_sim_die(&client->socket);
    socket_sim_forsake(client->handle);
    client_close(client);
    client_drop_ops(client);
    tokens_release(&client->world->tokens, client->number);
    for (uint32_t i = 0; i < logs->count; i++) {
        struct logs_handout *handout = &logs->handouts[i];
        if (handout->taker == client->number && handout->life == client->life &&
            handout->outcome == HISTORY_PENDING)
            handout->is_dead = true;
    }
}

static void process_die(struct client *client)
{
    verdict_say(client->world->verdict, "c%u dies", client->number);
    client->world->tally->fault_client_deaths++;
    client->deaths++;
    process_kill(client);
    client->life++;
    life_begin(client, client_now_ns(client) + prng_range(&client->prng, 1, REBIRTH_NS_MAX));
}

static void process_pause(struct client *client)
{
    uint64_t pause_ns = prng_range(&client->prng, 1, client->world->draw->client_pause_ns_max);
    verdict_say(client->world->verdict, "c%u stands still for %llu ms", client->number,
                (unsigned long long)(pause_ns / MS));
    client->world->tally->fault_client_pauses++;
    socket_sim_pause(&client->socket, client_now_ns(client) + pause_ns);
}

static void hurt_turn(struct client *client)
{
    const struct draw *draw = client->world->draw;
    if (client->hurt_at_ns > client_now_ns(client) || client->handle == NULL ||
        client->world->is_winding_down)
        return;
    hurt_plan(client);
    if (prng_chance(&client->prng, (uint32_t)draw->death_chance)) {
        if (client->deaths < DEATHS_MAX)
            process_die(client);
        return;
    }
    if (draw->client_pause_ns_max > 0 && prng_chance(&client->prng, 500000)) {
        process_pause(client);
        return;
    }
    verdict_say(client->world->verdict, "c%u is cancelled", client->number);
    client->world->tally->fault_cancels++;
    socket_sim_use(&client->socket);
    plx_cancel(client->handle);
}

void client_init(struct client *client, struct client_world *world, uint32_t number, uint64_t seed,
                 struct copier *copier)
{
    const struct draw *draw = world->draw;
    *client = (struct client){.world = world,
                              .number = number,
                              .is_taker = number >= draw->clients && copier == NULL,
                              .copier = copier,
                              .ops_left = (uint32_t)draw->ops_per_client,
                              .preferred = -1};
    prng_init(&client->prng, seed * 31 + number + 1);
    prng_init(&client->list_prng, seed * 37 + number + 1);
    client->lists_left = (uint32_t)draw->lists_max;
    int64_t drift = (int64_t)prng_range(&client->prng, 0, 2 * draw->drift_max);
    client->socket = (struct socket_sim){
        .network = world->network,
        .host = NODES_MAX + number,
        .who = number,
        .watch = {.before_flush = client_name_ops, .context = client},
        .monotonic_base_ns = prng_range(&client->prng, MS, MONOTONIC_NS),
        .drift_per_million = drift - (int64_t)draw->drift_max,
        .wall_base_ns = WALL_NS + prng_range(&client->prng, 0, draw->wall_skew_ns)};
    prng_init(&client->socket.entropy, prng_next(&client->prng));
    socket_sim_init(&client->socket);
    for (uint32_t i = 0; i < CLIENT_SLOTS_MAX; i++)
        client->slots[i].client = client;
    hurt_plan(client);
    life_begin(client, prng_range(&client->prng, 1, START_NS_MAX));
}

void client_deinit(struct client *client)
{
    if (client->handle != NULL)
        process_kill(client);
    client->socket.fiber.is_live = false; /* one that has not begun has nothing to lose */
    socket_sim_deinit(&client->socket);
    free(client->text);
    client->text = NULL;
    free(client->list_memory);
    client->list_memory = NULL;
}

void client_wake(struct client *client, uint64_t stamp)
{
    if (!socket_sim_is_due(&client->socket, stamp))
        return;
    hurt_turn(client);
    /* Its death, or its pause, has made another plan. */
    if (socket_sim_is_due(&client->socket, stamp))
        socket_sim_run(&client->socket);
}

void client_receive(struct client *client, struct packet *packet)
{
    socket_sim_deliver(&client->socket, packet);
}

bool client_is_done(const struct client *client)
{
    if (!client->socket.fiber.is_live)
        return true;
    if (client->is_taker)
        return false;
    for (uint32_t i = 0; i < CLIENT_SLOTS_MAX; i++) {
        if (client->slots[i].is_used && !client_may_wait(client, &client->slots[i]))
            return false;
    }
    return client->world->is_winding_down;
}

bool client_is_quiet(const struct client *client)
{
    return !client->socket.fiber.is_live;
}
