/* Draws, calls, judges, one after the other. */
#include "tests/chaos/owner.h"

#include "tests/chaos/value.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MS              UINT64_C(1000000)
#define PAUSE_NS        (4 * MS)
#define KEY_WRITES_MAX  200
#define RESOLVE_TRIES   100
#define RESOLVE_NS      (100 * MS)
#define LAST_READ_NS    (30000 * MS)
#define LATE_NS         (2000 * MS) /* what is still pending somewhere has come by then */
#define KEY_TEXT_SIZE   32
#define VALUES_OF_OWNER UINT64_C(1000000000)

enum draw { DRAW_RELAXED_SET, DRAW_RELAXED_DEL, DRAW_SET, DRAW_SWAP, DRAW_RELAXED_GET };

static struct plx_bytes key_of(const struct owner *owner, uint32_t key, char text[KEY_TEXT_SIZE])
{
    snprintf(text, KEY_TEXT_SIZE, "own/%u/%u", owner->options.number, key);
    return plx_text(text);
}

static bool key_begin(struct owner *owner, uint32_t slot)
{
    if (owner->key_count == OWNER_KEYS_MAX)
        return false;
    owner->slots[slot] = owner->key_count++;
    owner->slot_writes[slot] = 0;
    own_order_init(&owner->orders[owner->slots[slot]]);
    return true;
}

/* ---- judging ---- */

static void judge(struct owner *owner, uint32_t key, const struct plx_response *response,
                  const char *what)
{
    uint64_t value = OWN_ABSENT;
    if (response->outcome != PLX_OK && response->outcome != PLX_NOT_FOUND)
        return;
    if (response->outcome == PLX_OK)
        value = value_read(response->value.data, response->value.size_bytes,
                           response->value_size_bytes);
    owner->judged_count++;
    if (own_order_allows(&owner->orders[key], value) || owner->broken_count++ > 0)
        return;
    const struct own_order *order = &owner->orders[key];
    snprintf(owner->text, sizeof(owner->text),
             "owner %u, key %u: %s by node %u is %" PRIu64 ", of %u that may be it the first is "
             "%" PRIu64,
             owner->options.number, key, what, response->node, value, order->count,
             order->values[0]);
}

/* ---- one operation ---- */

static enum draw draw_of(struct owner *owner)
{
    static const enum draw draws[] = {
        DRAW_RELAXED_SET, DRAW_RELAXED_SET, DRAW_RELAXED_SET, DRAW_RELAXED_SET, DRAW_RELAXED_DEL,
        DRAW_SET,         DRAW_SWAP,        DRAW_RELAXED_GET, DRAW_RELAXED_GET, DRAW_RELAXED_GET,
    };
    return draws[prng_range(&owner->prng, 0, sizeof(draws) / sizeof(draws[0]) - 1)];
}

/* Some of them too short for any answer. */
static struct plx_call call_of(struct owner *owner, bool is_relaxed)
{
    static const uint64_t timeouts_ms[] = {1, 2, 4, 20, 100, 300, 300, 300};
    static const uint64_t waits_ms[] = {1, 2, 5, 500};
    return (struct plx_call){.is_relaxed = is_relaxed,
                             .timeout_ns = MS * timeouts_ms[prng_range(&owner->prng, 0, 7)],
                             .fence_wait_ns = MS * waits_ms[prng_range(&owner->prng, 0, 3)]};
}

/* What became of a consistent write; UNKNOWN: nobody could say. */
static enum plx_outcome resolved(struct owner *owner, const struct plx_response *response)
{
    const struct plx_call call = {.timeout_ns = RESOLVE_NS, .fence_wait_ns = RESOLVE_NS};
    enum plx_outcome outcome = response->outcome;
    const struct plx_token token = response->token;
    for (uint32_t i = 0; i < RESOLVE_TRIES && outcome == PLX_UNKNOWN; i++)
        outcome = plx_resolve(owner->client, &token, &call).outcome;
    return outcome;
}

static void wrote(struct owner *owner, uint32_t slot, uint64_t value,
                  const struct plx_response *response, bool is_relaxed)
{
    uint32_t key = owner->slots[slot];
    struct own_order *order = &owner->orders[key];
    enum plx_outcome outcome = response->outcome;
    if (!is_relaxed)
        outcome = resolved(owner, response);
    owner->slot_writes[slot]++;
    if (is_relaxed)
        owner->relaxed_counts[outcome]++;
    else
        owner->write_counts[outcome]++;
    bool is_lost = response->outcome == PLX_UNKNOWN && outcome > PLX_UNKNOWN;
    owner->is_spoilt[key] |= !is_relaxed && (outcome == PLX_UNKNOWN || is_lost);
    own_order_wrote(order, value, outcome, is_relaxed && owner->options.has_losses);
}

static void write_once(struct owner *owner, uint32_t slot, enum draw draw)
{
    char text[KEY_TEXT_SIZE];
    uint8_t bytes[VALUE_BYTES_MAX];
    uint8_t old_bytes[VALUE_BYTES_MAX];
    uint32_t key = owner->slots[slot];
    bool is_relaxed = draw == DRAW_RELAXED_SET || draw == DRAW_RELAXED_DEL;
    const struct plx_call call = call_of(owner, is_relaxed);
    const struct own_order *order = &owner->orders[key];
    uint64_t value = draw == DRAW_RELAXED_DEL ? OWN_ABSENT : ++owner->value;
    uint64_t old = order->values[order->count - 1];
    struct plx_bytes name = key_of(owner, key, text);
    struct plx_bytes to =
        value == OWN_ABSENT ? PLX_ABSENT : (struct plx_bytes){bytes, value_fill(value, bytes)};
    struct plx_bytes from =
        old == OWN_ABSENT ? PLX_ABSENT : (struct plx_bytes){old_bytes, value_fill(old, old_bytes)};
    struct plx_response response = draw == DRAW_SWAP
                                       ? plx_swap(owner->client, name, to, from, &call)
                                       : plx_set(owner->client, name, to, &call);
    wrote(owner, slot, value, &response, is_relaxed);
}

static void turn(struct owner *owner)
{
    char text[KEY_TEXT_SIZE];
    uint32_t slot = (uint32_t)prng_range(&owner->prng, 0, OWNER_KEYS - 1);
    uint32_t key = owner->slots[slot];
    enum draw draw = draw_of(owner);
    if (draw == DRAW_RELAXED_GET) {
        const struct plx_call call = call_of(owner, true);
        struct plx_response response = plx_get(owner->client, key_of(owner, key, text), &call);
        judge(owner, key, &response, "its own relaxed get");
        return;
    }
    write_once(owner, slot, draw);
    if ((own_order_is_full(&owner->orders[key]) || owner->is_spoilt[key] ||
         owner->slot_writes[slot] == KEY_WRITES_MAX) &&
        !key_begin(owner, slot))
        atomic_store_explicit(&owner->is_stopping, true, memory_order_relaxed);
}

/* ---- the thread ---- */

static void *run(void *context)
{
    struct owner *owner = context;
    while (!atomic_load_explicit(&owner->is_stopping, memory_order_relaxed)) {
        turn(owner);
        plx_poll(owner->client, prng_range(&owner->prng, 0, 2 * PAUSE_NS));
    }
    return NULL;
}

bool owner_begin(struct owner *owner, const struct owner_options *options)
{
    struct plx_options plx = options->plx;
    memset(owner, 0, sizeof(*owner));
    owner->options = *options;
    owner->value = options->number * VALUES_OF_OWNER;
    owner->orders = calloc(OWNER_KEYS_MAX, sizeof(*owner->orders));
    owner->is_spoilt = calloc(OWNER_KEYS_MAX, sizeof(*owner->is_spoilt));
    prng_init(&owner->prng, options->seed);
    plx.read_your_writes = true;
    if (owner->orders == NULL || owner->is_spoilt == NULL ||
        plx_open(&plx, &owner->client, NULL, 0) != PLX_OK)
        return false;
    for (uint32_t slot = 0; slot < OWNER_KEYS; slot++)
        (void)key_begin(owner, slot);
    return pthread_create(&owner->thread, NULL, run, owner) == 0;
}

static void judge_last(struct owner *owner)
{
    const struct plx_call call = {.timeout_ns = LAST_READ_NS};
    char text[KEY_TEXT_SIZE];
    for (uint32_t key = 0; key < owner->key_count; key++) {
        struct plx_response response = plx_get(owner->client, key_of(owner, key, text), &call);
        if (!owner->is_spoilt[key])
            judge(owner, key, &response, "what is stored at last");
    }
}

void owner_stop(struct owner *owner)
{
    atomic_store_explicit(&owner->is_stopping, true, memory_order_relaxed);
    pthread_join(owner->thread, NULL);
}

void owner_end(struct owner *owner)
{
    judge_last(owner);
    plx_poll(owner->client, LATE_NS);
    judge_last(owner);
    plx_close(owner->client);
    free(owner->orders);
    free(owner->is_spoilt);
}
