/* Cuts and lags between the hosts of a world, and whatever else lasts until it is taken back. */
#include "tests/sim/world.h"

#define MS 1000000ull

static void link_change(struct world *world, uint32_t from, uint32_t to,
                        const struct lasting_fault *fault, bool is_beginning)
{
    struct network *network = &world->network;
    if (fault->lag_ns > 0)
        network->lag_ns[from][to] += is_beginning ? fault->lag_ns : 0 - fault->lag_ns;
    else
        network->cuts[from][to] += is_beginning ? 1u : UINT32_MAX;
}

static void hosts_cut(struct world *world, const struct lasting_fault *fault, bool is_beginning)
{
    for (uint32_t from = 0; from < HOSTS_MAX; from++) {
        for (uint32_t to = 0; to < HOSTS_MAX; to++) {
            if (from == to || !(fault->from_hosts >> from & 1) || !(fault->to_hosts >> to & 1))
                continue;
            link_change(world, from, to, fault, is_beginning);
            if (fault->is_mutual)
                link_change(world, to, from, fault, is_beginning);
        }
    }
}

static uint32_t fault_slot(struct world *world)
{
    uint32_t number = 0;
    while (number < FAULTS_MAX &&
           (world->faults[number].is_active || world->faults[number].is_pending))
        number++;
    return number;
}

static void fault_event(struct world *world, uint32_t number, uint64_t after_ns)
{
    world->faults[number].stamp = ++world->fault_stamp;
    agenda_plan(&world->agenda, &(struct event){.at_ns = world_now_ns(world) + 1 + after_ns,
                                                .kind = EVENT_MEND,
                                                .who = number,
                                                .stamp = world->fault_stamp});
}

uint32_t faults_begin_one(struct world *world, const struct lasting_fault *fault, uint64_t for_ns)
{
    uint32_t number = fault_slot(world);
    if (number == FAULTS_MAX)
        return FAULTS_MAX;
    world->faults[number] = *fault;
    world->faults[number].is_active = true;
    hosts_cut(world, fault, true);
    if (for_ns != UINT64_MAX)
        fault_event(world, number, for_ns);
    return number;
}

/* The same, not yet. */
static void fault_begin_later(struct world *world, const struct lasting_fault *fault,
                              uint64_t after_ns, uint64_t for_ns)
{
    uint32_t number = fault_slot(world);
    if (number == FAULTS_MAX)
        return;
    world->faults[number] = *fault;
    world->faults[number].is_pending = true;
    world->faults[number].for_ns = for_ns;
    fault_event(world, number, after_ns);
}

void faults_turn(struct world *world, uint32_t number, uint64_t stamp)
{
    struct lasting_fault *fault = &world->faults[number];
    if (fault->stamp != stamp)
        return;
    if (!fault->is_pending) {
        faults_mend(world, number);
        return;
    }
    fault->is_pending = false;
    fault->is_active = true;
    hosts_cut(world, fault, true);
    fault_event(world, number, fault->for_ns);
}

void faults_mend(struct world *world, uint32_t number)
{
    struct lasting_fault *fault = &world->faults[number];
    fault->is_pending = false;
    if (!fault->is_active)
        return;
    fault->is_active = false;
    hosts_cut(world, fault, false);
    if (fault->is_duplicate)
        duplicate_end(world);
    if (fault->stalled_node == 0)
        return;
    media_go_on(world, &world->nodes[fault->stalled_node - 1]);
}

void cut_partition(struct world *world)
{
    world->tally->fault_partitions++;
    uint32_t side = (uint32_t)faults_up_to(world, (1u << HOSTS_MAX) - 1);
    uint64_t for_ns = faults_up_to(world, world->draw.cut_ns_max);
    verdict_say(&world->verdict, "partition: nodes %#x apart for %llu ms", side & NODE_HOSTS(world),
                (unsigned long long)(for_ns / MS));
    faults_begin_one(
        world, &(struct lasting_fault){.from_hosts = side, .to_hosts = ~side, .is_mutual = true},
        for_ns);
}

void cut_one_way(struct world *world)
{
    world->tally->fault_one_way_cuts++;
    bool is_pair = faults_up_to(world, 1) == 0;
    uint32_t from = 1u << node_any(world)->number;
    uint32_t to = is_pair ? 1u << node_any(world)->number : ~from;
    if (faults_up_to(world, 2) == 0)
        from = (uint32_t)faults_up_to(world, (1u << HOSTS_MAX) - 1);
    if (faults_up_to(world, 2) == 0) {
        uint32_t kept = from;
        from = to;
        to = kept;
    }
    uint64_t for_ns = faults_up_to(world, world->draw.cut_ns_max);
    verdict_say(&world->verdict, "one-way cut from %#x to %#x for %llu ms", from, to,
                (unsigned long long)(for_ns / MS));
    faults_begin_one(world, &(struct lasting_fault){.from_hosts = from, .to_hosts = to}, for_ns);
}

void cut_isolate(struct world *world)
{
    world->tally->fault_isolations++;
    struct sim_node *leader = node_leader(world, shard_any(world));
    bool is_leader = leader != NULL && faults_up_to(world, 1) == 0;
    uint32_t node = 1u << (is_leader ? leader : node_any(world))->number;
    uint32_t others = NODE_HOSTS(world) & ~node;
    uint64_t for_ns = faults_up_to(world, world->draw.cut_ns_max);
    verdict_say(&world->verdict, "isolated: nodes %#x for %llu ms", node,
                (unsigned long long)(for_ns / MS));
    faults_begin_one(
        world, &(struct lasting_fault){.from_hosts = node, .to_hosts = others, .is_mutual = true},
        for_ns);
}

void cut_lag(struct world *world)
{
    world->tally->fault_lags++;
    uint32_t from = (uint32_t)faults_up_to(world, (1u << HOSTS_MAX) - 1);
    uint32_t to = (uint32_t)faults_up_to(world, (1u << HOSTS_MAX) - 1);
    uint64_t lag_ns = 1 + faults_up_to(world, world->draw.cut_ns_max);
    verdict_say(&world->verdict, "lag from %#x to %#x of %llu ms", from, to,
                (unsigned long long)(lag_ns / MS));
    faults_begin_one(world,
                     &(struct lasting_fault){.from_hosts = from, .to_hosts = to, .lag_ns = lag_ns},
                     faults_up_to(world, world->draw.cut_ns_max));
}

/*
 * The leader hears its peers late, and then nobody hears the leader any more: it goes on believing
 * in its leadership while they elect another. Clients reach everybody.
 */
void cut_depose(struct world *world)
{
    struct sim_node *leader = node_leader(world, shard_any(world));
    if (leader == NULL)
        return;
    world->tally->fault_depositions++;
    uint32_t node = 1u << leader->number;
    uint32_t others = NODE_HOSTS(world) & ~node;
    uint64_t patience_ns = world->draw.election_min_ns;
    uint64_t lag_ns = patience_ns / 2 + faults_up_to(world, patience_ns * 2 / 5);
    uint64_t for_ns = 3 * world->draw.election_max_ns;
    verdict_say(&world->verdict, "n%u hears its peers %llu ms late, then speaks to none",
                leader->number + 1, (unsigned long long)(lag_ns / MS));
    faults_begin_one(
        world, &(struct lasting_fault){.from_hosts = others, .to_hosts = node, .lag_ns = lag_ns},
        2 * lag_ns + for_ns);
    fault_begin_later(world, &(struct lasting_fault){.from_hosts = node, .to_hosts = others},
                      2 * lag_ns, for_ns);
}

/* Those that work, not who makes backups. */
static uint32_t client_hosts(const struct world *world)
{
    uint32_t count = (uint32_t)(world->draw.clients + world->draw.takers);
    return ((1u << count) - 1) << NODES_MAX;
}

/* A client, or all, and the leader of a shard, or all nodes but one; one way, or both. */
void cut_apart(struct world *world)
{
    struct sim_node *leader = node_leader(world, shard_any(world));
    uint32_t nodes = NODE_HOSTS(world) & ~(1u << node_any(world)->number);
    uint32_t clients = client_hosts(world);
    if (leader != NULL && faults_up_to(world, 1) == 0)
        nodes = 1u << leader->number;
    if (faults_up_to(world, 1) == 0)
        clients &= 1u << (NODES_MAX + faults_up_to(world, world->draw.clients - 1));
    bool is_to_nodes = faults_up_to(world, 3) > 0;
    struct lasting_fault fault = {.from_hosts = is_to_nodes ? clients : nodes,
                                  .to_hosts = is_to_nodes ? nodes : clients,
                                  .is_mutual = faults_up_to(world, 3) > 0};
    uint64_t for_ns = faults_up_to(world, world->draw.cut_ns_max);
    world->tally->fault_clients_apart++;
    verdict_say(&world->verdict, "clients %#x apart from nodes %#x for %llu ms",
                clients >> NODES_MAX, nodes, (unsigned long long)(for_ns / MS));
    faults_begin_one(world, &fault, for_ns);
}

/* ---- the fault that stays ---- */

/* Some log of the node is. */
static bool is_damaged(const struct world *world, uint32_t node)
{
    bool is_any = false;
    for (uint32_t shard = 0; shard < world->draw.shards; shard++)
        is_any |= world->overseers[shard].nodes[node].is_damaged;
    return is_any;
}

/* Nodes that may be missing already, for good. */
static uint32_t missing_count(const struct world *world)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < world->draw.nodes; i++)
        count += world->nodes[i].is_gone || world->nodes[i].is_rotten || is_damaged(world, i);
    return count;
}

static struct lasting_fault residual_of(const struct world *world, uint32_t victim)
{
    uint32_t node = 1u << victim;
    uint32_t others = NODE_HOSTS(world) & ~node;
    uint32_t next = 1u << ((victim + 1) % world->draw.nodes);
    switch ((enum residual)world->draw.residual) {
    case RESIDUAL_DEAF:
        return (struct lasting_fault){.from_hosts = others, .to_hosts = node};
    case RESIDUAL_MUTE:
        return (struct lasting_fault){.from_hosts = node, .to_hosts = others};
    case RESIDUAL_ISOLATED:
        return (struct lasting_fault){.from_hosts = node, .to_hosts = others, .is_mutual = true};
    case RESIDUAL_LINK:
        return (struct lasting_fault){.from_hosts = node, .to_hosts = next, .is_mutual = true};
    case RESIDUAL_APART:
        return (struct lasting_fault){
            .from_hosts = client_hosts(world), .to_hosts = others, .is_mutual = true};
    case RESIDUAL_DOWN:
    case RESIDUAL_NONE:
    case RESIDUAL_COUNT:
        break;
    }
    return (struct lasting_fault){0};
}

uint32_t faults_residual(struct world *world)
{
    uint32_t minority = (draw_founders(&world->draw) - 1) / 2;
    uint32_t victim = (uint32_t)(digest_word(world->seed, 3) % world->draw.nodes);
    bool is_apart = world->draw.residual == RESIDUAL_APART;
    if (world->draw.residual == RESIDUAL_NONE || world->disaster.is_rescued ||
        missing_count(world) + !is_apart > (is_apart ? 0 : minority))
        return FAULTS_MAX;
    world->tally->fault_residuals++;
    verdict_say(&world->verdict, "residual fault %llu at n%u",
                (unsigned long long)world->draw.residual, victim + 1);
    if (world->draw.residual == RESIDUAL_DOWN)
        node_crash(world, &world->nodes[victim], DEATH_KILL, UINT64_MAX);
    struct lasting_fault fault = residual_of(world, victim);
    return faults_begin_one(world, &fault, UINT64_MAX);
}
