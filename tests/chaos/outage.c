/* Sorted times of answers. */
#include "tests/chaos/outage.h"

#include "base/check.h"

#include <stdbool.h>
#include <stdlib.h>

static int compare_times(const void *a, const void *b)
{
    const uint64_t *left = a;
    const uint64_t *right = b;
    return *left < *right ? -1 : *left > *right;
}

static bool is_service(const struct history_op *op)
{
    bool is_answered = op->outcome == HISTORY_OK || op->outcome == HISTORY_MISMATCH ||
                       op->outcome == HISTORY_NOT_FOUND;
    return is_answered && op->type != HISTORY_RELAXED_GET;
}

/* Sorts; the middle one and the last. */
static void summarise(uint64_t *times, uint32_t count, uint64_t *ret_p50, uint64_t *ret_max)
{
    qsort(times, count, sizeof(*times), compare_times);
    *ret_p50 = count == 0 ? 0 : times[(count - 1) / 2];
    *ret_max = count == 0 ? 0 : times[count - 1];
}

static void measure_mended(const uint64_t *answers, const uint64_t *calms_ns, uint32_t calm_count,
                           struct outage_report *report)
{
    uint64_t *waits = calloc((size_t)calm_count + 1, sizeof(*waits));
    CHECK(waits != NULL);
    uint64_t at = 0;
    for (uint32_t i = 0; i < calm_count; i++) {
        while (at < report->answered_count && answers[at] < calms_ns[i])
            at++;
        if (at < report->answered_count)
            waits[report->mended_count++] = answers[at] - calms_ns[i];
    }
    summarise(waits, report->mended_count, &report->mended_p50_ns, &report->mended_max_ns);
    free(waits);
}

void outage_measure(const struct history *history, const uint64_t *calms_ns, uint32_t calm_count,
                    struct outage_report *ret_report)
{
    uint64_t *answers = calloc((size_t)history->count + 1, sizeof(*answers));
    uint64_t *gaps = calloc((size_t)history->count + 1, sizeof(*gaps));
    CHECK(answers != NULL && gaps != NULL);
    *ret_report = (struct outage_report){0};
    for (uint32_t i = 0; i < history->count; i++) {
        if (is_service(&history->ops[i]))
            answers[ret_report->answered_count++] = history->ops[i].return_ns;
    }
    qsort(answers, ret_report->answered_count, sizeof(*answers), compare_times);
    for (uint64_t i = 1; i < ret_report->answered_count; i++) {
        uint64_t gap_ns = answers[i] - answers[i - 1];
        if (gap_ns < OUTAGE_NS_MIN)
            continue;
        gaps[ret_report->count++] = gap_ns;
        ret_report->total_ns += gap_ns;
    }
    summarise(gaps, ret_report->count, &ret_report->p50_ns, &ret_report->max_ns);
    measure_mended(answers, calms_ns, calm_count, ret_report);
    free(answers);
    free(gaps);
}
