/* Pulses added up under a mutex, a line for each second. */
#include "bench/load_progress.h"

#include <inttypes.h>
#include <string.h>

#define NS_PER_US 1e3

void load_progress_init(struct load_progress *progress, FILE *to, uint32_t thread_count)
{
    memset(progress, 0, sizeof(*progress));
    pthread_mutex_init(&progress->mutex, NULL);
    progress->to = to;
    progress->thread_count = thread_count;
}

void load_progress_deinit(struct load_progress *progress)
{
    pthread_mutex_destroy(&progress->mutex);
}

void load_progress_begin(struct load_progress *progress)
{
    progress->second = 0;
    progress->handed_count = 0;
    memset(&progress->sum, 0, sizeof(progress->sum));
}

static void line_print(struct load_progress *progress)
{
    const struct load_pulse *sum = &progress->sum;
    fprintf(progress->to,
            "%4" PRIu64 " s: offered %" PRIu64 "/s, finished %" PRIu64
            "/s, p50 %.0f us, p99 %.0f us, errors %" PRIu64 "\n",
            progress->second + 1, sum->offered, sum->finished,
            (double)histogram_quantile(&sum->latencies, 500000) / NS_PER_US,
            (double)histogram_quantile(&sum->latencies, 990000) / NS_PER_US, sum->errors);
    fflush(progress->to);
    progress->handed_count = 0;
    memset(&progress->sum, 0, sizeof(progress->sum));
}

void load_progress_hand_over(struct load_progress *progress, uint64_t second,
                             const struct load_pulse *pulse)
{
    pthread_mutex_lock(&progress->mutex);
    if (second > progress->second && progress->handed_count > 0) {
        line_print(progress);
    }
    progress->second = second > progress->second ? second : progress->second;
    progress->sum.offered += pulse->offered;
    progress->sum.finished += pulse->finished;
    progress->sum.errors += pulse->errors;
    histogram_merge(&progress->sum.latencies, &pulse->latencies);
    progress->handed_count += second == progress->second;
    if (progress->handed_count == progress->thread_count) {
        line_print(progress);
    }
    pthread_mutex_unlock(&progress->mutex);
}
