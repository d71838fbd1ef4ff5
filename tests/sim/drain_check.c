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

/* As far as the configuration applied there goes. In whose place another storage of its node is
 * taken in counts as lost, and is not asked. */
static bool has_member(const struct engine *applied, uint16_t node)
{
    struct raft_configuration now;
    const struct machine_configuration *bytes = &applied->machine.configuration;
    return raft_configuration_decode(bytes->bytes, bytes->size_bytes, &now) == OK &&
           raft_configuration_node(&now, node) != NULL;
}

bool drain_is_kept(const struct engine *applied, const struct engine *other, uint64_t *ret_seq)
{
    const struct node_progress *progress =
        node_progress_of(&applied->machine.nodes, other->options.series);
    bool is_closed = progress->series != 0 && progress->node != 0 && !progress->is_open &&
                     !has_member(applied, progress->node);
    *ret_seq = last_pending(other);
    return !is_closed || *ret_seq <= progress->last_seq;
}
