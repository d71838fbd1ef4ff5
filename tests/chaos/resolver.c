/* Tokens in a ring; one that stays unknown goes to its end. */
#include "tests/chaos/resolver.h"

#include <stdlib.h>

#define ASK_TIMEOUT_NS 100000000
#define ASK_FENCE_NS   200000000

static bool take(struct resolver *resolver, struct resolver_task *ret_task, bool *ret_is_late)
{
    pthread_mutex_lock(&resolver->mutex);
    while (resolver->count == 0 && !resolver->is_ending)
        pthread_cond_wait(&resolver->changed, &resolver->mutex);
    bool has_task = resolver->count > 0 && !resolver->is_over;
    if (has_task) {
        *ret_task = resolver->tasks[resolver->head];
        resolver->head = (resolver->head + 1) % resolver->record->capacity;
        resolver->count--;
    }
    *ret_is_late = resolver->is_ending;
    pthread_mutex_unlock(&resolver->mutex);
    return has_task;
}

void resolver_add(struct resolver *resolver, const struct resolver_task *task)
{
    pthread_mutex_lock(&resolver->mutex);
    uint32_t tail = (resolver->head + resolver->count) % resolver->record->capacity;
    resolver->tasks[tail] = *task;
    resolver->count++;
    pthread_cond_signal(&resolver->changed);
    pthread_mutex_unlock(&resolver->mutex);
}

static enum history_outcome outcome_of(enum plx_outcome outcome)
{
    if (outcome == PLX_OK)
        return HISTORY_OK;
    return outcome == PLX_MISMATCH ? HISTORY_MISMATCH : HISTORY_TIMEOUT;
}

static void resolve(struct resolver *resolver, const struct resolver_task *task, bool is_late)
{
    struct plx_call call = {.timeout_ns = ASK_TIMEOUT_NS, .fence_wait_ns = ASK_FENCE_NS};
    struct plx_response response = plx_resolve(resolver->client, &task->token, &call);
    if (response.outcome == PLX_OK || response.outcome == PLX_MISMATCH ||
        response.outcome == PLX_TIMEOUT) {
        struct resolution *resolution = &resolver->record->resolutions[task->op];
        resolution->outcome = outcome_of(response.outcome);
        resolution->at_ns = clock_now_ns();
        resolution->version = response.version;
        atomic_store_explicit(&resolution->is_resolved, true, memory_order_release);
        resolver->resolved_early_count += !is_late;
    } else if (response.outcome == PLX_E_SESSION_EXPIRED) {
        resolver->expired_count++;
    } else {
        resolver->retry_count++;
        resolver_add(resolver, task);
    }
}

static void *run(void *context)
{
    struct resolver *resolver = context;
    struct resolver_task task;
    bool is_late = false;
    while (take(resolver, &task, &is_late))
        resolve(resolver, &task, is_late);
    return NULL;
}

bool resolver_begin(struct resolver *resolver, struct plx_client *client, struct record *record)
{
    *resolver = (struct resolver){.client = client, .record = record};
    pthread_mutex_init(&resolver->mutex, NULL);
    pthread_cond_init(&resolver->changed, NULL);
    resolver->tasks = calloc(record->capacity, sizeof(*resolver->tasks));
    return resolver->tasks != NULL && pthread_create(&resolver->thread, NULL, run, resolver) == 0;
}

uint32_t resolver_end(struct resolver *resolver, uint64_t limit_ns)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += (time_t)(limit_ns / 1000000000u);
    pthread_mutex_lock(&resolver->mutex);
    resolver->is_ending = true;
    pthread_cond_signal(&resolver->changed);
    pthread_mutex_unlock(&resolver->mutex);
    if (pthread_timedjoin_np(resolver->thread, NULL, &until) != 0) {
        pthread_mutex_lock(&resolver->mutex);
        resolver->is_over = true;
        pthread_mutex_unlock(&resolver->mutex);
        pthread_join(resolver->thread, NULL);
    }
    free(resolver->tasks);
    resolver->tasks = NULL;
    uint32_t unresolved = 0;
    for (uint32_t i = 0; i < record_count(resolver->record); i++)
        unresolved += resolver->record->ops[i].outcome == HISTORY_UNKNOWN &&
                      !resolver->record->resolutions[i].is_resolved;
    return unresolved;
}
