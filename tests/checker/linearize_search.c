/*
 * The search: placed operations leave the list of events, undoing puts them back. Three things keep
 * it short: readers come at once when the state fits; a unique value stays until everybody who must
 * see it has; a set that nobody sees rides for nothing before another write, or waits until it
 * cannot.
 */
#include "tests/checker/linearize_internal.h"

#include "base/check.h"

#include <stdlib.h>

#define RANK_NONE      0                /* every rank is above */
#define RANK_LAST      (UINT32_MAX - 1) /* no candidate is left here */
#define RANK_EXHAUSTED UINT32_MAX       /* nor anywhere */

static uint64_t mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
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
    struct lin_hash *table = calloc(capacity, sizeof(*table));
    CHECK(table != NULL);
    for (uint64_t i = 0; i < search->visited_capacity; i++) {
        if (search->visited[i].low != 0)
            visited_insert_at(table, capacity, search->visited[i]);
    }
    free(search->visited);
    search->visited = table;
    search->visited_capacity = capacity;
}

/* Notes the placed set and state; false when the search has been there before. 128 bits of hash
 * stand for both: two different pairs meet with a chance below 2^-80 in any search we can
 * afford. */
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
            return op->old != state && (op->seen == state || op->seen == LIN_ANY);
        }
        *ret_state = op->value;
        return op->old == state;
    }
    return false;
}

static uint32_t state_writer_of(const struct lin_search *search, uint32_t op)
{
    return search->ops[op].value == LIN_ABSENT ? LIN_NO_OP : op;
}

/* Places the operation whose call is `call`; the state becomes `state`. */
static void search_push(struct lin_search *search, uint32_t call, uint64_t state,
                        enum lin_frame_kind kind)
{
    uint32_t op = search->events[call].op;
    uint32_t writer = search->observed_writer[op];
    set_toggle(search, op);
    search->stack[search->depth++] =
        (struct lin_frame){.call = call, .state_before = search->state, .kind = kind};
    search->state = state;
    event_unlink(search, call);
    event_unlink(search, search->events[call].partner);
    search->mandatory_left -= !search->is_optional[op];
    if (writer != LIN_NO_OP && !search->is_optional[op])
        search->observers_left[writer]--;
}

/* Takes the last placed operation back. */
static struct lin_frame search_pop(struct lin_search *search)
{
    struct lin_frame frame = search->stack[--search->depth];
    uint32_t op = search->events[frame.call].op;
    uint32_t writer = search->observed_writer[op];
    search->state = frame.state_before;
    set_toggle(search, op);
    event_relink(search, search->events[frame.call].partner);
    event_relink(search, frame.call);
    search->mandatory_left += !search->is_optional[op];
    if (writer != LIN_NO_OP && !search->is_optional[op])
        search->observers_left[writer]++;
    return frame;
}

bool lin_is_reader(const struct lin_op *op)
{
    return op->type == LIN_GET || op->outcome == LIN_MISMATCH;
}

/* A reader that fits the state may as well come now: it changes nothing for the others. */
static void search_place_readers(struct lin_search *search)
{
    uint32_t at = search->events[0].next;
    while (at != 0 && !search->events[at].is_return) {
        const struct lin_op *op = &search->ops[search->events[at].op];
        uint64_t state = 0;
        search->steps++;
        if (!lin_is_reader(op) || !op_apply(op, search->state, &state)) {
            at = search->events[at].next;
            continue;
        }
        /* Its return may have bounded the window: begin anew. */
        search_push(search, at, state, FRAME_READER);
        at = search->events[0].next;
    }
}

static bool is_unseen_set(const struct lin_search *search, uint32_t op)
{
    return search->is_lazy && search->ops[op].type == LIN_SET &&
           search->ops[op].value != LIN_ABSENT && search->observers_all[op] == 0;
}

/* Just before a plain write, a set that nobody sees costs nothing. */
static void search_place_riders(struct lin_search *search)
{
    uint32_t at = search->events[0].next;
    while (at != 0 && !search->events[at].is_return) {
        uint32_t op = search->events[at].op;
        uint32_t next = search->events[at].next;
        search->steps++;
        if (is_unseen_set(search, op)) {
            search_push(search, at, search->ops[op].value, FRAME_RIDER);
            next = search->events[0].next;
        }
        at = next;
    }
}

/* The writer of the state now, where values are unique. */
static uint32_t search_state_writer(const struct lin_search *search)
{
    for (uint32_t depth = search->depth; depth > 0; depth--) {
        const struct lin_frame *frame = &search->stack[depth - 1];
        if (frame->kind == FRAME_CHOICE)
            return state_writer_of(search, search->events[frame->call].op);
    }
    return LIN_NO_OP;
}

/* A unique value that goes away never comes back: whoever must see it has to be placed before. */
static bool may_leave_state(const struct lin_search *search, uint32_t op)
{
    uint32_t writer = search->is_unique ? search_state_writer(search) : LIN_NO_OP;
    if (writer == LIN_NO_OP)
        return true;
    uint32_t own = search->observed_writer[op] == writer && !search->is_optional[op];
    return search->observers_left[writer] == own;
}

/* Places the write whose call is `call` next, unless it cannot be or leads where the search has
 * been. */
static bool search_choose(struct lin_search *search, uint32_t call)
{
    uint32_t op = search->events[call].op;
    uint64_t state = 0;
    if (!op_apply(&search->ops[op], search->state, &state) || !may_leave_state(search, op))
        return false;
    uint32_t depth = search->depth;
    if (search->ops[op].type == LIN_SET && !is_unseen_set(search, op))
        search_place_riders(search);
    search_push(search, call, state, FRAME_CHOICE);
    search_place_readers(search);
    if (visited_insert(search, search->state))
        return true;
    while (search->depth > depth)
        search_pop(search);
    return false;
}

/* Takes the last choice and all that followed from it back; its rank, after which to look for the
 * next one. */
static uint32_t search_retreat(struct lin_search *search)
{
    struct lin_frame frame = search_pop(search);
    while (frame.kind != FRAME_CHOICE && search->depth > 0)
        frame = search_pop(search);
    if (frame.kind != FRAME_CHOICE)
        return RANK_EXHAUSTED;
    while (search->depth > 0 && search->stack[search->depth - 1].kind == FRAME_RIDER)
        search_pop(search);
    uint32_t op = search->events[frame.call].op;
    /* A set that nobody sees was placed because its return was next: there is nothing after
     * that. */
    return is_unseen_set(search, op) ? RANK_LAST : search->rank[op];
}

/* The call of the write with the lowest rank above `rank` that may be placed now; 0: none. */
static uint32_t search_candidate(struct lin_search *search, uint32_t rank)
{
    uint32_t best = 0;
    uint32_t at = search->events[0].next;
    for (; at != 0 && !search->events[at].is_return; at = search->events[at].next) {
        uint32_t op = search->events[at].op;
        search->steps++;
        if (search->rank[op] <= rank || lin_is_reader(&search->ops[op]) ||
            is_unseen_set(search, op))
            continue;
        if (best == 0 || search->rank[op] < search->rank[search->events[best].op])
            best = at;
    }
    /* The first return ends the window; a set that nobody sees is placed when it cannot wait. */
    bool is_forced =
        best == 0 && rank != RANK_LAST && at != 0 && is_unseen_set(search, search->events[at].op);
    if (!is_forced)
        return best;
    uint32_t op = search->events[at].op;
    best = search->events[0].next;
    while (search->events[best].op != op)
        best = search->events[best].next;
    return best;
}

static void search_note_suspect(struct lin_search *search, struct lin_report *ret_report)
{
    if (search->depth < ret_report->placed)
        return;
    uint32_t at = search->events[0].next;
    while (at != 0 && !search->events[at].is_return)
        at = search->events[at].next;
    ret_report->placed = search->depth;
    ret_report->suspect = at != 0 ? search->given_index[search->events[at].op] : LIN_NO_OP;
}

/* Places the next candidate above `rank`, or goes back; returns the rank to go on from. */
static uint32_t search_step(struct lin_search *search, uint32_t rank, struct lin_report *ret_report)
{
    uint32_t call = search_candidate(search, rank);
    if (call != 0) {
        uint32_t op = search->events[call].op;
        bool is_last = is_unseen_set(search, op);
        if (search_choose(search, call))
            return RANK_NONE;
        return is_last ? RANK_LAST : search->rank[op];
    }
    search_note_suspect(search, ret_report);
    return search->depth == 0 ? RANK_EXHAUSTED : search_retreat(search);
}

void lin_search_run(struct lin_search *search, uint64_t steps_max, struct lin_report *ret_report)
{
    uint32_t rank = RANK_NONE;
    ret_report->verdict = LIN_LINEARIZABLE;
    search_place_readers(search);
    while (search->mandatory_left > 0 && ret_report->verdict == LIN_LINEARIZABLE) {
        rank = search_step(search, rank, ret_report);
        if (rank == RANK_EXHAUSTED)
            ret_report->verdict = LIN_VIOLATION;
        else if (search->steps++ >= steps_max)
            ret_report->verdict = LIN_GAVE_UP;
    }
    ret_report->steps = search->steps;
    if (ret_report->verdict != LIN_LINEARIZABLE)
        return;
    ret_report->suspect = LIN_NO_OP;
    ret_report->placed = search->depth;
}
