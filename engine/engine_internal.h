/* The engine as a whole, for the files of engine/ only. */
#ifndef POLLUX_ENGINE_ENGINE_INTERNAL_H
#define POLLUX_ENGINE_ENGINE_INTERNAL_H

#include "base/check.h"
#include "base/shard.h"
#include "engine/engine.h"
#include "engine/relaxed/accept.h"
#include "engine/relaxed/inbound.h"
#include "engine/relaxed/outbound.h"
#include "engine/relaxed/revoke.h"
#include "engine/service/admission.h"
#include "engine/service/answer.h"
#include "engine/service/batch.h"
#include "engine/service/claims.h"
#include "engine/service/idle.h"
#include "engine/service/lists.h"
#include "engine/service/newcomers.h"
#include "engine/service/permission.h"
#include "engine/service/reads.h"
#include "engine/service/session_pages.h"
#include "engine/state/machine.h"
#include "engine/state/snapshot_read.h"

#include <stdatomic.h>

/* Log time, as a leader makes it. */
struct log_clock {
    uint64_t term; /* 0: not set; leadership that it is anchored in */
    uint64_t anchor_now_ns;
    uint64_t anchor_log_ns;
    uint64_t last_ns;
};

/*
 * What readers on other threads are told of the owner's view. engine_publish stores it with
 * release, engine_reader_read loads it with acquire: who sees an applied index finds what it has
 * applied. Each value is true by itself; together they may be of two turns.
 */
struct engine_published {
    _Atomic uint64_t applied_index;
    _Atomic uint64_t term;
    _Atomic uint64_t contact_ns; /* when a quorum was last heard of; 0: never */
    _Atomic uint64_t journal_done_seq;
    _Atomic bool is_series_alone;
    _Atomic uint16_t leader;
    _Atomic uint64_t rights_version; /* shard 0: of the table of rights; 0: none */
    _Atomic uint64_t rights_fresh_ns;
    _Atomic bool is_settled;
    _Atomic bool
        is_first_told; /* stored last: before, the values say nothing of a restored state */
    /* Stored before readers of that time have left (rcu_wait), and only then the state goes. */
    _Atomic bool is_installing;
};

struct engine {
    struct engine_options options;
    struct engine_view view;
    struct machine machine;
    struct log_clock clock;
    struct batch batch;
    struct pending_records records;
    struct pending_reads reads;
    struct lists lists;
    struct idle_notices idle;
    struct newcomers newcomers;
    struct relaxed relaxed;
    struct outbound outbound;
    struct engine_counters counters;
    struct reply_buffers buffers;
    struct engine_published published;
    struct rights rights;   /* of whoever sends what is being received */
    uint64_t retry_us;      /* of who asks too much, of what is being received; 0: he does not */
    uint64_t rights_sought; /* applied index at which the table of rights was last looked for */
    struct snapshot_reader snapshot_reader;
    /* A record that is applied and was not proposed here, decoded. */
    struct request record_requests[BATCH_REQUESTS_MAX];
    struct op *record_ops; /* BATCH_OPS_MAX */
};

/* Any thread. Pairs with the releases in engine_install_begin and engine_install_end. */
static inline bool is_installing(const struct engine *engine)
{
    return atomic_load_explicit(&engine->published.is_installing, memory_order_acquire);
}

/* The limits in force, and the capacity, as counters. */
void engine_count_limits(struct engine *engine);

/* Tells readers on other threads: at the beginning and end of a turn. */
void engine_publish(struct engine *engine);

/* What was dropped because its principal was revoked may apply yet. As a rule nothing was. */
static inline bool is_revoked_open(const struct engine *engine)
{
    return engine->relaxed.revoked_seq != 0 && revoke_is_undecided(engine);
}

/* Capacity of a ring that positions index by a mask; count at most 2^31. */
static inline uint32_t power_of_two_at_least(uint32_t count)
{
    uint32_t capacity = 1;
    while (capacity < count)
        capacity *= 2;
    return capacity;
}

/* Of a client that asks too much: what begins something is refused, and counted. */
static inline bool is_too_much(struct engine *engine, bool begins)
{
    if (engine->retry_us == 0 || !begins)
        return false;
    engine->counters.rate_refused++;
    return true;
}

/* True for a key that lives in another shard than this engine's. */
static inline bool is_foreign_key(const struct engine *engine, struct span key)
{
    const struct engine_options *options = &engine->options;
    return options->shard_count > 1 && shard_of_key(key, options->shard_count) != options->shard;
}

#endif
