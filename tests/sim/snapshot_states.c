/*
 * Crash states of the snapshots: before each store that the writing of a snapshot makes, and after
 * each poll, what a power loss at that moment may leave on the two files. Each state is recovered:
 * the newest snapshot must be the one that was good before or the one under way, every byte of it.
 * Then the next snapshot is written, loses power at a random moment, and is recovered again.
 *
 *   snapshot_states [--states N] [--seed N]     prints a line for each case and the total
 */
#include "base/check.h"
#include "base/prng.h"
#include "tests/sim/snapshot_model.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STATES_DEFAULT 6000u
#define CYCLES         3u
#define POINTS         24u /* of one case, about */

static const struct medium_sim_options medium_options[] = {
    {.seed = 1, .granularity = MEDIUM_CACHE_LINE},
    {.seed = 1, .granularity = MEDIUM_PAGE, .sync_delay_min_ns = 100, .sync_delay_max_ns = 100},
};
#define MEDIA (sizeof(medium_options) / sizeof(medium_options[0]))

/* What is good before, and what is under way when power is lost. */
struct crash_case {
    const char *name;
    uint64_t good; /* snapshots 1 to this one */
    bool is_install;
    uint32_t blocks; /* of the one under way; the last one is short */
};

static const struct crash_case cases[] = {
    {"the first snapshot", 0, false, 3}, {"the second snapshot", 1, false, 2},
    {"over the older one", 2, false, 3}, {"installed, over the older one", 2, true, 3},
    {"the smallest one", 3, false, 1},
};
#define CASES (sizeof(cases) / sizeof(cases[0]))

struct run {
    struct prng prng;
    const struct crash_case *crash_case;
    struct medium_sim *origin;
    uint64_t good; /* newest snapshot that was told to be good; what comes next may be there, too */
    uint64_t samples;
    uint64_t state_count;
    uint64_t wrong_count;
    uint64_t newer_count;            /* states in which the one under way was found */
    struct snapshot_subject subject; /* that recovers */
};

static uint64_t stream_bytes_of(uint32_t blocks)
{
    return (uint64_t)(blocks - 1) * SNAPSHOT_BLOCK_BYTES + 500;
}

static void wrong(struct run *run, const char *what)
{
    run->wrong_count++;
    printf("WRONG: %s: state %" PRIu64 ": %s (note: %s)\n", run->crash_case->name, run->state_count,
           what, run->subject.recovery.note);
}

/* Stores of a file that survive. Of the later ones often all: then only the order of what became
 * durable can have kept a later store from being there without an earlier one. */
static void survivors_draw(struct run *run, uint64_t *survivors, size_t count)
{
    static const uint32_t chances[] = {0, 20000, 500000, 980000, 1000000};
    uint32_t chance = chances[prng_range(&run->prng, 0, 4)];
    size_t tail = prng_chance(&run->prng, 500000) ? prng_range(&run->prng, 0, 20) : 0;
    memset(survivors, 0, (count / 64 + 1) * sizeof(*survivors));
    for (size_t i = 0; i < count; i++)
        if (count - i <= tail || prng_chance(&run->prng, chance))
            survivors[i / 64] |= UINT64_C(1) << (i % 64);
}

static void power_lose(struct run *run, struct medium_sim *sim)
{
    static const char *const paths[] = {SNAPSHOT_MODEL_FILE_0, SNAPSHOT_MODEL_FILE_1};
    for (size_t i = 0; i < 2; i++) {
        size_t count =
            medium_sim_exists(sim, paths[i]) ? medium_sim_pending_count(sim, paths[i]) : 0;
        uint64_t *survivors = calloc(count / 64 + 1, sizeof(*survivors));
        CHECK(survivors != NULL);
        survivors_draw(run, survivors, count);
        if (prng_chance(&run->prng, 200000))
            medium_sim_kill(sim, paths[i]);
        else
            medium_sim_lose_power_but(sim, paths[i], survivors);
        free(survivors);
    }
}

/* NULL: the newest is `good` or the one after it, and whole; so is the older. */
static const char *found_check(struct run *run, uint64_t good, uint64_t *ret_newest)
{
    struct snapshot_info newest = {0};
    struct snapshot_info older = {0};
    bool is_there = snapshots_newest(run->subject.snapshots, &newest);
    bool is_older_there = snapshots_older(run->subject.snapshots, &older);
    *ret_newest = newest.label.term;
    if (!is_there)
        return good == 0 ? NULL : "none is left";
    if (newest.label.term != good && newest.label.term != good + 1)
        return "another one than the newest";
    const char *what = snapshot_subject_read(&run->subject, &newest);
    if (what == NULL && is_older_there)
        what = older.label.term < newest.label.term ? snapshot_subject_read(&run->subject, &older)
                                                    : "the older one is newer";
    return what;
}

/* Writes on after a recovery, and stops in the middle. */
static uint64_t work_on(struct run *run, uint64_t good)
{
    struct snapshot_subject *subject = &run->subject;
    static uint8_t bytes[SNAPSHOT_MODEL_BYTES];
    struct snapshot_label label = snapshot_model_label(good + 1);
    uint64_t polls = prng_range(&run->prng, 0, 16);
    label.id += run->state_count; /* other bytes than whatever was under way */
    snapshot_model_fill(label.id, 0, bytes, sizeof(bytes));
    CHECK(snapshots_write_begin(subject->snapshots, &label) == OK);
    CHECK(snapshots_write(subject->snapshots, span_of(bytes, sizeof(bytes))) == OK);
    snapshots_write_end(subject->snapshots);
    for (uint64_t i = 0; i < polls; i++) {
        struct snapshots_progress progress = snapshot_subject_poll(subject);
        if (progress.state != SNAPSHOTS_BUSY)
            return progress.state == SNAPSHOTS_GOOD ? good + 1 : good;
    }
    return good;
}

static void state_try(struct run *run)
{
    struct medium_sim *sim = medium_sim_clone(run->origin);
    uint64_t good = run->good;
    medium_sim_set_watch(sim, (struct medium_sim_watch){0});
    medium_sim_use(sim);
    run->subject.sim = sim;
    run->subject.now_ns = UINT64_C(1) << 40;
    for (uint32_t cycle = 0; cycle < CYCLES; cycle++) {
        uint64_t newest = 0;
        power_lose(run, sim);
        run->state_count++;
        enum error error = snapshot_subject_open(&run->subject);
        const char *what = error == OK ? found_check(run, good, &newest) : error_name(error);
        if (what != NULL) {
            wrong(run, what);
            run->subject.snapshots = error == OK ? run->subject.snapshots : NULL;
            break;
        }
        run->newer_count += newest > good ? 1 : 0;
        good = work_on(run, newest);
    }
    snapshot_subject_deinit(&run->subject);
    medium_sim_destroy(sim);
    medium_sim_use(run->origin);
}

/* Any moment of the writing. */
static void moment(void *context, const char *path)
{
    struct run *run = context;
    (void)path;
    for (uint64_t i = 0; i < run->samples; i++)
        state_try(run);
}

static struct snapshots_progress poll_watched(struct run *run, struct snapshot_subject *writer)
{
    struct snapshots_progress progress = snapshot_subject_poll(writer);
    if (progress.state == SNAPSHOTS_GOOD)
        run->good = progress.info.label.term;
    moment(run, "");
    return progress;
}

/* Hands over snapshot n, as a stream or as blocks. */
static void hand_over(const struct run *run, struct snapshot_subject *writer, uint64_t number)
{
    static uint8_t bytes[SNAPSHOT_MODEL_BLOCKS * SNAPSHOT_BLOCK_BYTES];
    uint64_t stream_bytes = stream_bytes_of(run->crash_case->blocks);
    const struct snapshot_info info = snapshot_model_info(number, stream_bytes);
    snapshot_model_fill(info.label.id, 0, bytes, stream_bytes);
    if (!run->crash_case->is_install) {
        CHECK(snapshots_write_begin(writer->snapshots, &info.label) == OK);
        CHECK(snapshots_write(writer->snapshots, span_of(bytes, stream_bytes)) == OK);
        snapshots_write_end(writer->snapshots);
        return;
    }
    CHECK(snapshots_install_begin(writer->snapshots, &info) == OK);
    for (uint32_t i = info.block_count; i > 0; i--) {
        size_t at = (size_t)(i - 1) * SNAPSHOT_BLOCK_BYTES;
        size_t rest = stream_bytes - at;
        struct span raw =
            span_of(bytes + at, rest < SNAPSHOT_BLOCK_BYTES ? rest : SNAPSHOT_BLOCK_BYTES);
        CHECK(snapshots_install_block(writer->snapshots, &info.label, i - 1, raw) == OK);
    }
    CHECK(snapshots_install_end(writer->snapshots) == OK);
}

static void case_run(struct run *run, const struct crash_case *crash_case,
                     const struct medium_sim_options *options)
{
    struct snapshot_subject writer;
    uint64_t before_count = run->state_count;
    uint64_t before_newer = run->newer_count;
    run->crash_case = crash_case;
    run->origin = medium_sim_create(options);
    run->good = crash_case->good;
    medium_sim_use(run->origin);
    snapshot_subject_init(&writer, run->origin);
    snapshot_subject_init(&run->subject, run->origin);
    CHECK(snapshot_subject_open(&writer) == OK);
    for (uint64_t i = 1; i <= crash_case->good; i++)
        CHECK(snapshot_subject_write(&writer, i, SNAPSHOT_MODEL_BYTES).state == SNAPSHOTS_GOOD);
    medium_sim_set_watch(run->origin,
                         (struct medium_sim_watch){.before_store = moment, .context = run});
    hand_over(run, &writer, crash_case->good + 1);
    while (poll_watched(run, &writer).state == SNAPSHOTS_BUSY) { /* the snapshot */
    }
    if (run->good != crash_case->good + 1)
        wrong(run, "it did not become good");
    printf("%-32s %-10s %6" PRIu64 " states, %5" PRIu64 " with the newer one\n", crash_case->name,
           medium_granularity_name(options->granularity), run->state_count - before_count,
           run->newer_count - before_newer);
    snapshot_subject_deinit(&writer);
    medium_sim_destroy(run->origin);
}

int main(int argc, char **argv)
{
    struct run run = {0};
    uint64_t states_wanted = STATES_DEFAULT;
    uint64_t seed = 1;
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--states") == 0)
            states_wanted = strtoull(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--seed") == 0)
            seed = strtoull(argv[i + 1], NULL, 10);
    }
    run.samples = states_wanted / (CASES * MEDIA * CYCLES * POINTS) + 1;
    prng_init(&run.prng, seed);
    for (size_t i = 0; i < CASES; i++)
        for (size_t j = 0; j < MEDIA; j++)
            case_run(&run, &cases[i], &medium_options[j]);
    printf("%" PRIu64 " crash states, %" PRIu64 " wrong\n", run.state_count, run.wrong_count);
    return run.wrong_count == 0 ? 0 : 1;
}
