/* See membership_board.h. */
#include "server/membership_board.h"

#include <string.h>

void membership_board_init(struct membership_board *board, uint16_t shard_count)
{
    board->shard_count = shard_count;
    atomic_init(&board->leaves, false);
    for (uint32_t i = 0; i < SHARDS_MAX; i++) {
        atomic_init(&board->drained[i], 0);
        atomic_init(&board->pending[i], 0);
    }
    atomic_init(&board->sequence, 0);
    atomic_init(&board->size_bytes, 0);
    atomic_init(&board->is_removed, false);
    for (uint32_t i = 0; i < MEMBERSHIP_BOARD_WORDS; i++)
        atomic_init(&board->words[i], 0);
}

void membership_board_write(struct membership_board *board,
                            const struct raft_configuration *configuration)
{
    uint64_t words[MEMBERSHIP_BOARD_WORDS] = {0};
    uint8_t bytes[RAFT_CONFIGURATION_BYTES_MAX];
    size_t size_bytes = raft_configuration_encode(configuration, bytes);
    memcpy(words, bytes, size_bytes);
    uint32_t sequence = atomic_load_explicit(&board->sequence, memory_order_relaxed);
    atomic_store_explicit(&board->sequence, sequence + 1, memory_order_relaxed);
    atomic_thread_fence(memory_order_release);
    atomic_store_explicit(&board->size_bytes, (uint32_t)size_bytes, memory_order_relaxed);
    for (uint32_t i = 0; i < MEMBERSHIP_BOARD_WORDS; i++)
        atomic_store_explicit(&board->words[i], words[i], memory_order_relaxed);
    atomic_store_explicit(&board->sequence, sequence + 2, memory_order_release);
}

void membership_board_remove(struct membership_board *board, bool is_removed)
{
    atomic_store_explicit(&board->is_removed, is_removed, memory_order_relaxed);
}

bool membership_board_is_removed(const struct membership_board *board)
{
    return atomic_load_explicit(&board->is_removed, memory_order_relaxed);
}

bool membership_board_read(const struct membership_board *board, uint32_t *sequence,
                           struct raft_configuration *ret_configuration)
{
    uint32_t begin = atomic_load_explicit(&board->sequence, memory_order_acquire);
    if (begin == *sequence || begin % 2 != 0)
        return false;
    uint64_t words[MEMBERSHIP_BOARD_WORDS];
    for (uint32_t i = 0; i < MEMBERSHIP_BOARD_WORDS; i++)
        words[i] = atomic_load_explicit(&board->words[i], memory_order_relaxed);
    uint32_t size_bytes = atomic_load_explicit(&board->size_bytes, memory_order_relaxed);
    atomic_thread_fence(memory_order_acquire);
    if (atomic_load_explicit(&board->sequence, memory_order_relaxed) != begin)
        return false;
    uint8_t bytes[sizeof(words)];
    memcpy(bytes, words, sizeof(words));
    if (raft_configuration_decode(bytes, size_bytes, ret_configuration) != OK)
        return false;
    *sequence = begin;
    return true;
}

void membership_board_leave(struct membership_board *board, bool leaves)
{
    atomic_store_explicit(&board->leaves, leaves, memory_order_relaxed);
}

bool membership_board_leaves(const struct membership_board *board)
{
    return atomic_load_explicit(&board->leaves, memory_order_relaxed);
}

void membership_board_drain(struct membership_board *board, uint16_t shard, uint32_t number,
                            uint64_t pending)
{
    atomic_store_explicit(&board->pending[shard], pending, memory_order_relaxed);
    atomic_store_explicit(&board->drained[shard], number, memory_order_release);
}

bool membership_board_is_drained(const struct membership_board *board, uint32_t number,
                                 uint64_t *ret_pending)
{
    bool is_drained = number > 0;
    *ret_pending = 0;
    for (uint16_t shard = 0; shard < board->shard_count; shard++) {
        uint32_t drained = atomic_load_explicit(&board->drained[shard], memory_order_acquire);
        is_drained &= drained >= number && drained > 0;
        *ret_pending += atomic_load_explicit(&board->pending[shard], memory_order_relaxed);
    }
    return is_drained;
}
