/*
 * sim-elections: one simulated cluster of three nodes that changes its leader again and again, and
 * must lead on. The lanes, raft, engine, log, snapshots and libpollux are those of production, and
 * the overseer judges every turn, as in pollux-sim. Nothing else is wrong: no packet is lost.
 *
 * Each new leader is asked at once, by packet, to hand leadership over. Every so often it is killed
 * instead, or its power fails, so that the others wait for their timeouts and it recovers. Now and
 * then, and at the end after all nodes have started anew, a client sets a key and reads it back,
 * also at each node alone.
 *
 * The trail of the simulated nodes has room for far fewer terms than there are elections, and each
 * election is a term: see docs/consensus.md, "The log's begin, and snapshots".
 */
#include "tests/sim/world.h"

#include "base/check.h"
#include "pmem/medium.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define US 1000ull
#define MS 1000000ull
#define S  1000000000ull

#define NODES    3
#define STEP_NS  (10 * US)
#define AGAIN_NS (100 * MS) /* a request that led to nothing is made again */
#define STUCK_NS (20 * S)   /* without a new leader: nobody can lead */
#define DOWN_NS  (2 * MS)
#define BACK_NS  (100 * MS) /* after which a node that was stopped has caught up */
#define NEVER_NS (1000000000 * S)
#define VALUE    24
/* From here the requests come: behind the client of this world. */
#define ASKING_HOST (HOSTS_MAX - 1)

enum exit_code { EXIT_CLEAN = 0, EXIT_BROKEN = 1, EXIT_USAGE = 2 };

static const char usage[] =
    "usage: sim-elections [--simulated N] [--log BYTES] [--segment BYTES] [--kill-every N]\n"
    "                     [--stop-every N] [--read-every N] [--seed S]\n"
    "N elections (default 20000) in one simulated cluster of three nodes with logs of that size\n"
    "(default 8400896, segments 1048576). Exit: 0 the cluster leads, 1 not, 2 wrong usage.\n";

struct arguments {
    uint64_t elections;
    uint64_t log_bytes;
    uint64_t segment_bytes;
    uint64_t kill_every;
    uint64_t stop_every; /* of the leaders one is asked to stop, cleanly */
    uint64_t read_every;
    uint64_t seed;
};

/* What the client was to do, and how it ended. */
struct errand {
    uint64_t number; /* names the value */
    bool is_good;
};

struct campaign {
    const struct arguments *arguments;
    uint64_t asked_term; /* of the leader that was last asked to go, or killed */
    uint64_t asked_ns;
    uint64_t asked_count;
    uint64_t won_ns;   /* when the newest leader was seen first */
    uint64_t won_term; /* the highest term so far */
    uint64_t kills;
    uint64_t stops;
    uint64_t stopped_term; /* of a leader that was asked to stop; 0: the last end was another */
    uint64_t reads;
    uint64_t message_id;
    struct errand errand;
};

static struct world world;
static struct tally tally;

static void draw_calm(struct draw *draw, const struct arguments *arguments)
{
    *draw = (struct draw){.nodes = NODES,
                          .clients = 1,
                          .keys = 1,
                          .ops_per_client = arguments->elections, /* bounds the packets */
                          .pipeline_max = 1,
                          .packet_ops_max = 1,
                          .timeout_ns = 1 * S,
                          .fence_wait_ns = 1 * S,
                          .rto_min_ns = 2 * MS,
                          .key_size_max = 8,
                          .value_size_max = 8,
                          .election_min_ns = 20 * MS,
                          .election_max_ns = 40 * MS,
                          .heartbeat_ns = 5 * MS,
                          .append_entries_max = APPEND_ENTRIES_MAX,
                          .append_size_soft = APPEND_SIZE_BYTES_SOFT,
                          .inflight_max = 8,
                          .batches_inflight_max = 64,
                          .reads_pending_max = 16,
                          .session_ttl_ns = 3600 * S,
                          .turn_cost_ns = 1 * US,
                          .delay_ns = 5 * US,
                          .is_in_order = 1,
                          .granularity = MEDIUM_PAGE,
                          .sync_ns = 10 * US,
                          .first_fault_ns = NEVER_NS,
                          .fault_interval_ns = NEVER_NS,
                          .keep_alive_ns = 1 * S,
                          .leader_fresh_ns = 10 * MS,
                          .relaxed_keys_max = 1,
                          .store_blocks = 1024,
                          .shards = 1,
                          .lanes = 1,
                          .log_bytes = arguments->log_bytes,
                          .segment_bytes = arguments->segment_bytes,
                          .snapshot_rate = 1 << 30};
}

/* ---- the client ---- */

static void handle_open(const struct errand *errand, uint32_t node, struct plx_client **ret_handle)
{
    struct plx_options options;
    char reason[128] = "";
    plx_options_init(&options);
    options.endpoints = "10.0.0.1:7400,10.0.0.2:7400,10.0.0.3:7400";
    options.cluster = "simulated";
    options.spin_ns = 0;
    options.preferred_endpoint = (int32_t)node;
    options.seed = errand->number * NODES + node + 1;
    CHECK(plx_open(&options, ret_handle, reason, sizeof(reason)) == PLX_OK);
}

static bool is_read(struct plx_client *handle, const char *value, const struct plx_call *call)
{
    struct plx_response response = plx_get(handle, plx_text("elected"), call);
    return response.outcome == PLX_OK && response.value_size_bytes == strlen(value) &&
           memcmp(response.value.data, value, strlen(value)) == 0;
}

/* A set that the first handle makes, and what each node has of it. */
static void program(void *argument)
{
    struct errand *errand = argument;
    const struct plx_call blocking = {.is_blocking = true};
    char value[VALUE];
    uint64_t version = 0;
    bool is_good = true;
    snprintf(value, sizeof(value), "%" PRIu64, errand->number);
    for (uint32_t node = 0; node < NODES && is_good; node++) {
        struct plx_client *handle = NULL;
        handle_open(errand, node, &handle);
        if (node == 0) {
            struct plx_response response =
                plx_set(handle, plx_text("elected"), plx_text(value), &blocking);
            is_good = response.outcome == PLX_OK && is_read(handle, value, &blocking);
            version = response.version;
        }
        const struct plx_call relaxed = {.is_relaxed = true, .min_index = version, .timeout_ns = S};
        is_good = is_good && is_read(handle, value, &relaxed);
        plx_close(handle);
    }
    errand->is_good = is_good;
}

static bool errand_run(struct campaign *campaign)
{
    struct errand *errand = &campaign->errand;
    struct socket_sim *socket = &world.clients[0].socket;
    campaign->stopped_term = 0; /* nobody looks now who leads next */
    world_advance(&world, world_now_ns(&world) + BACK_NS);
    uint64_t end_ns = world_now_ns(&world) + STUCK_NS;
    errand->number++;
    errand->is_good = false;
    fiber_start(&socket->fiber, program, errand);
    socket_sim_plan(socket, world_now_ns(&world) + 1);
    while (socket->fiber.is_live && world_now_ns(&world) < end_ns &&
           !verdict_is_broken(&world.verdict))
        world_advance(&world, world_now_ns(&world) + MS);
    if (!errand->is_good)
        verdict_break(&world.verdict, RULE_LIVENESS_CALLS,
                      "set %" PRIu64 " is not read back on every node", errand->number);
    campaign->reads++;
    return errand->is_good;
}

/* ---- leaders ---- */

static void transfer_ask(struct campaign *campaign, uint32_t leader)
{
    uint8_t body[16];
    uint8_t packet[PACKET_SIZE_BYTES_MAX];
    const struct wire_keys keys = {.is_sealed = false};
    const struct address to = network_address(leader);
    uint32_t other = (leader + 1 + (uint32_t)(campaign->asked_count % 2)) % NODES;
    struct wire_writer writer = {.data = body, .capacity_bytes = sizeof(body)};
    wire_transfer_encode(&writer, ++campaign->message_id, (uint16_t)(other + 1));
    struct wire_message_header header = {.type = WIRE_TRANSFER,
                                         .piece_size_bytes = PACKET_PAYLOAD_SIZE_BYTES_MAX,
                                         .cluster_id = world.cluster_id,
                                         .message_id = campaign->message_id};
    uint32_t size = wire_piece_encode(packet, &keys, &header, span_of(body, writer.size_bytes), 0);
    network_send(&world.network, (struct network_sender){.host = ASKING_HOST}, &to,
                 span_of(packet, size));
}

static bool all_run(void)
{
    for (uint32_t i = 0; i < NODES; i++) {
        if (!world.nodes[i].is_running)
            return false;
    }
    return true;
}

/* A leader that stops hands over: nobody has waited for an election timeout. */
static void stop_judge(struct campaign *campaign, uint64_t now_ns)
{
    uint64_t gap_ns = now_ns - campaign->asked_ns;
    if (campaign->stopped_term != 0 && gap_ns >= world.draw.election_min_ns)
        verdict_break(&world.verdict, RULE_LIVENESS_CONVERGENCE,
                      "the leader of term %" PRIu64 " stopped, and the next one came after %" PRIu64
                      " us",
                      campaign->stopped_term, (uint64_t)(gap_ns / US));
    campaign->stopped_term = 0;
}

static void leader_end(struct campaign *campaign, struct sim_node *leader)
{
    uint64_t kill_every = campaign->arguments->kill_every;
    uint64_t stop_every = campaign->arguments->stop_every;
    campaign->asked_count++;
    campaign->stopped_term = 0;
    if (stop_every != 0 && campaign->asked_count % stop_every == 0 && all_run()) {
        campaign->stops++;
        campaign->stopped_term = campaign->asked_term;
        node_stop(&world, leader, DOWN_NS);
        return;
    }
    if (kill_every == 0 || campaign->asked_count % kill_every != 0) {
        transfer_ask(campaign, leader->number);
        return;
    }
    campaign->kills++;
    node_crash(&world, leader, campaign->kills % 2 == 0 ? DEATH_POWER : DEATH_KILL, DOWN_NS);
}

/* One step of the world; whoever leads by then is asked to go. */
static void campaign_step(struct campaign *campaign)
{
    struct raft_status status = {0};
    world_advance(&world, world_now_ns(&world) + STEP_NS);
    uint64_t now_ns = world_now_ns(&world);
    struct sim_node *leader = node_leader(&world, 0);
    if (leader != NULL)
        replica_raft_status(node_replica(leader, 0), &status);
    if (leader != NULL && status.has_own_commit && status.term > campaign->won_term) {
        campaign->won_term = status.term;
        campaign->won_ns = now_ns;
        stop_judge(campaign, now_ns);
    }
    if (now_ns - campaign->won_ns > STUCK_NS)
        verdict_break(&world.verdict, RULE_LIVENESS_CONVERGENCE,
                      "nobody has been elected for %llu s; the last term is %" PRIu64, STUCK_NS / S,
                      campaign->won_term);
    if (leader == NULL || !status.has_own_commit ||
        (status.term == campaign->asked_term && now_ns - campaign->asked_ns < AGAIN_NS))
        return;
    campaign->asked_term = status.term;
    campaign->asked_ns = now_ns;
    leader_end(campaign, leader);
}

/* ---- the end ---- */

static void restart_all(void)
{
    for (uint32_t i = 0; i < NODES; i++)
        node_crash(&world, &world.nodes[i], i % 2 == 0 ? DEATH_POWER : DEATH_KILL, DOWN_NS);
}

static bool campaign_run(struct campaign *campaign)
{
    const struct arguments *arguments = campaign->arguments;
    uint64_t read_at = arguments->read_every;
    while (tally.elections_won < arguments->elections && !verdict_is_broken(&world.verdict)) {
        campaign_step(campaign);
        if (read_at == 0 || tally.elections_won < read_at)
            continue;
        (void)errand_run(campaign);
        campaign->won_ns = world_now_ns(&world);
        read_at += arguments->read_every;
    }
    return !verdict_is_broken(&world.verdict) && errand_run(campaign);
}

static bool campaign_end(struct campaign *campaign)
{
    restart_all();
    world_advance(&world, world_now_ns(&world) + 1 * S);
    if (!errand_run(campaign))
        return false;
    world_advance(&world, world_now_ns(&world) + 1 * S);
    for (uint32_t i = 0; i < NODES && !verdict_is_broken(&world.verdict); i++) {
        CHECK(world.nodes[i].is_running);
        overseer_compare_state(&world.overseers[0], i, node_replica(&world.nodes[i], 0));
    }
    return !verdict_is_broken(&world.verdict);
}

static double wall_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static uint64_t highest_term(void)
{
    uint64_t highest = 0;
    for (uint32_t i = 0; i < NODES; i++) {
        uint64_t term = world.overseers[0].nodes[i].term;
        highest = term > highest ? term : highest;
    }
    return highest;
}

static void report(const struct campaign *campaign, bool is_clean, double seconds)
{
    uint64_t virtual_ns = world_now_ns(&world);
    uint64_t term = highest_term();
    world_deinit(&world); /* counts what the nodes counted */
    printf("elections=%" PRIu64 " highest_term=%" PRIu64 " kills=%" PRIu64 " stops=%" PRIu64
           " sets_read_back=%" PRIu64 " records=%" PRIu64 " snapshots=%" PRIu64
           " log_bytes=%" PRIu64 " simulated_s=%.1f s=%.1f\n",
           tally.elections_won, term, campaign->kills, campaign->stops, campaign->reads,
           tally.records_committed, tally.snapshots_taken, campaign->arguments->log_bytes,
           (double)virtual_ns / 1e9, seconds);
    if (is_clean)
        printf("the cluster leads\n");
    else
        printf("BROKEN %s: %s\n  at %.6f s: %s\n", rule_name(world.verdict.rule),
               rule_text(world.verdict.rule), (double)world.verdict.at_ns / 1e9,
               world.verdict.text);
}

static bool elections_run(const struct arguments *arguments)
{
    struct draw draw;
    struct campaign campaign = {.arguments = arguments};
    double begun = wall_seconds();
    draw_calm(&draw, arguments);
    world_init(&world, arguments->seed, &draw, &tally);
    network_port_open(&world.network, ASKING_HOST);
    world.client_world.is_winding_down = true; /* its client has no workload */
    world_advance(&world, 1 * S);
    bool is_clean = campaign_run(&campaign) && campaign_end(&campaign);
    report(&campaign, is_clean, wall_seconds() - begun);
    return is_clean;
}

/* ---- arguments ---- */

static bool number_parse(const char *text, uint64_t *ret_number)
{
    char *end = NULL;
    errno = 0;
    *ret_number = strtoull(text, &end, 10);
    return errno == 0 && end != text && *end == '\0';
}

static uint64_t *number_of(struct arguments *arguments, int option)
{
    switch (option) {
    case 'n':
        return &arguments->elections;
    case 'l':
        return &arguments->log_bytes;
    case 'g':
        return &arguments->segment_bytes;
    case 'k':
        return &arguments->kill_every;
    case 't':
        return &arguments->stop_every;
    case 'r':
        return &arguments->read_every;
    case 's':
        return &arguments->seed;
    default:
        return NULL;
    }
}

static bool arguments_parse(struct arguments *arguments, int argc, char **argv)
{
    static const struct option options[] = {
        {"simulated", required_argument, NULL, 'n'},  {"log", required_argument, NULL, 'l'},
        {"segment", required_argument, NULL, 'g'},    {"kill-every", required_argument, NULL, 'k'},
        {"stop-every", required_argument, NULL, 't'}, {"read-every", required_argument, NULL, 'r'},
        {"seed", required_argument, NULL, 's'},       {NULL, 0, NULL, 0}};
    int option = 0;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) { /* argc */
        uint64_t *number = number_of(arguments, option);
        if (number == NULL || !number_parse(optarg, number))
            return false;
    }
    return optind == argc && arguments->elections > 0;
}

int main(int argc, char **argv)
{
    struct arguments arguments = {.elections = 20000,
                                  .log_bytes = 8400896,
                                  .segment_bytes = 1048576,
                                  .kill_every = 997,
                                  .stop_every = 101,
                                  .read_every = 1000,
                                  .seed = 1};
    if (!arguments_parse(&arguments, argc, argv)) {
        fputs(usage, stderr);
        return EXIT_USAGE;
    }
    return elections_run(&arguments) ? EXIT_CLEAN : EXIT_BROKEN;
}
