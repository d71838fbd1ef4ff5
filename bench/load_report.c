/* The report. The words of the JSON line are those of the drivers in bench/peers/. */
#include "bench/load_report.h"

#include <inttypes.h>

#define NS_PER_US 1e3
#define NS_PER_S  1e9

static double quantile_us(const struct histogram *latencies, uint32_t per_million)
{
    return (double)histogram_quantile(latencies, per_million) / NS_PER_US;
}

static double max_us(const struct histogram *latencies)
{
    return (double)latencies->max / NS_PER_US;
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

static void json_latencies(FILE *to, const struct histogram *latencies)
{
    fprintf(to, ",\"p50_us\":%.1f,\"p99_us\":%.1f,\"p999_us\":%.1f,\"max_us\":%.1f",
            quantile_us(latencies, 500000), quantile_us(latencies, 990000),
            quantile_us(latencies, 999000), max_us(latencies));
}

/* The parts of the mix, and how its keys were chosen. */
static void json_mix(FILE *to, const struct load_options *options)
{
    const char *comma = "";
    fprintf(to, ",\"mix\":{");
    for (int i = 0; i < LOAD_OP_COUNT; i++) {
        if (op_mix_has(&options->mix, (enum load_op)i)) {
            fprintf(to, "%s\"%s\":%u", comma, load_op_name((enum load_op)i), options->mix.parts[i]);
            comma = ",";
        }
    }
    fprintf(to, "},\"distribution\":\"%s\"", key_distribution_name(options->distribution));
    if (options->distribution != KEYS_UNIFORM) {
        fprintf(to, ",\"zipf_theta\":%g", options->zipf_theta);
    }
}

/* Each kind of operation by itself. */
static void json_kinds(FILE *to, const struct load_options *options,
                       const struct load_result *result)
{
    const char *comma = "";
    fprintf(to, ",\"ops\":{");
    for (int i = 0; i < LOAD_OP_COUNT; i++) {
        const struct load_kind *kind = &result->kinds[i];
        if (op_mix_has(&options->mix, (enum load_op)i)) {
            fprintf(to, "%s\"%s\":{\"finished\":%" PRIu64 ",\"errors\":%" PRIu64, comma,
                    load_op_name((enum load_op)i), kind->finished, kind->errors);
            json_latencies(to, &kind->latencies);
            fprintf(to, "}");
            comma = ",";
        }
    }
    fprintf(to, "}");
}

static void json_verdict(FILE *to, const struct load_verdict *verdict)
{
    fprintf(to,
            ",\"check\":{\"text\":\"checked %" PRIu64 " keys, lost %" PRIu64
            "\",\"checked\":%" PRIu64 ",\"lost\":%" PRIu64 ",\"unread\":%" PRIu64
            ",\"open\":%" PRIu64 "}",
            verdict->checked, verdict->lost, verdict->checked, verdict->lost, verdict->unread,
            verdict->open);
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
                ",\"p50_us\":%.1f,\"p99_us\":%.1f,\"max_us\":%.1f}",
                i > 0 ? "," : "", second->offered, second->finished, second->own_second,
                quantile_us(&second->latencies, 500000), quantile_us(&second->latencies, 990000),
                max_us(&second->latencies));
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
            options->load, options->clients, options->outstanding, options->packet_ops,
            options->threads, rate, options->seconds, options->warmup_ms, options->value_size,
            options->keys, options->seed);
    json_mix(to, options);
    fprintf(to, ",\"nodes\":%u,\"log\":\"%s\",\"log_is_emulated\":%s,\"transport\":\"udp\"",
            result->node.node_count, granularity_name(result),
            result->node.is_emulated ? "true" : "false");
    fprintf(
        to,
        ",\"offered\":%" PRIu64 ",\"finished\":%" PRIu64 ",\"finished_in_own_second\":%" PRIu64
        ",\"errors\":%" PRIu64 ",\"unfinished\":%" PRIu64 ",\"elapsed_s\":%.3f,\"per_second\":%.1f",
        result->offered, result->finished, result->own_second, load_result_errors(result),
        result->unfinished, (double)result->elapsed_ns / NS_PER_S, load_result_per_second(result));
    json_latencies(to, &result->latencies);
    fprintf(to, ",\"missed\":%" PRIu64 ",\"recorded\":%" PRIu64 ",\"checksum\":%" PRIu64,
            result->missed, result->recorded, result->checksum);
    json_kinds(to, options, result);
    if (options->is_checked) {
        json_verdict(to, &result->verdict);
    }
    json_outcomes(to, result);
    json_statistics(to, &result->statistics);
    json_seconds(to, result);
    fprintf(to, "}\n");
}

static void table_row(FILE *to, const char *name, const struct load_result *result,
                      const struct load_kind *kind)
{
    const struct histogram *latencies = kind == NULL ? &result->latencies : &kind->latencies;
    uint64_t finished = kind == NULL ? result->finished : kind->finished;
    double seconds = (double)(result->elapsed_ns == 0 ? 1 : result->elapsed_ns) / NS_PER_S;
    fprintf(to, "%-12s %12.0f %10.1f %10.1f %10.1f %10.1f\n", name, (double)finished / seconds,
            quantile_us(latencies, 500000), quantile_us(latencies, 990000),
            quantile_us(latencies, 999000), max_us(latencies));
}

/* All operations in one row; where there are several kinds, one row each. */
static void table_rows(FILE *to, const struct load_options *options,
                       const struct load_result *result)
{
    fprintf(to, "%-12s %12s %10s %10s %10s %10s\n", "", "per second", "p50 us", "p99 us",
            "p99.9 us", "max us");
    table_row(to, "all", result, NULL);
    for (int i = 0; i < LOAD_OP_COUNT; i++) {
        bool is_only = options->mix.parts[i] == options->mix.total;
        if (op_mix_has(&options->mix, (enum load_op)i) && !is_only) {
            table_row(to, load_op_name((enum load_op)i), result, &result->kinds[i]);
        }
    }
    fprintf(to, "finished in the second when due: %" PRIu64 " of %" PRIu64 " offered\n",
            result->own_second, result->offered);
}

static void table_seconds(FILE *to, const struct load_result *result)
{
    for (uint32_t i = 0; i < result->second_count; i++) {
        const struct load_second *second = &result->seconds[i];
        fprintf(to,
                "second %u: offered %" PRIu64 ", finished %" PRIu64 ", in its own second %" PRIu64
                ", p99 %.1f us, max %.1f us\n",
                i, second->offered, second->finished, second->own_second,
                quantile_us(&second->latencies, 990000), max_us(&second->latencies));
    }
}

void load_report_table(FILE *to, const struct load_options *options, uint32_t rate,
                       const struct load_result *result)
{
    fprintf(to, "%s: %u clients, %u outstanding each, %u a packet, %u bytes, %u keys (%s)",
            options->load, options->clients, options->outstanding, options->packet_ops,
            options->value_size, options->keys, key_distribution_name(options->distribution));
    if (rate > 0) {
        fprintf(to, ", %u offered a second", rate);
    }
    fprintf(to, "\ncluster: %u nodes, log %s%s, over UDP\n", result->node.node_count,
            granularity_name(result), result->node.is_emulated ? " (emulated)" : "");
    table_rows(to, options, result);
    if (load_options_is_fill(options)) {
        fprintf(to, "stored %" PRIu64 " keys in %.3f s\n", result->finished,
                (double)result->elapsed_ns / NS_PER_S);
    }
    for (int i = 0; i < PLX_OUTCOME_COUNT; i++) {
        if (result->outcomes[i] > 0) {
            fprintf(to, "%s: %" PRIu64 "\n", plx_outcome_name((enum plx_outcome)i),
                    result->outcomes[i]);
        }
    }
    fprintf(to, "unfinished: %" PRIu64 ", checksum %" PRIu64 "\n", result->unfinished,
            result->checksum);
    if (result->missed > 0) {
        fprintf(to, "relaxed gets of new keys that their node did not have yet: %" PRIu64 "\n",
                result->missed);
    }
    if (options->is_checked) {
        fprintf(to,
                "checked %" PRIu64 " keys, lost %" PRIu64 "; unread %" PRIu64
                ", with a write of unknown outcome %" PRIu64 "\n",
                result->verdict.checked, result->verdict.lost, result->verdict.unread,
                result->verdict.open);
    }
    if (rate > 0) {
        table_seconds(to, result);
    }
}
