/* Whose the pending writes are: see engine/relaxed/principals.h. */
#include "engine/relaxed/principals.h"

#include "base/check.h"

#include <string.h>

static_assert((PRINCIPALS_CAPACITY & (PRINCIPALS_CAPACITY - 1)) == 0, "buckets by a mask");
static_assert(PRINCIPALS_CAPACITY < UINT16_MAX, "a place has 16 bits");
static_assert(KEY_NAME_BYTES_MAX <= UINT8_MAX, "the size of a name is a byte");

size_t principals_arena_bytes(void)
{
    return (PRINCIPALS_CAPACITY + 1) * sizeof(struct principal) +
           PRINCIPALS_CAPACITY * sizeof(uint16_t) + 128;
}

void principals_init(struct principals *all, struct arena *arena,
                     const struct siphash_key *hash_key)
{
    *all = (struct principals){.hash_key = *hash_key};
    all->places = arena_take(arena, (PRINCIPALS_CAPACITY + 1) * sizeof(struct principal), 64);
    all->buckets = arena_take(arena, PRINCIPALS_CAPACITY * sizeof(uint16_t), 64);
    memset(all->places, 0, (PRINCIPALS_CAPACITY + 1) * sizeof(struct principal));
    memset(all->buckets, 0, PRINCIPALS_CAPACITY * sizeof(uint16_t));
    for (uint16_t place = PRINCIPALS_CAPACITY; place > 0; place--) {
        all->places[place].next = all->free;
        all->free = place;
    }
}

static uint16_t *name_bucket(const struct principals *all, struct span name)
{
    uint64_t hash = siphash(&all->hash_key, name);
    return &all->buckets[hash & (PRINCIPALS_CAPACITY - 1)];
}

uint16_t principals_next_named(const struct principals *all, uint16_t place, struct span name)
{
    uint16_t next = place == PRINCIPAL_NONE ? *name_bucket(all, name) : all->places[place].next;
    while (next != PRINCIPAL_NONE && !span_is_equal(principal_name(all, next), name))
        next = all->places[next].next;
    return next;
}

uint16_t principals_find(const struct principals *all, struct span name, uint32_t generation)
{
    uint16_t place = PRINCIPAL_NONE;
    if (name.size_bytes == 0)
        return PRINCIPAL_NONE;
    do {
        place = principals_next_named(all, place, name);
    } while (place != PRINCIPAL_NONE && all->places[place].generation != generation);
    return place;
}

uint16_t principals_take(struct principals *all, struct span name, uint32_t generation,
                         uint32_t max)
{
    uint16_t place = principals_find(all, name, generation);
    CHECK(name.size_bytes > 0 && name.size_bytes <= KEY_NAME_BYTES_MAX);
    CHECK(max <= PRINCIPALS_CAPACITY);
    if (place != PRINCIPAL_NONE)
        return place;
    if (all->count >= max)
        return PRINCIPAL_NONE;
    place = all->free;
    CHECK(place != PRINCIPAL_NONE);
    struct principal *principal = &all->places[place];
    uint16_t *bucket = name_bucket(all, name);
    all->free = principal->next;
    *principal = (struct principal){
        .generation = generation, .next = *bucket, .name_bytes = (uint8_t)name.size_bytes};
    memcpy(principal->name, name.data, name.size_bytes);
    *bucket = place;
    all->count++;
    return place;
}

void principals_leave(struct principals *all, uint16_t place)
{
    struct principal *principal = &all->places[place];
    if (place == PRINCIPAL_NONE || principal->writes > 0 || principal->is_owed)
        return;
    uint16_t *link = name_bucket(all, principal_name(all, place));
    while (*link != place) { /* the bucket's places, and it is one of them */
        CHECK(*link != PRINCIPAL_NONE);
        link = &all->places[*link].next;
    }
    *link = principal->next;
    *principal = (struct principal){.next = all->free};
    all->free = place;
    all->count--;
}

void principals_hold(struct principals *all, uint16_t place)
{
    all->places[place].writes++;
}

void principals_release(struct principals *all, uint16_t place)
{
    CHECK(all->places[place].writes > 0);
    all->places[place].writes--;
    principals_leave(all, place);
}

void principals_revoke(struct principals *all, uint16_t place)
{
    CHECK(place != PRINCIPAL_NONE && all->places[place].name_bytes > 0);
    all->owed += !all->places[place].is_owed;
    all->places[place].is_owed = true;
    all->places[place].is_revoked = true;
}

void principals_revoked(struct principals *all, uint16_t place)
{
    CHECK(all->places[place].writes == 0);
    all->places[place].is_revoked = false;
}

void principals_pay(struct principals *all, uint16_t place)
{
    CHECK(all->places[place].is_owed && all->owed > 0);
    all->places[place].is_owed = false;
    all->owed--;
    principals_leave(all, place);
}

uint16_t principals_next_owed(const struct principals *all, uint16_t from)
{
    for (uint32_t place = from > 0 ? from : 1; all->owed > 0 && place <= PRINCIPALS_CAPACITY;
         place++) {
        if (all->places[place].is_owed)
            return (uint16_t)place;
    }
    return PRINCIPAL_NONE;
}

void principals_check_invariants(const struct principals *all, uint64_t writes)
{
    uint64_t held = all->places[PRINCIPAL_NONE].writes;
    uint32_t count = 0;
    uint32_t owed = 0;
    for (uint16_t place = 1; place <= PRINCIPALS_CAPACITY; place++) {
        const struct principal *principal = &all->places[place];
        CHECK(principal->name_bytes > 0 || (principal->writes == 0 && !principal->is_owed));
        if (principal->name_bytes == 0)
            continue;
        CHECK(principals_find(all, principal_name(all, place), principal->generation) == place);
        held += principal->writes;
        owed += principal->is_owed;
        if (++count == all->count) /* as a rule they are the first places */
            break;
    }
    CHECK(held == writes && count == all->count && owed == all->owed);
}
