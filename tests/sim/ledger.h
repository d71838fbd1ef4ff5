/*
 * What all nodes together have ever written and committed: records by (index, term), the committed
 * record of each index, the leader of each term, the state after each index. The rules of Raft are
 * statements about this ledger. It forgets nothing until the run ends.
 */
#ifndef POLLUX_TESTS_SIM_LEDGER_H
#define POLLUX_TESTS_SIM_LEDGER_H

#include <stdbool.h>
#include <stdint.h>

struct ledger_record {
    uint64_t index; /* 0: free */
    uint64_t term;
    uint64_t digest;
    uint64_t previous_term;
};

struct ledger_commit {
    uint64_t term; /* 0: not committed as far as anybody knows */
    uint64_t digest;
    uint64_t in_term; /* of the node that knew first */
};

struct ledger {
    struct ledger_record *records; /* open addressing */
    uint64_t records_capacity;
    uint64_t records_count;
    uint64_t base; /* indexes begin behind it: its log was restored as of that record */
    struct ledger_commit *commits; /* by index */
    uint64_t commits_capacity;
    uint64_t commit_highest;
    uint32_t *leaders; /* by term; node number + 1, 0: none yet */
    uint64_t leaders_capacity;
    uint64_t *votes; /* by term and node; birth of the candidate's storage, 0: none */
    uint64_t votes_capacity;
    uint64_t *states; /* by index; 0: not known */
    uint64_t states_capacity;
};

void ledger_init(struct ledger *ledger);
void ledger_deinit(struct ledger *ledger);

/* Enters a record; returns the one that was there under (index, term), which may differ. */
const struct ledger_record *ledger_record(struct ledger *ledger,
                                          const struct ledger_record *record);
/* Records and leaders are void; commits and states stay. */
void ledger_forget_uncommitted(struct ledger *ledger);

/* What is committed up to `index`, and the states up to there, in another, empty ledger. */
void ledger_keep(struct ledger *ledger, uint64_t index, struct ledger *ret_kept);

/* Each returns a place that is zero until something is stored there. No index is below the base
 * (CHECK). */
struct ledger_commit *ledger_commit(struct ledger *ledger, uint64_t index);
uint32_t *ledger_leader(struct ledger *ledger, uint64_t term);
uint64_t *ledger_vote(struct ledger *ledger, uint64_t term, uint32_t node);
uint64_t *ledger_state(struct ledger *ledger, uint64_t index);

#endif
