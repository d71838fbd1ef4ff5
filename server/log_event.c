/* Log lines on standard error. */
#include "server/log_event.h"

#include "base/address_text.h"
#include "base/units.h"
#include "server/capacity.h"
#include "server/node_files.h"

#include <poll.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* For so long the first of several lines waits for a reader. */
#define PATIENCE_MS 1000

/* Lines that nobody has read, since the last that somebody has. Of any thread, and nothing else is
 * read by it: relaxed. */
static _Atomic uint64_t lines_lost;

/* A reader that stands still, as a journal on a full disk does, must not hold the main thread: the
 * watchdog would end a node that serves. */
static bool is_writable(void)
{
    bool is_stuck = atomic_load_explicit(&lines_lost, memory_order_relaxed) > 0;
    struct pollfd standard_error = {.fd = STDERR_FILENO, .events = POLLOUT};
    return poll(&standard_error, 1, is_stuck ? 0 : PATIENCE_MS) != 0;
}

static void write_line(const char *level, const char *text)
{
    struct timespec now;
    struct tm utc;
    char stamp[32];
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%S", &utc);
    fprintf(stderr, "%s.%06ldZ %s %s\n", stamp, now.tv_nsec / 1000, level, text);
}

/* Told where lines are read again. */
static void tell_lost(void)
{
    char text[256];
    uint64_t lost = atomic_exchange_explicit(&lines_lost, 0, memory_order_relaxed);
    if (lost == 0)
        return;
    snprintf(text, sizeof(text),
             "lost lines=%lu: nobody read standard error for a while, and so many lines of this "
             "log were not written. Look at the journal, or at what else reads them",
             (unsigned long)lost);
    write_line("warning", text);
}

void log_event_line(const char *level, const char *format, ...)
{
    char text[2048];
    va_list arguments;
    if (!is_writable()) {
        atomic_fetch_add_explicit(&lines_lost, 1, memory_order_relaxed);
        return;
    }
    tell_lost();
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    write_line(level, text);
}

#define FOUNDERS_BYTES (NODES_MAX * 5 + 1) /* of a list of founders */

static const char *role_name(uint8_t role)
{
    static const char *const names[] = {"follower", "pre-candidate", "candidate", "leader"};
    return role < sizeof(names) / sizeof(names[0]) ? names[role] : "?";
}

static void write_lack(const struct log_event *event, uint16_t node)
{
    char text[CAPACITY_TEXT_SIZE];
    capacity_describe(&event->lack, event->shard, (uint16_t)event->value, text);
    log_event_line("error",
                   "lacks capacity node=%u shard=%u: %s; until then this node applies nothing more "
                   "of the shard, and does not lead it",
                   node, event->shard, text);
}

static void write_member(const struct log_event *event, uint16_t node)
{
    static const struct {
        const char *level;
        const char *text;
    } told[LOG_EVENT_MEMBER_WAITS + 1] = {
        [RAFT_NO_MEMBER] = {"warning", "is no member: it counts for nothing. A leader that has a "
                                       "quorum takes it in if its node's earlier storage is one, "
                                       "or if pollux member add names the node"},
        [RAFT_LEARNER] = {"info", "is a learner: it gets the log, and counts for nothing yet"},
        [RAFT_VOTER] = {"info", "is a voter"},
        [RAFT_INCOMING] = {"info", "is a voter of the configuration that is to come"},
        [RAFT_OUTGOING] = {"warning", "is a voter of the configuration that ends"},
        [RAFT_MEMBERSHIP_END] = {"info", "belongs to no cluster yet: one forms when all nodes "
                                         "of [peers] are there and none of them belongs to one. If "
                                         "there is one, its leader takes this storage in, should "
                                         "it know which lost one it takes the place of"},
        [LOG_EVENT_MEMBER_REMOVED] = {"warning",
                                      "was removed from the cluster: it counts for nothing, and "
                                      "takes no writes. Stop the node, or add it again with "
                                      "pollux member add; where another storage of the node took "
                                      "its place, with pollux member replace"},
        [LOG_EVENT_MEMBER_WAITS] = {"warning",
                                    "knows of no cluster, and forms none: the node joins one, or "
                                    "belonged to one and has lost what it knew. It waits for the "
                                    "leader"},
    };
    uint32_t membership = event->role <= LOG_EVENT_MEMBER_WAITS ? event->role : RAFT_NO_MEMBER;
    log_event_line(told[membership].level, "member node=%u shard=%u storage=%016lx: %s", node,
                   event->shard, (unsigned long)event->value, told[membership].text);
}

/* Those founders that are missing, of one sort. False: there are none. */
static bool list_founders(const struct log_event *event, bool is_lone,
                          char ret_nodes[FOUNDERS_BYTES])
{
    const struct raft_formation_state *formation = &event->formation;
    size_t used = 0;
    for (uint32_t i = 0; i < formation->missing_count; i++) {
        if ((event->lone >> i & 1) == is_lone)
            used += (size_t)snprintf(ret_nodes + used, FOUNDERS_BYTES - used, "%s%u",
                                     used == 0 ? "" : ", ", formation->missing[i]);
    }
    return used > 0;
}

static void write_formation(const struct log_event *event, uint16_t node)
{
    char nodes[FOUNDERS_BYTES];
    if (list_founders(event, true, nodes))
        log_event_line("warning",
                       "formation node=%u shard=%u: no cluster forms: of [peers] %s: look for a "
                       "cluster that takes them in, and found none: take [node] join = true out of "
                       "the configuration of a founder. Where it is not set, the node has belonged "
                       "to a cluster",
                       node, event->shard, nodes);
    if (list_founders(event, false, nodes))
        log_event_line("warning", "formation node=%u shard=%u: no cluster forms: of [peers] %s: %s",
                       node, event->shard, nodes,
                       event->formation.is_refused
                           ? "refuse, because they belong to a cluster already, or because their "
                             "[peers] are others"
                           : "do not answer; all nodes of [peers] must be there");
}

/* What a storage lacks, with both values. */
static void describe_finding(const struct start_finding *finding, char *ret_text, size_t size)
{
    switch (finding->answer) {
    case START_STANDS:
    case START_MISSING:
        snprintf(ret_text, size,
                 "start %016lx was heard of it, and it never had that start (its "
                 "start is %016lx)",
                 (unsigned long)finding->heard.start, (unsigned long)finding->own.start);
        return;
    case START_TERM_LOWER:
        snprintf(ret_text, size, "it told term %lu, and started with term %lu",
                 (unsigned long)finding->heard.told_term, (unsigned long)finding->own.term);
        return;
    case START_LOG_SHORTER:
        snprintf(ret_text, size,
                 "it acknowledged record %lu in term %lu, and started with %lu records",
                 (unsigned long)finding->heard.acked_index,
                 (unsigned long)finding->heard.acked_term, (unsigned long)finding->own.last_index);
        return;
    }
}

static void write_set_back(const struct log_event *event, uint16_t node)
{
    const struct start_finding *finding = &event->finding;
    unsigned long birth = (unsigned long)finding->birth;
    char text[192] = "";
    describe_finding(finding, text, sizeof(text));
    if (event->kind == LOG_EVENT_SET_BACK)
        log_event_line(
            "error",
            "set back node=%u shard=%u storage=%016lx peer=%u: this storage was set back "
            "to an earlier state: %s. It counts for nothing any more. Start this node "
            "again: the log is renamed, and a new one is made and taken in by the leader",
            node, event->shard, birth, finding->node, text);
    else
        log_event_line("warning",
                       "peer set back node=%u shard=%u storage=%016lx peer=%u: the storage of that "
                       "peer was set back to an earlier state: %s. It counts for nothing. Start "
                       "that node again",
                       node, event->shard, birth, finding->node, text);
}

static void write_stranger(const struct log_event *event, uint16_t node)
{
    unsigned long theirs = (unsigned long)event->value;
    unsigned long ours = (unsigned long)event->term;
    if (event->kind == LOG_EVENT_OTHER_CLUSTER)
        log_event_line(
            "error",
            "other cluster node=%u shard=%u peer=%u: that peer belongs to cluster %08lx, "
            "this node to %08lx, though both have one name: nothing of the peer counts. "
            "Compare [peers] and the data directories of the two",
            node, event->shard, event->leader, theirs, ours);
    else if (theirs > ours)
        log_event_line("error",
                       "era over node=%u shard=%u peer=%u: the cluster was put together anew, in "
                       "era %lu; this storage is of era %lu, and takes part in nothing any more. "
                       "Stop this node, move its data directory away and add the node anew",
                       node, event->shard, event->leader, theirs, ours);
    else
        log_event_line(
            "warning",
            "earlier era node=%u shard=%u peer=%u: that peer is of era %lu, this cluster "
            "of era %lu: nothing of the peer counts",
            node, event->shard, event->leader, theirs, ours);
}

static void address_format(const struct address *address, char *ret_text, size_t size)
{
    char ip[ADDRESS_IP_TEXT_BYTES];
    snprintf(ret_text, size, address_is_ipv4(address) ? "%s:%u" : "[%s]:%u",
             address_ip_text(address->ip, ip), address->port);
}

static void write_obstacle(const struct log_event *event, uint16_t node)
{
    const struct obstacle *obstacle = &event->obstacle;
    char here[64];
    char there[64];
    snprintf(here, sizeof(here), "%lx", (unsigned long)obstacle->here);
    snprintf(there, sizeof(there), "%lx", (unsigned long)obstacle->there);
    if (obstacle->kind == OBSTACLE_ADDRESS) {
        address_format(&obstacle->at, here, sizeof(here));
        address_format(&obstacle->from, there, sizeof(there));
    }
    log_event_line("warning", "obstacle node=%u peer=%u %s here=%s there=%s: %s. Compare %s", node,
                   obstacle->node, obstacle_name(obstacle->kind), here, there,
                   obstacle_meaning(obstacle->kind), obstacle_setting(obstacle->kind));
}

/* A node that stops. */
static void write_stop(const struct log_event *event, uint16_t node)
{
    char after[UNITS_TEXT_BYTES];
    if (event->kind == LOG_EVENT_PENDING)
        log_event_line("warning",
                       "pending node=%u shard=%u writes=%lu: so many relaxed writes are on this "
                       "node only; they are replicated when it is started again",
                       node, event->shard, (unsigned long)event->value);
    else if (event->leader != 0)
        log_event_line("info", "left node=%u shard=%u leader=%u term=%lu after=%s: handed over",
                       node, event->shard, event->leader, (unsigned long)event->term,
                       units_duration(event->value, after));
    else
        log_event_line("warning",
                       "left node=%u shard=%u leader=0: nobody could take the leadership over in "
                       "time; the others elect a leader when they miss this one",
                       node, event->shard);
}

static void write_snapshot(const struct log_event *event, uint16_t node)
{
    unsigned long value = (unsigned long)event->value;
    if (event->kind == LOG_EVENT_SNAPSHOT_FAILED)
        log_event_line("warning",
                       "snapshot failed node=%u shard=%u failures=%lu: its file is too small or "
                       "could not be read back; the log grows until one succeeds. Check the medium "
                       "of the snapshot files; after the capacity was raised,"
                       " stop the node, remove these files and start it",
                       node, event->shard, value);
    else
        log_event_line("info",
                       "snapshot installed node=%u shard=%u commit=%lu: the log was too far "
                       "behind, and the leader's snapshot took its place",
                       node, event->shard, value);
}

static void file_name(const struct log_event *event, char *text, size_t text_size)
{
    static const char *const suffixes[] = {"?", NODE_LOG_SUFFIX, NODE_JOURNAL_SUFFIX,
                                           NODE_SNAPSHOT_SUFFIX};
    const struct replica_damage *damage = &event->damage;
    int length =
        snprintf(text, text_size, NODE_SHARD_PREFIX "%u.%s", event->shard, suffixes[damage->file]);
    if (damage->file > REPLICA_FILE_LOG && length > 0)
        snprintf(text + length, text_size - (size_t)length, "-%u", damage->number);
}

/* The node stops. */
static void write_failure(const struct log_event *event, uint16_t node)
{
    const struct replica_damage *damage = &event->damage;
    char file[64];
    file_name(event, file, sizeof(file));
    if (damage->is_unreadable)
        log_event_line("error",
                       "unreadable node=%u shard=%u file=%s offset=%lu: the device cannot read "
                       "this page, or the file was cut off. Nothing more is acknowledged. Start "
                       "the node again: it sets the file aside and copies its data from its peers. "
                       "Check the medium",
                       node, event->shard, file, (unsigned long)damage->offset);
    else if (damage->is_rotten)
        log_event_line("error",
                       "rotten node=%u shard=%u file=%s offset=%lu number=%lu: what lies there is "
                       "not what was written, and this node cannot go on without it. Start the "
                       "node again: it copies from its peers what it lacks. Check the medium",
                       node, event->shard, file, (unsigned long)damage->offset,
                       (unsigned long)damage->index);
    else
        log_event_line("error",
                       "sync failed node=%u shard=%u file=%s: the medium lost writes; nothing more "
                       "is acknowledged. Replace or check the medium, then start again",
                       node, event->shard, file);
}

static void write_mended(const struct log_event *event, uint16_t node)
{
    log_event_line("info",
                   "mended node=%u shard=%u count=%lu: what was found to be damaged has been "
                   "replaced, and nothing needs it any more",
                   node, event->shard, (unsigned long)event->value);
}

/* The node goes on. */
static void write_found(const struct log_event *event, uint16_t node)
{
    const struct replica_damage *damage = &event->damage;
    char file[64];
    file_name(event, file, sizeof(file));
    const char *mended = "new snapshots take its place";
    if (damage->is_written_again)
        mended = "it was written again from memory";
    else if (damage->file == REPLICA_FILE_JOURNAL)
        mended = "the journal moves away from it once the writes in it are replicated";
    log_event_line("warning",
                   "damaged node=%u shard=%u file=%s offset=%lu number=%lu: what lies there is not "
                   "what was written; %s. Check the medium",
                   node, event->shard, file, (unsigned long)damage->offset,
                   (unsigned long)damage->index, mended);
}

static void write_damage(const struct log_event *event, uint16_t node)
{
    if (event->kind == LOG_EVENT_MEDIUM_FAILED)
        write_failure(event, node);
    else if (event->kind == LOG_EVENT_MENDED)
        write_mended(event, node);
    else
        write_found(event, node);
}

static void describe_mac(const uint8_t mac[6], char ret_text[18])
{
    snprintf(ret_text, 18, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4],
             mac[5]);
}

static void write_neighbour(const struct log_event *event, uint16_t node)
{
    const struct dp_neighbour *now = &event->neighbour.now;
    char ip[ADDRESS_IP_TEXT_BYTES];
    char before[18];
    char after[18];
    describe_mac(event->neighbour.before, before);
    describe_mac(now->mac, after);
    log_event_line("warning",
                   "neighbour node=%u address=%s before=%s mac=%s changes=%lu: the address has "
                   "another MAC. If no machine or card was replaced, two machines use the "
                   "address, or one pretends to: [neighbours] can name the right MAC",
                   node, address_ip_text(now->ip, ip), before, after, (unsigned long)event->value);
}

/* What clients may do. */
static void write_clients(const struct log_event *event, uint16_t node)
{
    if (event->kind == LOG_EVENT_REVOKED)
        log_event_line("warning",
                       "relaxed writes dropped node=%u shard=%u writes=%lu version=%lu: their "
                       "client was revoked with --drop-pending",
                       node, event->shard, (unsigned long)event->value, (unsigned long)event->term);
    else if (event->role == RIGHTS_IN_FORCE)
        log_event_line("info", "client rights node=%u version=%lu principals=%lu: in force", node,
                       (unsigned long)event->term, (unsigned long)event->value);
    else if (event->role == RIGHTS_ABSENT)
        log_event_line("warning",
                       "client rights node=%u none: each client with a key may do everything; "
                       "pollux auth add puts rights in force: see docs/security.md",
                       node);
    else
        log_event_line("error",
                       "client rights node=%u version=%lu broken: what is stored is no table of "
                       "rights: only who has the root key may do anything: see docs/security.md",
                       node, (unsigned long)event->term);
}

static void write_suspect(unsigned long last, unsigned shard, uint16_t node)
{
    log_event_line("warning",
                   "suspect node=%u shard=%u last=%lu: the log may lack records that this node "
                   "has acknowledged; until a quorum has settled the log, this node's vote "
                   "counts only where all nodes vote",
                   node, shard, last);
}

static void write_format(unsigned long format, unsigned shard, uint16_t node)
{
    log_event_line("info",
                   "format node=%u shard=%u format=%lu: the format was raised; an older program "
                   "opens the files of this shard no more",
                   node, shard, format);
}

void log_event_write(const struct log_event *event, uint16_t node)
{
    unsigned long term = (unsigned long)event->term;
    unsigned long value = (unsigned long)event->value;
    unsigned shard = event->shard;
    switch (event->kind) {
    case LOG_EVENT_ROLE:
        log_event_line("info", "role node=%u shard=%u role=%s term=%lu last=%lu", node, shard,
                       role_name(event->role), term, value);
        return;
    case LOG_EVENT_LEADER:
        log_event_line("info", "leader node=%u shard=%u leader=%u term=%lu commit=%lu", node, shard,
                       event->leader, term, value);
        return;
    case LOG_EVENT_MEMBER:
        write_member(event, node);
        return;
    case LOG_EVENT_FORMED:
        log_event_line("info", "formed node=%u shard=%u cluster=%016lx", node, shard, value);
        return;
    case LOG_EVENT_FORMATION:
        write_formation(event, node);
        return;
    case LOG_EVENT_SUSPECT:
        write_suspect(value, shard, node);
        return;
    case LOG_EVENT_SETTLED:
        log_event_line("info", "settled node=%u shard=%u last=%lu: a quorum has settled the log",
                       node, shard, value);
        return;
    case LOG_EVENT_OBSTACLE:
        write_obstacle(event, node);
        return;
    case LOG_EVENT_LEFT:
    case LOG_EVENT_PENDING:
        write_stop(event, node);
        return;
    case LOG_EVENT_SNAPSHOT_FAILED:
    case LOG_EVENT_SNAPSHOT_INSTALLED:
        write_snapshot(event, node);
        return;
    case LOG_EVENT_SET_BACK:
    case LOG_EVENT_PEER_SET_BACK:
        write_set_back(event, node);
        return;
    case LOG_EVENT_FORMAT:
        write_format(value, shard, node);
        return;
    case LOG_EVENT_REVOKED:
    case LOG_EVENT_CLIENTS:
        write_clients(event, node);
        return;
    case LOG_EVENT_OTHER_CLUSTER:
    case LOG_EVENT_OTHER_ERA:
        write_stranger(event, node);
        return;
    case LOG_EVENT_LACKS_CAPACITY:
        write_lack(event, node);
        return;
    case LOG_EVENT_MEDIUM_FAILED:
    case LOG_EVENT_DAMAGED:
    case LOG_EVENT_MENDED:
        write_damage(event, node);
        return;
    case LOG_EVENT_NEIGHBOUR:
        write_neighbour(event, node);
        return;
    }
}
