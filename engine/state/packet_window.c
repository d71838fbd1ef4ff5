/* Packets seen: see engine/state/packet_window.h. */
#include "engine/state/packet_window.h"

/* A higher number than any before. */
static void move_on(struct packet_window *window, uint64_t number)
{
    uint64_t *seen = window->seen;
    uint64_t ahead = number - window->highest;
    if (ahead >= PACKET_WINDOW) {
        seen[1] = 0;
        seen[0] = 0;
    } else if (ahead >= 64) {
        seen[1] = seen[0] << (ahead - 64);
        seen[0] = 0;
    } else {
        seen[1] = seen[1] << ahead | seen[0] >> (64 - ahead);
        seen[0] <<= ahead;
    }
    seen[0] |= 1;
    window->highest = number;
}

bool packet_window_accept(struct packet_window *window, uint64_t number)
{
    if (number > window->highest) {
        move_on(window, number);
        return true;
    }
    uint64_t behind = window->highest - number;
    if (behind >= PACKET_WINDOW)
        return false;
    uint64_t bit = (uint64_t)1 << (behind % 64);
    if ((window->seen[behind / 64] & bit) != 0)
        return false;
    window->seen[behind / 64] |= bit;
    return true;
}
