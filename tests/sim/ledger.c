/* See ledger.h. */
#include "tests/sim/ledger.h"

#include "base/check.h"
#include "base/limits.h"
#include "tests/sim/verdict.h"

#include <stdlib.h>
#include <string.h>

#define LEDGER_START 1024
/* Terms and indexes of one run stay far below: beyond, something counts without end. */
#define LEDGER_PLACES_MAX (1u << 24)

static void *places(uint64_t count, size_t size_bytes)
{
    void *memory = calloc(count, size_bytes);
    CHECK(memory != NULL);
    return memory;
}

void ledger_init(struct ledger *ledger)
{
    *ledger = (struct ledger){.records_capacity = LEDGER_START,
                              .commits_capacity = LEDGER_START,
                              .leaders_capacity = LEDGER_START,
                              .votes_capacity = LEDGER_START,
                              .states_capacity = LEDGER_START};
    ledger->records = places(LEDGER_START, sizeof(*ledger->records));
    ledger->commits = places(LEDGER_START, sizeof(*ledger->commits));
    ledger->leaders = places(LEDGER_START, sizeof(*ledger->leaders));
    ledger->votes = places(LEDGER_START, sizeof(*ledger->votes));
    ledger->states = places(LEDGER_START, sizeof(*ledger->states));
}

void ledger_deinit(struct ledger *ledger)
{
    free(ledger->records);
    free(ledger->commits);
    free(ledger->leaders);
    free(ledger->votes);
    free(ledger->states);
    *ledger = (struct ledger){0};
}

/* Doubles an array of zeroed places until `at` is one of them. */
static void *places_reach(void *array, uint64_t *capacity, uint64_t at, size_t size_bytes)
{
    CHECK(at < LEDGER_PLACES_MAX);
    uint64_t wanted = *capacity;
    while (wanted <= at)
        wanted *= 2;
    if (wanted == *capacity)
        return array;
    void *grown = places(wanted, size_bytes);
    memcpy(grown, array, *capacity * size_bytes);
    free(array);
    *capacity = wanted;
    return grown;
}

static struct ledger_record *record_place(struct ledger_record *records, uint64_t capacity,
                                          uint64_t index, uint64_t term)
{
    uint64_t slot = digest_word(term, index) & (capacity - 1);
    while (records[slot].index != 0 && (records[slot].index != index || records[slot].term != term))
        slot = (slot + 1) & (capacity - 1);
    return &records[slot];
}

static void records_grow(struct ledger *ledger)
{
    uint64_t capacity = ledger->records_capacity * 2;
    struct ledger_record *grown = places(capacity, sizeof(*grown));
    for (uint64_t i = 0; i < ledger->records_capacity; i++) {
        const struct ledger_record *record = &ledger->records[i];
        if (record->index != 0)
            *record_place(grown, capacity, record->index, record->term) = *record;
    }
    free(ledger->records);
    ledger->records = grown;
    ledger->records_capacity = capacity;
}

const struct ledger_record *ledger_record(struct ledger *ledger, const struct ledger_record *record)
{
    CHECK(record->index != 0);
    if (ledger->records_count * 2 >= ledger->records_capacity)
        records_grow(ledger);
    struct ledger_record *place =
        record_place(ledger->records, ledger->records_capacity, record->index, record->term);
    if (place->index == 0) {
        *place = *record;
        ledger->records_count++;
    }
    return place;
}

void ledger_forget_uncommitted(struct ledger *ledger)
{
    memset(ledger->records, 0, ledger->records_capacity * sizeof(*ledger->records));
    memset(ledger->leaders, 0, ledger->leaders_capacity * sizeof(*ledger->leaders));
    ledger->records_count = 0;
}

struct ledger_commit *ledger_commit(struct ledger *ledger, uint64_t index)
{
    CHECK(index >= ledger->base);
    uint64_t place = index - ledger->base;
    ledger->commits =
        places_reach(ledger->commits, &ledger->commits_capacity, place, sizeof(*ledger->commits));
    return &ledger->commits[place];
}

uint32_t *ledger_leader(struct ledger *ledger, uint64_t term)
{
    ledger->leaders =
        places_reach(ledger->leaders, &ledger->leaders_capacity, term, sizeof(*ledger->leaders));
    return &ledger->leaders[term];
}

uint64_t *ledger_vote(struct ledger *ledger, uint64_t term, uint32_t node)
{
    uint64_t place = term * NODES_MAX + node;
    ledger->votes =
        places_reach(ledger->votes, &ledger->votes_capacity, place, sizeof(*ledger->votes));
    return &ledger->votes[place];
}

uint64_t *ledger_state(struct ledger *ledger, uint64_t index)
{
    CHECK(index >= ledger->base);
    uint64_t place = index - ledger->base;
    ledger->states =
        places_reach(ledger->states, &ledger->states_capacity, place, sizeof(*ledger->states));
    return &ledger->states[place];
}

void ledger_keep(struct ledger *ledger, uint64_t index, struct ledger *ret_kept)
{
    for (uint64_t i = 1; i <= index; i++) {
        *ledger_commit(ret_kept, i) = *ledger_commit(ledger, i);
        *ledger_state(ret_kept, i) = *ledger_state(ledger, i);
    }
    ret_kept->commit_highest = index;
}
