/* See leadership.h. */
#include "server/leadership.h"

/* In longest election timeouts: a leader that was just elected has clients to take over and logs to
 * bring up to date, and two attempts may never follow each other faster than elections do. */
#define LEAD_TIMEOUTS  5
#define RETRY_TIMEOUTS 20

uint16_t leadership_preferred(const struct raft_options *raft, uint16_t shard, uint16_t shard_count)
{
    if (shard_count <= 1 || raft->founder_count == 0)
        return 0;
    uint32_t rank = shard % raft->founder_count;
    for (uint32_t i = 0; i < raft->founder_count; i++) {
        uint32_t below = 0;
        for (uint32_t j = 0; j < raft->founder_count; j++)
            below += raft->founders[j] < raft->founders[i];
        if (below == rank)
            return raft->founders[i];
    }
    return 0;
}

void leadership_init(struct leadership *leadership, const struct raft_options *raft,
                     uint16_t preferred)
{
    *leadership = (struct leadership){
        .options = {.self = raft->self.id,
                    .preferred = preferred,
                    .lead_min_ns = LEAD_TIMEOUTS * raft->election_timeout_max_ns,
                    .retry_ns = RETRY_TIMEOUTS * raft->election_timeout_max_ns,
                    .heard_max_ns = raft->election_timeout_min_ns}};
}

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

static bool is_ready(const struct leadership *leadership, const struct raft_status *status,
                     const struct raft_peer_progress *peer, uint64_t now_ns)
{
    return peer != NULL && !peer->is_suspect && peer->contact_ns != 0 &&
           now_ns - peer->contact_ns <= leadership->options.heard_max_ns &&
           peer->match_index >= status->commit_index &&
           status->last_index - peer->match_index <= LEADERSHIP_LAG_MAX;
}

bool leadership_is_due(struct leadership *leadership, const struct raft_status *status,
                       const struct raft_peer_progress *peer, uint64_t now_ns)
{
    const struct leadership_options *options = &leadership->options;
    if (options->preferred == 0 || options->preferred == options->self ||
        !has_led_enough(leadership, status, now_ns) || now_ns < leadership->retry_after_ns ||
        !is_ready(leadership, status, peer, now_ns))
        return false;
    leadership->retry_after_ns = now_ns + options->retry_ns;
    return true;
}
