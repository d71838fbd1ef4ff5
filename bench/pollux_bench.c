/* pollux-bench: the load generator. One load for each rate asked for, or one closed loop. */
#include "bench/load.h"
#include "bench/load_descriptors.h"
#include "bench/load_help.h"
#include "bench/load_options.h"
#include "bench/load_report.h"
#include "bench/load_series.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EXIT_USAGE 2

/* The file of a step's percentiles. */
static void hgrm_path(const struct load_options *options, uint32_t step, char ret_path[PATH_MAX])
{
    if (options->rate_count > 1) {
        snprintf(ret_path, PATH_MAX, "%s.%u", options->hgrm, options->rates[step]);
    } else {
        snprintf(ret_path, PATH_MAX, "%s", options->hgrm);
    }
}

/* Empties a file, or says that it cannot be written: before the load rather than after minutes. */
static bool file_empty(const char *option, const char *path)
{
    FILE *file = path == NULL ? NULL : fopen(path, "we");
    if (file != NULL) {
        fclose(file);
    } else if (path != NULL) {
        fprintf(stderr, "pollux-bench: error: %s: '%s' cannot be written: %s\n", option, path,
                strerror(errno));
        return false;
    }
    return true;
}

static bool files_empty(const struct load_options *options, uint32_t step_count)
{
    char path[PATH_MAX];
    for (uint32_t i = 0; i < step_count && options->hgrm != NULL; i++) {
        hgrm_path(options, i, path);
        if (!file_empty("--hdr", path)) {
            return false;
        }
    }
    return file_empty("--csv", options->csv) && file_empty("--record", options->record) &&
           file_empty("--history", options->history);
}

/* Writes the files that were asked for; false: one cannot be written, and its name was printed. */
static bool files_write(const struct load_options *options, uint32_t step,
                        const struct load_result *result)
{
    char path[PATH_MAX];
    uint64_t first_second = (uint64_t)step * result->second_count;
    if (options->csv != NULL && load_series_append_csv(options->csv, first_second, result) != OK) {
        fprintf(stderr, "pollux-bench: error: --csv: '%s' cannot be written\n", options->csv);
        return false;
    }
    if (options->hgrm == NULL) {
        return true;
    }
    hgrm_path(options, step, path);
    if (load_series_write_hgrm(path, &result->latencies) != OK) {
        fprintf(stderr, "pollux-bench: error: --hdr: '%s' cannot be written\n", path);
        return false;
    }
    return true;
}

/* Runs and reports one load; the exit status. */
static int step_run(const struct load_options *options, uint32_t step)
{
    static struct load_result result;
    char reason[LOAD_REASON_BYTES] = "";
    uint32_t rate = options->rate_count == 0 ? 0 : options->rates[step];
    bool has_progress = options->is_progress || (!options->is_quiet && isatty(STDERR_FILENO) == 1);
    enum error error = load_run(options, rate, has_progress ? stderr : NULL, &result, reason);
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
    bool is_good = files_write(options, step, &result) && load_result_is_good(&result);
    load_result_deinit(&result);
    return is_good ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    struct load_options options;
    char reason[LOAD_REASON_BYTES] = "";
    if (load_options_parse(argc, argv, &options, reason, sizeof(reason)) != OK) {
        fprintf(stderr, "pollux-bench: error: %s; try --help\n", reason);
        return EXIT_USAGE;
    }
    if (options.is_help) {
        load_help_print(stdout);
        return EXIT_SUCCESS;
    }
    if (load_descriptors_raise(options.clients, reason, sizeof(reason)) != OK) {
        fprintf(stderr, "pollux-bench: error: %s\n", reason);
        return EXIT_USAGE;
    }
    uint32_t step_count = options.rate_count == 0 ? 1 : options.rate_count;
    int status = EXIT_SUCCESS;
    if (!files_empty(&options, step_count)) {
        return EXIT_USAGE;
    }
    for (uint32_t i = 0; i < step_count; i++) {
        int of_step = step_run(&options, i);
        status = of_step > status ? of_step : status;
    }
    return status;
}
