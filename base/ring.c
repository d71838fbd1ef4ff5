/* Single-producer, single-consumer ring. */
#include "base/ring.h"

#include "base/check.h"

#include <string.h>

void ring_init(struct ring *ring, struct arena *arena, uint32_t capacity,
               uint32_t element_size_bytes)
{
    CHECK(capacity > 0 && (capacity & (capacity - 1)) == 0);
    CHECK(element_size_bytes > 0);
    ring->elements = arena_take(arena, (size_t)capacity * element_size_bytes, 64);
    ring->element_size_bytes = element_size_bytes;
    ring->capacity = capacity;
    atomic_init(&ring->head, 0);
    atomic_init(&ring->tail, 0);
}

static uint8_t *slot(struct ring *ring, uint64_t position)
{
    return ring->elements + (position & (ring->capacity - 1)) * (size_t)ring->element_size_bytes;
}

bool ring_push(struct ring *ring, const void *element)
{
    uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
    if (tail - atomic_load_explicit(&ring->head, memory_order_acquire) == ring->capacity)
        return false;
    memcpy(slot(ring, tail), element, ring->element_size_bytes);
    atomic_store_explicit(&ring->tail, tail + 1, memory_order_release);
    return true;
}

bool ring_pop(struct ring *ring, void *ret_element)
{
    uint64_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
    if (head == atomic_load_explicit(&ring->tail, memory_order_acquire))
        return false;
    memcpy(ret_element, slot(ring, head), ring->element_size_bytes);
    atomic_store_explicit(&ring->head, head + 1, memory_order_release);
    return true;
}
