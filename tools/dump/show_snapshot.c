/*
 * A snapshot: header, completion record, blocks, and what the stream says. The stream is read once
 * for what is counted, and once more for each list that is asked for. See dump.h.
 */
#include "tools/dump/dump.h"

#include "base/crc32c.h"
#include "base/le.h"
#include "tools/dump/stream.h"

#include <stdlib.h>

/* What the stream has, beside its lists. */
struct contents {
    struct dump_shard *shard; /* learns how far series are decided */
    uint8_t head[SNAPSHOT_HEAD_BYTES];
    bool has_head;
    bool is_other_version; /* of the stream: nothing behind the head is understood */
    bool has_configuration;
    uint64_t configuration_index;
    uint8_t configuration[RAFT_CONFIGURATION_BYTES_MAX];
    size_t configuration_bytes;
    uint64_t keys;
    uint64_t key_bytes;
    uint64_t value_bytes;
    uint64_t sessions;
    uint64_t series;
    uint64_t items;
};

struct walk {
    struct dump *dump;
    const struct snapshot_view *view;
    struct contents contents;
    enum snapshot_item wanted; /* rows of this sort are shown; 0: none, and everything counts */
    uint8_t *block;
    struct stream stream;
    uint32_t crc;
    uint32_t bad_blocks;
    enum error change; /* ERR_NOT_YET: another snapshot is being written here */
};

static void learn_configuration(struct contents *contents, struct span body)
{
    contents->has_configuration = true;
    contents->configuration_index = le64_load(body.data);
    contents->configuration_bytes = body.size_bytes - SNAPSHOT_CHANGE_BYTES;
    memcpy(contents->configuration, body.data + SNAPSHOT_CHANGE_BYTES,
           contents->configuration_bytes); /* at most SNAPSHOT_CHANGE_BYTES_MAX: stream.c */
}

/* The head of every version begins with magic and version. */
static void learn_head(struct contents *contents, struct span body)
{
    contents->is_other_version = le32_load(body.data + 8) != SNAPSHOT_VERSION;
    contents->has_head = !contents->is_other_version && body.size_bytes >= SNAPSHOT_HEAD_BYTES;
    memset(contents->head, 0, sizeof(contents->head));
    memcpy(contents->head, body.data,
           body.size_bytes < SNAPSHOT_HEAD_BYTES ? body.size_bytes : SNAPSHOT_HEAD_BYTES);
}

static void learn(struct contents *contents, const struct stream_item *item)
{
    if (contents->is_other_version)
        return;
    contents->items++;
    switch (item->type) {
    case SNAPSHOT_HEAD:
        learn_head(contents, item->body);
        break;
    case SNAPSHOT_CONFIGURATION:
        learn_configuration(contents, item->body);
        break;
    case SNAPSHOT_NODE:
        contents->series++;
        decided_note(&contents->shard->decided, le64_load(item->body.data + 16),
                     le64_load(item->body.data + 8));
        break;
    case SNAPSHOT_SESSION:
        contents->sessions++;
        break;
    case SNAPSHOT_ENTRY:
        contents->keys++;
        contents->key_bytes += stream_entry_of(item->body).key.size_bytes;
        contents->value_bytes += stream_entry_of(item->body).value.size_bytes;
        break;
    case SNAPSHOT_END:
        break;
    }
}

static void show_entry_row(struct dump *dump, struct span body)
{
    struct output *output = &dump->output;
    const struct stream_entry entry = stream_entry_of(body);
    output_row(output, "key");
    output_bytes(output, "key", entry.key);
    output_number(output, "version", entry.version);
    output_number(output, "value_size_bytes", entry.value.size_bytes);
    output_crc(output, "value_crc32c", crc32c(0, entry.value.data, entry.value.size_bytes));
    if (dump->options->has_values)
        output_bytes(output, "value", entry.value);
    output_end(output);
}

static void show_session_row(struct output *output, struct span body)
{
    output_row(output, "session");
    output_name(output, "session", le64_load(body.data));
    output_name(output, "nonce", le64_load(body.data + 8));
    output_number(output, "floor", le64_load(body.data + 16));
    output_number(output, "active_ns", le64_load(body.data + 24));
    output_number(output, "rank", le64_load(body.data + 32));
    output_flag(output, "is_idle", body.data[41] != 0);
    output_number(output, "outcomes", le16_load(body.data + 42));
    output_end(output);
}

static void show_series_row(struct output *output, struct span body)
{
    output_row(output, "series");
    output_name(output, "series", le64_load(body.data + 16));
    output_number(output, "node", le16_load(body.data));
    output_flag(output, "is_open", body.data[2] != 0);
    output_number(output, "decided_seq", le64_load(body.data + 8));
    output_number(output, "cancels", le32_load(body.data + 4));
    output_end(output);
}

static void take_item(void *context, const struct stream_item *item)
{
    struct walk *walk = (struct walk *)context;
    if (walk->wanted == 0)
        learn(&walk->contents, item);
    else if (item->type != walk->wanted)
        return;
    else if (item->type == SNAPSHOT_ENTRY)
        show_entry_row(walk->dump, item->body);
    else if (item->type == SNAPSHOT_SESSION)
        show_session_row(&walk->dump->output, item->body);
    else if (item->type == SNAPSHOT_NODE)
        show_series_row(&walk->dump->output, item->body);
}

/* One walk over all blocks. */
static void walk_blocks(struct walk *walk, enum snapshot_item wanted)
{
    const struct snapshot_view *view = walk->view;
    walk->wanted = wanted;
    walk->crc = 0;
    walk->bad_blocks = 0;
    stream_begin(&walk->stream, walk->stream.buffer);
    for (uint32_t number = 0; number < view->info.block_count; number++) {
        struct span raw;
        uint32_t stored_bytes;
        enum error error = snapshot_view_block(view, number, walk->block, &raw, &stored_bytes);
        if (error == ERR_NOT_YET) {
            walk->change = error;
            return;
        }
        if (error == OK) {
            walk->crc = snapshot_view_crc(walk->crc, raw);
            stream_block(&walk->stream, raw);
        } else {
            walk->bad_blocks++;
            stream_gap(&walk->stream, snapshot_view_block_bytes(view, number));
        }
    }
    stream_end(&walk->stream);
}

static void show_completion(struct output *output, const struct snapshot_view *view)
{
    output_number(output, "version", view->version);
    output_name(output, "of_cluster", view->identity.cluster_id);
    output_number(output, "of_node", view->identity.node);
    output_number(output, "of_shard", view->identity.shard);
    output_flag(output, "is_header_lost", view->is_header_lost);
    output_number(output, "slots", view->slots);
    output_flag(output, "is_complete", view->is_complete);
    if (!view->is_complete)
        return;
    output_number(output, "generation", view->info.generation);
    output_name(output, "id", view->info.label.id);
    output_number(output, "index", view->info.label.index);
    output_number(output, "term", view->info.label.term);
    output_number(output, "stream_bytes", view->info.stream_bytes);
    output_number(output, "block_count", view->info.block_count);
    output_crc(output, "content_crc32c", view->info.content_crc);
}

static void show_head(struct output *output, const struct contents *contents)
{
    const uint8_t *head = contents->head;
    output_number(output, "format_version", le32_load(head + 8));
    output_number(output, "applied_index", le64_load(head + 16));
    output_number(output, "log_time_ns", le64_load(head + 24));
    output_number(output, "limits_number", le32_load(head + 12));
    output_number(output, "keys_max", le32_load(head + 48));
    output_number(output, "blocks_max", le32_load(head + 52));
    output_number(output, "sessions_max", le32_load(head + 56));
    output_number(output, "session_ttl_ns", le64_load(head + 64));
    output_number(output, "keys_noted", le64_load(head + 32));
    output_number(output, "blocks_noted", le64_load(head + 40));
    output_number(output, "sessions_noted", le32_load(head + 60));
    output_name(output, "digest", le64_load(head + 80));
}

static void show_contents(struct output *output, const struct walk *walk)
{
    const struct contents *contents = &walk->contents;
    output_object(output, "state");
    if (contents->has_head)
        show_head(output, contents);
    output_number(output, "keys", contents->keys);
    output_number(output, "key_bytes", contents->key_bytes);
    output_number(output, "value_bytes", contents->value_bytes);
    output_number(output, "sessions", contents->sessions);
    output_number(output, "series", contents->series);
    output_number(output, "items", contents->items);
    output_number(output, "lost_bytes", walk->stream.lost_bytes);
    output_flag(output, "is_whole",
                walk->bad_blocks == 0 && walk->stream.has_end &&
                    snapshot_view_is_whole(walk->view, walk->crc));
    output_flag(output, "is_changing", walk->change != OK);
    output_end(output);
}

static void show_rows(struct walk *walk, const char *name, enum snapshot_item wanted)
{
    output_list(&walk->dump->output, name);
    walk_blocks(walk, wanted);
    output_end(&walk->dump->output);
}

static void show_block(struct walk *walk, uint32_t number)
{
    struct output *output = &walk->dump->output;
    struct span raw;
    uint32_t stored_bytes;
    enum error error = snapshot_view_block(walk->view, number, walk->block, &raw, &stored_bytes);
    output_row(output, "block");
    output_number(output, "number", number);
    output_number(output, "offset", snapshot_view_offset(number));
    output_text(output, "is", error_name(error));
    if (error == OK) {
        output_number(output, "size_bytes", raw.size_bytes);
        output_number(output, "stored_bytes", stored_bytes);
        output_crc(output, "crc32c", crc32c(0, raw.data, raw.size_bytes));
    }
    output_end(output);
}

static void show_blocks(struct walk *walk)
{
    output_list(&walk->dump->output, "blocks");
    for (uint32_t number = 0; number < walk->view->info.block_count; number++)
        show_block(walk, number);
    output_end(&walk->dump->output);
}

static void tell_block(struct walk *walk, uint32_t number)
{
    struct span raw;
    uint32_t stored_bytes;
    enum error error = snapshot_view_block(walk->view, number, walk->block, &raw, &stored_bytes);
    struct finding finding = {.kind = error == ERR_IO      ? FINDING_UNREADABLE
                                      : error == ERR_SHORT ? FINDING_CUT_OFF
                                                           : FINDING_DAMAGED,
                              .offset = snapshot_view_offset(number),
                              .size_bytes = SNAPSHOT_SLOT_BYTES,
                              .what = "block"};
    if (error != OK && error != ERR_NOT_YET)
        dump_finding(walk->dump, &finding);
}

static void show_findings(struct walk *walk)
{
    const struct finding_sink sink = dump_finding_sink(walk->dump);
    const struct snapshot_view *view = walk->view;
    output_list(&walk->dump->output, "findings");
    snapshot_view_findings(view, &sink);
    for (uint32_t number = 0; walk->bad_blocks > 0 && number < view->info.block_count; number++)
        tell_block(walk, number);
    const struct finding changing = {.kind = FINDING_CHANGING,
                                     .size_bytes = snapshot_view_offset(view->slots),
                                     .what = "snapshot: the node writes another one here"};
    if (walk->change != OK) /* lists end where that was seen */
        dump_finding(walk->dump, &changing);
    struct finding finding = {.kind = FINDING_DAMAGED, .what = "stream"};
    bool is_known = !walk->contents.is_other_version && walk->bad_blocks == 0;
    if (walk->stream.is_broken && is_known && walk->change == OK) {
        finding.offset =
            snapshot_view_offset((uint32_t)(walk->stream.broken_offset / SNAPSHOT_BLOCK_BYTES));
        dump_finding(walk->dump, &finding);
    }
    output_end(&walk->dump->output);
}

/* The state of the newest whole snapshot is what the log goes on from. */
static void teach(const struct walk *walk, struct dump_shard *shard)
{
    uint64_t index = walk->view->info.label.index;
    if (walk->bad_blocks == 0 && walk->change == OK && index > shard->applied_index)
        shard->applied_index = index;
}

static void refuse_stream(struct walk *walk)
{
    char note[VIEW_NOTE_BYTES];
    snprintf(note, sizeof(note),
             "the stream has version %u, this program knows %u; use the program that belongs to "
             "the file",
             le32_load(walk->contents.head + 8), SNAPSHOT_VERSION);
    output_object(&walk->dump->output, "state");
    dump_refuse(walk->dump, ERR_VERSION, note);
    output_end(&walk->dump->output);
}

static void show_stream(struct walk *walk)
{
    struct dump *dump = walk->dump;
    if (walk->contents.is_other_version) {
        refuse_stream(walk);
        return;
    }
    if (dump_has(dump, DUMP_SNAPSHOT)) {
        show_contents(&dump->output, walk);
        show_rows(walk, "series", SNAPSHOT_NODE);
    }
    if (walk->contents.has_configuration && dump_has(dump, DUMP_CONFIGURATION))
        dump_configuration(
            dump, "snapshot", walk->contents.configuration_index,
            span_of(walk->contents.configuration, walk->contents.configuration_bytes));
    if (!dump_has(dump, DUMP_SNAPSHOT))
        return;
    if (dump->options->has_blocks)
        show_blocks(walk);
    if (dump->options->has_sessions)
        show_rows(walk, "sessions", SNAPSHOT_SESSION);
    if (dump->options->has_keys)
        show_rows(walk, "keys", SNAPSHOT_ENTRY);
}

static void show(struct dump *dump, const struct snapshot_view *view, struct dump_shard *shard,
                 struct walk *walk)
{
    walk->dump = dump;
    walk->view = view;
    walk->contents.shard = shard;
    walk->stream.take = take_item;
    walk->stream.context = walk;
    if (dump_has(dump, DUMP_SNAPSHOT))
        show_completion(&dump->output, view);
    if (view->is_complete) {
        walk_blocks(walk, 0);
        teach(walk, shard);
        show_stream(walk);
    }
    show_findings(walk);
}

/* ERR_NO_MEMORY, before anything is shown. */
static enum error show_with_memory(struct dump *dump, const struct snapshot_view *view,
                                   struct dump_shard *shard)
{
    struct walk *walk = (struct walk *)calloc(1, sizeof(*walk));
    uint8_t *memory = (uint8_t *)malloc(SNAPSHOT_BLOCK_BYTES + STREAM_BUFFER_BYTES);
    enum error error = walk != NULL && memory != NULL ? OK : ERR_NO_MEMORY;
    if (error == OK) {
        walk->block = memory;
        walk->stream.buffer = memory + SNAPSHOT_BLOCK_BYTES;
        show(dump, view, shard, walk);
    }
    free(memory);
    free(walk);
    return error;
}

void dump_snapshot(struct dump *dump, const char *path, struct dump_shard *shard)
{
    const uint32_t parts = DUMP_SNAPSHOT | DUMP_CONFIGURATION;
    char note[VIEW_NOTE_BYTES];
    struct file_reader reader;
    struct snapshot_view view;
    if (!dump_has(dump, parts | DUMP_JOURNAL))
        return;
    dump_mute_unless(dump, parts);
    output_object(&dump->output, "snapshot");
    dump_file(dump, path);
    enum error error = file_reader_open(path, &reader, note, sizeof(note));
    if (error == OK) {
        error = snapshot_view_open(path, &reader, shard->owner, &view, note);
        if (error == OK)
            error = show_with_memory(dump, &view, shard);
        if (error == ERR_NO_MEMORY)
            snprintf(note, sizeof(note), "not enough memory to read it");
        file_reader_close(&reader);
    }
    if (error != OK)
        dump_refuse_of(dump, shard, error, note);
    dump_file_end(dump);
    dump_unmute_unless(dump, parts);
}
