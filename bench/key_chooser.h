/*
 * Which key an operation takes. Three distributions:
 *
 *   uniform  every key is as likely as every other.
 *   zipf     YCSB's scrambled Zipfian: a rank among KEY_CHOOSER_RANKS is drawn, and a hash (FNV-1a)
 *            scatters the ranks over the keys. So the popular keys are not neighbours, and a key's
 *            share hardly depends on how many keys there are.
 *   latest   the newest key is the most popular one; the rank counts back from there.
 *
 * Ranks are drawn as in Gray et al., "Quickly Generating Billion-Record Synthetic Databases",
 * SIGMOD 1994. Memory is constant: the generalised harmonic number zeta(n) is summed for the first
 * terms, which are kept for a larger n, and the rest is Euler and Maclaurin's formula.
 *
 * Pure. Owner: one thread.
 */
#ifndef POLLUX_BENCH_KEY_CHOOSER_H
#define POLLUX_BENCH_KEY_CHOOSER_H

#include "base/prng.h"

#include <stdint.h>

#define KEY_CHOOSER_RANKS UINT64_C(10000000000) /* as in YCSB, ScrambledZipfianGenerator */

enum key_distribution {
    KEYS_UNIFORM,
    KEYS_ZIPF,
    KEYS_LATEST,
    KEYS_DISTRIBUTION_COUNT,
};

struct key_chooser {
    enum key_distribution distribution;
    double theta;
    double two;      /* zeta(2) */
    double head_sum; /* of the first `head_count` terms of zeta */
    uint64_t head_count;
    uint64_t rank_count; /* that the next two belong to */
    double zeta;
    double eta;
};

/* theta is the skew of zipf and latest: 0 < theta < 1 (CHECK). */
void key_chooser_init(struct key_chooser *chooser, enum key_distribution distribution,
                      double theta);

/* A key in 0..count-1. count is 1 or more (CHECK) and may change from call to call. */
uint64_t key_chooser_next(struct key_chooser *chooser, struct prng *prng, uint64_t count);

/* The sum of 1/i^theta for i in 1..count. */
double key_chooser_zeta(struct key_chooser *chooser, uint64_t count);

/* "uniform", "zipf", "latest". */
const char *key_distribution_name(enum key_distribution distribution);

#endif
