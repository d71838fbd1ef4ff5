/*
 * Makes room in a machine for the state of a snapshot: empties the index, the store and the
 * sessions, in bounded slices.
 *
 * Two things stay:
 *   - The packets that this node has seen of each session. They are local, and the reason why a
 *     refusal given before the installation holds after it: a copy of the refused packet must still
 *     be recognized. They wait here until the sessions are back.
 *   - The progress of the nodes. It only rises; the snapshot that is read replaces it.
 *
 * Owner: the machine's. Other threads may look up keys meanwhile: an entry leaves the index first,
 * and its blocks are used again after a grace period.
 */
#ifndef POLLUX_ENGINE_STATE_INSTALL_H
#define POLLUX_ENGINE_STATE_INSTALL_H

#include "base/arena.h"
#include "engine/state/packet_window.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct machine;

/* The packets seen of a session that is on its way. */
struct install_window {
    uint64_t session;
    struct packet_window packets;
};

struct install {
    uint64_t place; /* of the index, where the emptying goes on */
    struct install_window *windows;
    uint32_t window_count;
    uint32_t windows_max;
};

size_t install_arena_bytes(uint32_t sessions_max);
void install_init(struct install *install, struct arena *arena, uint32_t sessions_max);

/*
 * Empties on: `visits_max` lines of the index and sessions. No snapshot runs (CHECK). False: the
 * machine is empty. Until then, and until a snapshot is read, no packet of a client may come to the
 * machine, and no record.
 */
bool install_clear_step(struct machine *machine, uint32_t visits_max);

/* Gives one session back what this node has seen of it, if the session still exists; false: none
 * is left. */
bool install_restore_window(struct machine *machine);

#endif
