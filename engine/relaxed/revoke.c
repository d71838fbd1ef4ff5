/* Pending writes of who was revoked: see engine/relaxed/revoke.h. */
#include "engine/relaxed/revoke.h"

#include "engine/engine_internal.h"

bool revoke_is_undecided(const struct engine *engine)
{
    return node_progress_own(&engine->machine.nodes)->last_seq < engine->relaxed.revoked_seq;
}

/* Numbers of what was dropped: to be decided. */
static void note_open(struct engine *engine, uint64_t first_seq, uint64_t last_seq)
{
    struct relaxed *relaxed = &engine->relaxed;
    if (!revoke_is_undecided(engine) || first_seq < relaxed->revoked_first)
        relaxed->revoked_first = first_seq;
    if (last_seq > relaxed->revoked_seq)
        relaxed->revoked_seq = last_seq;
}

/* For the simulator. */
static void name_revoked(const struct engine *engine)
{
    const struct engine_hooks *hooks = &engine->options.hooks;
    uint64_t at = 0;
    uint64_t seq = 0;
    if (hooks->revoked == NULL)
        return;
    while ((seq = pending_writes_next_revoked(&engine->relaxed.writes, &at)) != 0)
        hooks->revoked(hooks->context, &(struct engine_accepted){.series = engine->options.series,
                                                                 .journal_seq = seq});
}

void engine_revoke(struct engine *engine, struct span name, uint32_t generation_below)
{
    struct principals *principals = &engine->relaxed.writes.principals;
    uint16_t place = PRINCIPAL_NONE;
    if (!engine->relaxed.is_open)
        return;
    while ((place = principals_next_named(principals, place, name)) != PRINCIPAL_NONE) {
        if (principals->places[place].generation < generation_below &&
            principals->places[place].writes > 0)
            principals_revoke(principals, place);
    }
}

uint64_t engine_revoke_end(struct engine *engine)
{
    if (!engine->relaxed.is_open)
        return 0;
    (void)batch_leave_forwards_out(engine);
    name_revoked(engine);
    struct pending_revoked revoked = pending_writes_revoke(&engine->relaxed.writes);
    if (revoked.count == 0)
        return 0;
    engine->counters.relaxed_revoked += revoked.count;
    note_open(engine, revoked.first_seq, revoked.last_seq);
    outbound_revoked(engine); /* none may wait for a number that is decided by none */
    return revoked.count;
}

/* False: the journal has no room now. */
static bool write_note(struct engine *engine, uint16_t place)
{
    struct relaxed *relaxed = &engine->relaxed;
    struct principals *principals = &relaxed->writes.principals;
    const struct engine_journal *journal = &engine->options.journal;
    const struct wire_entry note = {.kind = WIRE_ENTRY_DROP,
                                    .name = principal_name(principals, place),
                                    .generation = principals->places[place].generation};
    uint8_t bytes[WIRE_ENTRY_HEAD_BYTES_MAX];
    uint64_t decided = node_progress_own(&engine->machine.nodes)->last_seq;
    if (relaxed->next_seq <= decided)
        relaxed->next_seq = decided + 1;
    wire_entry_head_encode(bytes, &note);
    if (journal->append(journal->context, relaxed->next_seq,
                        span_of(bytes, wire_entry_head_bytes(note.name))) != OK)
        return false;
    note_open(engine, relaxed->next_seq, relaxed->next_seq);
    relaxed->next_seq++;
    principals_pay(principals, place);
    return true;
}

void revoke_begin_turn(struct engine *engine)
{
    const struct principals *principals = &engine->relaxed.writes.principals;
    uint16_t place = principals_next_owed(principals, 1);
    while (place != PRINCIPAL_NONE && write_note(engine, place)) /* PRINCIPALS_CAPACITY */
        place = principals_next_owed(principals, place + 1u);
}

void revoke_restored(struct engine *engine, uint64_t seq, const struct wire_entry *note)
{
    struct principals *principals = &engine->relaxed.writes.principals;
    uint16_t place = principals_find(principals, note->name, note->generation);
    if (place != PRINCIPAL_NONE && principals->places[place].writes > 0) {
        principals_revoke(principals, place);
        name_revoked(engine);
        (void)pending_writes_revoke(&engine->relaxed.writes);
        principals_pay(principals, place);
    }
    note_open(engine, seq, seq);
}
