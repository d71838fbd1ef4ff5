/* Runs of equal terms, newest last: nearly every question is about the last one or two. */
#include "raft/trail.h"

#include "base/check.h"

#include <stddef.h>
#include <string.h>

void trail_init(struct trail *trail, struct trail_run *runs, uint32_t runs_max)
{
    CHECK(runs_max >= 1);
    *trail = (struct trail){.runs = runs, .runs_max = runs_max, .first_index = 1};
}

void trail_begin(struct trail *trail, uint64_t first_index, uint64_t term_before)
{
    CHECK(trail->run_count == 0);
    CHECK(first_index > 1 && term_before > 0);
    trail->first_index = first_index;
    trail->term_before = term_before;
    trail->last_index = first_index - 1;
}

void trail_drop(struct trail *trail, uint64_t first_index)
{
    CHECK(first_index > trail->first_index && first_index <= trail->last_index + 1);
    trail->term_before = trail_term_at(trail, first_index - 1);
    trail->first_index = first_index;
    if (first_index > trail->last_index) {
        trail->run_count = 0;
        return;
    }
    uint32_t dropped = 0; /* at most runs_max - 1 */
    while (dropped + 1 < trail->run_count && trail->runs[dropped + 1].first_index <= first_index)
        dropped++;
    trail->run_count -= dropped;
    memmove(trail->runs, trail->runs + dropped, trail->run_count * sizeof(*trail->runs));
    trail->runs[0].first_index = first_index;
}

void trail_reset(struct trail *trail, uint64_t first_index, uint64_t term_before)
{
    trail->run_count = 0;
    trail_begin(trail, first_index, term_before);
}

/* The run that holds `index`, which is first .. last. */
static const struct trail_run *find_run(const struct trail *trail, uint64_t index)
{
    uint32_t low = 0;
    uint32_t high = trail->run_count - 1;
    if (trail->runs[high].first_index <= index)
        return &trail->runs[high];
    while (low < high) { /* at most 32 halvings */
        uint32_t middle = low + (high - low + 1) / 2;
        if (trail->runs[middle].first_index <= index)
            low = middle;
        else
            high = middle - 1;
    }
    return &trail->runs[low];
}

uint64_t trail_term_at(const struct trail *trail, uint64_t index)
{
    if (index + 1 == trail->first_index)
        return trail->term_before;
    if (index < trail->first_index || index > trail->last_index)
        return 0;
    return find_run(trail, index)->term;
}

uint64_t trail_run_first_index(const struct trail *trail, uint64_t index)
{
    CHECK(index >= trail->first_index && index <= trail->last_index);
    return find_run(trail, index)->first_index;
}

uint64_t trail_term_last_index(const struct trail *trail, uint64_t term)
{
    uint32_t low = 0;
    uint32_t high = trail->run_count;
    while (low < high) { /* first run whose term is not below: at most 32 halvings */
        uint32_t middle = low + (high - low) / 2;
        if (trail->runs[middle].term < term)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == trail->run_count || trail->runs[low].term != term)
        return term == trail->term_before ? trail->first_index - 1 : 0;
    return low + 1 < trail->run_count ? trail->runs[low + 1].first_index - 1 : trail->last_index;
}

bool trail_has_room(const struct trail *trail, uint64_t term)
{
    if (trail->run_count < trail->runs_max)
        return true;
    return trail->runs[trail->run_count - 1].term == term;
}

uint32_t trail_runs_below(const struct trail *trail, uint64_t index)
{
    CHECK(index >= trail->first_index && index <= trail->last_index + 1);
    if (index == trail->first_index)
        return 0;
    return (uint32_t)(find_run(trail, index - 1) - trail->runs) + 1;
}

void trail_append(struct trail *trail, uint64_t term)
{
    CHECK(trail_has_room(trail, term));
    uint64_t last_term = trail_term_at(trail, trail->last_index);
    CHECK(term >= last_term && term > 0);
    trail->last_index++;
    if (trail->run_count > 0 && term == last_term)
        return;
    trail->runs[trail->run_count++] =
        (struct trail_run){.first_index = trail->last_index, .term = term};
}

void trail_truncate(struct trail *trail, uint64_t index)
{
    trail->run_count = trail_runs_below(trail, index);
    trail->last_index = index - 1;
}
