/* Sessions of nodes: see engine/state/node_progress.h. */
#include "engine/state/node_progress.h"

#include "base/check.h"
#include "base/le.h"
#include "engine/state/key_hash.h"

#include <string.h>

size_t nodes_progress_arena_bytes(void)
{
    return (VOTER_ID_MAX + 1) * sizeof(struct node_progress) + 64;
}

void nodes_progress_init(struct nodes_progress *sessions, struct arena *arena)
{
    sessions->sessions = arena_take(arena, (VOTER_ID_MAX + 1) * sizeof(struct node_progress), 64);
}

struct node_progress *node_progress_of(const struct nodes_progress *sessions, uint16_t node)
{
    CHECK(node >= 1 && node <= VOTER_ID_MAX);
    return &sessions->sessions[node];
}

/* Place of the first cancel whose seq is at least `seq`. */
static uint32_t place_of(const struct node_progress *session, uint64_t seq)
{
    uint32_t low = 0;
    uint32_t high = session->cancel_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (session->cancels[middle].seq < seq)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Without a client it is the name of all that the key has. */
static uint64_t name_of(struct span key, uint32_t tag)
{
    return key_hash(key) ^ (uint64_t)tag * UINT64_C(0x9e3779b97f4a7c15);
}

/* Place of the name's cancel, from `place` on; cancel_count: it has none there. */
static uint32_t place_of_name(const struct node_progress *session, uint32_t place, uint64_t name)
{
    while (place < session->cancel_count && session->cancels[place].name != name)
        place++;
    return place;
}

bool node_progress_is_decided(const struct node_progress *session, uint64_t seq, struct span key,
                              uint32_t tag)
{
    if (seq <= session->last_seq)
        return true;
    uint32_t place = place_of(session, seq);
    if (place == session->cancel_count)
        return false;
    return place_of_name(session, place, name_of(key, tag)) < session->cancel_count ||
           place_of_name(session, place, name_of(key, 0)) < session->cancel_count;
}

bool node_progress_has_room(const struct node_progress *session, uint32_t count, uint32_t max)
{
    CHECK(max <= NODE_CANCELS_CAPACITY);
    return session->cancel_count + count <= max;
}

/* Takes cancels out. */
static void forget(struct node_progress *session, uint32_t place, uint32_t count)
{
    session->cancel_count -= count;
    memmove(&session->cancels[place], &session->cancels[place + count],
            (session->cancel_count - place) * sizeof(session->cancels[0]));
}

void node_progress_cancel(struct node_progress *session, uint64_t seq, struct span key,
                          uint32_t tag)
{
    if (node_progress_is_decided(session, seq, key, tag))
        return;
    uint64_t name = name_of(key, tag);
    uint32_t older = place_of_name(session, 0, name);
    if (older < session->cancel_count)
        forget(session, older, 1);
    CHECK(session->cancel_count < NODE_CANCELS_CAPACITY);
    uint32_t place = place_of(session, seq);
    memmove(&session->cancels[place + 1], &session->cancels[place],
            (session->cancel_count - place) * sizeof(session->cancels[0]));
    session->cancels[place] = (struct node_cancel){seq, name};
    session->cancel_count++;
}

void node_progress_advance(struct node_progress *session, uint64_t seq)
{
    CHECK(seq > session->last_seq);
    session->last_seq = seq;
    forget(session, 0, place_of(session, seq + 1));
}

static uint64_t state_hash(const struct node_progress *session, uint16_t node)
{
    uint8_t words[24];
    le64_store(words, node);
    le64_store(words + 8, session->last_seq);
    le64_store(words + 16, session->cancel_count);
    uint64_t hash = key_hash(span_of(words, sizeof(words)));
    for (uint32_t i = 0; i < session->cancel_count; i++) {
        le64_store(words, session->cancels[i].seq);
        le64_store(words + 8, session->cancels[i].name);
        hash = hash * 3 + key_hash(span_of(words, 16));
    }
    return hash;
}

uint64_t nodes_progress_state_hash(const struct nodes_progress *sessions)
{
    uint64_t hash = 0;
    for (uint16_t node = 1; node <= VOTER_ID_MAX; node++) {
        const struct node_progress *session = &sessions->sessions[node];
        if (session->last_seq != 0 || session->cancel_count != 0)
            hash += state_hash(session, node);
    }
    return hash;
}

void nodes_progress_check_invariants(const struct nodes_progress *sessions)
{
    for (uint16_t node = 1; node <= VOTER_ID_MAX; node++) {
        const struct node_progress *session = &sessions->sessions[node];
        uint64_t previous = session->last_seq;
        CHECK(session->cancel_count <= NODE_CANCELS_CAPACITY);
        CHECK(session->cancel_count == 0 || session->cancels[0].seq > session->last_seq);
        for (uint32_t i = 0; i < session->cancel_count; i++) {
            const struct node_cancel *cancel = &session->cancels[i];
            CHECK(cancel->seq >= previous);
            CHECK(place_of_name(session, i + 1, cancel->name) == session->cancel_count);
            previous = cancel->seq;
        }
    }
}
