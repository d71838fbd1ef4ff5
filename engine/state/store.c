/* The store of blocks: see engine/state/store.h. */
#include "engine/state/store.h"

#include "base/check.h"
#include "base/le.h"
#include "engine/state/key_hash.h"

#define LARGEST_ENTRY_BLOCKS ((KEY_SIZE_BYTES_MAX + VALUE_SIZE_BYTES_MAX) / STORE_PIECE_BYTES + 2)

static_assert(STORE_SLACK_BLOCKS >= 2 * LARGEST_ENTRY_BLOCKS,
              "the old and the new value of one key fit beside a full store");

/* A run of an entry's bytes (key, then value) that lies in one block, and where the next one is. */
struct store_run {
    const uint8_t *data;
    size_t size_bytes;
    uint32_t next;
};

static inline void *block_at(const struct store *store, uint32_t number)
{
    return store->blocks + (size_t)number * ENGINE_BLOCK_SIZE_BYTES;
}

static uint32_t retired_capacity(uint32_t blocks_total)
{
    uint32_t capacity = 1;
    while (capacity < blocks_total)
        capacity *= 2;
    return capacity;
}

static uint32_t blocks_total_of(uint32_t blocks_max)
{
    CHECK(blocks_max <= UINT32_MAX / 2 - STORE_SLACK_BLOCKS - 1); /* the ring's capacity */
    return blocks_max + STORE_SLACK_BLOCKS + 1;
}

size_t store_arena_bytes(uint32_t blocks_max)
{
    size_t total = blocks_total_of(blocks_max);
    return total * ENGINE_BLOCK_SIZE_BYTES + retired_capacity((uint32_t)total) * sizeof(uint32_t) +
           4096 + 64;
}

enum error store_init(struct store *store, struct arena *arena, uint32_t blocks_max)
{
    struct rcu_grace *grace = rcu_grace_new();
    if (grace == NULL)
        return ERR_NO_MEMORY;
    uint32_t total = blocks_total_of(blocks_max);
    uint32_t capacity = retired_capacity(total);
    *store = (struct store){
        .blocks = arena_take(arena, (size_t)total * ENGINE_BLOCK_SIZE_BYTES, 4096),
        .blocks_total = total,
        .untouched = 1,
        .retired = arena_take(arena, capacity * sizeof(uint32_t), 64),
        .retired_mask = capacity - 1,
        .grace = grace,
    };
    return OK;
}

void store_deinit(struct store *store)
{
    rcu_grace_free(store->grace);
    store->grace = NULL;
}

/* Gives the chain of the oldest ready entry to the free blocks. */
static void entry_recycle(struct store *store)
{
    uint32_t number = store->retired[store->retired_head++ & store->retired_mask];
    struct store_entry *entry = block_at(store, number);
    uint32_t count = store_entry_blocks(store_entry_key_size(entry), entry->value_size_bytes);
    atomic_store_explicit(&entry->key_size_bytes, 0, memory_order_relaxed);
    struct store_piece *last = block_at(store, entry->last);
    last->next = store->free_first;
    store->free_first = number;
    store->free_count += count;
}

/* Fills the free chain up to `count` blocks, or to as many as are retired and ready. */
static void blocks_refill(struct store *store, uint32_t count)
{
    while (store->free_count < count && store->retired_head < store->retired_ready)
        entry_recycle(store);
}

/* Makes `count` blocks available from the free chain and the untouched rest together. */
static void blocks_reserve(struct store *store, uint32_t count)
{
    if (store->free_count >= count)
        return;
    blocks_refill(store, count);
    if (store->free_count + (store->blocks_total - store->untouched) >= count)
        return;
    /* All slack waits for readers: wait for them. This thread holds no reference between two
     * ops. */
    rcu_wait();
    store->retired_ready = store->retired_tail;
    store->retired_closed = store->retired_tail;
    blocks_refill(store, count);
    CHECK(store->free_count + (store->blocks_total - store->untouched) >= count);
}

static uint32_t take_block(struct store *store)
{
    if (store->free_first == 0) {
        CHECK(store->untouched < store->blocks_total);
        return store->untouched++;
    }
    uint32_t number = store->free_first;
    const struct store_piece *piece = block_at(store, number);
    store->free_first = piece->next;
    store->free_count--;
    return number;
}

/* Fills `to` from what is left of key and value, in that order; returns the bytes filled. */
static size_t block_fill(uint8_t *to, size_t room, struct span *key, struct span *value)
{
    size_t from_key = key->size_bytes < room ? key->size_bytes : room;
    if (from_key > 0)
        memcpy(to, key->data, from_key);
    *key = span_of(key->data + from_key, key->size_bytes - from_key);
    room -= from_key;
    size_t from_value = value->size_bytes < room ? value->size_bytes : room;
    if (from_value > 0) {
        memcpy(to + from_key, value->data, from_value);
        *value = span_of(value->data + from_value, value->size_bytes - from_value);
    }
    return from_key + from_value;
}

struct store_entry *store_new(struct store *store, const struct store_content *content)
{
    struct span key = content->key;
    struct span value = content->value;
    CHECK(key.size_bytes > 0 && key.size_bytes <= KEY_SIZE_BYTES_MAX);
    CHECK(value.size_bytes <= VALUE_SIZE_BYTES_MAX);
    uint32_t count = store_entry_blocks(key.size_bytes, value.size_bytes);
    blocks_reserve(store, count);

    uint32_t number = take_block(store);
    struct store_entry *entry = block_at(store, number);
    entry->value_size_bytes = (uint32_t)value.size_bytes;
    entry->version = content->version;
    entry->hash = content->hash;
    block_fill(entry->bytes, sizeof(entry->bytes), &key, &value);
    uint32_t *link = &entry->next;
    uint32_t last = number;
    for (uint32_t i = 1; i < count; i++) {
        last = take_block(store);
        struct store_piece *piece = block_at(store, last);
        *link = last;
        link = &piece->next;
        block_fill(piece->bytes, sizeof(piece->bytes), &key, &value);
    }
    *link = 0;
    entry->last = last;
    atomic_store_explicit(&entry->key_size_bytes, (uint32_t)content->key.size_bytes,
                          memory_order_release);
    return entry;
}

void store_retire(struct store *store, struct store_entry *entry)
{
    CHECK(store->retired_tail - store->retired_head <= store->retired_mask);
    store->retired[store->retired_tail++ & store->retired_mask] = store_number(store, entry);
}

void store_turn(struct store *store)
{
    if (store->is_grace_running && rcu_grace_is_over(store->grace)) {
        store->is_grace_running = false;
        store->retired_ready = store->retired_closed;
    }
    if (!store->is_grace_running && store->retired_closed < store->retired_tail) {
        store->retired_closed = store->retired_tail;
        store->is_grace_running = true;
        rcu_grace_begin(store->grace);
    }
}

uint64_t store_retire_backlog(const struct store *store)
{
    return store->retired_tail - store->retired_ready;
}

static struct store_run first_run(const struct store_entry *entry)
{
    size_t total = (size_t)store_entry_key_size(entry) + entry->value_size_bytes;
    size_t size = total < STORE_ENTRY_INLINE_BYTES ? total : STORE_ENTRY_INLINE_BYTES;
    return (struct store_run){.data = entry->bytes, .size_bytes = size, .next = entry->next};
}

static struct store_run next_run(const struct store *store, const struct store_run *run)
{
    CHECK(run->next != 0);
    const struct store_piece *piece = block_at(store, run->next);
    return (struct store_run){
        .data = piece->bytes, .size_bytes = STORE_PIECE_BYTES, .next = piece->next};
}

/* True when the entry's bytes from `offset` on begin with `bytes` (in range). */
static bool has_bytes(const struct store *store, const struct store_entry *entry, size_t offset,
                      struct span bytes)
{
    struct store_run run = first_run(entry);
    while (bytes.size_bytes > 0) {
        if (offset >= run.size_bytes) {
            offset -= run.size_bytes;
            run = next_run(store, &run);
            continue;
        }
        size_t size = run.size_bytes - offset;
        if (size > bytes.size_bytes)
            size = bytes.size_bytes;
        if (memcmp(run.data + offset, bytes.data, size) != 0)
            return false;
        bytes = span_of(bytes.data + size, bytes.size_bytes - size);
        offset += size;
    }
    return true;
}

bool store_has_key(const struct store *store, const struct store_entry *entry, struct span key)
{
    if (store_entry_key_size(entry) != key.size_bytes)
        return false;
    if (key.size_bytes <= STORE_ENTRY_INLINE_BYTES)
        return memcmp(entry->bytes, key.data, key.size_bytes) == 0;
    return has_bytes(store, entry, 0, key);
}

bool store_has_value(const struct store *store, const struct store_entry *entry, struct span value)
{
    if (entry->value_size_bytes != value.size_bytes)
        return false;
    return has_bytes(store, entry, store_entry_key_size(entry), value);
}

/* The entry's bytes (key, then value) from `offset` on, in range. */
static struct span entry_bytes(const struct store *store, const struct store_entry *entry,
                               size_t offset, size_t size_bytes, uint8_t *scratch)
{
    struct store_run run = first_run(entry);
    while (offset >= run.size_bytes) {
        offset -= run.size_bytes;
        run = next_run(store, &run);
    }
    if (run.size_bytes - offset >= size_bytes)
        return span_of(run.data + offset, size_bytes);
    for (size_t done = 0; done < size_bytes; offset = 0) {
        size_t size = run.size_bytes - offset;
        if (size > size_bytes - done)
            size = size_bytes - done;
        memcpy(scratch + done, run.data + offset, size);
        done += size;
        if (done < size_bytes)
            run = next_run(store, &run);
    }
    return span_of(scratch, size_bytes);
}

struct span store_key(const struct store *store, const struct store_entry *entry, uint8_t *scratch)
{
    return entry_bytes(store, entry, 0, store_entry_key_size(entry), scratch);
}

struct span store_value(const struct store *store, const struct store_entry *entry,
                        size_t offset_bytes, size_t size_bytes, uint8_t *scratch)
{
    CHECK(offset_bytes <= entry->value_size_bytes);
    CHECK(size_bytes <= entry->value_size_bytes - offset_bytes);
    if (size_bytes == 0)
        return span_of(NULL, 0);
    return entry_bytes(store, entry, store_entry_key_size(entry) + offset_bytes, size_bytes,
                       scratch);
}

struct store_cursor store_cursor_of(const struct store_entry *entry)
{
    struct store_run run = first_run(entry);
    return (struct store_cursor){.data = run.data,
                                 .size_bytes = run.size_bytes,
                                 .left_bytes =
                                     (size_t)store_entry_key_size(entry) + entry->value_size_bytes,
                                 .next = run.next};
}

/* The next block of the entry. */
static void cursor_move_on(const struct store *store, struct store_cursor *cursor)
{
    const struct store_run run = {.next = cursor->next};
    struct store_run next = next_run(store, &run);
    cursor->data = next.data;
    cursor->size_bytes =
        next.size_bytes < cursor->left_bytes ? next.size_bytes : cursor->left_bytes;
    cursor->next = next.next;
}

size_t store_cursor_copy(const struct store *store, struct store_cursor *cursor, uint8_t *to,
                         size_t room_bytes)
{
    size_t done = 0;
    while (done < room_bytes && cursor->left_bytes > 0) {
        if (cursor->size_bytes == 0)
            cursor_move_on(store, cursor);
        size_t size = room_bytes - done;
        if (size > cursor->size_bytes)
            size = cursor->size_bytes;
        memcpy(to + done, cursor->data, size);
        cursor->data += size;
        cursor->size_bytes -= size;
        cursor->left_bytes -= size;
        done += size;
    }
    return done;
}

uint64_t store_entry_state_hash(const struct store *store, const struct store_entry *entry)
{
    size_t left = (size_t)store_entry_key_size(entry) + entry->value_size_bytes;
    uint8_t words[24];
    le64_store(words, entry->version);
    le32_store(words + 8, store_entry_key_size(entry));
    le32_store(words + 12, entry->value_size_bytes);
    le64_store(words + 16, 0);
    struct store_run run = first_run(entry);
    for (;;) {
        size_t size = run.size_bytes < left ? run.size_bytes : left;
        le64_store(words + 16, le64_load(words + 16) * 3 + key_hash(span_of(run.data, size)));
        left -= size;
        if (left == 0)
            break;
        run = next_run(store, &run);
    }
    return key_hash(span_of(words, sizeof(words)));
}

void store_check_invariants(const struct store *store, uint64_t blocks_in_use)
{
    CHECK(store->retired_head <= store->retired_ready);
    CHECK(store->retired_ready <= store->retired_closed);
    CHECK(store->retired_closed <= store->retired_tail);
    uint64_t free_count = 0;
    for (uint32_t number = store->free_first; number != 0; free_count++) {
        CHECK(number < store->untouched && free_count < store->blocks_total);
        number = ((const struct store_piece *)block_at(store, number))->next;
    }
    CHECK(free_count == store->free_count);
    uint64_t retired_count = 0;
    for (uint64_t at = store->retired_head; at < store->retired_tail; at++) {
        const struct store_entry *entry = block_at(store, store->retired[at & store->retired_mask]);
        retired_count += store_entry_blocks(store_entry_key_size(entry), entry->value_size_bytes);
    }
    CHECK(free_count + retired_count + blocks_in_use == store->untouched - 1);
}
