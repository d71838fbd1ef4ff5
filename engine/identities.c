/* Identities of clients that write relaxed: see engine/identities.h. */
#include "engine/identities.h"

#include "base/check.h"

#define BUCKETS (2 * IDENTITIES_MAX)

static_assert((BUCKETS & (BUCKETS - 1)) == 0, "indexed by a mask");

size_t identities_arena_bytes(void)
{
    return (IDENTITIES_MAX + 1) * sizeof(struct identity) + BUCKETS * sizeof(uint32_t) + 128;
}

void identities_init(struct identities *identities, struct arena *arena)
{
    *identities = (struct identities){
        .slots = arena_take(arena, (IDENTITIES_MAX + 1) * sizeof(struct identity), 64),
        .buckets = arena_take(arena, BUCKETS * sizeof(uint32_t), 64)};
}

static uint32_t *bucket_of(const struct identities *identities, uint64_t id)
{
    uint64_t hash = id * 0x9e3779b97f4a7c15u;
    return &identities->buckets[(hash >> 32) & (BUCKETS - 1)];
}

struct identity *identities_find(const struct identities *identities, uint64_t id)
{
    uint32_t slot = *bucket_of(identities, id);
    while (slot != 0 && identities->slots[slot].id != id)
        slot = identities->slots[slot].next;
    return slot == 0 ? NULL : &identities->slots[slot];
}

static uint32_t slot_of(const struct identities *identities, const struct identity *identity)
{
    return (uint32_t)(identity - identities->slots);
}

static void order_append(struct identities *identities, struct identity *identity)
{
    uint32_t slot = slot_of(identities, identity);
    identity->older = identities->newest;
    identity->newer = 0;
    if (identities->newest != 0)
        identities->slots[identities->newest].newer = slot;
    else
        identities->oldest = slot;
    identities->newest = slot;
}

static void order_remove(struct identities *identities, struct identity *identity)
{
    if (identity->older != 0)
        identities->slots[identity->older].newer = identity->newer;
    else
        identities->oldest = identity->newer;
    if (identity->newer != 0)
        identities->slots[identity->newer].older = identity->older;
    else
        identities->newest = identity->older;
}

/* The one that was silent longest gives its slot back, if it was so for long enough. */
static uint32_t slot_reclaim(struct identities *identities, uint64_t now_ns)
{
    struct identity *identity = &identities->slots[identities->oldest];
    if (now_ns - identity->touched_ns < IDENTITY_IDLE_NS)
        return 0;
    uint32_t slot = identities->oldest;
    uint32_t *link = bucket_of(identities, identity->id);
    while (*link != slot) {
        CHECK(*link != 0);
        link = &identities->slots[*link].next;
    }
    *link = identity->next;
    order_remove(identities, identity);
    identities->count--;
    return slot;
}

/* What was refused while there was no identity is not taken now. */
static void recall_refusals(const struct identities *identities, struct identity *identity)
{
    for (uint32_t i = 0; i < STRANGERS_MAX; i++) {
        const struct stranger *stranger = &identities->strangers[i];
        if (stranger->id == identity->id)
            (void)packet_window_accept(&identity->packets, stranger->packet_number);
    }
}

struct identity *identities_take(struct identities *identities, uint64_t id, uint64_t now_ns)
{
    CHECK(id != 0);
    struct identity *identity = identities_find(identities, id);
    if (identity != NULL) {
        order_remove(identities, identity);
    } else {
        uint32_t slot = identities->count < IDENTITIES_MAX ? identities->count + 1
                                                           : slot_reclaim(identities, now_ns);
        if (slot == 0)
            return NULL;
        identity = &identities->slots[slot];
        *identity = (struct identity){.id = id, .next = *bucket_of(identities, id)};
        *bucket_of(identities, id) = slot;
        identities->count++;
        recall_refusals(identities, identity);
    }
    identity->touched_ns = now_ns;
    order_append(identities, identity);
    return identity;
}

bool identities_refuse(struct identities *identities, uint64_t id, uint64_t packet_number,
                       uint64_t now_ns)
{
    for (uint32_t i = 0; i < STRANGERS_MAX; i++) {
        const struct stranger *stranger = &identities->strangers[i];
        if (stranger->id == id && stranger->packet_number == packet_number)
            return false;
    }
    struct stranger *oldest = &identities->strangers[identities->strangers_tail % STRANGERS_MAX];
    if (oldest->id != 0 && now_ns - oldest->refused_ns < STRANGER_REMEMBER_NS)
        return false;
    *oldest = (struct stranger){id, packet_number, now_ns};
    identities->strangers_tail++;
    return true;
}

uint64_t identity_recall(const struct identity *identity, uint64_t seq)
{
    const struct identity_write *write = &identity->writes[seq & (SESSION_WINDOW - 1)];
    return write->seq == seq ? write->journal_seq : 0;
}

bool identity_has_forgotten(const struct identity *identity, uint64_t seq)
{
    return identity->writes[seq & (SESSION_WINDOW - 1)].seq > seq;
}

void identity_remember(struct identity *identity, uint64_t seq, uint64_t journal_seq)
{
    identity->writes[seq & (SESSION_WINDOW - 1)] =
        (struct identity_write){.seq = seq, .journal_seq = journal_seq};
}
