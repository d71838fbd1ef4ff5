/* A node's life: its port, the threads of its lanes, their log events. */
#include "server/node.h"

#include "base/check.h"
#include "base/units.h"
#include "dataplane/frame.h"
#include "pmem/identity.h"
#include "server/exposure.h"
#include "server/file_sizes.h"
#include "server/identity_scrub.h"
#include "server/journal_aside.h"
#include "server/lane_thread.h"
#include "server/log_event.h"
#include "server/medium_watch.h"
#include "server/mount_point.h"
#include "server/node_options.h"
#include "server/node_port.h"
#include "server/node_security.h"
#include "server/sandbox.h"
#include "server/service_manager.h"
#include "server/user_switch.h"
#include "wire/wire_packet.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#define MS_NS UINT64_C(1000000)

/* How long a node that stops tries to hand over, in longest election timeouts: the others need
 * about as long without it. */
#define LEAVE_TIMEOUTS 2

/* Events written at one call of node_poll, of each lane. */
#define POLL_EVENTS_MAX 1024

/* Between two looks at an identity. */
#define IDENTITY_NS (1000 * MS_NS)

struct node {
    struct config config;
    struct node_options options;
    struct security_options security;
    struct node_port port;
    struct arena arena; /* of the threads */
    struct lane_thread *threads[LANES_MAX];
    uint32_t thread_count;
    char identity_name[NODE_FILE_NAME_BYTES]; /* of the directory; then come those of the shards */
    struct identity_scrub *identities;        /* NULL: they are not looked at */
    uint64_t identity_ns;                     /* when the next is due */
    struct service_manager manager;
    char reason[NODE_PORT_TEXT_BYTES];
};

/* Journals that earlier starts have set aside. */
static void find_kept(struct node *node)
{
    for (uint16_t shard = 0; shard < node->config.shard_count; shard++) {
        struct replica_options *replica = &node->options.replicas[shard];
        struct journal_aside asides[JOURNAL_ASIDES_MAX];
        uint32_t count = journal_asides_find(replica->journal.path, asides);
        for (uint32_t i = 0; i < count; i++) {
            replica->kept.journals++;
            replica->kept.writes += asides[i].writes;
            replica->kept.series = asides[i].series;
            log_event_line("warning",
                           "journal aside node=%u shard=%u file=%s writes=%lu: so many relaxed "
                           "writes of an earlier storage of this node are in this file, and what "
                           "of them was not replicated will not be. Set the keys anew if you need "
                           "them, then move the file out of the directory",
                           node->config.id, replica->shard, asides[i].file,
                           (unsigned long)asides[i].writes);
        }
    }
}

/* What the port needed is needed no more. */
static enum error give_up_rights(struct node *node)
{
    const struct config *config = &node->config;
    struct user_switch user;
    enum error error = user_switch_find(config->user, &user, node->reason, sizeof(node->reason));
    if (error == OK)
        error = user_switch_do(&user, node->reason, sizeof(node->reason));
    bool is_sandboxed = config->is_sandboxed && sandbox_is_possible();
    if (error == OK && is_sandboxed)
        error = sandbox_enter(node->reason, sizeof(node->reason));
    if (error != OK)
        return error;
    bool is_root = geteuid() == 0;
    log_event_line(is_root || !is_sandboxed ? "warning" : "info",
                   "rights node=%u user=%u sandbox=%s%s", config->id, (unsigned)geteuid(),
                   is_sandboxed           ? "yes"
                   : config->is_sandboxed ? "no (built with a sanitizer)"
                                          : "no",
                   is_root ? ": the node reads packets of strangers as root; name a user of its "
                             "own in [node] user"
                           : "");
    return OK;
}

static void fill_options(struct node *node)
{
    uint64_t random[4];
    CHECK(getrandom(random, sizeof(random), 0) == (ssize_t)sizeof(random));
    struct node_start start = {.incarnation = random[0] | 1,
                               .seed = random[1],
                               .hash_key = {{random[2], random[3]}},
                               .frames = node->port.frames,
                               .security = &node->security};
    secret_draw(start.cookie_seed.bytes, sizeof(start.cookie_seed.bytes));
    node_options_fill(&node->config, &start, &node->options);
    secret_wipe(&start.cookie_seed, sizeof(start.cookie_seed));
    find_kept(node);
}

static void tell_snapshot_files(const struct node *node, uint16_t shard,
                                const struct snapshots_recovery *found)
{
    if (found->note[0] != '\0')
        log_event_line("warning", "%s", found->note);
    else if (found->empty != 0)
        log_event_line("info",
                       "%s-%u: holds no snapshot: one was being written when the node stopped, or "
                       "none was taken yet, or the record that completes it is lost. The other one "
                       "is used",
                       node->options.snapshot_names[shard], found->empty - 1);
}

static void tell_replica(const struct node *node, struct replica *replica)
{
    const struct config *config = &node->config;
    const struct replica_recovery *found = replica_recovery(replica);
    const struct log_recovery *recovery = &found->log;
    struct medium *medium = log_medium(replica_log(replica));
    uint16_t shard = replica_shard(replica);
    if (recovery->note[0] != '\0')
        log_event_line("warning", "%s", recovery->note);
    tell_snapshot_files(node, shard, &found->snapshots);
    if (recovery->is_reset)
        log_event_line("warning",
                       "%s: does not go on from the snapshot at record %lu; begins anew behind it",
                       node->options.log_names[shard], (unsigned long)found->snapshot_index);
    if (recovery->is_history_lost)
        log_event_line("error",
                       "history lost node=%u shard=%u: %s: of what this node acknowledged nothing "
                       "is left here. It forms no cluster, and goes on when a leader has sent it "
                       "what it lacks; start the other nodes",
                       config->id, shard, node->options.log_names[shard]);
    if (found->journal.note[0] != '\0')
        log_event_line("warning", "%s", found->journal.note);
    if (found->is_identity_mended)
        log_event_line("warning",
                       "%s: a damaged copy was repaired from the other; check the medium",
                       node->options.identity_names[shard]);
    if (found->aside.series != 0)
        log_event_line("warning",
                       "journal set aside node=%u shard=%u series=%016lx writes=%lu: it belongs to "
                       "another storage of this node, and what of it was not replicated will not "
                       "be; kept as %s-*" JOURNAL_ASIDE_MARK "%016lx.%lu; first keys: %s",
                       config->id, shard, (unsigned long)found->aside.series,
                       (unsigned long)found->aside.writes, node->options.journal_names[shard],
                       (unsigned long)found->aside.series, (unsigned long)found->aside.writes,
                       found->aside.keys);
    log_event_line("info",
                   "started node=%u shard=%u cluster=%s device=%s log=%s medium=%s%s created=%d "
                   "last=%lu commit=%lu term=%lu first=%lu snapshot=%lu",
                   config->id, shard, config->cluster, config->device,
                   node->options.log_names[shard],
                   medium_granularity_name(medium_granularity(medium)),
                   medium_is_emulated(medium) ? " (emulated)" : "", recovery->is_created,
                   (unsigned long)recovery->last_index, (unsigned long)recovery->commit_index,
                   (unsigned long)recovery->term, (unsigned long)recovery->first_index,
                   (unsigned long)found->snapshot_index);
}

/* What an existing file overrules. */
static void tell_sizes(const struct node *node, const struct replica_options *replica)
{
    struct file_size sizes[FILES_OF_REPLICA];
    uint32_t count = file_sizes(replica, sizes);
    for (uint32_t i = 0; i < count; i++) {
        if (sizes[i].is_snapshot || !file_size_is_overruling(&sizes[i]))
            continue;
        log_event_line("warning",
                       "overruled node=%u file=%s size=%lu: the file keeps its size; %s asks for "
                       "%lu: set it as the file is, or %s",
                       node->config.id, sizes[i].path, (unsigned long)sizes[i].found_bytes,
                       sizes[i].setting, (unsigned long)sizes[i].wanted_bytes, sizes[i].way_out);
    }
}

/* Elections wait for votes to be written. */
static void tell_slow_medium(const struct node *node, const struct lane_thread *thread)
{
    uint64_t sync_ns = lane_thread_sync_ns(thread);
    uint64_t timeout_ms = medium_watch_timeout_ns(sync_ns) / MS_NS;
    uint64_t configured_ms = node->config.election_timeout_min_ns / MS_NS;
    uint16_t shard = replica_shard(lane_replica(lane_thread_lane(thread), 0));
    char sync[UNITS_TEXT_BYTES];
    if (sync_ns == 0 || timeout_ms <= configured_ms)
        return;
    log_event_line("warning",
                   "slow medium node=%u file=%s sync=%s election_timeout_min=%lums: a small "
                   "write takes so long to become durable that elections are slow; use a faster "
                   "medium, or set election_timeout_min = %lums and election_timeout_max = %lums "
                   "on all nodes",
                   node->config.id, node->options.log_names[shard], units_duration(sync_ns, sync),
                   (unsigned long)configured_ms, (unsigned long)timeout_ms,
                   (unsigned long)(2 * timeout_ms));
}

static void tell_clients_security(const struct node *node)
{
    const struct security_options *security = &node->security;
    if (security->clients != SECURITY_REQUIRED)
        log_event_line(
            "warning",
            "security node=%u clients=%s: whoever can send packets to this node can read "
            "and write: see docs/security.md",
            node->config.id, security_mode_name(security->clients));
    else
        log_event_line("info", "security node=%u clients=required", node->config.id);
}

/* Where they may come from who are believed. */
static void tell_exposure(const struct node *node)
{
    const struct security_options *security = &node->security;
    if (!security->is_exposed)
        return;
    log_event_line("warning",
                   "exposed node=%u device=%s mode=%s clients=%s: open_port = true lets this node "
                   "believe whoever reaches that port",
                   node->config.id, node->config.device, security_mode_name(security->mode),
                   security_mode_name(security->clients));
}

/* Who is believed. */
static void tell_security(const struct node *node)
{
    const struct security_options *security = &node->security;
    if (security->mode == SECURITY_NONE)
        log_event_line("warning",
                       "security node=%u mode=none: whoever can send packets to this node can harm "
                       "the cluster: see docs/security.md",
                       node->config.id);
    else
        log_event_line(security->mode == SECURITY_REQUIRED ? "info" : "warning",
                       "security node=%u mode=%s key=%u other_key=%u encrypted=%d%s",
                       node->config.id, security_mode_name(security->mode), security->keys[0].id,
                       security->keys[1].id, security->is_encrypted,
                       security->mode == SECURITY_REQUIRED
                           ? ""
                           : ": packets of peers are taken unsealed, too, until mode = required");
}

static void tell_start(struct node *node)
{
    node_port_tell(&node->port, &node->config);
    tell_security(node);
    tell_clients_security(node);
    tell_exposure(node);
    for (uint32_t i = 0; i < node->thread_count; i++) {
        struct lane *lane = lane_thread_lane(node->threads[i]);
        for (uint32_t j = 0; j < lane_replica_count(lane); j++)
            tell_replica(node, lane_replica(lane, j));
        tell_slow_medium(node, node->threads[i]);
    }
    for (uint16_t shard = 0; shard < node->config.shard_count; shard++)
        tell_sizes(node, &node->options.replicas[shard]);
}

static enum node_exit start_threads(struct node *node)
{
    const struct config *config = &node->config;
    size_t bytes = config->lane_count * lane_thread_arena_bytes();
    if (arena_init(&node->arena, bytes) != OK)
        return NODE_EXIT_INTERNAL;
    for (uint32_t i = 0; i < config->lane_count; i++) {
        struct lane_thread_options options = {.lane = node->options.lanes[i],
                                              .idle = {.spin_turns = config->idle_spin_turns,
                                                       .yield_turns = config->idle_yield_turns,
                                                       .sleep_max_ns = config->idle_sleep_max_ns},
                                              .core =
                                                  config->core_count == 0 ? -1 : config->cores[i]};
        struct lane_thread *thread = lane_thread_start(&options, &node->arena);
        if (thread == NULL) {
            log_event_line("error", "cannot start the thread of lane %u", i);
            return NODE_EXIT_INTERNAL;
        }
        node->threads[node->thread_count++] = thread;
    }
    arena_seal(&node->arena);
    return NODE_EXIT_OK;
}

/* Waits until all lanes are open, or tells why one is not. */
static enum node_exit await_threads(struct node *node)
{
    enum node_exit exit = NODE_EXIT_OK;
    for (uint32_t i = 0; i < node->thread_count; i++) {
        enum node_exit of_lane = lane_thread_await(node->threads[i]);
        if (of_lane == NODE_EXIT_OK)
            continue;
        log_event_line("error", "%s", lane_thread_report(node->threads[i])->reason);
        exit = of_lane;
    }
    return exit;
}

/* The first status among the lanes' that is not OK. */
static enum node_exit end_threads(struct node *node, uint64_t leave_ns)
{
    enum node_exit exit = NODE_EXIT_OK;
    for (uint32_t i = 0; i < node->thread_count; i++)
        lane_thread_stop(node->threads[i], leave_ns);
    for (uint32_t i = 0; i < node->thread_count; i++) {
        enum node_exit of_lane = lane_thread_join(node->threads[i]);
        exit = exit == NODE_EXIT_OK ? of_lane : exit;
    }
    return exit;
}

static void release(struct node *node)
{
    if (node->port.frames != NULL)
        dp_frame_port_close(node->port.frames);
    dp_stop();
    identity_scrub_close(node->identities);
    arena_deinit(&node->arena);
    secret_wipe(&node->security, sizeof(node->security));
    free(node);
}

static void begin_identities(struct node *node)
{
    const char *paths[SHARDS_MAX + 1] = {node->identity_name};
    if (node->config.scrub_bytes == 0)
        return;
    snprintf(node->identity_name, sizeof(node->identity_name), "%s/" NODE_IDENTITY_NAME,
             node->config.directory);
    for (uint16_t shard = 0; shard < node->config.shard_count; shard++)
        paths[1 + shard] = node->options.identity_names[shard];
    node->identities = identity_scrub_open(paths, 1u + node->config.shard_count);
}

static uint64_t node_clock_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 * MS_NS + (uint64_t)now.tv_nsec;
}

/* Each lane is open, so the port is, too, and the storage is recovered. */
static void tell_ready(struct node *node)
{
    const struct config *config = &node->config;
    char text[256];
    snprintf(text, sizeof(text),
             "ready: node %u of cluster %.64s, shards %u, lanes %u; \"pollux status\" tells what "
             "part it takes",
             config->id, config->cluster, config->shard_count, node->thread_count);
    service_manager_ready(&node->manager, node->thread_count, node_clock_ns(), text);
}

/* A lane that hangs leads nothing, and its shards are not served here. */
static void watch_lanes(struct node *node, uint64_t now_ns)
{
    uint64_t turns[LANES_MAX];
    struct service_stall stall;
    for (uint32_t i = 0; i < node->thread_count; i++)
        turns[i] = lane_thread_turns(node->threads[i]);
    if (service_manager_step(&node->manager, now_ns, turns, &stall))
        log_event_line("error",
                       "stalled node=%u lane=%u for=%lums: the lane makes no turns. After %lu ms "
                       "systemd ends this process (WatchdogSec=) and starts it again. Look for a "
                       "medium that does not answer, or a core that something else occupies",
                       node->config.id, stall.lane, (unsigned long)(stall.silent_ns / MS_NS),
                       (unsigned long)(stall.limit_ns / MS_NS));
}

/* They are read at a start only: so that damage is told before. */
static void look_at_identity(struct node *node, uint64_t now_ns)
{
    struct identity_finding found;
    if (node->identities == NULL || now_ns < node->identity_ns)
        return;
    node->identity_ns = now_ns + IDENTITY_NS;
    identity_scrub_step(node->identities, &found);
    switch (found.state) {
    case IDENTITY_WHOLE:
        return;
    case IDENTITY_MENDED:
        log_event_line("warning",
                       "damaged node=%u file=%s offset=%u: what lies there is not what was "
                       "written; it was written again from memory. Check the medium",
                       node->config.id, found.path, found.offset);
        return;
    case IDENTITY_GONE:
        log_event_line("error",
                       "missing node=%u file=%s: the identity was removed while the node runs, and "
                       "no start is possible without it. Bring back a copy of it",
                       node->config.id, found.path);
        return;
    case IDENTITY_LOST:
        log_event_line("error",
                       "damaged node=%u file=%s offset=%u: what lies there is not what was "
                       "written, and it cannot be written again: %s. No start is possible without "
                       "it. Replace the medium while the other nodes run",
                       node->config.id, found.path, found.offset, strerror(found.reason));
        return;
    }
}

/* A node runs without DAX, too, but not as fast as its medium. */
static void tell_dax(const struct config *config)
{
    struct host host;
    struct mount_point mount;
    struct host_finding finding;
    char text[HOST_SUBJECT_BYTES + HOST_WHAT_BYTES];
    host_init(&host);
    if (!mount_point_find(&host, config->directory, &mount) ||
        mount_point_dax(&host, &mount, config->directory) != MOUNT_DAX_OFF)
        return;
    mount_point_tell_dax(&mount, &finding);
    log_event_line("warning", "no dax node=%u mount=%s", config->id,
                   host_finding_text(&finding, text, sizeof(text)));
}

enum node_exit node_start(const struct config *config, const char *program, struct node **ret_node)
{
    struct node *node = calloc(1, sizeof(*node));
    if (node == NULL)
        return NODE_EXIT_INTERNAL;
    node->config = *config;
    if (exposure_check(config, node->reason, sizeof(node->reason)) != OK ||
        node_security_load(config, &node->security, node->reason, sizeof(node->reason)) != OK) {
        log_event_line("error", "%s", node->reason);
        release(node);
        return NODE_EXIT_CONFIG;
    }
    tell_dax(config); /* the sandbox takes the files that tell it */
    if (node_port_open(&node->port, config, program, node->reason) != OK) {
        log_event_line("error", "%s", node->reason);
        release(node);
        return NODE_EXIT_PORT;
    }
    if (give_up_rights(node) != OK) {
        log_event_line("error", "%s", node->reason);
        release(node);
        return NODE_EXIT_INTERNAL;
    }
    service_manager_status("recovers the storage: a long log takes its time");
    fill_options(node);
    enum node_exit exit = start_threads(node);
    enum node_exit opened = await_threads(node);
    exit = exit == NODE_EXIT_OK ? opened : exit;
    if (exit != NODE_EXIT_OK) {
        (void)end_threads(node, 0);
        release(node);
        return exit;
    }
    tell_start(node);
    begin_identities(node);
    tell_ready(node);
    *ret_node = node;
    return NODE_EXIT_OK;
}

/* Where this fails, the next start tries again. */
static void note_formed(struct node *node, const struct log_event *event)
{
    char note[256];
    const struct log_identity owner = {.cluster_id = wire_cluster_id(node->config.cluster),
                                       .node = node->config.id,
                                       .shard = event->shard};
    if (identity_note_formed(node->options.identity_names[event->shard], &owner, event->value, note,
                             sizeof(note)) != OK)
        log_event_line("error", "%s", note);
    else if (node->identities != NULL)
        identity_scrub_keep(node->identities, 1u + event->shard);
}

bool node_poll(struct node *node)
{
    bool is_running = true;
    for (uint32_t i = 0; i < node->thread_count; i++) {
        struct log_event event;
        is_running &= !lane_thread_has_ended(node->threads[i]);
        for (int j = 0; j < POLL_EVENTS_MAX && lane_thread_event(node->threads[i], &event); j++) {
            log_event_write(&event, node->config.id);
            if (event.kind == LOG_EVENT_FORMED)
                note_formed(node, &event);
        }
    }
    uint64_t now_ns = node_clock_ns();
    node_port_look(&node->port, &node->config);
    look_at_identity(node, now_ns);
    watch_lanes(node, now_ns);
    return is_running;
}

enum node_exit node_stop(struct node *node)
{
    service_manager_stopping("hands leadership over, and closes its files");
    enum node_exit exit = end_threads(node, LEAVE_TIMEOUTS * node->config.election_timeout_max_ns);
    (void)node_poll(node);
    log_event_line("info", "stopped node=%u exit=%d", node->config.id, (int)exit);
    release(node);
    return exit;
}
