/*
 * The store: every key with its value lies in a chain of fixed blocks of ENGINE_BLOCK_SIZE_BYTES.
 * An entry is written once, before the index shows it, and never changed; a new value is a new
 * chain. The old one is retired: its blocks are used again only after a grace period
 * (engine/state/rcu.h).
 *
 * A snapshot may keep an entry that has left the index for some time, and retire it later
 * (engine/state/snapshot.h).
 *
 * Two accounts. Logical (store_entry_blocks, kept by the engine) depends on the applied records
 * only and decides when the store is full. Physical (here) has STORE_SLACK_BLOCKS more, for chains
 * that are retired but perhaps still read.
 *
 * Retired entries wait in one ring of three runs: ready to use again, waiting for the grace period
 * that runs, and retired since it began.
 *
 * Owner writes; any thread inside its RCU turn reads entries that it found in the index.
 */
#ifndef POLLUX_ENGINE_STATE_STORE_H
#define POLLUX_ENGINE_STATE_STORE_H

#include "base/arena.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/span.h"
#include "engine/state/rcu.h"

#include <stdalign.h>
#include <stdatomic.h>

#define STORE_ENTRY_INLINE_BYTES 80
#define STORE_PIECE_BYTES        124

/* Room for several of the largest entries and for what a busy lane retires during two grace
 * periods. */
#define STORE_SLACK_BLOCKS 65536

/* The first block of an entry. */
struct store_entry {
    uint32_t next; /* block number, 0: none */
    uint32_t value_size_bytes;
    uint32_t next_kept; /* the owner's, of an entry that a snapshot keeps: block number, 0: none */
    uint8_t unused[12]; /* STORE_ENTRY_INLINE_BYTES is part of the replicated accounts */
    uint64_t version;
    uint64_t hash;
    uint32_t last; /* last block of the chain */
    /*
     * Stored last with release, loaded first with acquire (store_entry_key_size): what the index's
     * own publication orders too, said here where tools see it. 0 while the entry is not in use.
     */
    _Atomic uint32_t key_size_bytes;
    uint8_t bytes[STORE_ENTRY_INLINE_BYTES]; /* key, then value */
};

/* A further block. */
struct store_piece {
    uint32_t next;
    uint8_t bytes[STORE_PIECE_BYTES];
};

static_assert(sizeof(struct store_entry) == ENGINE_BLOCK_SIZE_BYTES, "entry is one block");
static_assert(sizeof(struct store_piece) == ENGINE_BLOCK_SIZE_BYTES, "piece is one block");

struct store {
    uint8_t *blocks;
    uint32_t blocks_total; /* block 0 is never used */
    uint32_t untouched;    /* blocks from here on were never used */
    uint32_t free_first;   /* chain of free blocks, 0: none */
    uint32_t free_count;
    uint32_t *retired; /* ring of entries' block numbers */
    uint32_t retired_mask;
    uint64_t retired_head;   /* [head, ready) may be used again */
    uint64_t retired_ready;  /* [ready, closed) wait for `grace` */
    uint64_t retired_closed; /* [closed, tail) were retired since */
    uint64_t retired_tail;
    struct rcu_grace *grace;
    bool is_grace_running;
};

/* Blocks that an entry of these sizes takes. */
static inline uint32_t store_entry_blocks(size_t key_size_bytes, size_t value_size_bytes)
{
    size_t size_bytes = key_size_bytes + value_size_bytes;
    if (size_bytes <= STORE_ENTRY_INLINE_BYTES)
        return 1;
    size_bytes -= STORE_ENTRY_INLINE_BYTES;
    return 1 + (uint32_t)((size_bytes + STORE_PIECE_BYTES - 1) / STORE_PIECE_BYTES);
}

size_t store_arena_bytes(uint32_t blocks_max);
/* ERR_NO_MEMORY: no grace period could be made. */
MUST_USE enum error store_init(struct store *store, struct arena *arena, uint32_t blocks_max);
void store_deinit(struct store *store);

/* What an entry is made of. */
struct store_content {
    struct span key;
    struct span value;
    uint64_t hash;
    uint64_t version;
};

/* Writes a new entry. The caller has checked the logical account, so there is room (CHECK), after
 * waiting for readers if need be. */
struct store_entry *store_new(struct store *store, const struct store_content *content);

/* The entry has left the index: its blocks are used again after a grace period. */
void store_retire(struct store *store, struct store_entry *entry);

/* Once a turn: begins and ends grace periods. Constant work. */
void store_turn(struct store *store);

/* Entries retired that wait for readers. */
uint64_t store_retire_backlog(const struct store *store);

/* The entry's block number, never 0, and back. */
static inline uint32_t store_number(const struct store *store, const struct store_entry *entry)
{
    return (uint32_t)((size_t)((const uint8_t *)entry - store->blocks) / ENGINE_BLOCK_SIZE_BYTES);
}

static inline struct store_entry *store_at(const struct store *store, uint32_t number)
{
    return (struct store_entry *)(void *)(store->blocks + (size_t)number * ENGINE_BLOCK_SIZE_BYTES);
}

static inline uint32_t store_entry_key_size(const struct store_entry *entry)
{
    return atomic_load_explicit(&entry->key_size_bytes, memory_order_acquire);
}

/* True when the entry's key is `key`. */
bool store_has_key(const struct store *store, const struct store_entry *entry, struct span key);

/* True when the entry's value is `value`. */
bool store_has_value(const struct store *store, const struct store_entry *entry, struct span value);

/*
 * The value's bytes [offset, offset + size) (in range: CHECK) as one span: in place when they lie
 * in one block, else copied to `scratch`, which has room for them.
 */
struct span store_value(const struct store *store, const struct store_entry *entry,
                        size_t offset_bytes, size_t size_bytes, uint8_t *scratch);

/* The entry's key as one span: in place, or in `scratch` (KEY_SIZE_BYTES_MAX). */
struct span store_key(const struct store *store, const struct store_entry *entry, uint8_t *scratch);

/* Reads an entry's bytes (key, then value) piece by piece. The entry must stay in use. */
struct store_cursor {
    const uint8_t *data;
    size_t size_bytes; /* at `data`, in one block */
    size_t left_bytes; /* of the entry */
    uint32_t next;
};

struct store_cursor store_cursor_of(const struct store_entry *entry);
/* Copies the next bytes, at most `room_bytes`; returns how many. Less: the entry has ended. */
size_t store_cursor_copy(const struct store *store, struct store_cursor *cursor, uint8_t *to,
                         size_t room_bytes);

/* Hash over key, value and version, the same on every node. A walk. */
uint64_t store_entry_state_hash(const struct store *store, const struct store_entry *entry);

/* Walks the free chain and the ring: no block lost, none twice. `blocks_in_use` are those of the
 * entries in the index and of those that a snapshot keeps. Debug builds; bounded by the blocks. */
void store_check_invariants(const struct store *store, uint64_t blocks_in_use);

#endif
