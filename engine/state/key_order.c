/* The order of keys: see engine/state/key_order.h. */
#include "engine/state/key_order.h"

#include "base/check.h"
#include "base/le.h"
#include "engine/state/index.h"
#include "engine/state/store.h"

size_t key_order_arena_bytes(uint32_t keys_max)
{
    return (size_t)keys_max * sizeof(struct key_order_node) + 64;
}

void key_order_init(struct key_order *order, struct arena *arena, uint32_t keys_max)
{
    *order = (struct key_order){
        .nodes = arena_take(arena, (size_t)keys_max * sizeof(struct key_order_node), 64),
        .node_count = keys_max,
        .free_first = KEY_ORDER_NONE,
        .root = KEY_ORDER_NONE};
}

static inline bool is_leaf(uint32_t reference)
{
    return (reference & KEY_ORDER_LEAF) != 0;
}

static struct span leaf_key(const struct index *index, uint32_t leaf, uint8_t *scratch)
{
    const struct store_entry *entry = index_entry_at(index, leaf & ~KEY_ORDER_LEAF);
    CHECK(entry != NULL);
    return store_key(index->store, entry, scratch);
}

/* On which side of the node a key is. */
static inline uint32_t side_of(const struct key_order_node *node, struct span key)
{
    if (node->byte >= key.size_bytes)
        return 0;
    return node->bit == 0 ? 1 : (key.data[node->byte] >> (8 - node->bit)) & 1u;
}

/* The first bit in which two keys differ, in a node without children; false: they are one. */
static bool first_difference(struct span a, struct span b, struct key_order_node *ret_node)
{
    size_t size = a.size_bytes < b.size_bytes ? a.size_bytes : b.size_bytes;
    size_t at = 0;
    while (at + 8 <= size && le64_load(a.data + at) == le64_load(b.data + at))
        at += 8;
    while (at < size && a.data[at] == b.data[at])
        at++;
    if (at == a.size_bytes && at == b.size_bytes)
        return false;
    uint8_t bit = 0;
    if (at < size) {
        unsigned difference = (unsigned)(a.data[at] ^ b.data[at]);
        bit = (uint8_t)(1 + __builtin_clz(difference) - 24); /* of 32 bits, in the lowest 8 */
    }
    *ret_node = (struct key_order_node){.byte = (uint16_t)at, .bit = bit};
    return true;
}

/* Whether the node comes before the bit on the way from the root. */
static inline bool is_before(const struct key_order_node *node, const struct key_order_node *bit)
{
    return node->byte < bit->byte || (node->byte == bit->byte && node->bit < bit->bit);
}

/* The leaf that a key leads to: no other one has more in common with it. There is one (CHECK). */
static uint32_t leaf_near(const struct key_order *order, struct span key)
{
    uint32_t reference = order->root;
    CHECK(reference != KEY_ORDER_NONE);
    while (!is_leaf(reference)) { /* KEY_ORDER_DEPTH_MAX */
        const struct key_order_node *node = &order->nodes[reference];
        reference = node->child[side_of(node, key)];
    }
    return reference;
}

static uint32_t order_node_take(struct key_order *order)
{
    uint32_t number = order->free_first;
    if (number == KEY_ORDER_NONE) {
        CHECK(order->untouched < order->node_count);
        return order->untouched++;
    }
    order->free_first = order->nodes[number].child[0];
    return number;
}

static void order_node_give(struct key_order *order, uint32_t number)
{
    order->nodes[number].child[0] = order->free_first;
    order->free_first = number;
}

void key_order_add(struct index *index, const struct store_entry *entry, uint64_t place)
{
    struct key_order *order = &index->order;
    uint8_t scratch[KEY_SIZE_BYTES_MAX];
    uint8_t scratch_near[KEY_SIZE_BYTES_MAX];
    struct span key = store_key(index->store, entry, scratch);
    uint32_t leaf = (uint32_t)place | KEY_ORDER_LEAF;
    CHECK(place < KEY_ORDER_LEAF && leaf != KEY_ORDER_NONE);
    if (order->root == KEY_ORDER_NONE) {
        order->root = leaf;
        return;
    }
    /* Down to the key that has most in common with it, then back up to where the two part: mostly
     * a few nodes. */
    uint32_t path[KEY_ORDER_DEPTH_MAX];
    uint32_t depth = 0;
    struct key_order_node bit;
    uint32_t reference = order->root;
    for (; !is_leaf(reference); depth++) {
        CHECK(depth < KEY_ORDER_DEPTH_MAX);
        path[depth] = reference;
        reference = order->nodes[reference].child[side_of(&order->nodes[reference], key)];
    }
    CHECK(first_difference(key, leaf_key(index, reference, scratch_near), &bit));
    while (depth > 0 && !is_before(&order->nodes[path[depth - 1]], &bit))
        depth--;
    uint32_t *link = &order->root;
    if (depth > 0) {
        struct key_order_node *above = &order->nodes[path[depth - 1]];
        link = &above->child[side_of(above, key)];
    }
    uint32_t number = order_node_take(order);
    uint32_t side = side_of(&bit, key);
    bit.child[side] = leaf;
    bit.child[1 - side] = *link;
    order->nodes[number] = bit;
    *link = number;
}

void key_order_remove(struct index *index, const struct store_entry *entry, uint64_t place)
{
    struct key_order *order = &index->order;
    uint8_t scratch[KEY_SIZE_BYTES_MAX];
    struct span key = store_key(index->store, entry, scratch);
    uint32_t *link = &order->root;
    uint32_t *above = NULL;
    uint32_t side = 0;
    CHECK(*link != KEY_ORDER_NONE);
    while (!is_leaf(*link)) { /* KEY_ORDER_DEPTH_MAX */
        struct key_order_node *node = &order->nodes[*link];
        side = side_of(node, key);
        above = link;
        link = &node->child[side];
    }
    CHECK(*link == ((uint32_t)place | KEY_ORDER_LEAF));
    if (above == NULL) {
        *link = KEY_ORDER_NONE;
        return;
    }
    uint32_t number = *above;
    *above = order->nodes[number].child[1 - side];
    order_node_give(order, number);
}

static void path_push(struct key_cursor *cursor, uint32_t number, uint32_t side)
{
    CHECK(cursor->depth < KEY_ORDER_DEPTH_MAX);
    cursor->path[cursor->depth++] = number * 2 + side;
}

/* Goes to the first key below. */
static void go_first(const struct key_order *order, struct key_cursor *cursor, uint32_t reference)
{
    while (!is_leaf(reference)) { /* KEY_ORDER_DEPTH_MAX */
        path_push(cursor, reference, 0);
        reference = order->nodes[reference].child[0];
    }
    cursor->leaf = reference;
}

/* Goes to the first key behind everything below the last node of the path. */
static void go_behind(const struct key_order *order, struct key_cursor *cursor)
{
    while (cursor->depth > 0 && (cursor->path[cursor->depth - 1] & 1) == 1)
        cursor->depth--;
    if (cursor->depth == 0) {
        cursor->leaf = KEY_ORDER_NONE;
        return;
    }
    uint32_t number = cursor->path[cursor->depth - 1] / 2;
    cursor->path[cursor->depth - 1] |= 1;
    go_first(order, cursor, order->nodes[number].child[1]);
}

void key_cursor_seek(const struct index *index, struct key_cursor *cursor, struct span key)
{
    const struct key_order *order = &index->order;
    uint8_t scratch[KEY_SIZE_BYTES_MAX];
    struct key_order_node bit;
    cursor->leaf = KEY_ORDER_NONE;
    cursor->depth = 0;
    if (order->root == KEY_ORDER_NONE)
        return;
    struct span near = leaf_key(index, leaf_near(order, key), scratch);
    bool differs = first_difference(key, near, &bit);
    uint32_t reference = order->root;
    while (!is_leaf(reference) && (!differs || is_before(&order->nodes[reference], &bit))) {
        const struct key_order_node *node = &order->nodes[reference];
        uint32_t side = side_of(node, key);
        path_push(cursor, reference, side);
        reference = node->child[side];
    }
    /* All keys below have the other side of that bit than `key`. */
    if (differs && side_of(&bit, key) == 1)
        go_behind(order, cursor);
    else
        go_first(order, cursor, reference);
}

struct store_entry *key_cursor_entry(const struct index *index, const struct key_cursor *cursor)
{
    if (cursor->leaf == KEY_ORDER_NONE)
        return NULL;
    struct store_entry *entry = index_entry_at(index, cursor->leaf & ~KEY_ORDER_LEAF);
    CHECK(entry != NULL);
    return entry;
}

void key_cursor_next(const struct index *index, struct key_cursor *cursor)
{
    CHECK(cursor->leaf != KEY_ORDER_NONE);
    go_behind(&index->order, cursor);
}

void key_order_check_invariants(const struct index *index, uint64_t count)
{
    struct key_cursor cursor;
    uint8_t scratch[2][KEY_SIZE_BYTES_MAX];
    struct span last = {0};
    uint64_t seen = 0;
    key_cursor_seek(index, &cursor, (struct span){0});
    for (; cursor.leaf != KEY_ORDER_NONE; key_cursor_next(index, &cursor)) {
        struct span key = leaf_key(index, cursor.leaf, scratch[seen % 2]);
        CHECK(seen == 0 || span_compare(last, key) < 0);
        last = key;
        seen++;
    }
    CHECK(seen == count);
}
