/* Fields found by name in each line; names sorted, then looked up. */
#include "tests/chaos/history_file.h"

#include "base/check.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define LINE_BYTES_MAX 1024
#define OPS_MAX        (UINT32_C(1) << 30)
#define TYPES          (HISTORY_RELAXED_DEL + 1)
#define OUTCOMES       (HISTORY_TOO_STALE + 1)

struct reading {
    struct history history;
    bool *has_invoke; /* by operation; room as the history */
    uint64_t line_number;
    char *reason;
    size_t reason_size;
};

/* A value and the operation that writes it. */
struct value_name {
    uint64_t value;
    uint32_t op;
};

static bool refuse(struct reading *reading, const char *what)
{
    snprintf(reading->reason, reading->reason_size, "line %" PRIu64 ": %s", reading->line_number,
             what);
    return false;
}

/* ---- one line ---- */

/* What follows "name": in the line; NULL: the line has no such field. */
static const char *field_find(const char *line, const char *name)
{
    char wanted[32];
    int length = snprintf(wanted, sizeof(wanted), "\"%s\":", name);
    const char *at = strstr(line, wanted);
    return at == NULL ? NULL : at + length;
}

/* A number; quotes around it do not matter. */
static bool number_field(const char *line, const char *name, uint64_t *ret_number)
{
    char *end = NULL;
    const char *at = field_find(line, name);
    at = at != NULL && *at == '"' ? at + 1 : at;
    if (at == NULL || *at < '0' || *at > '9')
        return false;
    *ret_number = strtoull(at, &end, 10);
    return *end == ',' || *end == '"' || *end == '}';
}

static bool text_is(const char *at, const char *text)
{
    size_t length = strlen(text);
    return at != NULL && at[0] == '"' && strncmp(at + 1, text, length) == 0 &&
           at[1 + length] == '"';
}

/* Null: nothing is stored. "untold": the client was not told what is. */
static bool value_field(const char *line, const char *name, uint64_t *ret_value)
{
    const char *at = field_find(line, name);
    bool is_absent = at != NULL && strncmp(at, "null", 4) == 0;
    if (is_absent || text_is(at, "untold")) {
        *ret_value = is_absent ? HISTORY_ABSENT : HISTORY_UNSEEN;
        return true;
    }
    return number_field(line, name, ret_value);
}

static bool type_field(const char *line, enum history_type *ret_type)
{
    const char *at = field_find(line, "op");
    for (int type = 0; type < TYPES; type++) {
        if (text_is(at, history_type_name((enum history_type)type))) {
            *ret_type = (enum history_type)type;
            return true;
        }
    }
    return false;
}

static bool outcome_field(const char *line, enum history_outcome *ret_outcome)
{
    const char *at = field_find(line, "outcome");
    for (int outcome = 0; outcome < OUTCOMES; outcome++) {
        if (text_is(at, history_outcome_name((enum history_outcome)outcome))) {
            *ret_outcome = (enum history_outcome)outcome;
            return true;
        }
    }
    return false;
}

/* Room for the operation; what is new is zero. */
static void room_make(struct reading *reading, uint32_t number)
{
    struct history *history = &reading->history;
    if (number >= history->capacity) {
        uint32_t capacity = history->capacity;
        while (capacity <= number)
            capacity *= 2;
        history->ops = realloc(history->ops, capacity * sizeof(*history->ops));
        reading->has_invoke = realloc(reading->has_invoke, capacity);
        CHECK(history->ops != NULL && reading->has_invoke != NULL);
        memset(history->ops + history->capacity, 0,
               (capacity - history->capacity) * sizeof(*history->ops));
        memset(reading->has_invoke + history->capacity, 0, capacity - history->capacity);
        history->capacity = capacity;
    }
    if (number >= history->count)
        history->count = number + 1;
}

static bool invoke_take(struct reading *reading, const char *line, struct history_op *op,
                        uint64_t at_ns)
{
    uint64_t key = 0;
    bool is_good =
        type_field(line, &op->type) && number_field(line, "key", &key) && key <= UINT32_MAX;
    op->key = (uint32_t)key;
    op->invoke_ns = at_ns;
    if (is_good && !history_is_get(op))
        is_good = value_field(line, "value", &op->value);
    if (is_good && op->type == HISTORY_SWAP)
        is_good = value_field(line, "old", &op->old);
    return is_good || refuse(reading, "op, key, value or old is missing or wrong");
}

static bool return_take(struct reading *reading, const char *line, struct history_op *op,
                        uint64_t at_ns)
{
    bool is_good = outcome_field(line, &op->outcome);
    op->return_ns = at_ns;
    (void)number_field(line, "version", &op->version);
    if (is_good && op->outcome == HISTORY_MISMATCH)
        is_good = value_field(line, "seen", &op->seen);
    if (is_good && strstr(line, "\"op\":\"get\"") == NULL &&
        strstr(line, "\"op\":\"relaxed-get\"") == NULL)
        return true;
    is_good = is_good && value_field(line, "value", &op->seen);
    return is_good || refuse(reading, "outcome, value or seen is missing or wrong");
}

static bool line_take(struct reading *reading, const char *line)
{
    uint64_t id = 0;
    uint64_t at_ns = 0;
    reading->line_number++;
    if (line[0] != '{' || !number_field(line, "id", &id) || id >= OPS_MAX ||
        !number_field(line, "time", &at_ns))
        return refuse(reading, "no id or no time");
    room_make(reading, (uint32_t)id);
    struct history_op *op = &reading->history.ops[id];
    if (!text_is(field_find(line, "type"), "invoke"))
        return return_take(reading, line, op, at_ns);
    if (reading->has_invoke[id])
        return refuse(reading, "a second invoke of its id");
    reading->has_invoke[id] = true;
    return invoke_take(reading, line, op, at_ns);
}

/* ---- names ---- */

static int compare_numbers(const void *a, const void *b)
{
    const uint32_t *left = a;
    const uint32_t *right = b;
    return *left < *right ? -1 : *left > *right;
}

static int compare_names(const void *a, const void *b)
{
    const struct value_name *left = a;
    const struct value_name *right = b;
    return left->value < right->value ? -1 : left->value > right->value;
}

static void keys_number(struct history *history, uint32_t *ret_key_count)
{
    uint32_t *keys = calloc((size_t)history->count + 1, sizeof(*keys));
    uint32_t count = 0;
    CHECK(keys != NULL);
    for (uint32_t i = 0; i < history->count; i++)
        keys[i] = history->ops[i].key;
    qsort(keys, history->count, sizeof(*keys), compare_numbers);
    for (uint32_t i = 0; i < history->count; i++) {
        if (count == 0 || keys[count - 1] != keys[i])
            keys[count++] = keys[i];
    }
    for (uint32_t i = 0; i < history->count; i++) {
        const uint32_t *found =
            bsearch(&history->ops[i].key, keys, count, sizeof(*keys), compare_numbers);
        history->ops[i].key = (uint32_t)(found - keys);
    }
    free(keys);
    *ret_key_count = count;
}

/* The name of a value that was read, expected or written. */
static uint64_t name_of(const struct value_name *names, uint32_t count, uint64_t value,
                        uint64_t unknown)
{
    if (value == HISTORY_ABSENT || value == HISTORY_UNSEEN)
        return value;
    const struct value_name wanted = {.value = value};
    const struct value_name *found = bsearch(&wanted, names, count, sizeof(*names), compare_names);
    return found == NULL ? unknown : (uint64_t)found->op + 1;
}

static bool values_name(struct reading *reading)
{
    struct history *history = &reading->history;
    struct value_name *names = calloc((size_t)history->count + 1, sizeof(*names));
    uint32_t count = 0;
    bool is_unique = true;
    CHECK(names != NULL);
    for (uint32_t i = 0; i < history->count; i++) {
        if (!history_is_get(&history->ops[i]) && history->ops[i].value != HISTORY_ABSENT)
            names[count++] = (struct value_name){.value = history->ops[i].value, .op = i};
    }
    qsort(names, count, sizeof(*names), compare_names);
    for (uint32_t i = 1; i < count; i++)
        is_unique &= names[i - 1].value != names[i].value;
    for (uint32_t i = 0; i < history->count; i++) {
        struct history_op *op = &history->ops[i];
        uint64_t unknown = (uint64_t)history->count + 1;
        op->value = name_of(names, count, op->value, unknown);
        op->old = name_of(names, count, op->old, unknown);
        op->seen = name_of(names, count, op->seen, unknown);
    }
    free(names);
    return is_unique || refuse(reading, "in this file two operations write the same value");
}

static bool operations_are_whole(struct reading *reading)
{
    for (uint32_t i = 0; i < reading->history.count; i++) {
        struct history_op *op = &reading->history.ops[i];
        if (!reading->has_invoke[i])
            return refuse(reading, "this file lacks the invoke of an id");
        if (op->outcome == HISTORY_PENDING)
            op->return_ns = UINT64_MAX;
    }
    return reading->history.count > 0 || refuse(reading, "the file is empty");
}

bool history_file_read(FILE *file, struct history *ret_history, uint32_t *ret_key_count,
                       char *ret_reason, size_t reason_size)
{
    char line[LINE_BYTES_MAX];
    struct reading reading = {.reason = ret_reason, .reason_size = reason_size};
    bool is_good = true;
    history_init(&reading.history);
    reading.has_invoke = calloc(reading.history.capacity, sizeof(*reading.has_invoke));
    CHECK(reading.has_invoke != NULL);
    while (is_good && fgets(line, sizeof(line), file) != NULL)
        is_good = line_take(&reading, line);
    is_good = is_good && operations_are_whole(&reading) && values_name(&reading);
    free(reading.has_invoke);
    if (!is_good) {
        history_deinit(&reading.history);
        return false;
    }
    keys_number(&reading.history, ret_key_count);
    *ret_history = reading.history;
    return true;
}
