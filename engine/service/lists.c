/*
 * Lists. A page is made in one go, from the order of the applied keys and, if it is relaxed, from
 * that of the pending writes of this node, too: of a key that has both, the pending write counts,
 * as for a relaxed read.
 */
#include "base/reserved_key.h"
#include "engine/engine_internal.h"

static_assert(LIST_TURN_STEPS_MAX >= LIST_STEPS_MAX, "a turn has room for a page");
static_assert(LIST_PAGE_BYTES_MAX <= REPLY_SIZE_BYTES_MAX, "a page is built where replies are");
static_assert(LIST_PAGE_BYTES_MAX <= REPLY_CHUNK_SIZE_BYTES_MAX,
              "a value that fits a page fits the scratch");

/* A page that is being made. */
struct page {
    struct engine *engine;
    const struct wire_list *list;
    struct answer answer;
    uint8_t scratch[2][KEY_SIZE_BYTES_MAX];
    uint8_t last[KEY_SIZE_BYTES_MAX]; /* nothing up to this key is missing */
    size_t last_bytes;
};

/* The next key of both orders. */
struct page_key {
    const struct store *store;
    const struct store_entry *entry;
    struct span key;
    bool is_pending;
};

void lists_turn(struct lists *lists)
{
    lists->steps_left = LIST_TURN_STEPS_MAX;
}

static bool shows_pending(const struct page *page)
{
    return !page->list->is_consistent && page->engine->relaxed.is_open;
}

static void page_seek(struct page *page, struct span key)
{
    struct engine *engine = page->engine;
    key_cursor_seek(&engine->machine.index, &engine->lists.applied, key);
    if (shows_pending(page))
        key_cursor_seek(&engine->relaxed.writes.index, &engine->lists.pending, key);
}

static struct page_key key_at(const struct index *index, const struct key_cursor *cursor,
                              uint8_t *scratch)
{
    struct page_key at = {.store = index->store, .entry = key_cursor_entry(index, cursor)};
    if (at.entry != NULL)
        at.key = store_key(index->store, at.entry, scratch);
    return at;
}

/* Takes the next key; false: there are no more. */
static bool page_next(struct page *page, struct page_key *ret_key)
{
    struct lists *lists = &page->engine->lists;
    const struct index *applied = &page->engine->machine.index;
    const struct index *pending = &page->engine->relaxed.writes.index;
    struct page_key key = key_at(applied, &lists->applied, page->scratch[0]);
    struct page_key over = {.entry = NULL};
    if (shows_pending(page))
        over = key_at(pending, &lists->pending, page->scratch[1]);
    over.is_pending = true;
    int order = over.entry == NULL ? -1 : key.entry == NULL ? 1 : span_compare(key.key, over.key);
    if (key.entry != NULL && order <= 0)
        key_cursor_next(applied, &lists->applied);
    if (over.entry != NULL && order >= 0)
        key_cursor_next(pending, &lists->pending);
    *ret_key = over.entry != NULL && order >= 0 ? over : key;
    return ret_key->entry != NULL;
}

/* Bytes of entries that a page of nothing else has room for. */
static size_t page_room(const struct page *page)
{
    return page->list->page_bytes - KEY_SIZE_BYTES_MAX;
}

/* False: the page is full. */
static bool page_add(struct page *page, const struct page_key *key, size_t head_bytes)
{
    struct wire_writer *writer = &page->answer.writer;
    struct wire_list_entry entry = {.key = key->key,
                                    .version = key->is_pending ? pending_writes_seq(key->entry)
                                                               : key->entry->version,
                                    .value_size_bytes = key->entry->value_size_bytes,
                                    .is_pending = key->is_pending,
                                    .has_value = page->list->has_values};
    if (head_bytes + wire_list_entry_bytes(&entry) > page_room(page))
        entry.has_value = false; /* no page has room for it */
    if (writer->size_bytes + wire_list_entry_bytes(&entry) > page_room(page))
        return false;
    if (entry.has_value)
        entry.value = store_value(key->store, key->entry, 0, entry.value_size_bytes,
                                  page->answer.buffers->scratch);
    wire_list_reply_add(writer, &entry);
    return true;
}

static void page_note(struct page *page, struct span key)
{
    memcpy(page->last, key.data, key.size_bytes);
    page->last_bytes = key.size_bytes;
}

/* Fills the page, with a step for each key that is looked at. True: there may be more. */
static bool page_fill(struct page *page)
{
    const struct wire_list *list = page->list;
    size_t head_bytes = page->answer.writer.size_bytes;
    struct page_key key;
    page_seek(page, span_compare(list->after, list->prefix) < 0 ? list->prefix : list->after);
    for (uint32_t step = 0; step < LIST_STEPS_MAX; step++) {
        page->engine->lists.steps_left--;
        if (!page_next(page, &key) || !span_begins_with(key.key, list->prefix))
            return false;
        if (key_is_reserved(key.key)) {
            page_seek(page, span_of(RESERVED_KEY_BEHIND, RESERVED_KEY_SIZE_BYTES));
            continue;
        }
        if (span_is_equal(key.key, list->after))
            continue;
        bool is_absent = key.is_pending && !pending_writes_has_value(key.entry);
        if (!is_absent && !page_add(page, &key, head_bytes))
            return true;
        page_note(page, key.key);
    }
    return true;
}

static void list_refuse(struct engine *engine, const struct address *from, uint64_t number,
                        enum wire_status status)
{
    engine->counters.lists_refused++;
    answer_refuse(engine, from, WIRE_LIST_REPLY, number, status);
}

static void list_answer(struct engine *engine, const struct address *from,
                        const struct wire_list *list)
{
    if (engine->lists.steps_left < LIST_STEPS_MAX) {
        list_refuse(engine, from, list->number, WIRE_STATUS_OVERLOADED);
        return;
    }
    struct page page = {.engine = engine, .list = list};
    struct wire_reply head = answer_head(engine, list->number, WIRE_STATUS_OK);
    answer_begin(&page.answer, &engine->buffers, from, WIRE_LIST_REPLY);
    wire_list_reply_begin(&page.answer.writer, &head);
    bool has_more = page_fill(&page);
    struct span last = span_of(page.last, page.last_bytes);
    wire_list_reply_end(&page.answer.writer, has_more ? &last : NULL);
    engine->counters.lists++;
    answer_send(&page.answer);
}

void lists_receive(struct engine *engine, const struct address *from, struct span body)
{
    struct wire_list list;
    if (wire_list_decode(body, &list) != OK) {
        engine->counters.requests_malformed++;
        return;
    }
    enum wire_status status = WIRE_STATUS_OK;
    struct wire_reply head = answer_head(engine, list.number, WIRE_STATUS_OK);
    if (!permission_of_list(engine, &list))
        status = WIRE_STATUS_DENIED;
    else if (is_too_much(engine, true))
        status = WIRE_STATUS_OVERLOADED;
    else if (list.is_consistent)
        status = reads_wait_list(engine, from, &list, body);
    else if (!reads_are_fresh(&head, list.min_index, list.max_age_us))
        status = WIRE_STATUS_TOO_STALE;
    if (status != WIRE_STATUS_OK)
        list_refuse(engine, from, list.number, status);
    else if (!list.is_consistent)
        list_answer(engine, from, &list);
}

void lists_finish(struct engine *engine, const struct address *from, struct span kept,
                  enum wire_status status)
{
    struct wire_list list = wire_list_of_kept(kept);
    if (status == WIRE_STATUS_OK)
        list_answer(engine, from, &list);
    else
        list_refuse(engine, from, list.number, status);
}
