/* How far nodes are decided: see engine/state/node_progress.h. */
#include "engine/state/node_progress.h"

#include "base/check.h"
#include "base/le.h"
#include "engine/state/key_hash.h"

#include <string.h>

size_t nodes_progress_arena_bytes(void)
{
    return (VOTER_ID_MAX + 1) * sizeof(struct node_progress) + 64;
}

void nodes_progress_init(struct nodes_progress *all, struct arena *arena)
{
    all->nodes = arena_take(arena, (VOTER_ID_MAX + 1) * sizeof(struct node_progress), 64);
}

struct node_progress *node_progress_of(const struct nodes_progress *all, uint16_t node)
{
    CHECK(node >= 1 && node <= VOTER_ID_MAX);
    return &all->nodes[node];
}

/* Place of the first cancel whose seq is at least `seq`. */
static uint32_t cancel_place(const struct node_progress *progress, uint64_t seq)
{
    uint32_t low = 0;
    uint32_t high = progress->cancel_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (progress->cancels[middle].seq < seq)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Without a client it is the name of all that the key has. */
static uint64_t cancel_name(uint64_t hash, uint32_t tag)
{
    return hash ^ (uint64_t)tag * UINT64_C(0x9e3779b97f4a7c15);
}

/* Place of the name's cancel, from `place` on; cancel_count: it has none there. */
static uint32_t cancel_place_of_name(const struct node_progress *progress, uint32_t place,
                                     uint64_t name)
{
    while (place < progress->cancel_count && progress->cancels[place].name != name)
        place++;
    return place;
}

bool node_progress_is_decided(const struct node_progress *progress, uint64_t seq, uint64_t hash,
                              uint32_t tag)
{
    if (seq <= progress->last_seq)
        return true;
    uint32_t place = cancel_place(progress, seq);
    if (place == progress->cancel_count)
        return false;
    return cancel_place_of_name(progress, place, cancel_name(hash, tag)) < progress->cancel_count ||
           cancel_place_of_name(progress, place, cancel_name(hash, 0)) < progress->cancel_count;
}

bool node_progress_has_room(const struct node_progress *progress, uint32_t count, uint32_t max)
{
    CHECK(max <= NODE_CANCELS_CAPACITY);
    return progress->cancel_count + count <= max;
}

/* Takes cancels out. */
static void cancels_forget(struct node_progress *progress, uint32_t place, uint32_t count)
{
    progress->cancel_count -= count;
    memmove(&progress->cancels[place], &progress->cancels[place + count],
            (progress->cancel_count - place) * sizeof(progress->cancels[0]));
}

void node_progress_cancel(struct node_progress *progress, uint64_t seq, uint64_t hash, uint32_t tag)
{
    if (node_progress_is_decided(progress, seq, hash, tag))
        return;
    uint64_t name = cancel_name(hash, tag);
    uint32_t older = cancel_place_of_name(progress, 0, name);
    if (older < progress->cancel_count)
        cancels_forget(progress, older, 1);
    CHECK(progress->cancel_count < NODE_CANCELS_CAPACITY);
    uint32_t place = cancel_place(progress, seq);
    memmove(&progress->cancels[place + 1], &progress->cancels[place],
            (progress->cancel_count - place) * sizeof(progress->cancels[0]));
    progress->cancels[place] = (struct node_cancel){seq, name};
    progress->cancel_count++;
}

void node_progress_advance(struct node_progress *progress, uint64_t seq)
{
    CHECK(seq > progress->last_seq);
    progress->last_seq = seq;
    cancels_forget(progress, 0, cancel_place(progress, seq + 1));
}

void node_progress_reset(struct node_progress *progress, uint64_t last_seq)
{
    progress->last_seq = last_seq;
    progress->cancel_count = 0;
}

enum error node_progress_restore(struct node_progress *progress, const struct node_cancel *cancel)
{
    uint32_t count = progress->cancel_count;
    uint64_t previous = count == 0 ? progress->last_seq + 1 : progress->cancels[count - 1].seq;
    if (count == NODE_CANCELS_CAPACITY || cancel->seq < previous ||
        progress->last_seq == UINT64_MAX)
        return ERR_CORRUPT;
    if (cancel_place_of_name(progress, 0, cancel->name) < count)
        return ERR_CORRUPT;
    progress->cancels[count] = *cancel;
    progress->cancel_count = count + 1;
    return OK;
}

static uint64_t progress_state_hash(const struct node_progress *progress, uint16_t node)
{
    uint8_t words[24];
    le64_store(words, node);
    le64_store(words + 8, progress->last_seq);
    le64_store(words + 16, progress->cancel_count);
    uint64_t hash = key_hash(span_of(words, sizeof(words)));
    for (uint32_t i = 0; i < progress->cancel_count; i++) {
        le64_store(words, progress->cancels[i].seq);
        le64_store(words + 8, progress->cancels[i].name);
        hash = hash * 3 + key_hash(span_of(words, 16));
    }
    return hash;
}

uint64_t nodes_progress_state_hash(const struct nodes_progress *all)
{
    uint64_t hash = 0;
    for (uint16_t node = 1; node <= VOTER_ID_MAX; node++) {
        const struct node_progress *progress = &all->nodes[node];
        if (progress->last_seq != 0 || progress->cancel_count != 0)
            hash += progress_state_hash(progress, node);
    }
    return hash;
}

void nodes_progress_check_invariants(const struct nodes_progress *all)
{
    for (uint16_t node = 1; node <= VOTER_ID_MAX; node++) {
        const struct node_progress *progress = &all->nodes[node];
        uint64_t previous = progress->last_seq;
        CHECK(progress->cancel_count <= NODE_CANCELS_CAPACITY);
        CHECK(progress->cancel_count == 0 || progress->cancels[0].seq > progress->last_seq);
        for (uint32_t i = 0; i < progress->cancel_count; i++) {
            const struct node_cancel *cancel = &progress->cancels[i];
            CHECK(cancel->seq >= previous);
            CHECK(cancel_place_of_name(progress, i + 1, cancel->name) == progress->cancel_count);
            previous = cancel->seq;
        }
    }
}
