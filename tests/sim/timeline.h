/*
 * The greatest value noted in a group before a moment: what rules about "everything that was over
 * before this began" ask for. All notes are added, then sorted once; each question is a binary
 * search.
 */
#ifndef POLLUX_TESTS_SIM_TIMELINE_H
#define POLLUX_TESTS_SIM_TIMELINE_H

#include <stddef.h>
#include <stdint.h>

struct timeline_note {
    uint64_t group;
    uint64_t at_ns;
    uint64_t value;
    uint32_t op;   /* that it is about */
    uint32_t best; /* the note with the greatest value of the group up to here */
};

struct timeline {
    struct timeline_note *notes;
    uint32_t count;
    uint32_t capacity;
};

void timeline_init(struct timeline *timeline);
void timeline_deinit(struct timeline *timeline);
void timeline_add(struct timeline *timeline, const struct timeline_note *note);
/* No more notes: sorts them. */
void timeline_seal(struct timeline *timeline);

/* The note with the greatest value among those of the group before `before_ns`; NULL: none. */
const struct timeline_note *timeline_greatest(const struct timeline *timeline, uint64_t group,
                                              uint64_t before_ns);

/* A group of a key, somebody, and one of his lives. */
static inline uint64_t timeline_group(uint32_t key, uint32_t who, uint32_t life)
{
    return (uint64_t)(key & 0xffff) << 48 | (uint64_t)(who & 0xffff) << 32 | life;
}

#endif
