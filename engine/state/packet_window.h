/*
 * Which packets of one sender were seen. This is why a refusal holds: a copy of a refused packet
 * has a number that was seen, and is dropped. A retry has a new number, for packet numbers rise
 * with every transmission.
 */
#ifndef POLLUX_ENGINE_STATE_PACKET_WINDOW_H
#define POLLUX_ENGINE_STATE_PACKET_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

/* Packets below the highest number seen that are still told apart. */
#define PACKET_WINDOW 128

struct packet_window {
    uint64_t highest;
    uint64_t seen[2]; /* bit n: highest - n was seen */
};

/* True once for every packet number; false for a number seen before or too old to tell. */
bool packet_window_accept(struct packet_window *window, uint64_t number);

#endif
