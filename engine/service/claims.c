/* Claims of clients: see engine/service/claims.h. */
#include "engine/service/claims.h"

#include "engine/engine_internal.h"

static_assert(REQUEST_OPS_MAX <= 64, "the ops of a request fit a mask");

/* What was cancelled so long ago is applied, or was refused. */
#define CANCELS_RECENT_NS UINT64_C(1000000000)

/* Where the packets of a session may lie. */
struct claim_range {
    uint64_t lowest;
    uint64_t highest;
    bool is_plain; /* the seqs begin at 1: old programs, whose keep-alives have no floor */
};

static struct claim_range range_of(const struct session *session)
{
    uint64_t first = wire_first_seq(session->nonce);
    bool is_plain = first == 1;
    uint64_t reached = session->floor > first ? session->floor : first;
    if (session->seq_highest > reached)
        reached = session->seq_highest;
    uint64_t lowest = is_plain || reached - first < CLAIM_SEQS_BEHIND_MAX
                          ? first
                          : reached - CLAIM_SEQS_BEHIND_MAX;
    uint64_t ahead = is_plain ? CLAIM_PLAIN_SEQS_AHEAD_MAX : CLAIM_SEQS_AHEAD_MAX;
    return (struct claim_range){.lowest = lowest, .highest = reached + ahead, .is_plain = is_plain};
}

static bool has_seq(const struct op *op)
{
    return op_is_set_or_swap(op) || op->type == WIRE_OP_FENCE;
}

bool claims_of_session(const struct session *session, const struct request *request)
{
    struct claim_range range = range_of(session);
    bool has_seqs = false;
    for (uint16_t i = 0; i < request->op_count; i++) {
        const struct op *op = &request->ops[i];
        if (!has_seq(op))
            continue;
        has_seqs = true;
        /* A fence of what is forgotten changes nothing, and its sender is told. */
        if (op->seq > range.highest || (op->type != WIRE_OP_FENCE && op->seq < range.lowest))
            return false;
    }
    if (request->floor == 0)
        return has_seqs || range.is_plain;
    /* Who resolves a token knows no floor, and names the lowest that there can be. */
    return request->floor + SESSION_WINDOW > range.lowest && request->floor <= range.highest;
}

bool claims_packet(const struct session *session, uint64_t packet_number)
{
    uint64_t highest = session->packets.highest;
    return packet_number <= INT64_MAX &&
           (highest == 0 || packet_number <= highest + CLAIM_PACKETS_AHEAD_MAX);
}

enum wire_status claims_cancels(const struct engine *engine, const struct request *request)
{
    enum wire_status status = WIRE_STATUS_OK;
    for (uint16_t i = 0; i < request->op_count; i++) {
        const struct op *op = &request->ops[i];
        if (op->type != WIRE_OP_CANCEL)
            continue;
        if (op->tag == 0 || op->seq >= PENDING_WRITES_ABSENT)
            return WIRE_STATUS_BAD_REQUEST;
        if (engine->relaxed.is_open && op_series(op) == engine->options.series &&
            op->seq > engine->relaxed.next_seq + SKIP_AHEAD_MAX)
            status = WIRE_STATUS_PENDING;
    }
    return status;
}

/* What the session has cancelled lately, perhaps not applied yet: one count, begun anew after a
 * while. */
static void note_recent(const struct engine *engine, struct session *session, uint32_t count)
{
    if (engine->view.now_ns - session->cancels_ns > CANCELS_RECENT_NS) {
        session->cancels_ns = engine->view.now_ns;
        session->cancels_recent = 0;
    }
    session->cancels_recent += count;
}

/* The cancel at `at` would be remembered: what it is of is not decided yet. */
static bool is_to_remember(const struct engine *engine, const struct request *request, uint16_t at)
{
    const struct op *cancel = &request->ops[at];
    if (cancel->type != WIRE_OP_CANCEL)
        return false;
    uint16_t write = at; /* a request that ends with a cancel was refused */
    while (write < request->op_count - 1 && !op_is_set_or_swap(&request->ops[write]))
        write++;
    return !node_progress_is_decided(node_progress_of(&engine->machine.nodes, op_series(cancel)),
                                     cancel->seq, op_key(request, &request->ops[write]),
                                     cancel->tag);
}

bool claims_share_cancels(const struct engine *engine, struct session *session,
                          const struct request *request)
{
    uint64_t to_remember = 0;
    uint32_t count = 0;
    for (uint16_t i = 0; i < request->op_count; i++) {
        bool is_new = is_to_remember(engine, request, i);
        to_remember |= (uint64_t)is_new << i;
        count += is_new;
    }
    note_recent(engine, session, 0);
    for (uint16_t i = 0; i < request->op_count; i++) {
        if ((to_remember >> i & 1) == 0)
            continue;
        const struct node_progress *progress =
            node_progress_of(&engine->machine.nodes, op_series(&request->ops[i]));
        uint32_t own = node_progress_cancels_of(progress, session->id) + session->cancels_recent;
        if (!node_progress_has_room(progress, own + count, NODE_CANCELS_MAX))
            return false;
    }
    note_recent(engine, session, count);
    return true;
}
