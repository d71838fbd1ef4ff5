/* A node's threads and their life. */
#include "server/node.h"

#include "base/check.h"
#include "base/ring.h"
#include "dataplane/frame.h"
#include "engine/state/rcu.h"
#include "server/idle.h"
#include "server/lane.h"
#include "server/log_event.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#define REASON_MAX     512
#define LOG_EVENTS_MAX 1024

struct node {
    struct config config;
    struct dp_frame_port *frames;
    struct replica_options replica_options;
    struct lane_options lane_options;
    char journal_path[CONFIG_TEXT_MAX + 16];
    struct lane *lane;
    struct arena arena; /* of the report ring */
    struct ring reports;
    pthread_t thread;
    sem_t opened;
    enum node_exit exit; /* written by the lane thread before `opened` or before it ends */
    char reason[REASON_MAX];
    struct lane_report report;
    struct idle idle;
    struct raft_status told; /* what the last report said */
    /* Release and acquire pair the main thread's request with the lane's look at it, and the lane's
     * end with the main thread's. */
    _Atomic bool is_stopping;
    _Atomic bool has_ended;
};

static uint64_t clock_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Where the seqs of a new journal begin: above those of one that was lost. */
static uint64_t clock_wall_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void tell(struct node *node, enum log_event_kind kind, const struct raft_status *status,
                 uint64_t value)
{
    struct log_event report = {.kind = kind,
                               .term = status->term,
                               .leader = status->leader,
                               .role = (uint8_t)status->role,
                               .value = value};
    ring_push(&node->reports, &report); /* full: the line is lost, never the turn */
}

static void tell_changes(struct node *node)
{
    struct raft_status status;
    replica_raft_status(lane_replica(node->lane, 0), &status);
    struct raft_status *told = &node->told;
    if (status.role != told->role)
        tell(node, LOG_EVENT_ROLE, &status, status.last_index);
    if (status.leader != told->leader && status.leader != 0)
        tell(node, LOG_EVENT_LEADER, &status, status.commit_index);
    if (status.is_tail_suspect != told->is_tail_suspect)
        tell(node, status.is_tail_suspect ? LOG_EVENT_SUSPECT : LOG_EVENT_SETTLED, &status,
             status.last_index);
    *told = status;
}

static void back_off(struct node *node, uint64_t now_ns)
{
    uint64_t sleep_ns = idle_wait(&node->idle, now_ns, lane_deadline_ns(node->lane));
    if (sleep_ns == 0)
        return;
    rcu_offline();
    idle_sleep(sleep_ns);
    rcu_online();
}

static enum node_exit run_turns(struct node *node)
{
    while (!atomic_load_explicit(&node->is_stopping, memory_order_acquire)) {
        uint64_t now_ns = clock_now_ns();
        switch (lane_turn(node->lane, now_ns)) {
        case LANE_WORKED:
            idle_reset(&node->idle);
            break;
        case LANE_IDLE:
            back_off(node, now_ns);
            break;
        case LANE_SYNC_FAILED:
            tell(node, LOG_EVENT_SYNC_FAILED, &node->told, 0);
            return NODE_EXIT_SYNC_FAILED;
        case LANE_LOG_EXHAUSTED:
            tell(node, LOG_EVENT_LOG_EXHAUSTED, &node->told, 0);
            return NODE_EXIT_LOG_EXHAUSTED;
        }
        tell_changes(node);
    }
    return NODE_EXIT_OK;
}

static void pin(const struct node *node)
{
    if (node->config.core < 0)
        return;
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET((size_t)node->config.core, &set);
    int result = pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
    if (result != 0)
        log_event_line("warning", "core %d: %s: the lane is not pinned", node->config.core,
                       strerror(result));
}

static void *lane_main(void *context)
{
    struct node *node = context;
    pthread_setname_np(pthread_self(), "lane0");
    pin(node);
    idle_thread_begin();
    rcu_thread_begin();
    enum error error = lane_open(&node->lane_options, clock_now_ns(), &node->lane, &node->report);
    node->exit = error == OK ? NODE_EXIT_OK : NODE_EXIT_LOG;
    sem_post(&node->opened);
    if (error == OK) {
        enum node_exit end = run_turns(node);
        lane_close(node->lane);
        node->exit = end;
    }
    rcu_thread_end();
    atomic_store_explicit(&node->has_ended, true, memory_order_release);
    return NULL;
}

static bool is_pci_address(const char *device)
{
    return strncmp(device, "net_", 4) != 0 && strchr(device, ':') != NULL;
}

static enum error open_port(struct node *node, const char *program)
{
    const struct config *config = &node->config;
    char prefix[64];
    char name[CONFIG_TEXT_MAX];
    snprintf(prefix, sizeof(prefix), "polluxd-%ld", (long)getpid());
    snprintf(name, sizeof(name), "%.*s", (int)strcspn(config->device, ","), config->device);
    bool is_pci = is_pci_address(config->device);
    struct dp_environment_options environment = {
        .program = program,
        .file_prefix = prefix,
        .vdevs = {config->device},
        .vdev_count = is_pci ? 0 : 1,
        .pci_allow = is_pci ? config->device : NULL,
        .memory_mib = config->memory_mib,
        .is_hugepages = config->is_hugepages,
    };
    enum error error = dp_start(&environment, node->reason, sizeof(node->reason));
    if (error != OK)
        return error;
    struct dp_frame_port_options port = {
        .name = name,
        .queue_count = 1,
        .ring_size = config->ring_size,
        .pool_size = 8 * config->ring_size,
        .mtu_bytes = config->mtu_bytes,
    };
    return dp_frame_port_open(&port, &node->frames, node->reason, sizeof(node->reason));
}

static void fill_raft_options(const struct config *config, struct replica_options *options,
                              uint64_t seed)
{
    options->raft = (struct raft_options){
        .self = config->id,
        .voter_count = config->peer_count,
        .election_timeout_min_ns = config->election_timeout_min_ns,
        .election_timeout_max_ns = config->election_timeout_max_ns,
        .heartbeat_interval_ns = config->heartbeat_interval_ns,
        .append_entries_max = APPEND_ENTRIES_MAX,
        .append_size_bytes_soft = APPEND_SIZE_BYTES_SOFT,
        .inflight_max = 64,
        .trail_runs_max = 65536,
        .seed = seed,
    };
    for (uint32_t i = 0; i < config->peer_count; i++) {
        options->raft.voters[i] = config->peers[i].id;
        options->peers[i] = config->peers[i].address;
    }
}

static void fill_replica_options(struct node *node)
{
    const struct config *config = &node->config;
    struct replica_options *options = &node->replica_options;
    uint64_t random[2];
    CHECK(getrandom(random, sizeof(random), 0) == (ssize_t)sizeof(random));
    options->cluster_id = wire_cluster_id(config->cluster);
    options->medium_stall_ns = 4 * config->election_timeout_max_ns;
    fill_raft_options(config, options, random[0]);
    options->engine = (struct engine_options){
        .shard_count = 1,
        .lane_count = 1,
        .incarnation = random[1],
        .keys_max = config->keys_max,
        .blocks_max = (uint32_t)(config->store_size_bytes / ENGINE_BLOCK_SIZE_BYTES),
        .sessions_max = config->sessions_max,
        .session_ttl_ns = config->session_ttl_ns,
        .batches_inflight_max = 4096,
        .reads_pending_max = 4096,
    };
    options->log = (struct log_options){
        .path = node->config.log_path,
        .size_bytes = config->log_size_bytes,
        .is_created = true,
        .identity = {.cluster_id = options->cluster_id, .node = config->id, .shard = 0},
    };
    snprintf(node->journal_path, sizeof(node->journal_path), "%s" CONFIG_JOURNAL_SUFFIX,
             config->log_path);
    options->journal = (struct journal_options){.path = node->journal_path,
                                                .size_bytes = config->relaxed_size_bytes};
    options->wall_ns = clock_wall_ns();
}

static void fill_lane_options(struct node *node)
{
    const struct config *config = &node->config;
    const struct config_peer *self = config_self(config);
    struct lane_options *options = &node->lane_options;
    *options = (struct lane_options){
        .lane_count = 1, .shard_count = 1, .replicas = &node->replica_options, .replica_count = 1};
    options->port = (struct dp_port_options){
        .frames = node->frames,
        .ipv4_prefix_bits = config->ipv4_prefix_bits,
        .ipv6_prefix_bits = config->ipv6_prefix_bits,
    };
    memcpy(options->port.gateway_ipv4, config->gateway_ipv4, sizeof(config->gateway_ipv4));
    options->port.ipv6 = config->ipv6;
    options->port.ipv6.port = self->address.port;
    if (address_is_ipv4(&self->address))
        options->port.ipv4 = self->address;
    else
        options->port.ipv6 = self->address;
}

static void report_start(const struct node *node)
{
    const struct config *config = &node->config;
    struct replica *replica = lane_replica(node->lane, 0);
    const struct replica_recovery *found = replica_recovery(replica);
    const struct log_recovery *recovery = &found->log;
    struct medium *medium = log_medium(replica_log(replica));
    if (recovery->note[0] != '\0')
        log_event_line("warning", "%s", recovery->note);
    if (found->journal.note[0] != '\0')
        log_event_line("warning", "%s", found->journal.note);
    log_event_line("info",
                   "started node=%u cluster=%s device=%s log=%s medium=%s%s created=%d last=%lu "
                   "commit=%lu term=%lu",
                   config->id, config->cluster, config->device, config->log_path,
                   medium_granularity_name(medium_granularity(medium)),
                   medium_is_emulated(medium) ? " (emulated)" : "", recovery->is_created,
                   (unsigned long)recovery->last_index, (unsigned long)recovery->commit_index,
                   (unsigned long)recovery->term);
}

static enum node_exit start_lane(struct node *node)
{
    if (arena_init(&node->arena, LOG_EVENTS_MAX * sizeof(struct log_event) + 4096) != OK)
        return NODE_EXIT_INTERNAL;
    ring_init(&node->reports, &node->arena, LOG_EVENTS_MAX, sizeof(struct log_event));
    arena_seal(&node->arena);
    fill_replica_options(node);
    fill_lane_options(node);
    sem_init(&node->opened, 0, 0);
    if (pthread_create(&node->thread, NULL, lane_main, node) != 0) {
        log_event_line("error", "cannot start the lane's thread");
        return NODE_EXIT_INTERNAL;
    }
    while (sem_wait(&node->opened) != 0 && errno == EINTR)
        ;
    if (node->exit != NODE_EXIT_OK) {
        log_event_line("error", "%s", node->report.reason);
        pthread_join(node->thread, NULL);
        return node->exit;
    }
    report_start(node);
    return NODE_EXIT_OK;
}

static void release(struct node *node)
{
    if (node->frames != NULL)
        dp_frame_port_close(node->frames);
    dp_stop();
    arena_deinit(&node->arena);
    free(node);
}

enum node_exit node_start(const struct config *config, const char *program, struct node **ret_node)
{
    struct node *node = calloc(1, sizeof(*node));
    if (node == NULL)
        return NODE_EXIT_INTERNAL;
    node->config = *config;
    node->idle.options = (struct idle_options){.spin_turns = config->idle_spin_turns,
                                               .yield_turns = config->idle_yield_turns,
                                               .sleep_max_ns = config->idle_sleep_max_ns};
    if (open_port(node, program) != OK) {
        log_event_line("error", "%s", node->reason);
        release(node);
        return NODE_EXIT_PORT;
    }
    enum node_exit exit = start_lane(node);
    if (exit != NODE_EXIT_OK) {
        release(node);
        return exit;
    }
    *ret_node = node;
    return NODE_EXIT_OK;
}

bool node_poll(struct node *node)
{
    bool has_ended = atomic_load_explicit(&node->has_ended, memory_order_acquire);
    struct log_event report;
    for (int i = 0; i < LOG_EVENTS_MAX && ring_pop(&node->reports, &report); i++)
        log_event_write(&report, node->config.id);
    return !has_ended;
}

enum node_exit node_stop(struct node *node)
{
    atomic_store_explicit(&node->is_stopping, true, memory_order_release);
    pthread_join(node->thread, NULL);
    node_poll(node);
    enum node_exit exit = node->exit;
    log_event_line("info", "stopped node=%u exit=%d", node->config.id, (int)exit);
    release(node);
    return exit;
}
