/*
 * What will happen when: a heap of events in virtual time. Events of one instant keep the order in
 * which they were planned, so that a run depends on its seed alone.
 */
#ifndef POLLUX_TESTS_SIM_AGENDA_H
#define POLLUX_TESTS_SIM_AGENDA_H

#include <stdbool.h>
#include <stdint.h>

enum event_kind {
    EVENT_DELIVER, /* packet `what` reaches its host */
    EVENT_TURN,    /* node `who` runs `lane`, unless `stamp` is out of date */
    EVENT_CLIENT,  /* client `who` looks at its timers, unless `stamp` is out of date */
    EVENT_BOOT,    /* node `who` starts, unless `stamp` is out of date */
    EVENT_MEND,    /* fault number `who` begins or passes, unless `stamp` is out of date */
    EVENT_FAULT,   /* the fault driver acts */
    EVENT_RESCUE,  /* an operator acts after a disaster */
};

struct event {
    uint64_t at_ns;
    uint64_t order; /* filled by agenda_plan */
    uint64_t stamp;
    void *what;
    enum event_kind kind;
    uint32_t who;
    uint32_t lane;
};

struct agenda {
    struct event *heap;
    uint32_t count;
    uint32_t capacity;
    uint64_t planned;
};

void agenda_init(struct agenda *agenda);
void agenda_deinit(struct agenda *agenda);
void agenda_plan(struct agenda *agenda, const struct event *event);
/* The earliest event; false when nothing is planned. */
bool agenda_next(struct agenda *agenda, struct event *ret_event);

#endif
