/*
 * What a log must hold after a crash: every state it went through since the last one acknowledged
 * as durable, and the hard states of that time. Beside it, the log under test on the simulated
 * medium.
 *
 * A model is plain data: a copy of the struct is a copy of the model.
 */
#ifndef POLLUX_TESTS_SIM_LOG_MODEL_H
#define POLLUX_TESTS_SIM_LOG_MODEL_H

#include "base/prng.h"
#include "pmem/log.h"
#include "tests/sim/medium_sim.h"

#define MODEL_RECORDS_MAX   64
#define MODEL_SNAPSHOTS_MAX 48
#define MODEL_PAYLOAD_MAX   1024
#define MODEL_FILE_BYTES    (32u * 1024)
#define MODEL_PATH          "/node/log"

struct model_record {
    uint64_t id; /* unique; the payload's bytes follow from it */
    uint64_t term;
    uint32_t size_bytes;
};

/* The log, hard state and known commit index after one operation. */
struct model_snapshot {
    uint64_t last_index;
    uint64_t written_last_index; /* as its last append left it: a truncation alone writes nothing */
    uint64_t ticket;             /* of the persist that covered it; 0: none yet */
    uint64_t term;
    uint64_t commit_index;
    uint64_t vote;
    bool is_settled; /* nothing may be lost, or a quorum has settled it since */
    struct model_record records[MODEL_RECORDS_MAX];
};

struct log_model {
    uint32_t snapshot_count;
    uint32_t durable; /* the snapshot last acknowledged; older ones are kept only with has_rot */
    uint64_t next_id;
    uint64_t lost_last_index; /* rot took acknowledged records up to here; 0: none */
    bool has_rot;             /* set at the start: an older state may come back, if suspect */
    struct model_snapshot snapshots[MODEL_SNAPSHOTS_MAX];
};

/* One process: the log under test, opened on the current simulation. */
struct log_subject {
    struct arena arena;
    struct log *log;
    struct log_recovery recovery;
};

void log_model_init(struct log_model *model);
const struct model_snapshot *log_model_current(const struct log_model *model);

enum error log_subject_open(struct log_subject *subject);
void log_subject_close(struct log_subject *subject);

/* Operations on both. */
void log_model_append(struct log_model *model, struct log_subject *subject, uint32_t size_bytes);
void log_model_truncate(struct log_model *model, struct log_subject *subject, uint64_t index);
void log_model_vote(struct log_model *model, struct log_subject *subject, uint64_t term,
                    uint64_t vote);
/* Commit index up to `index`, written as the hint, too. */
void log_model_commit(struct log_model *model, struct log_subject *subject, uint64_t index);
/* An empty log: it may have lost everything. Records that follow are marked so on the medium. */
void log_model_suspect(struct log_model *model, struct log_subject *subject);
/* A quorum has settled the log. */
void log_model_settle(struct log_model *model, struct log_subject *subject);
/* Asks for a persist; log_model_collect learns what is durable by now. */
void log_model_persist(struct log_model *model, struct log_subject *subject);
void log_model_collect(struct log_model *model, struct log_subject *subject);

/*
 * Compares a log just recovered with what the model allows, and goes on from the state found.
 * Returns NULL, or what is wrong.
 */
const char *log_model_check(struct log_model *model, struct log_subject *subject);

#endif
