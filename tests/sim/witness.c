/* See witness.h. */
#include "tests/sim/witness.h"

#include "base/check.h"

#include <stdlib.h>

#define NAMES_START 1024
#define NOTES_START 256

static void names_init(struct witness_names *names, uint32_t capacity)
{
    *names = (struct witness_names){.capacity = capacity};
    names->places = calloc(capacity, sizeof(*names->places));
    CHECK(names->places != NULL);
}

static bool is_named(const struct witness_name *place, const struct witness_name *name)
{
    return place->high == name->high && place->low == name->low && place->shard == name->shard;
}

/* The place of the name, free (op 0) where nobody has it. */
static struct witness_name *names_place(const struct witness_names *names,
                                        const struct witness_name *name)
{
    uint64_t at = digest_word(digest_word(name->high, name->low), name->shard);
    at &= names->capacity - 1;
    while (names->places[at].op != 0 && !is_named(&names->places[at], name))
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
                *names_place(&grown, old) = *old;
        }
        free(names->places);
        *names = grown;
    }
    struct witness_name *place = names_place(names, name);
    names->count += place->op == 0;
    *place = *name;
}

void witness_init(struct witness *witness)
{
    *witness = (struct witness){.note_capacity = NOTES_START};
    for (uint32_t i = 0; i < SIM_SHARDS_MAX; i++)
        witness->ears[i] = (struct witness_ear){witness, i};
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
}

void witness_name_op(struct witness *witness, const struct witness_name *name)
{
    struct witness_name placed = *name;
    placed.op++;
    names_set(&witness->identities, &placed);
}

void witness_begin(struct witness *witness, uint16_t node)
{
    witness->node = node;
    witness->note_count = 0;
}

void witness_end(struct witness *witness)
{
    witness->node = 0;
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

/* ---- hooks ---- */

uint64_t witness_number(struct witness *witness, uint64_t series, uint64_t seq)
{
    uint32_t place = 0;
    CHECK(seq >> WITNESS_SEQ_BITS == 0);
    if (series == 0)
        return seq;
    while (place < witness->series_count && witness->series[place] != series)
        place++;
    CHECK(place < WITNESS_SERIES_MAX);
    witness->series[place] = series;
    witness->series_count += place == witness->series_count;
    return (uint64_t)(place + 1) << WITNESS_SEQ_BITS | seq;
}

/* Of the era of the node whose turn it is, else of the other one. */
static const struct witness_name *identity_place(const struct witness *witness,
                                                 struct witness_name wanted)
{
    uint32_t shard = wanted.shard;
    bool is_new = (witness->new_nodes[shard] >> (witness->node - 1) & 1) != 0;
    wanted.shard = is_new ? shard | WITNESS_NEW_ERA : shard;
    const struct witness_name *name = names_place(&witness->identities, &wanted);
    if (name->op != 0)
        return name;
    wanted.shard = is_new ? shard : shard | WITNESS_NEW_ERA;
    return names_place(&witness->identities, &wanted);
}

static void take_wrote(void *context, const struct engine_wrote *wrote)
{
    const struct witness_ear *ear = context;
    struct witness *witness = ear->witness;
    if (witness->node == 0)
        return;
    bool is_forwarded = wrote->origin != 0;
    struct witness_name wanted = {
        .shard = ear->shard,
        .high = is_forwarded ? wrote->origin : wrote->session,
        .low = is_forwarded ? witness_number(witness, wrote->series, wrote->seq) : wrote->seq};
    const struct witness_name *name =
        is_forwarded ? names_place(&witness->accepted, &wanted) : identity_place(witness, wanted);
    if (name->op != 0)
        note(witness, &(struct witness_note){.op = name->op - 1,
                                             .shard = ear->shard,
                                             .within = wrote->ordinal,
                                             .index = wrote->index,
                                             .is_void = name->is_void});
}

static bool is_set_back(const struct witness *witness, uint64_t series)
{
    for (uint32_t i = 0; i < witness->set_back_count; i++) {
        if (witness->set_back[i] == series)
            return true;
    }
    return false;
}

void witness_set_back(struct witness *witness, uint64_t birth)
{
    uint64_t series = wire_series(birth);
    if (is_set_back(witness, series))
        return;
    CHECK(witness->set_back_count < WITNESS_SET_BACK_MAX);
    witness->set_back[witness->set_back_count++] = series;
}

/* Whether a storage that was set back gives a write the number of another one, which may have
 * taken effect and keeps the name. */
static bool is_repeated(const struct witness *witness, const struct witness_name *accepted,
                        uint64_t series)
{
    const struct witness_name *before = names_place(&witness->accepted, accepted);
    return before->op != 0 && before->op != accepted->op && is_set_back(witness, series);
}

/* What a storage finds in its journal was accepted before it was set back. */
static bool is_accepted_void(const struct witness *witness, const struct witness_name *accepted,
                             uint64_t series)
{
    const struct witness_name *before = names_place(&witness->accepted, accepted);
    if (before->op != 0)
        return before->is_void;
    return is_set_back(witness, series);
}

static void take_accepted(void *context, const struct engine_accepted *accepted)
{
    const struct witness_ear *ear = context;
    struct witness *witness = ear->witness;
    if (witness->node == 0)
        return;
    uint64_t number = witness_number(witness, accepted->series, accepted->journal_seq);
    struct witness_name wanted = {
        .shard = ear->shard, .high = accepted->session, .low = accepted->seq};
    const struct witness_name *name = identity_place(witness, wanted);
    if (name->op == 0)
        return;
    struct witness_name taken = {
        .shard = ear->shard, .high = witness->node, .low = number, .op = name->op};
    if (is_repeated(witness, &taken, accepted->series))
        return;
    taken.is_void = is_accepted_void(witness, &taken, accepted->series);
    names_set(&witness->accepted, &taken);
}

static void take_revoked(void *context, const struct engine_accepted *revoked)
{
    const struct witness_ear *ear = context;
    struct witness *witness = ear->witness;
    if (witness->node == 0)
        return;
    struct witness_name wanted = {
        .shard = ear->shard,
        .high = witness->node,
        .low = witness_number(witness, revoked->series, revoked->journal_seq)};
    const struct witness_name *name = names_place(&witness->accepted, &wanted);
    if (name->op != 0)
        note(witness,
             &(struct witness_note){.op = name->op - 1, .shard = ear->shard, .is_revoked = true});
}

struct engine_hooks witness_hooks(struct witness *witness, uint32_t shard)
{
    return (struct engine_hooks){.wrote = take_wrote,
                                 .accepted = take_accepted,
                                 .revoked = take_revoked,
                                 .context = &witness->ears[shard]};
}
