/* Next hops and their MACs: a set-associative table with timed entries. */
#include "dataplane/neighbours.h"

#include "base/budget.h"
#include "base/check.h"
#include "base/le.h"

#include <stddef.h>
#include <string.h>

static_assert((NEIGHBOUR_SETS & (NEIGHBOUR_SETS - 1)) == 0, "sets are chosen by the top bits");

/* Fibonacci hashing of both halves; an IPv4 subnet differs in the last word only. */
static struct neighbour *set_of(struct neighbours *neighbours, const uint8_t ip[16])
{
    uint64_t hash = (le64_load(ip) ^ (le64_load(ip + 8) * UINT64_C(0x9e3779b97f4a7c15))) *
                    UINT64_C(0xff51afd7ed558ccd);
    return &neighbours->entries[(hash >> 56) % NEIGHBOUR_SETS * NEIGHBOUR_WAYS];
}

struct neighbour *neighbours_find(struct neighbours *neighbours, const uint8_t ip[16])
{
    struct neighbour *set = set_of(neighbours, ip);
    for (uint32_t way = 0; way < NEIGHBOUR_WAYS; way++) {
        if (set[way].is_used && memcmp(set[way].ip, ip, 16) == 0) {
            return &set[way];
        }
    }
    return NULL;
}

static bool may_give_way(const struct neighbour *neighbour, uint64_t now_ns)
{
    if (neighbour->is_pinned) {
        return false;
    }
    uint64_t kept_ns = neighbour->is_proven ? NEIGHBOUR_STALE_NS : NEIGHBOUR_UNPROVEN_NS;
    return !neighbour->is_used || now_ns - neighbour->confirmed_ns > kept_ns;
}

static void neighbour_drop(struct neighbours *neighbours, struct neighbour *neighbour)
{
    if (neighbour->is_used && neighbour->queries > 0) {
        CHECK(neighbours->pending > 0);
        neighbours->pending--;
    }
    memset(neighbour, 0, sizeof(*neighbour));
}

static struct neighbour *neighbour_make(struct neighbours *neighbours, const uint8_t ip[16],
                                        uint64_t now_ns)
{
    struct neighbour *set = set_of(neighbours, ip);
    for (uint32_t way = 0; way < NEIGHBOUR_WAYS; way++) {
        struct neighbour *entry = &set[way];
        if (may_give_way(entry, now_ns)) {
            neighbour_drop(neighbours, entry);
            entry->is_used = true;
            entry->confirmed_ns = now_ns;
            memcpy(entry->ip, ip, 16);
            return entry;
        }
    }
    return NULL;
}

enum error neighbours_want(struct neighbours *neighbours, const uint8_t ip[16], uint64_t now_ns,
                           struct neighbour **ret_neighbour)
{
    struct neighbour *entry = neighbours_find(neighbours, ip);
    if (entry == NULL) {
        entry = neighbour_make(neighbours, ip, now_ns);
    }
    if (entry == NULL) {
        return ERR_FULL;
    }
    *ret_neighbour = entry;
    return OK;
}

/* Nothing more is asked. */
static void neighbour_settle(struct neighbours *neighbours, struct neighbour *entry,
                             uint64_t now_ns)
{
    if (entry->queries > 0) {
        CHECK(neighbours->pending > 0);
        neighbours->pending--;
        entry->queries = 0;
    }
    entry->is_doubted = false;
    entry->confirmed_ns = now_ns;
}

static void neighbour_set(struct neighbour *entry, const uint8_t mac[6], uint64_t now_ns)
{
    memcpy(entry->mac, mac, 6);
    entry->is_known = true;
    entry->confirmed_ns = now_ns;
}

static void neighbour_hear(struct neighbours *neighbours, struct neighbour *entry,
                           const uint8_t mac[6], uint64_t now_ns)
{
    bool is_same = memcmp(entry->mac, mac, 6) == 0;
    if (!entry->is_known) {
        neighbour_set(entry, mac, now_ns);
        return;
    }
    neighbours->conflicts += !is_same;
    if (entry->is_pinned) {
        return;
    }
    if (!is_same) {
        entry->is_doubted = true;
    } else if (entry->is_proven && !entry->is_doubted) {
        neighbour_settle(neighbours, entry, now_ns);
    }
}

enum error neighbours_hear(struct neighbours *neighbours, const uint8_t ip[16],
                           const uint8_t mac[6], uint64_t now_ns)
{
    struct neighbour *entry = neighbours_find(neighbours, ip);
    if (entry == NULL) {
        entry = neighbour_make(neighbours, ip, now_ns);
    }
    if (entry == NULL) {
        return ERR_FULL;
    }
    neighbour_hear(neighbours, entry, mac, now_ns);
    return OK;
}

void neighbours_answer(struct neighbours *neighbours, const uint8_t ip[16], const uint8_t mac[6],
                       uint64_t now_ns)
{
    struct neighbour *entry = neighbours_find(neighbours, ip);
    if (entry == NULL) {
        return;
    }
    if (entry->queries == 0) {
        neighbour_hear(neighbours, entry, mac, now_ns);
        return;
    }
    if (entry->is_proven && memcmp(entry->mac, mac, 6) != 0) {
        neighbours->changes++;
        memcpy(neighbours->last.now.ip, ip, 16);
        memcpy(neighbours->last.now.mac, mac, 6);
        memcpy(neighbours->last.before, entry->mac, 6);
    }
    neighbour_set(entry, mac, now_ns);
    entry->is_proven = true;
    neighbour_settle(neighbours, entry, now_ns);
}

enum error neighbours_pin(struct neighbours *neighbours, const uint8_t ip[16], const uint8_t mac[6])
{
    struct neighbour *set = set_of(neighbours, ip);
    struct neighbour *entry = neighbours_find(neighbours, ip);
    uint32_t pinned = 0;
    for (uint32_t way = 0; way < NEIGHBOUR_WAYS; way++) {
        pinned += set[way].is_pinned;
    }
    if (entry == NULL && pinned < NEIGHBOUR_WAYS - 1) {
        entry = neighbour_make(neighbours, ip, 0);
    }
    if (entry == NULL) {
        return ERR_FULL;
    }
    neighbour_set(entry, mac, 0);
    entry->is_proven = true;
    entry->is_pinned = true;
    return OK;
}

static bool needs_query(const struct neighbour *neighbour, uint64_t now_ns)
{
    if (neighbour->is_pinned) {
        return false;
    }
    return !neighbour->is_proven || neighbour->is_doubted ||
           now_ns - neighbour->confirmed_ns >= NEIGHBOUR_FRESH_NS;
}

/* Whoever sends packets from many addresses that are nobody's makes a node ask for each of them,
 * and everybody on the link gets the questions. */
static bool may_ask(struct neighbours *neighbours, const struct neighbour *neighbour,
                    uint64_t now_ns)
{
    if (neighbour->is_proven) {
        return true;
    }
    if (budget_owed_ns(neighbours->asked_ns, now_ns) >
        (NEIGHBOUR_STRANGERS_AT_ONCE - 1) * NEIGHBOUR_STRANGER_NS) {
        return false;
    }
    neighbours->asked_ns = budget_spend_ns(neighbours->asked_ns, now_ns, NEIGHBOUR_STRANGER_NS);
    return true;
}

bool neighbours_is_query_due(struct neighbours *neighbours, struct neighbour *neighbour,
                             uint64_t now_ns)
{
    if (!needs_query(neighbour, now_ns)) {
        return false;
    }
    if (neighbour->queries > 0 && now_ns - neighbour->queried_ns < NEIGHBOUR_QUERY_INTERVAL_NS) {
        return false;
    }
    if (!may_ask(neighbours, neighbour, now_ns)) {
        return false;
    }
    if (neighbour->queries == 0) {
        neighbours->pending++;
    }
    if (neighbour->queries < NEIGHBOUR_QUERIES_MAX) {
        neighbour->queries++;
    }
    neighbour->queried_ns = now_ns;
    return true;
}

struct neighbour *neighbours_next_due(struct neighbours *neighbours, uint64_t now_ns)
{
    if (neighbours->pending == 0 || now_ns < neighbours->look_ns) {
        return NULL;
    }
    for (uint32_t i = 0; i < NEIGHBOURS_MAX && neighbours->pending > 0; i++) {
        struct neighbour *entry = &neighbours->entries[neighbours->cursor];
        neighbours->cursor = (neighbours->cursor + 1) % NEIGHBOURS_MAX;
        if (!entry->is_used || entry->queries == 0 ||
            now_ns - entry->queried_ns < NEIGHBOUR_QUERY_INTERVAL_NS) {
            continue;
        }
        if (entry->queries == NEIGHBOUR_QUERIES_MAX) {
            neighbour_drop(neighbours, entry);
            continue;
        }
        if (neighbours_is_query_due(neighbours, entry, now_ns)) {
            return entry;
        }
    }
    neighbours->look_ns = now_ns + NEIGHBOUR_LOOK_NS;
    return NULL;
}
