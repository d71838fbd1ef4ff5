/* Where the stream of a snapshot goes: supplied by whoever asks for the snapshot. */
#ifndef POLLUX_ENGINE_STATE_SNAPSHOT_SINK_H
#define POLLUX_ENGINE_STATE_SNAPSHOT_SINK_H

#include "base/limits.h"
#include "base/span.h"

#include <stddef.h>

struct snapshot_sink {
    /* Bytes that `write` takes now. */
    size_t (*room_bytes)(void *context);
    /* The next bytes of the stream, no more than there is room for; borrowed for the call. */
    void (*write)(void *context, struct span bytes);
    void *context;
};

#endif
