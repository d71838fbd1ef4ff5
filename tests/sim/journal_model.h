/*
 * What a journal must hold after a crash: every entry acknowledged as durable and not forgotten,
 * and nothing that was not appended. Beside it, the journal under test on the simulated medium.
 *
 * A model is plain data: a copy of the struct is a copy of the model.
 */
#ifndef POLLUX_TESTS_SIM_JOURNAL_MODEL_H
#define POLLUX_TESTS_SIM_JOURNAL_MODEL_H

#include "pmem/journal.h"
#include "tests/sim/medium_sim.h"

#define MODEL_SEQS_MAX     1024
#define MODEL_PAYLOAD_MAX  256
#define MODEL_BANK_BYTES   (16u * 1024)
#define MODEL_JOURNAL_PATH "/node/journal"
#define MODEL_BANK_0_PATH  MODEL_JOURNAL_PATH "-0"
#define MODEL_BANK_1_PATH  MODEL_JOURNAL_PATH "-1"

struct journal_model {
    uint64_t last_seq;         /* appended */
    uint64_t acknowledged_seq; /* called durable */
    uint64_t forgotten_seq;
    uint64_t vouched_seq; /* with has_rot: what a later record calls durable */
    bool has_rot;         /* what is not vouched for may be taken for torn */
    uint64_t now_ns;
    uint64_t next_id;
    /* Of the entry with this seq; its bytes follow from it. 0: none, or it was never acknowledged
     * and is lost. */
    uint64_t ids[MODEL_SEQS_MAX];
};

/* One process: the journal under test, opened on the current simulation. */
struct journal_subject {
    struct arena arena;
    struct journal *journal;
    struct journal_recovery recovery;
};

void journal_model_init(struct journal_model *model);
void journal_model_options(struct journal_options *ret_options);
enum error journal_subject_open(struct journal_subject *subject);
void journal_subject_close(struct journal_subject *subject);

/* Operations on both. False: refused for want of room. */
bool journal_model_append(struct journal_model *model, struct journal_subject *subject);
void journal_model_forget(struct journal_model *model, struct journal_subject *subject,
                          uint64_t seq);
void journal_model_persist(struct journal_model *model, struct journal_subject *subject);
/* Time for a sync passes; learns what is durable. */
void journal_model_wait(struct journal_model *model, struct journal_subject *subject,
                        struct medium_sim *sim);

/* Compares a journal just recovered with what the model allows, and goes on from what was found.
 * Returns NULL, or what is wrong. */
const char *journal_model_check(struct journal_model *model, struct journal_subject *subject);

#endif
