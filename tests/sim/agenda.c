/* A binary heap, ordered by (time, order of planning). */
#include "tests/sim/agenda.h"

#include "base/check.h"

#include <stdlib.h>

#define AGENDA_START 1024

void agenda_init(struct agenda *agenda)
{
    *agenda = (struct agenda){.capacity = AGENDA_START};
    agenda->heap = malloc(AGENDA_START * sizeof(*agenda->heap));
    CHECK(agenda->heap != NULL);
}

void agenda_deinit(struct agenda *agenda)
{
    free(agenda->heap);
    *agenda = (struct agenda){0};
}

static bool is_before(const struct event *a, const struct event *b)
{
    return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->order < b->order;
}

void agenda_plan(struct agenda *agenda, const struct event *event)
{
    if (agenda->count == agenda->capacity) {
        agenda->capacity *= 2;
        agenda->heap = realloc(agenda->heap, agenda->capacity * sizeof(*agenda->heap));
        CHECK(agenda->heap != NULL);
    }
    struct event placed = *event;
    placed.order = agenda->planned++;
    uint32_t at = agenda->count++;
    while (at > 0 && is_before(&placed, &agenda->heap[(at - 1) / 2])) {
        agenda->heap[at] = agenda->heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    agenda->heap[at] = placed;
}

bool agenda_next(struct agenda *agenda, struct event *ret_event)
{
    if (agenda->count == 0)
        return false;
    *ret_event = agenda->heap[0];
    struct event last = agenda->heap[--agenda->count];
    uint32_t at = 0;
    while (2 * at + 1 < agenda->count) {
        uint32_t child = 2 * at + 1;
        if (child + 1 < agenda->count && is_before(&agenda->heap[child + 1], &agenda->heap[child]))
            child++;
        if (is_before(&last, &agenda->heap[child]))
            break;
        agenda->heap[at] = agenda->heap[child];
        at = child;
    }
    agenda->heap[at] = last;
    return true;
}
