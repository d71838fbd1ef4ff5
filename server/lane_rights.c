/* See lane_rights.h. */
#include "server/lane_rights.h"

size_t lane_rights_arena_bytes(void)
{
    return VALUE_SIZE_BYTES_MAX + 64;
}

void lane_rights_init(struct lane_rights *rights, struct arena *arena)
{
    *rights = (struct lane_rights){.bytes = arena_take(arena, VALUE_SIZE_BYTES_MAX, 64)};
}

static void note(struct lane_rights *rights, enum rights_state state)
{
    if (rights->state != state || state == RIGHTS_IN_FORCE)
        rights->number++;
    rights->state = state;
}

void lane_rights_follow(struct lane_rights *rights, const struct engine *engine)
{
    size_t size_bytes;
    if (rights->bytes == NULL || engine == NULL)
        return;
    const struct engine_rights now = engine_rights(engine);
    if (!now.is_known)
        return;
    /* A table is never deleted: what this process knows holds. */
    if (now.version == 0 && rights->state == RIGHTS_UNKNOWN && now.is_settled)
        note(rights, RIGHTS_ABSENT);
    if (now.version == 0 || now.version == rights->version) {
        rights->fresh_ns = now.fresh_ns;
        return;
    }
    if (engine_read_rights(engine, rights->bytes, &size_bytes, &rights->version) != OK)
        return;
    rights->fresh_ns = now.fresh_ns;
    bool is_table = rights_table_decode(span_of(rights->bytes, size_bytes), &rights->table) == OK;
    rights->drops = is_table ? rights->table.drops : 0;
    rights->state = RIGHTS_UNKNOWN; /* the bytes are others now: whatever borrows from them ends */
    note(rights, is_table ? RIGHTS_IN_FORCE : RIGHTS_BROKEN);
}

bool lane_rights_of(const struct lane_rights *rights, const struct rights_asker *asker,
                    struct rights *ret_rights)
{
    struct rights_principal principal;
    struct rights found = {.name = asker->name,
                           .generation = asker->is_keyless ? 0 : asker->generation};
    if (rights->state == RIGHTS_UNKNOWN)
        return false;
    if (rights->state == RIGHTS_ABSENT)
        found.is_free = true;
    else if (rights->state == RIGHTS_IN_FORCE &&
             rights_table_find(&rights->table, asker->name, &principal) &&
             (asker->is_keyless || asker->generation >= principal.generation)) {
        found.lines = principal.lines;
        if (asker->is_keyless)
            found.generation = principal.generation;
    }
    *ret_rights = found;
    return true;
}
