/* See relaxed_check.h. Each rule quotes the sentence of the contract that it stands for. */
#include "tests/sim/relaxed_check.h"

#include "tests/sim/acceptance.h"

#define PLACE_WITHIN_BITS 20 /* of a place as one number */

/* Its node had dropped it before the get was answered: its client was revoked. */
static bool is_dropped_before(const struct history_op *write, const struct history_op *get)
{
    return write->revoked_ns != 0 && write->revoked_ns <= get->return_ns;
}

static bool is_relaxed_answer(const struct history_op *op)
{
    return op->type == HISTORY_RELAXED_GET && history_is_answered_get(op);
}

/* ---- "until another set at this server that server's relaxed gets return it" ---- */

/* Can the write be what this get saw as pending? */
static bool is_what_was_seen(const struct history_op *write, const struct history_op *get)
{
    uint64_t seen = get->outcome == HISTORY_OK ? get->seen : HISTORY_ABSENT;
    return history_is_relaxed_write(write) && write->key == get->key && write->value == seen &&
           write->invoke_ns < get->return_ns && (write->node == 0 || write->node == get->node) &&
           (write->journal_seq == 0 || write->journal_seq == get->version);
}

/* An absence does not tell its writer: that has the seq, or nobody knows its seq. */
static bool is_absence_written(const struct acceptance *acceptance, const struct history_op *get)
{
    const struct history *history = acceptance->history;
    uint32_t place = acceptance_place(acceptance, get, get->version);
    if (place < acceptance->accepted_count &&
        is_what_was_seen(&history->ops[acceptance->accepted[place].op], get))
        return true;
    for (uint32_t i = 0; i < history->count; i++) { /* rarely needed */
        if (history->ops[i].journal_seq == 0 && is_what_was_seen(&history->ops[i], get))
            return true;
    }
    return false;
}

/* A pending answer is a relaxed write of this key at this node, under the seq that it names. */
static void check_pending_writer(const struct acceptance *acceptance, uint32_t number,
                                 struct verdict *verdict)
{
    const struct history *history = acceptance->history;
    const struct history_op *get = &history->ops[number];
    bool is_written = get->outcome == HISTORY_NOT_FOUND
                          ? is_absence_written(acceptance, get)
                          : get->seen != HISTORY_ABSENT && get->seen <= history->count &&
                                is_what_was_seen(&history->ops[get->seen - 1], get);
    if (!is_written)
        verdict_break(verdict, RULE_RELAXED_READ_BACK,
                      "op %u: node %u answered key %u with a pending write under seq %llu that it "
                      "never accepted",
                      number, get->node, get->key, (unsigned long long)get->version);
}

/* The log has decided the write up to `index`, or its client overruled it. */
static bool is_settled_by(const struct acceptance *acceptance, const struct history_op *write,
                          uint64_t index)
{
    if (write->place.index != 0)
        return write->place.index <= index;
    return acceptance_is_overruled(acceptance, write, index);
}

/*
 * Every write of the key that the node accepted after the one that the get saw is gone: overruled
 * by its client, or replaced by one that is. Then an earlier one that is still on its way into the
 * log is the newest again.
 */
static bool is_newest_again(const struct acceptance *acceptance, const struct history_op *newest,
                            const struct history_op *get)
{
    uint32_t place = acceptance_place(acceptance, get, get->version + 1);
    for (; place < acceptance->accepted_count; place++) {
        const struct accepted *at = &acceptance->accepted[place];
        const struct history_op *later = &acceptance->history->ops[at->op];
        if (!acceptance_is_beside(at, get) || at->seq > newest->journal_seq)
            break;
        if (later->key == get->key && later->place.index != 0)
            return false;
    }
    return is_settled_by(acceptance, newest, get->applied_index);
}

static void check_read_back(const struct acceptance *acceptance, struct verdict *verdict)
{
    const struct history *history = acceptance->history;
    for (uint32_t i = 0; i < history->count; i++) {
        const struct history_op *get = &history->ops[i];
        if (!is_relaxed_answer(get) || !get->is_pending)
            continue;
        check_pending_writer(acceptance, i, verdict);
        const struct history_op *newest = acceptance_newest(acceptance, get);
        if (newest != NULL && newest->journal_seq > get->version &&
            !is_dropped_before(newest, get) && !is_newest_again(acceptance, newest, get))
            verdict_break(verdict, RULE_RELAXED_READ_BACK,
                          "op %u: node %u answered key %u with its pending write %llu; it had "
                          "acknowledged %llu",
                          i, get->node, get->key, (unsigned long long)get->version,
                          (unsigned long long)newest->journal_seq);
    }
}

/* ---- "a pending value does not become invisible on its server" ---- */

/* A newer write at the node, begun before the get was answered, took its place and is settled. */
static bool is_replaced_by(const struct acceptance *acceptance, const struct history_op *write,
                           const struct history_op *get)
{
    uint32_t place = acceptance_place(acceptance, write, write->journal_seq + 1);
    for (; place < acceptance->accepted_count; place++) {
        const struct accepted *at = &acceptance->accepted[place];
        const struct history_op *newer = &acceptance->history->ops[at->op];
        if (!acceptance_is_beside(at, write) || newer->invoke_ns > get->return_ns)
            return false; /* and so was every newer one accepted later */
        if (newer->key == write->key && is_settled_by(acceptance, newer, get->applied_index))
            return true;
    }
    return false;
}

static void check_visible(const struct acceptance *acceptance, struct verdict *verdict)
{
    const struct history *history = acceptance->history;
    for (uint32_t i = 0; i < history->count; i++) {
        const struct history_op *get = &history->ops[i];
        if (!is_relaxed_answer(get) || get->is_pending)
            continue;
        const struct history_op *newest = acceptance_newest(acceptance, get);
        if (newest == NULL || is_dropped_before(newest, get) ||
            is_settled_by(acceptance, newest, get->applied_index))
            continue;
        if (newest->place.index == 0 &&
            (is_replaced_by(acceptance, newest, get) ||
             acceptance_is_in_doubt(acceptance, newest, get->return_ns)))
            continue;
        verdict_break(verdict, RULE_RELAXED_VISIBLE,
                      "op %u: node %u answered key %u without its write %llu, at applied index "
                      "%llu; decided at index %llu (0: never)",
                      i, get->node, get->key, (unsigned long long)newest->journal_seq,
                      (unsigned long long)get->applied_index,
                      (unsigned long long)newest->place.index);
    }
}

/* A pending answer is not decided yet: "once there is a quorum it takes its place in the log". */
static void check_pending_ends(const struct acceptance *acceptance, struct verdict *verdict)
{
    const struct history *history = acceptance->history;
    for (uint32_t i = 0; i < history->count; i++) {
        const struct history_op *get = &history->ops[i];
        if (!is_relaxed_answer(get) || !get->is_pending || get->outcome != HISTORY_OK ||
            get->seen == HISTORY_ABSENT || get->seen > history->count)
            continue;
        const struct history_op *writer = &history->ops[get->seen - 1];
        if (writer->place.index != 0 && writer->place.index <= get->applied_index)
            verdict_break(verdict, RULE_RELAXED_VISIBLE,
                          "op %u: node %u answered key %u with a pending value at applied index "
                          "%llu; it was decided at index %llu",
                          i, get->node, get->key, (unsigned long long)get->applied_index,
                          (unsigned long long)writer->place.index);
    }
}

/* ---- "once there is a quorum it is replicated, exactly once" ---- */

static void check_decided(const struct acceptance *acceptance, struct verdict *verdict)
{
    const struct history *history = acceptance->history;
    for (uint32_t i = 0; i < history->count && history->is_settled; i++) {
        const struct history_op *op = &history->ops[i];
        if (!acceptance_is_sure(op) || op->place.index != 0 || op->revoked_ns != 0)
            continue;
        bool is_lost = acceptance_era(acceptance, op, op->invoke_ns) !=
                       acceptance_era(acceptance, op, UINT64_MAX);
        if (!is_lost && !acceptance_has_newer(acceptance, op) &&
            !acceptance_is_overruled(acceptance, op, UINT64_MAX) &&
            !acceptance_is_in_doubt(acceptance, op, UINT64_MAX))
            verdict_break(verdict, RULE_RELAXED_DECIDED,
                          "op %u (%s key %u), acknowledged by node %u under %llu, never came into "
                          "the log",
                          i, history_type_name(op->type), op->key, op->node,
                          (unsigned long long)op->journal_seq);
    }
}

/* ---- "one server's pending sets of one key commit in the order they were accepted" ---- */

/* Acknowledged before the other began: accepted before it. */
static void check_acceptance_order(const struct acceptance *acceptance, struct verdict *verdict)
{
    for (uint32_t i = 0; i < acceptance->accepted_count; i++) {
        const struct accepted *at = &acceptance->accepted[i];
        const struct history_op *op = &acceptance->history->ops[at->op];
        uint32_t era = acceptance_era(acceptance, op, op->invoke_ns);
        const struct timeline_note *before = timeline_greatest(
            &acceptance->newest, timeline_group(op->key, at->node, era), op->invoke_ns);
        if (before != NULL && before->value >= at->seq)
            verdict_break(verdict, RULE_RELAXED_ORDER,
                          "op %u (key %u) has seq %llu at node %u; op %u before it has %llu",
                          at->op, op->key, (unsigned long long)at->seq, at->node, before->op,
                          (unsigned long long)before->value);
    }
}

static uint64_t place_value(const struct history_place *place)
{
    return place->index << PLACE_WITHIN_BITS | place->within;
}

static void check_order(const struct acceptance *acceptance, struct verdict *verdict)
{
    struct timeline decided; /* by journal seq instead of time */
    timeline_init(&decided);
    for (uint32_t i = 0; i < acceptance->accepted_count; i++) {
        const struct accepted *at = &acceptance->accepted[i];
        const struct history_op *op = &acceptance->history->ops[at->op];
        if (op->place.index != 0)
            timeline_add(&decided,
                         &(struct timeline_note){timeline_group(op->key, at->node, 0), at->seq,
                                                 place_value(&op->place), at->op, 0});
    }
    timeline_seal(&decided);
    for (uint32_t i = 0; i < decided.count; i++) {
        const struct timeline_note *note = &decided.notes[i];
        const struct timeline_note *before = timeline_greatest(&decided, note->group, note->at_ns);
        if (before != NULL && before->value > note->value)
            verdict_break(verdict, RULE_RELAXED_ORDER,
                          "seq %llu (op %u) was decided before seq %llu (op %u) of the same key",
                          (unsigned long long)note->at_ns, note->op,
                          (unsigned long long)before->at_ns, before->op);
    }
    timeline_deinit(&decided);
}

/* ---- "a later write ... is never overwritten by the earlier pending one, whatever outcome the
 * earlier one had" ---- */

struct earlier {
    struct timeline by_client; /* decided relaxed writes; key, client, life */
    struct timeline by_node;   /* the same; key, node */
};

static void earlier_init(struct earlier *earlier, const struct history *history)
{
    timeline_init(&earlier->by_client);
    timeline_init(&earlier->by_node);
    for (uint32_t i = 0; i < history->count; i++) {
        const struct history_op *op = &history->ops[i];
        bool is_over = op->outcome == HISTORY_OK || op->outcome == HISTORY_UNKNOWN;
        if (!history_is_relaxed_write(op) || !is_over || op->place.index == 0)
            continue;
        struct timeline_note note = {.at_ns = op->return_ns,
                                     .value = place_value(&op->place),
                                     .op = i,
                                     .group = timeline_group(op->key, op->client, op->life)};
        timeline_add(&earlier->by_client, &note);
        if (op->outcome == HISTORY_UNKNOWN)
            continue; /* its node may have accepted it later */
        note.group = timeline_group(op->key, op->node, 0);
        timeline_add(&earlier->by_node, &note);
    }
    timeline_seal(&earlier->by_client);
    timeline_seal(&earlier->by_node);
}

/*
 * Where the log has a write, or the one that took its place: the next of its key at its node that
 * was decided. NULL: nowhere, it was overruled, or lost with its file, and none took its place.
 */
static const struct history_op *place_holder(const struct acceptance *acceptance,
                                             const struct history_op *op)
{
    if (op->place.index != 0)
        return op;
    if (!acceptance_is_sure(op) || op->revoked_ns != 0 ||
        acceptance_is_overruled(acceptance, op, UINT64_MAX))
        return NULL;
    uint32_t era = acceptance_era(acceptance, op, op->invoke_ns);
    uint32_t place = acceptance_place(acceptance, op, op->journal_seq + 1);
    for (; place < acceptance->accepted_count; place++) {
        const struct accepted *at = &acceptance->accepted[place];
        const struct history_op *newer = &acceptance->history->ops[at->op];
        if (!acceptance_is_beside(at, op) ||
            acceptance_era(acceptance, newer, newer->invoke_ns) != era)
            return NULL;
        if (newer->key == op->key && newer->place.index != 0)
            return newer;
    }
    return NULL;
}

static void check_not_overwritten(const struct history_op *op, const struct history_op *holder,
                                  const struct timeline_note *earlier, const char *by,
                                  struct verdict *verdict)
{
    if (earlier != NULL && earlier->value > place_value(&holder->place))
        verdict_break(verdict, RULE_RELAXED_OVERRULED,
                      "%s of key %u (begun at %llu, index %llu) was overwritten by the earlier op "
                      "%u of its %s (index %llu)",
                      history_type_name(op->type), op->key, (unsigned long long)op->invoke_ns,
                      (unsigned long long)holder->place.index, earlier->op, by,
                      (unsigned long long)earlier->value >> PLACE_WITHIN_BITS);
}

static void check_overruled(const struct acceptance *acceptance, struct verdict *verdict)
{
    const struct history *history = acceptance->history;
    struct earlier earlier;
    earlier_init(&earlier, history);
    for (uint32_t i = 0; i < history->count; i++) {
        const struct history_op *op = &history->ops[i];
        const struct history_op *holder = place_holder(acceptance, op);
        if (holder == NULL)
            continue;
        const struct timeline_note *own = timeline_greatest(
            &earlier.by_client, timeline_group(op->key, op->client, op->life), op->invoke_ns);
        check_not_overwritten(op, holder, own, "client", verdict);
        /* Through the same server: it appended the record, or accepted the relaxed write. */
        uint16_t server = history_is_relaxed_write(op) ? op->node : op->place.leader;
        const struct timeline_note *same =
            server == 0 ? NULL
                        : timeline_greatest(&earlier.by_node, timeline_group(op->key, server, 0),
                                            op->invoke_ns);
        check_not_overwritten(op, holder, same, "server", verdict);
    }
    timeline_deinit(&earlier.by_client);
    timeline_deinit(&earlier.by_node);
}

/*
 * What a node has dropped is in the log by then, or never. In other shards than 0 a leader may be
 * behind with the table of rights, which is in shard 0.
 */
static void check_revoked(const struct history *history, struct verdict *verdict)
{
    for (uint32_t i = 0; i < history->count; i++) {
        const struct history_op *op = &history->ops[i];
        if (op->revoked_ns != 0 && op->shard == 0 && op->place.index > op->revoked_index)
            verdict_break(verdict, RULE_REVOKED,
                          "op %u was dropped by node %u when no log went beyond %llu, and is in "
                          "the log at index %llu",
                          i, op->node, (unsigned long long)op->revoked_index,
                          (unsigned long long)op->place.index);
    }
}

/* "A relaxed answer never counts as a consistent one." */
static void check_apart(const struct history *history, struct verdict *verdict)
{
    for (uint32_t i = 0; i < history->count; i++) {
        const struct history_op *op = &history->ops[i];
        if (op->is_pending && op->type == HISTORY_GET)
            verdict_break(verdict, RULE_RELAXED_APART,
                          "op %u: a consistent get of key %u saw a pending value of node %u", i,
                          op->key, op->node);
    }
}

void relaxed_check(const struct history *history, struct verdict *verdict)
{
    struct acceptance acceptance;
    check_apart(history, verdict);
    if (!history->is_log_known)
        return;
    acceptance_init(&acceptance, history);
    check_read_back(&acceptance, verdict);
    check_visible(&acceptance, verdict);
    check_pending_ends(&acceptance, verdict);
    check_decided(&acceptance, verdict);
    check_acceptance_order(&acceptance, verdict);
    check_order(&acceptance, verdict);
    check_overruled(&acceptance, verdict);
    check_revoked(history, verdict);
    acceptance_deinit(&acceptance);
}
