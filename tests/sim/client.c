/* A client's life: what it begins, its deadlines, and how operations end. */
#include "tests/sim/client.h"

#include "base/check.h"
#include "base/le.h"

#define RESOLVE_WAIT_NS 300000000ull

uint64_t client_now_ns(const struct client *client)
{
    return client->world->verdict->now_ns;
}

const struct history_op *client_op(const struct client *client, const struct slot *slot)
{
    return &client->world->history->ops[slot->op];
}

void client_init(struct client *client, struct client_world *world, uint32_t number, uint64_t seed)
{
    *client = (struct client){.world = world,
                              .number = number,
                              .host = NODES_MAX + number,
                              .ops_left = (uint32_t)world->draw->ops_per_client,
                              .leader = CLIENT_NODE_NONE,
                              .next_seq = 1,
                              .next_number = 1,
                              .next_message_id = 1};
    prng_init(&client->prng, seed * 31 + number + 1);
    CHECK(arena_init(&client->arena, reassembly_arena_bytes(CLIENT_REASSEMBLY_MAX)) == OK);
    client->reassembly = reassembly_init(&client->arena, CLIENT_REASSEMBLY_MAX);
    client_plan(client, prng_range(&client->prng, 1, 300000000));
}

void client_deinit(struct client *client)
{
    arena_deinit(&client->arena);
}

void client_plan(struct client *client, uint64_t at_ns)
{
    if (client->wake_ns != 0 && client->wake_ns <= at_ns)
        return;
    client->wake_ns = at_ns > client_now_ns(client) ? at_ns : client_now_ns(client) + 1;
    agenda_plan(client->world->agenda, &(struct event){.at_ns = client->wake_ns,
                                                       .kind = EVENT_CLIENT,
                                                       .who = client->number,
                                                       .stamp = ++client->stamp});
}

/* ---- keys and values ---- */

static uint8_t key_bytes[KEY_SIZE_BYTES_MAX];
static uint8_t value_bytes[VALUE_SIZE_BYTES_MAX];

struct span client_key(const struct client_world *world, uint32_t key)
{
    uint64_t room = world->draw->key_size_max;
    size_t size = 2 + key * 37 % (room - 1);
    for (size_t i = 0; i < size; i++)
        key_bytes[i] = (uint8_t)('a' + (key + i) % 26);
    key_bytes[0] = (uint8_t)('A' + key);
    return span_of(key_bytes, size);
}

static size_t value_size_of(const struct client_world *world, uint64_t value)
{
    uint64_t draw = digest_word(77, value);
    if (draw % 1000000 < world->draw->big_value_chance)
        return 20000 + draw / 1000000 % 280000;
    return 8 + draw / 1000000 % (world->draw->value_size_max - 7);
}

static uint8_t pattern_byte(uint64_t value, size_t at)
{
    return (uint8_t)(value * 131 + at * 7);
}

struct span client_value(const struct client_world *world, uint64_t value)
{
    size_t size = value_size_of(world, value);
    for (size_t i = 8; i < size; i++)
        value_bytes[i] = pattern_byte(value, i);
    le64_store(value_bytes, value);
    return span_of(value_bytes, size);
}

uint64_t client_value_name(const struct client_world *world, struct span chunk,
                           uint32_t value_size_bytes)
{
    if (chunk.size_bytes < 8)
        return 0;
    uint64_t value = le64_load(chunk.data);
    if (value == 0 || value > world->history->count ||
        value_size_bytes != value_size_of(world, value))
        return 0;
    for (size_t i = 8; i < chunk.size_bytes; i++) {
        if (chunk.data[i] != pattern_byte(value, i))
            return 0;
    }
    return value;
}

/* ---- beginnings ---- */

static enum history_type type_draw(struct client *client)
{
    const struct draw *draw = client->world->draw;
    const uint64_t weights[] = {draw->get_weight, draw->relaxed_get_weight, draw->set_weight,
                                draw->swap_weight, draw->del_weight};
    uint64_t total = 0;
    for (uint32_t i = 0; i < 5; i++)
        total += weights[i];
    uint64_t left = prng_range(&client->prng, 0, total - 1);
    uint32_t type = 0;
    while (left >= weights[type])
        left -= weights[type++];
    return (enum history_type)type;
}

/* What a swap expects: mostly what this client knows, so that many swaps succeed. */
static uint64_t old_draw(struct client *client, uint32_t key)
{
    uint64_t roll = prng_range(&client->prng, 0, 9);
    if (roll < 7)
        return client->last_values[key];
    if (roll < 9 || client->world->history->count == 0)
        return HISTORY_ABSENT;
    uint64_t number = prng_range(&client->prng, 0, client->world->history->count - 1);
    return client->world->history->ops[number].value;
}

static struct slot *slot_free(struct client *client)
{
    for (uint32_t i = 0; i < CLIENT_SLOTS_MAX; i++) {
        if (client->slots[i].state == SLOT_FREE)
            return &client->slots[i];
    }
    return NULL;
}

static void op_begin(struct client *client, struct slot *slot, const struct history_op *op)
{
    const struct draw *draw = client->world->draw;
    uint64_t now_ns = client_now_ns(client);
    uint64_t soft_ns = op->is_blocking ? UINT64_MAX : now_ns + draw->timeout_ns;
    *slot = (struct slot){.state = SLOT_CALLING,
                          .op = history_invoke(client->world->history, op, now_ns),
                          .is_write = op->type != HISTORY_GET && op->type != HISTORY_RELAXED_GET,
                          .next_send_ns = now_ns,
                          .soft_deadline_ns = soft_ns,
                          .hard_deadline_ns =
                              op->is_blocking ? UINT64_MAX : soft_ns + draw->fence_wait_ns};
    client->world->tally->ops_invoked++;
    const struct history_op *placed = client_op(client, slot);
    verdict_say(client->world->verdict, "c%u invokes op %u: %s key %u value %llu old %llu%s",
                client->number, slot->op, history_type_name(op->type), op->key,
                (unsigned long long)placed->value, (unsigned long long)placed->old,
                op->is_blocking ? " blocking" : "");
}

static void op_draw(struct client *client, struct slot *slot)
{
    const struct draw *draw = client->world->draw;
    uint32_t key = (uint32_t)prng_range(&client->prng, 0, draw->keys - 1);
    struct history_op op = {
        .type = type_draw(client),
        .key = key,
        .process = client->number * CLIENT_SLOTS_MAX + (uint32_t)(slot - client->slots),
        .is_blocking = prng_chance(&client->prng, (uint32_t)draw->blocking_chance)};
    if (op.type == HISTORY_SET || op.type == HISTORY_SWAP)
        op.value = 1;
    if (op.type == HISTORY_SWAP) {
        op.old = old_draw(client, key);
        if (prng_chance(&client->prng, 100000))
            op.value = HISTORY_ABSENT;
    }
    op_begin(client, slot, &op);
}

static uint32_t calling_count(const struct client *client)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < CLIENT_SLOTS_MAX; i++)
        count += client->slots[i].state == SLOT_CALLING || client->slots[i].state == SLOT_FENCING;
    return count;
}

/* The oldest unfinished sequence number must stay inside the window that nodes remember. */
static bool has_window_room(const struct client *client)
{
    for (uint32_t i = 0; i < CLIENT_SLOTS_MAX; i++) {
        const struct slot *slot = &client->slots[i];
        if (slot->state != SLOT_FREE && slot->is_write && slot->session != 0 &&
            client->next_seq - slot->seq + CLIENT_SLOTS_MAX >= SESSION_WINDOW)
            return false;
    }
    return true;
}

static void ops_begin(struct client *client)
{
    const struct draw *draw = client->world->draw;
    uint64_t now_ns = client_now_ns(client);
    while (client->ops_left > 0 && !client->world->is_winding_down &&
           client->next_op_ns <= now_ns && calling_count(client) < draw->pipeline_max &&
           has_window_room(client)) {
        struct slot *slot = slot_free(client);
        if (slot == NULL)
            return;
        op_draw(client, slot);
        client->ops_left--;
        client->next_op_ns = now_ns + prng_range(&client->prng, 0, 2 * draw->think_ns);
    }
}

void client_read_finally(struct client *client, uint32_t key)
{
    struct slot *slot = slot_free(client);
    CHECK(slot != NULL);
    op_begin(client, slot,
             &(struct history_op){.type = HISTORY_GET,
                                  .key = key,
                                  .is_blocking = true,
                                  .process = client->number * CLIENT_SLOTS_MAX});
    client_plan(client, client_now_ns(client) + 1);
}

/* ---- ends ---- */

static void outcome_count(struct tally *tally, const struct slot *slot,
                          enum history_outcome outcome, bool is_resolved)
{
    tally->ops_ok += outcome == HISTORY_OK;
    tally->ops_mismatch += outcome == HISTORY_MISMATCH;
    tally->ops_not_found += outcome == HISTORY_NOT_FOUND;
    tally->ops_timeout += outcome == HISTORY_TIMEOUT;
    tally->ops_timeout_by_fence += outcome == HISTORY_TIMEOUT && slot->state != SLOT_CALLING;
    tally->ops_refused += outcome == HISTORY_REFUSED;
    tally->ops_unknown_resolved += is_resolved;
}

void client_finish(struct client *client, struct slot *slot, enum history_outcome outcome)
{
    struct history_op *op = &client->world->history->ops[slot->op];
    bool is_resolving = slot->state == SLOT_RESOLVING;
    if (outcome != HISTORY_UNKNOWN || !is_resolving) {
        op->outcome = outcome;
        op->return_ns = client_now_ns(client);
    }
    if (outcome == HISTORY_OK && op->type == HISTORY_GET)
        client->last_values[op->key] = op->seen;
    else if (outcome == HISTORY_OK && slot->is_write)
        client->last_values[op->key] = op->value;
    else if (outcome == HISTORY_NOT_FOUND)
        client->last_values[op->key] = HISTORY_ABSENT;
    else if (outcome == HISTORY_MISMATCH && op->seen != HISTORY_UNSEEN)
        client->last_values[op->key] = op->seen;
    outcome_count(client->world->tally, slot, outcome, is_resolving && outcome != HISTORY_UNKNOWN);
    client->world->tally->ops_unknown += outcome == HISTORY_UNKNOWN && !is_resolving;
    verdict_say(client->world->verdict, "c%u op %u ends: %s seen %llu version %llu", client->number,
                slot->op, history_outcome_name(outcome), (unsigned long long)op->seen,
                (unsigned long long)op->version);
    verdict_trace(client->world->verdict, digest_word(slot->op, (uint64_t)outcome));
    slot->state = SLOT_FREE;
}

/* Reported as unknown to the caller; the truth is sought on. */
static void slot_report_unknown(struct client *client, struct slot *slot)
{
    struct history_op *op = &client->world->history->ops[slot->op];
    op->outcome = HISTORY_UNKNOWN;
    op->return_ns = client_now_ns(client);
    client->world->tally->ops_unknown++;
    verdict_say(client->world->verdict, "c%u op %u is unknown for now", client->number, slot->op);
    slot->state = SLOT_RESOLVING;
    slot->next_send_ns = client_now_ns(client) + RESOLVE_WAIT_NS;
}

void client_lose_session(struct client *client)
{
    client->world->tally->sessions_lost++;
    verdict_say(client->world->verdict, "c%u lost its session", client->number);
    for (uint32_t i = 0; i < CLIENT_SLOTS_MAX; i++) {
        struct slot *slot = &client->slots[i];
        if (slot->state == SLOT_FREE || !slot->is_write || slot->session == 0)
            continue;
        bool may_have_happened = slot->open_count > 0 || slot->state == SLOT_RESOLVING;
        client_finish(client, slot, may_have_happened ? HISTORY_UNKNOWN : HISTORY_REFUSED);
    }
    client->session = 0;
    client->next_seq = 1;
    client->register_next_ns = 0;
}

static void slot_check_deadline(struct client *client, struct slot *slot)
{
    uint64_t now_ns = client_now_ns(client);
    bool is_past = slot->state == SLOT_CALLING && now_ns >= slot->soft_deadline_ns;
    if (is_past && slot->open_count > 0 && slot->is_write) {
        slot->state = SLOT_FENCING;
        slot->next_send_ns = now_ns;
    } else if (is_past) {
        client_finish(client, slot, HISTORY_TIMEOUT);
    }
    if (slot->state == SLOT_FENCING && now_ns >= slot->hard_deadline_ns)
        slot_report_unknown(client, slot);
}

static uint64_t slot_deadline_ns(const struct slot *slot)
{
    if (slot->state == SLOT_CALLING)
        return slot->soft_deadline_ns;
    return slot->state == SLOT_FENCING ? slot->hard_deadline_ns : UINT64_MAX;
}

void client_wake(struct client *client)
{
    client->wake_ns = 0;
    for (uint32_t i = 0; i < CLIENT_SLOTS_MAX; i++) {
        if (client->slots[i].state != SLOT_FREE)
            slot_check_deadline(client, &client->slots[i]);
    }
    ops_begin(client);
    uint64_t wake_ns = client_send_due(client);
    for (uint32_t i = 0; i < CLIENT_SLOTS_MAX; i++) {
        uint64_t deadline_ns = slot_deadline_ns(&client->slots[i]);
        wake_ns = deadline_ns < wake_ns ? deadline_ns : wake_ns;
    }
    bool has_more = client->ops_left > 0 && !client->world->is_winding_down;
    uint64_t begin_ns = client->next_op_ns > client_now_ns(client)
                            ? client->next_op_ns
                            : client_now_ns(client) + 10000000;
    if (has_more && begin_ns < wake_ns)
        wake_ns = begin_ns;
    if (wake_ns != UINT64_MAX)
        client_plan(client, wake_ns);
}

void client_describe(const struct client *client)
{
    for (uint32_t i = 0; i < CLIENT_SLOTS_MAX; i++) {
        const struct slot *slot = &client->slots[i];
        if (slot->state != SLOT_FREE)
            verdict_say(
                client->world->verdict,
                "c%u: op %u %s, state %d, session %llu seq %llu, %u attempts, %u open, next "
                "at %.3f ms; wakes at %.3f ms",
                client->number, slot->op, history_type_name(client_op(client, slot)->type),
                (int)slot->state, (unsigned long long)slot->session, (unsigned long long)slot->seq,
                slot->attempts, slot->open_count, (double)slot->next_send_ns / 1e6,
                (double)client->wake_ns / 1e6);
    }
}

bool client_is_done(const struct client *client)
{
    bool has_more = client->ops_left > 0 && !client->world->is_winding_down;
    return !has_more && calling_count(client) == 0;
}

bool client_is_quiet(const struct client *client)
{
    for (uint32_t i = 0; i < CLIENT_SLOTS_MAX; i++) {
        if (client->slots[i].state != SLOT_FREE)
            return false;
    }
    return client_is_done(client);
}
