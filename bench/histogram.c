/* Buckets: values below 64 have one each; above, the six bits under the highest choose. */
#include "bench/histogram.h"

#include <string.h>

#define LINEAR_COUNT (1U << HISTOGRAM_LINEAR_BITS)

void histogram_init(struct histogram *histogram)
{
    memset(histogram, 0, sizeof(*histogram));
}

static uint32_t bucket_of(uint64_t value)
{
    if (value < LINEAR_COUNT) {
        return (uint32_t)value;
    }
    uint32_t shift = 63U - (uint32_t)__builtin_clzll(value) - HISTOGRAM_LINEAR_BITS;
    uint32_t low = (uint32_t)(value >> shift) & (LINEAR_COUNT - 1);
    uint32_t bucket = (shift + 1) * LINEAR_COUNT + low;
    return bucket < HISTOGRAM_BUCKETS ? bucket : HISTOGRAM_BUCKETS - 1;
}

uint64_t histogram_bucket_end(uint32_t bucket)
{
    if (bucket == HISTOGRAM_BUCKETS - 1) {
        return UINT64_MAX;
    }
    if (bucket < LINEAR_COUNT) {
        return bucket;
    }
    uint32_t shift = bucket / LINEAR_COUNT - 1;
    uint64_t begin = (uint64_t)(LINEAR_COUNT + bucket % LINEAR_COUNT) << shift;
    return begin + ((uint64_t)1 << shift) - 1;
}

void histogram_record(struct histogram *histogram, uint64_t value)
{
    histogram->counts[bucket_of(value)]++;
    histogram->total++;
    histogram->max = value > histogram->max ? value : histogram->max;
}

void histogram_merge(struct histogram *histogram, const struct histogram *from)
{
    if (from->total == 0) {
        return; /* leaves memory untouched that the kernel has not given out yet */
    }
    for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        histogram->counts[i] += from->counts[i];
    }
    histogram->total += from->total;
    histogram->max = from->max > histogram->max ? from->max : histogram->max;
}

uint64_t histogram_quantile(const struct histogram *histogram, uint32_t per_million)
{
    uint64_t seen = 0;
    /* The rank is rounded up, so that the quantile of everything is the maximum. */
    uint64_t rank = (histogram->total * per_million + 999999) / 1000000;
    if (histogram->total == 0) {
        return 0;
    }
    for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += histogram->counts[i];
        if (seen >= rank && seen > 0) {
            uint64_t end = histogram_bucket_end(i);
            return end < histogram->max ? end : histogram->max;
        }
    }
    return histogram->max;
}
