/* See sent_appends.h. A ring of each peer. */
#include "server/sent_appends.h"

#include "base/check.h"

struct sent_ring {
    uint64_t count; /* kept since the start */
    uint64_t term;  /* of the newest */
    uint64_t end;   /* index of the last entry that any message of that term had */
    struct sent_append appends[SENT_APPENDS_PER_PEER];
};

struct sent_appends {
    uint32_t peer_count;
    uint64_t life_ns;
    struct sent_ring *rings;
};

size_t sent_appends_arena_bytes(uint32_t peer_count)
{
    return sizeof(struct sent_appends) + peer_count * sizeof(struct sent_ring) + (size_t)2 * 64;
}

struct sent_appends *sent_appends_init(struct arena *arena, uint32_t peer_count, uint64_t life_ns)
{
    CHECK(peer_count > 0 && peer_count <= RAFT_MEMBERS_MAX);
    struct sent_appends *appends = arena_take(arena, sizeof(*appends), 64);
    appends->peer_count = peer_count;
    appends->life_ns = life_ns;
    appends->rings = arena_take(arena, peer_count * sizeof(struct sent_ring), 64);
    return appends;
}

void sent_appends_keep(struct sent_appends *appends, uint32_t peer,
                       const struct sent_append *append, uint32_t piece_count)
{
    CHECK(peer < appends->peer_count && append->message.type == RAFT_APPEND_REQUEST);
    struct sent_ring *ring = &appends->rings[peer];
    uint64_t end =
        append->message.append_request.previous_index + append->message.append_request.entry_count;
    if (append->message.term != ring->term || end > ring->end)
        ring->end = end;
    ring->term = append->message.term;
    struct sent_append *kept = &ring->appends[ring->count++ % SENT_APPENDS_PER_PEER];
    *kept = *append;
    kept->useful_ns = append->sent_ns;
    kept->pieces_left = SENT_APPEND_REPEATS * piece_count;
}

/* The i-th newest; NULL: there are not so many. */
static struct sent_append *newest(struct sent_ring *ring, uint32_t i)
{
    if (i >= ring->count || i >= SENT_APPENDS_PER_PEER)
        return NULL;
    return &ring->appends[(ring->count - 1 - i) % SENT_APPENDS_PER_PEER];
}

static bool has_same_entries(const struct raft_message *a, const struct raft_message *b)
{
    return a->term == b->term && a->to.birth == b->to.birth &&
           a->append_request.previous_index == b->append_request.previous_index &&
           a->append_request.entry_count == b->append_request.entry_count;
}

struct sent_append *sent_appends_same(struct sent_appends *appends, uint32_t peer,
                                      const struct raft_message *message, uint64_t now_ns)
{
    CHECK(peer < appends->peer_count);
    struct sent_ring *ring = &appends->rings[peer];
    /* Most messages carry what was never sent. */
    if (message->term != ring->term || message->append_request.previous_index >= ring->end)
        return NULL;
    for (uint32_t i = 0; i < SENT_APPENDS_PER_PEER; i++) {
        struct sent_append *append = newest(ring, i);
        if (append == NULL)
            return NULL;
        if (has_same_entries(&append->message, message)) {
            bool is_useful =
                append->pieces_left > 0 && now_ns - append->useful_ns <= appends->life_ns &&
                append->message.append_request.suspicion == message->append_request.suspicion &&
                append->message.append_request.round >= message->append_request.round_min;
            return is_useful ? append : NULL;
        }
    }
    return NULL;
}

struct sent_append *sent_appends_asked(struct sent_appends *appends, uint32_t peer,
                                       const struct wire_missing *missing, uint64_t now_ns)
{
    CHECK(peer < appends->peer_count);
    struct sent_ring *ring = &appends->rings[peer];
    for (uint32_t i = 0; i < SENT_APPENDS_PER_PEER; i++) {
        struct sent_append *append = newest(ring, i);
        if (append == NULL)
            return NULL;
        if (append->message_id != missing->message_id)
            continue;
        uint64_t waited_ns = UINT64_C(1000) * missing->age_us;
        uint64_t age_ns = now_ns - append->sent_ns;
        if (append->pieces_left == 0 ||
            (age_ns > waited_ns && age_ns - waited_ns > appends->life_ns))
            return NULL;
        append->useful_ns = now_ns;
        return append;
    }
    return NULL;
}
