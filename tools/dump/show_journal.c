/* A journal: its banks, and the relaxed writes in them. See dump.h. */
#include "tools/dump/dump.h"
#include "wire/wire_entry.h"

static const char *state_name(const struct journal_view_bank *bank)
{
    if (bank->is_active)
        return "active";
    if (bank->is_blank)
        return "empty";
    if (bank->is_wiping)
        return "being wiped";
    return bank->is_ready ? "given up" : "not finished";
}

static void show_entry(struct dump *dump, uint64_t seq, struct span payload, bool is_pending)
{
    struct output *output = &dump->output;
    output_row(output, "entry");
    output_number(output, "seq", seq);
    output_flag(output, "is_pending", is_pending);
    struct wire_entry entry;
    enum error error = wire_entry_decode(payload, &entry);
    if (error == OK && entry.name.size_bytes > 0) {
        output_bytes(output, "principal", entry.name);
        output_number(output, "generation", entry.generation);
    }
    if (error == OK && entry.kind == WIRE_ENTRY_DROP)
        output_text(output, "kind", "drop");
    else
        dump_request(dump, error == OK ? entry.request : payload);
    output_end(output);
}

static void show_entries(struct dump *dump, const struct journal_view *view, uint32_t number,
                         uint64_t decided)
{
    uint64_t cursor = 0;
    uint64_t seq;
    struct span payload;
    output_list(&dump->output, "entries");
    while (journal_view_next(view, number, &cursor, &seq, &payload)) /* the bank's records */
        show_entry(dump, seq, payload, seq > decided);
    output_end(&dump->output);
}

/* Entries that nothing on this node has decided. */
static uint64_t count_pending(const struct journal_view *view, uint32_t number, uint64_t decided)
{
    uint64_t cursor = 0;
    uint64_t count = 0;
    uint64_t seq;
    struct span payload;
    struct wire_entry entry;
    while (journal_view_next(view, number, &cursor, &seq, &payload)) /* the bank's records */
        count += seq > decided &&
                 (wire_entry_decode(payload, &entry) != OK || entry.kind == WIRE_ENTRY_WRITES);
    return count;
}

static void show_bank(struct dump *dump, const struct journal_view *view, uint32_t number,
                      const struct dump_shard *shard)
{
    struct output *output = &dump->output;
    const struct journal_view_bank *bank = journal_view_bank(view, number);
    const struct finding_sink sink = dump_finding_sink(dump);
    uint64_t decided = decided_seq(&shard->decided, bank->series);
    if (bank->error != OK) {
        dump_refuse(dump, bank->error, bank->note);
        return;
    }
    output_text(output, "state", state_name(bank));
    output_name(output, "series", bank->series);
    output_number(output, "generation", bank->generation);
    output_flag(output, "is_sealed", bank->is_sealed);
    output_number(output, "last_seq", bank->last_seq);
    output_number(output, "entry_count", bank->entries);
    output_number(output, "decided_seq", decided);
    output_number(output, "decided_at_index", shard->applied_index);
    output_number(output, "pending_entries", count_pending(view, number, decided));
    output_flag(output, "is_changing", log_view_state(journal_view_log(view, number))->is_changing);
    if (dump->options->has_records)
        show_entries(dump, view, number, decided);
    output_list(output, "findings");
    log_view_findings(journal_view_log(view, number), &sink);
    output_end(output);
}

void dump_journal(struct dump *dump, const char *const paths[JOURNAL_BANKS],
                  const struct dump_shard *shard)
{
    struct output *output = &dump->output;
    struct file_reader readers[JOURNAL_BANKS];
    struct journal_view_options options = {.identity = shard->owner};
    struct journal_view *view;
    char notes[JOURNAL_BANKS][VIEW_NOTE_BYTES];
    enum error errors[JOURNAL_BANKS];
    if (!dump_has(dump, DUMP_JOURNAL))
        return;
    for (uint32_t i = 0; i < JOURNAL_BANKS; i++) {
        errors[i] = paths[i] == NULL
                        ? ERR_NOT_FOUND
                        : file_reader_open(paths[i], &readers[i], notes[i], sizeof(notes[i]));
        options.paths[i] = paths[i];
        options.readers[i] = errors[i] == OK ? &readers[i] : NULL;
    }
    enum error error = journal_view_open(&options, &view);
    bool is_none = errors[0] == ERR_NOT_FOUND && errors[1] == ERR_NOT_FOUND && paths[1] != NULL;
    output_list(output, "journal");
    for (uint32_t i = 0; i < JOURNAL_BANKS; i++) {
        if (paths[i] == NULL || is_none) /* relaxed writes may be switched off */
            continue;
        output_object(output, "bank");
        dump_file(dump, paths[i]);
        if (errors[i] != OK || error != OK)
            dump_refuse(dump, errors[i] != OK ? errors[i] : error,
                        errors[i] != OK ? notes[i] : "not enough memory to read the journal");
        else
            show_bank(dump, view, i, shard);
        dump_file_end(dump);
    }
    output_end(output);
    if (error == OK)
        journal_view_close(view);
    for (uint32_t i = 0; i < JOURNAL_BANKS; i++) {
        if (errors[i] == OK)
            file_reader_close(&readers[i]);
    }
}
