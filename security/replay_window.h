/*
 * Which packet numbers of one key have come. A number is taken once; one that lies more than
 * REPLAY_WINDOW_NUMBERS behind the highest is taken for seen, since nobody can tell any more.
 * Source: RFC 6479 (a ring of words, cleared as the window moves on, so that nothing is shifted).
 *
 * Call replay_window_check before the tag is verified, and replay_window_note after: a forged
 * packet must not move the window.
 *
 * Owner: one thread.
 */
#ifndef POLLUX_SECURITY_REPLAY_WINDOW_H
#define POLLUX_SECURITY_REPLAY_WINDOW_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

#define REPLAY_WINDOW_WORDS   32u
#define REPLAY_WINDOW_NUMBERS ((REPLAY_WINDOW_WORDS - 1) * 64u)

/* All zero: nothing has come. */
struct replay_window {
    uint64_t highest;
    uint64_t words[REPLAY_WINDOW_WORDS]; /* bit n % 64 of word n / 64 % REPLAY_WINDOW_WORDS */
};

/* ERR_RANGE: 0, which is no packet's number. ERR_REPLAYED: it has come, or is too old to tell. */
MUST_USE enum error replay_window_check(const struct replay_window *window, uint64_t number);

/* The number has come; replay_window_check has just said OK (CHECK). */
void replay_window_note(struct replay_window *window, uint64_t number);

#endif
