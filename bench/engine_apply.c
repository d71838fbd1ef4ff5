/*
 * What a set costs in one lane beside network, raft and log: decode, checks, batch, apply, reply.
 * Random keys of all that are stored, replaced; one turn is either 64 requests of one op or one
 * request of 64. No network. Fixed work; the figures are ns an op over turns of 64 ops.
 *
 * Usage: engine_apply [keys [sets]]
 */
#include "bench/engine_load.h"

#include "base/check.h"
#include "engine/state/rcu.h"

#include <stdio.h>
#include <stdlib.h>

#define GROUP     64
#define KEYS_MANY 1000000
#define SETS_MANY 2000000

static_assert(GROUP <= REQUEST_OPS_MAX && GROUP <= BATCH_REQUESTS_MAX, "one turn, one record");

static void set_group(struct load *load, uint32_t op_count, struct span value)
{
    uint64_t keys[GROUP];
    for (uint32_t i = 0; i < GROUP; i++)
        keys[i] = prng_range(&load->prng, 0, load->keys - 1);
    uint64_t begin_ns = samples_clock_ns();
    for (uint32_t i = 0; i < GROUP; i += op_count)
        load_set(load, keys + i, op_count, value);
    load_commit(load);
    samples_add(&load->samples, samples_clock_ns() - begin_ns, GROUP);
}

int main(int argc, char **argv)
{
    uint64_t keys = argc > 1 ? strtoull(argv[1], NULL, 10) : KEYS_MANY;
    uint64_t sets = argc > 2 ? strtoull(argv[2], NULL, 10) : SETS_MANY;
    static const uint8_t bytes[32] = "thirty-two bytes are the value.";
    static const uint32_t op_counts[] = {1, 64};
    struct span value = span_of(bytes, sizeof(bytes));
    struct load load;
    if (keys == 0 || keys > 100000000 || sets < GROUP) {
        fprintf(stderr, "usage: engine_apply [keys [sets]]\n");
        return 2;
    }
    rcu_thread_begin();
    load_init(&load, keys);
    load_fill(&load, value);
    for (uint32_t i = 0; i < sizeof(op_counts) / sizeof(op_counts[0]); i++) {
        char name[64];
        uint64_t begin_ns = samples_clock_ns();
        for (uint64_t done = 0; done < sets; done += GROUP)
            set_group(&load, op_counts[i], value);
        uint64_t elapsed_ns = samples_clock_ns() - begin_ns;
        snprintf(name, sizeof(name), "request of %u sets", op_counts[i]);
        samples_print(&load.samples, name, load.answer_sum);
        printf("%-28s %.1f ns an op, clients' encoding included\n", "", /* all of it */
               (double)elapsed_ns / (double)(sets / GROUP * GROUP));
    }
    CHECK(engine_counters(load.engine)->writes_refused == 0);
    printf("state %016llx\n", (unsigned long long)engine_state_hash(load.engine));
    load_deinit(&load);
    rcu_thread_end();
    return 0;
}
