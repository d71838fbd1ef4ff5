/* The phases of a run: faults, then liveness with at most one fault left, then convergence. */
#include "tests/sim/world.h"

#include "base/check.h"
#include "base/shard.h"
#include "tests/sim/eavesdropper.h"
#include "tests/sim/port_sim.h"

#include <stdio.h>
#include <string.h>

#define MS                1000000ull
#define SLICE_NS          (20 * MS)
#define CALLS_BOUND_NS    (40000 * MS)
#define CALLS_SYNCS       20 /* one after the other, that the last calls may need beside that */
#define CONVERGE_BOUND_NS (60000 * MS)
#define NOTICE_BOUND_NS   (20000 * MS) /* until what a client says last is in the log */
#define BACKUP_BOUND_NS   (300000 * MS)

uint64_t world_now_ns(const struct world *world)
{
    return world->verdict.now_ns;
}

static void on_send(void *context, uint32_t number, struct span packet)
{
    struct world *world = context;
    struct sim_node *node = &world->nodes[number];
    struct wire_packet wire;
    const struct wire_keys keys = {.is_sealed = wire_is_sealed(packet)};
    if (duplicate_is(world, node))
        return;
    node_side_effect(world, number);
    if (!node->is_running || node->is_dead_inside || world->network.is_muted[number] ||
        wire_packet_decode(packet, &keys, world->cluster_id, &wire) != OK ||
        wire.header.shard >= world->draw.shards)
        return;
    eavesdropper_hear(&world->overseers[wire.header.shard], number,
                      node_replica(node, wire.header.shard), &wire);
}

static void on_store(void *context, const char *path)
{
    unsigned int number;
    /* A number that the path begins with; suffixes tell the shard, and the bank of a journal. */
    if (sscanf(path, "node%u", &number) == 1 && number >= 1 && number <= NODES_MAX)
        node_side_effect(context, number - 1);
}

static void on_hand_over(void *context, uint32_t number, uint32_t lane)
{
    struct world *world = context;
    node_plan_turn(world, &world->nodes[number].lanes[lane], world_now_ns(world));
}

static void media_init(struct world *world)
{
    world->media = medium_sim_create(&(struct medium_sim_options){
        .seed = world->seed ^ 0x6d65646961u,
        .granularity = (enum medium_granularity)world->draw.granularity,
        .sync_delay_min_ns = world->draw.sync_ns / 2,
        .sync_delay_max_ns = world->draw.sync_ns * 3 / 2});
    medium_sim_use(world->media);
    medium_sim_set_watch(world->media,
                         (struct medium_sim_watch){.before_store = on_store, .context = world});
}

static void network_begin(struct world *world)
{
    world->network.agenda = &world->agenda;
    world->network.verdict = &world->verdict;
    world->network.tally = world->tally;
    world->network.draw = &world->draw;
    world->network.cluster_id = world->cluster_id;
    network_init(&world->network, world->seed);
    port_sim_attach(&world->network, (struct port_sim_watch){.before_send = on_send,
                                                             .after_hand_over = on_hand_over,
                                                             .context = world});
}

uint32_t world_clients(const struct world *world)
{
    return (uint32_t)(world->draw.clients + world->draw.takers + (world->draw.backups > 0));
}

static void key_make(struct client_world *clients, uint32_t key)
{
    const struct draw *draw = clients->draw;
    size_t size = value_key(draw, key, clients->keys[key]);
    clients->key_sizes_bytes[key] = size;
    clients->key_shards[key] =
        shard_of_key(span_of(clients->keys[key], size), (uint16_t)draw->shards);
}

/* The last client, where there are backups. */
static struct copier *copier_of(struct world *world, uint32_t number)
{
    if (number < world->draw.clients + world->draw.takers)
        return NULL;
    copier_init(&world->copier, &world->clients[number], &world->draw);
    return &world->copier;
}

static void clients_begin(struct world *world)
{
    const struct draw *draw = &world->draw;
    struct client_world *clients = &world->client_world;
    *clients =
        (struct client_world){.agenda = &world->agenda,
                              .verdict = &world->verdict,
                              .tally = world->tally,
                              .history = &world->history,
                              .logs_history = &world->logs_history,
                              .witness = &world->witness,
                              .network = &world->network,
                              .key_seed = world->seed,
                              .outsiders = NODE_HOSTS(world) & ~((1u << draw_founders(draw)) - 1),
                              .draw = draw};
    tokens_init(&clients->tokens);
    log_file_init(&clients->log_file, world->seed, (uint32_t)draw->log_lines, draw->fault_phase_ns);
    for (uint32_t key = 0; key < draw->keys; key++)
        key_make(clients, key);
    for (uint32_t i = 0; i < world_clients(world); i++)
        client_init(&world->clients[i], clients, i, world->seed, copier_of(world, i));
}

/*
 * How much older than its age of contact an answer may be, where clocks behave. There is no telling
 * where they do not.
 */
static uint64_t staleness_slack_ns(const struct draw *draw)
{
    bool is_odd = draw->clock_step_weight > 0 || draw->drift_max > 1000;
    if (is_odd)
        return UINT64_MAX;
    uint64_t way_ns = draw->delay_ns + draw->jitter_ns + draw->late_ns + draw->duplicate_lag_ns;
    if (draw->lag_weight > 0 || draw->depose_weight > 0)
        way_ns += draw->cut_ns_max + draw->election_max_ns;
    return 2 * draw->election_max_ns + 2 * way_ns + 4 * draw->sync_ns;
}

void world_watch(struct world *world)
{
    for (uint32_t shard = 0; shard < world->draw.shards; shard++) {
        struct overseer *overseer = &world->overseers[shard];
        *overseer = (struct overseer){
            .verdict = &world->verdict, .tally = world->tally, .media = world->media};
        overseer->quorums[0] = draw_founders(&world->draw) / 2 + 1;
        overseer_init(overseer, (uint32_t)world->draw.nodes,
                      world->draw.shards == 1 ? UINT32_MAX : shard);
    }
}

void world_init(struct world *world, uint64_t seed, const struct draw *draw, struct tally *tally)
{
    CHECK(draw->nodes >= 1 && draw->nodes <= NODES_MAX);
    CHECK(draw->clients >= 1 && draw->clients + draw->takers + (draw->backups > 0) <= CLIENTS_MAX);
    CHECK(draw->pipeline_max >= 1 && draw->pipeline_max <= CLIENT_SLOTS_MAX);
    CHECK(draw->keys >= 1 && draw->keys <= HISTORY_KEYS_MAX);
    CHECK(draw->shards >= 1 && draw->shards <= SIM_SHARDS_MAX);
    CHECK(draw->lanes >= 1 && draw->lanes <= SIM_LANES_MAX);
    bool is_verbose = world->verdict.is_verbose;
    memset(world, 0, sizeof(*world));
    world->seed = seed;
    world->cluster_id = wire_cluster_id("simulated");
    world->draw = *draw;
    if (world->draw.nodes == NODES_MAX || world->draw.nodes < 3)
        world->draw.duplicate_weight = 0;
    if (world->draw.nodes < world->draw.spares + 1) { /* by an override */
        world->draw.spares = 0;
        world->draw.member_weight = 0;
    }
    world->tally = tally;
    world->verdict = (struct verdict){.is_verbose = is_verbose, .now_ns = 1};
    prng_init(&world->prng, seed ^ 0x6e6f646573u);
    prng_init(&world->fault_prng, seed ^ 0x6661756c7473u);
    agenda_init(&world->agenda);
    history_init(&world->history);
    world->history.is_log_known = true;
    world->history.staleness_slack_ns = staleness_slack_ns(draw);
    logs_history_init(&world->logs_history);
    witness_init(&world->witness);
    media_init(world);
    network_begin(world);
    world_watch(world);
    for (uint32_t i = 0; i < draw->nodes; i++)
        node_init(world, i);
    duplicate_init(world);
    clients_begin(world);
    faults_begin(world);
}

void world_deinit(struct world *world)
{
    set_back_forget(world);
    duplicate_end(world);
    for (uint32_t i = 0; i < world->draw.nodes; i++)
        node_end(world, &world->nodes[i]);
    for (uint32_t i = 0; i < world_clients(world); i++)
        client_deinit(&world->clients[i]);
    copier_deinit(&world->copier);
    tokens_deinit(&world->client_world.tokens);
    log_file_deinit(&world->client_world.log_file);
    world->tally->virtual_ns += world_now_ns(world);
    network_deinit(&world->network);
    agenda_deinit(&world->agenda);
    for (uint32_t shard = 0; shard < world->draw.shards; shard++)
        overseer_deinit(&world->overseers[shard]);
    history_deinit(&world->history);
    logs_history_deinit(&world->logs_history);
    witness_deinit(&world->witness);
    medium_sim_destroy(world->media);
}

/* ---- events ---- */

static void packet_deliver(struct world *world, struct packet *packet)
{
    uint32_t host = packet->to_host;
    world->tally->packets_delivered++;
    verdict_trace(&world->verdict,
                  digest_word(packet->size_bytes,
                              digest_bytes(host, packet->data,
                                           packet->size_bytes < 64 ? packet->size_bytes : 64)));
    if (host < NODES_MAX) {
        if (network_enqueue(&world->network, packet))
            node_plan_turn(world, &world->nodes[host].lanes[packet->to_lane], world_now_ns(world));
        return;
    }
    if (host - NODES_MAX < world_clients(world)) {
        struct client *client = &world->clients[host - NODES_MAX];
        client_receive(client, packet);
        if (client->copier != NULL)
            backup_strike(world);
    } else
        network_release(&world->network, packet);
}

static void event_handle(struct world *world, const struct event *event)
{
    switch (event->kind) {
    case EVENT_DELIVER:
        packet_deliver(world, event->what);
        break;
    case EVENT_TURN:
        if (world->nodes[event->who].lanes[event->lane].turn_stamp == event->stamp)
            node_turn(world, &world->nodes[event->who].lanes[event->lane]);
        break;
    case EVENT_CLIENT:
        client_wake(&world->clients[event->who], event->stamp);
        break;
    case EVENT_BOOT:
        if (world->nodes[event->who].boot_stamp == event->stamp)
            node_boot(world, event->who);
        break;
    case EVENT_MEND:
        faults_turn(world, event->who, event->stamp);
        break;
    case EVENT_FAULT:
        faults_act(world);
        break;
    case EVENT_RESCUE:
        disaster_turn(world);
        break;
    }
}

void world_advance(struct world *world, uint64_t until_ns)
{
    while (!verdict_is_broken(&world->verdict)) {
        struct event event;
        if (world->agenda.count == 0 || world->agenda.heap[0].at_ns > until_ns)
            break;
        CHECK(agenda_next(&world->agenda, &event));
        CHECK(event.at_ns >= world->verdict.now_ns);
        world->verdict.now_ns = event.at_ns;
        event_handle(world, &event);
    }
    if (!verdict_is_broken(&world->verdict))
        world->verdict.now_ns = until_ns;
}

/* ---- liveness ---- */

static bool are_calls_done(struct world *world)
{
    for (uint32_t i = 0; i < world_clients(world); i++) {
        if (!client_is_done(&world->clients[i]))
            return false;
    }
    return true;
}

static bool are_clients_quiet(struct world *world)
{
    for (uint32_t i = 0; i < world_clients(world); i++) {
        if (!client_is_quiet(&world->clients[i]))
            return false;
    }
    return true;
}

/* Every node that can run has applied the same whole log of the shard. */
static bool is_shard_equal(const struct world *world, uint32_t shard)
{
    uint64_t applied = 0;
    for (uint32_t i = 0; i < world->draw.nodes; i++) {
        const struct sim_node *node = &world->nodes[i];
        struct raft_status status;
        if (node->is_gone)
            continue;
        if (!node->is_running)
            return false;
        struct replica *replica = node_replica(node, shard);
        replica_raft_status(replica, &status);
        uint64_t here = engine_applied_index(replica_engine(replica));
        if (applied == 0)
            applied = here;
        /* A storage that took the place of a lost one has its vote. */
        if (here != applied || status.last_index != applied || status.membership != RAFT_VOTER)
            return false;
    }
    return applied > 0;
}

static bool are_nodes_equal(const struct world *world)
{
    for (uint32_t shard = 0; shard < world->draw.shards; shard++) {
        if (!is_shard_equal(world, shard))
            return false;
    }
    return true;
}

/* Something that its node accepted relaxed is still to be decided. */
static bool has_pending(struct replica *replica)
{
    return engine_counters(replica_engine(replica))->relaxed_pending > 0;
}

static bool is_converged(struct world *world)
{
    return are_clients_quiet(world) && !world_has_replica(world, has_pending) &&
           are_nodes_equal(world) && upgrade_is_even(world);
}

bool world_await(struct world *world, bool (*is_reached)(struct world *), uint64_t bound_ns)
{
    uint64_t end_ns = world_now_ns(world) + bound_ns;
    while (!verdict_is_broken(&world->verdict) && world_now_ns(world) < end_ns) {
        if (is_reached(world))
            return true;
        world_advance(world, world_now_ns(world) + SLICE_NS);
    }
    return verdict_is_broken(&world->verdict) || is_reached(world);
}

static void boot_missing(struct world *world)
{
    for (uint32_t i = 0; i < world->draw.nodes; i++) {
        if (!world->nodes[i].is_running)
            node_plan_boot(world, &world->nodes[i], world_now_ns(world) + 1);
    }
}

static struct client *quiet_client(struct world *world)
{
    for (uint32_t i = 0; i < world_clients(world); i++) {
        if (client_is_quiet(&world->clients[i]))
            return &world->clients[i];
    }
    return NULL;
}

/* All nodes are members at the end, so that all are judged. */
static void add_spares(struct world *world)
{
    world->is_full_at_end = excuse_is_full(world);
    if (world->client_world.outsiders == 0 || world->is_full_at_end)
        return;
    struct client *asker = quiet_client(world);
    if (asker == NULL)
        asker = &world->clients[0]; /* all may wait for one of these nodes */
    uint32_t nodes = 0;
    for (uint32_t i = 0; i < world->draw.nodes; i++)
        nodes |= world->nodes[i].is_gone ? 0 : UINT32_C(1) << i;
    nodes &= world->client_world.outsiders;
    client_add_members(asker, nodes);
}

static void await_convergence(struct world *world)
{
    add_spares(world);
    if (!world_await(world, is_converged, CONVERGE_BOUND_NS))
        excuse_or_break(world, RULE_LIVENESS_CONVERGENCE, "nodes do not converge");
}

/* Where a sync takes seconds, so does each step of who takes lines and confirms them. */
static uint64_t calls_bound_ns(const struct world *world)
{
    return CALLS_BOUND_NS + CALLS_SYNCS * world->draw.sync_ns;
}

static void phase_liveness(struct world *world)
{
    world->client_world.is_winding_down = true;
    faults_heal(world);
    uint32_t residual = faults_residual(world);
    world->is_residual = residual < FAULTS_MAX;
    world->client_world.is_residual = world->is_residual;
    if (world->is_residual && world->draw.residual == RESIDUAL_APART)
        world->client_world.nodes_apart = world->faults[residual].to_hosts;
    if (!world_await(world, are_calls_done, calls_bound_ns(world)))
        excuse_or_break(world, RULE_LIVENESS_CALLS, "calls do not end");
    if (residual < FAULTS_MAX)
        faults_mend(world, residual);
    world->is_residual = false;
    world->client_world.is_residual = false;
    world->client_world.nodes_apart = 0;
    boot_missing(world);
    /* Then no leader of the era before takes the operator's word. */
    if (!world_await(world, disaster_is_heard_of, CONVERGE_BOUND_NS))
        excuse_or_break(world, RULE_LIVENESS_CONVERGENCE, "nodes go on in the era before");
    await_convergence(world);
}

/* What a newcomer reads when all is over belongs to the history, too. It reads one key after the
 * other, and each read has its time: large values on a slow network take long together. */
static void phase_last_reads(struct world *world)
{
    uint64_t begun;
    if (excuse_is_full(world) || !are_clients_quiet(world))
        return;
    client_read_finally(&world->clients[0]);
    do {
        begun = world->tally->ops_invoked;
        if (world_await(world, are_clients_quiet, calls_bound_ns(world)))
            return;
    } while (world->tally->ops_invoked > begun); /* at most as often as there are keys */
    excuse_or_break(world, RULE_LIVENESS_CALLS, "the last reads do not end");
}

/* An operator who has time gets a backup, of what is there now. */
static void phase_last_backup(struct world *world)
{
    if (world->draw.backups == 0 || excuse_is_full(world) || !are_clients_quiet(world) ||
        excuse_is_waiting(world))
        return;
    copier_begin_last(&world->copier);
    if (!world_await(world, are_clients_quiet, BACKUP_BOUND_NS))
        excuse_or_break(world, RULE_BACKUP, "the last backup does not end");
}

static uint64_t given_back_bound_ns(const struct world *world)
{
    return session_idle_ns(world->draw.session_ttl_ns) + NOTICE_BOUND_NS;
}

static uint64_t sessions_open(const struct world *world)
{
    uint64_t most = 0;
    for (uint32_t i = 0; i < world->draw.nodes; i++) {
        struct replica *replica = node_replica(&world->nodes[i], 0);
        uint64_t open =
            replica == NULL ? 0 : engine_counters(replica_engine(replica))->sessions_open;
        most = open > most ? open : most;
    }
    return most;
}

static bool are_sessions_given_back(struct world *world)
{
    return sessions_open(world) <= world->client_world.lives_open;
}

/* Each life that ended with something open may have left a session. */
static void phase_given_back(struct world *world)
{
    if (world->draw.gives_back == 0 || excuse_is_full(world) || !are_clients_quiet(world) ||
        excuse_is_waiting(world))
        return;
    world->tally->sessions_judged++;
    world->tally->lives_open += world->client_world.lives_open;
    if (!world_await(world, are_sessions_given_back, given_back_bound_ns(world)))
        verdict_break(&world->verdict, RULE_SESSIONS,
                      "%llu sessions are left, and %u clients have left with something open",
                      (unsigned long long)sessions_open(world), world->client_world.lives_open);
}

static void states_compare(struct world *world)
{
    for (uint32_t i = 0; i < world->draw.nodes * world->draw.shards; i++) {
        uint32_t number = i / (uint32_t)world->draw.shards;
        uint32_t shard = i % (uint32_t)world->draw.shards;
        struct replica *replica = node_replica(&world->nodes[number], shard);
        if (replica != NULL && !verdict_is_broken(&world->verdict))
            overseer_compare_state(&world->overseers[shard], number, replica);
    }
}

static void judge_history(struct world *world)
{
    verdict_trace(&world->verdict, world_now_ns(world));
    witness_tell(&world->witness, &world->history);
    if (!verdict_is_broken(&world->verdict))
        history_check(&world->history, &world->verdict, world->tally);
}

/* Of a cluster that was restored. */
static void phase_restored(struct world *world)
{
    if (!world_await(world, are_calls_done, calls_bound_ns(world)))
        excuse_or_break(world, RULE_LIVENESS_CALLS, "calls of a restored cluster do not end");
    await_convergence(world);
    world->history.is_settled = is_converged(world);
    phase_last_reads(world);
    states_compare(world);
    restore_end(world);
    judge_history(world);
}

void world_run(struct world *world)
{
    world_advance(world, world->draw.fault_phase_ns);
    phase_liveness(world);
    world->history.is_settled = is_converged(world);
    phase_last_reads(world);
    phase_last_backup(world);
    phase_given_back(world);
    states_compare(world);
    scrub_end(world);
    judge_history(world);
    backup_judge_all(world);
    if (!verdict_is_broken(&world->verdict))
        logs_history_check(&world->logs_history, &world->verdict);
    if (restore_begin(world))
        phase_restored(world);
}
