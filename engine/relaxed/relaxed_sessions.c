/* Identities of clients that write relaxed: see engine/relaxed/relaxed_sessions.h. */
#include "engine/relaxed/relaxed_sessions.h"

#include "base/check.h"

#define BUCKETS (2 * RELAXED_SESSIONS_MAX)

static_assert((BUCKETS & (BUCKETS - 1)) == 0, "indexed by a mask");

size_t relaxed_sessions_arena_bytes(void)
{
    return (RELAXED_SESSIONS_MAX + 1) * sizeof(struct relaxed_session) +
           BUCKETS * sizeof(uint32_t) + closed_sessions_arena_bytes() + 128;
}

void relaxed_sessions_init(struct relaxed_sessions *sessions, struct arena *arena,
                           const struct siphash_key *hash_key)
{
    *sessions = (struct relaxed_sessions){
        .slots = arena_take(arena, (RELAXED_SESSIONS_MAX + 1) * sizeof(struct relaxed_session), 64),
        .buckets = arena_take(arena, BUCKETS * sizeof(uint32_t), 64),
        .hash_key = *hash_key};
    closed_sessions_init(&sessions->given_back, arena);
    TAILQ_INIT(&sessions->order);
}

static uint32_t *relaxed_bucket(const struct relaxed_sessions *sessions, uint64_t id)
{
    return &sessions->buckets[siphash_u64(&sessions->hash_key, id) & (BUCKETS - 1)];
}

struct relaxed_session *relaxed_sessions_find(const struct relaxed_sessions *sessions, uint64_t id)
{
    uint32_t slot = *relaxed_bucket(sessions, id);
    while (slot != 0 && sessions->slots[slot].id != id)
        slot = sessions->slots[slot].next;
    return slot == 0 ? NULL : &sessions->slots[slot];
}

static void relaxed_session_remove(struct relaxed_sessions *sessions,
                                   struct relaxed_session *session)
{
    uint32_t slot = (uint32_t)(session - sessions->slots);
    uint32_t *link = relaxed_bucket(sessions, session->id);
    while (*link != slot) {
        CHECK(*link != 0);
        link = &sessions->slots[*link].next;
    }
    *link = session->next;
    TAILQ_REMOVE(&sessions->order, session, order);
    sessions->openers[slot] = (struct relaxed_opener){.is_open = false};
    *session = (struct relaxed_session){.next = sessions->free_first};
    sessions->free_first = slot;
}

/* A free slot; the one that was silent longest makes way, if it was so for long enough. 0: none. */
static uint32_t relaxed_slot_take(struct relaxed_sessions *sessions, uint64_t now_ns)
{
    if (sessions->free_first == 0 && sessions->slots_used < RELAXED_SESSIONS_MAX)
        return ++sessions->slots_used;
    struct relaxed_session *oldest = TAILQ_FIRST(&sessions->order);
    if (sessions->free_first == 0 && now_ns - oldest->touched_ns >= RELAXED_SESSION_IDLE_NS)
        relaxed_session_remove(sessions, oldest);
    uint32_t slot = sessions->free_first;
    if (slot != 0)
        sessions->free_first = sessions->slots[slot].next;
    return slot;
}

/* What was refused while there was no session is not taken now. */
static void recall_refusals(const struct relaxed_sessions *sessions,
                            struct relaxed_session *session)
{
    for (uint32_t i = 0; i < STRANGERS_MAX; i++) {
        const struct stranger *stranger = &sessions->strangers[i];
        if (stranger->id == session->id)
            (void)packet_window_accept(&session->packets, stranger->packet_number);
    }
}

struct relaxed_session *relaxed_sessions_take(struct relaxed_sessions *sessions, uint64_t id,
                                              uint64_t now_ns)
{
    CHECK(id != 0);
    struct relaxed_session *session = relaxed_sessions_find(sessions, id);
    if (session != NULL) {
        TAILQ_REMOVE(&sessions->order, session, order);
    } else {
        uint32_t slot = relaxed_slot_take(sessions, now_ns);
        if (slot == 0)
            return NULL;
        session = &sessions->slots[slot];
        *session = (struct relaxed_session){.id = id, .next = *relaxed_bucket(sessions, id)};
        *relaxed_bucket(sessions, id) = slot;
        sessions->openers[slot].is_open = true;
        recall_refusals(sessions, session);
    }
    session->touched_ns = now_ns;
    sessions->openers[session - sessions->slots].heard_ns = now_ns;
    TAILQ_INSERT_TAIL(&sessions->order, session, order);
    return session;
}

struct relaxed_session *relaxed_sessions_take_again(struct relaxed_sessions *sessions, uint64_t id,
                                                    uint64_t now_ns)
{
    struct relaxed_session *session = relaxed_sessions_take(sessions, id, now_ns);
    if (session != NULL)
        return session;
    relaxed_session_remove(sessions, TAILQ_FIRST(&sessions->order));
    return relaxed_sessions_take(sessions, id, now_ns);
}

bool relaxed_sessions_give_back(struct relaxed_sessions *sessions, uint64_t id,
                                uint64_t packet_number, uint64_t now_ns)
{
    struct relaxed_session *session = relaxed_sessions_find(sessions, id);
    if (session == NULL)
        return true;
    if (!closed_sessions_has_room(&sessions->given_back, id, now_ns))
        return false;
    uint64_t highest = session->packets.highest;
    closed_sessions_note(&sessions->given_back,
                         &(struct closed_session){
                             .id = id,
                             .packet_highest = highest > packet_number ? highest : packet_number,
                             .until_ns = now_ns + RELAXED_PACKET_NS},
                         now_ns);
    relaxed_session_remove(sessions, session);
    return true;
}

bool relaxed_sessions_is_late(const struct relaxed_sessions *sessions, uint64_t id,
                              uint64_t packet_number)
{
    return closed_sessions_has_taken(&sessions->given_back, id, packet_number);
}

bool relaxed_sessions_is_over_share(const struct relaxed_sessions *sessions,
                                    const struct address *from, uint64_t now_ns)
{
    uint32_t living = 0;
    uint32_t of_host = 0;
    uint32_t of_address = 0;
    for (uint32_t slot = 1; slot <= sessions->slots_used; slot++) {
        const struct relaxed_opener *opener = &sessions->openers[slot];
        if (!opener->is_open || now_ns - opener->heard_ns >= RELAXED_SESSION_IDLE_NS)
            continue;
        living++;
        if (memcmp(opener->address.ip, from->ip, sizeof(from->ip)) != 0)
            continue;
        of_host++;
        of_address += opener->address.port == from->port;
    }
    uint32_t free_count = RELAXED_SESSIONS_MAX - living;
    uint32_t of_host_max =
        free_count > RELAXED_SESSIONS_OF_ADDRESS ? free_count : RELAXED_SESSIONS_OF_ADDRESS;
    return of_address >= RELAXED_SESSIONS_OF_ADDRESS || of_host >= of_host_max;
}

void relaxed_sessions_note_opener(struct relaxed_sessions *sessions,
                                  const struct relaxed_session *session, const struct address *from)
{
    sessions->openers[session - sessions->slots].address = *from;
}

bool relaxed_sessions_refuse(struct relaxed_sessions *sessions, uint64_t id, uint64_t packet_number,
                             uint64_t now_ns)
{
    for (uint32_t i = 0; i < STRANGERS_MAX; i++) {
        const struct stranger *stranger = &sessions->strangers[i];
        if (stranger->id == id && stranger->packet_number == packet_number)
            return false;
    }
    struct stranger *oldest = &sessions->strangers[sessions->strangers_tail % STRANGERS_MAX];
    if (oldest->id != 0 && now_ns - oldest->refused_ns < STRANGER_REMEMBER_NS)
        return false;
    *oldest = (struct stranger){id, packet_number, now_ns};
    sessions->strangers_tail++;
    return true;
}

uint64_t relaxed_session_recall(const struct relaxed_session *session, uint64_t seq)
{
    const struct relaxed_session_write *write = &session->writes[seq & (SESSION_WINDOW - 1)];
    return write->seq == seq ? write->journal_seq : 0;
}

bool relaxed_session_has_forgotten(const struct relaxed_session *session, uint64_t seq)
{
    return session->writes[seq & (SESSION_WINDOW - 1)].seq > seq;
}

void relaxed_session_remember(struct relaxed_session *session, uint64_t seq, uint64_t journal_seq)
{
    session->writes[seq & (SESSION_WINDOW - 1)] =
        (struct relaxed_session_write){.seq = seq, .journal_seq = journal_seq};
}
