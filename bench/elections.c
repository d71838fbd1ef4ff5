/*
 * elections: how long a crashed leader is missed, in a simulation of the consensus core alone.
 *
 * One trial: five (or N) nodes, the last of which led and sent its last heartbeat to all others at
 * once, a uniform part of the heartbeat interval before it crashed. The logs of those who are left
 * differ in length, so that not all of them can be elected. Each message takes a uniform time, and
 * so does each durable write, one after the other on a node. Nothing is lost and nothing else
 * happens. Everything that votes is raft/ itself; time, network, storage and the crashed leader are
 * simulated.
 *
 * Source of the setting: Ongaro, "Consensus: Bridging Theory and Practice", 2014, chapter 9: a
 * broadcast takes about 15 ms, the heartbeat interval is half of the lowest timeout.
 *
 * Without pre-vote, which the core always asks for first: a node whose timer runs out, and whose
 * last vote is durable, is told TIMEOUT_NOW in the name of its last leader, and campaigns at once,
 * as in a transfer.
 */
#include "base/check.h"
#include "base/prng.h"
#include "raft/raft.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MILLISECOND_NS 1000000.0
#define MESSAGES_MAX   4096 /* under way at once */
#define LOG_SHORTEST   5
#define LOG_LONGEST    8
#define TRIAL_NS_MAX   UINT64_C(60000000000)

struct range {
    uint64_t min_ns;
    uint64_t max_ns;
};

struct settings {
    struct range timeout;
    struct range delay; /* one way */
    struct range write; /* until it is durable */
    uint64_t heartbeat_ns;
    uint64_t seed;
    uint32_t nodes;
    uint32_t trials;
    uint64_t longest_ns; /* that an election may take until the first commit; 0: any time */
    bool is_pre_vote_off;
};

/* A message on its way, or (type 0) the end of a node's write. */
struct arrival {
    uint64_t at_ns;
    uint64_t durable_index;
    struct raft_hard_state hard_state;
    struct raft_message message;
};

struct node {
    void *memory;
    struct raft *raft;
    uint64_t written_ns; /* when everything written so far is durable */
};

struct trial {
    const struct settings *settings;
    struct prng prng;
    struct node nodes[NODES_MAX + 1]; /* by voter id; the crashed leader is the last */
    struct arrival arrivals[MESSAGES_MAX];
    uint32_t arrival_count;
    uint64_t now_ns;
    uint64_t crash_ns;
    uint64_t elected_ns; /* 0: not yet, as the others */
    uint64_t heard_ns;   /* the first append of the new leader arrived */
    uint64_t commit_ns;  /* its first record is committed: a write could be acknowledged */
    uint32_t timers;     /* that ran out before somebody was elected */
    uint32_t packets;    /* requests sent and answers received before somebody was elected */
    uint16_t leader;
};

static uint64_t draw(struct prng *prng, struct range range)
{
    return prng_range(prng, range.min_ns, range.max_ns);
}

static uint32_t record_size(const void *context, uint64_t index)
{
    (void)context;
    (void)index;
    return 64;
}

/* The birth of a node's storage is its id. */
static struct raft_storage storage_of(uint16_t id)
{
    return (struct raft_storage){.birth = id, .id = id};
}

static void arrive(struct trial *trial, struct arrival arrival)
{
    CHECK(trial->arrival_count < MESSAGES_MAX);
    trial->arrivals[trial->arrival_count++] = arrival;
}

/* Leaves at `from_ns`. What is sent to the crashed leader is lost there. */
static void send(struct trial *trial, const struct raft_message *message, uint64_t from_ns)
{
    trial->packets += trial->elected_ns == 0 && message->type == RAFT_VOTE_REQUEST;
    if (message->to.id == trial->settings->nodes)
        return;
    arrive(trial, (struct arrival){.at_ns = from_ns + draw(&trial->prng, trial->settings->delay),
                                   .message = *message});
}

/* The caller's duties of raft/raft.h. */
static void carry_out(struct trial *trial, uint16_t id, const struct raft_effects *effects)
{
    struct node *node = &trial->nodes[id];
    if (node->written_ns < trial->now_ns)
        node->written_ns = trial->now_ns;
    bool is_written = effects->hard_state_changed || effects->append_count > 0;
    if (is_written)
        node->written_ns += draw(&trial->prng, trial->settings->write);
    for (uint32_t i = 0; i < effects->now_count; i++)
        send(trial, &effects->now[i], trial->now_ns);
    for (uint32_t i = 0; i < effects->after_count; i++)
        send(trial, &effects->after[i], node->written_ns);
    if (!is_written)
        return;
    struct arrival arrival = {.at_ns = node->written_ns,
                              .hard_state = effects->hard_state,
                              .message = {.to = storage_of(id)}};
    if (effects->append_count > 0)
        arrival.durable_index = effects->append_first + effects->append_count - 1;
    arrive(trial, arrival);
}

static void note_leader(struct trial *trial, uint16_t id)
{
    struct raft_status status;
    raft_status(trial->nodes[id].raft, &status);
    if (status.role != RAFT_LEADER)
        return;
    if (trial->elected_ns == 0)
        trial->elected_ns = trial->now_ns;
    trial->leader = id;
    if (status.has_own_commit && trial->commit_ns == 0)
        trial->commit_ns = trial->now_ns;
}

static void step(struct trial *trial, uint16_t id, struct raft_event event)
{
    static struct raft_effects effects;
    event.now_ns = trial->now_ns;
    enum error error = raft_step(trial->nodes[id].raft, &event, &effects);
    CHECK(error == OK);
    carry_out(trial, id, &effects);
    note_leader(trial, id);
}

static void receive(struct trial *trial, const struct raft_message *message)
{
    struct raft_entry noop = {.kind = RAFT_ENTRY_NOOP, .term = message->term};
    struct raft_entry entries[APPEND_ENTRIES_MAX];
    if (message->type == RAFT_APPEND_REQUEST) {
        for (uint32_t i = 0; i < message->append_request.entry_count; i++) {
            uint64_t index = message->append_request.previous_index + 1 + i;
            entries[i] = noop;
            entries[i].term = raft_term_at(trial->nodes[message->from.id].raft, index);
        }
        if (trial->heard_ns == 0 && message->from.id != trial->settings->nodes)
            trial->heard_ns = trial->now_ns;
    }
    trial->packets += trial->elected_ns == 0 && message->type == RAFT_VOTE_REPLY;
    step(trial, message->to.id,
         (struct raft_event){.type = RAFT_EVENT_RECEIVE,
                             .receive = {.message = message, .entries = entries}});
}

/* A message, or the end of a write. */
static void take_arrival(struct trial *trial, uint32_t at)
{
    struct arrival arrival = trial->arrivals[at];
    trial->arrivals[at] = trial->arrivals[--trial->arrival_count];
    trial->now_ns = arrival.at_ns;
    if (arrival.message.type != 0)
        receive(trial, &arrival.message);
    else
        step(trial, arrival.message.to.id,
             (struct raft_event){
                 .type = RAFT_EVENT_DURABLE,
                 .durable = {.index = arrival.durable_index, .hard_state = arrival.hard_state}});
}

static void campaign(struct trial *trial, uint16_t id)
{
    struct raft_status status;
    raft_status(trial->nodes[id].raft, &status);
    struct raft_message message = {
        .type = RAFT_TIMEOUT_NOW,
        .from = storage_of(status.leader != 0 ? status.leader : (uint16_t)trial->settings->nodes),
        .to = storage_of(id),
        .term = status.term};
    step(trial, id,
         (struct raft_event){.type = RAFT_EVENT_RECEIVE, .receive = {.message = &message}});
}

static void take_deadline(struct trial *trial, uint16_t id)
{
    trial->now_ns = raft_deadline_ns(trial->nodes[id].raft);
    bool is_timer = id != trial->leader;
    trial->timers += is_timer && trial->elected_ns == 0;
    bool is_written = trial->nodes[id].written_ns <= trial->now_ns;
    if (is_timer && is_written && trial->settings->is_pre_vote_off)
        campaign(trial, id);
    else
        step(trial, id, (struct raft_event){.type = RAFT_EVENT_TICK});
}

/* Whatever comes next. */
static void proceed(struct trial *trial)
{
    uint64_t next_ns = UINT64_MAX;
    uint16_t next_node = 0;
    uint32_t next_arrival = 0;
    for (uint16_t id = 1; id < trial->settings->nodes; id++) {
        uint64_t deadline_ns = raft_deadline_ns(trial->nodes[id].raft);
        if (deadline_ns < next_ns) {
            next_ns = deadline_ns;
            next_node = id;
        }
    }
    for (uint32_t i = 0; i < trial->arrival_count; i++) {
        if (trial->arrivals[i].at_ns < next_ns) {
            next_ns = trial->arrivals[i].at_ns;
            next_node = 0;
            next_arrival = i;
        }
    }
    if (next_node != 0)
        take_deadline(trial, next_node);
    else
        take_arrival(trial, next_arrival);
}

/* Every node is a voter. */
static struct raft_configuration configuration_of(uint16_t nodes)
{
    struct raft_configuration configuration = {.cluster = 1};
    for (uint16_t id = 1; id <= nodes; id++) {
        const struct raft_member member = {.storage = storage_of(id), .membership = RAFT_VOTER};
        CHECK(raft_configuration_add(&configuration, &member) == OK);
    }
    return configuration;
}

static struct raft_options node_options(const struct trial *trial, uint16_t id, uint64_t seed)
{
    const struct settings *settings = trial->settings;
    struct raft_options options = {.self = storage_of(id),
                                   .founder_count = settings->nodes,
                                   .election_timeout_min_ns = settings->timeout.min_ns,
                                   .election_timeout_max_ns = settings->timeout.max_ns,
                                   .heartbeat_interval_ns = settings->heartbeat_ns,
                                   .append_entries_max = 8,
                                   .append_size_bytes_soft = 8 * 64,
                                   .inflight_max = 8,
                                   .trail_runs_max = 1024,
                                   .seed = seed,
                                   .sizes = {.size_bytes = record_size}};
    for (uint16_t voter = 1; voter <= settings->nodes; voter++)
        options.founders[voter - 1] = voter;
    return options;
}

/* A majority, the crashed leader among it, has every committed record; the others' logs are as long
 * as they happen to be. */
static uint64_t draw_length(struct trial *trial, uint16_t id)
{
    uint64_t shortest = id <= trial->settings->nodes / 2 ? LOG_LONGEST - 1 : LOG_SHORTEST;
    return prng_range(&trial->prng, shortest, LOG_LONGEST);
}

static void open_node(struct trial *trial, uint16_t id)
{
    struct node *node = &trial->nodes[id];
    struct raft_options options = node_options(trial, id, prng_next(&trial->prng));
    struct raft_restored restored = {.hard_state = {.term = 1}, .commit_index = LOG_SHORTEST};
    restored.configuration = configuration_of((uint16_t)trial->settings->nodes);
    CHECK(posix_memalign(&node->memory, 64, raft_size(&options)) == 0);
    memset(node->memory, 0, raft_size(&options));
    CHECK(raft_init(node->memory, &options, &restored, trial->now_ns, &node->raft) == OK);
    uint64_t length = draw_length(trial, id);
    for (uint64_t index = 1; index <= length; index++)
        CHECK(raft_restore_entry(node->raft, index, 1) == OK);
}

/* The crashed leader's last heartbeat. Its answers are lost with it. */
static void last_heartbeat(struct trial *trial)
{
    for (uint16_t id = 1; id < trial->settings->nodes; id++) {
        struct raft_message message = {.type = RAFT_APPEND_REQUEST,
                                       .from = storage_of((uint16_t)trial->settings->nodes),
                                       .to = storage_of(id),
                                       .term = 1,
                                       .append_request = {.previous_index = LOG_SHORTEST,
                                                          .previous_term = 1,
                                                          .commit_index = LOG_SHORTEST,
                                                          .round = 1}};
        send(trial, &message, trial->now_ns);
    }
}

static void run_trial(struct trial *trial, const struct settings *settings, uint64_t seed)
{
    *trial = (struct trial){.settings = settings, .now_ns = 1};
    prng_init(&trial->prng, seed);
    for (uint16_t id = 1; id < settings->nodes; id++)
        open_node(trial, id);
    last_heartbeat(trial);
    trial->crash_ns = trial->now_ns + prng_range(&trial->prng, 0, settings->heartbeat_ns);
    uint64_t end_ns = trial->crash_ns + TRIAL_NS_MAX;
    while ((trial->heard_ns == 0 || trial->commit_ns == 0) && trial->now_ns < end_ns)
        proceed(trial);
    for (uint16_t id = 1; id < settings->nodes; id++)
        free(trial->nodes[id].memory);
}

/* In milliseconds from the crash; what did not happen counts as the end of the trial. */
static double since_crash_ms(const struct trial *trial, uint64_t at_ns)
{
    uint64_t until_ns = at_ns != 0 ? at_ns : trial->crash_ns + TRIAL_NS_MAX;
    return until_ns > trial->crash_ns ? (double)(until_ns - trial->crash_ns) / MILLISECOND_NS : 0;
}

static bool is_late(const struct trial *trial)
{
    uint64_t longest_ns = trial->settings->longest_ns;
    return longest_ns > 0 &&
           (trial->commit_ns == 0 || trial->commit_ns > trial->crash_ns + longest_ns);
}

/* ---- command line ---- */

static const char usage[] =
    "usage: elections --timeout MIN-MAX [OPTIONS]\n"
    "\n"
    "Simulates crashes of a leader and prints one line of CSV for each: milliseconds from the\n"
    "crash until another is elected, until its first append is heard, until its first record is\n"
    "committed; election timers that ran out, and packets sent, before it was elected.\n"
    "\n"
    "  --timeout MIN-MAX  election timeouts, in milliseconds, as all times here\n"
    "  --delay MIN-MAX    of a message, one way (default 2-3)\n"
    "  --write MIN-MAX    until a write is durable (default 8-12)\n"
    "  --heartbeat TIME   interval of heartbeats (default: half of the lowest timeout)\n"
    "  --nodes N          of the cluster, with the crashed leader: 3 to 9 (default 5)\n"
    "  --trials N         (default 1000)\n"
    "  --no-pre-vote      candidates ask for votes at once\n"
    "  --seed N           (default 1)\n"
    "  --longest TIME     fail when a first record is committed later than this\n"
    "\n"
    "Exit status: 0; 1 an election took too long; 2 wrong usage.\n";

static bool parse_time(const char *text, char **ret_end, uint64_t *ret_ns)
{
    double ms = strtod(text, ret_end);
    *ret_ns = (uint64_t)(ms * MILLISECOND_NS);
    return *ret_end != text && ms >= 0 && ms <= 1e6;
}

static bool parse_range(const char *text, struct range *ret_range)
{
    char *end;
    if (!parse_time(text, &end, &ret_range->min_ns) || *end != '-')
        return false;
    return parse_time(end + 1, &end, &ret_range->max_ns) && *end == '\0' &&
           ret_range->min_ns <= ret_range->max_ns;
}

static bool parse_number(const char *text, uint64_t min, uint64_t max, uint64_t *ret_number)
{
    char *end;
    *ret_number = strtoull(text, &end, 10);
    return end != text && *end == '\0' && text[0] != '-' && *ret_number >= min &&
           *ret_number <= max;
}

static bool parse_option(int option, struct settings *settings)
{
    uint64_t number = 0;
    char *end;
    switch (option) {
    case 't':
        return parse_range(optarg, &settings->timeout) && settings->timeout.min_ns > 0;
    case 'd':
        return parse_range(optarg, &settings->delay);
    case 'w':
        return parse_range(optarg, &settings->write);
    case 'h':
        return parse_time(optarg, &end, &settings->heartbeat_ns) && *end == '\0' &&
               settings->heartbeat_ns > 0;
    case 'l':
        return parse_time(optarg, &end, &settings->longest_ns) && *end == '\0' &&
               settings->longest_ns > 0;
    case 'n':
        if (!parse_number(optarg, 3, NODES_MAX, &number))
            return false;
        settings->nodes = (uint32_t)number;
        return true;
    case 'c':
        if (!parse_number(optarg, 1, 1000000, &number))
            return false;
        settings->trials = (uint32_t)number;
        return true;
    case 's':
        return parse_number(optarg, 0, UINT64_MAX, &settings->seed);
    case 'p':
        settings->is_pre_vote_off = true;
        return true;
    default:
        return false;
    }
}

static bool parse(int argc, char **argv, struct settings *settings)
{
    static const struct option options[] = {
        {"timeout", required_argument, NULL, 't'}, {"delay", required_argument, NULL, 'd'},
        {"write", required_argument, NULL, 'w'},   {"heartbeat", required_argument, NULL, 'h'},
        {"nodes", required_argument, NULL, 'n'},   {"trials", required_argument, NULL, 'c'},
        {"no-pre-vote", no_argument, NULL, 'p'},   {"seed", required_argument, NULL, 's'},
        {"longest", required_argument, NULL, 'l'}, {NULL, 0, NULL, 0},
    };
    int place = 0;
    int option;
    while ((option = getopt_long(argc, argv, "", options, &place)) != -1) {
        if (parse_option(option, settings))
            continue;
        if (option != '?')
            fprintf(stderr, "elections: error: --%s %s: out of its range\n", options[place].name,
                    optarg);
        return false;
    }
    if (settings->heartbeat_ns == 0)
        settings->heartbeat_ns = settings->timeout.min_ns / 2;
    return optind == argc && settings->timeout.min_ns > 0 &&
           settings->heartbeat_ns < settings->timeout.min_ns;
}

int main(int argc, char **argv)
{
    static struct trial trial;
    struct settings settings = {
        .delay = {2 * (uint64_t)MILLISECOND_NS, 3 * (uint64_t)MILLISECOND_NS},
        .write = {8 * (uint64_t)MILLISECOND_NS, 12 * (uint64_t)MILLISECOND_NS},
        .seed = 1,
        .nodes = 5,
        .trials = 1000,
    };
    if (!parse(argc, argv, &settings)) {
        fputs(usage, stderr);
        return 2;
    }
    uint32_t late = 0;
    printf("trial,elected_ms,heard_ms,committed_ms,timers,packets\n");
    for (uint32_t i = 0; i < settings.trials; i++) {
        run_trial(&trial, &settings, settings.seed * 1000003 + i);
        printf("%u,%.3f,%.3f,%.3f,%u,%u\n", i, since_crash_ms(&trial, trial.elected_ns),
               since_crash_ms(&trial, trial.heard_ns), since_crash_ms(&trial, trial.commit_ns),
               trial.timers, trial.packets);
        late += is_late(&trial);
    }
    if (late > 0)
        fprintf(stderr, "elections: %u of %u took too long\n", late, settings.trials);
    return late > 0;
}
