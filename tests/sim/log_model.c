/* The model of one log; told in log_model.h. */
#include "tests/sim/log_model.h"

#include "base/check.h"
#include "pmem/log_internal.h"

void log_model_init(struct log_model *model)
{
    memset(model, 0, sizeof(*model));
    model->snapshot_count = 1;
    model->snapshots[0].is_settled = true; /* a log that never had a record has lost none */
    model->next_id = 1;
}

const struct model_snapshot *log_model_current(const struct log_model *model)
{
    return &model->snapshots[model->snapshot_count - 1];
}

enum error log_subject_open(struct log_subject *subject)
{
    const struct log_options options = {.path = MODEL_PATH,
                                        .size_bytes = MODEL_FILE_BYTES,
                                        .is_created = true,
                                        .identity = {.cluster_id = 11, .node = 3, .shard = 0}};
    if (subject->arena.base == NULL)
        CHECK(arena_init(&subject->arena, log_arena_bytes(MODEL_FILE_BYTES)) == OK);
    /* One arena serves every start: taken afresh, zeroed as a new one. */
    memset(subject->arena.base, 0, subject->arena.used_bytes);
    subject->arena.used_bytes = 0;
    return log_open(&options, &subject->arena, &subject->log, &subject->recovery);
}

void log_subject_close(struct log_subject *subject)
{
    log_close(subject->log);
    subject->log = NULL;
}

static struct model_snapshot *snapshot_push(struct log_model *model)
{
    CHECK(model->snapshot_count < MODEL_SNAPSHOTS_MAX);
    struct model_snapshot *snapshot = &model->snapshots[model->snapshot_count];
    *snapshot = model->snapshots[model->snapshot_count - 1];
    snapshot->ticket = 0;
    model->snapshot_count++;
    return snapshot;
}

static void payload_fill(uint64_t id, uint8_t *bytes, uint32_t size_bytes)
{
    struct prng prng;
    prng_init(&prng, id);
    for (uint32_t i = 0; i < size_bytes; i += 8) {
        uint64_t word = prng_next(&prng);
        memcpy(bytes + i, &word, size_bytes - i < 8 ? size_bytes - i : 8);
    }
}

void log_model_append(struct log_model *model, struct log_subject *subject, uint32_t size_bytes)
{
    struct model_snapshot *snapshot = snapshot_push(model);
    uint8_t payload[MODEL_PAYLOAD_MAX];
    struct model_record record = {
        .id = model->next_id++, .term = snapshot->term, .size_bytes = size_bytes};

    CHECK(size_bytes <= MODEL_PAYLOAD_MAX);
    CHECK(snapshot->last_index + 1 < MODEL_RECORDS_MAX);
    payload_fill(record.id, payload, size_bytes);
    snapshot->records[++snapshot->last_index] = record;
    snapshot->written_last_index = snapshot->last_index;
    const struct log_record written = {.index = snapshot->last_index,
                                       .term = record.term,
                                       .commit_index = snapshot->commit_index,
                                       .kind = 2,
                                       .payload = span_of(payload, size_bytes)};
    CHECK(log_append(subject->log, &written) == OK);
}

void log_model_truncate(struct log_model *model, struct log_subject *subject, uint64_t index)
{
    struct model_snapshot *snapshot = snapshot_push(model);
    CHECK(index > snapshot->commit_index);
    snapshot->last_index = index - 1;
    log_truncate(subject->log, index);
}

void log_model_vote(struct log_model *model, struct log_subject *subject, uint64_t term,
                    uint64_t vote)
{
    struct model_snapshot *snapshot = snapshot_push(model);
    snapshot->term = term;
    snapshot->vote = vote;
    log_write_hard_state(subject->log, term, vote);
}

void log_model_commit(struct log_model *model, struct log_subject *subject, uint64_t index)
{
    struct model_snapshot *snapshot = snapshot_push(model);
    CHECK(index >= snapshot->commit_index);
    CHECK(index <= snapshot->last_index);
    snapshot->commit_index = index;
    log_write_commit_hint(subject->log, index);
}

void log_model_suspect(struct log_model *model, struct log_subject *subject)
{
    CHECK(model->snapshot_count == 1 && log_last_index(subject->log) == 0);
    model->snapshots[0].is_settled = false;
    subject->log->is_suspect = true;
    subject->log->lost_through_index = LOG_LOST_EVERYTHING;
}

void log_model_settle(struct log_model *model, struct log_subject *subject)
{
    log_model_persist(model, subject); /* log_settle asks for one, too: this ticket comes before */
    struct model_snapshot *snapshot = snapshot_push(model);
    snapshot->is_settled = true;
    model->lost_last_index = 0;
    log_settle(subject->log);
}

void log_model_persist(struct log_model *model, struct log_subject *subject)
{
    model->snapshots[model->snapshot_count - 1].ticket = log_persist(subject->log);
}

/* Snapshot `first` is durable: without rot those before it can come back no more. */
static void model_forget(struct log_model *model, uint32_t first)
{
    if (model->has_rot) {
        model->durable = first;
        return;
    }
    memmove(&model->snapshots[0], &model->snapshots[first],
            (model->snapshot_count - first) * sizeof(model->snapshots[0]));
    model->snapshot_count -= first;
}

void log_model_collect(struct log_model *model, struct log_subject *subject)
{
    uint64_t ticket = 0;
    uint64_t index = 0;
    uint32_t durable = model->durable;
    if (log_persisted(subject->log, &ticket, &index) != OK)
        return;
    for (uint32_t i = durable; i < model->snapshot_count; i++)
        if (model->snapshots[i].ticket != 0 && model->snapshots[i].ticket <= ticket)
            durable = i;
    model_forget(model, durable);
    /* What is called durable must be in every state from the durable one on. */
    for (uint32_t i = model->durable; i < model->snapshot_count; i++)
        CHECK(index <= model->snapshots[i].written_last_index);
}

static bool record_is_equal(const struct log_subject *subject, uint64_t index,
                            const struct model_record *expected)
{
    uint8_t payload[MODEL_PAYLOAD_MAX];
    struct log_record record;
    log_read(subject->log, index, &record);
    payload_fill(expected->id, payload, expected->size_bytes);
    return record.index == index && record.term == expected->term && record.kind == 2 &&
           span_is_equal(record.payload, span_of(payload, expected->size_bytes));
}

static bool log_is_equal(const struct log_subject *subject, const struct model_snapshot *snapshot)
{
    if (log_last_index(subject->log) != snapshot->written_last_index)
        return false;
    for (uint64_t index = 1; index <= snapshot->written_last_index; index++)
        if (!record_is_equal(subject, index, &snapshot->records[index]))
            return false;
    return true;
}

/* Of a pair that is not durable the vote may be there without the birth that it was given to. */
static bool is_pair(const struct log_model *model, uint32_t i, const struct log_recovery *found)
{
    const struct model_snapshot *snapshot = &model->snapshots[i];
    bool is_unknown = found->vote == LOG_VOTE_UNKNOWN && snapshot->vote != 0 && i > model->durable;
    return snapshot->term == found->term && (snapshot->vote == found->vote || is_unknown);
}

/* A pair written since the acknowledged one; or no vote in the term of the last record, where that
 * record survived its term. Never a term below the last record's. */
static bool hard_state_is_allowed(const struct log_model *model, const struct log_subject *subject)
{
    const struct log_recovery *found = &subject->recovery;
    struct log_record last = {0};
    if (log_last_index(subject->log) > 0)
        log_read(subject->log, log_last_index(subject->log), &last);
    if (found->term < last.term)
        return false;
    for (uint32_t i = model->durable; i < model->snapshot_count; i++)
        if (is_pair(model, i, found))
            return true;
    return found->vote == 0 && found->term == last.term &&
           last.term > model->snapshots[model->durable].term;
}

/* Records up to the commit index found must be those that were committed. */
static bool commit_is_allowed(const struct log_model *model, const struct log_subject *subject)
{
    const struct model_snapshot *current = log_model_current(model);
    uint64_t commit_index = subject->recovery.commit_index;
    if (commit_index > current->commit_index || commit_index > log_last_index(subject->log))
        return false;
    for (uint64_t index = 1; index <= commit_index; index++)
        if (!record_is_equal(subject, index, &current->records[index]))
            return false;
    return true;
}

/* A log counts as settled only with the vote that was written before that. */
static bool settlement_is_allowed(const struct log_model *model, const struct log_subject *subject)
{
    const struct log_recovery *found = &subject->recovery;
    uint32_t first = model->durable;
    if (found->is_suspect || model->snapshots[first].is_settled)
        return true;
    while (first < model->snapshot_count && !model->snapshots[first].is_settled)
        first++;
    if (first == model->snapshot_count || found->term > model->snapshots[first].term)
        return first < model->snapshot_count;
    for (uint32_t i = first; i < model->snapshot_count; i++)
        if (is_pair(model, i, found))
            return true;
    return false;
}

static const char *suspicion_check(const struct log_model *model, const struct log_subject *subject,
                                   const struct model_snapshot *state)
{
    const struct log_recovery *found = &subject->recovery;
    if (found->last_index < model->lost_last_index && !found->is_suspect)
        return "acknowledged records were lost and the log is not suspect";
    if (!state->is_settled && !found->is_suspect)
        return "no quorum has settled the log and it is not suspect";
    if (found->is_suspect && found->note[0] == '\0')
        return "a suspect log without a note";
    if (!found->is_suspect && found->torn_bytes > 0)
        return "torn bytes and the log is not suspect";
    if (found->last_index != log_last_index(subject->log))
        return "the report and the log differ";
    return NULL;
}

const char *log_model_check(struct log_model *model, struct log_subject *subject)
{
    uint32_t found = model->snapshot_count;

    for (uint32_t i = 0; i < model->snapshot_count; i++)
        if (log_is_equal(subject, &model->snapshots[i]))
            found = i;
    if (found == model->snapshot_count)
        return "the log is none of the states it was in since the last acknowledged one";
    if (!hard_state_is_allowed(model, subject))
        return "term and vote are neither the acknowledged nor a later pair";
    if (!commit_is_allowed(model, subject))
        return "commit index above what was committed";
    if (found < model->durable) {
        if (!subject->recovery.is_suspect)
            return "an older state came back and the log is not suspect";
        model->lost_last_index = model->snapshots[model->durable].written_last_index;
    }
    if (!settlement_is_allowed(model, subject))
        return "settled without the vote that was to be durable before";
    const char *wrong = suspicion_check(model, subject, &model->snapshots[found]);
    if (wrong != NULL)
        return wrong;

    model->snapshots[0] = model->snapshots[found];
    model->snapshot_count = 1;
    model->durable = 0;
    model->snapshots[0].last_index = model->snapshots[0].written_last_index;
    model->snapshots[0].ticket = 0;
    model->snapshots[0].term = subject->recovery.term;
    model->snapshots[0].vote = subject->recovery.vote;
    model->snapshots[0].commit_index = subject->recovery.commit_index;
    if (subject->recovery.last_index >= model->lost_last_index)
        model->lost_last_index = 0;
    return NULL;
}
