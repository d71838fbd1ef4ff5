/*
 * The identities of a node (the file `identity` of its directory, and that of each shard) while the
 * node runs. They are read at a start only, so damage would be found when it is too late. They are
 * small and hardly ever change: what each held at the start, or held after it was last written, is
 * kept in memory, and a file that is another one since is written again.
 *
 * Owner: one thread (the main thread, which is the only one that writes them).
 */
#ifndef POLLUX_SERVER_IDENTITY_SCRUB_H
#define POLLUX_SERVER_IDENTITY_SCRUB_H

#include "base/error.h"
#include "base/limits.h"

#include <stdbool.h>
#include <stdint.h>

struct identity_scrub;

/* The paths, at most SHARDS_MAX + 1 (CHECK), must outlive it. What the files hold now is what they
 * should hold; one that cannot be read is left out. NULL: out of memory. */
struct identity_scrub *identity_scrub_open(const char *const *paths, uint32_t count);
void identity_scrub_close(struct identity_scrub *scrub);

/* The file was written: what it holds now is what it should hold. */
void identity_scrub_keep(struct identity_scrub *scrub, uint32_t number);

enum identity_state {
    IDENTITY_WHOLE,
    IDENTITY_MENDED, /* it was another one, or could not be read, and was written again */
    IDENTITY_GONE,   /* no such file is there; told once */
    IDENTITY_LOST,   /* it could not be written again; told once */
};

struct identity_finding {
    enum identity_state state;
    const char *path;
    uint32_t offset; /* the first byte that is not what was written */
    int reason;      /* LOST: errno */
};

/* Looks at the next file. Reads what the device has, and waits for it. */
void identity_scrub_step(struct identity_scrub *scrub, struct identity_finding *ret_finding);

#endif
