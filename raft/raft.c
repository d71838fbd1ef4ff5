/*
 * Birth, restoration, the one step, and the questions. A step judges its event first (nothing
 * changes if it is refused), then handles it, then looks at the clock: any event past a deadline
 * serves as the tick, so a busy caller needs none.
 */
#include "raft/raft_internal.h"
#include "raft/trace.h"

#include <string.h>

#define ALIGN_BYTES 64u

static size_t align_up(size_t size)
{
    return (size + ALIGN_BYTES - 1) & ~(size_t)(ALIGN_BYTES - 1);
}

static size_t inflight_offset(const struct raft_options *options)
{
    return align_up(sizeof(struct raft)) +
           align_up((size_t)options->trail_runs_max * sizeof(struct trail_run));
}

size_t raft_size(const struct raft_options *options)
{
    return inflight_offset(options) +
           align_up((size_t)RAFT_MEMBERS_MAX * options->inflight_max * sizeof(uint64_t));
}

static enum error check_options(const struct raft_options *options)
{
    if (options->heartbeat_interval_ns == 0 ||
        options->heartbeat_interval_ns >= options->election_timeout_min_ns ||
        options->election_timeout_min_ns > options->election_timeout_max_ns)
        return ERR_ARGUMENT;
    if (options->append_entries_max < 1 || options->append_entries_max > APPEND_ENTRIES_MAX ||
        options->append_size_bytes_soft < 1 || options->inflight_max < 1 ||
        options->inflight_max > RAFT_INFLIGHT_MAX || options->trail_runs_max < 1 ||
        options->sizes.size_bytes == NULL)
        return ERR_ARGUMENT;
    return OK;
}

static enum error check_restored(const struct raft_restored *restored)
{
    const struct raft_hard_state *hard_state = &restored->hard_state;
    if (hard_state->term > TERM_MAX || (hard_state->term == 0 && hard_state->vote != 0) ||
        restored->commit_index > INDEX_MAX)
        return ERR_ARGUMENT;
    if (restored->configuration.slot_count > 0 &&
        raft_configuration_check(&restored->configuration) != OK)
        return ERR_ARGUMENT;
    if (restored->first_index <= 1)
        return restored->term_before == 0 ? OK : ERR_ARGUMENT;
    if (restored->term_before == 0 || restored->term_before > hard_state->term ||
        restored->commit_index < restored->first_index - 1)
        return ERR_ARGUMENT;
    return OK;
}

static void init_peers(struct raft *raft, uint8_t *memory)
{
    uint64_t *inflight = (uint64_t *)(void *)(memory + inflight_offset(&raft->options));
    for (uint32_t slot = 0; slot < RAFT_MEMBERS_MAX; slot++)
        raft->peers[slot].inflight = inflight + (size_t)slot * raft->options.inflight_max;
}

static void init_log(struct raft *raft, uint8_t *memory, const struct raft_restored *restored)
{
    uint8_t *runs = memory + align_up(sizeof(struct raft));
    trail_init(&raft->trail, (struct trail_run *)(void *)runs, raft->options.trail_runs_max);
    if (restored->first_index > 1)
        trail_begin(&raft->trail, restored->first_index, restored->term_before);
    raft->durable_index = raft->trail.last_index;
    raft->hard_state = restored->hard_state;
    raft->durable_hard_state = restored->hard_state;
    raft->commit_index = restored->commit_index;
    raft_set_configuration(raft, &restored->configuration, restored->configuration_index);
}

enum error raft_init(void *memory, const struct raft_options *options,
                     const struct raft_restored *restored, uint64_t now_ns, struct raft **ret_raft)
{
    CHECK((uintptr_t)memory % ALIGN_BYTES == 0);
    enum error error = check_options(options);
    if (error == OK)
        error = check_restored(restored);
    if (error != OK)
        return error;

    struct raft *raft = memory;
    memset(raft, 0, sizeof(*raft));
    raft->options = *options;
    error = raft_formation_init(raft);
    if (error != OK)
        return error;
    raft->now_ns = now_ns;
    init_peers(raft, memory);
    init_log(raft, memory, restored);
    prng_init(&raft->prng, options->seed);
    if (restored->is_tail_suspect)
        raft->suspicion = (uint32_t)prng_next(&raft->prng) | 1;
    raft_reset_election_timer(raft);
    *ret_raft = raft;
    return OK;
}

enum error raft_restore_entry(struct raft *raft, uint64_t index, uint64_t term)
{
    if (index != raft->trail.last_index + 1 || index > INDEX_MAX)
        return ERR_RANGE;
    if (term == 0 || term < raft_last_term(raft) || term > raft->hard_state.term)
        return ERR_RANGE;
    if (!trail_has_room(&raft->trail, term))
        return ERR_FULL;
    trail_append(&raft->trail, term);
    raft->durable_index = index;
    return OK;
}

enum error raft_restore_configuration(struct raft *raft, const uint8_t *payload, size_t size_bytes)
{
    struct raft_configuration configuration;
    enum error error = raft_configuration_decode(payload, size_bytes, &configuration);
    if (error == OK && configuration.format > raft->options.format_max)
        error = ERR_VERSION;
    if (error != OK)
        return error;
    if (raft->trail.last_index > raft->configuration_index) /* else a snapshot has brought it */
        raft_append_configuration(raft, &configuration, raft->trail.last_index);
    return OK;
}

/* A leader that has lost its quorum, but has not been woken to notice, takes nothing on any
 * more. */
static enum error check_leader(const struct raft *raft, uint64_t now_ns)
{
    if (raft->role != RAFT_LEADER || raft_has_lost_quorum(raft, now_ns))
        return ERR_NOT_LEADER;
    return OK;
}

static enum error check_propose(const struct raft *raft)
{
    if (raft->transfer_to.birth != 0)
        return ERR_BUSY;
    return raft->trail.last_index < INDEX_MAX ? OK : ERR_FULL;
}

static enum error check_event(struct raft *raft, const struct raft_event *event)
{
    enum error error = OK;
    switch (event->type) {
    case RAFT_EVENT_RECEIVE:
        return raft_check_message(raft, event->receive.message, event->receive.entries);
    case RAFT_EVENT_PROPOSE:
        error = check_leader(raft, event->now_ns);
        return error == OK ? check_propose(raft) : error;
    case RAFT_EVENT_READ:
        return check_leader(raft, event->now_ns);
    case RAFT_EVENT_TRANSFER:
        error = check_leader(raft, event->now_ns);
        return error == OK ? raft_check_transfer(raft, event->transfer_to) : error;
    case RAFT_EVENT_INSTALLED:
        return raft_check_installed(event);
    case RAFT_EVENT_RECONFIGURE:
        error = check_leader(raft, event->now_ns);
        return error == OK ? raft_check_reconfigure(raft, event->configuration) : error;
    case RAFT_EVENT_TICK:
    case RAFT_EVENT_DURABLE:
    case RAFT_EVENT_STEP_DOWN:
        break;
    }
    return error;
}

static void begin_step(struct raft *raft, uint64_t now_ns, struct raft_effects *effects)
{
    raft->now_ns = now_ns;
    raft->sized_index = raft->trail.last_index;
    raft->before_hard_state = raft->hard_state;
    raft->before_role = raft->role;
    raft->before_leader = raft->leader.id;
    for (uint32_t slot = 0; slot < raft->configuration.slot_count; slot++)
        raft->peers[slot].step_appends = 0;

    /* The message arrays are left as they are: only counted ones are read. */
    effects->truncate_from = 0;
    effects->append_first = 0;
    effects->append_count = 0;
    effects->append_skip = 0;
    effects->append_own = (enum raft_entry_kind)0;
    effects->append_payload = NULL;
    effects->append_size_bytes = 0;
    effects->behind_begin = 0;
    effects->is_log_reset = false;
    effects->now_count = 0;
    effects->after_count = 0;
    raft->effects = effects;
}

static void handle_event(struct raft *raft, const struct raft_event *event)
{
    switch (event->type) {
    case RAFT_EVENT_TICK:
        break;
    case RAFT_EVENT_RECEIVE:
        raft->heard_ns =
            event->receive.waited_ns < raft->now_ns ? raft->now_ns - event->receive.waited_ns : 0;
        raft_handle_message(raft, event->receive.message, event->receive.entries);
        break;
    case RAFT_EVENT_PROPOSE:
        raft_append_own(raft, (enum raft_entry_kind)0);
        break;
    case RAFT_EVENT_DURABLE:
        raft_handle_durable(raft, event->durable.index);
        raft_handle_vote_durable(raft, event->durable.hard_state);
        break;
    case RAFT_EVENT_READ:
        raft_handle_read(raft, event->read_id);
        break;
    case RAFT_EVENT_TRANSFER:
        raft_handle_transfer(raft, event->transfer_to);
        break;
    case RAFT_EVENT_INSTALLED:
        raft_handle_installed(raft, event);
        break;
    case RAFT_EVENT_STEP_DOWN:
        if (raft->role != RAFT_FOLLOWER)
            raft_become_follower(raft, raft->hard_state.term, RAFT_NOBODY);
        break;
    case RAFT_EVENT_RECONFIGURE:
        raft_handle_reconfigure(raft, event->configuration);
        break;
    }
}

/* The quorum comes first: a leader that steps down must not send. */
static void check_timeouts(struct raft *raft)
{
    if (raft->role == RAFT_LEADER)
        raft_check_quorum(raft);
    if (raft->role == RAFT_LEADER)
        raft_check_membership(raft);
    raft_check_election_timeout(raft);
    if (raft->role != RAFT_LEADER)
        return;
    raft_check_transfer_timeout(raft);
    raft_check_losses(raft);
    raft_replicate(raft);
    raft_send_heartbeats(raft, raft->options.heartbeat_interval_ns);
}

static void end_step(struct raft *raft)
{
    struct raft_effects *effects = raft->effects;
    effects->hard_state = raft->hard_state;
    effects->hard_state_changed = raft_hard_state_is_dirty(raft);
    if (effects->hard_state_changed)
        raft->hard_state_ns = raft->now_ns;
    effects->commit_index = raft->commit_index;
    effects->read_released_id = raft->read_released_id;
    effects->read_released_index = raft->read_released_index;
    effects->role_changed = raft->role != raft->before_role ||
                            raft->leader.id != raft->before_leader ||
                            raft->hard_state.term != raft->before_hard_state.term;
    raft->effects = NULL;
}

static void trace_step(const struct raft *raft, const struct raft_event *event,
                       const struct raft_effects *effects)
{
    struct raft_transition transition = {
        .node = raft->options.self.id,
        .now_ns = raft->now_ns,
        .event = event->type,
        .role = raft->role,
        .term = raft->hard_state.term,
        .vote = raft->hard_state.vote,
        .leader = raft->leader.id,
        .last_index = raft->trail.last_index,
        .last_term = raft_last_term(raft),
        .commit_index = raft->commit_index,
        .durable_index = raft->durable_index,
        .truncate_from = effects->truncate_from,
        .append_count = effects->append_count,
    };
    if (event->type == RAFT_EVENT_RECEIVE) {
        transition.message = event->receive.message->type;
        transition.from = event->receive.message->from.id;
    }
    raft->options.trace(raft->options.trace_context, &transition);
}

enum error raft_step(struct raft *raft, const struct raft_event *event,
                     struct raft_effects *ret_effects)
{
    CHECK(event->now_ns >= raft->now_ns);
    CHECK(raft->commit_index <= raft->trail.last_index);
    enum error error = check_event(raft, event);
    if (error != OK)
        return error;

    begin_step(raft, event->now_ns, ret_effects);
    handle_event(raft, event);
    check_timeouts(raft);
    end_step(raft);
    if (raft->options.trace != NULL)
        trace_step(raft, event, ret_effects);
#ifdef POLLUX_DEBUG
    raft_check_invariants(raft);
#endif
    return OK;
}

static uint64_t peer_deadline_ns(const struct raft *raft, const struct raft_peer *peer)
{
    uint64_t heartbeat_ns = peer->sent_ns + raft->options.heartbeat_interval_ns;
    uint64_t retry_ns = peer->progress_ns + peer->retry_ns;
    return peer->inflight_count > 0 && retry_ns < heartbeat_ns ? retry_ns : heartbeat_ns;
}

uint64_t raft_deadline_ns(const struct raft *raft)
{
    if (raft->role != RAFT_LEADER)
        return raft->election_deadline_ns;
    uint64_t deadline_ns = raft->quorum_check_ns;
    if (raft->transfer_to.birth != 0 && raft->transfer_deadline_ns < deadline_ns)
        deadline_ns = raft->transfer_deadline_ns;
    for (uint32_t slot = 0; slot < raft->configuration.slot_count; slot++) {
        if (!raft_is_peer(raft, slot))
            continue;
        uint64_t peer_ns = peer_deadline_ns(raft, &raft->peers[slot]);
        if (peer_ns < deadline_ns)
            deadline_ns = peer_ns;
    }
    return deadline_ns;
}

bool raft_has_backlog(const struct raft *raft)
{
    if (raft->role != RAFT_LEADER)
        return false;
    for (uint32_t slot = 0; slot < raft->configuration.slot_count; slot++) {
        if (raft_is_peer(raft, slot) && raft_peer_can_send(raft, &raft->peers[slot]))
            return true;
    }
    return false;
}

void raft_status(const struct raft *raft, struct raft_status *ret_status)
{
    bool is_leader = raft->role == RAFT_LEADER;
    *ret_status = (struct raft_status){
        .role = raft->role,
        .term = raft->hard_state.term,
        .leader = raft->leader.id,
        .last_index = raft->trail.last_index,
        .commit_index = raft->commit_index,
        .durable_index = raft->durable_index,
        .leader_contact_ns =
            is_leader ? raft_quorum_contact_ns(raft, raft->now_ns) : raft->leader_contact_ns,
        .quorum_contact_ns = raft_fresh_contact_ns(raft),
        .is_tail_suspect = raft_is_suspect(raft),
        .has_own_commit = raft_has_own_commit(raft),
        .is_transferring = raft->transfer_to.birth != 0,
        .transfer_to = raft->transfer_to.id,
        .birth = raft->options.self.birth,
        .is_formed = raft_is_formed(raft),
        .membership = raft->self_slot != RAFT_SLOT_NONE
                          ? raft->configuration.members[raft->self_slot].membership
                          : RAFT_NO_MEMBER,
    };
}

bool raft_storage_progress(const struct raft *raft, uint64_t birth,
                           struct raft_peer_progress *ret_progress)
{
    uint32_t slot = raft_configuration_slot(&raft->configuration, birth);
    if (raft->role != RAFT_LEADER || slot == RAFT_SLOT_NONE || slot == raft->self_slot)
        return false;
    const struct raft_peer *peer = &raft->peers[slot];
    *ret_progress =
        (struct raft_peer_progress){.storage = peer->storage,
                                    .membership = raft->configuration.members[slot].membership,
                                    .match_index = peer->match_index,
                                    .contact_ns = peer->contact_ns,
                                    .is_suspect = peer->suspicion != 0};
    return true;
}

bool raft_peer_progress(const struct raft *raft, uint16_t id,
                        struct raft_peer_progress *ret_progress)
{
    const struct raft_member *member = raft_configuration_node(&raft->configuration, id);
    return member != NULL && raft_storage_progress(raft, member->storage.birth, ret_progress);
}

uint64_t raft_configuration_version(const struct raft *raft)
{
    return raft->configuration_version;
}

const struct raft_configuration *raft_configuration_of(const struct raft *raft, uint64_t *ret_index)
{
    *ret_index = raft->configuration_index;
    return &raft->configuration;
}

uint64_t raft_term_at(const struct raft *raft, uint64_t index)
{
    return trail_term_at(&raft->trail, index);
}

uint64_t raft_first_index(const struct raft *raft)
{
    return raft->trail.first_index;
}

uint32_t raft_terms_room(const struct raft *raft)
{
    return raft->trail.runs_max - raft->trail.run_count;
}
