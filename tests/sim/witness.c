/* See witness.h. */
#include "tests/sim/witness.h"

#include "base/check.h"
#include "engine/engine_internal.h"

#include <stdlib.h>

#define NAMES_START 1024
#define NOTES_START 256

/* Who is told; the product has no way to say. */
static struct witness *current;

static void names_init(struct witness_names *names, uint32_t capacity)
{
    *names = (struct witness_names){.capacity = capacity};
    names->places = calloc(capacity, sizeof(*names->places));
    CHECK(names->places != NULL);
}

static struct witness_name *names_place(const struct witness_names *names, uint64_t high,
                                        uint64_t low)
{
    uint64_t at = digest_word(high, low) & (names->capacity - 1);
    while (names->places[at].op != 0 &&
           (names->places[at].high != high || names->places[at].low != low))
        at = (at + 1) & (names->capacity - 1);
    return &names->places[at];
}

static void names_set(struct witness_names *names, const struct witness_name *name)
{
    if (names->count * 2 >= names->capacity) {
        struct witness_names grown;
        names_init(&grown, 2 * names->capacity);
        grown.count = names->count;
        for (uint32_t i = 0; i < names->capacity; i++) {
            const struct witness_name *old = &names->places[i];
            if (old->op != 0)
                *names_place(&grown, old->high, old->low) = *old;
        }
        free(names->places);
        *names = grown;
    }
    struct witness_name *place = names_place(names, name->high, name->low);
    names->count += place->op == 0;
    *place = *name;
}

void witness_init(struct witness *witness)
{
    *witness = (struct witness){.note_capacity = NOTES_START};
    names_init(&witness->identities, NAMES_START);
    names_init(&witness->accepted, NAMES_START);
    witness->notes = calloc(NOTES_START, sizeof(*witness->notes));
    CHECK(witness->notes != NULL);
}

void witness_deinit(struct witness *witness)
{
    free(witness->identities.places);
    free(witness->accepted.places);
    free(witness->notes);
    if (current == witness)
        current = NULL;
}

void witness_name_op(struct witness *witness, uint64_t session, uint64_t seq, uint32_t op)
{
    names_set(&witness->identities,
              &(struct witness_name){.high = session, .low = seq, .op = op + 1});
}

void witness_begin(struct witness *witness, uint16_t node)
{
    current = witness;
    witness->node = node;
    witness->note_count = 0;
}

void witness_end(struct witness *witness)
{
    witness->node = 0;
    current = NULL;
}

static void note(struct witness *witness, const struct witness_note *noted)
{
    if (witness->note_count == witness->note_capacity) {
        witness->note_capacity *= 2;
        witness->notes = realloc(witness->notes, witness->note_capacity * sizeof(*witness->notes));
        CHECK(witness->notes != NULL);
    }
    witness->notes[witness->note_count++] = *noted;
}

void witness_tell(const struct witness *witness, struct history *history)
{
    for (uint32_t i = 0; i < witness->accepted.capacity; i++) {
        const struct witness_name *name = &witness->accepted.places[i];
        if (name->op == 0)
            continue;
        struct history_op *op = &history->ops[name->op - 1];
        if (op->place.index == 0 || op->journal_seq != 0)
            continue;
        op->node = (uint16_t)name->high;
        op->journal_seq = name->low;
    }
}

/* ---- between the parts ---- */

struct op_result __real_machine_execute(struct machine *machine, struct session **session,
                                        const struct wire_op *op, uint32_t ordinal);
struct op_result __wrap_machine_execute(struct machine *machine, struct session **session,
                                        const struct wire_op *op, uint32_t ordinal);
void __real_identity_remember(struct identity *identity, uint64_t seq, uint64_t journal_seq);
void __wrap_identity_remember(struct identity *identity, uint64_t seq, uint64_t journal_seq);

struct op_result __wrap_machine_execute(struct machine *machine, struct session **session,
                                        const struct wire_op *op, uint32_t ordinal)
{
    uint64_t session_id = *session != NULL ? (*session)->id : 0;
    struct op_result result = __real_machine_execute(machine, session, op, ordinal);
    bool is_write = op->type == WIRE_OP_SET || op->type == WIRE_OP_SWAP;
    if (current == NULL || !is_write || result.is_duplicate || result.outcome != WIRE_OUTCOME_OK)
        return result;
    const struct witness_name *name =
        machine->origin != 0 ? names_place(&current->accepted, machine->origin, op->seq)
                             : names_place(&current->identities, session_id, op->seq);
    if (name->op != 0)
        note(current, &(struct witness_note){
                          .op = name->op - 1, .within = ordinal, .index = machine->applied_index});
    return result;
}

void __wrap_identity_remember(struct identity *identity, uint64_t seq, uint64_t journal_seq)
{
    __real_identity_remember(identity, seq, journal_seq);
    if (current == NULL)
        return;
    const struct witness_name *name = names_place(&current->identities, identity->id, seq);
    if (name->op != 0)
        names_set(
            &current->accepted,
            &(struct witness_name){.high = current->node, .low = journal_seq, .op = name->op});
}
