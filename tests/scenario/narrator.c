/* See narrator.h. Index and term of a record are written index/term. */
#include "tests/scenario/narrator.h"

#include "base/check.h"
#include "tests/scenario/trace_lines.h"
#include "tests/unit/raft/members.h"

#include <inttypes.h>

static struct storage_name own_name(const struct narrator *narrator, uint16_t id)
{
    return members_name(narrator->cluster->nodes[id].options.self);
}

static void tell_append_request(FILE *out, const struct raft_message *message)
{
    uint64_t previous = message->append_request.previous_index;
    uint32_t count = message->append_request.entry_count;
    fprintf(out, " previous %" PRIu64 "/%" PRIu64, previous, message->append_request.previous_term);
    if (count == 0)
        fprintf(out, " empty");
    else if (count == 1)
        fprintf(out, " record %" PRIu64, previous + 1);
    else
        fprintf(out, " records %" PRIu64 "-%" PRIu64, previous + 1, previous + count);
    fprintf(out, " commit %" PRIu64 " round %" PRIu64 "%s", message->append_request.commit_index,
            message->append_request.round,
            message->append_request.suspicion != 0 ? " suspect" : "");
}

static void tell_append_reply(FILE *out, const struct raft_message *message)
{
    if (message->append_reply.is_success)
        fprintf(out, " match %" PRIu64 " round %" PRIu64, message->append_reply.match_index,
                message->append_reply.round);
    else if (message->append_reply.rejected_index == 0)
        fprintf(out, " outdated");
    else
        fprintf(out, " rejects %" PRIu64 " conflict %" PRIu64 "/%" PRIu64 " round %" PRIu64,
                message->append_reply.rejected_index, message->append_reply.conflict_index,
                message->append_reply.conflict_term, message->append_reply.round);
    fprintf(out, "%s", message->append_reply.suspicion != 0 ? " suspect" : "");
}

void narrator_message(FILE *out, const struct raft_message *message)
{
    fprintf(out, "%s->%s %s term %" PRIu64, members_name(message->from).text,
            members_name(message->to).text, trace_lines_message_name(message->type), message->term);
    switch (message->type) {
    case RAFT_VOTE_REQUEST:
        fprintf(out, "%s%s%s last %" PRIu64 "/%" PRIu64,
                message->vote_request.formation != 0 ? " formation" : "",
                message->vote_request.is_pre_vote ? " pre" : "",
                message->vote_request.is_transfer ? " transfer" : "",
                message->vote_request.last_index, message->vote_request.last_term);
        break;
    case RAFT_VOTE_REPLY:
        fprintf(out, "%s %s%s", message->vote_reply.is_pre_vote ? " pre" : "",
                message->vote_reply.is_granted ? "granted" : "refused",
                message->vote_reply.is_suspect ? " suspect" : "");
        break;
    case RAFT_APPEND_REQUEST:
        tell_append_request(out, message);
        break;
    case RAFT_APPEND_REPLY:
        tell_append_reply(out, message);
        break;
    case RAFT_TIMEOUT_NOW:
    case RAFT_MESSAGE_TYPE_END:
        break;
    }
    fprintf(out, "\n");
}

static struct narrator_view view_of(const struct narrator *narrator, uint16_t id)
{
    const struct cluster_node *node = &narrator->cluster->nodes[id];
    struct raft_status status = cluster_status(narrator->cluster, id);
    return (struct narrator_view){
        .role = status.role,
        .hard_state = node->written->hard_state,
        .leader = status.leader,
        .commit_index = status.commit_index,
        .durable_index = status.durable_index,
        .is_tail_suspect = status.is_tail_suspect,
        .is_transferring = status.is_transferring,
    };
}

void narrator_forget(struct narrator *narrator, uint16_t id)
{
    narrator->views[id] = view_of(narrator, id);
}

static FILE *line(struct narrator *narrator)
{
    narrator->lines++;
    fprintf(narrator->out, "  ");
    return narrator->out;
}

static void tell_role(struct narrator *narrator, uint16_t id, const struct narrator_view *now)
{
    const struct narrator_view *was = &narrator->views[id];
    if (now->role != was->role || now->hard_state.term != was->hard_state.term ||
        now->hard_state.vote != was->hard_state.vote || now->leader != was->leader)
        fprintf(line(narrator), "%s is %s term %" PRIu64 " vote %" PRIu64 " leader %u\n",
                own_name(narrator, id).text, trace_lines_role_name(now->role), now->hard_state.term,
                now->hard_state.vote, now->leader);
    if (now->is_tail_suspect != was->is_tail_suspect)
        fprintf(line(narrator), "%s is %s\n", own_name(narrator, id).text,
                now->is_tail_suspect ? "suspect" : "suspect no more");
    if (now->is_transferring != was->is_transferring)
        fprintf(line(narrator), "%s %s\n", own_name(narrator, id).text,
                now->is_transferring ? "transfers" : "transfers no more");
}

static void tell_change(const struct narrator *narrator, uint32_t number)
{
    const struct cluster_change *change = &narrator->cluster->changes[number - 1];
    struct raft_configuration configuration;
    CHECK(raft_configuration_decode(change->bytes, change->size_bytes, &configuration) == OK);
    fprintf(narrator->out, " members %s", members_text(&configuration).text);
}

static void tell_log(struct narrator *narrator, uint16_t id, const struct narrator_view *now)
{
    const struct narrator_view *was = &narrator->views[id];
    const struct cluster_node *node = &narrator->cluster->nodes[id];
    const struct raft_effects *effects = &node->effects;
    if (effects->truncate_from != 0)
        fprintf(line(narrator), "%s truncates from %" PRIu64 "\n", own_name(narrator, id).text,
                effects->truncate_from);
    for (uint32_t i = 0; i < effects->append_count; i++) {
        uint64_t index = effects->append_first + i;
        const struct cluster_record *record = &node->written->log[index];
        fprintf(line(narrator), "%s appends %" PRIu64 "/%" PRIu64 "%s", own_name(narrator, id).text,
                index, record->term, effects->append_own == RAFT_ENTRY_NOOP ? " no-op" : "");
        if (record->change != 0)
            tell_change(narrator, record->change);
        fprintf(narrator->out, "\n");
    }
    if (now->durable_index != was->durable_index && !narrator->is_brief)
        fprintf(line(narrator), "%s durable to %" PRIu64 "\n", own_name(narrator, id).text,
                now->durable_index);
    if (now->commit_index != was->commit_index)
        fprintf(line(narrator), "%s commits %" PRIu64 "\n", own_name(narrator, id).text,
                now->commit_index);
}

static void tell_outboxes(struct narrator *narrator, const struct raft_effects *effects)
{
    for (uint32_t i = 0; i < effects->now_count; i++) {
        fprintf(line(narrator), "now   ");
        narrator_message(narrator->out, &effects->now[i]);
    }
    for (uint32_t i = 0; i < effects->after_count; i++) {
        fprintf(line(narrator), "after ");
        narrator_message(narrator->out, &effects->after[i]);
    }
}

void narrator_watch(void *context, uint16_t id, const struct raft_event *event)
{
    struct narrator *narrator = context;
    const struct raft_effects *effects = &narrator->cluster->nodes[id].effects;
    struct narrator_view now = view_of(narrator, id);
    (void)event;
    now.read_released_id = effects->read_released_id;
    tell_role(narrator, id, &now);
    tell_log(narrator, id, &now);
    if (now.read_released_id > narrator->views[id].read_released_id)
        fprintf(line(narrator), "%s serves reads to %" PRIu64 " at index %" PRIu64 "\n",
                own_name(narrator, id).text, effects->read_released_id,
                effects->read_released_index);
    if (!narrator->is_brief)
        tell_outboxes(narrator, effects);
    narrator->views[id] = now;
}

void narrator_network(struct narrator *narrator)
{
    for (uint32_t i = 0; i < narrator->cluster->packet_count; i++) {
        line(narrator);
        narrator_message(narrator->out, &narrator->cluster->packets[i].message);
    }
}

/* Nothing for a voter: nearly all are. */
static const char *standing(const struct raft_status *status)
{
    static const char *const names[] = {" no-member", " learner", "", " incoming", " outgoing"};
    return status->is_formed ? names[status->membership] : " unformed";
}

void narrator_status(struct narrator *narrator)
{
    for (uint16_t id = 1; id <= narrator->cluster->node_count; id++) {
        if (!narrator->cluster->nodes[id].is_alive) {
            fprintf(line(narrator), "%u down\n", id);
            continue;
        }
        struct raft_status status = cluster_status(narrator->cluster, id);
        fprintf(line(narrator),
                "%s %s term %" PRIu64 " vote %" PRIu64 " leader %u last %" PRIu64
                " durable %" PRIu64 " commit %" PRIu64 "%s%s%s%s\n",
                own_name(narrator, id).text, trace_lines_role_name(status.role), status.term,
                narrator->cluster->nodes[id].written->hard_state.vote, status.leader,
                status.last_index, status.durable_index, status.commit_index,
                status.has_own_commit ? " settled" : "", status.is_tail_suspect ? " suspect" : "",
                status.is_transferring ? " transferring" : "", standing(&status));
    }
}

void narrator_members(struct narrator *narrator)
{
    for (uint16_t id = 1; id <= narrator->cluster->node_count; id++) {
        if (!narrator->cluster->nodes[id].is_alive)
            continue;
        fprintf(line(narrator), "%s: %s\n", own_name(narrator, id).text,
                members_text(cluster_configuration(narrator->cluster, id)).text);
    }
}

void narrator_logs(struct narrator *narrator)
{
    for (uint16_t id = 1; id <= narrator->cluster->node_count; id++) {
        const struct cluster_image *image = narrator->cluster->nodes[id].written;
        fprintf(line(narrator), "%u:", id);
        for (uint64_t i = 1; i <= image->last; i++)
            fprintf(narrator->out, " %" PRIu64, image->log[i].term);
        fprintf(narrator->out, "\n");
    }
}
