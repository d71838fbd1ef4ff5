/*
 * The table of rights (base/rights_table.h) as a lane knows it: copied from the engine of shard 0
 * whenever that has another one, whichever lane of the node it lives on. A lane looks for it at the
 * beginning of each turn, before its replicas do anything: so a table that this node has applied
 * holds for every packet that it receives and every pending write that it forwards from then on.
 *
 * Where packets of clients are not sealed there is nobody to tell from others, and no table is
 * copied: each client may do everything but touch the reserved keys.
 *
 * Owner: the lane's thread.
 */
#ifndef POLLUX_SERVER_LANE_RIGHTS_H
#define POLLUX_SERVER_LANE_RIGHTS_H

#include "base/arena.h"
#include "engine/engine.h"

enum rights_state {
    RIGHTS_UNKNOWN, /* this node does not know yet whether there is a table */
    RIGHTS_ABSENT,  /* there is none: whoever has a key may do everything */
    RIGHTS_IN_FORCE,
    RIGHTS_BROKEN, /* what is stored is no table: nobody may do anything but who has the root key */
};

struct lane_rights {
    uint8_t *bytes; /* VALUE_SIZE_BYTES_MAX; NULL: clients are not told apart */
    enum rights_state state;
    uint32_t number;           /* of the changes seen here, from 1 */
    uint64_t version;          /* of the table */
    uint32_t drops;            /* what it says of them; 0: no table is in force */
    struct rights_table table; /* in `bytes` */
    uint64_t fresh_ns;         /* whatever was changed until then is known here; 0: nothing is */
};

/* A table that is older says nothing of whose pending writes are dropped by now; or than the
 * longest election timeout, if that is more. */
#define LANE_RIGHTS_OLD_NS UINT64_C(1000000000)

/* Whose rights are asked for. */
struct rights_asker {
    struct span name;
    uint32_t generation; /* of its key */
    bool is_keyless;     /* it has none: whichever counts */
};

size_t lane_rights_arena_bytes(void);
void lane_rights_init(struct lane_rights *rights, struct arena *arena);

/* Looks whether shard 0 has another table. `engine`: NULL: it is not open. */
void lane_rights_follow(struct lane_rights *rights, const struct engine *engine);

/* False: nothing is known yet, so nothing is to be answered. What is returned borrows from the
 * table, until `number` changes. */
bool lane_rights_of(const struct lane_rights *rights, const struct rights_asker *asker,
                    struct rights *ret_rights);

#endif
