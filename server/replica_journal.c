/*
 * The relaxed journal in a replica's life: opened beside the log, drained in the same turn,
 * replayed into the engine before the first packet, and forgotten as the log decides its entries:
 * only when a durable record says that the deciding ones are committed, so that a restart applies
 * them before it answers anybody.
 */
#include "base/check.h"
#include "server/replica_internal.h"

#include <stdio.h>

/* The smallest op of an entry: so many ops a journal can hold at most. */
#define JOURNAL_OP_SIZE_BYTES_MIN WIRE_OP_HEADER_SIZE_BYTES

static enum error append(void *context, uint64_t seq, struct span payload)
{
    struct replica *replica = context;
    enum error error = journal_append(replica->journal, seq, payload);
    if (error == OK)
        replica->counters.journal_appended++;
    return error;
}

static uint64_t next_needed(void *context, uint64_t seq)
{
    const struct replica *replica = context;
    return engine_next_pending(replica->engine, seq);
}

void replica_fill_journal_options(struct replica *replica)
{
    struct engine_options *engine = &replica->options.engine;
    uint32_t pending_max = engine->pending_max;
    engine->journal = (struct engine_journal){0};
    engine->journal_first_seq = 0;
    engine->pending_max = 0;
    engine->pending_blocks_max = 0;
    replica->options.journal.identity = replica->options.log.identity;
    if (replica->options.journal.size_bytes == 0)
        return;
    size_t size = journal_bank_size_bytes(&replica->options.journal);
    engine->journal = (struct engine_journal){.append = append, .context = replica};
    engine->journal_first_seq = replica->options.wall_ns > 0 ? replica->options.wall_ns : 1;
    engine->pending_max = (uint32_t)(size / JOURNAL_OP_SIZE_BYTES_MIN);
    if (pending_max > 0 && pending_max < engine->pending_max)
        engine->pending_max = pending_max;
    engine->pending_blocks_max = (uint32_t)(size / ENGINE_BLOCK_SIZE_BYTES);
}

size_t replica_journal_arena_bytes(const struct replica_options *replica)
{
    struct journal_options options = replica->journal;
    if (options.size_bytes == 0)
        return 0;
    options.size_bytes = journal_bank_size_bytes(&options);
    return journal_arena_bytes(&options);
}

enum error replica_open_journal(struct replica *replica, char *ret_reason, size_t reason_size)
{
    struct journal_options *options = &replica->options.journal;
    if (options->size_bytes == 0)
        return OK;
    struct journal_recovery *recovery = &replica->recovery.journal;
    options->next_needed = next_needed;
    options->context = replica;
    enum error error = journal_open(options, &replica->shared->arena, &replica->journal, recovery);
    if (error != OK) {
        snprintf(ret_reason, reason_size, "%s", recovery->note);
        return error;
    }
    struct engine_options *engine = &replica->options.engine;
    if (engine->journal_first_seq <= recovery->last_seq)
        engine->journal_first_seq = recovery->last_seq + 1;
    engine->has_lost_journal = recovery->is_created || recovery->is_damaged;
    return OK;
}

/* False: this node lacks capacity for a record. */
static bool apply_log(struct replica *replica)
{
    uint64_t first_index = engine_applied_index(replica->engine) + 1;
    for (uint64_t index = first_index; index <= replica->commit_index; index++) {
        if (!replica_apply(replica, index))
            return false;
    }
    vouch_begin(&replica->vouch, replica->commit_index);
    return true;
}

enum error replica_restore_pending(struct replica *replica, char *ret_reason, size_t reason_size)
{
    if (replica->journal == NULL)
        return OK;
    if (!apply_log(replica)) {
        replica_describe_lack(replica, ret_reason, reason_size);
        return ERR_FULL;
    }
    uint64_t cursor = 0;
    uint64_t seq;
    struct span payload;
    while (journal_next(replica->journal, &cursor, &seq, &payload)) {
        enum error error = engine_journal_restore(replica->engine, seq, payload);
        if (error != OK) {
            snprintf(ret_reason, reason_size, "%s: entry %lu: %s", replica->options.journal.path,
                     (unsigned long)seq, error_text(error));
            return error;
        }
    }
    return OK;
}

void replica_forward_pending(struct replica *replica)
{
    struct span body;
    if (!engine_forward(replica->engine, &body))
        return;
    const struct address *to = replica_peer_address(replica, replica->view.leader);
    if (to != NULL)
        replica_send(replica, to, WIRE_FORWARD, body);
}

enum error replica_follow_journal(struct replica *replica)
{
    uint64_t seq;
    if (replica->journal == NULL)
        return OK;
    enum error error = journal_persisted(replica->journal, &seq);
    if (error != OK)
        return error;
    engine_journal_durable(replica->engine, seq);
    struct vouch_mark decided = {.seq = engine_journal_done(replica->engine),
                                 .index = engine_applied_index(replica->engine)};
    journal_forget(replica->journal,
                   vouch_advance(&replica->vouch, replica->durable_index, decided));
    return OK;
}
