/* pollux-bench: the load generator. One load for each rate asked for, or one closed loop. */
#include "bench/load.h"
#include "bench/load_options.h"
#include "bench/load_report.h"

#include <stdio.h>
#include <stdlib.h>

#define EXIT_USAGE   2
#define REASON_BYTES 512

/* Runs and reports one load; the exit status. */
static int step(const struct load_options *options, uint32_t rate)
{
    static struct load_result result;
    char reason[REASON_BYTES] = "";
    enum error error = load_run(options, rate, &result, reason, sizeof(reason));
    if (error != OK) {
        fprintf(stderr, "pollux-bench: error: %s\n", reason);
        return error == ERR_ARGUMENT ? EXIT_USAGE : EXIT_FAILURE;
    }
    if (options->is_table) {
        load_report_table(stdout, options, rate, &result);
    } else {
        load_report_json(stdout, options, rate, &result);
    }
    fflush(stdout);
    return result.finished > 0 && load_report_errors(&result) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    struct load_options options;
    char reason[REASON_BYTES] = "";
    if (load_options_parse(argc, argv, &options, reason, sizeof(reason)) != OK) {
        fprintf(stderr, "pollux-bench: error: %s; try --help\n", reason);
        return EXIT_USAGE;
    }
    if (options.is_help) {
        fputs(load_options_help(), stdout);
        return EXIT_SUCCESS;
    }
    if (options.rate_count == 0) {
        return step(&options, 0);
    }
    int status = EXIT_SUCCESS;
    for (uint32_t i = 0; i < options.rate_count; i++) {
        int of_step = step(&options, options.rates[i]);
        status = of_step > status ? of_step : status;
    }
    return status;
}
