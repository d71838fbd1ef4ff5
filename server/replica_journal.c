/*
 * The relaxed journal in a replica's life: opened beside the log, drained in the same turn,
 * replayed into the engine before the first packet, and forgotten as the log decides its entries:
 * only when a durable record says that the deciding ones are committed, so that a restart applies
 * them before it answers anybody.
 */
#include "base/check.h"
#include "server/replica_internal.h"

#include "wire/wire_entry.h"
#include "wire/wire_forward.h"

#include <stdio.h>
#include <string.h>

#define ASIDE_KEYS_MAX  3u
#define ASIDE_KEY_CHARS 32u

/* The smallest op of an entry: so many ops a journal can hold at most. */
#define JOURNAL_OP_SIZE_BYTES_MIN WIRE_OP_HEADER_SIZE_BYTES

/* The numbers of a start: so many, before those of the next begin. A start that gives more goes on
 * with those of the next, which then goes on behind what it finds in the journal. */
#define JOURNAL_SEQ_START_SHIFT 40
#define JOURNAL_STARTS_MAX      (UINT32_C(1) << 20)
static_assert(JOURNAL_SEQ_START_SHIFT + 20 < 62, "the numbers of all starts fit");

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
    engine->series = 1; /* the storage says which: replica_open_journal */
    engine->journal_first_seq = 1;
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

/*
 * Each start begins with a number that no earlier start of the storage can have reached. So a
 * journal that was lost or is damaged needs no memory of what it gave: docs/relaxed-writes.md.
 */
static uint64_t first_seq_of(uint32_t start_count)
{
    uint64_t starts = start_count < JOURNAL_STARTS_MAX ? start_count : JOURNAL_STARTS_MAX;
    return 1 + (starts << JOURNAL_SEQ_START_SHIFT);
}

/* Adds a key to the text, as far as it can be printed. */
static void add_key(char *text, size_t text_size, struct span key)
{
    size_t length = strlen(text);
    for (size_t i = 0; i < key.size_bytes && i < ASIDE_KEY_CHARS && length + 3 < text_size; i++) {
        bool is_printable = key.data[i] > ' ' && key.data[i] <= '~';
        text[length++] = is_printable ? (char)key.data[i] : '?';
    }
    text[length++] = ' ';
    text[length] = '\0';
}

/* The keys of an entry; returns how many writes it has. */
static uint32_t entry_look(struct replica_aside *aside, struct span payload)
{
    struct wire_entry entry;
    struct wire_request request;
    struct wire_op op;
    size_t cursor = 0;
    uint32_t count = 0;
    if (wire_entry_decode(payload, &entry) != OK ||
        wire_request_decode(entry.request, &request) != OK)
        return 0;
    for (uint16_t i = 0; i < request.op_count; i++) {
        if (wire_op_decode(request.ops, &cursor, &op) != OK || op.type != WIRE_OP_SET)
            continue;
        count++;
        if (aside->writes + count <= ASIDE_KEYS_MAX)
            add_key(aside->keys, sizeof(aside->keys), op.key);
    }
    return count;
}

/*
 * A journal of another storage of this node: that storage was lost, or came back from somewhere.
 * What the journal holds may be in the log or not, and its series is closed or will be. So it is
 * told, and kept under another name.
 */
static enum error set_other_aside(struct replica *replica, char *ret_reason, size_t reason_size)
{
    struct replica_aside *aside = &replica->recovery.aside;
    uint64_t cursor = 0;
    uint64_t seq;
    struct span payload;
    aside->series = replica->recovery.journal.other_series;
    while (journal_next(replica->journal, &cursor, &seq, &payload))
        aside->writes += entry_look(aside, payload);
    struct journal *journal = replica->journal;
    replica->journal = NULL;
    return journal_set_aside(journal, &replica->options.journal, aside->writes, ret_reason,
                             reason_size);
}

enum error replica_open_journal(struct replica *replica, char *ret_reason, size_t reason_size)
{
    struct journal_options *options = &replica->options.journal;
    if (options->size_bytes == 0)
        return OK;
    struct journal_recovery *recovery = &replica->recovery.journal;
    struct engine_options *engine = &replica->options.engine;
    size_t used_bytes = replica->shared->arena.used_bytes;
    engine->series = wire_series(replica->recovery.log.birth);
    options->next_needed = next_needed;
    options->context = replica;
    options->series = engine->series;
    enum error error = journal_open(options, &replica->shared->arena, &replica->journal, recovery);
    if (error == OK && recovery->other_series != 0) {
        error = set_other_aside(replica, ret_reason, reason_size);
        arena_give_back(&replica->shared->arena, used_bytes);
        if (error != OK)
            return error;
        error = journal_open(options, &replica->shared->arena, &replica->journal, recovery);
    }
    if (error != OK) {
        snprintf(ret_reason, reason_size, "%s", recovery->note);
        return error;
    }
    engine->journal_first_seq = first_seq_of(log_start_count(replica->log));
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
            snprintf(ret_reason, reason_size, "%s: entry %lu: %s%s", replica->options.journal.path,
                     (unsigned long)seq, error_text(error),
                     error == ERR_FULL ? "; raise [node] relaxed_size" : "");
            return error;
        }
    }
    return OK;
}

void replica_forward_pending(struct replica *replica)
{
    struct span request;
    if (!engine_forward(replica->engine, &request))
        return;
    const struct address *to = replica_peer_address(replica, replica->view.leader);
    if (to == NULL)
        return;
    const struct cluster_identity told = cluster_membership_told(&replica->cluster);
    struct wire_writer writer = {.data = replica->shared->message_data,
                                 .capacity_bytes = MESSAGE_SIZE_BYTES_MAX};
    wire_forward_encode(&writer, &(struct wire_forward){.fingerprint = replica->fingerprint,
                                                        .cluster = told.cluster,
                                                        .era = told.era,
                                                        .birth = replica->options.raft.self.birth,
                                                        .start = replica->own_start.start,
                                                        .drops = replica_told_drops(replica),
                                                        .request = request});
    replica_send_node(replica, replica->view.leader, to, WIRE_FORWARD,
                      span_of(writer.data, writer.size_bytes));
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
