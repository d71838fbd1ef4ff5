/*
 * How far the relaxed writes of each series are decided, as far as the files of one node know: from
 * its newest snapshot, and from the committed records behind that. An entry of the journal with a
 * higher number may still be pending. The rules are those of the machine
 * (engine/state/node_progress.h); which series are open is not looked at.
 *
 * Owner: one thread.
 */
#ifndef POLLUX_TOOLS_DUMP_DECIDED_H
#define POLLUX_TOOLS_DUMP_DECIDED_H

#include "base/span.h"

/* More than a shard remembers. */
#define DECIDED_SERIES_MAX 128u

struct decided {
    uint64_t series[DECIDED_SERIES_MAX];
    uint64_t last_seq[DECIDED_SERIES_MAX];
    uint32_t count;
};

/* Everything up to `seq` is decided. */
void decided_note(struct decided *decided, uint64_t series, uint64_t seq);
/* 0: nothing is known of the series. */
uint64_t decided_seq(const struct decided *decided, uint64_t series);
/* What a committed batch decides. */
void decided_take_batch(struct decided *decided, struct span payload);

#endif
