/*
 * What a relaxed get costs in one lane: random keys of all that are stored, by engine_lookup, and
 * as whole requests (decode, look up, encode the reply) of 1, 16 and 64 ops. No network. Fixed
 * work; the figures are ns an op over groups of 64 ops.
 *
 * Usage: engine_get [keys [gets]]
 */
#include "bench/engine_load.h"

#include "base/check.h"
#include "engine/state/rcu.h"

#include <stdio.h>
#include <stdlib.h>

#define GROUP     64
#define KEYS_MANY 1000000
#define GETS_MANY 4000000

static void get_lookups(struct load *load, uint64_t gets)
{
    for (uint64_t done = 0; done < gets; done += GROUP) {
        uint8_t keys[GROUP][LOAD_KEY_SIZE_BYTES];
        for (uint32_t i = 0; i < GROUP; i++)
            load_key(keys[i], prng_range(&load->prng, 0, load->keys - 1));
        uint64_t begin_ns = samples_clock_ns();
        for (uint32_t i = 0; i < GROUP; i++) {
            uint8_t value[64];
            struct engine_found found;
            struct span key = span_of(keys[i], LOAD_KEY_SIZE_BYTES);
            CHECK(engine_lookup(load->engine, key, value, sizeof(value), &found) == OK);
            load->answer_sum += found.version + value[0];
        }
        samples_add(&load->samples, samples_clock_ns() - begin_ns, GROUP);
        rcu_turn();
    }
    samples_print(&load->samples, "lookup", load->answer_sum);
}

/* One group of requests of `op_count` ops each, encoded beforehand. */
static void get_group(struct load *load, uint32_t op_count)
{
    static uint8_t bodies[GROUP][GROUP * 64];
    size_t sizes[GROUP];
    struct address from = {.port = 1};
    struct wire_read read = {.request_number = 1};
    uint32_t requests = GROUP / op_count;
    for (uint32_t i = 0; i < requests; i++) {
        struct wire_writer writer = {.data = bodies[i], .capacity_bytes = sizeof(bodies[i])};
        wire_read_begin(&writer, &read);
        for (uint32_t op = 0; op < op_count; op++) {
            uint8_t key[LOAD_KEY_SIZE_BYTES];
            load_key(key, prng_range(&load->prng, 0, load->keys - 1));
            struct wire_read_op read_op = {.key = span_of(key, sizeof(key))};
            wire_read_add(&writer, &read_op);
        }
        CHECK(!writer.is_overflow);
        sizes[i] = writer.size_bytes;
    }
    uint64_t begin_ns = samples_clock_ns();
    for (uint32_t i = 0; i < requests; i++)
        engine_receive(load->engine, &from, WIRE_READ, span_of(bodies[i], sizes[i]));
    samples_add(&load->samples, samples_clock_ns() - begin_ns, GROUP);
    engine_end_turn(load->engine);
    engine_begin_turn(load->engine, &load->view);
}

int main(int argc, char **argv)
{
    uint64_t keys = argc > 1 ? strtoull(argv[1], NULL, 10) : KEYS_MANY;
    uint64_t gets = argc > 2 ? strtoull(argv[2], NULL, 10) : GETS_MANY;
    static const uint8_t value[32] = "thirty-two bytes are the value.";
    static const uint32_t op_counts[] = {1, 16, 64};
    struct load load;
    if (keys == 0 || keys > 100000000 || gets < GROUP) {
        fprintf(stderr, "usage: engine_get [keys [gets]]\n");
        return 2;
    }
    rcu_thread_begin();
    load_init(&load, keys);
    load_fill(&load, span_of(value, sizeof(value)));
    get_lookups(&load, gets);
    for (uint32_t i = 0; i < sizeof(op_counts) / sizeof(op_counts[0]); i++) {
        char name[64];
        for (uint64_t done = 0; done < gets; done += GROUP)
            get_group(&load, op_counts[i]);
        snprintf(name, sizeof(name), "request of %u gets", op_counts[i]);
        samples_print(&load.samples, name, load.answer_sum);
    }
    CHECK(engine_counters(load.engine)->reads_refused == 0);
    load_deinit(&load);
    rcu_thread_end();
    return 0;
}
