/*
 * The keys of an index in their order (span_compare). It is what lists are made from.
 *
 * A crit-bit tree (D. J. Bernstein, "Crit-bit trees"; Morrison's PATRICIA, JACM 1968). A node names
 * the first bit in which the keys below it differ: on its left are those that have 0 there. A key
 * counts as 9 bits a byte: first 1, for there is a byte, then the byte. Behind its end all bits are
 * 0, so no key is the begin of another one.
 *
 * A leaf is the place of a key in the index (index_place). The place stays when the value changes,
 * so only new keys and deletions touch the tree. It takes a node of 12 bytes for each key, and
 * memory is touched for keys that are there only. A path from the root is never longer than the
 * bits of a key; with keys that nobody has chosen for that it has about twice the logarithm of
 * their number.
 *
 * It is the same as the index, in another order, and no part of the replicated state.
 *
 * Owner: the index's. Nobody else reads it.
 */
#ifndef POLLUX_ENGINE_STATE_KEY_ORDER_H
#define POLLUX_ENGINE_STATE_KEY_ORDER_H

#include "base/arena.h"
#include "base/limits.h"
#include "base/span.h"

#include <stdbool.h>

struct index;
struct store_entry;

/* A node of the tree, or with the highest bit a leaf, which is the place of a key. */
#define KEY_ORDER_LEAF UINT32_C(0x80000000)
#define KEY_ORDER_NONE UINT32_MAX

struct key_order_node {
    uint32_t child[2]; /* of a free node: the first is the next free one */
    uint16_t byte;     /* the first one in which they differ */
    uint8_t bit;       /* of it: 0, whether there is such a byte; 1 to 8, highest first */
    uint8_t unused;
};

static_assert(sizeof(struct key_order_node) == 12, "what a key takes");

struct key_order {
    struct key_order_node *nodes;
    uint32_t node_count; /* the most */
    uint32_t untouched;  /* nodes from here on were never used */
    uint32_t free_first; /* KEY_ORDER_NONE: none */
    uint32_t root;       /* KEY_ORDER_NONE: no key */
};

/* Bits that can tell two keys apart: more nodes are on no path. */
#define KEY_ORDER_DEPTH_MAX (9 * KEY_SIZE_BYTES_MAX)

/* A place in the order. Void as soon as a key is added or removed. */
struct key_cursor {
    uint32_t leaf; /* KEY_ORDER_NONE: behind the last key */
    uint32_t depth;
    uint32_t path[KEY_ORDER_DEPTH_MAX]; /* nodes from the root on, and which child: node * 2 + i */
};

size_t key_order_arena_bytes(uint32_t keys_max);
void key_order_init(struct key_order *order, struct arena *arena, uint32_t keys_max);

/* The index has begun to show the entry at this place; its key is new. Owner. */
void key_order_add(struct index *index, const struct store_entry *entry, uint64_t place);
/* The index is about to hide the entry at this place. Owner. */
void key_order_remove(struct index *index, const struct store_entry *entry, uint64_t place);

/* Goes to the first key that is not before `key`; of no bytes: to the first of all. Owner. */
void key_cursor_seek(const struct index *index, struct key_cursor *cursor, struct span key);
/* The entry there; NULL: behind the last one. Owner. */
struct store_entry *key_cursor_entry(const struct index *index, const struct key_cursor *cursor);
/* Goes to the next key; it is not behind the last one (CHECK). Owner. */
void key_cursor_next(const struct index *index, struct key_cursor *cursor);

/* Walks all keys; aborts (CHECK) where they are out of order, or not `count`. */
void key_order_check_invariants(const struct index *index, uint64_t count);

#endif
