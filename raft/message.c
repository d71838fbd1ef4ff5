/*
 * A message from outside: first judged without changing anything, then the term rules that all
 * types share (paper, figure 2, "Rules for Servers"), then the handler of its type.
 *
 * A message of a lower term is never just dropped when its sender waits for an answer: with
 * pre-vote and check-quorum nobody would otherwise tell a node of a higher term that it is needed,
 * or one of a lower term that it is outdated, and the cluster could stay leaderless (etcd issues
 * 8243 and 8501).
 */
#include "raft/raft_internal.h"

/* Only the leader of a term sends these, and a term has at most one (paper 5.2). */
static bool is_second_leader(const struct raft *raft, const struct raft_message *message)
{
    return message->term == raft->hard_state.term && raft->leader.birth != 0 &&
           raft->leader.birth != message->from.birth;
}

/* Who would form a cluster asks the founders for their births. */
static bool is_for_any_storage(const struct raft_message *message)
{
    return message->to.birth == 0 && message->type == RAFT_VOTE_REQUEST &&
           message->vote_request.is_pre_vote && message->vote_request.formation != 0;
}

/* A new storage has no term yet, and takes that of the cluster which it joins. */
static bool is_leap(const struct raft *raft, uint64_t term)
{
    uint64_t own = raft->hard_state.term;
    return own != 0 && term > own && term - own > TERM_LEAP_MAX;
}

/*
 * A request is judged by its term and log, and not by whether its sender is a member: a node whose
 * log is behind may not know the newest members yet (thesis 4.1). Replies are counted by the
 * configuration of who counts.
 */
enum error raft_check_message(struct raft *raft, const struct raft_message *message,
                              const struct raft_entry *entries)
{
    const struct raft_storage *self = &raft->options.self;
    if (message->to.id != self->id || message->from.id == self->id || message->from.id == 0 ||
        message->from.id > VOTER_ID_MAX || message->from.birth == 0)
        return ERR_RANGE;
    if (message->to.birth != self->birth && !is_for_any_storage(message))
        return ERR_STORAGE;
    if (message->from.birth == self->birth)
        return ERR_STORAGE; /* a copy of this storage */
    if (message->term == 0 || message->term > TERM_MAX)
        return ERR_RANGE;
    if (is_leap(raft, message->term))
        return ERR_TOO_LARGE;

    switch (message->type) {
    case RAFT_VOTE_REQUEST:
        return raft_check_vote_request(message);
    case RAFT_VOTE_REPLY:
        return raft_check_vote_reply(message);
    case RAFT_APPEND_REQUEST:
        if (is_second_leader(raft, message))
            return ERR_RANGE;
        return raft_check_append_request(raft, message, entries);
    case RAFT_APPEND_REPLY:
        return raft_check_append_reply(raft, message);
    case RAFT_TIMEOUT_NOW:
        return is_second_leader(raft, message) ? ERR_RANGE : OK;
    case RAFT_MESSAGE_TYPE_END:
        break;
    }
    return ERR_RANGE;
}

/* Tells the sender of an outdated request our term, and claims nothing: its round is of another
 * term and must not confirm a read there. */
static void refuse_outdated(struct raft *raft, const struct raft_message *message)
{
    if (message->type == RAFT_APPEND_REQUEST) {
        raft_emit_now(raft, RAFT_APPEND_REPLY, message->from);
    } else if (message->type == RAFT_VOTE_REQUEST) {
        struct raft_message *reply = raft_emit_now(raft, RAFT_VOTE_REPLY, message->from);
        reply->vote_reply.is_pre_vote = message->vote_request.is_pre_vote;
    }
}

/* Vote requests judge the term themselves, as the lease and pre-vote come first. A granted pre-vote
 * reply carries a term that nobody has reached yet (thesis 9.6). */
static bool is_term_adopted(const struct raft_message *message)
{
    if (message->type == RAFT_VOTE_REQUEST)
        return false;
    if (message->type == RAFT_VOTE_REPLY)
        return !(message->vote_reply.is_pre_vote && message->vote_reply.is_granted);
    return true;
}

void raft_handle_message(struct raft *raft, const struct raft_message *message,
                         const struct raft_entry *entries)
{
    if (message->term < raft->hard_state.term) {
        refuse_outdated(raft, message);
        return;
    }
    if (message->term > raft->hard_state.term && is_term_adopted(message))
        raft_become_follower(raft, message->term, RAFT_NOBODY);

    switch (message->type) {
    case RAFT_VOTE_REQUEST:
        raft_handle_vote_request(raft, message);
        break;
    case RAFT_VOTE_REPLY:
        raft_handle_vote_reply(raft, message);
        break;
    case RAFT_APPEND_REQUEST:
        raft_handle_append_request(raft, message, entries);
        break;
    case RAFT_APPEND_REPLY:
        raft_handle_append_reply(raft, message);
        break;
    case RAFT_TIMEOUT_NOW:
        raft_handle_timeout_now(raft, message);
        break;
    case RAFT_MESSAGE_TYPE_END:
        break;
    }
}
