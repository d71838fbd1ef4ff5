/*
 * What a simulated run found: the first rule that was broken, if any, and the trace hash, which is
 * equal for equal seeds because it covers everything delivered, decided and applied.
 */
#ifndef POLLUX_TESTS_SIM_VERDICT_H
#define POLLUX_TESTS_SIM_VERDICT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RULE_LIST(X)                                                                               \
    X(NONE, "no rule was broken")                                                                  \
    X(ELECTION_SAFETY, "at most one leader in a term (paper, figure 3)")                           \
    X(LEADER_APPEND_ONLY, "a leader never overwrites or deletes its own records")                  \
    X(LOG_MATCHING, "equal index and term mean equal records before them, too")                    \
    X(LEADER_COMPLETENESS, "a committed record is in the log of every later leader")               \
    X(STATE_MACHINE_SAFETY, "no two nodes apply different records at one index")                   \
    X(MONOTONE_COMMIT, "a node's commit index never falls, nor passes its log")                    \
    X(DURABILITY, "a committed record is durable on a majority")                                   \
    X(COMMIT_RULE, "a leader commits only records of its own term by counting (paper 5.4.2)")      \
    X(SENT_EARLY, "what a message vouches for is durable when it leaves")                          \
    X(ROOM, "what a leader admits fits the logs of a majority, beside the reserves")               \
    X(SHARD, "a write is in the log of its key's shard and in no other")                           \
    X(STATE_HASH, "equal applied index means equal state")                                         \
    X(LINEARIZABILITY, "consistent operations on a key fit one order")                             \
    X(EXACTLY_ONCE, "a written value takes effect once")                                           \
    X(DEFINITE_OUTCOME, "what was reported not to have happened never shows")                      \
    X(RELAXED_VALUE, "a relaxed get returns a value that was written to its key")                  \
    X(RELAXED_MONOTONE, "relaxed gets of one node do not go back in time")                         \
    X(LOG_ANSWER, "a get returns what the log says at the applied index that it names")            \
    X(REAL_TIME, "the log has each operation behind all that was over when it began")              \
    X(STALENESS, "a relaxed get is as fresh as it was asked to be")                                \
    X(READ_YOUR_WRITES, "a handle that asks for it never sees less than it has seen")              \
    X(RELAXED_APART, "a consistent get never returns a pending value")                             \
    X(RELAXED_READ_BACK, "a node's relaxed gets return what it accepted last")                     \
    X(RELAXED_VISIBLE, "a relaxed write is visible at its node until the log has decided it")      \
    X(RELAXED_DECIDED, "once healed, an acknowledged relaxed write is in the log or overruled")    \
    X(RELAXED_ORDER, "a node's relaxed writes of a key are decided as they were accepted")         \
    X(RELAXED_OVERRULED, "a later write is not overwritten by an earlier pending one")             \
    X(RELAXED_DRAINED, "a node that is removed has no relaxed write that the log lacks")           \
    X(LOGS_ONCE, "each line of a log is handed out at most once")                                  \
    X(LOGS_LEASE, "of two leases on the same lines one is confirmed at most")                      \
    X(LOGS_SUFFIX, "what is handed out is a suffix of what was given")                             \
    X(LOGS_WHOLE, "each line is handed out, but those that died with a taker")                     \
    X(ERA, "a client that has seen an era is answered by no earlier one")                          \
    X(SESSIONS, "once healed, a session of which nothing is open ends soon")                       \
    X(BACKUP, "a backup has each shard as of one record, and names what it leaves out")            \
    X(RESTORE, "a restored cluster has what the backup has, and is no cluster of before")          \
    X(RESCUE, "a rescue is refused beside a living majority, and names all that may be lost")      \
    X(PROTOCOL, "an answer to a client contradicts the wire contract")                             \
    X(SCRUB, "a node finds what rots while it runs, mends it, and tells nothing else")             \
    X(RECOVERY, "a node opens its log after a crash, or refuses for a reason")                     \
    X(LIVENESS_CALLS, "once healed, every blocked call ends")                                      \
    X(LIVENESS_CONVERGENCE, "once healed, all nodes reach one state")                              \
    X(CHECKER_GAVE_UP, "the checker decides each history within its bound")                        \
    X(BUSY_LOOP, "an idle lane asks for a later turn")                                             \
    X(TRAFFIC, "packets are bounded by time, nodes, clients and operations")                       \
    X(MESSAGE_ID, "a sender uses a message id for one message only")                               \
    X(HOSTILE, "who takes only sealed packets takes none of an attacker")                          \
    X(NONCE, "no number is sealed twice under one key")                                            \
    X(REVOKED, "what is dropped was pending, of a client that was revoked so, and is not in the "  \
               "log later")                                                                        \
    X(FORMAT, "a format is raised when every member knows it, and counts when that is committed")

enum rule {
#define X(name, text) RULE_##name,
    RULE_LIST(X)
#undef X
        RULE_COUNT
};

#define VERDICT_TEXT_SIZE_BYTES 512

struct verdict {
    enum rule rule;
    uint64_t at_ns;
    char text[VERDICT_TEXT_SIZE_BYTES];
    uint64_t trace_hash;
    uint64_t now_ns; /* kept by the world, for messages */
    bool is_verbose;
};

const char *rule_name(enum rule rule);
const char *rule_text(enum rule rule);

/* Notes a broken rule; only the first counts. */
void verdict_break(struct verdict *verdict, enum rule rule, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

bool verdict_is_broken(const struct verdict *verdict);

/* Mixes a fact into the trace hash. */
void verdict_trace(struct verdict *verdict, uint64_t fact);

/* A line of narration; printed only when verbose. */
void verdict_say(const struct verdict *verdict, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* 64-bit hash of bytes, for records and traces. */
uint64_t digest_bytes(uint64_t seed, const void *data, size_t size_bytes);
uint64_t digest_word(uint64_t seed, uint64_t word);

#endif
