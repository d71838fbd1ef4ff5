/* Counters by kind and by second. */
#include "bench/load_result.h"

#include "base/check.h"
#include "base/crc32c.h"

#include <stdlib.h>
#include <string.h>

#define NS_PER_SECOND 1000000000ULL

enum error load_result_init(struct load_result *result, uint32_t second_count)
{
    memset(result, 0, sizeof(*result));
    result->seconds = calloc(second_count, sizeof(struct load_second));
    if (result->seconds == NULL) {
        return ERR_NO_MEMORY;
    }
    result->second_count = second_count;
    return OK;
}

void load_result_deinit(struct load_result *result)
{
    free(result->seconds);
    result->seconds = NULL;
    result->second_count = 0;
}

bool load_result_is_measured(const struct load_result *result, uint64_t due_ns)
{
    return due_ns >= result->begin_ns && due_ns < result->end_ns;
}

static struct load_second *second_at(struct load_result *result, uint64_t at_ns)
{
    uint64_t second = (at_ns - result->begin_ns) / NS_PER_SECOND;
    return second < result->second_count ? &result->seconds[second] : NULL;
}

void load_result_offer(struct load_result *result, uint64_t due_ns)
{
    if (!load_result_is_measured(result, due_ns)) {
        return;
    }
    struct load_second *second = second_at(result, due_ns);
    result->offered++;
    if (second != NULL) {
        second->offered++;
    }
}

static void count_success(struct load_result *result, enum load_op op, uint64_t due_ns,
                          uint64_t now_ns)
{
    struct load_second *due = second_at(result, due_ns);
    struct load_second *now = second_at(result, now_ns);
    uint64_t latency_ns = now_ns - due_ns;
    histogram_record(&result->kinds[op].latencies, latency_ns);
    if (due != NULL) {
        histogram_record(&due->latencies, latency_ns);
    }
    if (now_ns < result->end_ns) {
        result->kinds[op].finished++;
        result->finished++;
    }
    if (now != NULL) {
        now->finished++;
        result->own_second += now == due;
        now->own_second += now == due;
    }
}

void load_result_end(struct load_result *result, enum load_op op, uint64_t due_ns, uint64_t now_ns,
                     const struct plx_response *response)
{
    if (!load_result_is_measured(result, due_ns)) {
        return;
    }
    result->outcomes[response->outcome]++;
    result->checksum += response->has_value
                            ? crc32c(0, response->value.data, response->value.size_bytes)
                            : response->outcome == PLX_OK;
    if (response->outcome == PLX_OK) {
        count_success(result, op, due_ns, now_ns);
    } else {
        result->kinds[op].errors++;
    }
}

void load_result_end_missed(struct load_result *result, uint64_t due_ns, uint64_t now_ns)
{
    const struct plx_response response = {.outcome = PLX_OK};
    result->missed += load_result_is_measured(result, due_ns);
    load_result_end(result, LOAD_RELAXED_GET, due_ns, now_ns, &response);
}

static void second_add(struct load_second *to, const struct load_second *from)
{
    to->offered += from->offered;
    to->finished += from->finished;
    to->own_second += from->own_second;
    histogram_merge(&to->latencies, &from->latencies);
}

void load_result_add(struct load_result *to, const struct load_result *from)
{
    CHECK(from->second_count <= to->second_count);
    for (int i = 0; i < LOAD_OP_COUNT; i++) {
        to->kinds[i].finished += from->kinds[i].finished;
        to->kinds[i].errors += from->kinds[i].errors;
        histogram_merge(&to->kinds[i].latencies, &from->kinds[i].latencies);
        histogram_merge(&to->latencies, &from->kinds[i].latencies);
    }
    to->offered += from->offered;
    to->finished += from->finished;
    to->own_second += from->own_second;
    to->checksum += from->checksum;
    to->missed += from->missed;
    to->unfinished += from->unfinished;
    to->verdict.checked += from->verdict.checked;
    to->verdict.lost += from->verdict.lost;
    to->verdict.unread += from->verdict.unread;
    to->verdict.open += from->verdict.open;
    for (int i = 0; i < PLX_OUTCOME_COUNT; i++) {
        to->outcomes[i] += from->outcomes[i];
    }
    for (uint32_t i = 0; i < from->second_count; i++) {
        second_add(&to->seconds[i], &from->seconds[i]);
    }
}

uint64_t load_result_errors(const struct load_result *result)
{
    uint64_t errors = result->unfinished;
    for (int i = 0; i < PLX_OUTCOME_COUNT; i++) {
        errors += i == PLX_OK ? 0 : result->outcomes[i];
    }
    return errors;
}

bool load_result_is_good(const struct load_result *result)
{
    return result->finished > 0 && load_result_errors(result) == 0 && result->verdict.lost == 0 &&
           result->verdict.unread == 0;
}

double load_result_per_second(const struct load_result *result)
{
    return result->elapsed_ns == 0
               ? 0
               : (double)result->finished * NS_PER_SECOND / (double)result->elapsed_ns;
}
