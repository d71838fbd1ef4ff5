/* Prepares a history for the search: which operations count, until when, and who saw whose
 * value. */
#include "tests/checker/linearize_internal.h"

#include "base/check.h"

#include <stdlib.h>
#include <string.h>

#define VISITED_START (1u << 12)

const char *lin_verdict_name(enum lin_verdict verdict)
{
    switch (verdict) {
    case LIN_LINEARIZABLE:
        return "linearizable";
    case LIN_VIOLATION:
        return "not linearizable";
    case LIN_PHANTOM:
        return "phantom value";
    case LIN_GAVE_UP:
        return "gave up";
    }
    return "?";
}

static void *allocate(size_t count, size_t size_bytes)
{
    void *memory = calloc(count > 0 ? count : 1, size_bytes);
    CHECK(memory != NULL);
    return memory;
}

/* ---- settling writes of unknown outcome ---- */

/* The value that an operation proves to have been stored before it; LIN_ABSENT: none. */
static uint64_t observed_value(const struct lin_op *op)
{
    switch (op->type) {
    case LIN_GET:
        return op->value;
    case LIN_SET:
        return LIN_ABSENT;
    case LIN_SWAP:
        if (op->outcome == LIN_MISMATCH)
            return op->seen != LIN_ANY ? op->seen : LIN_ABSENT;
        return op->old;
    }
    return LIN_ABSENT;
}

static bool is_write(const struct lin_op *op)
{
    return op->type != LIN_GET && op->outcome != LIN_MISMATCH;
}

struct writer {
    uint64_t value;
    uint32_t op;
};

static int compare_writers(const void *a, const void *b)
{
    const struct writer *left = a;
    const struct writer *right = b;
    return left->value < right->value ? -1 : left->value > right->value;
}

static uint32_t writer_find(const struct writer *writers, uint32_t count, uint64_t value)
{
    struct writer wanted = {.value = value};
    const struct writer *found =
        bsearch(&wanted, writers, count, sizeof(*writers), compare_writers);
    return found != NULL ? found->op : LIN_NO_OP;
}

/* Writers of present values, sorted; false when two writes store the same value. */
static bool writers_collect(const struct lin_op *ops, uint32_t count, struct writer *ret_writers,
                            uint32_t *ret_count)
{
    uint32_t found = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (is_write(&ops[i]) && ops[i].value != LIN_ABSENT)
            ret_writers[found++] = (struct writer){.value = ops[i].value, .op = i};
    }
    qsort(ret_writers, found, sizeof(*ret_writers), compare_writers);
    for (uint32_t i = 1; i < found; i++) {
        if (ret_writers[i].value == ret_writers[i - 1].value)
            return false;
    }
    *ret_count = found;
    return true;
}

enum settled { SETTLED_OUT, SETTLED_OPTIONAL, SETTLED_MUST };

/*
 * One pass from observers to writers: a writer is at least as certain as whoever saw its value, and
 * happened before that one returned. Returns whether anything changed.
 */
static bool settle_pass(struct lin_op *ops, enum settled *settled, uint32_t count,
                        const struct writer *writers, uint32_t writer_count)
{
    bool is_changed = false;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t value = observed_value(&ops[i]);
        if (settled[i] == SETTLED_OUT || value == LIN_ABSENT)
            continue;
        uint32_t writer = writer_find(writers, writer_count, value);
        if (writer == LIN_NO_OP)
            continue;
        if (settled[writer] < settled[i]) {
            settled[writer] = settled[i];
            is_changed = true;
        }
        if (settled[i] == SETTLED_MUST && ops[writer].outcome == LIN_MAYBE &&
            ops[writer].return_ns > ops[i].return_ns) {
            ops[writer].return_ns = ops[i].return_ns;
            is_changed = true;
        }
    }
    return is_changed;
}

/* The first operation that saw a value which nobody had begun to write before it returned. */
static uint32_t phantom_find(const struct lin_op *ops, const enum settled *settled, uint32_t count,
                             const struct writer *writers, uint32_t writer_count)
{
    for (uint32_t i = 0; i < count; i++) {
        uint64_t value = observed_value(&ops[i]);
        if (settled[i] != SETTLED_MUST || value == LIN_ABSENT)
            continue;
        uint32_t writer = writer_find(writers, writer_count, value);
        if (writer == LIN_NO_OP || ops[writer].call_ns > ops[i].return_ns)
            return i;
    }
    return LIN_NO_OP;
}

/* Fills `settled` and may shorten return times; returns a phantom's observer or LIN_NO_OP. */
static uint32_t settle(struct lin_op *ops, enum settled *settled, uint32_t count,
                       bool *ret_is_unique)
{
    struct writer *writers = allocate(count, sizeof(*writers));
    uint32_t writer_count = 0;
    uint32_t phantom = LIN_NO_OP;
    bool is_unique = writers_collect(ops, count, writers, &writer_count);
    for (uint32_t i = 0; i < count; i++) {
        bool is_maybe = ops[i].outcome == LIN_MAYBE;
        bool is_droppable = is_unique && ops[i].value != LIN_ABSENT;
        settled[i] = !is_maybe ? SETTLED_MUST : is_droppable ? SETTLED_OUT : SETTLED_OPTIONAL;
    }
    if (is_unique) {
        while (settle_pass(ops, settled, count, writers, writer_count))
            ; /* at most one pass for each link of the longest chain of swaps */
        phantom = phantom_find(ops, settled, count, writers, writer_count);
    }
    free(writers);
    *ret_is_unique = is_unique;
    return phantom;
}

/* At one instant calls come before returns, so that touching operations count as concurrent. */
static int compare_events(const void *a, const void *b)
{
    const struct lin_event *left = a;
    const struct lin_event *right = b;
    if (left->at_ns != right->at_ns)
        return left->at_ns < right->at_ns ? -1 : 1;
    if (left->is_return != right->is_return)
        return left->is_return ? 1 : -1;
    return left->op < right->op ? -1 : left->op > right->op;
}

static void events_build(struct lin_search *search)
{
    uint32_t count = 2 * search->count;
    uint32_t *calls = allocate(search->count, sizeof(*calls));
    search->events = allocate(count + 1, sizeof(*search->events));
    for (uint32_t i = 0; i < search->count; i++) {
        const struct lin_op *op = &search->ops[i];
        search->events[1 + 2 * i] = (struct lin_event){.at_ns = op->call_ns, .op = i};
        search->events[2 + 2 * i] = (struct lin_event){
            .at_ns = search->is_optional[i] ? LIN_OPEN : op->return_ns, .op = i, .is_return = true};
    }
    qsort(search->events + 1, count, sizeof(*search->events), compare_events);
    for (uint32_t i = 0; i <= count; i++) {
        struct lin_event *event = &search->events[i];
        event->next = i < count ? i + 1 : 0;
        event->previous = i > 0 ? i - 1 : count;
        if (i > 0 && !event->is_return)
            calls[event->op] = i;
        else if (i > 0)
            search->events[calls[event->op]].partner = i;
    }
    free(calls);
}

/* Who saw whose value, where every value has one writer. */
static void observers_count(struct lin_search *search)
{
    struct writer *writers = allocate(search->count, sizeof(*writers));
    uint32_t writer_count = 0;
    if (!writers_collect(search->ops, search->count, writers, &writer_count))
        writer_count = 0;
    for (uint32_t i = 0; i < search->count; i++) {
        uint64_t value = observed_value(&search->ops[i]);
        search->observed_writer[i] =
            value == LIN_ABSENT ? LIN_NO_OP : writer_find(writers, writer_count, value);
        uint32_t writer = search->observed_writer[i];
        if (writer == LIN_NO_OP)
            continue;
        search->observers_all[writer]++;
        search->observers_left[writer] += !search->is_optional[i];
    }
    free(writers);
}

struct deadline {
    uint64_t at_ns;
    uint32_t op;
};

static int compare_deadlines(const void *a, const void *b)
{
    const struct deadline *left = a;
    const struct deadline *right = b;
    if (left->at_ns != right->at_ns)
        return left->at_ns < right->at_ns ? -1 : 1;
    return left->op < right->op ? -1 : left->op > right->op;
}

/* Ranks, from 1, by the earliest return among the operation and those who saw its value. */
static void ranks_fill(struct lin_search *search)
{
    struct deadline *deadlines = allocate(search->count, sizeof(*deadlines));
    for (uint32_t i = 0; i < search->count; i++)
        deadlines[i] = (struct deadline){.at_ns = search->ops[i].return_ns, .op = i};
    for (uint32_t i = 0; i < search->count; i++) {
        uint32_t writer = search->observed_writer[i];
        if (writer != LIN_NO_OP && search->ops[i].return_ns < deadlines[writer].at_ns)
            deadlines[writer].at_ns = search->ops[i].return_ns;
    }
    qsort(deadlines, search->count, sizeof(*deadlines), compare_deadlines);
    for (uint32_t i = 0; i < search->count; i++)
        search->rank[deadlines[i].op] = i + 1;
    free(deadlines);
}

static bool has_silent_mismatch(const struct lin_search *search)
{
    for (uint32_t i = 0; i < search->count; i++) {
        if (search->ops[i].outcome == LIN_MISMATCH && search->ops[i].seen == LIN_ANY)
            return true;
    }
    return false;
}

static void search_keep(struct lin_search *search, const struct lin_op *ops,
                        const enum settled *settled, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (settled[i] == SETTLED_OUT)
            continue;
        search->ops[search->count] = ops[i];
        search->given_index[search->count] = i;
        search->is_optional[search->count] = settled[i] == SETTLED_OPTIONAL;
        search->mandatory_left += settled[i] == SETTLED_MUST;
        search->count++;
    }
}

static void search_init(struct lin_search *search, const struct lin_op *ops,
                        const enum settled *settled, uint32_t count)
{
    *search = (struct lin_search){.state = LIN_ABSENT};
    search->ops = allocate(count, sizeof(*search->ops));
    search->given_index = allocate(count, sizeof(*search->given_index));
    search->rank = allocate(count, sizeof(*search->rank));
    search->is_optional = allocate(count, sizeof(*search->is_optional));
    search->observed_writer = allocate(count, sizeof(*search->observed_writer));
    search->observers_left = allocate(count, sizeof(*search->observers_left));
    search->observers_all = allocate(count, sizeof(*search->observers_all));
    search_keep(search, ops, settled, count);
    observers_count(search);
    ranks_fill(search);
    search->stack = allocate(search->count, sizeof(*search->stack));
    search->visited_capacity = VISITED_START;
    search->visited = allocate(VISITED_START, sizeof(*search->visited));
    events_build(search);
}

static void search_deinit(struct lin_search *search)
{
    free(search->ops);
    free(search->given_index);
    free(search->rank);
    free(search->is_optional);
    free(search->observed_writer);
    free(search->observers_left);
    free(search->observers_all);
    free(search->events);
    free(search->stack);
    free(search->visited);
}

void lin_check(const struct lin_op *ops, uint32_t count, uint64_t steps_max,
               struct lin_report *ret_report)
{
    struct lin_op *copies = allocate(count, sizeof(*copies));
    enum settled *settled = allocate(count, sizeof(*settled));
    if (count > 0)
        memcpy(copies, ops, count * sizeof(*ops));
    *ret_report = (struct lin_report){.suspect = LIN_NO_OP};
    bool is_unique = false;
    uint32_t phantom = settle(copies, settled, count, &is_unique);
    if (phantom != LIN_NO_OP) {
        ret_report->verdict = LIN_PHANTOM;
        ret_report->suspect = phantom;
    } else {
        struct lin_search search;
        search_init(&search, copies, settled, count);
        search.is_unique = is_unique;
        search.is_lazy = is_unique && !has_silent_mismatch(&search);
        lin_search_run(&search, steps_max, ret_report);
        search_deinit(&search);
    }
    free(copies);
    free(settled);
}
