/* See fetch_pace.h. */
#include "server/fetch_pace.h"

/* Of what the silence is above the shortest one, each block takes this part away. */
#define DECAY_DIVISOR 16
#define SPREADS       8u

void fetch_pace_begin(struct fetch_pace *pace, uint16_t shard)
{
    uint64_t silence_ns = pace->silence_ns != 0 ? pace->silence_ns : FETCH_SILENCE_NS_MIN;
    *pace = (struct fetch_pace){.silence_ns = silence_ns, .spread = shard % SPREADS};
}

void fetch_pace_ask(struct fetch_pace *pace, uint32_t count, uint64_t now_ns, uint64_t next_ask_ns)
{
    if (pace->asked_count > 0)
        pace->silence_ns *= 2;
    if (pace->silence_ns > FETCH_SILENCE_NS_MAX)
        pace->silence_ns = FETCH_SILENCE_NS_MAX;
    pace->asked_count = count;
    pace->quiet_ns = now_ns;
    pace->next_ask_ns = next_ask_ns;
}

void fetch_pace_block(struct fetch_pace *pace, uint64_t now_ns)
{
    pace->silence_ns -= (pace->silence_ns - FETCH_SILENCE_NS_MIN) / DECAY_DIVISOR;
    pace->quiet_ns = now_ns;
    if (pace->asked_count > 0)
        pace->asked_count--;
}

void fetch_pace_wait(struct fetch_pace *pace, uint64_t next_ask_ns)
{
    pace->next_ask_ns = next_ask_ns;
}

uint64_t fetch_pace_due_ns(const struct fetch_pace *pace)
{
    uint64_t wait_ns = pace->silence_ns + pace->silence_ns / 16 * pace->spread;
    uint64_t again_ns = pace->asked_count > 0 ? pace->quiet_ns + wait_ns : 0;
    return again_ns > pace->next_ask_ns ? again_ns : pace->next_ask_ns;
}
