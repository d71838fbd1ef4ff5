/*
 * Crash states of the journal, as crash_states.c has them for the log: for each operation, and for
 * each phase of a move between the banks, what a power loss in the middle of it may leave on the
 * two files. Each state is recovered and held against the model; then the journal works on, loses
 * power again, and again.
 *
 *   journal_states [--states N] [--seed N]     prints a line for each operation and the total
 */
#include "base/check.h"
#include "base/le.h"
#include "base/prng.h"
#include "tests/sim/journal_model.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define EVERY_SUBSET_WORDS_MAX 11u
#define STATES_DEFAULT         150000u
#define CYCLES                 4u
#define MOVE_PHASES            12u
/* Cases whose subsets are too many to try all, with all cycles: about as many as there are. */
#define SAMPLED_STATES    (20u * CYCLES)
#define PENDING_WORDS_MAX 8192u

static const struct medium_sim_options medium_options[] = {
    {.seed = 1, .granularity = MEDIUM_CACHE_LINE},
    {.seed = 1, .granularity = MEDIUM_PAGE, .sync_delay_min_ns = 100, .sync_delay_max_ns = 100},
};
#define MEDIA (sizeof(medium_options) / sizeof(medium_options[0]))

struct run {
    struct prng prng;
    uint64_t state_count;
    uint64_t wrong_count;
    struct journal_subject subject;
};

/* What is done before, durably, and what is under way when power is lost. */
struct crash_case {
    const char *name;
    uint32_t turns_after_move; /* with is_move: durable turns since */
    bool is_move;
    uint32_t appends;
    bool is_persisted; /* asked for, not waited for */
    bool is_forgetting;
};

static void wrong(struct run *run, const char *name, const char *what)
{
    run->wrong_count++;
    printf("WRONG: %s: state %" PRIu64 ": %s (note: %s)\n", name, run->state_count, what,
           run->subject.recovery.note);
}

static void turn(struct journal_model *model, struct journal_subject *subject,
                 struct medium_sim *sim)
{
    journal_model_persist(model, subject);
    journal_model_wait(model, subject, sim);
    journal_model_wait(model, subject, sim);
}

/* Random, as a lane would: most turns end with a persist. */
static void work_on(struct run *run, struct journal_model *model, struct medium_sim *sim)
{
    struct journal_subject *subject = &run->subject;
    uint64_t operations = prng_range(&run->prng, 0, 40);
    for (uint64_t i = 0; i < operations; i++) {
        uint64_t choice = prng_range(&run->prng, 0, 9);
        if (model->last_seq + 2 >= MODEL_SEQS_MAX)
            return;
        if (choice < 5)
            (void)journal_model_append(model, subject);
        else if (choice < 7 && model->last_seq > model->forgotten_seq)
            journal_model_forget(model, subject,
                                 prng_range(&run->prng, model->forgotten_seq + 1, model->last_seq));
        else if (choice < 9)
            journal_model_persist(model, subject);
        else
            journal_model_wait(model, subject, sim);
    }
}

static bool recover(struct run *run, struct journal_model *model, const char *name)
{
    run->state_count++;
    enum error error = journal_subject_open(&run->subject);
    if (error != OK) {
        wrong(run, name, error_name(error));
        return false;
    }
    const char *what = journal_model_check(model, &run->subject);
    if (what != NULL) {
        wrong(run, name, what);
        journal_subject_close(&run->subject);
    }
    return what == NULL;
}

static void lose_again(struct run *run, struct medium_sim *sim)
{
    bool is_kill = prng_chance(&run->prng, 300000);
    uint32_t chance = (uint32_t)prng_range(&run->prng, 0, 1000000);
    if (is_kill) {
        medium_sim_kill(sim, MODEL_BANK_0_PATH);
        medium_sim_kill(sim, MODEL_BANK_1_PATH);
        return;
    }
    medium_sim_lose_power(sim, MODEL_BANK_0_PATH, chance);
    medium_sim_lose_power(sim, MODEL_BANK_1_PATH, chance);
}

static void cycles_run(struct run *run, struct medium_sim *sim, struct journal_model *model,
                       const char *name)
{
    for (uint32_t cycle = 0; cycle < CYCLES; cycle++) {
        if (!recover(run, model, name))
            return;
        work_on(run, model, sim);
        lose_again(run, sim);
        journal_subject_close(&run->subject);
    }
}

static void survivors_draw(struct run *run, uint64_t *survivors, size_t count)
{
    static const uint32_t chances[] = {20000, 300000, 500000, 800000, 980000};
    uint32_t chance = chances[prng_range(&run->prng, 0, 4)];
    memset(survivors, 0, (count / 64 + 1) * sizeof(*survivors));
    for (size_t i = 0; i < count; i++)
        if (prng_chance(&run->prng, chance))
            survivors[i / 64] |= UINT64_C(1) << (i % 64);
}

/* Every subset of the pending words of both banks, or `sample_count` drawn ones. */
static void states_try(struct run *run, const struct medium_sim *origin,
                       const struct journal_model *before, uint64_t sample_count, const char *name)
{
    static uint64_t survivors[2][PENDING_WORDS_MAX / 64 + 1];
    size_t counts[2] = {medium_sim_pending_count(origin, MODEL_BANK_0_PATH),
                        medium_sim_pending_count(origin, MODEL_BANK_1_PATH)};
    CHECK(counts[0] <= PENDING_WORDS_MAX && counts[1] <= PENDING_WORDS_MAX);
    bool is_every = counts[0] + counts[1] <= EVERY_SUBSET_WORDS_MAX;
    uint64_t rounds = is_every ? UINT64_C(1) << (counts[0] + counts[1]) : sample_count;
    uint64_t before_count = run->state_count;

    for (uint64_t i = 0; i < rounds; i++) {
        struct medium_sim *sim = medium_sim_clone(origin);
        struct journal_model model = *before;
        medium_sim_use(sim);
        if (is_every) {
            survivors[0][0] = i & ((UINT64_C(1) << counts[0]) - 1);
            survivors[1][0] = i >> counts[0];
        } else {
            survivors_draw(run, survivors[0], counts[0]);
            survivors_draw(run, survivors[1], counts[1]);
        }
        medium_sim_lose_power_but(sim, MODEL_BANK_0_PATH, survivors[0]);
        medium_sim_lose_power_but(sim, MODEL_BANK_1_PATH, survivors[1]);
        cycles_run(run, sim, &model, name);
        medium_sim_destroy(sim);
    }
    printf("%-36s %3zu + %3zu words, %s %5" PRIu64 " subsets, %6" PRIu64 " states\n", name,
           counts[0], counts[1], is_every ? "all" : "of which", rounds,
           run->state_count - before_count);
}

/* Fills the first bank but for one entry, three of them live. */
static void fill(struct journal_model *model, struct journal_subject *subject,
                 struct medium_sim *sim)
{
    while (journal_room_bytes(subject->journal) >=
           2 * journal_entry_room_bytes(MODEL_PAYLOAD_MAX)) {
        CHECK(journal_model_append(model, subject));
        turn(model, subject, sim);
    }
    journal_model_forget(model, subject, model->last_seq - 3);
}

/* Appends until the bank in use is another: its pending words are where the move goes. */
static void move(struct journal_model *model, struct journal_subject *subject,
                 const struct medium_sim *sim)
{
    while (medium_sim_pending_count(sim, MODEL_BANK_1_PATH) == 0)
        CHECK(journal_model_append(model, subject));
}

static void case_run(struct run *run, const struct crash_case *crash_case,
                     const struct medium_sim_options *options, uint64_t sample_count)
{
    struct medium_sim *sim = medium_sim_create(options);
    struct journal_subject origin = {0};
    struct journal_model model;
    medium_sim_use(sim);
    journal_model_init(&model);
    CHECK(journal_subject_open(&origin) == OK);
    if (crash_case->is_move) {
        fill(&model, &origin, sim);
        move(&model, &origin, sim);
        for (uint32_t i = 0; i < crash_case->turns_after_move; i++)
            turn(&model, &origin, sim);
    }
    for (uint32_t i = 0; i < crash_case->appends; i++)
        CHECK(journal_model_append(&model, &origin));
    if (crash_case->is_forgetting)
        journal_model_forget(&model, &origin, model.last_seq - 1);
    if (crash_case->is_persisted)
        journal_model_persist(&model, &origin);
    states_try(run, sim, &model, sample_count, crash_case->name);
    journal_subject_close(&origin);
    arena_deinit(&origin.arena);
    medium_sim_destroy(sim);
}

/* The first records of all: the start that writes them is cut short. */
static void creation_run(struct run *run, uint64_t sample_count)
{
    struct medium_sim *sim = medium_sim_create(&medium_options[1]);
    struct journal_options journal_options;
    struct journal_model model;
    struct arena arena;
    struct log *log = NULL;
    struct log_recovery recovery;
    uint8_t payload[24] = {0};
    struct log_record record = {
        .index = 1, .term = 1, .kind = 1, .payload = span_of(payload, sizeof(payload))};
    medium_sim_use(sim);
    journal_model_init(&model);
    journal_model_options(&journal_options);
    const char *const paths[] = {MODEL_BANK_1_PATH, MODEL_BANK_0_PATH};
    for (size_t i = 0; i < 2; i++) {
        const struct log_options options = {.path = paths[i],
                                            .size_bytes = MODEL_BANK_BYTES,
                                            .is_created = true,
                                            .identity = journal_options.identity};
        CHECK(arena_init(&arena, log_arena_bytes(MODEL_BANK_BYTES)) == OK);
        CHECK(log_open(&options, &arena, &log, &recovery) == OK);
        if (i == 0) {
            log_close(log);
            arena_deinit(&arena);
        }
    }
    le64_store(payload, 1); /* OPEN of generation 1 */
    CHECK(log_append(log, &record) == OK);
    le64_store(payload, 0);
    record = (struct log_record){.index = 2, .term = 1, .kind = 2, .payload = span_of(payload, 8)};
    CHECK(log_append(log, &record) == OK);
    states_try(run, sim, &model, sample_count, "first start");
    log_close(log);
    arena_deinit(&arena);
    medium_sim_destroy(sim);
}

/* One bit of every byte, one at a time. */
static void rot_run(struct run *run)
{
    static const char *const paths[] = {MODEL_BANK_0_PATH, MODEL_BANK_1_PATH};
    static const size_t spans[][2] = {{0, 64}, {2048, 2112}, {8192, MODEL_BANK_BYTES}};
    struct medium_sim *origin = medium_sim_create(&medium_options[0]);
    struct journal_subject subject = {0};
    struct journal_model before;
    uint64_t before_count = run->state_count;
    medium_sim_use(origin);
    journal_model_init(&before);
    before.has_rot = true;
    CHECK(journal_subject_open(&subject) == OK);
    fill(&before, &subject, origin);
    move(&before, &subject, origin);
    turn(&before, &subject, origin);
    before.vouched_seq = before.acknowledged_seq;
    for (uint32_t i = 0; i < 2; i++) {
        CHECK(journal_model_append(&before, &subject));
        turn(&before, &subject, origin);
    }
    for (size_t i = 0; i < 6; i++) {
        size_t from = spans[i / 2][0];
        for (size_t offset = from; offset < spans[i / 2][1]; offset++) {
            struct medium_sim *sim = medium_sim_clone(origin);
            struct journal_model model = before;
            medium_sim_use(sim);
            medium_sim_flip_bit(sim, paths[i % 2], offset, (uint32_t)(offset % 8));
            cycles_run(run, sim, &model, "rot");
            medium_sim_destroy(sim);
        }
    }
    printf("%-36s %" PRIu64 " states\n", "one bit rotten", run->state_count - before_count);
    journal_subject_close(&subject);
    arena_deinit(&subject.arena);
    medium_sim_destroy(origin);
}

static void cases_run(struct run *run, uint64_t sample_count)
{
    static const struct crash_case cases[] = {
        {.name = "append to an empty journal", .appends = 1},
        {.name = "append three, persist", .appends = 3, .is_persisted = true},
        {.name = "append, forget, persist",
         .appends = 4,
         .is_forgetting = true,
         .is_persisted = true},
        {.name = "move", .is_move = true},
        {.name = "move, forget, persist",
         .is_move = true,
         .is_forgetting = true,
         .is_persisted = true},
    };
    for (size_t medium = 0; medium < MEDIA; medium++)
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
            case_run(run, &cases[i], &medium_options[medium], sample_count);
    for (size_t medium = 0; medium < MEDIA; medium++)
        for (uint32_t turns = 1; turns < MOVE_PHASES; turns++) {
            char name[64];
            snprintf(name, sizeof(name), "move, %u turns, append, persist", turns);
            const struct crash_case phase = {.name = name,
                                             .is_move = true,
                                             .turns_after_move = turns,
                                             .appends = 1,
                                             .is_persisted = true};
            case_run(run, &phase, &medium_options[medium], sample_count);
        }
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
    creation_run(&run, sample_count);
    rot_run(&run);
    cases_run(&run, sample_count);
    printf("%" PRIu64 " crash states, %" PRIu64 " wrong\n", run.state_count, run.wrong_count);
    arena_deinit(&run.subject.arena);
    return run.wrong_count == 0 ? 0 : 1;
}
