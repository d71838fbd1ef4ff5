/*
 * A bounded ring of fixed-size elements, one producer thread and one consumer thread (Lamport
 * 1983). The only mutable thing besides RCU that two threads of a node share.
 *
 * Each counter is written by one side: `head` by the consumer, `tail` by the producer. The release
 * store of `tail` pairs with the acquire load in ring_pop (elements are visible before they are
 * counted); the release store of `head` pairs with the acquire load in ring_push (a slot is read
 * before it is reused).
 */
#ifndef POLLUX_BASE_RING_H
#define POLLUX_BASE_RING_H

#include "base/arena.h"

#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ring {
    uint8_t *elements;
    uint32_t element_size_bytes;
    uint32_t capacity; /* a power of two */
    alignas(64) _Atomic uint64_t head;
    alignas(64) _Atomic uint64_t tail;
};

/* Takes capacity * element_size_bytes from the arena; capacity is a power of two (CHECK). */
void ring_init(struct ring *ring, struct arena *arena, uint32_t capacity,
               uint32_t element_size_bytes);

/* Copies one element in; false when full. Producer thread only. */
bool ring_push(struct ring *ring, const void *element);

/* Copies the oldest element out; false when empty. Consumer thread only. */
bool ring_pop(struct ring *ring, void *ret_element);

#endif
