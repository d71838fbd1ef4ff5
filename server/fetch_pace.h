/*
 * When a node that copies a snapshot asks for blocks: no faster than the rate that is set, and
 * again for those that do not come.
 *
 * How long a block takes is not known: the peers may be far apart, and a block comes in many
 * packets. A question that is asked too early brings the block twice. Then the pieces of both take
 * the slots in which messages are put together (wire/reassembly.h) from each other. With too few
 * slots no block becomes whole, however often it is asked for. So the silence that is waited out is
 * doubled with each question in vain, and each block makes it shorter again. The shards of a lane
 * share the slots: they wait for different times, so that they do not all ask at one moment.
 *
 * Owner: the caller. Pure.
 */
#ifndef POLLUX_SERVER_FETCH_PACE_H
#define POLLUX_SERVER_FETCH_PACE_H

#include <stdint.h>

#define FETCH_SILENCE_NS_MIN UINT64_C(20000000)
#define FETCH_SILENCE_NS_MAX UINT64_C(500000000)

struct fetch_pace {
    uint32_t asked_count; /* blocks asked for and not here */
    uint64_t quiet_ns;    /* since then nothing was asked for, and none came */
    uint64_t silence_ns;  /* that is waited out */
    uint64_t next_ask_ns; /* the rate allows none before */
    uint32_t spread;      /* sixteenths of the silence that this shard waits longer */
};

/* Another copy begins, and nothing of it was asked for. What was learned of the peers stays; all
 * zero: nothing. */
void fetch_pace_begin(struct fetch_pace *pace, uint16_t shard);
/* `count` blocks are asked for now, and no other ones at this rate before `next_ask_ns`. */
void fetch_pace_ask(struct fetch_pace *pace, uint32_t count, uint64_t now_ns, uint64_t next_ask_ns);
/* One that was missing has come. */
void fetch_pace_block(struct fetch_pace *pace, uint64_t now_ns);
/* There was nothing to ask for, as there is no room: not before `next_ask_ns`. */
void fetch_pace_wait(struct fetch_pace *pace, uint64_t next_ask_ns);
/* When blocks are to be asked for. */
uint64_t fetch_pace_due_ns(const struct fetch_pace *pace);

#endif
