/* Sorted times of answers. */
#include "tests/chaos/outage.h"

#include "base/check.h"

#include <stdbool.h>
#include <stdlib.h>

/* One operation that was answered. */
struct service {
    uint64_t invoke_ns;
    uint64_t return_ns;
};

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

/* ---- unknown outcomes ---- */

static int compare_services(const void *a, const void *b)
{
    const struct service *left = a;
    const struct service *right = b;
    return left->return_ns < right->return_ns ? -1 : left->return_ns > right->return_ns;
}

/* The first service that ended at `from_ns` or later. */
static uint32_t find_service(const struct service *services, uint32_t count, uint64_t from_ns)
{
    uint32_t low = 0;
    uint32_t high = count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (services[middle].return_ns < from_ns)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Whether one of the services lies wholly between `from_ns` and the end of the operation. */
static bool is_served(const struct service *services, uint32_t count, uint64_t from_ns,
                      const struct history_op *op)
{
    for (uint32_t i = find_service(services, count, from_ns);
         i < count && services[i].return_ns <= op->return_ns; i++) {
        if (services[i].invoke_ns >= from_ns)
            return true;
    }
    return false;
}

void outage_judge_unknown(const struct history *history, uint64_t wait_ns,
                          struct outage_unknown *ret_unknown)
{
    struct service *services = calloc((size_t)history->count + 1, sizeof(*services));
    uint32_t count = 0;
    CHECK(services != NULL);
    *ret_unknown = (struct outage_unknown){0};
    for (uint32_t i = 0; i < history->count; i++) {
        const struct history_op *op = &history->ops[i];
        if (is_service(op))
            services[count++] = (struct service){op->invoke_ns, op->return_ns};
    }
    qsort(services, count, sizeof(*services), compare_services);
    for (uint32_t i = 0; i < history->count; i++) {
        const struct history_op *op = &history->ops[i];
        if (op->outcome != HISTORY_UNKNOWN)
            continue;
        uint64_t from_ns = op->return_ns < wait_ns ? 0 : op->return_ns - wait_ns;
        if (from_ns < op->invoke_ns)
            from_ns = op->invoke_ns;
        ret_unknown->count++;
        ret_unknown->served_count += is_served(services, count, from_ns, op);
    }
    free(services);
}
