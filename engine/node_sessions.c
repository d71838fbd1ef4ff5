/* Sessions of nodes: see engine/node_sessions.h. */
#include "engine/node_sessions.h"

#include "base/check.h"
#include "base/le.h"
#include "engine/key_hash.h"

#include <string.h>

size_t node_sessions_arena_bytes(void)
{
    return (VOTER_ID_MAX + 1) * sizeof(struct node_session) + 64;
}

void node_sessions_init(struct node_sessions *sessions, struct arena *arena)
{
    sessions->sessions = arena_take(arena, (VOTER_ID_MAX + 1) * sizeof(struct node_session), 64);
}

struct node_session *node_session_of(const struct node_sessions *sessions, uint16_t node)
{
    CHECK(node >= 1 && node <= VOTER_ID_MAX);
    return &sessions->sessions[node];
}

/* Place of the first cancelled seq that is at least `seq`. */
static uint32_t place_of(const struct node_session *session, uint64_t seq)
{
    uint32_t low = 0;
    uint32_t high = session->cancelled_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (session->cancelled[middle] < seq)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool node_session_is_settled(const struct node_session *session, uint64_t seq)
{
    if (seq <= session->last_seq)
        return true;
    uint32_t place = place_of(session, seq);
    return place < session->cancelled_count && session->cancelled[place] == seq;
}

bool node_session_has_room(const struct node_session *session, uint32_t count, uint32_t max)
{
    CHECK(max <= NODE_CANCELS_CAPACITY);
    return session->cancelled_count + count <= max;
}

void node_session_cancel(struct node_session *session, uint64_t seq)
{
    if (node_session_is_settled(session, seq))
        return;
    CHECK(session->cancelled_count < NODE_CANCELS_CAPACITY);
    uint32_t place = place_of(session, seq);
    memmove(&session->cancelled[place + 1], &session->cancelled[place],
            (session->cancelled_count - place) * sizeof(session->cancelled[0]));
    session->cancelled[place] = seq;
    session->cancelled_count++;
}

void node_session_advance(struct node_session *session, uint64_t seq)
{
    CHECK(seq > session->last_seq);
    session->last_seq = seq;
    uint32_t gone = place_of(session, seq + 1);
    session->cancelled_count -= gone;
    memmove(&session->cancelled[0], &session->cancelled[gone],
            session->cancelled_count * sizeof(session->cancelled[0]));
}

static uint64_t state_hash(const struct node_session *session, uint16_t node)
{
    uint8_t words[24];
    le64_store(words, node);
    le64_store(words + 8, session->last_seq);
    le64_store(words + 16, session->cancelled_count);
    uint64_t hash = key_hash(span_of(words, sizeof(words)));
    for (uint32_t i = 0; i < session->cancelled_count; i++) {
        le64_store(words, session->cancelled[i]);
        hash = hash * 3 + key_hash(span_of(words, 8));
    }
    return hash;
}

uint64_t node_sessions_state_hash(const struct node_sessions *sessions)
{
    uint64_t hash = 0;
    for (uint16_t node = 1; node <= VOTER_ID_MAX; node++) {
        const struct node_session *session = &sessions->sessions[node];
        if (session->last_seq != 0 || session->cancelled_count != 0)
            hash += state_hash(session, node);
    }
    return hash;
}

void node_sessions_check_invariants(const struct node_sessions *sessions)
{
    for (uint16_t node = 1; node <= VOTER_ID_MAX; node++) {
        const struct node_session *session = &sessions->sessions[node];
        uint64_t previous = session->last_seq;
        CHECK(session->cancelled_count <= NODE_CANCELS_CAPACITY);
        for (uint32_t i = 0; i < session->cancelled_count; i++) {
            CHECK(session->cancelled[i] > previous);
            previous = session->cancelled[i];
        }
    }
}
