/* Room for the state of a snapshot: see engine/state/install.h. */
#include "engine/state/install.h"

#include "base/check.h"
#include "engine/state/machine.h"

size_t install_arena_bytes(uint32_t sessions_max)
{
    return sessions_max * sizeof(struct install_window) + 64;
}

void install_init(struct install *install, struct arena *arena, uint32_t sessions_max)
{
    *install = (struct install){
        .windows = arena_take(arena, sessions_max * sizeof(struct install_window), 64),
        .windows_max = sessions_max};
}

/* Takes the entries of a line out of the index. */
static void clear_line(struct machine *machine)
{
    for (uint32_t i = 0; i < INDEX_PLACES_PER_LINE; i++) {
        struct store_entry *entry = index_entry_at(&machine->index, machine->install.place++);
        if (entry == NULL)
            continue;
        machine->keys--;
        machine->blocks -= store_entry_blocks(store_entry_key_size(entry), entry->value_size_bytes);
        index_remove(&machine->index, entry);
        store_retire(&machine->store, entry);
    }
}

/* A session of which no packet was seen here has nothing to keep. So is each of a snapshot that
 * could not be read to its end. */
static void clear_session(struct machine *machine, struct session *session)
{
    struct install *install = &machine->install;
    if (session->packets.highest != 0) {
        CHECK(install->window_count < install->windows_max);
        install->windows[install->window_count++] =
            (struct install_window){.session = session->id, .packets = session->packets};
    }
    sessions_close(&machine->sessions, session);
}

bool install_clear_step(struct machine *machine, uint32_t visits_max)
{
    struct install *install = &machine->install;
    struct sessions *sessions = &machine->sessions;
    CHECK(!snapshot_is_running(machine));
    for (uint32_t i = 0; i < visits_max; i++) {
        if (install->place < index_place_end(&machine->index))
            clear_line(machine);
        else if (sessions->count > 0)
            clear_session(machine, sessions_any(sessions));
        else
            break;
    }
    if (install->place < index_place_end(&machine->index) || sessions->count > 0)
        return true;
    CHECK(machine->keys == 0 && machine->blocks == 0);
    install->place = 0;
    sessions->next_rank = 0;
    machine->applied_index = 0;
    machine->log_time_ns = 0;
    state_digest_begin(&machine->digest, 0);
    machine->configuration.index = 0;
    machine->nodes.new_names = CANCEL_NAMES_64;
    machine->limits = (struct machine_limits){.values = machine->configured};
    return false;
}

bool install_restore_window(struct machine *machine)
{
    struct install *install = &machine->install;
    if (install->window_count == 0)
        return false;
    const struct install_window *window = &install->windows[--install->window_count];
    struct session *session = sessions_find(&machine->sessions, window->session);
    if (session != NULL)
        session->packets = window->packets;
    else /* perhaps an operator has ended it meanwhile */
        machine_note_closed(machine, window->session, window->packets.highest);
    return true;
}
