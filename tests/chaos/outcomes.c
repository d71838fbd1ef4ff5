/* One line for each outcome. */
#include "tests/chaos/outcomes.h"

#include "tests/chaos/outage.h"

#include <inttypes.h>
#include <stdio.h>

#define NS_PER_MS 1e6

struct counts {
    uint64_t total;
    uint64_t answers[PLX_OUTCOME_COUNT];
    uint64_t fenced; /* timeouts that a fence made certain; no node answers any other */
    uint64_t resolved[HISTORY_UNKNOWN + 1];
    uint64_t open;
};

static void count_swaps(const struct record *record, struct counts *ret_counts)
{
    *ret_counts = (struct counts){0};
    for (uint32_t i = 0; i < record_count(record); i++) {
        const struct history_op *op = &record->ops[i];
        if (op->type != HISTORY_SWAP)
            continue;
        enum plx_outcome answer = record->answers[i];
        ret_counts->total++;
        ret_counts->answers[answer]++;
        ret_counts->fenced += answer == PLX_TIMEOUT && op->node != 0;
        if (answer != PLX_UNKNOWN)
            continue;
        if (record->resolutions[i].is_resolved)
            ret_counts->resolved[record->resolutions[i].outcome]++;
        else
            ret_counts->open++;
    }
}

static void print_line(const char *name, uint64_t count, uint64_t total)
{
    printf("  %-42s %9" PRIu64 " %9.4f %%\n", name, count,
           total == 0 ? 0 : 100.0 * (double)count / (double)total);
}

static void print_answers(const struct counts *counts)
{
    for (int answer = 0; answer < PLX_OUTCOME_COUNT; answer++) {
        const char *name = plx_outcome_name((enum plx_outcome)answer);
        uint64_t count = counts->answers[answer];
        bool is_refusal = answer > PLX_UNKNOWN;
        if (answer == PLX_TIMEOUT) {
            print_line("PLX_TIMEOUT, no transmission left unrefused", count - counts->fenced,
                       counts->total);
            print_line("PLX_TIMEOUT, by a fence", counts->fenced, counts->total);
        } else if (count > 0 || (!is_refusal && answer != PLX_NOT_FOUND)) {
            print_line(name, count, counts->total);
        }
    }
}

static void print_unknown(const struct record *record, const struct counts *counts,
                          uint64_t fence_wait_ns)
{
    struct history seen = record_seen(record);
    struct outage_unknown unknown;
    outage_judge_unknown(&seen, fence_wait_ns, &unknown);
    print_line("unknown, resolved to PLX_OK", counts->resolved[HISTORY_OK], counts->total);
    print_line("unknown, resolved to PLX_MISMATCH", counts->resolved[HISTORY_MISMATCH],
               counts->total);
    print_line("unknown, resolved to PLX_TIMEOUT", counts->resolved[HISTORY_TIMEOUT],
               counts->total);
    print_line("unknown, not resolved", counts->open, counts->total);
    print_line("unknown while nobody at all was served", unknown.count - unknown.served_count,
               counts->total);
    print_line("unknown while somebody was served", unknown.served_count, counts->total);
}

void outcomes_print(const struct record *record, const struct chain_report *chain,
                    const struct outcomes_effort *effort)
{
    struct counts counts;
    count_swaps(record, &counts);
    printf("swaps that do not block: %" PRIu64 "; fenced for at most %.0f ms\n", counts.total,
           (double)effort->fence_wait_ns / NS_PER_MS);
    print_answers(&counts);
    print_unknown(record, &counts, effort->fence_wait_ns);
    print_line("said timeout and showed later", chain->shown_counts[HISTORY_TIMEOUT], counts.total);
    print_line("said mismatch or refused and showed later",
               chain->shown_counts[HISTORY_MISMATCH] + chain->shown_counts[HISTORY_REFUSED],
               counts.total);
    printf("  fences asked for: %" PRIu64 "; sessions gone under a swap: %" PRIu64 "\n",
           effort->fence_count, effort->expired_count);
}
