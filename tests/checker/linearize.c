#include "tests/checker/linearize.h"

#include "base/check.h"

#include <stdlib.h>
#include <string.h>

#define VISITED_START (1u << 12)

/* An event of the history: the call or the return of `op`. Events form a doubly linked list. */
struct lin_event {
    uint64_t at_ns;
    uint32_t op;
    bool is_return;
    uint32_t next;
    uint32_t previous;
    uint32_t partner; /* call: its return */
};

struct lin_hash {
    uint64_t low;
    uint64_t high;
};

struct lin_frame {
    uint32_t call;
    uint64_t state_before;
};

struct lin_search {
    const struct lin_op *given;
    struct lin_op *ops; /* kept ones, with settled outcomes and return times */
    uint32_t *given_index;
    bool *is_optional;
    uint32_t count;
    uint32_t mandatory_left;
    struct lin_event *events; /* [0] is the head; events_count follows */
    struct lin_frame *stack;
    uint32_t depth;
    struct lin_hash set; /* of the operations placed so far */
    struct lin_hash *visited;
    uint64_t visited_capacity;
    uint64_t visited_count;
    uint64_t state;
};

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

static uint64_t mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
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
        return op->outcome == LIN_MISMATCH ? op->seen : op->old;
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
static uint32_t settle(struct lin_op *ops, enum settled *settled, uint32_t count)
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
    return phantom;
}

/* ---- the search ---- */

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

static void event_unlink(struct lin_search *search, uint32_t at)
{
    struct lin_event *event = &search->events[at];
    search->events[event->previous].next = event->next;
    search->events[event->next].previous = event->previous;
}

static void event_relink(struct lin_search *search, uint32_t at)
{
    struct lin_event *event = &search->events[at];
    search->events[event->previous].next = at;
    search->events[event->next].previous = at;
}

static void set_toggle(struct lin_search *search, uint32_t op)
{
    search->set.low ^= mix(2 * (uint64_t)op + 1);
    search->set.high ^= mix(~(2 * (uint64_t)op + 1));
}

static bool visited_insert_at(struct lin_hash *table, uint64_t capacity, struct lin_hash key)
{
    uint64_t slot = key.low & (capacity - 1);
    while (table[slot].low != 0) {
        if (table[slot].low == key.low && table[slot].high == key.high)
            return false;
        slot = (slot + 1) & (capacity - 1);
    }
    table[slot] = key;
    return true;
}

static void visited_grow(struct lin_search *search)
{
    uint64_t capacity = search->visited_capacity * 2;
    struct lin_hash *table = allocate(capacity, sizeof(*table));
    for (uint64_t i = 0; i < search->visited_capacity; i++) {
        if (search->visited[i].low != 0)
            visited_insert_at(table, capacity, search->visited[i]);
    }
    free(search->visited);
    search->visited = table;
    search->visited_capacity = capacity;
}

/* Notes the placed set and state; false when the search has been there before. 128 bits of hash
 * stand for both: two different pairs meet with a chance below 2^-80 in any search we can afford.
 */
static bool visited_insert(struct lin_search *search, uint64_t state)
{
    struct lin_hash key = {.low = mix(search->set.low + 0x9e3779b97f4a7c15u * mix(state + 1)) | 1,
                           .high = mix(search->set.high ^ mix(state + 7))};
    if (search->visited_count * 2 >= search->visited_capacity)
        visited_grow(search);
    if (!visited_insert_at(search->visited, search->visited_capacity, key))
        return false;
    search->visited_count++;
    return true;
}

/* Whether the operation can take place on `state`, and the state after it. */
static bool op_apply(const struct lin_op *op, uint64_t state, uint64_t *ret_state)
{
    switch (op->type) {
    case LIN_GET:
        *ret_state = state;
        return op->value == state;
    case LIN_SET:
        *ret_state = op->value;
        return true;
    case LIN_SWAP:
        if (op->outcome == LIN_MISMATCH) {
            *ret_state = state;
            return op->seen == state && op->old != state;
        }
        *ret_state = op->value;
        return op->old == state;
    }
    return false;
}

/* Places the operation whose call is `call` next, unless that leads where the search has been. */
static bool search_place(struct lin_search *search, uint32_t call)
{
    uint32_t op = search->events[call].op;
    uint64_t state = 0;
    if (!op_apply(&search->ops[op], search->state, &state))
        return false;
    set_toggle(search, op);
    if (!visited_insert(search, state)) {
        set_toggle(search, op);
        return false;
    }
    search->stack[search->depth++] =
        (struct lin_frame){.call = call, .state_before = search->state};
    search->state = state;
    event_unlink(search, call);
    event_unlink(search, search->events[call].partner);
    search->mandatory_left -= !search->is_optional[op];
    return true;
}

/* Takes the last placed operation back; returns its call. */
static uint32_t search_undo(struct lin_search *search)
{
    struct lin_frame frame = search->stack[--search->depth];
    uint32_t op = search->events[frame.call].op;
    search->state = frame.state_before;
    set_toggle(search, op);
    event_relink(search, search->events[frame.call].partner);
    event_relink(search, frame.call);
    search->mandatory_left += !search->is_optional[op];
    return frame.call;
}

static void search_run(struct lin_search *search, uint64_t steps_max, struct lin_report *ret_report)
{
    uint32_t at = search->events[0].next;
    while (search->mandatory_left > 0) {
        if (ret_report->steps++ >= steps_max) {
            ret_report->verdict = LIN_GAVE_UP;
            return;
        }
        struct lin_event *event = &search->events[at];
        if (at != 0 && !event->is_return) {
            at = search_place(search, at) ? search->events[0].next : event->next;
            continue;
        }
        if (search->depth >= ret_report->placed) {
            ret_report->placed = search->depth;
            ret_report->suspect = at != 0 ? search->given_index[event->op] : LIN_NO_OP;
        }
        if (search->depth == 0) {
            ret_report->verdict = LIN_VIOLATION;
            return;
        }
        at = search->events[search_undo(search)].next;
    }
    ret_report->verdict = LIN_LINEARIZABLE;
    ret_report->suspect = LIN_NO_OP;
    ret_report->placed = search->depth;
}

static void search_init(struct lin_search *search, const struct lin_op *ops,
                        const enum settled *settled, uint32_t count)
{
    *search = (struct lin_search){.given = ops, .state = LIN_ABSENT};
    search->ops = allocate(count, sizeof(*search->ops));
    search->given_index = allocate(count, sizeof(*search->given_index));
    search->is_optional = allocate(count, sizeof(*search->is_optional));
    for (uint32_t i = 0; i < count; i++) {
        if (settled[i] == SETTLED_OUT)
            continue;
        search->ops[search->count] = ops[i];
        search->given_index[search->count] = i;
        search->is_optional[search->count] = settled[i] == SETTLED_OPTIONAL;
        search->mandatory_left += settled[i] == SETTLED_MUST;
        search->count++;
    }
    search->stack = allocate(search->count, sizeof(*search->stack));
    search->visited_capacity = VISITED_START;
    search->visited = allocate(VISITED_START, sizeof(*search->visited));
    events_build(search);
}

static void search_deinit(struct lin_search *search)
{
    free(search->ops);
    free(search->given_index);
    free(search->is_optional);
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
    uint32_t phantom = settle(copies, settled, count);
    if (phantom != LIN_NO_OP) {
        ret_report->verdict = LIN_PHANTOM;
        ret_report->suspect = phantom;
    } else {
        struct lin_search search;
        search_init(&search, copies, settled, count);
        search_run(&search, steps_max, ret_report);
        search_deinit(&search);
    }
    free(copies);
    free(settled);
}
