/* One rule a row: what must not be, and what the caller is told. */
#include "bench/load_rules.h"

#include "client/include/pollux.h"

#include <stdio.h>

bool load_options_is_fill(const struct load_options *options)
{
    return op_mix_has(&options->mix, LOAD_FILL);
}

static void defaults_set(struct load_options *options)
{
    if (options->load_count == 0) {
        op_mix_init(&options->mix, LOAD_SET);
        options->load = load_op_name(LOAD_SET);
    }
    if (options->is_relaxed_reads) {
        op_mix_relax(&options->mix);
    }
    if (options->clients == 0) {
        options->clients = options->rate_count > 0 ? 64 : 1;
    }
    if (options->outstanding == 0) {
        options->outstanding = options->packet_ops;
    }
}

static const char *rule_of_load(const struct load_options *options)
{
    bool is_fill = load_options_is_fill(options);
    if (options->load_count > 1) {
        return "--op, --mix and --workload each name the load: give one of them";
    }
    if (is_fill && options->rate_count > 0) {
        return "--op=fill stores the keys as fast as possible: leave out --rate";
    }
    if (is_fill && options->is_unfilled) {
        return "--op=fill stores the keys: leave out --no-fill";
    }
    if (options->is_progress && options->is_quiet) {
        return "--progress and --quiet exclude each other: give one of them";
    }
    return NULL;
}

static const char *rule_of_relaxed_sets(const struct load_options *options)
{
    bool is_mixed = op_mix_has(&options->mix, LOAD_RELAXED_SET);
    bool is_alone = options->load_count == 1 && options->op == LOAD_RELAXED_SET;
    if ((options->record != NULL || options->is_distinct) && !is_alone) {
        return "--record and --distinct go with --op=relaxed-set only";
    }
    if (is_mixed && options->keys < options->clients) {
        return "relaxed-set needs a key for each client: raise --keys or lower --clients";
    }
    if (is_mixed && options->value_size < LOAD_NUMBER_BYTES) {
        return "relaxed-set needs values of 20 bytes or more: raise --size";
    }
    return NULL;
}

static const char *rule_of_check(const struct load_options *options)
{
    if (!options->is_checked) {
        return NULL;
    }
    if (op_mix_has(&options->mix, LOAD_SWAP) || op_mix_has(&options->mix, LOAD_INSERT)) {
        return "--check covers set, relaxed-set, rmw and fill: leave out swap, insert and ycsb-d";
    }
    if (options->value_size < LOAD_NUMBER_BYTES) {
        return "--check needs values of 20 bytes or more: raise --size";
    }
    if (options->keys / options->clients < options->outstanding) {
        return "--check needs a key for each operation in flight: raise --keys to --clients times "
               "--outstanding";
    }
    return NULL;
}

/* What the judge needs: keys that are absent at first and written by this load only, values that
 * name their write. */
static const char *rule_of_history(const struct load_options *options)
{
    if (options->history == NULL) {
        return NULL;
    }
    if (op_mix_has(&options->mix, LOAD_RELAXED_SET)) {
        return "--history covers all operations but relaxed-set: leave relaxed-set out";
    }
    if (options->is_checked || options->is_unfilled) {
        return "--history goes with neither --check nor --no-fill: leave them out";
    }
    if (options->rate_count > 1) {
        return "--history is that of one load: give one --rate";
    }
    if (options->value_size < LOAD_NUMBER_BYTES) {
        return "--history needs values of 20 bytes or more: raise --size";
    }
    return NULL;
}

static const char *rule_broken(const struct load_options *options)
{
    const char *broken = rule_of_load(options);
    broken = broken == NULL ? rule_of_relaxed_sets(options) : broken;
    broken = broken == NULL ? rule_of_check(options) : broken;
    broken = broken == NULL ? rule_of_history(options) : broken;
    if (broken == NULL && options->threads > options->clients) {
        broken = "--threads: there are more threads than clients: lower --threads or raise "
                 "--clients";
    }
    return broken;
}

enum error load_rules_apply(struct load_options *options, char *ret_reason, size_t reason_size)
{
    if (options->is_help) {
        return OK;
    }
    if (options->servers == NULL) {
        snprintf(ret_reason, reason_size, "--servers is missing: name the nodes as HOST:PORT,...");
        return ERR_ARGUMENT;
    }
    defaults_set(options);
    const char *broken = rule_broken(options);
    if (broken != NULL) {
        snprintf(ret_reason, reason_size, "%s", broken);
        return ERR_ARGUMENT;
    }
    return OK;
}
