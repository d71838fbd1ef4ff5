/* See timeline.h. */
#include "tests/sim/timeline.h"

#include "base/check.h"

#include <stdlib.h>

#define TIMELINE_START 64

void timeline_init(struct timeline *timeline)
{
    *timeline = (struct timeline){.capacity = TIMELINE_START};
    timeline->notes = calloc(TIMELINE_START, sizeof(*timeline->notes));
    CHECK(timeline->notes != NULL);
}

void timeline_deinit(struct timeline *timeline)
{
    free(timeline->notes);
    *timeline = (struct timeline){0};
}

void timeline_add(struct timeline *timeline, const struct timeline_note *note)
{
    if (timeline->count == timeline->capacity) {
        timeline->capacity *= 2;
        timeline->notes = realloc(timeline->notes, timeline->capacity * sizeof(*timeline->notes));
        CHECK(timeline->notes != NULL);
    }
    timeline->notes[timeline->count++] = *note;
}

static int compare(const void *a, const void *b)
{
    const struct timeline_note *left = a;
    const struct timeline_note *right = b;
    if (left->group != right->group)
        return left->group < right->group ? -1 : 1;
    if (left->at_ns != right->at_ns)
        return left->at_ns < right->at_ns ? -1 : 1;
    return left->op < right->op ? -1 : left->op > right->op;
}

void timeline_seal(struct timeline *timeline)
{
    struct timeline_note *notes = timeline->notes;
    qsort(notes, timeline->count, sizeof(*notes), compare);
    for (uint32_t i = 0; i < timeline->count; i++) {
        notes[i].best = i;
        if (i > 0 && notes[i - 1].group == notes[i].group &&
            notes[notes[i - 1].best].value >= notes[i].value)
            notes[i].best = notes[i - 1].best;
    }
}

const struct timeline_note *timeline_greatest(const struct timeline *timeline, uint64_t group,
                                              uint64_t before_ns)
{
    uint32_t low = 0;
    uint32_t high = timeline->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        const struct timeline_note *note = &timeline->notes[middle];
        if (note->group < group || (note->group == group && note->at_ns < before_ns))
            low = middle + 1;
        else
            high = middle;
    }
    if (low == 0 || timeline->notes[low - 1].group != group)
        return NULL;
    return &timeline->notes[timeline->notes[low - 1].best];
}
