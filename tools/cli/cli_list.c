/* list and export: which keys are stored, and the same with their values, into a file. */
#include "base/regular_file.h"
#include "client/include/pollux_list.h"
#include "tools/cli/cli_commands.h"
#include "tools/cli/cli_render.h"
#include "tools/cli/export_text.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATH_BYTES_MAX 4096

/* A list that is walked, and what has become of it. */
struct listing {
    struct plx_client *client;
    const struct cli_arguments *arguments;
    struct plx_call call;
    void *memory;
    struct plx_list *list;
    char *text; /* a line: EXPORT_LINE_BYTES_MAX */
    uint64_t count;
    bool is_at_end; /* there are no more keys */
    FILE *to;
    struct export_state state; /* export */
};

static bool listing_open(struct listing *listing, struct plx_client *client,
                         const struct cli_arguments *arguments, const char *prefix)
{
    *listing = (struct listing){.client = client,
                                .arguments = arguments,
                                .call = {.is_relaxed = arguments->is_relaxed,
                                         .is_blocking = arguments->is_blocking,
                                         .timeout_ns = arguments->timeout_ns,
                                         .fence_wait_ns = arguments->fence_wait_ns,
                                         .max_age_ns = arguments->max_age_ns},
                                .memory = malloc(plx_list_size()),
                                .text = malloc(EXPORT_LINE_BYTES_MAX),
                                .to = stdout};
    const struct plx_list_query query = {.prefix = plx_text(prefix),
                                         .has_values = arguments->has_values ||
                                                       strcmp(arguments->command, "export") == 0};
    enum plx_outcome outcome = PLX_E_NO_MEMORY;
    if (listing->memory != NULL && listing->text != NULL)
        outcome = plx_list_begin(listing->memory, plx_list_size(), &query, &listing->list);
    if (outcome != PLX_OK)
        fprintf(stderr, "pollux: %s: %s\n", arguments->command, plx_outcome_text(outcome));
    return outcome == PLX_OK;
}

static void listing_close(struct listing *listing)
{
    free(listing->memory);
    free(listing->text);
}

/* The value of an entry, if need be by a get. PLX_NOT_FOUND: it is gone since. */
static enum plx_outcome value_of(const struct listing *listing, struct plx_list_entry *entry)
{
    if (entry->has_value)
        return PLX_OK;
    struct plx_response response = plx_get(listing->client, entry->key, &listing->call);
    if (response.outcome != PLX_OK)
        return response.outcome;
    entry->value = response.value;
    entry->value_size_bytes = response.value_size_bytes;
    entry->version = response.version;
    entry->is_pending = response.is_pending;
    return PLX_OK;
}

/* KEY, or KEY<TAB>VALUE, and a newline; its size. */
static size_t line_write(const struct plx_list_entry *entry, bool has_value, char *to)
{
    size_t size = escape_write(entry->key.data, entry->key.size_bytes, to);
    if (has_value) {
        to[size++] = '\t';
        size += escape_write(entry->value.data, entry->value.size_bytes, to + size);
    }
    to[size++] = '\n';
    return size;
}

static bool plain_print(struct listing *listing, const struct plx_list_entry *entry)
{
    size_t size = line_write(entry, listing->arguments->has_values, listing->text);
    return fwrite(listing->text, 1, size, listing->to) == size;
}

static bool table_print(struct listing *listing, const struct plx_list_entry *entry)
{
    size_t size = escape_write(entry->key.data, entry->key.size_bytes, listing->text);
    if (listing->count == 0)
        fprintf(listing->to, "%10s %10s %5s %-7s  %s\n", "VERSION", "SIZE", "SHARD", "PENDING",
                listing->arguments->has_values ? "KEY  VALUE" : "KEY");
    fprintf(listing->to, "%10" PRIu64 " %10zu %5u %-7s  %.*s", entry->version,
            entry->value_size_bytes, entry->shard, entry->is_pending ? "yes" : "no", (int)size,
            listing->text);
    if (listing->arguments->has_values) {
        size = escape_write(entry->value.data, entry->value.size_bytes, listing->text);
        fprintf(listing->to, "  %.*s", (int)size, listing->text);
    }
    return fputc('\n', listing->to) != EOF;
}

static bool entry_print(struct listing *listing, const struct plx_list_entry *entry)
{
    switch (listing->arguments->format) {
    case CLI_PLAIN:
        return plain_print(listing, entry);
    case CLI_TABLE:
        return table_print(listing, entry);
    case CLI_JSON:
        break;
    }
    fputs(listing->count == 0 ? "\n    " : ",\n    ", listing->to);
    return cli_json_entry(listing->to, entry, listing->arguments->has_values);
}

static bool pair_write(struct listing *listing, const struct plx_list_entry *entry)
{
    size_t size = line_write(entry, true, listing->text);
    export_note(&listing->state, listing->text, size);
    return fwrite(listing->text, 1, size, listing->to) == size;
}

/* Walks the list, and gives each entry to `use`. PLX_NOT_FOUND: to its end, or to the limit.
 * PLX_E_IO: `use` failed. */
static enum plx_outcome walk(struct listing *listing, bool needs_values,
                             bool (*use)(struct listing *listing,
                                         const struct plx_list_entry *entry))
{
    uint64_t limit = listing->arguments->limit;
    while (limit == 0 || listing->count < limit) {
        struct plx_list_entry entry;
        enum plx_outcome outcome = plx_list(listing->client, listing->list, &listing->call, &entry);
        listing->is_at_end = outcome == PLX_NOT_FOUND;
        if (outcome == PLX_OK && needs_values) {
            outcome = value_of(listing, &entry);
            if (outcome == PLX_NOT_FOUND)
                continue;
        }
        if (outcome != PLX_OK)
            return outcome;
        if (!use(listing, &entry))
            return PLX_E_IO;
        listing->count++;
    }
    return PLX_NOT_FOUND;
}

/* Says how the walk has ended; the exit code. */
static int walk_told(const struct listing *listing, enum plx_outcome outcome)
{
    if (outcome == PLX_NOT_FOUND)
        return 0;
    if (outcome == PLX_E_IO)
        return plx_outcome_exit_code(outcome);
    fprintf(stderr, "pollux: %s: %s; after %" PRIu64 " keys, the list is not complete\n",
            listing->arguments->command,
            outcome == PLX_TIMEOUT ? "no answer in time" : plx_outcome_text(outcome),
            listing->count);
    return plx_outcome_exit_code(outcome);
}

int cli_list(struct plx_client *client, const struct cli_arguments *arguments)
{
    struct listing listing;
    const char *prefix = arguments->operand_count > 0 ? arguments->operands[0] : "";
    int code = plx_outcome_exit_code(PLX_E_ARGUMENT);
    cli_cancel_on_interrupt(client);
    if (listing_open(&listing, client, arguments, prefix)) {
        bool is_json = arguments->format == CLI_JSON;
        if (is_json)
            fputs("{\n  \"command\": \"list\",\n  \"keys\": [", stdout);
        enum plx_outcome outcome = walk(&listing, arguments->has_values, entry_print);
        if (is_json)
            printf("%s],\n  \"count\": %" PRIu64 ",\n  \"is_complete\": %s\n}\n",
                   listing.count == 0 ? "" : "\n  ", listing.count,
                   listing.is_at_end ? "true" : "false");
        code = walk_told(&listing, outcome);
    }
    listing_close(&listing);
    return code;
}

/* ---- export ---- */

/* To a file that has its name only when it is whole. */
struct export_file {
    const char *path;
    bool is_stdout;
    char partial[PATH_BYTES_MAX];
};

static bool file_open(struct export_file *file, struct listing *listing)
{
    file->is_stdout = strcmp(file->path, "-") == 0;
    if (file->is_stdout)
        return true;
    const char *why = "the name is too long";
    int fd = -1;
    int size = snprintf(file->partial, sizeof(file->partial), "%s.partial", file->path);
    if (size < (int)sizeof(file->partial))
        fd = regular_file_open(file->partial, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, &why);
    listing->to = fd < 0 ? NULL : fdopen(fd, "wb");
    if (listing->to == NULL)
        fprintf(stderr, "pollux: export: %s: %s\n", file->partial, why);
    return listing->to != NULL;
}

/* False, and a message: it is not all on the medium. */
static bool file_end(const struct export_file *file, struct listing *listing)
{
    char end[EXPORT_END_BYTES];
    size_t size = export_end_write(&listing->state, end);
    errno = 0;
    bool is_whole = fwrite(end, 1, size, listing->to) == size && fflush(listing->to) == 0 &&
                    ferror(listing->to) == 0 &&
                    (file->is_stdout || fsync(fileno(listing->to)) == 0);
    if (is_whole && !file->is_stdout)
        is_whole = rename(file->partial, file->path) == 0;
    if (!is_whole)
        fprintf(stderr, "pollux: export: %s: %s\n",
                file->is_stdout ? "standard output" : file->path,
                errno != 0 ? strerror(errno) : "not all of it was written");
    return is_whole;
}

static int export_walk(struct export_file *file, struct listing *listing)
{
    size_t size = sizeof(EXPORT_HEADER) - 1;
    export_note(&listing->state, EXPORT_HEADER, size);
    bool is_written = fwrite(EXPORT_HEADER, 1, size, listing->to) == size;
    enum plx_outcome outcome = is_written ? walk(listing, true, pair_write) : PLX_E_IO;
    if (outcome == PLX_E_IO)
        fprintf(stderr, "pollux: export: %s: %s\n",
                file->is_stdout ? "standard output" : file->partial, strerror(errno));
    int code = walk_told(listing, outcome);
    if (code == 0 && !file_end(file, listing))
        code = plx_outcome_exit_code(PLX_E_IO);
    if (code == 0)
        fprintf(stderr, "pollux: export: %" PRIu64 " keys\n", listing->count);
    return code;
}

int cli_export(struct plx_client *client, const struct cli_arguments *arguments)
{
    struct listing listing;
    struct export_file file = {.path = arguments->operands[arguments->operand_count - 1]};
    const char *prefix = arguments->operand_count > 1 ? arguments->operands[0] : "";
    int code = plx_outcome_exit_code(PLX_E_ARGUMENT);
    cli_cancel_on_interrupt(client);
    if (listing_open(&listing, client, arguments, prefix)) {
        code = plx_outcome_exit_code(PLX_E_IO);
        if (file_open(&file, &listing))
            code = export_walk(&file, &listing);
        if (!file.is_stdout && listing.to != NULL)
            fclose(listing.to);
        if (code != 0 && !file.is_stdout && listing.to != NULL)
            (void)unlink(file.partial);
    }
    listing_close(&listing);
    return code;
}
