/*
 * What a snapshot costs the lane: slices of the walk while sets of random keys are applied between
 * them, by the budget of a slice; and what it costs to read the stream back, by chunks of the same
 * sizes. The sink copies to memory. Fixed work; the figures are ns a slice, or a chunk.
 *
 * Usage: engine_snapshot [keys [sets [FILE]]]
 * Sets between two slices, 64 in a record; 64 without arguments, and 1,000,000 keys. FILE gets the
 * nanoseconds of each slice of the smallest budget, the beginning first. The slices of two runs are
 * the same work, one by one, so the shorter of two times is nearer to what the work takes.
 */
#include "bench/engine_load.h"

#include "base/check.h"
#include "engine/state/rcu.h"
#include "engine/state/snapshot_sink.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GROUP         64
#define KEYS_MANY     1000000
#define VALUE_BYTES   64
#define BYTES_PER_KEY (24 + LOAD_KEY_SIZE_BYTES + VALUE_BYTES)
#define CLEAR_VISITS  1024

static_assert(GROUP <= REQUEST_OPS_MAX, "one turn, one record");

static FILE *slices_file; /* NULL: nobody asked */

struct stream {
    uint8_t *bytes;
    size_t size_bytes;
    size_t capacity_bytes;
};

static size_t stream_room(void *context)
{
    const struct stream *stream = context;
    return stream->capacity_bytes - stream->size_bytes;
}

static void stream_write(void *context, struct span bytes)
{
    struct stream *stream = context;
    memcpy(stream->bytes + stream->size_bytes, bytes.data, bytes.size_bytes);
    stream->size_bytes += bytes.size_bytes;
}

static void stream_open(struct stream *stream, uint64_t keys)
{
    stream->capacity_bytes = keys * BYTES_PER_KEY + (1u << 20);
    stream->bytes = malloc(stream->capacity_bytes);
    CHECK(stream->bytes != NULL);
    memset(stream->bytes, 1, stream->capacity_bytes); /* the memory is there */
}

static void set_random(struct load *load, uint64_t sets, struct span value)
{
    for (uint64_t done = 0; done < sets; done += GROUP) {
        uint64_t keys[GROUP];
        for (uint32_t i = 0; i < GROUP; i++)
            keys[i] = prng_range(&load->prng, 0, load->keys - 1);
        load_set(load, keys, GROUP, value);
        load_commit(load);
    }
}

static void note_slice(struct load *load, uint64_t elapsed_ns)
{
    samples_add(&load->samples, elapsed_ns, 1);
    if (slices_file != NULL)
        fprintf(slices_file, "%llu\n", (unsigned long long)elapsed_ns);
}

/* One snapshot; the hash of the state that it is of. */
static uint64_t take(struct load *load, struct stream *stream, size_t budget_bytes, uint64_t sets)
{
    static const uint8_t other[VALUE_BYTES] = "another value, as long as the first one was.";
    struct snapshot_sink sink = {
        .room_bytes = stream_room, .write = stream_write, .context = stream};
    uint64_t hash = engine_state_hash(load->engine);
    uint64_t spent_ns = 0;
    uint64_t slices = 0;
    char name[64];
    stream->size_bytes = 0;
    uint64_t first_ns = samples_clock_ns();
    engine_snapshot_begin(load->engine, &sink); /* a pause as well */
    note_slice(load, samples_clock_ns() - first_ns);
    for (bool is_running = true; is_running; slices++) {
        CHECK(!engine_snapshot_must_wait(load->engine));
        set_random(load, sets, span_of(other, sizeof(other)));
        uint64_t begin_ns = samples_clock_ns();
        is_running = engine_snapshot_step(load->engine, budget_bytes);
        uint64_t elapsed_ns = samples_clock_ns() - begin_ns;
        note_slice(load, elapsed_ns);
        spent_ns += elapsed_ns;
    }
    snprintf(name, sizeof(name), "slice of %zu KiB", budget_bytes / 1024);
    samples_print(&load->samples, name, hash);
    printf("%-28s %zu bytes in %llu slices, %.1f ms, %.0f MB/s\n", "", stream->size_bytes,
           (unsigned long long)slices, (double)spent_ns / 1e6,
           (double)stream->size_bytes * 1e3 / (double)spent_ns);
    return hash;
}

static void install_end(struct engine *engine)
{
    enum error error;
    do {
        error = engine_install_end(engine, CLEAR_VISITS);
    } while (error == ERR_NOT_YET); /* sessions are bounded */
    CHECK(error == OK);
}

/* Reads the stream into an engine that may have a state; that state must go first. */
static void install(struct load *load, const struct stream *stream, size_t chunk_bytes)
{
    char name[64];
    uint64_t clear_ns = samples_clock_ns();
    engine_install_begin(load->engine);
    while (engine_install_clear(load->engine, CLEAR_VISITS))
        engine_end_turn(load->engine);
    uint64_t first_ns = samples_clock_ns();
    for (size_t at = 0; at < stream->size_bytes; at += chunk_bytes) {
        size_t left = stream->size_bytes - at;
        uint64_t begin_ns = samples_clock_ns();
        CHECK(engine_install_read(load->engine, span_of(stream->bytes + at,
                                                        left < chunk_bytes ? left : chunk_bytes)) ==
              OK);
        samples_add(&load->samples, samples_clock_ns() - begin_ns, 1);
    }
    install_end(load->engine);
    uint64_t end_ns = samples_clock_ns();
    snprintf(name, sizeof(name), "chunk of %zu KiB", chunk_bytes / 1024);
    samples_print(&load->samples, name, engine_state_hash(load->engine));
    printf("%-28s cleared in %.1f ms, read in %.1f ms\n", "", (double)(first_ns - clear_ns) / 1e6,
           (double)(end_ns - first_ns) / 1e6);
}

static void run(struct load *load, struct load *other, uint64_t sets)
{
    static const size_t budgets[] = {16 * 1024, 64 * 1024};
    struct stream stream;
    stream_open(&stream, load->keys);
    /* A running node has replaced values before: the memory for that was touched. */
    set_random(load, sets, span_of((const uint8_t *)"replaced", 8));
    for (uint32_t i = 0; i < sizeof(budgets) / sizeof(budgets[0]); i++) {
        uint64_t hash = take(load, &stream, budgets[i], sets);
        if (slices_file != NULL)
            fclose(slices_file);
        slices_file = NULL;
        install(other, &stream, budgets[i]);
        CHECK(engine_state_hash(other->engine) == hash);
    }
    free(stream.bytes);
}

int main(int argc, char **argv)
{
    uint64_t keys = argc > 1 ? strtoull(argv[1], NULL, 10) : KEYS_MANY;
    uint64_t sets = argc > 2 ? strtoull(argv[2], NULL, 10) : GROUP;
    static const uint8_t bytes[VALUE_BYTES] = "sixty-four bytes are the value.";
    static struct load load;
    static struct load other;
    slices_file = argc > 3 ? fopen(argv[3], "we") : NULL;
    if (keys == 0 || keys > 100000000 || sets < GROUP || (argc > 3 && slices_file == NULL)) {
        fprintf(stderr, "usage: engine_snapshot [keys [sets [FILE]]]\n");
        return 2;
    }
    rcu_thread_begin();
    load_init(&load, keys);
    load_fill(&load, span_of(bytes, sizeof(bytes)));
    load_init(&other, keys);
    other.view.is_leader = false;
    engine_begin_turn(other.engine, &other.view);
    run(&load, &other, sets);
    load_deinit(&other);
    load_deinit(&load);
    rcu_thread_end();
    return 0;
}
