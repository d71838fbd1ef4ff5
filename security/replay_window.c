/* See replay_window.h. */
#include "security/replay_window.h"

#include "base/check.h"

static_assert((REPLAY_WINDOW_WORDS & (REPLAY_WINDOW_WORDS - 1)) == 0, "a ring has a mask");
static_assert(REPLAY_WINDOW_NUMBERS >= 1024, "as far as bursts of several queues overtake");

static uint32_t word_of(uint64_t number)
{
    return (uint32_t)(number / 64 % REPLAY_WINDOW_WORDS);
}

enum error replay_window_check(const struct replay_window *window, uint64_t number)
{
    if (number == 0)
        return ERR_RANGE;
    if (number > window->highest)
        return OK;
    if (window->highest - number >= REPLAY_WINDOW_NUMBERS)
        return ERR_REPLAYED;
    bool has_come = (window->words[word_of(number)] >> (number % 64) & 1) != 0;
    return has_come ? ERR_REPLAYED : OK;
}

void replay_window_note(struct replay_window *window, uint64_t number)
{
    CHECK(replay_window_check(window, number) == OK);
    if (number > window->highest) {
        /* The words between the two are of numbers that have left the window. */
        uint64_t moved = number / 64 - window->highest / 64;
        if (moved > REPLAY_WINDOW_WORDS)
            moved = REPLAY_WINDOW_WORDS;
        for (uint64_t i = 0; i < moved; i++)
            window->words[word_of(number - i * 64)] = 0;
        window->highest = number;
    }
    window->words[word_of(number)] |= UINT64_C(1) << (number % 64);
}
