/* See obstacles.h. */
#include "server/obstacles.h"

#include "base/check.h"

#define SECOND_NS UINT64_C(1000000000)

/* Between two lines about the same thing. */
#define TELL_AGAIN_NS (600 * SECOND_NS)

/* What was not seen for so long is over. */
#define PRESENT_NS (10 * SECOND_NS)

/* So often within such a time: packets that were late look like one turn or two. */
#define TURNS_MIN   4
#define TURNS_IN_NS (10 * SECOND_NS)

static struct obstacle_entry *entry_of(struct obstacles *obstacles, const struct obstacle *obstacle)
{
    for (uint32_t i = 0; i < obstacles->count; i++) {
        struct obstacle_entry *entry = &obstacles->entries[i];
        if (entry->obstacle.kind == obstacle->kind && entry->obstacle.node == obstacle->node)
            return entry;
    }
    if (obstacles->count == OBSTACLES_MAX)
        return NULL;
    return &obstacles->entries[obstacles->count++];
}

void obstacles_note(struct obstacles *obstacles, const struct obstacle *obstacle, uint64_t now_ns)
{
    CHECK(obstacle->kind < OBSTACLE_KINDS);
    struct obstacle_entry *entry = entry_of(obstacles, obstacle);
    if (entry == NULL)
        return;
    entry->obstacle = *obstacle;
    entry->seen_ns = now_ns;
}

void obstacles_note_lasting(struct obstacles *obstacles, const struct obstacle *obstacle,
                            uint64_t now_ns)
{
    obstacles_note(obstacles, obstacle, now_ns);
    struct obstacle_entry *entry = entry_of(obstacles, obstacle);
    if (entry != NULL)
        entry->is_lasting = true;
}

bool obstacles_next(struct obstacles *obstacles, uint64_t now_ns, struct obstacle *ret_obstacle)
{
    for (uint32_t i = 0; i < obstacles->count; i++) {
        struct obstacle_entry *entry = &obstacles->entries[i];
        bool is_new = entry->told_ns == 0;
        bool is_again = entry->seen_ns > entry->told_ns && now_ns - entry->told_ns >= TELL_AGAIN_NS;
        if (!is_new && !is_again)
            continue;
        entry->told_ns = now_ns;
        *ret_obstacle = entry->obstacle;
        return true;
    }
    return false;
}

uint32_t obstacles_present(const struct obstacles *obstacles, enum obstacle_kind kind,
                           uint64_t now_ns)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < obstacles->count; i++) {
        const struct obstacle_entry *entry = &obstacles->entries[i];
        count += entry->obstacle.kind == kind &&
                 (entry->is_lasting || now_ns - entry->seen_ns <= PRESENT_NS);
    }
    return count;
}

static const struct {
    const char *name;
    const char *setting;
    const char *meaning;
} kinds[OBSTACLE_KINDS] = {
#define X(kind, name, setting, meaning) {name, setting, meaning},
    OBSTACLE_LIST(X)
#undef X
};

const char *obstacle_name(enum obstacle_kind kind)
{
    return kinds[kind].name;
}

const char *obstacle_setting(enum obstacle_kind kind)
{
    return kinds[kind].setting;
}

const char *obstacle_meaning(enum obstacle_kind kind)
{
    return kinds[kind].meaning;
}

bool process_watch_note(struct process_watch *watch, uint16_t node, uint64_t start, uint64_t now_ns,
                        uint64_t *ret_other)
{
    CHECK(node <= VOTER_ID_MAX);
    if (watch->peers[node].newest == start)
        return false;
    bool is_back = watch->peers[node].before == start;
    watch->peers[node].before = watch->peers[node].newest;
    watch->peers[node].newest = start;
    if (!is_back || now_ns - watch->peers[node].begun_ns > TURNS_IN_NS) {
        watch->peers[node].begun_ns = now_ns;
        watch->peers[node].turns = 0;
    }
    watch->peers[node].turns += is_back;
    *ret_other = watch->peers[node].before;
    return watch->peers[node].turns >= TURNS_MIN;
}
