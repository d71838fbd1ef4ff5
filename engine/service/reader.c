/*
 * Relaxed reads of an engine by a thread that does not own it: the lane that received the packet
 * answers it, whatever lane the shard lives on. What it reads are the index and the pending writes,
 * which any thread may, and what the owner publishes.
 */
#include "engine/engine_internal.h"

struct engine_reader {
    struct reply_buffers buffers;
    uint64_t now_ns;
    struct engine_reader_counters counters;
};

size_t engine_reader_arena_bytes(void)
{
    return sizeof(struct engine_reader) + REPLY_SIZE_BYTES_MAX + REPLY_CHUNK_SIZE_BYTES_MAX +
           4 * 64;
}

struct engine_reader *engine_reader_init(struct arena *arena, const struct engine_sink *sink)
{
    struct engine_reader *reader = arena_take(arena, sizeof(*reader), 64);
    *reader = (struct engine_reader){0};
    reply_buffers_init(&reader->buffers, arena, sink);
    return reader;
}

void engine_reader_begin_turn(struct engine_reader *reader, uint64_t now_ns)
{
    reader->now_ns = now_ns;
}

const struct engine_reader_counters *engine_reader_counters(const struct engine_reader *reader)
{
    return &reader->counters;
}

/* Looks for the table of rights where something was applied since. */
static void publish_rights(struct engine *engine, uint64_t contact_ns)
{
    struct engine_published *published = &engine->published;
    const struct machine *machine = &engine->machine;
    if (engine->options.shard != 0 || is_installing(engine))
        return;
    if (engine->rights_sought != machine->applied_index) {
        engine->rights_sought = machine->applied_index;
        const struct store_entry *entry =
            index_lookup(&machine->index, rights_key(), index_hash(&machine->index, rights_key()));
        /* Pairs with its acquire in engine_rights. */
        atomic_store_explicit(&published->rights_version, entry == NULL ? 0 : entry->version,
                              memory_order_release);
    }
    atomic_store_explicit(&published->is_settled, engine->view.is_settled, memory_order_release);
    /* After the version: who loads it first finds no older one. */
    if (machine->applied_index >= engine->view.commit_index)
        atomic_store_explicit(&published->rights_fresh_ns, contact_ns, memory_order_release);
}

struct engine_rights engine_rights(const struct engine *engine)
{
    const struct engine_published *published = &engine->published;
    /* The first is loaded first: it was stored last. */
    struct engine_rights rights = {
        .is_known = atomic_load_explicit(&published->is_first_told, memory_order_acquire),
        .fresh_ns = atomic_load_explicit(&published->rights_fresh_ns, memory_order_acquire)};
    rights.is_known = rights.is_known && !is_installing(engine);
    rights.is_settled = atomic_load_explicit(&published->is_settled, memory_order_acquire);
    rights.version = atomic_load_explicit(&published->rights_version, memory_order_acquire);
    return rights;
}

enum error engine_read_rights(const struct engine *engine, uint8_t *to, size_t *ret_size_bytes,
                              uint64_t *ret_version)
{
    const struct machine *machine = &engine->machine;
    if (is_installing(engine))
        return ERR_NOT_YET;
    const struct store_entry *entry =
        index_lookup(&machine->index, rights_key(), index_hash(&machine->index, rights_key()));
    if (entry == NULL)
        return ERR_NOT_FOUND;
    struct span value = store_value(&machine->store, entry, 0, entry->value_size_bytes, to);
    if (value.size_bytes > 0 && value.data != to)
        memcpy(to, value.data, value.size_bytes);
    *ret_size_bytes = value.size_bytes;
    *ret_version = entry->version;
    return OK;
}

void engine_publish(struct engine *engine)
{
    const struct engine_view *view = &engine->view;
    struct engine_published *published = &engine->published;
    uint64_t contact_ns =
        view->contact_age_ns > view->now_ns ? 0 : view->now_ns - view->contact_age_ns;
    publish_rights(engine, contact_ns);
    /* Each pairs with its acquire in reply_head_of. */
    atomic_store_explicit(&published->applied_index, engine->machine.applied_index,
                          memory_order_release);
    atomic_store_explicit(&published->term, view->term, memory_order_release);
    atomic_store_explicit(&published->leader, view->leader, memory_order_release);
    atomic_store_explicit(&published->contact_ns, contact_ns, memory_order_release);
    atomic_store_explicit(&published->journal_done_seq, engine_pending_done(engine),
                          memory_order_release);
    atomic_store_explicit(&published->is_series_alone, relaxed_is_series_alone(engine),
                          memory_order_release);
    atomic_store_explicit(&published->is_first_told, true, memory_order_release);
}

/* Head of a reply, from what the owner has published. */
static struct wire_reply reply_head_of(const struct engine_reader *reader,
                                       const struct engine *engine, uint64_t number)
{
    const struct engine_published *published = &engine->published;
    /* Pair with the releases in engine_publish. The index is loaded before anything is looked up:
     * what it says is applied is found. */
    uint64_t applied_index = atomic_load_explicit(&published->applied_index, memory_order_acquire);
    uint64_t contact_ns = atomic_load_explicit(&published->contact_ns, memory_order_acquire);
    uint64_t age_ns = reader->now_ns > contact_ns ? reader->now_ns - contact_ns : 0;
    return (struct wire_reply){
        .number = number,
        .incarnation = engine->options.incarnation,
        .node = engine->options.self,
        .leader = atomic_load_explicit(&published->leader, memory_order_acquire),
        .term = atomic_load_explicit(&published->term, memory_order_acquire),
        .applied_index = applied_index,
        .contact_age_us = wire_age_us(contact_ns == 0 ? UINT64_MAX : age_ns),
        .journal_done_seq =
            atomic_load_explicit(&published->journal_done_seq, memory_order_acquire),
        .series = engine->options.series,
        .is_series_alone = atomic_load_explicit(&published->is_series_alone, memory_order_acquire),
    };
}

bool engine_reader_read(struct engine_reader *reader, const struct engine *engine,
                        const struct address *from, struct span body)
{
    struct wire_read read;
    struct answer answer;
    if (wire_read_decode(body, &read) != OK) {
        reader->counters.requests_malformed++;
        return true;
    }
    /* Pairs with the release in engine_publish. Before its first turn only the owner knows how far
     * the state was restored. */
    bool is_told = atomic_load_explicit(&engine->published.is_first_told, memory_order_acquire);
    const struct rights rights = {.is_free = true};
    if (read.is_consistent || !is_told || is_installing(engine) ||
        permission_of_read(&rights, &read) != 0)
        return false;
    struct wire_reply head = reply_head_of(reader, engine, read.request_number);
    head.status = (uint8_t)reads_check(engine, &read, &head);
    answer_begin(&answer, &reader->buffers, from, WIRE_READ_REPLY);
    if (head.status == WIRE_STATUS_OK) {
        reader->counters.reads_relaxed++;
        reads_answer(engine, &answer, &head, &read);
    } else {
        reader->counters.reads_refused++;
        answer_open(&answer, &head, 0);
    }
    answer_send(&answer);
    return true;
}
