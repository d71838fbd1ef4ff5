/* Journal seqs that are not given: see engine/relaxed/skip.h. */
#include "engine/engine_internal.h"

void skip_init(struct skip *skip)
{
    *skip = (struct skip){.room = SKIP_ROOM_MAX};
}

/* What may be skipped now. */
static uint64_t skip_room(const struct engine *engine, struct skip *skip)
{
    uint64_t more = (engine->view.now_ns - skip->counted_ns) / SKIP_NUMBER_NS;
    skip->counted_ns += more * SKIP_NUMBER_NS;
    skip->room = more > SKIP_ROOM_MAX - skip->room ? SKIP_ROOM_MAX : skip->room + more;
    uint64_t skipped_end = engine->options.journal_first_seq + SKIPPED_MAX;
    if (engine->relaxed.next_seq >= skipped_end)
        return 0;
    uint64_t left = skipped_end - engine->relaxed.next_seq;
    return skip->room < left ? skip->room : left;
}

/* Gives no number up to this one, or as few of them as can be. False: some are left. */
static bool skip_up_to(struct engine *engine, uint64_t seq)
{
    struct relaxed *relaxed = &engine->relaxed;
    if (seq < relaxed->next_seq)
        return true;
    uint64_t wanted = seq + 1 - relaxed->next_seq;
    uint64_t room = skip_room(engine, &relaxed->skip);
    uint64_t count = wanted < room ? wanted : room;
    relaxed->skip.room -= count;
    relaxed->next_seq += count;
    engine->counters.relaxed_skipped += count;
    return count == wanted;
}

/* True when a cancel is in force of what the set would be accepted as. That is so only where it was
 * sent before the cancel, by the same client, and too many numbers were skipped lately. */
static bool is_cancelled_already(const struct engine *engine, const struct request *request)
{
    const struct node_progress *own = node_progress_own(&engine->machine.nodes);
    for (uint16_t i = 0; i < request->op_count; i++) {
        const struct op *op = &request->ops[i];
        if (op->type == WIRE_OP_SET &&
            node_progress_is_decided(own, engine->relaxed.next_seq, op_key(request, op),
                                     wire_tag(request->session)))
            return true;
    }
    return false;
}

enum wire_status skip_to_range(struct engine *engine, const struct request *request,
                               uint32_t op_count)
{
    struct relaxed *relaxed = &engine->relaxed;
    uint64_t floor = request->floor;
    skip_cancelled(engine);
    if (floor != 0 && relaxed->next_seq + op_count - 1 > floor + WIRE_RELAXED_SPAN)
        return WIRE_STATUS_PASSED;
    if (floor > relaxed->next_seq + SKIP_AHEAD_MAX || (floor != 0 && !skip_up_to(engine, floor)))
        return WIRE_STATUS_PENDING;
    return is_cancelled_already(engine, request) ? WIRE_STATUS_PENDING : WIRE_STATUS_OK;
}

enum wire_status skip_past_range(struct engine *engine, uint64_t floor)
{
    bool is_possible = floor != 0 && floor <= engine->relaxed.next_seq + SKIP_AHEAD_MAX;
    bool is_past = is_possible && skip_up_to(engine, floor + WIRE_RELAXED_SPAN);
    return is_past ? WIRE_STATUS_PASSED : WIRE_STATUS_UNKNOWN;
}

void skip_cancelled(struct engine *engine)
{
    const struct node_progress *own = node_progress_own(&engine->machine.nodes);
    if (!engine->relaxed.is_open || own->cancel_count == 0)
        return;
    (void)skip_up_to(engine,
                     node_progress_cancel_up_to(own, engine->relaxed.next_seq + SKIP_AHEAD_MAX));
}
