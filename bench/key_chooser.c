/* Ranks drawn by inverting the distribution, and a hash that scatters them. */
#include "bench/key_chooser.h"

#include "base/check.h"

#include <math.h>

#define HEAD_TERMS_MAX 1024U /* summed one by one; the formula's error behind them is below 1e-12 */

const char *key_distribution_name(enum key_distribution distribution)
{
    static const char *const names[KEYS_DISTRIBUTION_COUNT] = {
        [KEYS_UNIFORM] = "uniform", [KEYS_ZIPF] = "zipf", [KEYS_LATEST] = "latest"};
    return names[distribution];
}

/* The sum of 1/i^theta for i in from+1..to. */
static double zeta_tail(double theta, double from, double to)
{
    double integral = (pow(to, 1 - theta) - pow(from, 1 - theta)) / (1 - theta);
    double ends = (pow(to, -theta) - pow(from, -theta)) / 2;
    double slopes = theta / 12 * (pow(from, -theta - 1) - pow(to, -theta - 1));
    return integral + ends + slopes;
}

double key_chooser_zeta(struct key_chooser *chooser, uint64_t count)
{
    uint64_t head = count < HEAD_TERMS_MAX ? count : HEAD_TERMS_MAX;
    if (head < chooser->head_count) {
        chooser->head_count = 0;
        chooser->head_sum = 0;
    }
    while (chooser->head_count < head) {
        chooser->head_count++;
        chooser->head_sum += pow((double)chooser->head_count, -chooser->theta);
    }
    return chooser->head_sum +
           (count > head ? zeta_tail(chooser->theta, (double)head, (double)count) : 0);
}

void key_chooser_init(struct key_chooser *chooser, enum key_distribution distribution, double theta)
{
    CHECK(theta > 0 && theta < 1);
    *chooser = (struct key_chooser){
        .distribution = distribution, .theta = theta, .two = 1 + pow(0.5, theta)};
}

static void ranks_prepare(struct key_chooser *chooser, uint64_t count)
{
    chooser->rank_count = count;
    chooser->zeta = key_chooser_zeta(chooser, count);
    /* With one or two ranks the branches of rank_next that need eta are never reached. */
    chooser->eta = count > 2 ? (1 - pow(2.0 / (double)count, 1 - chooser->theta)) /
                                   (1 - chooser->two / chooser->zeta)
                             : 0;
}

/* A rank in 0..count-1; 0 is the most likely one. */
static uint64_t rank_next(struct key_chooser *chooser, struct prng *prng, uint64_t count)
{
    if (count != chooser->rank_count) {
        ranks_prepare(chooser, count);
    }
    double uniform = (double)(prng_next(prng) >> 11) * 0x1p-53;
    double scaled = uniform * chooser->zeta;
    if (scaled < 1 || count == 1) {
        return 0;
    }
    if (count == 2 || scaled < chooser->two) {
        return 1;
    }
    double base = chooser->eta * uniform - chooser->eta + 1;
    uint64_t rank = (uint64_t)((double)count * pow(base, 1 / (1 - chooser->theta)));
    return rank < count ? rank : count - 1;
}

/* FNV-1a over the eight bytes. */
static uint64_t rank_scatter(uint64_t rank)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (int shift = 0; shift < 64; shift += 8) {
        hash ^= (rank >> shift) & 0xff;
        hash *= UINT64_C(0x100000001b3);
    }
    return hash;
}

uint64_t key_chooser_next(struct key_chooser *chooser, struct prng *prng, uint64_t count)
{
    CHECK(count > 0);
    switch (chooser->distribution) {
    case KEYS_ZIPF:
        return rank_scatter(rank_next(chooser, prng, KEY_CHOOSER_RANKS)) % count;
    case KEYS_LATEST:
        return count - 1 - rank_next(chooser, prng, count);
    case KEYS_UNIFORM:
    case KEYS_DISTRIBUTION_COUNT:
        break;
    }
    return prng_range(prng, 0, count - 1);
}
