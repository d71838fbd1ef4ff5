/* The report. The words of the JSON line are those of the drivers in bench/peers/. */
#include "bench/load_report.h"

#include <inttypes.h>

#define NS_PER_US 1e3

uint64_t load_report_errors(const struct load_result *result)
{
    uint64_t errors = result->unfinished;
    for (int i = 0; i < PLX_OUTCOME_COUNT; i++) {
        errors += i == PLX_OK ? 0 : result->outcomes[i];
    }
    return errors;
}

static double quantile_us(const struct load_result *result, uint32_t per_million)
{
    return (double)histogram_quantile(&result->latencies, per_million) / NS_PER_US;
}

static const char *granularity_name(const struct load_result *result)
{
    static const char *const names[] = {
        [PLX_BYTE] = "byte", [PLX_CACHE_LINE] = "cache-line", [PLX_PAGE] = "page"};
    if (result->node.node == 0 || result->node.granularity > PLX_PAGE) {
        return "unknown";
    }
    return names[result->node.granularity];
}

static void json_outcomes(FILE *to, const struct load_result *result)
{
    const char *comma = "";
    fprintf(to, ",\"outcomes\":{");
    for (int i = 0; i < PLX_OUTCOME_COUNT; i++) {
        if (result->outcomes[i] > 0) {
            fprintf(to, "%s\"%s\":%" PRIu64, comma, plx_outcome_name((enum plx_outcome)i),
                    result->outcomes[i]);
            comma = ",";
        }
    }
    fprintf(to, "}");
}

static void json_statistics(FILE *to, const struct plx_statistics *statistics)
{
    const char *comma = "";
    fprintf(to, ",\"client\":{");
#define X(name)                                                                                    \
    fprintf(to, "%s\"%s\":%" PRIu64, comma, #name, statistics->name);                              \
    comma = ",";
    PLX_STATISTICS_LIST(X)
#undef X
    (void)comma;
    fprintf(to, "}");
}

static void json_seconds(FILE *to, const struct load_result *result)
{
    fprintf(to, ",\"series\":[");
    for (uint32_t i = 0; i < result->second_count; i++) {
        const struct load_second *second = &result->seconds[i];
        fprintf(to,
                "%s{\"offered\":%" PRIu64 ",\"finished\":%" PRIu64 ",\"own_second\":%" PRIu64
                ",\"max_us\":%.1f}",
                i > 0 ? "," : "", second->offered, second->finished, second->own_second,
                (double)second->max_ns / NS_PER_US);
    }
    fprintf(to, "]");
}

void load_report_json(FILE *to, const struct load_options *options, uint32_t rate,
                      const struct load_result *result)
{
    fprintf(to,
            "{\"system\":\"pollux\",\"op\":\"%s\",\"clients\":%u,\"outstanding\":%u,"
            "\"packet_ops\":%u,\"threads\":%u,\"rate\":%u,\"seconds\":%u,\"warmup_ms\":%u,"
            "\"value_bytes\":%u,\"keys\":%u,\"seed\":%" PRIu64,
            load_op_name(options->op), options->clients, options->outstanding, options->packet_ops,
            options->threads, rate, options->seconds, options->warmup_ms, options->value_size,
            options->keys, options->seed);
    fprintf(to, ",\"nodes\":%u,\"log\":\"%s\",\"log_is_emulated\":%s,\"transport\":\"udp\"",
            result->node.node_count, granularity_name(result),
            result->node.is_emulated ? "true" : "false");
    fprintf(to,
            ",\"offered\":%" PRIu64 ",\"finished\":%" PRIu64 ",\"finished_in_own_second\":%" PRIu64
            ",\"errors\":%" PRIu64 ",\"unfinished\":%" PRIu64 ",\"per_second\":%.1f",
            result->offered, result->finished, result->own_second, load_report_errors(result),
            result->unfinished, (double)result->finished / options->seconds);
    fprintf(to, ",\"p50_us\":%.1f,\"p99_us\":%.1f,\"p999_us\":%.1f,\"max_us\":%.1f",
            quantile_us(result, 500000), quantile_us(result, 990000), quantile_us(result, 999000),
            (double)result->latencies.max / NS_PER_US);
    fprintf(to, ",\"recorded\":%" PRIu64 ",\"checksum\":%" PRIu64, result->recorded,
            result->checksum);
    json_outcomes(to, result);
    json_statistics(to, &result->statistics);
    json_seconds(to, result);
    fprintf(to, "}\n");
}

void load_report_table(FILE *to, const struct load_options *options, uint32_t rate,
                       const struct load_result *result)
{
    fprintf(to, "%s: %u clients, %u outstanding each, %u a packet, %u bytes",
            load_op_name(options->op), options->clients, options->outstanding, options->packet_ops,
            options->value_size);
    if (rate > 0) {
        fprintf(to, ", %u offered a second", rate);
    }
    fprintf(to, "\ncluster: %u nodes, log %s%s, over UDP\n", result->node.node_count,
            granularity_name(result), result->node.is_emulated ? " (emulated)" : "");
    fprintf(to, "%12s %12s %10s %10s %10s %10s\n", "per second", "own second", "p50 us", "p99 us",
            "p99.9 us", "max us");
    fprintf(to, "%12.0f %12.0f %10.1f %10.1f %10.1f %10.1f\n",
            (double)result->finished / options->seconds,
            (double)result->own_second / options->seconds, quantile_us(result, 500000),
            quantile_us(result, 990000), quantile_us(result, 999000),
            (double)result->latencies.max / NS_PER_US);
    for (int i = 0; i < PLX_OUTCOME_COUNT; i++) {
        if (result->outcomes[i] > 0) {
            fprintf(to, "%s: %" PRIu64 "\n", plx_outcome_name((enum plx_outcome)i),
                    result->outcomes[i]);
        }
    }
    fprintf(to, "unfinished: %" PRIu64 ", checksum %" PRIu64 "\n", result->unfinished,
            result->checksum);
    for (uint32_t i = 0; rate > 0 && i < result->second_count; i++) {
        const struct load_second *second = &result->seconds[i];
        fprintf(to,
                "second %u: offered %" PRIu64 ", finished %" PRIu64 ", in its own second %" PRIu64
                ", max %.1f us\n",
                i, second->offered, second->finished, second->own_second,
                (double)second->max_ns / NS_PER_US);
    }
}
