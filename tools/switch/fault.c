/* The table of faults and the draw. */
#include "tools/switch/fault.h"

#include "base/check.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void fault_init(struct fault_table *table, uint32_t port_count, uint64_t seed)
{
    CHECK(port_count <= SWITCH_PORTS_MAX);
    memset(table, 0, sizeof(*table));
    table->port_count = port_count;
    prng_init(&table->prng, seed);
}

static uint64_t draw_delay_ns(struct fault_table *table, const struct fault_link *link)
{
    if (link->jitter_ns == 0) {
        return link->delay_ns;
    }
    return link->delay_ns + prng_range(&table->prng, 0, link->jitter_ns);
}

struct fault_verdict fault_decide(struct fault_table *table, uint32_t from, uint32_t to,
                                  uint32_t size_bytes)
{
    CHECK(from < table->port_count && to < table->port_count);
    CHECK(size_bytes > 0);
    const struct fault_link *link = &table->links[from][to];
    struct fault_verdict verdict = {.is_cut = link->is_cut};
    if (verdict.is_cut) {
        return verdict;
    }
    verdict.is_lost = prng_chance(&table->prng, link->loss_ppm);
    if (verdict.is_lost) {
        return verdict;
    }
    verdict.is_duplicated = prng_chance(&table->prng, link->duplicate_ppm);
    verdict.is_corrupted = prng_chance(&table->prng, link->corrupt_ppm);
    if (verdict.is_corrupted) {
        verdict.corrupt_offset = (uint32_t)prng_range(&table->prng, 0, size_bytes - 1);
        verdict.corrupt_mask = (uint8_t)prng_range(&table->prng, 1, 255);
    }
    verdict.delay_ns = draw_delay_ns(table, link);
    verdict.is_reordered = prng_chance(&table->prng, link->reorder_ppm);
    if (verdict.is_reordered) {
        verdict.delay_ns += link->reorder_ns;
    }
    if (verdict.is_duplicated) {
        verdict.duplicate_delay_ns = draw_delay_ns(table, link);
    }
    return verdict;
}

static bool link_is_faulty(const struct fault_link *link)
{
    return link->is_cut || link->loss_ppm > 0 || link->duplicate_ppm > 0 || link->corrupt_ppm > 0 ||
           link->reorder_ppm > 0 || link->delay_ns > 0 || link->jitter_ns > 0;
}

static void link_set(struct fault_link *link, enum fault_kind kind, const struct fault_link *value)
{
    switch (kind) {
    case FAULT_LOSS:
        link->loss_ppm = value->loss_ppm;
        break;
    case FAULT_DUPLICATE:
        link->duplicate_ppm = value->duplicate_ppm;
        break;
    case FAULT_CORRUPT:
        link->corrupt_ppm = value->corrupt_ppm;
        break;
    case FAULT_REORDER:
        link->reorder_ppm = value->reorder_ppm;
        link->reorder_ns = value->reorder_ns;
        break;
    case FAULT_DELAY:
        link->delay_ns = value->delay_ns;
        link->jitter_ns = value->jitter_ns;
        break;
    case FAULT_CUT:
        link->is_cut = value->is_cut;
        break;
    }
}

void fault_set(struct fault_table *table, enum fault_kind kind, uint32_t from_mask,
               uint32_t to_mask, const struct fault_link *value)
{
    for (uint32_t from = 0; from < table->port_count; from++) {
        for (uint32_t to = 0; to < table->port_count; to++) {
            if (from == to || (from_mask >> from & 1) == 0 || (to_mask >> to & 1) == 0) {
                continue;
            }
            link_set(&table->links[from][to], kind, value);
            table->is_faulty[from][to] = link_is_faulty(&table->links[from][to]);
        }
    }
}

void fault_partition(struct fault_table *table, const uint32_t *group_masks, uint32_t group_count)
{
    const struct fault_link open = {.is_cut = false};
    const struct fault_link cut = {.is_cut = true};
    CHECK(group_count <= SWITCH_PORTS_MAX);
    fault_set(table, FAULT_CUT, UINT32_MAX, UINT32_MAX, &open);
    for (uint32_t group = 0; group < group_count; group++) {
        uint32_t others = 0;
        for (uint32_t other = 0; other < group_count; other++) {
            others |= other == group ? 0 : group_masks[other];
        }
        fault_set(table, FAULT_CUT, group_masks[group], others, &cut);
    }
}

void fault_heal(struct fault_table *table, uint32_t from_mask, uint32_t to_mask)
{
    for (uint32_t from = 0; from < table->port_count; from++) {
        for (uint32_t to = 0; to < table->port_count; to++) {
            if ((from_mask >> from & 1) != 0 && (to_mask >> to & 1) != 0) {
                table->links[from][to] = (struct fault_link){0};
                table->is_faulty[from][to] = false;
            }
        }
    }
}

size_t fault_describe(const struct fault_table *table, char *to, size_t capacity_bytes)
{
    size_t used = 0;
    CHECK(capacity_bytes > 0);
    to[0] = '\0';
    for (uint32_t a = 0; a < table->port_count; a++) {
        for (uint32_t b = 0; b < table->port_count; b++) {
            const struct fault_link *link = &table->links[a][b];
            if (!table->is_faulty[a][b] || used >= capacity_bytes) {
                continue;
            }
            int written =
                snprintf(to + used, capacity_bytes - used,
                         "link %u %u cut %d loss_ppm %u duplicate_ppm %u corrupt_ppm %u "
                         "reorder_ppm %u reorder_ns %" PRIu64 " delay_ns %" PRIu64
                         " jitter_ns %" PRIu64 "\n",
                         a, b, link->is_cut, link->loss_ppm, link->duplicate_ppm, link->corrupt_ppm,
                         link->reorder_ppm, link->reorder_ns, link->delay_ns, link->jitter_ns);
            used += written > 0 ? (size_t)written : 0;
        }
    }
    return used < capacity_bytes ? used : capacity_bytes - 1;
}
