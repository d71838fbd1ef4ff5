/* Pending relaxed writes: see engine/overlay.h. */
#include "engine/overlay.h"

#include "base/check.h"
#include "engine/key_hash.h"

static_assert((OVERLAY_CANCELS_CAPACITY & (OVERLAY_CANCELS_CAPACITY - 1)) == 0,
              "indexed by a mask");
static_assert(OVERLAY_CANCELS_CAPACITY <= UINT16_MAX, "those of one node are counted in 16 bits");
static_assert(REQUEST_OPS_MAX <= UINT8_MAX, "an op's cancels are counted in a byte");

#define INDEX_KEYS_MAX (1u << 20)

/* What a restart may find where `max` were accepted. */
static uint64_t with_reserve(uint64_t max)
{
    return max + max / 4;
}

static uint64_t ring_capacity(uint32_t ops_max)
{
    uint64_t capacity = 1;
    while (capacity < with_reserve(ops_max))
        capacity *= 2;
    return capacity;
}

/* A key takes a block at least. The index is made for the backlogs that happen; a longer one makes
 * it slower, no more. */
static uint32_t index_keys(uint32_t ops_max, uint32_t blocks_max)
{
    uint32_t keys = ops_max < blocks_max ? ops_max : blocks_max;
    return keys < INDEX_KEYS_MAX ? keys : INDEX_KEYS_MAX;
}

size_t overlay_arena_bytes(uint32_t ops_max, uint32_t blocks_max)
{
    return store_arena_bytes((uint32_t)with_reserve(blocks_max)) +
           index_arena_bytes(index_keys(ops_max, blocks_max)) +
           ring_capacity(ops_max) * sizeof(struct overlay_op) +
           OVERLAY_CANCELS_CAPACITY * sizeof(struct overlay_cancel) + 128;
}

enum error overlay_init(struct overlay *overlay, struct arena *arena, uint32_t ops_max,
                        uint32_t blocks_max)
{
    CHECK(ops_max > 0 && ops_max <= OVERLAY_OPS_MAX);
    uint64_t capacity = ring_capacity(ops_max);
    *overlay =
        (struct overlay){.ops_mask = capacity - 1, .ops_max = ops_max, .blocks_max = blocks_max};
    overlay->ops = arena_take(arena, capacity * sizeof(struct overlay_op), 64);
    overlay->cancels =
        arena_take(arena, OVERLAY_CANCELS_CAPACITY * sizeof(struct overlay_cancel), 64);
    enum error error = store_init(&overlay->store, arena, (uint32_t)with_reserve(blocks_max));
    if (error != OK)
        return error;
    error = index_init(&overlay->index, arena, &overlay->store, index_keys(ops_max, blocks_max));
    if (error != OK)
        store_deinit(&overlay->store);
    return error;
}

void overlay_deinit(struct overlay *overlay)
{
    index_deinit(&overlay->index);
    store_deinit(&overlay->store);
}

bool overlay_has_room(const struct overlay *overlay, const struct overlay_need *need)
{
    return overlay->tail - overlay->head + need->ops <= overlay->ops_max &&
           overlay->blocks + need->blocks <= overlay->blocks_max &&
           overlay->cancels_tail - overlay->cancels_head + need->cancels <= OVERLAY_CANCELS_MAX;
}

bool overlay_has_room_again(const struct overlay *overlay, const struct overlay_need *need)
{
    uint64_t cancels = overlay->cancels_tail - overlay->cancels_head;
    return overlay->tail - overlay->head + need->ops <= with_reserve(overlay->ops_max) &&
           overlay->blocks + need->blocks <= with_reserve(overlay->blocks_max) &&
           cancels + need->cancels <= OVERLAY_CANCELS_CAPACITY;
}

void overlay_add_cancel(struct overlay *overlay, const struct wire_op *cancel)
{
    CHECK(cancel->node <= VOTER_ID_MAX);
    CHECK(overlay->cancels_tail - overlay->cancels_head < OVERLAY_CANCELS_CAPACITY);
    overlay->cancels[overlay->cancels_tail++ & (OVERLAY_CANCELS_CAPACITY - 1)] =
        (struct overlay_cancel){.position = overlay->tail,
                                .seq = cancel->seq,
                                .tag = cancel->tag,
                                .node = cancel->node};
    overlay->cancels_of[cancel->node]++;
}

uint64_t overlay_first_cancel(const struct overlay *overlay, uint64_t position)
{
    uint64_t low = overlay->cancels_head;
    uint64_t high = overlay->cancels_tail;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (overlay_cancel_at(overlay, middle)->position < position)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void overlay_add(struct overlay *overlay, const struct wire_op *op, uint64_t seq)
{
    CHECK(overlay->tail - overlay->head < with_reserve(overlay->ops_max));
    CHECK(seq != 0 && (seq & OVERLAY_ABSENT) == 0);
    CHECK(overlay->tail == overlay->head || overlay_at(overlay, overlay->tail - 1)->seq < seq);
    struct store_content content = {.key = op->key,
                                    .value = op->value,
                                    .hash = key_hash(op->key),
                                    .version = seq | (op->has_value ? 0 : OVERLAY_ABSENT)};
    overlay->blocks += store_entry_blocks(op->key.size_bytes, op->value.size_bytes);
    CHECK(overlay->blocks <= with_reserve(overlay->blocks_max));
    uint64_t cancels = overlay->cancels_tail - overlay_first_cancel(overlay, overlay->tail);
    *overlay_at(overlay, overlay->tail++) =
        (struct overlay_op){.seq = seq,
                            .entry = store_new(&overlay->store, &content),
                            .tag = op->tag,
                            .cancel_count = (uint8_t)cancels};
    overlay->live++;
}

/* Gives an op's entry back; it is in the index no more. */
static void release(struct overlay *overlay, struct overlay_op *op)
{
    overlay->blocks -=
        store_entry_blocks(store_entry_key_size(op->entry), op->entry->value_size_bytes);
    overlay->live--;
    store_retire(&overlay->store, op->entry);
    op->entry = NULL;
}

/* Seqs rise along the queue. */
uint64_t overlay_position_of(const struct overlay *overlay, uint64_t seq)
{
    uint64_t low = overlay->head;
    uint64_t high = overlay->tail;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (overlay_at(overlay, middle)->seq < seq)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

uint64_t overlay_next_seq(const struct overlay *overlay, uint64_t seq)
{
    uint64_t at = overlay_position_of(overlay, seq);
    while (at < overlay->tail &&
           (overlay_at(overlay, at)->entry == NULL || overlay_at(overlay, at)->seq < seq))
        at++;
    return at < overlay->tail ? overlay_at(overlay, at)->seq : UINT64_MAX;
}

/* Live ops move up against the tail, which stays, and their cancels with them. */
void overlay_close_gaps(struct overlay *overlay, uint64_t *position)
{
    uint64_t to = overlay->tail;
    uint64_t cancel = overlay->cancels_tail;
    uint64_t mapped = overlay->tail;
    if ((overlay->tail - overlay->head - overlay->live) * 2 < overlay->ops_max)
        return;
    for (uint64_t from = overlay->tail; from-- > overlay->head;) {
        const struct overlay_op *op = overlay_at(overlay, from);
        if (op->entry != NULL) {
            *overlay_at(overlay, --to) = *op;
            for (uint8_t i = 0; i < op->cancel_count; i++)
                overlay->cancels[--cancel & (OVERLAY_CANCELS_CAPACITY - 1)].position = to;
        }
        if (from >= *position)
            mapped = to;
    }
    overlay->head = to;
    *position = mapped;
}

struct overlay_op *overlay_op_of(const struct overlay *overlay, const struct store_entry *entry)
{
    struct overlay_op *op = overlay_at(overlay, overlay_position_of(overlay, overlay_seq(entry)));
    CHECK(op->entry == entry);
    return op;
}

struct overlay_op *overlay_older(const struct overlay *overlay, const struct overlay_op *op)
{
    uint64_t first_seq = overlay_at(overlay, overlay->head)->seq;
    while (op->older_seq >= first_seq) { /* each step leads to an older op of the queue */
        struct overlay_op *older = overlay_at(overlay, overlay_position_of(overlay, op->older_seq));
        CHECK(older->entry != NULL && older->seq == op->older_seq && older->seq < op->seq);
        if (!older->is_overruled)
            return older;
        op = older;
    }
    return NULL;
}

/* Moves the head over gaps, and forgets the cancels of ops that are gone. */
static void trim(struct overlay *overlay)
{
    while (overlay->head < overlay->shown && overlay_at(overlay, overlay->head)->entry == NULL)
        overlay->head++;
    while (overlay->cancels_head < overlay->cancels_tail &&
           overlay_cancel_at(overlay, overlay->cancels_head)->position < overlay->head)
        overlay->cancels_of[overlay_cancel_at(overlay, overlay->cancels_head++)->node]--;
}

static void count_keys(struct overlay *overlay, uint64_t keys)
{
    atomic_store_explicit(&overlay->keys, keys, memory_order_release);
}

static uint64_t keys_of(const struct overlay *overlay)
{
    return atomic_load_explicit(&overlay->keys, memory_order_acquire);
}

/* Shows one op; true when an older one of its key was dropped. */
static bool show(struct overlay *overlay, struct overlay_op *op)
{
    uint8_t scratch[KEY_SIZE_BYTES_MAX];
    struct span key = store_key(&overlay->store, op->entry, scratch);
    struct store_entry *old = index_lookup(&overlay->index, key, op->entry->hash);
    op->is_shown = true;
    if (old == NULL) {
        index_add(&overlay->index, op->entry);
        count_keys(overlay, keys_of(overlay) + 1);
        return false;
    }
    struct overlay_op *old_op = overlay_op_of(overlay, old);
    index_replace(&overlay->index, old, op->entry);
    old_op->is_shown = false;
    op->older_seq = old_op->seq;
    if (old_op->is_forwarded || old_op->cancel_count > 0)
        return false;
    op->older_seq = old_op->older_seq;
    release(overlay, old_op);
    return true;
}

void overlay_overrule(struct overlay *overlay, struct span key, uint64_t seq, uint32_t tag)
{
    struct store_entry *entry = overlay_lookup(overlay, key, key_hash(key));
    if (entry == NULL)
        return;
    struct overlay_op *newest = overlay_op_of(overlay, entry);
    for (struct overlay_op *op = newest; op != NULL; op = overlay_older(overlay, op))
        op->is_overruled = op->seq <= seq && (tag == 0 || tag == op->tag);
    if (!newest->is_overruled)
        return;
    /* One of its key that came before need not be overruled with it. */
    struct overlay_op *older = overlay_older(overlay, newest);
    newest->is_shown = false;
    if (older != NULL) {
        index_replace(&overlay->index, newest->entry, older->entry);
        older->is_shown = true;
    } else {
        index_remove(&overlay->index, newest->entry);
        count_keys(overlay, keys_of(overlay) - 1);
    }
}

uint32_t overlay_show(struct overlay *overlay, uint64_t seq)
{
    uint32_t dropped = 0;
    while (overlay->shown < overlay->tail && overlay_at(overlay, overlay->shown)->seq <= seq) {
        dropped += show(overlay, overlay_at(overlay, overlay->shown));
        overlay->shown++;
    }
    if (dropped > 0)
        trim(overlay);
    return dropped;
}

uint32_t overlay_settle(struct overlay *overlay, uint64_t seq)
{
    uint32_t count = 0;
    while (overlay->head < overlay->shown && overlay_at(overlay, overlay->head)->seq <= seq) {
        struct overlay_op *op = overlay_at(overlay, overlay->head++);
        if (op->entry == NULL)
            continue;
        if (op->is_shown) {
            index_remove(&overlay->index, op->entry);
            count_keys(overlay, keys_of(overlay) - 1);
        }
        release(overlay, op);
        count++;
    }
    trim(overlay);
    return count;
}

struct store_entry *overlay_lookup(const struct overlay *overlay, struct span key, uint64_t hash)
{
    return keys_of(overlay) == 0 ? NULL : index_lookup(&overlay->index, key, hash);
}

static void count_entry(void *context, const struct store_entry *entry)
{
    uint64_t *count = context;
    CHECK(overlay_seq(entry) != 0);
    ++*count;
}

void overlay_check_invariants(const struct overlay *overlay)
{
    CHECK(overlay->head <= overlay->shown && overlay->shown <= overlay->tail);
    CHECK(overlay->tail - overlay->head <= with_reserve(overlay->ops_max));
    uint64_t last_seq = 0;
    uint64_t live = 0;
    uint64_t shown = 0;
    uint64_t blocks = 0;
    uint64_t cancels = 0;
    for (uint64_t at = overlay->head; at < overlay->tail; at++) {
        const struct overlay_op *op = overlay_at(overlay, at);
        CHECK(op->seq > last_seq);
        last_seq = op->seq;
        cancels += op->cancel_count;
        if (op->entry == NULL)
            continue;
        live++;
        shown += op->is_shown;
        blocks += store_entry_blocks(store_entry_key_size(op->entry), op->entry->value_size_bytes);
        CHECK(overlay_seq(op->entry) == op->seq);
        CHECK(at < overlay->shown || (!op->is_shown && !op->is_forwarded));
        CHECK(!op->is_shown || !op->is_overruled);
        CHECK(overlay_older(overlay, op) == NULL || overlay_older(overlay, op)->seq < op->seq);
    }
    CHECK(live == overlay->live && blocks == overlay->blocks);
    CHECK(overlay->cancels_tail - overlay->cancels_head == cancels);
    uint64_t entries = 0;
    index_walk(&overlay->index, count_entry, &entries);
    CHECK(entries == shown && entries == keys_of(overlay));
    store_check_invariants(&overlay->store, blocks);
}
