/* Rows of text. */
#include "bench/load_series.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#define NS_PER_US            1e3
#define TICKS_PER_HALVING    5
#define HGRM_ROWS_MAX        1000 /* far more than 64 halvings take */
#define PERCENTILE_LEVEL_END 100.0

static enum error file_end(FILE *file)
{
    bool is_bad = ferror(file) != 0;
    is_bad = fclose(file) != 0 || is_bad;
    return is_bad ? ERR_IO : OK;
}

static double second_us(const struct load_second *second, uint32_t per_million)
{
    return (double)histogram_quantile(&second->latencies, per_million) / NS_PER_US;
}

enum error load_series_append_csv(const char *path, uint64_t first_second,
                                  const struct load_result *result)
{
    FILE *file = fopen(path, "ae");
    if (file == NULL) {
        return ERR_IO;
    }
    if (fseek(file, 0, SEEK_END) != 0 || ftell(file) == 0) { /* a pipe has no position */
        fprintf(file, "second,offered,finished,own_second,p50_us,p99_us,max_us\n");
    }
    for (uint32_t i = 0; i < result->second_count; i++) {
        const struct load_second *second = &result->seconds[i];
        fprintf(file, "%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%.1f,%.1f,%.1f\n",
                first_second + i, second->offered, second->finished, second->own_second,
                second_us(second, 500000), second_us(second, 990000),
                (double)second->latencies.max / NS_PER_US);
    }
    return file_end(file);
}

/* The value that stands for a bucket: the largest one that it may hold. */
static double value_us(const struct histogram *histogram, uint32_t bucket)
{
    uint64_t end = histogram_bucket_end(bucket);
    return (double)(end < histogram->max ? end : histogram->max) / NS_PER_US;
}

/* The next level that is reported, in percent. */
static double level_after(double level)
{
    double halvings = floor(log2(PERCENTILE_LEVEL_END / (PERCENTILE_LEVEL_END - level))) + 1;
    return level + PERCENTILE_LEVEL_END / (TICKS_PER_HALVING * pow(2, halvings));
}

/* The rows below the last one; each names the first bucket that reaches its level. */
static void hgrm_rows(FILE *file, const struct histogram *histogram)
{
    double level = 0;
    uint64_t seen = 0;
    uint32_t bucket = 0;
    for (int row = 0; row < HGRM_ROWS_MAX; row++) {
        while (bucket < HISTOGRAM_BUCKETS && (seen == 0 || (double)seen * PERCENTILE_LEVEL_END <
                                                               level * (double)histogram->total)) {
            seen += histogram->counts[bucket++];
        }
        fprintf(file, "%12.3f %2.12f %10" PRIu64 " %14.2f\n", value_us(histogram, bucket - 1),
                level / PERCENTILE_LEVEL_END, seen, 1 / (1 - level / PERCENTILE_LEVEL_END));
        if (seen >= histogram->total) {
            return;
        }
        level = level_after(level);
    }
}

/* Mean and standard deviation, each value taken as the end of its bucket. */
static void hgrm_moments(const struct histogram *histogram, double *ret_mean, double *ret_deviation)
{
    double sum = 0;
    double squares = 0;
    double total = histogram->total == 0 ? 1 : (double)histogram->total;
    for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        double value = value_us(histogram, i);
        sum += value * (double)histogram->counts[i];
        squares += value * value * (double)histogram->counts[i];
    }
    double variance = squares / total - sum / total * (sum / total);
    *ret_mean = sum / total;
    *ret_deviation = sqrt(variance > 0 ? variance : 0);
}

enum error load_series_write_hgrm(const char *path, const struct histogram *histogram)
{
    FILE *file = fopen(path, "we");
    double mean = 0;
    double deviation = 0;
    if (file == NULL) {
        return ERR_IO;
    }
    hgrm_moments(histogram, &mean, &deviation);
    fprintf(file, "%12s %14s %10s %14s\n\n", "Value", "Percentile", "TotalCount",
            "1/(1-Percentile)");
    if (histogram->total > 0) {
        hgrm_rows(file, histogram);
        fprintf(file, "%12.3f %2.12f %10" PRIu64 "\n", (double)histogram->max / NS_PER_US, 1.0,
                histogram->total);
    }
    fprintf(file, "#[Mean    = %12.3f, StdDeviation   = %12.3f]\n", mean, deviation);
    fprintf(file, "#[Max     = %12.3f, Total count    = %12" PRIu64 "]\n",
            (double)histogram->max / NS_PER_US, histogram->total);
    fprintf(file, "#[Buckets = %12d, SubBuckets     = %12d]\n", HISTOGRAM_OCTAVES,
            1 << HISTOGRAM_LINEAR_BITS);
    return file_end(file);
}
