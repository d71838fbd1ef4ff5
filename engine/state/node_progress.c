/* How far the series are decided: see engine/state/node_progress.h. */
#include "engine/state/node_progress.h"

#include "base/check.h"
#include "base/le.h"
#include "engine/state/key_hash.h"
#include "engine/state/request.h"
#include "wire/wire.h"

#include <string.h>

#define NAME_64_BYTES 8

static_assert(SERIES_STRANGERS_MAX >= 1, "a series that is named has a place");
static_assert(SERIES_MAX < 64, "sets of places are 64-bit masks, and the place of none is in none");

size_t nodes_progress_arena_bytes(void)
{
    return (SERIES_MAX + 1) * sizeof(struct node_progress) + 64;
}

void nodes_progress_init(struct nodes_progress *all, struct arena *arena)
{
    all->places = arena_take(arena, (SERIES_MAX + 1) * sizeof(struct node_progress), 64);
    all->own_place = SERIES_MAX;
}

/* SERIES_MAX: nobody has named it. */
static uint32_t series_place(const struct nodes_progress *all, uint64_t series)
{
    uint32_t place = 0;
    while (place < SERIES_MAX && all->names[place] != series)
        place++;
    return place;
}

struct node_progress *node_progress_of(const struct nodes_progress *all, uint64_t series)
{
    return &all->places[series == 0 ? SERIES_MAX : series_place(all, series)];
}

void nodes_progress_watch(struct nodes_progress *all, uint64_t series)
{
    all->own = series;
    all->own_place = series == 0 ? SERIES_MAX : series_place(all, series);
}

static void place_clear(struct nodes_progress *all, uint32_t place)
{
    if (place == all->own_place)
        all->own_place = SERIES_MAX;
    struct node_progress *progress = &all->places[place];
    all->names[place] = 0;
    progress->series = 0;
    progress->last_seq = 0;
    progress->rank = 0;
    progress->node = 0;
    progress->is_open = false;
    progress->cancel_count = 0;
    progress->wide_count = 0;
}

static bool is_stranger(const struct node_progress *progress)
{
    return progress->series != 0 && !progress->is_open;
}

static uint32_t stranger_count(const struct nodes_progress *all)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < SERIES_MAX; i++)
        count += is_stranger(&all->places[i]);
    return count;
}

/* Above those of all others: the same on every node, whatever their places are. */
static uint64_t next_rank(const struct nodes_progress *all)
{
    uint64_t rank = 0;
    for (uint32_t i = 0; i < SERIES_MAX; i++)
        rank = all->places[i].rank > rank ? all->places[i].rank : rank;
    return rank + 1;
}

/* Strangers of one rank, closed by one record, make way in the order of their names. */
static bool goes_before(const struct node_progress *one, const struct node_progress *other)
{
    return one->rank != other->rank ? one->rank < other->rank : one->series < other->series;
}

static void forget_strangers(struct nodes_progress *all, uint32_t left_max)
{
    for (uint32_t count = stranger_count(all); count > left_max; count--) {
        uint32_t first = SERIES_MAX;
        for (uint32_t i = 0; i < SERIES_MAX; i++) {
            if (is_stranger(&all->places[i]) &&
                (first == SERIES_MAX || goes_before(&all->places[i], &all->places[first])))
                first = i;
        }
        place_clear(all, first);
    }
}

static void place_name(struct nodes_progress *all, uint32_t place, uint64_t series)
{
    all->names[place] = series;
    all->places[place].series = series;
    if (series == all->own)
        all->own_place = place;
}

/* A free place becomes the series'; there is one (CHECK). */
static struct node_progress *place_take(struct nodes_progress *all, uint64_t series)
{
    uint32_t place = series_place(all, 0);
    CHECK(series != 0 && place < SERIES_MAX);
    place_name(all, place, series);
    return &all->places[place];
}

struct node_progress *node_progress_name(struct nodes_progress *all, uint64_t series)
{
    uint32_t place = series_place(all, series);
    if (place < SERIES_MAX)
        return &all->places[place];
    uint64_t rank = next_rank(all);
    forget_strangers(all, SERIES_STRANGERS_MAX - 1);
    struct node_progress *progress = place_take(all, series);
    progress->rank = rank;
    return progress;
}

static bool is_among(const struct series_member *members, uint32_t count, uint64_t series)
{
    for (uint32_t i = 0; i < count; i++) {
        if (members[i].series == series && series != 0)
            return true;
    }
    return false;
}

static bool is_alone(const struct nodes_progress *all, const struct node_progress *own)
{
    for (uint32_t i = 0; i < SERIES_MAX; i++) {
        const struct node_progress *other = &all->places[i];
        if (other != own && other->is_open && other->node == own->node)
            return false;
    }
    return own->is_open;
}

static void note_alone(struct nodes_progress *all)
{
    all->alone = 0;
    for (uint32_t i = 0; i < SERIES_MAX; i++)
        all->alone |= (uint64_t)is_alone(all, &all->places[i]) << i;
}

void nodes_progress_open(struct nodes_progress *all, const struct series_member *members,
                         uint32_t count)
{
    uint64_t rank = next_rank(all);
    CHECK(count <= RAFT_MEMBERS_MAX);
    for (uint32_t i = 0; i < SERIES_MAX; i++) {
        struct node_progress *progress = &all->places[i];
        if (!progress->is_open || is_among(members, count, progress->series))
            continue;
        progress->is_open = false;
        progress->rank = rank;
    }
    for (uint32_t i = 0; i < SERIES_MAX; i++)
        all->places[i].is_open |= is_among(members, count, all->names[i]);
    forget_strangers(all, SERIES_STRANGERS_MAX);
    for (uint32_t i = 0; i < count; i++) {
        struct node_progress *progress = node_progress_of(all, members[i].series);
        if (progress->series == 0)
            progress = place_take(all, members[i].series);
        progress->node = members[i].node;
        progress->is_open = true;
    }
    note_alone(all);
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

/* What is looked for. */
struct written {
    struct span key;
    uint32_t tag;
};

bool cancel_name_is_wide(const struct cancel_name *name)
{
    static const uint8_t zeros[sizeof(name->bytes) - NAME_64_BYTES];
    return memcmp(name->bytes + NAME_64_BYTES, zeros, sizeof(zeros)) != 0;
}

/* Without a client it is the name of all that the key has. */
static struct cancel_name cancel_name_64(struct span key, uint32_t tag)
{
    struct cancel_name name = {{0}};
    le64_store(name.bytes, key_hash(key) ^ (uint64_t)tag * UINT64_C(0x9e3779b97f4a7c15));
    return name;
}

static struct cancel_name cancel_name_256(struct span key, uint32_t tag)
{
    struct cancel_name name;
    uint8_t client[4];
    le32_store(client, tag);
    const struct span parts[] = {key, span_of(client, sizeof(client))};
    content_name("pollux cancel", parts, 2, name.bytes);
    return name;
}

static struct cancel_name cancel_name_of(enum cancel_names names, struct span key, uint32_t tag)
{
    return names == CANCEL_NAMES_64 ? cancel_name_64(key, tag) : cancel_name_256(key, tag);
}

/* Place of the name's cancel, from `place` on; cancel_count: it has none there. */
static uint32_t cancel_place_of_name(const struct node_progress *progress, uint32_t place,
                                     const struct cancel_name *name)
{
    while (place < progress->cancel_count &&
           memcmp(&progress->cancels[place].name, name, sizeof(*name)) != 0)
        place++;
    return place;
}

/* A cancel from `place` on has the name of the key and this client, or of the key. */
static bool is_cancelled(const struct node_progress *progress, uint32_t place,
                         enum cancel_names names, const struct written *write)
{
    const struct cancel_name of_client = cancel_name_of(names, write->key, write->tag);
    const struct cancel_name of_any = cancel_name_of(names, write->key, 0);
    return cancel_place_of_name(progress, place, &of_client) < progress->cancel_count ||
           cancel_place_of_name(progress, place, &of_any) < progress->cancel_count;
}

bool node_progress_is_decided(const struct node_progress *progress, uint64_t seq, struct span key,
                              uint32_t tag)
{
    if (seq <= progress->last_seq)
        return true;
    uint32_t place = cancel_place(progress, seq);
    if (place == progress->cancel_count)
        return false;
    const struct written write = {key, tag};
    return (progress->wide_count < progress->cancel_count &&
            is_cancelled(progress, place, CANCEL_NAMES_64, &write)) ||
           (progress->wide_count > 0 && is_cancelled(progress, place, CANCEL_NAMES_256, &write));
}

uint64_t node_progress_cancel_up_to(const struct node_progress *progress, uint64_t seq)
{
    uint32_t place = cancel_place(progress, seq + 1);
    return place == 0 ? 0 : progress->cancels[place - 1].seq;
}

bool node_progress_has_room(const struct node_progress *progress, uint32_t count, uint32_t max)
{
    CHECK(max <= NODE_CANCELS_CAPACITY);
    return progress->cancel_count + count <= max;
}

/* Takes cancels out. */
static void cancels_forget(struct node_progress *progress, uint32_t place, uint32_t count)
{
    for (uint32_t i = place; i < place + count; i++)
        progress->wide_count -= cancel_name_is_wide(&progress->cancels[i].name);
    progress->cancel_count -= count;
    memmove(&progress->cancels[place], &progress->cancels[place + count],
            (progress->cancel_count - place) * sizeof(progress->cancels[0]));
}

uint32_t node_progress_cancels_of(const struct node_progress *progress, uint64_t session)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < progress->cancel_count; i++)
        count += progress->cancels[i].owner == session;
    return count;
}

void node_progress_cancel(struct node_progress *progress, const struct cancelling *cancelling)
{
    uint64_t seq = cancelling->cancel->seq;
    uint32_t tag = cancelling->cancel->tag;
    if (node_progress_is_decided(progress, seq, cancelling->key, tag))
        return;
    const struct cancel_name name = cancel_name_of(cancelling->names, cancelling->key, tag);
    uint32_t older = cancel_place_of_name(progress, 0, &name);
    if (older < progress->cancel_count)
        cancels_forget(progress, older, 1);
    CHECK(progress->cancel_count < NODE_CANCELS_CAPACITY);
    uint32_t place = cancel_place(progress, seq);
    memmove(&progress->cancels[place + 1], &progress->cancels[place],
            (progress->cancel_count - place) * sizeof(progress->cancels[0]));
    progress->cancels[place] = (struct node_cancel){seq, name, cancelling->owner};
    progress->cancel_count++;
    progress->wide_count += cancelling->names == CANCEL_NAMES_256;
}

void node_progress_advance(struct node_progress *progress, uint64_t seq)
{
    CHECK(seq > progress->last_seq);
    progress->last_seq = seq;
    cancels_forget(progress, 0, cancel_place(progress, seq + 1));
}

/* Where a snapshot's series goes: to its own place, a free one, or that of one that the snapshot
 * does not name. */
static uint32_t place_to_restore(struct nodes_progress *all, uint64_t series,
                                 const bool kept[SERIES_MAX])
{
    uint32_t place = series_place(all, series);
    if (place == SERIES_MAX)
        place = series_place(all, 0);
    for (uint32_t i = 0; i < SERIES_MAX && place == SERIES_MAX; i++)
        place = kept[i] ? SERIES_MAX : i;
    return place;
}

enum error nodes_progress_restore(struct nodes_progress *all, const struct series_known *content,
                                  bool kept[SERIES_MAX], struct node_progress **ret_progress)
{
    if (content->series == 0 || (content->series & WIRE_NODE_SESSION_FLAG) != 0 ||
        (content->is_open && content->node == 0))
        return ERR_RANGE;
    uint32_t place = place_to_restore(all, content->series, kept);
    if (place == SERIES_MAX || kept[place])
        return ERR_CORRUPT;
    place_clear(all, place);
    kept[place] = true;
    place_name(all, place, content->series);
    struct node_progress *progress = &all->places[place];
    progress->last_seq = content->last_seq;
    progress->rank = content->rank;
    progress->node = content->node;
    progress->is_open = content->is_open;
    *ret_progress = progress;
    return OK;
}

enum error nodes_progress_restore_end(struct nodes_progress *all, const bool kept[SERIES_MAX])
{
    for (uint32_t i = 0; i < SERIES_MAX; i++) {
        if (!kept[i])
            place_clear(all, i);
    }
    note_alone(all);
    return stranger_count(all) <= SERIES_STRANGERS_MAX ? OK : ERR_CORRUPT;
}

enum error node_progress_restore(struct node_progress *progress, const struct node_cancel *cancel)
{
    uint32_t count = progress->cancel_count;
    uint64_t previous = count == 0 ? progress->last_seq + 1 : progress->cancels[count - 1].seq;
    if (count == NODE_CANCELS_CAPACITY || cancel->seq < previous ||
        progress->last_seq == UINT64_MAX)
        return ERR_CORRUPT;
    if (cancel_place_of_name(progress, 0, &cancel->name) < count)
        return ERR_CORRUPT;
    progress->cancels[count] = *cancel;
    progress->cancel_count = count + 1;
    progress->wide_count += cancel_name_is_wide(&cancel->name);
    return OK;
}

static uint64_t progress_state_hash(const struct node_progress *progress)
{
    uint8_t words[48];
    le64_store(words, progress->series);
    le64_store(words + 8, progress->last_seq);
    le64_store(words + 16, progress->cancel_count);
    le64_store(words + 24, progress->rank);
    le64_store(words + 32, progress->node);
    le64_store(words + 40, progress->is_open);
    uint64_t hash = key_hash(span_of(words, sizeof(words)));
    for (uint32_t i = 0; i < progress->cancel_count; i++) {
        le64_store(words, progress->cancels[i].seq);
        memcpy(words + 8, progress->cancels[i].name.bytes, CONTENT_NAME_SIZE_BYTES);
        hash = hash * 3 + key_hash(span_of(words, 8 + CONTENT_NAME_SIZE_BYTES));
    }
    return hash;
}

uint64_t nodes_progress_state_hash(const struct nodes_progress *all)
{
    uint64_t hash = 0;
    for (uint32_t i = 0; i < SERIES_MAX; i++) {
        if (all->names[i] != 0)
            hash += progress_state_hash(&all->places[i]);
    }
    return hash;
}

static void progress_check_invariants(const struct node_progress *progress)
{
    uint64_t previous = progress->last_seq;
    CHECK(progress->cancel_count <= NODE_CANCELS_CAPACITY);
    CHECK(progress->cancel_count == 0 || progress->cancels[0].seq > progress->last_seq);
    uint32_t wide_count = 0;
    for (uint32_t i = 0; i < progress->cancel_count; i++) {
        const struct node_cancel *cancel = &progress->cancels[i];
        CHECK(cancel->seq >= previous);
        CHECK(cancel_place_of_name(progress, i + 1, &cancel->name) == progress->cancel_count);
        previous = cancel->seq;
        wide_count += cancel_name_is_wide(&cancel->name);
    }
    CHECK(wide_count == progress->wide_count);
}

void nodes_progress_check_invariants(const struct nodes_progress *all)
{
    const struct node_progress *none = &all->places[SERIES_MAX];
    CHECK(none->series == 0 && none->last_seq == 0 && none->cancel_count == 0 && !none->is_open);
    for (uint32_t i = 0; i < SERIES_MAX; i++) {
        const struct node_progress *progress = &all->places[i];
        CHECK(progress->series == all->names[i]);
        CHECK(progress->series != 0 || (progress->cancel_count == 0 && !progress->is_open));
        progress_check_invariants(progress);
    }
    CHECK(stranger_count(all) <= SERIES_STRANGERS_MAX);
}
