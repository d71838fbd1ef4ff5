/* See drain_check.h. */
#include "tests/sim/drain_check.h"

#include "engine/engine_internal.h"

uint64_t drain_configuration_index(const struct engine *engine)
{
    return engine->machine.configuration.index;
}

/* The highest number that the node has given and that is not decided there; 0: there is none. */
static uint64_t last_pending(const struct engine *engine)
{
    const struct pending_writes *writes = &engine->relaxed.writes;
    for (uint64_t at = writes->tail; engine->relaxed.is_open && at > writes->head; at--) {
        const struct pending_write *write = pending_writes_at(writes, at - 1);
        if (write->entry != NULL)
            return write->seq;
    }
    return 0;
}

bool drain_is_kept(const struct engine *applied, const struct engine *other, uint64_t *ret_seq)
{
    const struct node_progress *progress =
        node_progress_of(&applied->machine.nodes, other->options.series);
    bool is_closed = progress->series != 0 && progress->node != 0 && !progress->is_open;
    *ret_seq = last_pending(other);
    return !is_closed || *ret_seq <= progress->last_seq;
}
