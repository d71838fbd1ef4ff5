/*
 * Which starts of other storages this node has heard of, and what they told it since: by that a
 * storage is found out that was set back to an earlier state of its own (docs/consensus.md,
 * "Storages that are set back").
 *
 * A storage draws a number at each start of its node, the start, and keeps those that it had. Here
 * the last start of each birth is kept. A message of another start counts for nothing until the
 * storage has said that it had the start that is kept here, and the new one is durable here.
 *
 * Who is asked judges: it alone has the whole list, and its log.
 *
 * Owner: the caller, which calls this beside raft_step. Pure.
 */
#ifndef POLLUX_RAFT_PEER_STARTS_H
#define POLLUX_RAFT_PEER_STARTS_H

#include "raft/raft.h"

/* The persist that makes a start durable has not been asked for. */
#define PEER_START_UNSTAMPED UINT64_MAX

struct peer_start {
    uint64_t birth;
    uint64_t start;  /* the last one heard of */
    uint64_t ticket; /* of the persist of `start`; 0: it is durable */
    /* Of this run of the node only. */
    uint64_t told_term;  /* highest term that the storage has durably told; 0: none */
    uint64_t acked_term; /* it acknowledged, to this node as the leader of that term, */
    uint64_t acked_index;
    uint64_t asked_ns;
    bool is_denied; /* it has said that it never had `start` */
};

struct peer_starts {
    uint32_t count;
    uint32_t unwritten_count; /* with a ticket */
    struct peer_start entries[LOG_HEARD_PLACES];
};

enum peer_start_judgement {
    PEER_START_COUNTS,
    PEER_START_NEW,     /* nothing is known of this birth */
    PEER_START_OTHER,   /* another start of it is known: ask */
    PEER_START_WRITTEN, /* not durable yet */
};

/* What a node asks the storage of a birth. */
struct start_question {
    uint64_t start; /* the last that is known */
    uint64_t told_term;
    uint64_t acked_term;
    uint64_t acked_index;
};

/* What a storage was when its node started. */
struct start_own {
    uint64_t start;      /* of this start */
    uint64_t term;       /* hard state, as recovered */
    uint64_t last_index; /* as recovered */
    bool is_suspect;     /* as recovered: it may have lost what it acknowledged, and says so */
    bool had_start;      /* the start that is asked for is one of its own */
};

enum start_answer {
    START_STANDS, /* it had this start, and has what it told since */
    START_MISSING,
    START_TERM_LOWER,
    START_LOG_SHORTER,
};

/* A storage that was found to be set back, as it and who heard of it tell. */
struct start_finding {
    enum start_answer answer;
    uint16_t node; /* finding of this node's storage: who heard of it; else whose it is; 0: none */
    uint64_t birth;
    struct start_question heard;
    struct start_own own;
};

/* One that is durable already. In order; at most LOG_HEARD_PLACES (CHECK). */
void peer_starts_restore(struct peer_starts *starts, uint64_t birth, uint64_t start);

enum peer_start_judgement peer_starts_judge(const struct peer_starts *starts, uint64_t birth,
                                            uint64_t start);

/*
 * Takes the start for the last one of the birth. The caller makes it durable, and says so. Returns
 * a birth that made way, no member of `configuration`; 0: none did.
 */
uint64_t peer_starts_learn(struct peer_starts *starts, uint64_t birth, uint64_t start,
                           const struct raft_configuration *configuration);
/* What was learned since is covered by this persist; persists up to this one are done. */
void peer_starts_stamp(struct peer_starts *starts, uint64_t ticket);
void peer_starts_durable(struct peer_starts *starts, uint64_t ticket);

/* A message that counted. `is_own_term`: of an append reply, that the record which it acknowledges
 * is of its own term. An acknowledgement of older records may leave before the term is durable. */
void peer_starts_note(struct peer_starts *starts, const struct raft_message *message,
                      bool is_own_term);

/* What to ask the storage; false: it was asked less than `interval_ns` ago, or is not known. */
bool peer_starts_ask(struct peer_starts *starts, uint64_t birth, uint64_t now_ns,
                     uint64_t interval_ns, struct start_question *ret_question);

/* The judgement of who is asked about itself. */
enum start_answer start_answer_of(const struct start_question *question,
                                  const struct start_own *own);

/* It stands by the start `asked`, with the term and the log of `own`: whether that start is the one
 * known, so that another may be learned. More may have been heard of that start since it was asked;
 * false then, so that it is asked again. A suspect storage may have lost what it told. */
bool peer_starts_may_learn(struct peer_starts *starts, uint64_t birth, uint64_t asked,
                           const struct start_own *own);
/* It does not know the start `asked`, or lacks what it told in it: true the first time, with what
 * was heard of it. */
bool peer_starts_deny(struct peer_starts *starts, uint64_t birth, uint64_t asked,
                      struct start_question *ret_heard);

#endif
