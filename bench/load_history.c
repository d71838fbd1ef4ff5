/* Chunks, so that what is recorded never moves; moments sorted at the end. */
#include "bench/load_history.h"

#include "bench/load_record.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

#define GARBLED UINT64_MAX /* a value that no load writes */

static_assert((uint64_t)LOAD_HISTORY_CHUNK_OPS * LOAD_HISTORY_CHUNKS_MAX < LOAD_HISTORY_FULL,
              "numbers of operations");

struct moment {
    uint64_t at_ns;
    const struct load_history_op *op;
    uint64_t id;
    bool is_return;
};

enum error load_history_init(struct load_history *history)
{
    *history = (struct load_history){0};
    history->chunks = calloc(LOAD_HISTORY_CHUNKS_MAX, sizeof(*history->chunks));
    return history->chunks == NULL ? ERR_NO_MEMORY : OK;
}

void load_history_deinit(struct load_history *history)
{
    for (uint32_t i = 0; i < LOAD_HISTORY_CHUNKS_MAX && history->chunks != NULL; i++) {
        free(history->chunks[i]);
    }
    free(history->chunks);
    *history = (struct load_history){0};
}

static struct load_history_op *op_at(const struct load_history *history, uint32_t number)
{
    return &history->chunks[number / LOAD_HISTORY_CHUNK_OPS][number % LOAD_HISTORY_CHUNK_OPS];
}

uint32_t load_history_begin(struct load_history *history, const struct load_history_op *op)
{
    uint32_t chunk = history->count / LOAD_HISTORY_CHUNK_OPS;
    if (chunk < LOAD_HISTORY_CHUNKS_MAX && history->chunks[chunk] == NULL) {
        history->chunks[chunk] = malloc(LOAD_HISTORY_CHUNK_OPS * sizeof(**history->chunks));
    }
    if (chunk == LOAD_HISTORY_CHUNKS_MAX || history->chunks[chunk] == NULL) {
        history->is_full = true;
        return LOAD_HISTORY_FULL;
    }
    uint32_t number = history->count++;
    struct load_history_op *placed = op_at(history, number);
    *placed = *op;
    placed->return_ns = UINT64_MAX;
    placed->outcome = PLX_UNKNOWN;
    return number;
}

static uint64_t value_of(const struct plx_response *response)
{
    uint64_t number = 0;
    if (!response->has_value) {
        return 0;
    }
    bool is_ours = load_record_number(response->value.data, response->value.size_bytes, &number);
    return is_ours ? number : GARBLED;
}

void load_history_end(struct load_history *history, uint32_t number, uint64_t now_ns,
                      const struct plx_response *response)
{
    if (number == LOAD_HISTORY_FULL) {
        return;
    }
    struct load_history_op *op = op_at(history, number);
    bool is_get = op->kind == LOAD_HISTORY_GET || op->kind == LOAD_HISTORY_RELAXED_GET;
    op->return_ns = now_ns;
    op->outcome = (uint8_t)response->outcome;
    op->version = response->version;
    op->node = response->node;
    if (is_get && response->outcome == PLX_OK) {
        op->value = value_of(response);
    } else if (response->outcome == PLX_MISMATCH) {
        bool is_told = response->has_value || response->version == 0;
        op->seen = is_told ? value_of(response) : LOAD_HISTORY_UNTOLD;
    }
}

/* ---- the file ---- */

static int compare_moments(const void *a, const void *b)
{
    const struct moment *left = a;
    const struct moment *right = b;
    if (left->at_ns != right->at_ns) {
        return left->at_ns < right->at_ns ? -1 : 1;
    }
    if (left->is_return != right->is_return) {
        return left->is_return ? 1 : -1;
    }
    return left->id < right->id ? -1 : left->id > right->id;
}

/* How the line of an outcome begins, and what it calls the outcome. */
struct ending {
    const char *type;
    const char *outcome;
};

static struct ending ending_of(const struct load_history_op *op)
{
    switch ((enum plx_outcome)op->outcome) {
    case PLX_OK:
        return (struct ending){"ok", "ok"};
    case PLX_NOT_FOUND:
        return (struct ending){"ok", "not-found"};
    case PLX_MISMATCH:
        return (struct ending){"fail", "mismatch"};
    case PLX_TIMEOUT:
        return (struct ending){"fail", "timeout"};
    case PLX_E_TOO_STALE:
        return (struct ending){"fail", "too-stale"};
    case PLX_UNKNOWN:
    case PLX_E_SESSION_EXPIRED:
        return (struct ending){"info", "unknown"};
    default:
        return (struct ending){"fail", "refused"};
    }
}

static void value_write(FILE *file, const char *name, uint64_t value)
{
    if (value == 0) {
        fprintf(file, ",\"%s\":null", name);
    } else if (value == LOAD_HISTORY_UNTOLD) {
        fprintf(file, ",\"%s\":\"untold\"", name);
    } else {
        fprintf(file, ",\"%s\":%" PRIu64, name, value);
    }
}

static void moment_write(FILE *file, const struct moment *moment)
{
    static const char *const kinds[] = {[LOAD_HISTORY_GET] = "get",
                                        [LOAD_HISTORY_RELAXED_GET] = "relaxed-get",
                                        [LOAD_HISTORY_SET] = "set",
                                        [LOAD_HISTORY_SWAP] = "swap"};
    const struct load_history_op *op = moment->op;
    struct ending ending = ending_of(op);
    fprintf(file, "{\"type\":\"%s\",\"process\":%u,\"op\":\"%s\",\"key\":\"%u\"",
            moment->is_return ? ending.type : "invoke", op->process, kinds[op->kind], op->key);
    if (moment->is_return || op->kind == LOAD_HISTORY_SET || op->kind == LOAD_HISTORY_SWAP) {
        value_write(file, "value", op->value);
    }
    if (op->kind == LOAD_HISTORY_SWAP) {
        value_write(file, "old", op->old);
    }
    if (moment->is_return && op->outcome == PLX_MISMATCH) {
        value_write(file, "seen", op->seen);
    }
    if (moment->is_return) {
        fprintf(file, ",\"outcome\":\"%s\",\"node\":%u,\"version\":%" PRIu64, ending.outcome,
                op->node, op->version);
    }
    fprintf(file, ",\"id\":%" PRIu64 ",\"time\":%" PRIu64 "}\n", moment->id, moment->at_ns);
}

/* Two moments for each operation; operations are numbered across the threads. */
static void moments_fill(const struct load_history *histories, uint32_t count,
                         struct moment *moments)
{
    uint64_t id = 0;
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t k = 0; k < histories[i].count; k++, id++) {
            const struct load_history_op *op = op_at(&histories[i], k);
            moments[2 * id] = (struct moment){.at_ns = op->invoke_ns, .op = op, .id = id};
            moments[2 * id + 1] =
                (struct moment){.at_ns = op->return_ns, .op = op, .id = id, .is_return = true};
        }
    }
}

enum error load_history_write(const struct load_history *histories, uint32_t count,
                              const char *path)
{
    size_t moment_count = 0;
    bool is_full = false;
    for (uint32_t i = 0; i < count; i++) {
        moment_count += 2 * (size_t)histories[i].count;
        is_full |= histories[i].is_full;
    }
    struct moment *moments = is_full ? NULL : calloc(moment_count + 1, sizeof(*moments));
    if (moments == NULL) {
        return ERR_NO_MEMORY;
    }
    FILE *file = fopen(path, "we");
    if (file == NULL) {
        free(moments);
        return ERR_IO;
    }
    moments_fill(histories, count, moments);
    qsort(moments, moment_count, sizeof(*moments), compare_moments);
    for (size_t i = 0; i < moment_count; i++) {
        moment_write(file, &moments[i]);
    }
    free(moments);
    bool is_bad = ferror(file) != 0;
    is_bad = fclose(file) != 0 || is_bad;
    return is_bad ? ERR_IO : OK;
}
