/*
 * The faults of a switch: for each directed pair of ports what may happen to a frame, and the draw
 * that decides it. Port 0 is the uplink. Equal seeds and equal frames give equal decisions.
 *
 * Pure: no clock, no I/O. Owner: one thread.
 */
#ifndef POLLUX_TOOLS_SWITCH_FAULT_H
#define POLLUX_TOOLS_SWITCH_FAULT_H

#include "base/limits.h"
#include "base/prng.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SWITCH_CLIENT_PORTS_MAX 7
#define SWITCH_PORTS_MAX        (1 + NODES_MAX + SWITCH_CLIENT_PORTS_MAX)
#define FAULT_PPM_MAX           1000000
#define FAULT_DELAY_NS_MAX      (10ULL * 1000 * 1000 * 1000)

static_assert(SWITCH_PORTS_MAX < 32, "sets of ports are 32-bit masks");

/* What a directed pair of ports suffers; zero-filled is a perfect wire. */
struct fault_link {
    uint32_t loss_ppm;
    uint32_t duplicate_ppm;
    uint32_t corrupt_ppm;
    uint32_t reorder_ppm;
    uint64_t reorder_ns; /* how long a reordered frame is held back */
    uint64_t delay_ns;
    uint64_t jitter_ns; /* uniform in 0 to this, added to the delay; may reorder */
    bool is_cut;
};

struct fault_table {
    struct fault_link links[SWITCH_PORTS_MAX][SWITCH_PORTS_MAX]; /* [from][to] */
    bool is_faulty[SWITCH_PORTS_MAX][SWITCH_PORTS_MAX];          /* the link is not perfect */
    uint32_t port_count;
    uint32_t paused_mask;
    struct prng prng;
};

/* What happens to one frame. */
struct fault_verdict {
    bool is_cut;
    bool is_lost;
    bool is_duplicated;
    bool is_reordered;
    bool is_corrupted;
    uint32_t corrupt_offset; /* of the byte to change, below the frame's size */
    uint8_t corrupt_mask;    /* XORed into it; never 0 */
    uint64_t delay_ns;       /* 0: at once */
    uint64_t duplicate_delay_ns;
};

void fault_init(struct fault_table *table, uint32_t port_count, uint64_t seed);

static inline bool fault_is_clean(const struct fault_table *table, uint32_t from, uint32_t to)
{
    return !table->is_faulty[from][to];
}

/* Draws the fate of a frame of `size_bytes` (> 0) from port `from` to port `to`. */
struct fault_verdict fault_decide(struct fault_table *table, uint32_t from, uint32_t to,
                                  uint32_t size_bytes);

/* Which of the link's fields fault_set copies. */
enum fault_kind {
    FAULT_LOSS,
    FAULT_DUPLICATE,
    FAULT_CORRUPT,
    FAULT_REORDER,
    FAULT_DELAY,
    FAULT_CUT,
};

/* Sets one kind of fault, as `value` has it, on each pair of different ports of the two sets. */
void fault_set(struct fault_table *table, enum fault_kind kind, uint32_t from_mask,
               uint32_t to_mask, const struct fault_link *value);

/* Replaces all cuts: ports of different groups are cut both ways; a port in no group reaches
 * all. */
void fault_partition(struct fault_table *table, const uint32_t *group_masks, uint32_t group_count);

/* Makes the pairs of the two sets perfect again. */
void fault_heal(struct fault_table *table, uint32_t from_mask, uint32_t to_mask);

/* A line for each link that is not perfect ("1 2 loss_ppm 1000 ..."); returns the bytes written. */
size_t fault_describe(const struct fault_table *table, char *to, size_t capacity_bytes);

#endif
