/* See bench/samples.h. */
#include "bench/samples.h"

#include "base/check.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

void samples_init(struct samples *samples)
{
    *samples = (struct samples){.each = malloc(SAMPLES_MAX * sizeof(*samples->each))};
    CHECK(samples->each != NULL);
}

void samples_deinit(struct samples *samples)
{
    free(samples->each);
}

uint64_t samples_clock_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void samples_add(struct samples *samples, uint64_t elapsed_ns, uint32_t op_count)
{
    if (samples->count < SAMPLES_MAX)
        samples->each[samples->count++] = elapsed_ns * 10 / op_count;
}

static int compare(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a;
    uint64_t right = *(const uint64_t *)b;
    return left < right ? -1 : left > right;
}

void samples_print(struct samples *samples, const char *name, uint64_t checksum)
{
    uint32_t count = samples->count;
    uint64_t *each = samples->each;
    CHECK(count > 0);
    double sum = 0;
    for (uint32_t i = 0; i < count; i++)
        sum += (double)each[i] / 10;
    qsort(each, count, sizeof(*each), compare);
    double mean = sum / count;
    printf("%-28s mean %7.1f ns  %6.2f M/s  p50 %7.1f  p99 %7.1f  max %9.1f  sum %016" PRIx64 "\n",
           name, mean, 1000 / mean, (double)each[count / 2] / 10,
           (double)each[(uint64_t)count * 99 / 100] / 10, (double)each[count - 1] / 10, checksum);
    samples->count = 0;
}
