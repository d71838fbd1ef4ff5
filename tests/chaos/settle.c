/* Pings until all is equal; then one handle for each node. */
#include "tests/chaos/settle.h"

#include "tests/chaos/value.h"

#include <inttypes.h>
#include <stdio.h>

#define PING_TIMEOUT_NS 200000000
#define READ_TIMEOUT_NS 2000000000

/* True when every node answers and all are at one index with nothing left to apply. */
static bool is_agreed(struct plx_client *client, struct settle_report *report)
{
    size_t count = plx_endpoint_count(client);
    uint64_t low = UINT64_MAX;
    uint64_t high = 0;
    for (size_t i = 0; i < count; i++) {
        struct plx_node node;
        if (plx_ping(client, i, 0, PING_TIMEOUT_NS, &node) != PLX_OK) {
            snprintf(report->text, sizeof(report->text), "no answer from node %zu", i + 1);
            return false;
        }
        low = node.applied_index < low ? node.applied_index : low;
        high = node.last_index > high ? node.last_index : high;
    }
    report->node_count = (uint32_t)count;
    report->applied_index = low;
    if (low != high)
        snprintf(report->text, sizeof(report->text),
                 "applied up to %" PRIu64 " at one node, logged up to %" PRIu64 " at another", low,
                 high);
    return low == high;
}

/* One get, into the record; its number, or RECORD_FULL. */
static uint32_t read_key(struct record *record, struct plx_client *client, uint32_t key,
                         bool is_relaxed)
{
    char text[RECORD_KEY_TEXT_MAX];
    uint32_t number = record_number(record);
    if (number == RECORD_FULL)
        return RECORD_FULL;
    struct plx_call call = {.is_relaxed = is_relaxed, .timeout_ns = READ_TIMEOUT_NS};
    struct history_op *op = &record->ops[number];
    op->type = is_relaxed ? HISTORY_RELAXED_GET : HISTORY_GET;
    op->key = key;
    op->invoke_ns = clock_now_ns();
    struct plx_bytes name = {text, record_key_text(key, text)};
    struct plx_response response = plx_get(client, name, &call);
    op->return_ns = clock_now_ns();
    op->version = response.version;
    op->node = response.node;
    op->outcome = response.outcome == PLX_OK          ? HISTORY_OK
                  : response.outcome == PLX_NOT_FOUND ? HISTORY_NOT_FOUND
                                                      : HISTORY_TIMEOUT;
    if (response.outcome == PLX_OK)
        op->seen =
            value_read(response.value.data, response.value.size_bytes, response.value_size_bytes);
    return number;
}

static bool is_equal(const struct history_op *a, const struct history_op *b)
{
    return a->outcome == b->outcome && a->seen == b->seen &&
           (a->outcome != HISTORY_OK || a->version == b->version);
}

static void compare_key(struct record *record, struct plx_client **clients, uint32_t key,
                        struct settle_report *report)
{
    uint32_t first = read_key(record, clients[0], key, false);
    bool is_read = first != RECORD_FULL && record->ops[first].outcome != HISTORY_TIMEOUT;
    bool is_same = true;
    for (uint32_t i = 0; is_read && i < report->node_count; i++) {
        uint32_t number = read_key(record, clients[i], key, true);
        is_read = number != RECORD_FULL && record->ops[number].outcome != HISTORY_TIMEOUT &&
                  record->ops[number].node == i + 1;
        is_same = is_same && is_read && is_equal(&record->ops[first], &record->ops[number]);
        if (is_read && !is_same && report->text[0] == '\0')
            snprintf(report->text, sizeof(report->text),
                     "key %u: value %" PRIu64 " by a consistent get, %" PRIu64 " at node %u", key,
                     record->ops[first].seen, record->ops[number].seen, i + 1);
    }
    report->key_count++;
    report->unread_count += !is_read;
    report->differ_count += is_read && !is_same;
}

static void compare_nodes(const struct plx_options *options, struct record *record,
                          struct settle_report *report)
{
    struct plx_client *clients[PLX_ENDPOINTS_MAX] = {NULL};
    struct plx_options own = *options;
    bool is_open = true;
    for (uint32_t i = 0; i < report->node_count; i++) {
        own.preferred_endpoint = (int32_t)i;
        is_open = is_open && plx_open(&own, &clients[i], NULL, 0) == PLX_OK;
    }
    uint32_t end = record_key_count(record);
    uint32_t first = end > SETTLE_KEYS_MAX ? end - SETTLE_KEYS_MAX : 0;
    for (uint32_t key = first; is_open && key < end; key++)
        compare_key(record, clients, key, report);
    for (uint32_t i = 0; i < report->node_count; i++)
        plx_close(clients[i]);
}

void settle(const struct plx_options *options, struct record *record, uint64_t limit_ns,
            struct settle_report *ret_report)
{
    struct plx_client *client;
    *ret_report = (struct settle_report){0};
    if (plx_open(options, &client, NULL, 0) != PLX_OK) {
        snprintf(ret_report->text, sizeof(ret_report->text), "no handle");
        return;
    }
    uint64_t begin_ns = clock_now_ns();
    do {
        ret_report->text[0] = '\0';
        ret_report->has_converged = is_agreed(client, ret_report);
        ret_report->wait_ns = clock_now_ns() - begin_ns;
        if (!ret_report->has_converged)
            plx_poll(client, 20000000);
    } while (!ret_report->has_converged && ret_report->wait_ns < limit_ns);
    plx_close(client);
    if (ret_report->has_converged)
        compare_nodes(options, record, ret_report);
}
