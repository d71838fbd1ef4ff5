/*
 * import: stores what `pollux export` has written. The whole file is read and checked before
 * anything is stored; then again, with many operations in flight. What comes through a pipe is
 * kept in a temporary file in between.
 */
#include "base/regular_file.h"
#include "tools/cli/cli_commands.h"
#include "tools/cli/export_text.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define IN_FLIGHT_MAX       64
#define IN_FLIGHT_BYTES_MAX (UINT64_C(16) << 20)
#define COMPLAINTS_MAX      20
#define POLL_NS             UINT64_C(10000000)

struct import;

/* One key on its way. */
struct import_slot {
    struct import *import;
    char *line; /* the pair lies in it; NULL: the slot is free */
    size_t line_bytes;
    uint64_t number; /* of the line */
    struct export_pair pair;
};

struct import {
    struct plx_client *client;
    const struct cli_arguments *arguments;
    const char *name; /* of the file */
    FILE *file;
    char *line; /* EXPORT_LINE_BYTES_MAX and one */
    struct export_state state;
    struct import_slot slots[IN_FLIGHT_MAX];
    uint64_t in_flight_bytes;
    uint64_t stored;
    uint64_t present; /* --if-absent: another value was there */
    uint64_t bad;
    uint64_t first_bad; /* the lowest line that was not stored; 0: none */
    int exit_code;
};

/* The next line, with its newline; 0: there is none. A line that is too long comes without. */
static size_t line_read(const struct import *import)
{
    size_t size = 0;
    int byte;
    while (size < EXPORT_LINE_BYTES_MAX && (byte = getc_unlocked(import->file)) != EOF) {
        import->line[size++] = (char)byte;
        if (byte == '\n')
            break;
    }
    return size;
}

/* Standard input, into a file that can be read twice. */
static FILE *spool_input(void)
{
    char bytes[64 * 1024];
    size_t size;
    FILE *spool = tmpfile();
    while (spool != NULL && (size = fread(bytes, 1, sizeof(bytes), stdin)) > 0) {
        if (fwrite(bytes, 1, size, spool) != size)
            break;
    }
    if (spool != NULL && (ferror(stdin) || fflush(spool) != 0 || ferror(spool))) {
        fclose(spool);
        spool = NULL;
    }
    if (spool == NULL)
        fprintf(stderr, "pollux: import: a temporary file for standard input: %s\n",
                strerror(errno));
    return spool;
}

static bool import_open(struct import *import, const char *path)
{
    bool is_stdin = strcmp(path, "-") == 0;
    import->name = is_stdin ? "standard input" : path;
    import->line = malloc(EXPORT_LINE_BYTES_MAX + 1);
    if (import->line == NULL) {
        fprintf(stderr, "pollux: import: out of memory\n");
        return false;
    }
    if (is_stdin) {
        import->file = spool_input();
        return import->file != NULL;
    }
    const char *why = "out of memory";
    int fd = regular_file_open(path, O_RDONLY, &why);
    import->file = fd < 0 ? NULL : fdopen(fd, "rb");
    if (import->file == NULL)
        fprintf(stderr, "pollux: import: %s: %s; - reads standard input\n", path, why);
    return import->file != NULL;
}

static void import_close(struct import *import)
{
    if (import->file != NULL)
        fclose(import->file);
    free(import->line);
}

/* Reads the whole file; false, and a message: something is wrong with it. */
static bool import_check(struct import *import)
{
    struct export_pair pair;
    const char *fault = NULL;
    size_t size;
    rewind(import->file);
    import->state = (struct export_state){.line = 0};
    while (fault == NULL && (size = line_read(import)) > 0)
        fault = export_line_take(&import->state, import->line, size, &pair);
    if (fault == NULL && ferror(import->file))
        fault = strerror(errno);
    if (fault == NULL)
        fault = export_lines_end(&import->state);
    if (fault != NULL)
        fprintf(stderr, "pollux: import: %s:%" PRIu64 ": %s; nothing was stored\n", import->name,
                import->state.line, fault);
    return fault == NULL;
}

static void slot_complain(struct import *import, const struct import_slot *slot,
                          const struct plx_response *response)
{
    char text[PLX_TOKEN_TEXT_SIZE] = "";
    import->bad++;
    if (import->first_bad == 0 || slot->number < import->first_bad)
        import->first_bad = slot->number;
    if (import->exit_code == 0)
        import->exit_code = plx_outcome_exit_code(response->outcome);
    if (import->bad > COMPLAINTS_MAX)
        return;
    if (response->token.session != 0)
        plx_token_format(&response->token, text);
    fprintf(stderr, "pollux: import: %s:%" PRIu64 ": %s%s%s\n", import->name, slot->number,
            plx_outcome_text(response->outcome), text[0] == '\0' ? "" : "; token ", text);
}

static void slot_done(void *context, const struct plx_response *response)
{
    struct import_slot *slot = context;
    struct import *import = slot->import;
    if (response->outcome == PLX_OK)
        import->stored++;
    else if (response->outcome == PLX_MISMATCH)
        import->present++;
    else
        slot_complain(import, slot, response);
    import->in_flight_bytes -= slot->line_bytes;
    free(slot->line);
    slot->line = NULL;
}

/* NULL: all are on their way. */
static struct import_slot *slot_find(struct import *import)
{
    for (uint32_t i = 0; i < IN_FLIGHT_MAX; i++) {
        if (import->slots[i].line == NULL)
            return &import->slots[i];
    }
    return NULL;
}

static void slot_submit(struct import *import, struct import_slot *slot)
{
    const struct cli_arguments *arguments = import->arguments;
    const struct plx_op op = {.type = arguments->is_if_absent ? PLX_OP_SWAP : PLX_OP_SET,
                              .key = {slot->pair.key, slot->pair.key_size_bytes},
                              .value = {slot->pair.value, slot->pair.value_size_bytes},
                              .old_value = PLX_ABSENT,
                              .call = {.is_blocking = arguments->is_blocking,
                                       .timeout_ns = arguments->timeout_ns,
                                       .fence_wait_ns = arguments->fence_wait_ns},
                              .done = slot_done,
                              .context = slot};
    enum plx_outcome outcome;
    while ((outcome = plx_submit(import->client, &op)) == PLX_E_FULL)
        (void)plx_poll(import->client, POLL_NS);
    if (outcome != PLX_OK)
        slot_done(slot, &(struct plx_response){.outcome = outcome});
}

/* Waits until there is a slot, and not too much is on its way. */
static struct import_slot *slot_await(struct import *import)
{
    struct import_slot *slot = slot_find(import);
    while (slot == NULL || import->in_flight_bytes > IN_FLIGHT_BYTES_MAX) {
        (void)plx_poll(import->client, POLL_NS);
        slot = slot_find(import);
    }
    return slot;
}

/* Takes a line of the file, which was checked. False: no memory, or the file has changed since. */
static bool line_send(struct import *import, size_t size)
{
    struct import_slot *slot = slot_await(import);
    char *line = malloc(size);
    const char *fault = "out of memory";
    struct export_pair pair = {.key = NULL};
    if (line != NULL) {
        memcpy(line, import->line, size);
        fault = export_line_take(&import->state, line, size, &pair);
    }
    if (fault != NULL)
        fprintf(stderr, "pollux: import: %s:%" PRIu64 ": %s\n", import->name, import->state.line,
                fault);
    if (fault != NULL || pair.key == NULL || import->state.line < import->arguments->from_line) {
        free(line);
        return fault == NULL;
    }
    *slot = (struct import_slot){.import = import,
                                 .line = line,
                                 .line_bytes = size,
                                 .number = import->state.line,
                                 .pair = pair};
    import->in_flight_bytes += size;
    slot_submit(import, slot);
    return true;
}

static void import_send(struct import *import)
{
    size_t size = 0;
    rewind(import->file);
    import->state = (struct export_state){.line = 0};
    cli_cancel_on_interrupt(import->client);
    while (!cli_is_interrupted() && (size = line_read(import)) > 0 && line_send(import, size))
        ;
    uint64_t next = import->state.line + 1;
    while (plx_in_flight(import->client) > 0)
        (void)plx_poll(import->client, POLL_NS);
    if (import->state.has_end && import->first_bad == 0)
        return;
    if (import->first_bad == 0 || next < import->first_bad)
        import->first_bad = next;
    fprintf(stderr, "pollux: import: to go on: --from-line %" PRIu64 "\n", import->first_bad);
    if (import->exit_code == 0)
        import->exit_code = plx_outcome_exit_code(PLX_TIMEOUT);
}

int cli_import(struct plx_client *client, const struct cli_arguments *arguments)
{
    struct import import = {.client = client, .arguments = arguments};
    bool is_good = import_open(&import, arguments->operands[0]) && import_check(&import);
    if (is_good) {
        import_send(&import);
        if (arguments->format == CLI_JSON)
            printf("{\"command\": \"import\", \"stored\": %" PRIu64 ", \"present\": %" PRIu64
                   ", \"bad\": %" PRIu64 ", \"next_line\": %" PRIu64 "}\n",
                   import.stored, import.present, import.bad, import.first_bad);
        else
            printf("%" PRIu64 " stored, %" PRIu64 " left as they were, %" PRIu64 " not\n",
                   import.stored, import.present, import.bad);
    }
    import_close(&import);
    return is_good ? import.exit_code : CLI_EXIT_USAGE;
}
