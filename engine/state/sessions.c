/* The session table: see engine/state/sessions.h. */
#include "engine/state/sessions.h"

#include "base/check.h"
#include "base/le.h"
#include "engine/state/key_hash.h"

static uint32_t session_bucket_count(uint32_t sessions_max)
{
    uint32_t count = 16;
    while (count < 2 * sessions_max)
        count *= 2;
    return count;
}

size_t sessions_arena_bytes(uint32_t sessions_max)
{
    return ((size_t)sessions_max + 1) * sizeof(struct session) +
           SESSIONS_ENDED_MAX * sizeof(struct session_ended) + 64 +
           2 * (session_bucket_count(sessions_max) * sizeof(uint32_t) + 64) + 64;
}

void sessions_init(struct sessions *sessions, struct arena *arena, uint32_t sessions_max,
                   const struct siphash_key *hash_key)
{
    CHECK(sessions_max > 0 && sessions_max <= SESSIONS_MAX);
    uint32_t buckets = session_bucket_count(sessions_max);
    *sessions = (struct sessions){
        .slots = arena_take(arena, ((size_t)sessions_max + 1) * sizeof(struct session), 64),
        .buckets = arena_take(arena, buckets * sizeof(uint32_t), 64),
        .nonces = arena_take(arena, buckets * sizeof(uint32_t), 64),
        .ended = arena_take(arena, SESSIONS_ENDED_MAX * sizeof(struct session_ended), 64),
        .hash_key = *hash_key,
        .buckets_mask = buckets - 1,
        .untouched = 1,
        .capacity = sessions_max,
    };
    TAILQ_INIT(&sessions->active);
    TAILQ_INIT(&sessions->idle);
}

/* Ids are drawn by the log, one after the other. */
static uint32_t session_hash(uint64_t id)
{
    uint64_t hash = id * 0x9e3779b97f4a7c15u;
    return (uint32_t)(hash >> 32);
}

static struct session_ended *ended_at(const struct sessions *sessions, uint64_t id)
{
    return &sessions->ended[session_hash(id) % SESSIONS_ENDED_MAX];
}

uint64_t sessions_ended_floor(const struct sessions *sessions, uint64_t id)
{
    const struct session_ended *ended = ended_at(sessions, id);
    return ended->id == id ? ended->floor : 0;
}

void sessions_note_ended(struct sessions *sessions, const struct session *session)
{
    *ended_at(sessions, session->id) = (struct session_ended){session->id, session->floor};
}

static uint32_t *session_bucket(const struct sessions *sessions, uint64_t id)
{
    return &sessions->buckets[session_hash(id) & sessions->buckets_mask];
}

static uint32_t *bucket_of_nonce(const struct sessions *sessions, uint64_t nonce)
{
    return &sessions->nonces[siphash_u64(&sessions->hash_key, nonce) & sessions->buckets_mask];
}

static uint32_t session_slot(const struct sessions *sessions, const struct session *session)
{
    return (uint32_t)(session - sessions->slots);
}

struct session *sessions_find(const struct sessions *sessions, uint64_t id)
{
    /* Ids are unique and the table bounds the chain. */
    for (uint32_t slot = *session_bucket(sessions, id); slot != 0;
         slot = sessions->slots[slot].next) {
        if (sessions->slots[slot].id == id)
            return &sessions->slots[slot];
    }
    return NULL;
}

struct session *sessions_find_nonce(const struct sessions *sessions, uint64_t nonce)
{
    /* Nonces are unique and the table bounds the chain. */
    uint32_t slot = *bucket_of_nonce(sessions, nonce);
    while (slot != 0 && sessions->slots[slot].nonce != nonce)
        slot = sessions->slots[slot].next_of_nonce;
    return slot == 0 ? NULL : &sessions->slots[slot];
}

void sessions_set_nonce(struct sessions *sessions, struct session *session, uint64_t nonce)
{
    CHECK(nonce != 0 && session->nonce == 0);
    CHECK(sessions_find_nonce(sessions, nonce) == NULL);
    uint32_t *bucket = bucket_of_nonce(sessions, nonce);
    session->nonce = nonce;
    session->next_of_nonce = *bucket;
    *bucket = session_slot(sessions, session);
}

void sessions_watch_begin(struct sessions *sessions, const struct sessions_watch *watch)
{
    CHECK(sessions->watch.before_change == NULL);
    sessions->watch = *watch;
    sessions->epoch++;
}

void sessions_watch_end(struct sessions *sessions)
{
    sessions->watch.before_change = NULL;
}

/* Every change of a session begins with its activity or is its end: both come here first. */
static inline void will_change(const struct sessions *sessions, struct session *session)
{
    if (sessions->watch.before_change != NULL && sessions_is_unseen(sessions, session))
        sessions->watch.before_change(sessions->watch.context, session);
}

static struct session_order *order_of(struct sessions *sessions, const struct session *session)
{
    return session->is_idle ? &sessions->idle : &sessions->active;
}

static uint32_t slot_take(struct sessions *sessions)
{
    if (sessions->free_first == 0)
        return sessions->untouched++;
    uint32_t slot = sessions->free_first;
    sessions->free_first = sessions->slots[slot].next;
    return slot;
}

struct session *sessions_open(struct sessions *sessions, uint64_t id, uint64_t log_time_ns)
{
    CHECK(id != 0);
    DCHECK(sessions_find(sessions, id) == NULL);
    if (sessions->count == sessions->capacity)
        return NULL;
    uint32_t slot = slot_take(sessions);
    CHECK(slot <= sessions->capacity);
    uint32_t *bucket = session_bucket(sessions, id);
    struct session *session = &sessions->slots[slot];
    *session = (struct session){.id = id,
                                .floor = 1,
                                .last_active_ns = log_time_ns,
                                .rank = sessions->next_rank++,
                                .is_idle = true,
                                .epoch = sessions->epoch,
                                .next = *bucket};
    *bucket = slot;
    TAILQ_INSERT_TAIL(&sessions->idle, session, order);
    sessions->count++;
    return session;
}

static void forget_nonce(struct sessions *sessions, struct session *session)
{
    uint32_t slot = session_slot(sessions, session);
    if (session->nonce == 0)
        return;
    uint32_t *link = bucket_of_nonce(sessions, session->nonce);
    while (*link != slot) {
        CHECK(*link != 0);
        link = &sessions->slots[*link].next_of_nonce;
    }
    *link = session->next_of_nonce;
    session->nonce = 0;
}

void sessions_close(struct sessions *sessions, struct session *session)
{
    will_change(sessions, session);
    uint32_t slot = session_slot(sessions, session);
    uint32_t *link = session_bucket(sessions, session->id);
    while (*link != slot) {
        CHECK(*link != 0);
        link = &sessions->slots[*link].next;
    }
    *link = session->next;
    forget_nonce(sessions, session);
    TAILQ_REMOVE(order_of(sessions, session), session, order);
    session->id = 0;
    session->next = sessions->free_first;
    sessions->free_first = slot;
    sessions->count--;
}

void sessions_move_to_end(struct sessions *sessions, struct session *session, bool is_idle)
{
    TAILQ_REMOVE(order_of(sessions, session), session, order);
    session->is_idle = is_idle;
    TAILQ_INSERT_TAIL(order_of(sessions, session), session, order);
}

void sessions_touch(struct sessions *sessions, struct session *session, uint64_t log_time_ns)
{
    CHECK(log_time_ns >= session->last_active_ns);
    will_change(sessions, session);
    session->last_active_ns = log_time_ns;
    session->rank = sessions->next_rank++;
    if (session->is_idle || TAILQ_NEXT(session, order) != NULL)
        sessions_move_to_end(sessions, session, false);
}

void sessions_rest(struct sessions *sessions, struct session *session)
{
    CHECK(session->rank + 1 == sessions->next_rank);
    if (session->seq_highest < session->floor)
        sessions_move_to_end(sessions, session, true);
}

static inline uint32_t order_expire(struct sessions *sessions, struct session_order *order,
                                    const struct sessions_oldest *oldest, uint32_t count_max)
{
    uint32_t count = 0;
    while (count < count_max && !TAILQ_EMPTY(order)) {
        struct session *session = TAILQ_FIRST(order);
        if (!session_has_ended(session, oldest))
            break;
        if (session->is_idle)
            sessions_note_ended(sessions, session);
        sessions_close(sessions, session);
        count++;
    }
    return count;
}

uint32_t sessions_expire(struct sessions *sessions, const struct sessions_oldest *oldest,
                         uint32_t count_max)
{
    uint32_t count = order_expire(sessions, &sessions->idle, oldest, count_max);
    return count + order_expire(sessions, &sessions->active, oldest, count_max - count);
}

struct session *sessions_any(const struct sessions *sessions)
{
    struct session *session = TAILQ_FIRST(&sessions->active);
    return session != NULL ? session : TAILQ_FIRST(&sessions->idle);
}

void session_remember(struct session *session, const struct session_outcome *outcome)
{
    CHECK(outcome->seq >= session->floor && outcome->seq - session->floor < SESSION_WINDOW);
    session->outcomes[outcome->seq & (SESSION_WINDOW - 1)] = *outcome;
    session->is_used = true;
    if (outcome->seq > session->seq_highest)
        session->seq_highest = outcome->seq;
}

static uint64_t session_state_hash(const struct session *session)
{
    uint8_t words[48];
    le64_store(words, session->id);
    le64_store(words + 8, session->floor);
    le64_store(words + 16, session->last_active_ns);
    le64_store(words + 24, session->nonce);
    le64_store(words + 32, session->is_used | (uint64_t)session->is_idle << 1);
    le64_store(words + 40, session->rank);
    uint64_t hash = key_hash(span_of(words, sizeof(words)));
    for (uint32_t i = 0; i < SESSION_WINDOW; i++) {
        const struct session_outcome *outcome = &session->outcomes[i];
        if (outcome->seq < session->floor)
            continue;
        le64_store(words, outcome->seq);
        le64_store(words + 8, outcome->version);
        le64_store(words + 16, outcome->outcome);
        hash = hash * 3 + key_hash(span_of(words, 24));
    }
    return hash;
}

static uint64_t order_state_hash(const struct session_order *order)
{
    uint64_t hash = 0;
    for (const struct session *session = TAILQ_FIRST(order); session != NULL;
         session = TAILQ_NEXT(session, order))
        hash += session_state_hash(session);
    return hash;
}

uint64_t sessions_state_hash(const struct sessions *sessions)
{
    return sessions->count + sessions->next_rank * 3 + order_state_hash(&sessions->active) +
           order_state_hash(&sessions->idle);
}

/* Returns how many there are. */
static uint32_t order_check(const struct sessions *sessions, const struct session_order *order,
                            uint64_t log_time_ns)
{
    uint32_t count = 0;
    uint64_t last_ns = 0;
    uint64_t rank_min = 0;
    for (const struct session *session = TAILQ_FIRST(order); session != NULL;
         session = TAILQ_NEXT(session, order)) {
        CHECK(++count <= sessions->capacity);
        CHECK(session->is_idle == (order == &sessions->idle));
        CHECK(!session->is_idle || session->seq_highest < session->floor);
        CHECK(session->id != 0 && sessions_find(sessions, session->id) == session);
        CHECK(session->nonce == 0 || sessions_find_nonce(sessions, session->nonce) == session);
        CHECK(session->last_active_ns >= last_ns && session->last_active_ns <= log_time_ns);
        last_ns = session->last_active_ns;
        CHECK(session->rank >= rank_min && session->rank < sessions->next_rank);
        rank_min = session->rank + 1;
    }
    return count;
}

void sessions_check_invariants(const struct sessions *sessions, uint64_t log_time_ns)
{
    uint32_t count = order_check(sessions, &sessions->active, log_time_ns);
    CHECK(count + order_check(sessions, &sessions->idle, log_time_ns) == sessions->count);
}
