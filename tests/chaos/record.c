/* Numbers handed out by one counter; arrays that the operating system fills with zeros. */
#include "tests/chaos/record.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

uint64_t clock_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

bool record_init(struct record *record, uint32_t capacity)
{
    *record = (struct record){.capacity = capacity};
    record->key_capacity = (capacity / RECORD_GENERATION_OPS + 1) * RECORD_KEYS;
    record->ops = calloc(capacity, sizeof(*record->ops));
    record->resolutions = calloc(capacity, sizeof(*record->resolutions));
    record->answers = calloc(capacity, sizeof(*record->answers));
    record->last_seen = calloc(record->key_capacity, sizeof(*record->last_seen));
    return record->ops != NULL && record->resolutions != NULL && record->answers != NULL &&
           record->last_seen != NULL;
}

void record_deinit(struct record *record)
{
    free(record->ops);
    free(record->resolutions);
    free(record->answers);
    free(record->last_seen);
}

uint32_t record_number(struct record *record)
{
    /* Relaxed: the number alone is shared, what it numbers belongs to one thread. */
    uint32_t number = atomic_fetch_add_explicit(&record->next, 1, memory_order_relaxed);
    if (number < record->capacity)
        return number;
    atomic_fetch_sub_explicit(&record->next, 1, memory_order_relaxed);
    return RECORD_FULL;
}

uint32_t record_count(const struct record *record)
{
    uint32_t count = atomic_load_explicit(&record->next, memory_order_relaxed);
    return count < record->capacity ? count : record->capacity;
}

uint32_t record_key(uint32_t number, uint32_t slot)
{
    return number / RECORD_GENERATION_OPS * RECORD_KEYS + slot;
}

uint32_t record_key_count(const struct record *record)
{
    uint32_t count = record_count(record);
    return count == 0 ? 0 : record_key(count - 1, RECORD_KEYS - 1) + 1;
}

size_t record_key_text(uint32_t key, char ret_text[RECORD_KEY_TEXT_MAX])
{
    return (size_t)snprintf(ret_text, RECORD_KEY_TEXT_MAX, "chaos/%u", key);
}

struct history record_seen(const struct record *record)
{
    return (struct history){
        .ops = record->ops, .count = record_count(record), .capacity = record->capacity};
}

struct history record_resolved(const struct record *record)
{
    struct history history;
    history_init(&history);
    uint32_t count = record_count(record);
    struct history_op *ops = calloc((size_t)count + 1, sizeof(*ops));
    if (ops == NULL)
        return history;
    memcpy(ops, record->ops, count * sizeof(*ops));
    for (uint32_t i = 0; i < count; i++) {
        struct resolution *resolution = &record->resolutions[i];
        if (ops[i].outcome != HISTORY_UNKNOWN || !resolution->is_resolved)
            continue;
        ops[i].outcome = resolution->outcome;
        ops[i].return_ns = resolution->at_ns;
        ops[i].version = resolution->version;
        if (resolution->outcome == HISTORY_MISMATCH)
            ops[i].seen = HISTORY_UNSEEN;
    }
    free(history.ops);
    history.ops = ops;
    history.count = count;
    history.capacity = count + 1;
    return history;
}
