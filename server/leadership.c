/* See leadership.h. */
#include "server/leadership.h"

#include "base/budget.h"
#include "base/check.h"

#include <string.h>

/* In longest election timeouts: a leader that was just elected has clients to take over and logs to
 * bring up to date, and two attempts may never follow each other faster than elections do. */
#define LEAD_TIMEOUTS  5
#define RETRY_TIMEOUTS 20

static_assert(VOTER_ID_MAX <= UINT8_MAX, "a table by node id is small");

void leadership_init(struct leadership *leadership, const struct raft_options *raft,
                     const struct leadership_options *options)
{
    *leadership = (struct leadership){.options = *options};
    leadership->options.self = raft->self.id;
    leadership->options.lead_min_ns = LEAD_TIMEOUTS * raft->election_timeout_max_ns;
    leadership->options.retry_ns = RETRY_TIMEOUTS * raft->election_timeout_max_ns;
    leadership->options.heard_max_ns = raft->election_timeout_min_ns;
    memset(leadership->priorities, PRIORITY_DEFAULT, sizeof(leadership->priorities));
    leadership->priorities[raft->self.id] = options->priority;
}

void leadership_note_priority(struct leadership *leadership, uint16_t node, uint8_t priority)
{
    CHECK(node <= VOTER_ID_MAX && priority <= PRIORITY_MAX);
    leadership->priorities[node] = priority;
}

/* ---- the rate ---- */

/* A bucket of LEADERSHIP_BURST tokens, kept as the time when it is full again. */
static void take_token(struct leadership *leadership, uint64_t now_ns)
{
    uint64_t interval_ns = leadership->options.interval_ns;
    uint64_t latest_ns = now_ns + LEADERSHIP_BURST * interval_ns;
    uint64_t full_ns = budget_spend_ns(leadership->full_ns, now_ns, interval_ns);
    leadership->full_ns = full_ns < latest_ns ? full_ns : latest_ns;
}

uint64_t leadership_wait_ns(const struct leadership *leadership, uint64_t now_ns)
{
    uint64_t allowed_ns = now_ns + (LEADERSHIP_BURST - 1) * leadership->options.interval_ns;
    return leadership->full_ns > allowed_ns ? leadership->full_ns - allowed_ns : 0;
}

void leadership_pay(struct leadership *leadership, uint64_t now_ns)
{
    take_token(leadership, now_ns);
    leadership->is_paid = true;
}

void leadership_note_leader(struct leadership *leadership, const struct raft_status *status,
                            uint64_t now_ns)
{
    if (status->leader == 0 || status->term <= leadership->term_seen)
        return;
    if (leadership->term_seen != 0 && !leadership->is_paid)
        take_token(leadership, now_ns);
    leadership->term_seen = status->term;
    leadership->is_paid = false;
}

/* ---- who ---- */

static uint8_t priority_of(const struct leadership *leadership, uint16_t node)
{
    return leadership->priorities[node];
}

bool leadership_is_ready(const struct leadership *leadership, const struct raft_status *status,
                         const struct raft_peer_progress *voter, uint64_t now_ns)
{
    return !voter->is_suspect && voter->contact_ns != 0 &&
           now_ns - voter->contact_ns <= leadership->options.heard_max_ns &&
           voter->match_index >= status->commit_index &&
           status->last_index - voter->match_index <= LEADERSHIP_LAG_MAX;
}

/* Of the voters, this node among them, those with the highest priority. Nodes rising. */
static uint32_t most_wanted(const struct leadership *leadership,
                            const struct leadership_voters *voters,
                            uint16_t ret_nodes[NODES_MAX + 1])
{
    uint16_t nodes[NODES_MAX + 1];
    uint32_t count = 0;
    bool is_self_due = voters->is_self_voter;
    for (uint32_t i = 0; i < voters->count; i++) {
        if (is_self_due && leadership->options.self < voters->voters[i].storage.id) {
            nodes[count++] = leadership->options.self;
            is_self_due = false;
        }
        nodes[count++] = voters->voters[i].storage.id;
    }
    if (is_self_due)
        nodes[count++] = leadership->options.self;
    uint8_t highest = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (priority_of(leadership, nodes[i]) > highest)
            highest = priority_of(leadership, nodes[i]);
    }
    uint32_t wanted = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (priority_of(leadership, nodes[i]) == highest)
            ret_nodes[wanted++] = nodes[i];
    }
    return wanted;
}

uint16_t leadership_preferred(const struct leadership *leadership,
                              const struct leadership_voters *voters)
{
    uint16_t nodes[NODES_MAX + 1];
    uint32_t count = most_wanted(leadership, voters, nodes);
    if (count == 0 || (count > 1 && leadership->options.shard_count <= 1))
        return 0;
    return nodes[leadership->options.shard % count];
}

static bool is_fitter(const struct leadership *leadership, const struct raft_peer_progress *voter,
                      const struct raft_peer_progress *than, uint16_t preferred)
{
    uint8_t priority = priority_of(leadership, voter->storage.id);
    uint8_t other = priority_of(leadership, than->storage.id);
    if (priority != other)
        return priority > other;
    if (voter->storage.id == preferred || than->storage.id == preferred)
        return voter->storage.id == preferred;
    return voter->match_index > than->match_index;
}

uint16_t leadership_fittest(const struct leadership *leadership, const struct raft_status *status,
                            const struct leadership_voters *voters, uint64_t now_ns)
{
    uint16_t preferred = leadership_preferred(leadership, voters);
    const struct raft_peer_progress *best = NULL;
    for (uint32_t i = 0; i < voters->count; i++) {
        const struct raft_peer_progress *voter = &voters->voters[i];
        if (!leadership_is_ready(leadership, status, voter, now_ns))
            continue;
        if (best == NULL || is_fitter(leadership, voter, best, preferred))
            best = voter;
    }
    return best != NULL ? best->storage.id : 0;
}

/* ---- when ---- */

/* Follows the role; true when this node has led for long enough. */
static bool has_led_enough(struct leadership *leadership, const struct raft_status *status,
                           uint64_t now_ns)
{
    if (status->role != RAFT_LEADER) {
        leadership->term = 0;
        return false;
    }
    if (leadership->term != status->term) {
        leadership->term = status->term;
        leadership->led_since_ns = now_ns;
    }
    return status->has_own_commit && !status->is_transferring &&
           now_ns - leadership->led_since_ns >= leadership->options.lead_min_ns;
}

bool leadership_may_be_due(struct leadership *leadership, const struct raft_status *status,
                           uint64_t now_ns)
{
    return has_led_enough(leadership, status, now_ns) && now_ns >= leadership->retry_after_ns &&
           leadership_wait_ns(leadership, now_ns) == 0;
}

uint16_t leadership_due(struct leadership *leadership, const struct raft_status *status,
                        const struct leadership_voters *voters, uint64_t now_ns)
{
    const struct leadership_options *options = &leadership->options;
    if (!leadership_may_be_due(leadership, status, now_ns))
        return 0;
    uint16_t preferred = leadership_preferred(leadership, voters);
    uint16_t fittest = leadership_fittest(leadership, status, voters, now_ns);
    if (fittest == 0 || preferred == options->self)
        return 0;
    if (fittest != preferred && priority_of(leadership, fittest) <= options->priority)
        return 0;
    leadership->retry_after_ns = now_ns + options->retry_ns;
    return fittest;
}
