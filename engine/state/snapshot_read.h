/*
 * Reads the stream of a snapshot (engine/state/snapshot_format.h) back into an empty machine, in
 * chunks of any size. The bytes come from a medium or a network and may be anything: they cause an
 * error, never more. After an error the machine holds some part of a state; install_clear_step
 * empties it again.
 *
 * An item that lies whole in a chunk is read where it lies; any other one is gathered first.
 *
 * Sessions come in any order. The order in which they expire belongs to the state, so a heap by
 * rank gives it back at the end.
 *
 * Owner: the machine's.
 */
#ifndef POLLUX_ENGINE_STATE_SNAPSHOT_READ_H
#define POLLUX_ENGINE_STATE_SNAPSHOT_READ_H

#include "base/error.h"
#include "base/span.h"
#include "engine/state/machine.h"

struct snapshot_reader {
    struct machine *machine;
    enum error error; /* the first one; OK: none */
    bool has_head;
    bool has_end;
    /* An item that is being gathered. */
    uint8_t *item; /* SNAPSHOT_ITEM_BYTES_MAX */
    size_t item_bytes;
    /* Of what was read. */
    uint64_t bytes;
    uint64_t items;
    /* Of the head. */
    uint64_t index;
    uint64_t log_time_ns;
    uint64_t keys;
    uint64_t blocks;
    uint64_t next_rank;
    uint64_t digest;
    uint32_t sessions;
    struct machine_limits limits;
    bool has_series[SERIES_MAX]; /* places of those that the stream names */
    /* Slots of the sessions, a heap with the smallest rank first; then the order is restored. */
    uint32_t *heap;
    uint32_t heap_count;
    uint64_t rank_min;
    uint64_t active_ns;
};

/* Begins to read into the machine, which is empty (CHECK): new, or emptied by
 * install_clear_step. */
void snapshot_read_begin(struct snapshot_reader *reader, struct machine *machine);

/* The configuration that a stream with this begin brings; false: none, or the bytes are too few. */
bool snapshot_peek_configuration(struct span begin, uint64_t *ret_index,
                                 struct raft_configuration *ret_configuration);

/*
 * The next bytes of the stream. Work is bounded by the chunk and one item. Errors: ERR_MAGIC,
 * ERR_VERSION, ERR_TYPE, ERR_TOO_LARGE, ERR_SHORT, ERR_TRAILING, ERR_RESERVED, ERR_RANGE and
 * ERR_CORRUPT say what is wrong with the bytes; ERR_RANGE also: the state or its limits do not fit
 * into this machine. The first error stays.
 */
MUST_USE enum error snapshot_read(struct snapshot_reader *reader, struct span chunk);

/* The limits that the stream which begins with these bytes has in force, if a record has changed
 * them. False: none has, or these are not the first bytes of a stream. */
bool snapshot_read_limits(struct span begin, struct wire_limits *ret_limits);

/*
 * The stream has no more bytes. Puts the sessions in order, and gives them the packets that this
 * node has seen: `visits_max` sessions in one call. ERR_NOT_YET: call again. OK: the machine has
 * the state. Errors: as above; ERR_SHORT: the stream was cut.
 */
MUST_USE enum error snapshot_read_end(struct snapshot_reader *reader, uint32_t visits_max);

#endif
