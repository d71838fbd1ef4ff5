/* A window of ended inserts, whose closed front is the number of keys. */
#include "bench/key_growth.h"

#include "base/check.h"
#include "bench/load_options.h"
#include "client/include/pollux.h"

#include <assert.h>
#include <stdlib.h>

static_assert(KEY_GROWTH_WINDOW > LOAD_CLIENTS_MAX * PLX_WINDOW_MAX,
              "every operation in flight may be an insert");

enum error key_growth_init(struct key_growth *growth, uint64_t count)
{
    growth->is_ended = calloc(KEY_GROWTH_WINDOW, sizeof(*growth->is_ended));
    if (growth->is_ended == NULL) {
        return ERR_NO_MEMORY;
    }
    pthread_mutex_init(&growth->mutex, NULL);
    growth->next = count;
    atomic_init(&growth->present, count);
    return OK;
}

void key_growth_deinit(struct key_growth *growth)
{
    if (growth->is_ended != NULL) {
        free(growth->is_ended);
        growth->is_ended = NULL;
        pthread_mutex_destroy(&growth->mutex);
    }
}

bool key_growth_begin(struct key_growth *growth, uint64_t *ret_number)
{
    pthread_mutex_lock(&growth->mutex);
    uint64_t present = atomic_load_explicit(&growth->present, memory_order_relaxed);
    bool has_room = growth->next - present < KEY_GROWTH_WINDOW;
    if (has_room) {
        *ret_number = growth->next++;
    }
    pthread_mutex_unlock(&growth->mutex);
    return has_room;
}

void key_growth_end(struct key_growth *growth, uint64_t number)
{
    pthread_mutex_lock(&growth->mutex);
    uint64_t present = atomic_load_explicit(&growth->present, memory_order_relaxed);
    CHECK(number >= present && number < growth->next);
    growth->is_ended[number % KEY_GROWTH_WINDOW] = true;
    while (present < growth->next && growth->is_ended[present % KEY_GROWTH_WINDOW]) {
        growth->is_ended[present % KEY_GROWTH_WINDOW] = false;
        present++;
    }
    atomic_store_explicit(&growth->present, present, memory_order_release);
    pthread_mutex_unlock(&growth->mutex);
}

uint64_t key_growth_count(struct key_growth *growth)
{
    return atomic_load_explicit(&growth->present, memory_order_acquire);
}
