/* Key, value, submission and end of one operation. */
#include "bench/load_slot.h"

#include "base/le.h"
#include "bench/load_worker.h"

#include <string.h>

/* The bookkeeping of the slot's key; NULL: the load is not checked. */
static struct load_check *slot_check(const struct load_slot *slot)
{
    struct load_check *checks = slot->worker->checks;
    return checks == NULL ? NULL : &checks[slot->key_number];
}

/* What the next swap has to expect. */
static void swap_learn(struct load_slot *slot, const struct plx_response *response)
{
    uint32_t value_size = slot->worker->options->value_size;
    if (response->outcome == PLX_OK) {
        memcpy(slot->old_value, slot->value, value_size);
        slot->old_size_bytes = value_size;
    } else if (response->outcome == PLX_MISMATCH && response->has_value &&
               response->value.size_bytes <= value_size) {
        memcpy(slot->old_value, response->value.data, response->value.size_bytes);
        slot->old_size_bytes = response->value.size_bytes;
    } else if (response->outcome == PLX_MISMATCH) {
        slot->old_size_bytes = 0;
    }
}

/* Each client has its own keys, so that of each key the order of the writes is known. False: none
 * is left, or none is free. */
static bool key_choose_own(struct load_slot *slot)
{
    struct load_worker *worker = slot->worker;
    const struct load_options *options = worker->options;
    uint32_t share = options->keys / options->clients;
    uint64_t first = worker->first_client + slot->client;
    if (options->is_distinct) {
        if (worker->keys_used[slot->client] == share) {
            return false;
        }
        slot->key_number = first + (uint64_t)worker->keys_used[slot->client]++ * options->clients;
        return true;
    }
    uint64_t at = key_chooser_next(&worker->chooser, &worker->prng, share);
    for (uint32_t i = 0; i < share; i++) {
        slot->key_number = first + (at + i) % share * options->clients;
        if (worker->checks == NULL || load_check_is_free(slot_check(slot))) {
            return true;
        }
    }
    return false;
}

static void key_choose_any(struct load_slot *slot)
{
    struct load_worker *worker = slot->worker;
    uint64_t count = worker->options->keys;
    /* The popular keys of zipf stay the same while others are inserted. */
    if (worker->growth != NULL && worker->chooser.distribution != KEYS_ZIPF) {
        count = key_growth_count(worker->growth);
    }
    slot->key_number = key_chooser_next(&worker->chooser, &worker->prng, count);
}

/* False: there is no key for the operation now. */
static bool key_choose(struct load_slot *slot)
{
    struct load_worker *worker = slot->worker;
    switch (slot->op) {
    case LOAD_RELAXED_SET:
        return key_choose_own(slot);
    case LOAD_SET:
    case LOAD_RMW:
        if (worker->checks != NULL) {
            return key_choose_own(slot);
        }
        break;
    case LOAD_INSERT:
        return key_growth_begin(worker->growth, &slot->key_number);
    case LOAD_SWAP:
    case LOAD_FILL:
        return true; /* the slot's own key; the key that the fill has come to */
    case LOAD_GET:
    case LOAD_RELAXED_GET:
    case LOAD_OP_COUNT:
        break;
    }
    key_choose_any(slot);
    return true;
}

static bool slot_writes(const struct load_slot *slot)
{
    return slot->op != LOAD_GET && slot->op != LOAD_RELAXED_GET;
}

static void value_choose(struct load_slot *slot)
{
    const struct load_worker *worker = slot->worker;
    uint8_t number[8];
    uint32_t size = worker->options->value_size;
    slot->value_number = ++slot->worker->number;
    if (worker->checks != NULL || worker->history != NULL ||
        op_mix_has(&worker->options->mix, LOAD_RELAXED_SET)) {
        load_record_value(slot->value_number, slot->value);
        return;
    }
    le64_store(number, slot->value_number);
    memcpy(slot->value, number, size < sizeof(number) ? size : sizeof(number));
}

static void slot_done(void *context, const struct plx_response *response);

/* Notes in the history that the slot's operation begins. */
static void history_begin(struct load_slot *slot, const struct plx_op *op)
{
    const struct load_worker *worker = slot->worker;
    uint32_t number = worker->first_client * worker->options->outstanding;
    number += (uint32_t)(slot - worker->slots);
    struct load_history_op asked = {
        .key = (uint32_t)slot->key_number, .process = number, .kind = LOAD_HISTORY_SET};
    if (op->type == PLX_OP_GET) {
        asked.kind = op->call.is_relaxed ? LOAD_HISTORY_RELAXED_GET : LOAD_HISTORY_GET;
    } else {
        asked.value = slot->value_number;
    }
    if (op->type == PLX_OP_SWAP) {
        asked.kind = LOAD_HISTORY_SWAP;
        asked.key = LOAD_HISTORY_SWAPS + number;
        if (slot->old_size_bytes > 0) {
            (void)load_record_number(slot->old_value, slot->old_size_bytes, &asked.old);
        }
    }
    asked.invoke_ns = load_clock_ns();
    slot->history_number = load_history_begin(worker->history, &asked);
}

static void history_end(struct load_slot *slot, uint64_t now_ns,
                        const struct plx_response *response)
{
    if (slot->worker->history != NULL) {
        load_history_end(slot->worker->history, slot->history_number, now_ns, response);
    }
}

/* Hands the slot's operation to the library. */
static enum plx_outcome slot_send(struct load_slot *slot)
{
    struct load_worker *worker = slot->worker;
    struct plx_op op = {.type = PLX_OP_SET, .done = slot_done, .context = slot};
    bool is_read = !slot_writes(slot) || (slot->op == LOAD_RMW && !slot->is_modifying);
    op.key = (struct plx_bytes){slot->key, slot->key_size_bytes};
    if (is_read) {
        op.type = PLX_OP_GET;
        op.call.is_relaxed = slot->op == LOAD_RELAXED_GET ||
                             (slot->op == LOAD_RMW && worker->options->is_relaxed_reads);
    } else {
        op.value = (struct plx_bytes){slot->value, worker->options->value_size};
        op.call.is_relaxed = slot->op == LOAD_RELAXED_SET;
    }
    if (slot->op == LOAD_SWAP) {
        op.type = PLX_OP_SWAP;
        op.key = (struct plx_bytes){slot->swap_key, slot->swap_key_size_bytes};
        op.old_value = slot->old_size_bytes == 0
                           ? PLX_ABSENT
                           : (struct plx_bytes){slot->old_value, slot->old_size_bytes};
    }
    if (worker->history != NULL) {
        history_begin(slot, &op);
    }
    enum plx_outcome outcome = plx_submit(worker->clients[slot->client], &op);
    if (outcome != PLX_OK) {
        history_end(slot, load_clock_ns(), &(struct plx_response){.outcome = outcome});
    } else {
        slot->is_in_flight = true;
        load_worker_touch(worker, slot->client);
    }
    return outcome;
}

/* Takes back what the choice of the key has noted. */
static void slot_withdraw(struct load_slot *slot)
{
    if (slot->op == LOAD_INSERT) {
        key_growth_end(slot->worker->growth, slot->key_number);
    }
    if (slot_writes(slot) && slot_check(slot) != NULL) {
        load_check_cancel(slot_check(slot));
    }
}

/* Begins the operation of the slot's phase, op and, except in the measured phase, key. */
static bool slot_begin(struct load_slot *slot, uint64_t due_ns)
{
    struct load_worker *worker = slot->worker;
    slot->phase = worker->phase;
    slot->is_modifying = false;
    slot->is_doubtful = false;
    slot->due_ns = due_ns;
    if (slot->phase == PHASE_MEASURE && !key_choose(slot)) {
        return false;
    }
    if (slot->op != LOAD_SWAP) {
        int size = load_record_key(worker->options->prefix, slot->key_number, slot->key,
                                   sizeof(slot->key));
        slot->key_size_bytes = (size_t)size;
    }
    if (slot_writes(slot)) {
        value_choose(slot);
    }
    if (slot_writes(slot) && slot_check(slot) != NULL) {
        load_check_begin(slot_check(slot), slot->value_number);
    }
    enum plx_outcome outcome = slot_send(slot);
    if (outcome != PLX_OK) {
        slot_withdraw(slot);
        worker->result.outcomes[outcome] += load_result_is_measured(&worker->result, due_ns);
        return false;
    }
    if (slot->phase != PHASE_CHECK) {
        load_result_offer(&worker->result, due_ns);
        worker->pulse.offered++;
    }
    return true;
}

bool load_slot_submit(struct load_slot *slot, uint64_t due_ns)
{
    slot->op = op_mix_next(&slot->worker->options->mix, &slot->worker->prng);
    return slot_begin(slot, due_ns);
}

/* The next key of the fill. */
static bool fill_continue(struct load_slot *slot, uint64_t now_ns)
{
    struct load_worker *worker = slot->worker;
    if (worker->key_next == worker->key_end) {
        return false;
    }
    slot->op = LOAD_FILL;
    slot->key_number = worker->key_next;
    if (!slot_begin(slot, now_ns)) {
        return false;
    }
    worker->key_next++;
    return true;
}

/* The next key of which something is known to be stored. */
static bool check_continue(struct load_slot *slot, uint64_t now_ns)
{
    struct load_worker *worker = slot->worker;
    while (worker->key_next < worker->key_end) {
        const struct load_check *check = &worker->checks[worker->key_next];
        if (load_check_is_due(check)) {
            slot->op = LOAD_GET;
            slot->key_number = worker->key_next;
            if (!slot_begin(slot, now_ns)) {
                return false;
            }
            worker->reading_count++;
            worker->key_next++;
            worker->result.verdict.checked++;
            worker->result.verdict.open += check->open != 0;
            return true;
        }
        worker->result.verdict.open += check->open != 0;
        worker->key_next++;
    }
    return false;
}

void load_slot_continue(struct load_slot *slot, uint64_t now_ns)
{
    struct load_worker *worker = slot->worker;
    bool is_begun = false;
    switch (worker->phase) {
    case PHASE_FILL:
        is_begun = fill_continue(slot, now_ns);
        break;
    case PHASE_MEASURE:
        is_begun = !worker->is_open_loop && now_ns < worker->result.end_ns &&
                   load_slot_submit(slot, now_ns);
        break;
    case PHASE_CHECK:
        is_begun = check_continue(slot, now_ns);
        break;
    }
    if (!is_begun) {
        load_worker_rest(worker, slot);
    }
}

/* Judges what was read back. A relaxed write may still be on its way into the log, and a node may
 * be out of reach: the key is read again for some time. True: it is. */
static bool check_done(struct load_slot *slot, uint64_t now_ns, const struct plx_response *response)
{
    struct load_worker *worker = slot->worker;
    struct load_verdict *verdict = &worker->result.verdict;
    enum load_finding finding =
        load_check_judge(slot_check(slot), worker->options->value_size, response);
    bool is_relaxed = op_mix_has(&worker->options->mix, LOAD_RELAXED_SET);
    bool may_change = finding == CHECK_UNREAD || (finding == CHECK_LOST && is_relaxed);
    if (may_change && now_ns < worker->reread_until_ns && slot_send(slot) == PLX_OK) {
        return true;
    }
    worker->reading_count--;
    verdict->lost += finding == CHECK_LOST;
    verdict->unread += finding == CHECK_UNREAD;
    return false;
}

/* Counts the end of a fill's set; true: the set was made again. */
static bool fill_done(struct load_slot *slot, uint64_t now_ns, const struct plx_response *response)
{
    struct load_worker *worker = slot->worker;
    if (response->outcome != PLX_OK) {
        slot->is_doubtful = slot->is_doubtful || response->outcome == PLX_UNKNOWN;
        if (worker->history != NULL) {
            value_choose(slot); /* a value names one operation */
        }
        if (slot_send(slot) == PLX_OK) {
            return true; /* the same key and, without a history, the same value */
        }
        worker->missing_count++;
        return false;
    }
    worker->stored_ns = now_ns;
    if (slot_check(slot) != NULL) {
        load_check_end(slot_check(slot), PLX_OK);
        if (slot->is_doubtful) {
            load_check_retire(slot_check(slot));
        }
    }
    return false;
}

/* Notes the end of an operation of the measured load; true: its second half has begun. */
static bool measure_done(struct load_slot *slot, const struct plx_response *response)
{
    struct load_worker *worker = slot->worker;
    if (slot->op == LOAD_RMW && !slot->is_modifying) {
        if (response->outcome == PLX_OK || response->outcome == PLX_NOT_FOUND) {
            slot->is_modifying = true;
            if (slot_send(slot) == PLX_OK) {
                return true;
            }
        }
        slot_withdraw(slot); /* nothing was written */
        return false;
    }
    if (slot->op == LOAD_SWAP) {
        swap_learn(slot, response);
    }
    if (slot->op == LOAD_INSERT) {
        key_growth_end(worker->growth, slot->key_number);
    }
    if (slot_writes(slot) && slot_check(slot) != NULL) {
        load_check_end(slot_check(slot), response->outcome);
    }
    if (worker->records != NULL) {
        load_record_note(&worker->records[slot->key_number], slot->value_number, response);
    }
    return false;
}

static void slot_count(struct load_slot *slot, uint64_t now_ns, const struct plx_response *response)
{
    struct load_worker *worker = slot->worker;
    bool is_new = slot->key_number >= worker->options->keys;
    if (is_new && slot->op == LOAD_RELAXED_GET && response->outcome == PLX_NOT_FOUND) {
        load_result_end_missed(&worker->result, slot->due_ns, now_ns);
        load_worker_pulse(worker, slot->due_ns, now_ns, PLX_OK);
        return;
    }
    load_result_end(&worker->result, slot->op, slot->due_ns, now_ns, response);
    load_worker_pulse(worker, slot->due_ns, now_ns, response->outcome);
}

static void slot_done(void *context, const struct plx_response *response)
{
    struct load_slot *slot = context;
    struct load_worker *worker = slot->worker;
    uint64_t now_ns = load_clock_ns();
    bool is_going_on = false;
    slot->is_in_flight = false;
    history_end(slot, now_ns, response);
    if (slot->phase != worker->phase) {
        load_slot_continue(slot, now_ns); /* an answer nobody waited for any more */
        return;
    }
    switch (slot->phase) {
    case PHASE_FILL:
        is_going_on = fill_done(slot, now_ns, response);
        break;
    case PHASE_MEASURE:
        is_going_on = measure_done(slot, response);
        break;
    case PHASE_CHECK:
        is_going_on = check_done(slot, now_ns, response);
        break;
    }
    if (slot->phase != PHASE_CHECK && (!is_going_on || !slot->is_modifying)) {
        slot_count(slot, now_ns, response);
    }
    if (!is_going_on) {
        load_slot_continue(slot, now_ns);
    }
}
