/* A log: whose it is, its state, its starts, its records. See dump.h. */
#include "tools/dump/dump.h"

#include "raft/raft.h"

static const char *kind_name(uint8_t kind)
{
    switch (kind) {
    case RAFT_ENTRY_NOOP:
        return "first of a leader";
    case RAFT_ENTRY_DATA:
        return "batch";
    case RAFT_ENTRY_CONFIGURATION:
        return "configuration";
    default:
        return "?";
    }
}

static const char *fate_name(enum log_view_fate fate)
{
    switch (fate) {
    case LOG_VIEW_TAKEN:
        return "in the log";
    case LOG_VIEW_SUPERSEDED:
        return "superseded";
    case LOG_VIEW_UNLINKED:
        return "behind lost records";
    case LOG_VIEW_INVALID:
        break;
    }
    return "?";
}

static const char *ended_name(enum log_end_reason reason)
{
    switch (reason) {
    case LOG_END_NONE:
        return "no";
    case LOG_END_SET_BACK:
        return "set back";
    case LOG_END_ERA_OVER:
        return "era is over";
    }
    return "?";
}

static void show_header(struct output *output, const struct log_view_state *state)
{
    output_number(output, "version", state->version);
    output_name(output, "of_cluster", state->identity.cluster_id);
    output_number(output, "of_node", state->identity.node);
    output_number(output, "of_shard", state->identity.shard);
    if (!state->is_header_lost)
        output_name(output, "birth", state->birth);
    output_flag(output, "is_header_lost", state->is_header_lost);
    output_number(output, "size_bytes", state->file_bytes);
    output_number(output, "segment_bytes", state->segment_bytes);
    output_text(output, "has_ended", ended_name(state->ended));
}

static void show_hard_state(struct output *output, const struct log_view_state *state)
{
    output_flag(output, "is_hard_state_lost", state->is_hard_state_lost);
    output_number(output, "term", state->term);
    if (state->vote == LOG_VOTE_UNKNOWN)
        output_text(output, "vote", "a storage that is not known");
    else
        output_name(output, "vote", state->vote);
}

static void show_extent(struct output *output, const struct log_view_state *state)
{
    output_number(output, "first_index", state->first_index);
    output_number(output, "last_index", state->last_index);
    output_number(output, "commit_index", state->commit_index);
    output_flag(output, "is_suspect", state->is_suspect);
    if (state->lost_through_index == UINT64_MAX)
        output_text(output, "lost_through_index", "all");
    else
        output_number(output, "lost_through_index", state->lost_through_index);
    output_flag(output, "is_begin_settled", state->is_begin_settled);
    output_number(output, "used_bytes", state->used_bytes);
    output_number(output, "starts_noted", state->start_count);
    output_flag(output, "is_changing", state->is_changing);
}

static void show_segments(struct output *output, const struct log_view *view)
{
    static const char *const names[] = {
        [LOG_VIEW_DIRTY] = "dirty", [LOG_VIEW_CLEAN] = "clean", [LOG_VIEW_ROW] = "in the row"};
    struct log_view_segment segment;
    output_list(output, "segments");
    for (uint32_t slot = 0; log_view_segment(view, slot, &segment); slot++) { /* the slots */
        output_row(output, "segment");
        output_number(output, "slot", slot);
        output_text(output, "state", names[segment.state]);
        output_number(output, "sequence", segment.sequence);
        output_number(output, "offset", segment.offset);
        output_end(output);
    }
    output_end(output);
}

static void show_starts(struct output *output, const struct log_view *view)
{
    output_list(output, "starts");
    for (uint32_t age = 0; log_view_start(view, age) != 0; age++) { /* LOG_STARTS_MAX */
        output_row(output, "start");
        output_number(output, "age", age);
        output_name(output, "start", log_view_start(view, age));
        output_end(output);
    }
    output_end(output);
    output_list(output, "heard_starts");
    for (uint32_t place = 0; place < LOG_HEARD_PLACES; place++) {
        const struct log_heard *heard = log_heard(log_view_log(view), place);
        if (heard == NULL)
            continue;
        output_row(output, "heard_start");
        output_name(output, "birth", heard->birth);
        output_name(output, "start", heard->start);
        output_number(output, "sequence", heard->sequence);
        output_end(output);
    }
    output_end(output);
}

static void show_voted(struct output *output, const struct log_view *view)
{
    uint64_t birth;
    output_list(output, "voted_for");
    for (uint32_t place = 0; log_view_voted(view, place, &birth); place++) { /* the table */
        if (birth == 0)
            continue;
        output_row(output, "storage");
        output_name(output, "birth", birth);
        output_end(output);
    }
    output_end(output);
}

/* The newest one of the log is in force. */
static void show_configuration(struct dump *dump, const struct log_view *view)
{
    const struct log_view_state *state = log_view_state(view);
    for (uint64_t index = state->last_index; index >= state->first_index; index--) {
        struct log_record record;
        log_read(log_view_log(view), index, &record);
        if (record.kind != RAFT_ENTRY_CONFIGURATION)
            continue;
        dump_configuration(dump, index <= state->commit_index ? "log" : "log, not committed", index,
                           record.payload);
        return;
    }
}

static void show_place(struct dump *dump, const struct log_view_place *place)
{
    struct output *output = &dump->output;
    output_row(output, "record");
    output_number(output, "index", place->record.index);
    output_number(output, "term", place->record.term);
    output_text(output, "kind", kind_name(place->record.kind));
    if (place->fate != LOG_VIEW_TAKEN)
        output_text(output, "fate", fate_name(place->fate));
    output_number(output, "offset", place->offset);
    output_number(output, "payload_size_bytes", place->record.payload.size_bytes);
    output_number(output, "commit_index", place->record.commit_index);
    output_number(output, "previous_offset", place->previous_offset);
    if (place->was_suspect)
        output_flag(output, "was_suspect", true);
    if (place->begins_segment)
        output_flag(output, "begins_segment", true);
    dump_record(dump, &place->record);
    output_end(output);
}

static void show_records(struct dump *dump, const struct log_view *view)
{
    const struct dump_options *options = dump->options;
    struct log_view_walk walk = {0};
    struct log_view_place place;
    output_list(&dump->output, "records");
    while (log_view_next(view, &walk, &place)) { /* the places of the row */
        bool is_wanted = place.fate != LOG_VIEW_INVALID &&
                         place.record.index >= options->from_index &&
                         place.record.index <= options->to_index;
        if (is_wanted)
            show_place(dump, &place);
    }
    output_end(&dump->output);
}

/* What the committed records decide of relaxed writes, behind the snapshot. */
static void learn_decided(const struct log_view *view, struct dump_shard *shard)
{
    const struct log_view_state *state = log_view_state(view);
    if (state->first_index > shard->applied_index + 1)
        return; /* records in between are not here */
    for (uint64_t index = shard->applied_index + 1; index <= state->commit_index; index++) {
        struct log_record record;
        log_read(log_view_log(view), index, &record);
        if (record.kind == RAFT_ENTRY_DATA)
            decided_take_batch(&shard->decided, record.payload);
        shard->applied_index = index;
    }
}

static void show(struct dump *dump, const struct log_view *view)
{
    struct output *output = &dump->output;
    const struct log_view_state *state = log_view_state(view);
    const struct finding_sink sink = dump_finding_sink(dump);
    if (dump_has(dump, DUMP_LOG)) {
        show_header(output, state);
        show_hard_state(output, state);
        show_extent(output, state);
        show_segments(output, view);
        show_voted(output, view);
    }
    if (dump_has(dump, DUMP_STARTS))
        show_starts(output, view);
    if (dump_has(dump, DUMP_CONFIGURATION))
        show_configuration(dump, view);
    if (dump_has(dump, DUMP_LOG) && dump->options->has_records)
        show_records(dump, view);
    output_list(output, "findings");
    log_view_findings(view, &sink);
    output_end(output);
}

void dump_log(struct dump *dump, const char *path, struct dump_shard *shard)
{
    const uint32_t parts = DUMP_LOG | DUMP_STARTS | DUMP_CONFIGURATION;
    char note[VIEW_NOTE_BYTES];
    struct file_reader reader;
    struct log_view *view;
    if (!dump_has(dump, parts | DUMP_JOURNAL)) /* which asks what the log has decided */
        return;
    dump_mute_unless(dump, parts);
    output_object(&dump->output, "log");
    dump_file(dump, path);
    enum error error = file_reader_open(path, &reader, note, sizeof(note));
    if (error != OK) {
        dump_refuse_of(dump, shard, error, note);
    } else {
        const struct log_view_options options = {.path = path,
                                                 .reader = &reader,
                                                 .identity = shard->owner,
                                                 .is_all_read = dump->options->is_all_read};
        error = log_view_open(&options, &view, note);
        if (error == OK) {
            learn_decided(view, shard);
            show(dump, view);
            log_view_close(view);
        } else {
            dump_refuse_of(dump, shard, error, note);
        }
        file_reader_close(&reader);
    }
    dump_file_end(dump);
    dump_unmute_unless(dump, parts);
}
