/* See server/lane_thread.h. */
#include "server/lane_thread.h"

#include "base/check.h"
#include "base/ring.h"
#include "engine/state/rcu.h"
#include "server/medium_watch.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* Log events that wait to be written; what comes when the ring is full is lost, never the turn. */
#define LOG_EVENTS_MAX 1024

/* Syncs that are timed at the start, and the time after which no other is begun. */
#define PROBES_MAX    3
#define PROBES_NS_MAX UINT64_C(20000000)

#define MS_NS UINT64_C(1000000)

/* Attempts to form a cluster whose failure is not told. */
#define FORMATION_ATTEMPTS_QUIET 8

/* Between two lines about neighbours. */
#define NEIGHBOUR_TELL_NS (10000 * MS_NS)

struct lane_thread {
    struct lane_thread_options options;
    pthread_t thread;
    sem_t opened;
    struct lane *lane;
    struct lane_report report;
    struct idle idle;
    struct ring events;
    struct raft_status told[SHARDS_MAX]; /* of each replica: what the last event said */
    uint64_t told_failed[SHARDS_MAX];    /* snapshots */
    uint64_t told_installed[SHARDS_MAX];
    bool told_lack[SHARDS_MAX];
    uint64_t told_damage[SHARDS_MAX]; /* places */
    uint64_t told_mended[SHARDS_MAX];
    uint64_t told_revoked[SHARDS_MAX]; /* pending writes */
    uint64_t told_neighbours;          /* changes */
    uint32_t told_rights;              /* changes */
    uint64_t tell_neighbour_ns;
    uint64_t told_set_back[SHARDS_MAX];
    uint64_t told_peer_set_back[SHARDS_MAX];
    uint64_t told_strangers[SHARDS_MAX][(VOTER_ID_MAX + 63) / 64]; /* by node id: told once */
    uint8_t told_member[SHARDS_MAX];
    bool told_formed[SHARDS_MAX];
    uint16_t told_format[SHARDS_MAX];
    struct raft_formation_state told_formation[SHARDS_MAX];
    uint32_t told_lone[SHARDS_MAX]; /* log_event.lone */
    uint64_t sync_ns;               /* written by the thread before `opened` */
    uint64_t leave_ns;              /* written by the main thread before is_stopping */
    uint64_t leave_until_ns;        /* 0: the node is not to stop */
    enum node_exit exit;            /* written by the thread before `opened`, or before has_ended */
    /* Release and acquire pair the main thread's request with the lane's look at it, and the lane's
     * end with the main thread's look at that. */
    _Atomic bool is_stopping;
    _Atomic bool has_ended;
    /* The main thread looks whether it moves, and reads nothing else by it: relaxed. */
    _Atomic uint64_t turns;
};

static uint64_t clock_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void tell(struct lane_thread *thread, const struct log_event *event)
{
    (void)!ring_push(&thread->events, event);
}

/* An event of a replica, with what its raft says at the moment. */
static struct log_event event_of(enum log_event_kind kind, uint16_t shard,
                                 const struct raft_status *status, uint64_t value)
{
    return (struct log_event){.kind = kind,
                              .shard = shard,
                              .term = status->term,
                              .leader = status->leader,
                              .role = (uint8_t)status->role,
                              .value = value};
}

static void tell_snapshots(struct lane_thread *thread, uint32_t at, const struct replica *replica,
                           const struct raft_status *status)
{
    const struct replica_counters *counters = replica_counters(replica);
    uint16_t shard = replica_shard(replica);
    if (counters->snapshots_failed != thread->told_failed[at]) {
        struct log_event event =
            event_of(LOG_EVENT_SNAPSHOT_FAILED, shard, status, counters->snapshots_failed);
        tell(thread, &event);
    }
    if (counters->snapshots_installed != thread->told_installed[at]) {
        struct log_event event =
            event_of(LOG_EVENT_SNAPSHOT_INSTALLED, shard, status, status->commit_index);
        tell(thread, &event);
    }
    thread->told_failed[at] = counters->snapshots_failed;
    thread->told_installed[at] = counters->snapshots_installed;
}

static void tell_damage(struct lane_thread *thread, uint32_t at, const struct replica *replica)
{
    const struct replica_counters *counters = replica_counters(replica);
    uint64_t count = counters->records_rotten + counters->blocks_rotten + counters->heads_rotten +
                     counters->entries_rotten;
    uint64_t mended =
        counters->records_mended + counters->blocks_mended + replica_entries_mended(replica);
    if (count != thread->told_damage[at])
        tell(thread, &(struct log_event){.kind = LOG_EVENT_DAMAGED,
                                         .shard = replica_shard(replica),
                                         .damage = *replica_damage(replica)});
    if (mended != thread->told_mended[at])
        tell(thread, &(struct log_event){.kind = LOG_EVENT_MENDED,
                                         .shard = replica_shard(replica),
                                         .value = mended});
    thread->told_damage[at] = count;
    thread->told_mended[at] = mended;
}

static void tell_lack(struct lane_thread *thread, uint32_t at, const struct replica *replica,
                      const struct raft_status *status)
{
    const struct engine_lack *lack = replica_lack(replica);
    if (lack->limit == ENGINE_LIMIT_NONE || thread->told_lack[at])
        return;
    struct log_event event = event_of(LOG_EVENT_LACKS_CAPACITY, replica_shard(replica), status,
                                      thread->options.lane.shard_count);
    event.lack = *lack;
    tell(thread, &event);
    thread->told_lack[at] = true;
}

static void tell_finding(struct lane_thread *thread, enum log_event_kind kind, uint64_t *told,
                         const struct replica *replica, const struct start_finding *finding)
{
    /* Each birth and start once. */
    uint64_t found = finding->birth ^ finding->own.start;
    if (finding->node == 0 || *told == found)
        return;
    *told = found;
    tell(thread,
         &(struct log_event){.kind = kind, .shard = replica_shard(replica), .finding = *finding});
}

static void tell_starts(struct lane_thread *thread, uint32_t at, const struct replica *replica)
{
    const struct replica_stranger *stranger = replica_stranger(replica);
    tell_finding(thread, LOG_EVENT_SET_BACK, &thread->told_set_back[at], replica,
                 replica_set_back(replica));
    tell_finding(thread, LOG_EVENT_PEER_SET_BACK, &thread->told_peer_set_back[at], replica,
                 replica_peer_set_back(replica));
    uint64_t *told = &thread->told_strangers[at][stranger->node / 64];
    uint64_t bit = UINT64_C(1) << stranger->node % 64;
    if (stranger->node == 0 || (*told & bit) != 0)
        return;
    *told |= bit;
    bool is_other = stranger->theirs.cluster != stranger->ours.cluster;
    tell(thread,
         &(struct log_event){.kind = is_other ? LOG_EVENT_OTHER_CLUSTER : LOG_EVENT_OTHER_ERA,
                             .shard = replica_shard(replica),
                             .leader = stranger->node,
                             .value = is_other ? stranger->theirs.cluster : stranger->theirs.era,
                             .term = is_other ? stranger->ours.cluster : stranger->ours.era});
}

/* RAFT_MEMBERSHIP_END: there is no cluster yet, as far as the storage knows. */
static uint8_t membership_of(const struct replica *replica, const struct raft_status *status)
{
    if (replica_is_removed(replica))
        return LOG_EVENT_MEMBER_REMOVED;
    if (!status->is_formed && replica_forms_none(replica))
        return LOG_EVENT_MEMBER_WAITS;
    return (uint8_t)(status->is_formed ? status->membership : RAFT_MEMBERSHIP_END);
}

static void tell_member(struct lane_thread *thread, uint32_t at, const struct replica *replica,
                        const struct raft_status *status)
{
    uint8_t membership = membership_of(replica, status);
    if (thread->told[at].birth != 0 && thread->told_member[at] == membership)
        return;
    thread->told_member[at] = membership;
    struct log_event event =
        event_of(LOG_EVENT_MEMBER, replica_shard(replica), status, status->birth);
    event.role = membership;
    tell(thread, &event);
}

static void tell_formed(struct lane_thread *thread, uint32_t at, const struct replica *replica)
{
    uint64_t formed = thread->told_formed[at] ? 0 : replica_formed(replica);
    if (formed == 0)
        return;
    thread->told_formed[at] = true;
    tell(thread, &(struct log_event){
                     .kind = LOG_EVENT_FORMED, .shard = replica_shard(replica), .value = formed});
}

/* At a start it is no news. */
static void tell_format(struct lane_thread *thread, uint32_t at, const struct replica *replica)
{
    uint16_t format = replica_format(replica);
    bool is_news = thread->told[at].birth != 0 && thread->told_format[at] != format;
    thread->told_format[at] = format;
    if (is_news)
        tell(thread, &(struct log_event){.kind = LOG_EVENT_FORMAT,
                                         .shard = replica_shard(replica),
                                         .value = format});
}

/* While nodes start one after the other, a few attempts are in vain. */
static void tell_formation(struct lane_thread *thread, uint32_t at, const struct replica *replica,
                           const struct raft_status *status)
{
    struct raft_formation_state *told = &thread->told_formation[at];
    struct raft_formation_state state;
    if (status->is_formed)
        return;
    raft_formation_state(replica_raft(replica), &state);
    uint32_t lone = 0;
    for (uint32_t i = 0; i < state.missing_count; i++)
        lone |= replica_is_lone(replica, state.missing[i]) ? UINT32_C(1) << i : 0;
    bool is_news = state.is_refused != told->is_refused ||
                   state.missing_count != told->missing_count || lone != thread->told_lone[at] ||
                   memcmp(state.missing, told->missing, sizeof(state.missing)) != 0;
    if (state.attempts < FORMATION_ATTEMPTS_QUIET || !is_news)
        return;
    *told = state;
    thread->told_lone[at] = lone;
    struct log_event event = event_of(LOG_EVENT_FORMATION, replica_shard(replica), status, 0);
    event.formation = state;
    event.lone = lone;
    tell(thread, &event);
}

static void tell_revoked(struct lane_thread *thread, uint32_t at, struct replica *replica)
{
    uint64_t count = engine_counters(replica_engine(replica))->relaxed_revoked;
    if (count == thread->told_revoked[at])
        return;
    tell(thread, &(struct log_event){.kind = LOG_EVENT_REVOKED,
                                     .shard = replica_shard(replica),
                                     .value = count - thread->told_revoked[at],
                                     .term = lane_client_rights(thread->lane)->version});
    thread->told_revoked[at] = count;
}

static void tell_changes(struct lane_thread *thread, uint32_t at)
{
    struct replica *replica = lane_replica(thread->lane, at);
    struct raft_status *told = &thread->told[at];
    struct raft_status status;
    struct log_event event;
    replica_raft_status(replica, &status);
    uint16_t shard = replica_shard(replica);
    if (status.role != told->role) {
        event = event_of(LOG_EVENT_ROLE, shard, &status, status.last_index);
        tell(thread, &event);
    }
    if (status.leader != told->leader && status.leader != 0) {
        event = event_of(LOG_EVENT_LEADER, shard, &status, status.commit_index);
        tell(thread, &event);
    }
    if (status.is_tail_suspect != told->is_tail_suspect) {
        event = event_of(status.is_tail_suspect ? LOG_EVENT_SUSPECT : LOG_EVENT_SETTLED, shard,
                         &status, status.last_index);
        tell(thread, &event);
    }
    tell_member(thread, at, replica, &status);
    tell_format(thread, at, replica);
    *told = status;
    tell_formation(thread, at, replica, &status);
    tell_formed(thread, at, replica);
    tell_snapshots(thread, at, replica, &status);
    tell_lack(thread, at, replica, &status);
    tell_damage(thread, at, replica);
    tell_revoked(thread, at, replica);
    tell_starts(thread, at, replica);
}

/* What became of the leadership, and of the relaxed writes that are not replicated yet. */
static void tell_leaving(struct lane_thread *thread, struct replica *replica)
{
    const struct replica_resignation *leave = replica_resignation(replica);
    uint64_t pending = engine_counters(replica_engine(replica))->relaxed_pending;
    struct raft_status status;
    struct log_event event;
    replica_raft_status(replica, &status);
    if (leave->has_led) {
        event = event_of(LOG_EVENT_LEFT, replica_shard(replica), &status,
                         leave->left_ns == 0 ? 0 : leave->left_ns - leave->begun_ns);
        event.leader = leave->leader;
        tell(thread, &event);
    }
    if (pending > 0) {
        event = event_of(LOG_EVENT_PENDING, replica_shard(replica), &status, pending);
        tell(thread, &event);
    }
}

static void back_off(struct lane_thread *thread, uint64_t now_ns)
{
    uint64_t sleep_ns = idle_wait(&thread->idle, now_ns, lane_deadline_ns(thread->lane));
    if (sleep_ns == 0)
        return;
    rcu_offline();
    idle_sleep(sleep_ns);
    rcu_online();
}

static void tell_obstacles(struct lane_thread *thread)
{
    struct log_event event = {.kind = LOG_EVENT_OBSTACLE};
    if (lane_next_obstacle(thread->lane, &event.obstacle))
        tell(thread, &event);
}

/* By the lane of shard 0, where the table of rights lies. */
static void tell_clients(struct lane_thread *thread)
{
    const struct lane_rights *rights = lane_client_rights(thread->lane);
    if (rights->number == thread->told_rights || replica_shard(lane_replica(thread->lane, 0)) != 0)
        return;
    thread->told_rights = rights->number;
    tell(thread, &(struct log_event){.kind = LOG_EVENT_CLIENTS,
                                     .role = (uint8_t)rights->state,
                                     .value = rights->table.principal_count,
                                     .term = rights->version});
}

/* Rarely: whoever changes it may change it all the time. */
static void tell_neighbour(struct lane_thread *thread, uint64_t now_ns)
{
    const struct dp_counters *counters = lane_port_counters(thread->lane);
    if (counters->neighbour_changes == thread->told_neighbours ||
        now_ns < thread->tell_neighbour_ns)
        return;
    thread->told_neighbours = counters->neighbour_changes;
    thread->tell_neighbour_ns = now_ns + NEIGHBOUR_TELL_NS;
    tell(thread, &(struct log_event){.kind = LOG_EVENT_NEIGHBOUR,
                                     .value = counters->neighbour_changes,
                                     .neighbour = counters->neighbour_change});
}

/* True: the node is to stop, and the lane has done what it can for those who go on without it. */
static bool is_over(struct lane_thread *thread, uint64_t now_ns)
{
    if (!atomic_load_explicit(&thread->is_stopping, memory_order_acquire))
        return false;
    if (thread->leave_until_ns == 0) {
        lane_resign(thread->lane);
        thread->leave_until_ns = now_ns + thread->leave_ns;
    }
    return now_ns >= thread->leave_until_ns || lane_has_resigned(thread->lane);
}

/* Of the replica that made the lane stop. */
static void tell_failure(struct lane_thread *thread)
{
    const struct replica *replica = lane_failed_replica(thread->lane);
    tell(thread, &(struct log_event){.kind = LOG_EVENT_MEDIUM_FAILED,
                                     .shard = replica_shard(replica),
                                     .damage = *replica_damage(replica)});
}

static enum node_exit run_turns(struct lane_thread *thread)
{
    uint32_t replica_count = lane_replica_count(thread->lane);
    uint64_t turns = 0;
    for (uint64_t now_ns = clock_now_ns(); !is_over(thread, now_ns); now_ns = clock_now_ns()) {
        enum lane_result result = lane_turn(thread->lane, now_ns);
        switch (result) {
        case LANE_WORKED:
            idle_reset(&thread->idle);
            break;
        case LANE_IDLE:
            back_off(thread, now_ns);
            break;
        case LANE_SYNC_FAILED:
            tell_failure(thread);
            return NODE_EXIT_SYNC_FAILED;
        }
        for (uint32_t i = 0; i < replica_count; i++)
            tell_changes(thread, i);
        tell_obstacles(thread);
        tell_neighbour(thread, now_ns);
        tell_clients(thread);
        atomic_store_explicit(&thread->turns, ++turns, memory_order_relaxed);
    }
    for (uint32_t i = 0; i < replica_count; i++)
        tell_leaving(thread, lane_replica(thread->lane, i));
    return NODE_EXIT_OK;
}

static void pin(int32_t core)
{
    if (core < 0)
        return;
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET((size_t)core, &set);
    int result = pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
    if (result != 0)
        log_event_line("warning", "core %d: %s: the lane is not pinned", core, strerror(result));
}

/* The shortest of a few syncs of the first log, fewer where they are slow. The logs of all shards
 * lie in one folder. A sync that fails is met again in the first turn. */
static uint64_t time_sync(struct lane *lane)
{
    struct log *log = replica_log(lane_replica(lane, 0));
    uint64_t shortest_ns = 0;
    uint64_t spent_ns = 0;
    for (int i = 0; i < PROBES_MAX && spent_ns < PROBES_NS_MAX; i++) {
        uint64_t begun_ns = clock_now_ns();
        if (log_probe(log) != OK)
            return 0;
        uint64_t sync_ns = clock_now_ns() - begun_ns;
        spent_ns += sync_ns;
        if (shortest_ns == 0 || sync_ns < shortest_ns)
            shortest_ns = sync_ns;
    }
    return shortest_ns;
}

/* The main thread writes the line. */
static void note_slow_medium(struct lane_thread *thread)
{
    const struct raft_options *raft = &thread->options.lane.replicas[0].raft;
    uint64_t needed_ns = medium_watch_timeout_ns(thread->sync_ns);
    if (thread->sync_ns == 0 || needed_ns <= raft->election_timeout_min_ns)
        return;
    lane_note_obstacle(thread->lane,
                       &(struct obstacle){.kind = OBSTACLE_SLOW_MEDIUM,
                                          .node = raft->self.id,
                                          .here = raft->election_timeout_min_ns / MS_NS,
                                          .there = needed_ns / MS_NS});
}

static void *lane_main(void *context)
{
    struct lane_thread *thread = context;
    char name[16];
    snprintf(name, sizeof(name), "lane%u", thread->options.lane.lane);
    pthread_setname_np(pthread_self(), name);
    pin(thread->options.core);
    idle_thread_begin();
    rcu_thread_begin();
    rcu_offline(); /* a long log takes long to apply, and no other lane's grace period waits */
    enum error error =
        lane_open(&thread->options.lane, clock_now_ns(), &thread->lane, &thread->report);
    thread->sync_ns = error == OK ? time_sync(thread->lane) : 0;
    if (error == OK)
        note_slow_medium(thread);
    rcu_online();
    thread->exit = error == OK ? NODE_EXIT_OK : NODE_EXIT_LOG;
    sem_post(&thread->opened);
    if (error == OK) {
        enum node_exit end = run_turns(thread);
        lane_close(thread->lane);
        thread->exit = end;
    }
    rcu_thread_end();
    atomic_store_explicit(&thread->has_ended, true, memory_order_release);
    return NULL;
}

size_t lane_thread_arena_bytes(void)
{
    return sizeof(struct lane_thread) + LOG_EVENTS_MAX * sizeof(struct log_event) + 256;
}

struct lane_thread *lane_thread_start(const struct lane_thread_options *options,
                                      struct arena *arena)
{
    struct lane_thread *thread = arena_take(arena, sizeof(*thread), 64);
    *thread = (struct lane_thread){.options = *options, .idle = {.options = options->idle}};
    ring_init(&thread->events, arena, LOG_EVENTS_MAX, sizeof(struct log_event));
    sem_init(&thread->opened, 0, 0);
    return pthread_create(&thread->thread, NULL, lane_main, thread) == 0 ? thread : NULL;
}

enum node_exit lane_thread_await(struct lane_thread *thread)
{
    while (sem_wait(&thread->opened) != 0)
        CHECK(errno == EINTR);
    /* The lane may run already; `exit` stays as it was posted until the lane ends. */
    return thread->lane != NULL ? NODE_EXIT_OK : NODE_EXIT_LOG;
}

const struct lane_report *lane_thread_report(const struct lane_thread *thread)
{
    return &thread->report;
}

uint64_t lane_thread_sync_ns(const struct lane_thread *thread)
{
    return thread->sync_ns;
}

struct lane *lane_thread_lane(const struct lane_thread *thread)
{
    return thread->lane;
}

bool lane_thread_event(struct lane_thread *thread, struct log_event *ret_event)
{
    return ring_pop(&thread->events, ret_event);
}

uint64_t lane_thread_turns(const struct lane_thread *thread)
{
    return atomic_load_explicit(&thread->turns, memory_order_relaxed);
}

bool lane_thread_has_ended(const struct lane_thread *thread)
{
    return atomic_load_explicit(&thread->has_ended, memory_order_acquire);
}

void lane_thread_stop(struct lane_thread *thread, uint64_t leave_ns)
{
    thread->leave_ns = leave_ns;
    atomic_store_explicit(&thread->is_stopping, true, memory_order_release);
}

enum node_exit lane_thread_join(struct lane_thread *thread)
{
    pthread_join(thread->thread, NULL);
    sem_destroy(&thread->opened);
    return thread->exit;
}
