/*
 * What clients asked and were told, what the world alone knows of it, and the rules that both must
 * obey. The name of a written value is the number of its operation plus one, so every value is
 * unique and names its writer.
 *
 * The world knows where the log has each write: (index of the record, place in it). Without that
 * (`is_log_known`) only what clients saw is judged.
 *
 * Each shard has a log of its own: indexes are compared only within a shard.
 */
#ifndef POLLUX_TESTS_SIM_HISTORY_H
#define POLLUX_TESTS_SIM_HISTORY_H

#include "tests/sim/tally.h"
#include "tests/sim/verdict.h"

#include <stdio.h>

#define HISTORY_KEYS_MAX    64
#define HISTORY_ABSENT      0
#define HISTORY_UNSEEN      UINT64_MAX /* a mismatch whose stored value was not told */
#define HISTORY_STEPS_MAX   3000000
#define HISTORY_ERA_UNCLEAR 2 /* either era may have answered */

enum history_type {
    HISTORY_GET,
    HISTORY_RELAXED_GET,
    HISTORY_SET,
    HISTORY_SWAP,
    HISTORY_DEL,
    HISTORY_RELAXED_SET,
    HISTORY_RELAXED_DEL,
};

enum history_outcome {
    HISTORY_PENDING,
    HISTORY_OK,
    HISTORY_MISMATCH,
    HISTORY_NOT_FOUND,
    HISTORY_TIMEOUT, /* definite: it did not happen and never will */
    HISTORY_REFUSED, /* as definite, for another reason */
    HISTORY_UNKNOWN,
    HISTORY_TOO_STALE, /* a relaxed get that the node could not promise to be fresh enough */
};

/* Where the log has a write, once it has taken effect. */
struct history_place {
    uint64_t index;  /* of the record; 0: nowhere */
    uint32_t within; /* of the operations of the record, from 0 */
    uint16_t leader; /* the node that appended the record, as leader of its term; 0: not known */
    uint32_t era;    /* 0 before a rescue, 1 after it */
};

/* What the log of one era has of a write. */
struct history_decision {
    struct history_place place;
    uint64_t decided_ns;
    uint64_t decided_again_index; /* another record in which it took effect; 0: none */
};

struct history_op {
    enum history_type type;
    enum history_outcome outcome;
    bool is_blocking;
    uint32_t process;
    uint32_t client; /* the handle, */
    uint32_t life;   /* and how often it was opened anew because its process had died */
    uint32_t key;
    uint32_t shard; /* of the key: indexes, versions and journal seqs are of its own log */
    uint64_t value; /* set, swap: the new one */
    uint64_t old;   /* swap: the expected one */
    uint64_t seen;  /* get: the answer; mismatch: what was stored */
    uint64_t invoke_ns;
    uint64_t return_ns;
    uint64_t version; /* of the value seen or written, as the answer says; 0: it does not */
    /* Who answered; of a relaxed write whose outcome is unknown: where it was sent. 0: nobody. */
    uint16_t node;
    uint64_t incarnation; /* gets: of that node; 0: not known */
    uint64_t applied_index;
    bool is_pending; /* gets: the answer is a pending value of the node, or a pending absence */
    bool reads_own;  /* relaxed gets: of a handle with read_your_writes */
    uint64_t contact_age_ns;
    uint64_t min_index;   /* relaxed gets: what the call asked for; 0: any */
    uint64_t max_age_ns;  /* relaxed gets: what the call or its handle asked for; 0: any */
    uint64_t wait_ns;     /* that the call may take, and then the search for its outcome; 0: any */
    uint64_t journal_seq; /* relaxed writes: accepted under it; 0: not known */
    bool is_of_few;       /* of a client whose rights are taken away in some runs */
    uint32_t era; /* that its client had seen when it ended: 0 before a rescue, 1 after it; or: */

    /* Of the world: its node has dropped it, because its client was revoked; then, and when the
     * log of the shard went no further than that. 0: it has not. */
    uint64_t revoked_ns;
    uint64_t revoked_index;

    /* Of the world: see history_decided. */
    struct history_place place;
    uint64_t decided_ns;
    uint64_t decided_again_index;   /* another record in which it took effect; 0: none */
    struct history_decision before; /* after a rescue: the same in the era before */
};

/* From then on a node may miss what it had accepted before in a shard and that shard's log had not
 * decided. */
struct history_loss {
    uint16_t node;
    uint32_t shard;
    uint64_t at_ns;
};

/* A life of a node that tells clients of which cluster and era it is, from a moment on. */
struct history_naming {
    uint32_t shard;
    uint64_t incarnation;
    uint64_t at_ns;
};

/* After a rescue: the log of a shard goes on in another era. */
#define HISTORY_SHARDS_MAX 4
struct history_rescue {
    uint64_t at_ns;                             /* 0: there was none */
    uint64_t kept_index[HISTORY_SHARDS_MAX];    /* by shard: what was committed up to here stays */
    uint64_t *incarnations[HISTORY_SHARDS_MAX]; /* by shard: of nodes of the new era */
    uint32_t incarnation_count[HISTORY_SHARDS_MAX];
    struct history_naming *namings;
    uint32_t naming_count;
};

struct history {
    struct history_op *ops;
    uint32_t count;
    uint32_t capacity;
    struct history_loss *losses;
    uint32_t loss_count;
    uint32_t loss_capacity;
    struct history_rescue rescue;
    bool is_log_known; /* the world tells history_decided of every write */
    bool is_settled;   /* all healed, all nodes equal, nothing more to come: set at the end */
    /* What a relaxed get may be older than its age of contact: how long a leader goes on without a
     * quorum, how long packets travel, how far clocks differ. UINT64_MAX: no telling. */
    uint64_t staleness_slack_ns;
};

void history_init(struct history *history);
void history_deinit(struct history *history);

/* Notes that an operation began; fills value names and the time. Returns its number. */
uint32_t history_invoke(struct history *history, const struct history_op *op, uint64_t now_ns);

/*
 * Notes that the record at `place` executed this write: not where it was a duplicate, fenced or
 * cancelled, and of a swap only where the expected value was stored. To be told when any node
 * applies, first or later; a second place is noted as such. The log names the node and the journal
 * seq of a relaxed write: they are to be filled in where its client was not told them.
 */
void history_decided(struct history *history, uint32_t number, const struct history_place *place,
                     uint64_t now_ns);

/*
 * Notes that the relaxed journal of a node's shard began anew, or with less than it had: told when
 * the node starts with it, and for a node that is out for the rest of the run when it goes.
 */
void history_lose(struct history *history, const struct history_loss *loss);

/* After a rescue the era before and the new one are judged each by itself: history_eras.c. What
 * lies behind the kept index may be lost, and may take effect again. To be told of all shards at
 * once, and then of each life of a node in the new era. */
void history_rescued(struct history *history, const uint64_t *kept_index, uint64_t now_ns);
void history_set_era(struct history *history, uint32_t shard, uint64_t incarnation, uint32_t era);
/* Since a rescue: a life tells its era of a shard, and its cluster. No client knows them before. */
void history_name(struct history *history, const struct history_naming *naming);

/* What was restored of a shard's key: the value of this name, under a version of the new log. */
struct history_restored {
    uint64_t value; /* HISTORY_ABSENT: nothing */
    uint64_t version;
};

/* A new cluster was restored from a backup: the history begins anew, with these values by key. All
 * operations of the old cluster are over: whatever of them shows that is none of these values is
 * wrong. */
void history_restore(struct history *history, const struct history_restored *restored,
                     uint64_t now_ns);

/* The history as the era before a rescue saw it, or the one after it. history_deinit_view. */
void history_view(const struct history *history, uint32_t era, struct history *ret_view);
void history_deinit_view(struct history *view);
/* "A client that has seen an era keeps to it". */
void history_check_eras(const struct history *history, struct verdict *verdict);

static inline struct history_decision history_decision_of(const struct history_op *op)
{
    return (struct history_decision){op->place, op->decided_ns, op->decided_again_index};
}

static inline void history_set_decision(struct history_op *op,
                                        const struct history_decision *decision)
{
    op->place = decision->place;
    op->decided_ns = decision->decided_ns;
    op->decided_again_index = decision->decided_again_index;
}

/* Judges the whole history; the first broken rule goes to the verdict. */
void history_check(const struct history *history, struct verdict *verdict, struct tally *tally);

/* Writes it as JSON lines in the order of time: invoke, then ok, fail or info. */
void history_write(const struct history *history, FILE *file);

bool history_is_get(const struct history_op *op);
bool history_is_relaxed_write(const struct history_op *op);
/* A get that ended with a value or with its absence. */
bool history_is_answered_get(const struct history_op *op);

const char *history_type_name(enum history_type type);
const char *history_outcome_name(enum history_outcome outcome);

#endif
