/*
 * What is done to a cluster, and when: drawn from a seed before it begins, so that a seed names the
 * whole attack. Episodes of trouble are parted by calms in which every node runs and every link is
 * perfect, so a quorum is never missing for longer than one episode.
 *
 * An event is one line, "AT_MS ACTION...":
 *   kill HOLD NODE   SIGKILL; NODE is a number, or "leader:N": who leads, else N. A node that is
 *                    down already stands for its next neighbour
 *   lose HOLD        deletes the storage of what HOLD killed, but not its identity
 *   setback HOLD     sets it back to an earlier copy of its whole storage, or takes that copy
 *   start HOLD       starts again what HOLD killed
 *   stop HOLD NODE   SIGSTOP          cont HOLD   SIGCONT
 *   transfer NODE    leadership to NODE
 *   remove NODE      from the members; it is added again in the next calm
 *   part NODE        cuts the node from its peers, not from the clients: a leader goes on to lead
 *   net COMMAND...   a command of the switch; port 0 is the clients
 *   calm             everything is mended; the next episode is a while away
 */
#ifndef POLLUX_TESTS_CHAOS_SCHEDULE_H
#define POLLUX_TESTS_CHAOS_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

#define SCHEDULE_EVENTS_MAX     32768
#define SCHEDULE_TEXT_MAX       64
#define SCHEDULE_EPISODE_MS_MAX 11000
#define SCHEDULE_CALM_MS_MIN    1500

struct schedule_event {
    uint64_t at_ms;
    uint32_t order; /* among events of one time */
    char text[SCHEDULE_TEXT_MAX];
};

struct schedule {
    struct schedule_event events[SCHEDULE_EVENTS_MAX];
    uint32_t count;
};

struct schedule_options {
    uint64_t seed;
    uint64_t duration_ms; /* the last calm begins by then */
    uint32_t node_count;  /* 3 to 9 */
    bool has_losses;      /* storages are lost and set back, and nodes removed from the members */
};

void schedule_draw(const struct schedule_options *options, struct schedule *ret_schedule);

#endif
