/*
 * Crash states of the log: for each operation, the states that a power loss in the middle of it may
 * leave on the medium: every subset of the words not yet persisted where these are few, a seeded
 * sample where they are many. Each is recovered and held against the model; then the log works on,
 * loses power again, and again, so that what one recovery left unsaid would show in the next.
 *
 *   crash_states [--states N] [--seed N]     prints a line for each operation and the total
 */
#include "base/check.h"
#include "tests/sim/log_model.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define EVERY_SUBSET_WORDS_MAX 12u
#define STATES_DEFAULT         300000u
#define CYCLES                 3u
/* Cases whose subsets are too many to try all, on two media, with all cycles. */
#define SAMPLED_STATES    (5u * 2 * CYCLES)
#define PENDING_WORDS_MAX 4096u

static const struct medium_sim_options medium_options[] = {
    {.seed = 1, .granularity = MEDIUM_CACHE_LINE},
    {.seed = 1, .granularity = MEDIUM_PAGE, .sync_delay_min_ns = 100, .sync_delay_max_ns = 100},
};

struct run {
    struct prng prng;
    uint64_t state_count;
    uint64_t wrong_count;
    uint64_t suspect_count;
    struct log_subject subject;
};

/* A case: what is durable before, and what is under way when power is lost. */
struct crash_case {
    const char *name;
    void (*before)(struct log_model *model, struct log_subject *subject);
    void (*under_way)(struct log_model *model, struct log_subject *subject);
};

static void nothing(struct log_model *model, struct log_subject *subject)
{
    (void)model;
    (void)subject;
}

static void three_records(struct log_model *model, struct log_subject *subject)
{
    log_model_vote(model, subject, 2, 1);
    log_model_append(model, subject, 10);
    log_model_settle(model, subject);
    CHECK(medium_persist_wait(log_medium(subject->log)) == OK);
    log_model_collect(model, subject);
    log_model_append(model, subject, 100);
    log_model_append(model, subject, 0);
    log_model_commit(model, subject, 1);
}

static void two_unsettled(struct log_model *model, struct log_subject *subject)
{
    log_model_suspect(model, subject);
    log_model_vote(model, subject, 2, 1);
    log_model_append(model, subject, 10);
    log_model_append(model, subject, 20);
}

static void settle(struct log_model *model, struct log_subject *subject)
{
    log_model_settle(model, subject);
}

static void vote_and_settle(struct log_model *model, struct log_subject *subject)
{
    log_model_vote(model, subject, 3, 2);
    log_model_settle(model, subject);
    log_model_collect(model, subject);
    log_model_append(model, subject, 5);
    log_model_persist(model, subject);
}

static void append_settle_append(struct log_model *model, struct log_subject *subject)
{
    log_model_append(model, subject, 16);
    log_model_settle(model, subject);
    log_model_append(model, subject, 5);
}

static void one_line(struct log_model *model, struct log_subject *subject)
{
    log_model_append(model, subject, 16);
}

static void two_lines(struct log_model *model, struct log_subject *subject)
{
    log_model_append(model, subject, 40);
}

static void two_records(struct log_model *model, struct log_subject *subject)
{
    log_model_append(model, subject, 8);
    log_model_append(model, subject, 8);
}

static void many_records(struct log_model *model, struct log_subject *subject)
{
    for (uint32_t i = 0; i < 6; i++) {
        log_model_append(model, subject, i * 30);
        if (i % 2 == 0)
            log_model_persist(model, subject);
    }
}

static void large_record(struct log_model *model, struct log_subject *subject)
{
    log_model_append(model, subject, 1000);
}

static void supersede(struct log_model *model, struct log_subject *subject)
{
    log_model_truncate(model, subject, 2);
    log_model_append(model, subject, 16);
}

static void supersede_twice(struct log_model *model, struct log_subject *subject)
{
    log_model_append(model, subject, 16);
    log_model_truncate(model, subject, 3);
    log_model_append(model, subject, 60);
    log_model_append(model, subject, 1);
    log_model_truncate(model, subject, 4);
    log_model_append(model, subject, 5);
}

static void vote(struct log_model *model, struct log_subject *subject)
{
    log_model_vote(model, subject, 3, 0);
    log_model_vote(model, subject, 3, 2);
}

static void vote_and_append(struct log_model *model, struct log_subject *subject)
{
    log_model_vote(model, subject, 5, 0);
    log_model_append(model, subject, 16);
}

static void commit_hint(struct log_model *model, struct log_subject *subject)
{
    log_model_commit(model, subject, 2);
    log_model_commit(model, subject, 3);
}

static void supersede_and_hint(struct log_model *model, struct log_subject *subject)
{
    log_model_truncate(model, subject, 2);
    log_model_append(model, subject, 16);
    log_model_commit(model, subject, 2);
}

static const struct crash_case cases[] = {
    {"append one line to an empty log", nothing, one_line},
    {"append one line", three_records, one_line},
    {"append two lines", three_records, two_lines},
    {"append two records", three_records, two_records},
    {"append six records, three persists", three_records, many_records},
    {"append a record of 16 lines", three_records, large_record},
    {"supersede", three_records, supersede},
    {"supersede twice in one turn", three_records, supersede_twice},
    {"term, then vote", three_records, vote},
    {"first term and vote", nothing, vote},
    {"new term and its first record", three_records, vote_and_append},
    {"settled mark", two_unsettled, settle},
    {"vote, settled mark, append", two_unsettled, vote_and_settle},
    {"append, settled mark, append", two_unsettled, append_settle_append},
    {"commit hint", three_records, commit_hint},
    {"supersede and its commit hint", three_records, supersede_and_hint},
};
#define CASES (sizeof(cases) / sizeof(cases[0]))

static void wrong(struct run *run, const char *name, const char *what)
{
    run->wrong_count++;
    printf("WRONG: %s: state %" PRIu64 ": %s (note: %s)\n", name, run->state_count, what,
           run->subject.recovery.note);
}

static void survivors_draw(struct run *run, uint64_t *survivors, size_t count)
{
    static const uint32_t chances[] = {20000, 300000, 500000, 800000, 980000};
    uint32_t chance = chances[prng_range(&run->prng, 0, 4)];
    bool is_by_line = prng_chance(&run->prng, 300000);
    bool is_kept = false;

    memset(survivors, 0, (count / 64 + 1) * sizeof(*survivors));
    for (size_t i = 0; i < count; i++) {
        if (!is_by_line || i % 8 == 0)
            is_kept = prng_chance(&run->prng, chance) != 0;
        if (is_kept)
            survivors[i / 64] |= UINT64_C(1) << (i % 64);
    }
}

/* What a node does after a start: random, a few operations, some of them durable. */
static void work_on(struct run *run, struct log_model *model)
{
    struct log_subject *subject = &run->subject;
    uint64_t operations = prng_range(&run->prng, 0, 4);
    for (uint64_t i = 0; i < operations; i++) {
        const struct model_snapshot *now = log_model_current(model);
        uint64_t last_index = now->last_index;
        uint64_t choice = prng_range(&run->prng, 0, 10);
        if (choice < 5)
            log_model_append(model, subject, (uint32_t)prng_range(&run->prng, 0, 150));
        else if (choice == 5 && last_index > now->commit_index)
            log_model_truncate(model, subject,
                               prng_range(&run->prng, now->commit_index + 1, last_index));
        else if (choice == 6)
            log_model_vote(model, subject, now->term + 1, (uint16_t)prng_range(&run->prng, 0, 3));
        else if (choice == 7 && last_index > 0 && now->commit_index < last_index)
            log_model_commit(model, subject,
                             prng_range(&run->prng, now->commit_index + 1, last_index));
        else if (choice == 8)
            log_model_persist(model, subject);
        else if (choice == 9)
            log_model_settle(model, subject);
        else
            log_model_collect(model, subject);
    }
}

/* Recovers; false when that went wrong. */
static bool recover(struct run *run, struct log_model *model, const char *name)
{
    run->state_count++;
    enum error error = log_subject_open(&run->subject);
    if (error != OK) {
        wrong(run, name, error_name(error));
        return false;
    }
    const char *what = log_model_check(model, &run->subject);
    run->suspect_count += run->subject.recovery.is_suspect ? 1 : 0;
    if (what != NULL) {
        wrong(run, name, what);
        log_subject_close(&run->subject);
    }
    return what == NULL;
}

/* Power is lost while a start stores what it found again: the next start finds the same. */
static bool crash_in_recovery(struct run *run, struct medium_sim *sim, struct log_model *model)
{
    if (!prng_chance(&run->prng, 200000))
        return true;
    medium_sim_fail_sync(sim, MODEL_PATH);
    enum error error = log_subject_open(&run->subject);
    if (error == OK) {
        /* On persistent memory no sync fails: the start is complete. */
        const char *what = log_model_check(model, &run->subject);
        log_subject_close(&run->subject);
        if (what != NULL)
            wrong(run, "a start", what);
    }
    medium_sim_lose_power(sim, MODEL_PATH, 500000);
    return true;
}

static void crash_and_recover(struct run *run, const struct medium_sim *origin,
                              const struct log_model *before, const uint64_t *survivors,
                              const char *name)
{
    struct medium_sim *sim = medium_sim_clone(origin);
    struct log_model *model = malloc(sizeof(*model));
    CHECK(model != NULL);
    *model = *before;
    medium_sim_use(sim);
    medium_sim_lose_power_but(sim, MODEL_PATH, survivors);
    for (uint32_t cycle = 0; cycle < CYCLES; cycle++) {
        if (!crash_in_recovery(run, sim, model) || !recover(run, model, name))
            break;
        work_on(run, model);
        if (prng_chance(&run->prng, 200000))
            medium_sim_kill(sim, MODEL_PATH);
        else
            medium_sim_lose_power(sim, MODEL_PATH, (uint32_t)prng_range(&run->prng, 0, 1000000));
        log_subject_close(&run->subject);
    }
    free(model);
    medium_sim_destroy(sim);
}

/* Every subset of the pending words, or `sample_count` drawn ones. */
static void states_try(struct run *run, const struct medium_sim *origin,
                       const struct log_model *model, uint64_t sample_count, const char *name)
{
    uint64_t survivors[PENDING_WORDS_MAX / 64 + 1];
    size_t word_count = medium_sim_pending_count(origin, MODEL_PATH);
    CHECK(word_count <= PENDING_WORDS_MAX);
    bool is_every = word_count <= EVERY_SUBSET_WORDS_MAX;
    uint64_t rounds = is_every ? UINT64_C(1) << word_count : sample_count;
    uint64_t before_count = run->state_count;

    for (uint64_t i = 0; i < rounds; i++) {
        if (is_every)
            survivors[0] = i;
        else
            survivors_draw(run, survivors, word_count);
        crash_and_recover(run, origin, model, survivors, name);
    }
    printf("%-40s %3zu words, %s %6" PRIu64 " subsets, %7" PRIu64 " states\n", name, word_count,
           is_every ? "all" : "of which", rounds, run->state_count - before_count);
}

static void case_run(struct run *run, const struct crash_case *crash_case,
                     const struct medium_sim_options *options, uint64_t sample_count)
{
    struct medium_sim *sim = medium_sim_create(options);
    struct log_subject origin = {0};
    struct log_model *model = malloc(sizeof(*model));
    CHECK(model != NULL);
    medium_sim_use(sim);
    log_model_init(model);
    CHECK(log_subject_open(&origin) == OK);
    crash_case->before(model, &origin);
    log_model_persist(model, &origin);
    CHECK(medium_persist_wait(log_medium(origin.log)) == OK);
    log_model_collect(model, &origin);
    crash_case->under_way(model, &origin);
    log_model_collect(model, &origin);
    states_try(run, sim, model, sample_count, crash_case->name);
    log_subject_close(&origin);
    arena_deinit(&origin.arena);
    free(model);
    medium_sim_destroy(sim);
}

/* The first start: the file is there, zeroed; the header is under way. */
static void creation_run(struct run *run)
{
    struct medium_sim *sim = medium_sim_create(&medium_options[1]);
    struct log_model *model = malloc(sizeof(*model));
    struct medium *medium = NULL;
    char reason[256];
    const struct medium_options options = {
        .path = MODEL_PATH, .size_bytes = MODEL_FILE_BYTES, .is_created = true};
    CHECK(model != NULL);
    medium_sim_use(sim);
    log_model_init(model);
    CHECK(medium_open(&options, &medium, reason, sizeof(reason)) == OK);
    medium_close(medium);
    medium_sim_fail_sync(sim, MODEL_PATH);
    CHECK(log_subject_open(&run->subject) == ERR_SYNC);
    states_try(run, sim, model, 4096, "first start");
    free(model);
    medium_sim_destroy(sim);
}

/* Rot: one bit of each durable byte, one at a time. */
static void rot_try(struct run *run, const struct medium_sim *origin,
                    const struct log_model *before, size_t offset, uint32_t bit)
{
    struct medium_sim *sim = medium_sim_clone(origin);
    struct log_model *model = malloc(sizeof(*model));
    CHECK(model != NULL);
    *model = *before;
    medium_sim_use(sim);
    medium_sim_flip_bit(sim, MODEL_PATH, offset, bit);
    for (uint32_t cycle = 0; cycle < CYCLES && recover(run, model, "rot"); cycle++) {
        log_model_append(model, &run->subject, 20);
        log_model_persist(model, &run->subject);
        if (medium_persist_wait(log_medium(run->subject.log)) == OK)
            log_model_collect(model, &run->subject);
        medium_sim_lose_power(sim, MODEL_PATH, 0);
        log_subject_close(&run->subject);
    }
    free(model);
    medium_sim_destroy(sim);
}

static void rot_run(struct run *run)
{
    static const size_t spans[][2] = {{0, 64},      {2048, 2112}, {4096, 4104}, {4608, 4616},
                                      {5120, 5128}, {5632, 5640}, {8192, 9216}};
    struct medium_sim *sim = medium_sim_create(&medium_options[0]);
    struct log_subject origin = {0};
    struct log_model *model = malloc(sizeof(*model));
    uint64_t before_count = run->state_count;
    CHECK(model != NULL);
    medium_sim_use(sim);
    log_model_init(model);
    model->has_rot = true;
    CHECK(log_subject_open(&origin) == OK);
    three_records(model, &origin);
    log_model_persist(model, &origin);
    log_model_collect(model, &origin);
    supersede_twice(model, &origin);
    log_model_persist(model, &origin);
    log_model_collect(model, &origin);
    log_model_append(model, &origin, 3);
    log_model_persist(model, &origin);
    log_model_collect(model, &origin);
    for (size_t i = 0; i < sizeof(spans) / sizeof(spans[0]); i++)
        for (size_t offset = spans[i][0]; offset < spans[i][1]; offset++)
            rot_try(run, sim, model, offset, (uint32_t)(offset % 8));
    printf("%-40s %" PRIu64 " states\n", "one bit rotten", run->state_count - before_count);
    log_subject_close(&origin);
    arena_deinit(&origin.arena);
    free(model);
    medium_sim_destroy(sim);
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
    uint64_t sample_count = states_wanted / SAMPLED_STATES + 1;

    prng_init(&run.prng, seed);
    creation_run(&run);
    rot_run(&run);
    for (size_t i = 0; i < CASES; i++)
        for (size_t j = 0; j < sizeof(medium_options) / sizeof(medium_options[0]); j++)
            case_run(&run, &cases[i], &medium_options[j], sample_count);
    printf("%" PRIu64 " crash states, %" PRIu64 " wrong (%" PRIu64 " of them suspect)\n",
           run.state_count, run.wrong_count, run.suspect_count);
    arena_deinit(&run.subject.arena);
    return run.wrong_count == 0 ? 0 : 1;
}
