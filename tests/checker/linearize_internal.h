/* The search's data, for linearize.c, which prepares a history, and linearize_search.c. */
#ifndef POLLUX_TESTS_CHECKER_LINEARIZE_INTERNAL_H
#define POLLUX_TESTS_CHECKER_LINEARIZE_INTERNAL_H

#include "tests/checker/linearize.h"

/* An event of the history: the call or the return of `op`. Events form a doubly linked list. */
struct lin_event {
    uint64_t at_ns;
    uint32_t op;
    bool is_return;
    uint32_t next;
    uint32_t previous;
    uint32_t partner; /* call: its return */
};

struct lin_hash {
    uint64_t low;
    uint64_t high;
};

enum lin_frame_kind {
    FRAME_CHOICE,
    FRAME_RIDER,  /* a set that nobody sees, before the choice above it */
    FRAME_READER, /* came at once when the state fitted, without an alternative */
};

struct lin_frame {
    uint32_t call;
    uint64_t state_before;
    enum lin_frame_kind kind;
};

struct lin_search {
    struct lin_op *ops; /* kept ones, with settled outcomes and return times */
    uint32_t *given_index;
    uint32_t *rank; /* by when it has to be placed: earlier is tried first */
    bool *is_optional;
    uint32_t *observed_writer; /* whose value this one proves; LIN_NO_OP: none or not known */
    uint32_t *observers_left;  /* mandatory ones that are not placed, by writer */
    uint32_t *observers_all;   /* of both kinds */
    uint32_t count;
    bool is_unique; /* every present value has one writer */
    bool is_lazy;   /* sets whose value nobody sees are placed only where it costs nothing */
    uint32_t mandatory_left;
    struct lin_event *events; /* [0] is the head; twice `count` follow */
    struct lin_frame *stack;
    uint32_t depth;
    struct lin_hash set; /* of the operations placed so far */
    struct lin_hash *visited;
    uint64_t visited_capacity;
    uint64_t visited_count;
    uint64_t state;
    uint64_t steps;
};

/* Searches for an order; everything above is filled. Fills the report. */
void lin_search_run(struct lin_search *search, uint64_t steps_max, struct lin_report *ret_report);

/* A read, or a swap that changed nothing. */
bool lin_is_reader(const struct lin_op *op);

#endif
