/*
 * The two outboxes of a step (etcd-io/raft's Messages and "after append" messages): `now` may leave
 * at once; `after` promises something that a crash must not undo, and waits for durability.
 */
#include "raft/raft_internal.h"

static void message_init(const struct raft *raft, struct raft_message *message,
                         enum raft_message_type type, struct raft_storage to)
{
    *message = (struct raft_message){
        .type = type,
        .from = raft->options.self,
        .to = to,
        .term = raft->hard_state.term,
    };
}

struct raft_message *raft_emit_now(struct raft *raft, enum raft_message_type type,
                                   struct raft_storage to)
{
    struct raft_effects *effects = raft->effects;
    CHECK(effects->now_count < RAFT_STEP_MESSAGES_MAX);
    struct raft_message *message = &effects->now[effects->now_count++];
    message_init(raft, message, type, to);
    return message;
}

struct raft_message *raft_emit_after(struct raft *raft, enum raft_message_type type,
                                     struct raft_storage to)
{
    struct raft_effects *effects = raft->effects;
    CHECK(effects->after_count < RAFT_STEP_MESSAGES_MAX);
    struct raft_message *message = &effects->after[effects->after_count++];
    message_init(raft, message, type, to);
    return message;
}

struct raft_message *raft_emit_reply(struct raft *raft, enum raft_message_type type,
                                     struct raft_storage to)
{
    return raft_hard_state_is_dirty(raft) ? raft_emit_after(raft, type, to)
                                          : raft_emit_now(raft, type, to);
}
