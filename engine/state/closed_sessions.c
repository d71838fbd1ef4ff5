/* Sessions that have ended: see engine/state/closed_sessions.h. */
#include "engine/state/closed_sessions.h"

static_assert((CLOSED_SESSIONS_MAX & (CLOSED_SESSIONS_MAX - 1)) == 0, "places are found by a mask");

size_t closed_sessions_arena_bytes(void)
{
    return CLOSED_SESSIONS_MAX * sizeof(struct closed_session) + 64;
}

void closed_sessions_init(struct closed_sessions *closed, struct arena *arena)
{
    closed->places = arena_take(arena, CLOSED_SESSIONS_MAX * sizeof(struct closed_session), 64);
}

/* Who chooses ids that meet here hinders his own sessions alone: other ids are not known to him. */
static struct closed_session *closed_place_at(const struct closed_sessions *closed, uint64_t id,
                                              uint32_t probe)
{
    uint64_t hash = id * 0x9e3779b97f4a7c15u >> 32;
    return &closed->places[(hash + probe) & (CLOSED_SESSIONS_MAX - 1)];
}

/* The place of the session: its own, a free one, or the one that is free next. */
static struct closed_session *closed_place_of(const struct closed_sessions *closed, uint64_t id,
                                              uint64_t now_ns)
{
    struct closed_session *place = closed_place_at(closed, id, 0);
    for (uint32_t i = 0; i < CLOSED_SESSIONS_PROBES; i++) {
        struct closed_session *other = closed_place_at(closed, id, i);
        if (other->id == id)
            return other;
        if (place->until_ns >= now_ns && other->until_ns < place->until_ns)
            place = other;
    }
    return place;
}

bool closed_sessions_has_room(const struct closed_sessions *closed, uint64_t id, uint64_t now_ns)
{
    const struct closed_session *place = closed_place_of(closed, id, now_ns);
    return place->id == 0 || place->id == id || place->until_ns < now_ns;
}

void closed_sessions_note(struct closed_sessions *closed, const struct closed_session *session,
                          uint64_t now_ns)
{
    *closed_place_of(closed, session->id, now_ns) = *session;
}

bool closed_sessions_has_taken(const struct closed_sessions *closed, uint64_t id,
                               uint64_t packet_number)
{
    for (uint32_t i = 0; i < CLOSED_SESSIONS_PROBES; i++) {
        const struct closed_session *place = closed_place_at(closed, id, i);
        if (place->id == id)
            return packet_number <= place->packet_highest;
    }
    return false;
}
