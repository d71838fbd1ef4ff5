/* The engine's state, written as a snapshot and replaced by one. */
#include "engine/engine_internal.h"

#include "engine/state/rcu.h"

void engine_snapshot_begin(struct engine *engine, const struct snapshot_sink *sink)
{
    CHECK(!is_installing(engine));
    snapshot_begin(&engine->machine, sink);
}

bool engine_snapshot_is_running(const struct engine *engine)
{
    return snapshot_is_running(&engine->machine);
}

bool engine_snapshot_must_wait(const struct engine *engine)
{
    return snapshot_must_wait(&engine->machine);
}

bool engine_snapshot_step(struct engine *engine, size_t budget_bytes)
{
    return snapshot_step(&engine->machine, budget_bytes);
}

void engine_snapshot_abandon(struct engine *engine)
{
    snapshot_abandon(&engine->machine);
}

bool engine_is_installing(const struct engine *engine)
{
    return is_installing(engine);
}

void engine_install_begin(struct engine *engine)
{
    CHECK(!engine->view.is_leader);
    CHECK(!engine_snapshot_is_running(engine));
    /* Pairs with the acquire in is_installing. */
    atomic_store_explicit(&engine->published.is_installing, true, memory_order_release);
    /* Readers that have not seen this end their turn before anything is taken from them. */
    rcu_wait();
}

bool engine_install_clear(struct engine *engine, uint32_t visits_max)
{
    CHECK(is_installing(engine));
    if (install_clear_step(&engine->machine, visits_max))
        return true;
    snapshot_read_begin(&engine->snapshot_reader, &engine->machine);
    return false;
}

bool engine_snapshot_configuration(struct span begin, uint64_t *ret_index,
                                   struct raft_configuration *ret_configuration)
{
    return snapshot_peek_configuration(begin, ret_index, ret_configuration);
}

enum error engine_install_read(struct engine *engine, struct span chunk)
{
    CHECK(is_installing(engine));
    return snapshot_read(&engine->snapshot_reader, chunk);
}

enum error engine_install_end(struct engine *engine, uint32_t visits_max)
{
    CHECK(is_installing(engine));
    enum error error = snapshot_read_end(&engine->snapshot_reader, visits_max);
    if (error != OK)
        return error;
    const struct machine *machine = &engine->machine;
    batch_forget_records(engine, machine->applied_index);
    relaxed_installed(engine);
    engine->counters.sessions_open = machine->sessions.count;
    engine->counters.keys = machine->keys;
    engine->counters.blocks = machine->blocks;
    engine_count_limits(engine);
    engine_publish(engine);
    /* Pairs with the acquire in is_installing: who sees this sees the whole new state. */
    atomic_store_explicit(&engine->published.is_installing, false, memory_order_release);
    return OK;
}
