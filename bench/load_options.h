/* The command line of pollux-bench. Main thread, once. */
#ifndef POLLUX_BENCH_LOAD_OPTIONS_H
#define POLLUX_BENCH_LOAD_OPTIONS_H

#include "base/error.h"
#include "bench/key_chooser.h"
#include "bench/op_mix.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOAD_CLIENTS_MAX      10000 /* a descriptor each: load_descriptors.h */
#define LOAD_SECONDS_MAX      3600
#define LOAD_STEPS_MAX        8
#define LOAD_THREADS_MAX      16
#define LOAD_PREFIX_BYTES_MAX 40
#define LOAD_NUMBER_BYTES     20 /* that a value of a relaxed set begins with, as text */

struct load_options {
    const char *servers;
    const char *cluster;
    const char *key_file; /* NULL: packets are not sealed */
    const char *prefix;  /* of the keys */
    const char *record;  /* relaxed-set: file of what was acknowledged; NULL: none */
    const char *history; /* file of every operation; NULL: none */
    const char *csv;     /* file of the seconds; NULL: none */
    const char *hgrm;    /* file of the percentiles; NULL: none */
    const char *load;    /* what the report calls the load: an op, a workload, or "mix" */
    enum load_op op;     /* of --op */
    struct op_mix mix;   /* of --op, --mix or --workload */
    uint32_t load_count; /* how many of these three were given */
    enum key_distribution distribution;
    double zipf_theta;
    uint32_t clients;     /* handles, one session each */
    uint32_t outstanding; /* operations of each in flight */
    uint32_t threads;
    uint32_t packet_ops;
    uint32_t value_size;
    uint32_t keys;
    uint32_t preferred; /* server of relaxed operations, from 1; 0: the first that answers */
    uint32_t rates[LOAD_STEPS_MAX]; /* offered per second; none: closed loop */
    uint32_t rate_count;
    uint32_t seconds;
    uint32_t warmup_ms;
    uint64_t timeout_ns;
    uint64_t spin_ns;
    uint64_t seed;
    bool is_table;
    bool is_unfilled; /* gets find what is there, if anything */
    bool is_distinct; /* relaxed-set: no key twice */
    bool is_relaxed_reads;
    bool is_checked;
    bool has_distribution; /* --distribution was given */
    bool is_progress;      /* even if standard error is no terminal */
    bool is_quiet;         /* not even then */
    bool is_help;
};

/* ERR_ARGUMENT; ret_reason names the option and what it takes. */
MUST_USE enum error load_options_parse(int argc, char **argv, struct load_options *ret_options,
                                       char *ret_reason, size_t reason_size);

/* The load is nothing but a fill. */
bool load_options_is_fill(const struct load_options *options);

#endif
