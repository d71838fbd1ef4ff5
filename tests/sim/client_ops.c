/* Operations of the workload: drawn, submitted, and noted as they end. */
#include "base/check.h"
#include "tests/sim/client.h"

#include <stdlib.h>

#define MS              UINT64_C(1000000)
#define RESOLVE_WAIT_NS (300 * MS)
#define TYPE_COUNT      7
/* No run lasts so long. */
#define SESSION_TTL_NS_NEVER UINT64_C(3600000000000)

/* ---- what is asked ---- */

static enum history_type type_draw(struct client *client)
{
    const struct draw *draw = client->world->draw;
    const uint64_t weights[TYPE_COUNT] = {
        draw->get_weight, draw->relaxed_get_weight, draw->set_weight,        draw->swap_weight,
        draw->del_weight, draw->relaxed_set_weight, draw->relaxed_del_weight};
    uint64_t total = 0;
    for (uint32_t i = 0; i < TYPE_COUNT; i++)
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

/* How fresh a relaxed get is to be. One that blocks waits until a node is: it asks for what there
 * is in the end, and for an age that a follower of a quiet leader does not reach. */
static void freshness_draw(struct client *client, struct history_op *op)
{
    const struct draw *draw = client->world->draw;
    op->reads_own = client->reads_own;
    op->max_age_ns = client->max_age_ns;
    if (prng_chance(&client->prng, (uint32_t)draw->max_age_chance))
        op->max_age_ns = prng_range(&client->prng, 1, draw->max_age_ns);
    if (prng_chance(&client->prng, (uint32_t)draw->min_index_chance))
        op->min_index =
            client->seen_index[op->shard] + prng_range(&client->prng, 0, op->is_blocking ? 0 : 2);
    if (op->is_blocking && op->max_age_ns > 0)
        op->max_age_ns += draw->election_max_ns;
}

static struct history_op op_draw(struct client *client, uint32_t slot)
{
    const struct draw *draw = client->world->draw;
    uint32_t key = (uint32_t)prng_range(&client->prng, 0, draw->keys - 1);
    if (prng_chance(&client->prng, (uint32_t)draw->hot_key_chance))
        key = 0;
    struct history_op op = {
        .type = type_draw(client),
        .key = key,
        .shard = client->world->key_shards[key],
        .client = client->number,
        .is_of_few = client_has_few_rights(client),
        .life = client->life,
        .process = (client->life * CLIENTS_MAX + client->number) * CLIENT_SLOTS_MAX + slot,
        .is_blocking = prng_chance(&client->prng, (uint32_t)draw->blocking_chance)};
    if (op.type == HISTORY_SET || op.type == HISTORY_SWAP || op.type == HISTORY_RELAXED_SET)
        op.value = 1;
    if (op.type == HISTORY_RELAXED_GET)
        freshness_draw(client, &op);
    if (draw->hasty_chance > 0 && history_is_relaxed_write(&op) &&
        prng_chance(&client->prng, (uint32_t)draw->hasty_chance)) {
        op.is_blocking = false;
        op.wait_ns = prng_range(&client->prng, 1, draw->hasty_ns);
    }
    if (op.type == HISTORY_SWAP) {
        op.old = old_draw(client, key);
        if (prng_chance(&client->prng, 100000))
            op.value = HISTORY_ABSENT;
    }
    return op;
}

/* ---- how it is asked ---- */

static struct plx_bytes key_of(const struct client *client, uint32_t key)
{
    return (struct plx_bytes){client->world->keys[key], client->world->key_sizes_bytes[key]};
}

/* A value in memory of its own; absent for HISTORY_ABSENT. */
static struct plx_bytes value_make(const struct client *client, uint64_t name, uint8_t **ret_memory)
{
    const struct draw *draw = client->world->draw;
    *ret_memory = NULL;
    if (name == HISTORY_ABSENT)
        return PLX_ABSENT;
    size_t size = value_size_bytes(draw, name);
    *ret_memory = malloc(size);
    CHECK(*ret_memory != NULL);
    value_write(draw, name, *ret_memory);
    return (struct plx_bytes){*ret_memory, size};
}

static void slot_free(struct client_slot *slot)
{
    free(slot->value);
    free(slot->old_value);
    *slot = (struct client_slot){.client = slot->client};
}

static bool is_relaxed(const struct history_op *op)
{
    return op->type == HISTORY_RELAXED_GET || history_is_relaxed_write(op);
}

static void op_done(void *context, const struct plx_response *response);

static struct plx_op plx_op_of(struct client *client, struct client_slot *slot,
                               const struct history_op *op)
{
    return (struct plx_op){
        .type = history_is_get(op)         ? PLX_OP_GET
                : op->type == HISTORY_SWAP ? PLX_OP_SWAP
                                           : PLX_OP_SET,
        .key = key_of(client, op->key),
        .value = value_make(client, op->value, &slot->value),
        .old_value = value_make(client, op->old, &slot->old_value),
        .call = {.is_relaxed = is_relaxed(op),
                 .is_blocking = op->is_blocking,
                 .timeout_ns = op->wait_ns,
                 .fence_wait_ns = op->wait_ns,
                 .min_index = op->min_index,
                 .max_age_ns = op->max_age_ns},
        .done = op_done,
        .context = slot,
    };
}

static uint32_t op_invoke(struct client *client, const struct history_op *op)
{
    struct history *history = client->world->history;
    uint32_t number = history_invoke(history, op, client_now_ns(client));
    const struct history_op *placed = &history->ops[number];
    client->world->tally->ops_invoked++;
    verdict_say(client->world->verdict, "c%u.%u invokes op %u: %s key %u value %llu old %llu%s",
                client->number, client->life, number, history_type_name(op->type), op->key,
                (unsigned long long)placed->value, (unsigned long long)placed->old,
                op->is_blocking ? " blocking" : "");
    return number;
}

static void op_submit(struct client *client, struct client_slot *slot)
{
    struct history_op drawn = op_draw(client, (uint32_t)(slot - client->slots));
    slot->is_used = true;
    slot->op = op_invoke(client, &drawn);
    slot->preferred = is_relaxed(&drawn) ? client->preferred : -1;
    struct plx_op op = plx_op_of(client, slot, &client->world->history->ops[slot->op]);
    enum plx_outcome outcome = plx_submit(client->handle, &op);
    if (outcome != PLX_OK)
        verdict_break(client->world->verdict, RULE_PROTOCOL, "op %u is not accepted: %s", slot->op,
                      plx_outcome_name(outcome));
}

static struct client_slot *slot_find(struct client *client)
{
    for (uint32_t i = 0; i < client->world->draw->pipeline_max; i++) {
        if (!client->slots[i].is_used)
            return &client->slots[i];
    }
    return NULL;
}

void client_begin_ops(struct client *client)
{
    const struct draw *draw = client->world->draw;
    uint64_t now_ns = client_now_ns(client);
    while (client->ops_left > 0 && !client->world->is_winding_down &&
           client->next_op_ns <= now_ns) {
        struct client_slot *slot = slot_find(client);
        if (slot == NULL)
            return;
        client->ops_left--;
        client->next_op_ns = now_ns + prng_range(&client->prng, 0, 2 * draw->think_ns);
        if (draw->rest_chance > 0 && prng_chance(&client->prng, (uint32_t)draw->rest_chance))
            client->next_op_ns += prng_range(&client->prng, 0, draw->rest_ns_max);
        op_submit(client, slot);
    }
}

uint32_t client_in_flight(const struct client *client)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < CLIENT_SLOTS_MAX; i++)
        count += client->slots[i].is_used;
    return count;
}

void client_drop_ops(struct client *client)
{
    for (uint32_t i = 0; i < CLIENT_SLOTS_MAX; i++)
        slot_free(&client->slots[i]);
}

/* A relaxed write of another key waits for its handle to remember fewer pending ones, and what
 * became of those only the nodes that took them can tell. */
static bool is_behind_pending(const struct client *client, const struct history_op *op,
                              uint32_t nodes)
{
    const struct plx_client *handle = client->handle;
    if (!history_is_relaxed_write(op) || handle->pending.count < handle->options.relaxed_keys_max)
        return false;
    for (uint32_t i = 0; i < handle->open_count * NODES_MAX; i++) {
        uint32_t node = i % NODES_MAX + 1;
        if ((nodes >> (node - 1) & 1) != 0 &&
            pending_is_on(shard_at(handle, i / NODES_MAX), (uint16_t)node))
            return true;
    }
    return false;
}

static bool is_stranded(const struct client *client, const struct client_slot *slot, uint32_t nodes)
{
    const struct history_op *op = &client->world->history->ops[slot->op];
    if (!op->is_blocking || !is_relaxed(op))
        return false;
    bool is_at_preferred = slot->preferred >= 0 && (nodes >> slot->preferred & 1) != 0;
    return is_at_preferred || is_behind_pending(client, op, nodes);
}

/* It waits for a node that may be no member: one takes no writes once it was removed, and hears
 * nothing of the others. */
static bool is_waiting_for_spare(const struct client *client, const struct client_slot *slot)
{
    const struct history_op *op = &client->world->history->ops[slot->op];
    uint32_t outsiders = client->world->outsiders;
    return op->is_blocking && is_relaxed(op) && outsiders != 0 &&
           ((slot->preferred >= 0 && (outsiders >> slot->preferred & 1) != 0) ||
            is_behind_pending(client, op, outsiders));
}

/* It waits for its node to hear of the others: to be fresh enough, or to learn that an earlier
 * write is decided. */
static bool is_waiting_for_peers(const struct client *client, const struct client_slot *slot)
{
    const struct history_op *op = &client->world->history->ops[slot->op];
    if (!client->world->is_residual || !op->is_blocking || !is_relaxed(op))
        return false;
    if (op->type == HISTORY_RELAXED_GET)
        return op->reads_own || op->min_index > 0 || op->max_age_ns > 0;
    return client->handle->pending.count >= client->handle->options.relaxed_keys_max;
}

bool client_may_wait(const struct client *client, const struct client_slot *slot)
{
    return is_stranded(client, slot, client->world->nodes_down | client->world->nodes_apart) ||
           is_waiting_for_peers(client, slot) || is_waiting_for_spare(client, slot);
}

bool client_is_stranded(const struct client *client)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < CLIENT_SLOTS_MAX; i++) {
        const struct client_slot *slot = &client->slots[i];
        if (slot->is_used && !is_stranded(client, slot, client->world->nodes_gone))
            return false;
        count += slot->is_used;
    }
    return count > 0;
}

void client_name_ops(void *context, const struct plx_client *handle)
{
    struct client *client = context;
    for (uint32_t i = 0; i < handle->active_count; i++) {
        const struct op *op = &handle->ops[handle->active[i]];
        if (op->request.done != op_done || op->session == 0)
            continue;
        struct client_slot *slot = op->request.context;
        uint32_t shard = client->world->history->ops[slot->op].shard;
        uint32_t new_era = client->world->new_era;
        if (new_era != 0 && handle->kept.era >= new_era)
            shard |= WITNESS_NEW_ERA;
        witness_name_op(client->world->witness,
                        &(struct witness_name){
                            .shard = shard, .high = op->session, .low = op->seq, .op = slot->op});
        if (op->class != CLASS_RELAXED_WRITE || op->unanswered == 0)
            continue;
        uint32_t node = network_host(&handle->endpoints[op->endpoint].address);
        slot->preferred = (int32_t)node; /* it stays there */
        client->world->history->ops[slot->op].node = (uint16_t)(node + 1);
    }
}

/* ---- what is told ---- */

static enum history_outcome outcome_of(struct client *client, const struct history_op *op,
                                       enum plx_outcome outcome)
{
    switch (outcome) {
    case PLX_OK:
        return HISTORY_OK;
    case PLX_MISMATCH:
        return HISTORY_MISMATCH;
    case PLX_NOT_FOUND:
        return HISTORY_NOT_FOUND;
    case PLX_TIMEOUT:
        return HISTORY_TIMEOUT;
    case PLX_UNKNOWN:
        return HISTORY_UNKNOWN;
    case PLX_E_OVERLOADED:
    case PLX_E_SESSIONS:
        return HISTORY_REFUSED;
    case PLX_E_DENIED:
        if (!client_has_few_rights(client) ||
            (history_is_get(op) && !client->world->is_few_revoked))
            break;
        client->world->tally->ops_denied++;
        return HISTORY_REFUSED;
    case PLX_E_TOO_STALE:
        if (op->type == HISTORY_RELAXED_GET)
            return HISTORY_TOO_STALE;
        break;
    default:
        break;
    }
    verdict_break(client->world->verdict, RULE_PROTOCOL, "a %s ends with %s",
                  history_type_name(op->type), plx_outcome_name(outcome));
    return HISTORY_UNKNOWN;
}

/* The value that came back with an answer. */
static uint64_t seen_of(struct client *client, const struct plx_response *response)
{
    if (!response->has_value)
        return response->version == 0 ? HISTORY_ABSENT : HISTORY_UNSEEN;
    struct span begin = span_of(response->value.data, response->value.size_bytes);
    uint64_t name = value_name(client->world->draw, begin, response->value_size_bytes);
    if (name == 0 || name > client->world->history->count)
        verdict_break(client->world->verdict, RULE_PROTOCOL,
                      "a value of %zu bytes came back that nobody wrote",
                      response->value_size_bytes);
    return name;
}

static void outcome_count(struct tally *tally, const struct history_op *op)
{
    tally->ops_ok += op->outcome == HISTORY_OK;
    tally->ops_mismatch += op->outcome == HISTORY_MISMATCH;
    tally->ops_not_found += op->outcome == HISTORY_NOT_FOUND;
    tally->ops_timeout += op->outcome == HISTORY_TIMEOUT;
    tally->ops_refused += op->outcome == HISTORY_REFUSED;
    tally->ops_unknown += op->outcome == HISTORY_UNKNOWN;
    tally->ops_too_stale += op->outcome == HISTORY_TOO_STALE;
    tally->ops_relaxed += is_relaxed(op);
    tally->ops_pending_seen += op->type == HISTORY_RELAXED_GET && op->is_pending;
}

/* What this client believes to be stored from now on. */
static void value_learn(struct client *client, const struct history_op *op)
{
    uint64_t *known = &client->last_values[op->key];
    if (op->outcome == HISTORY_OK)
        *known = history_is_get(op) ? op->seen : op->value;
    else if (op->outcome == HISTORY_NOT_FOUND)
        *known = HISTORY_ABSENT;
    else if (op->outcome == HISTORY_MISMATCH && op->seen != HISTORY_UNSEEN)
        *known = op->seen;
}

/* One that has not seen the new era may be answered by a node of
 * it: the answer may as well have been under way since before. */
uint32_t client_era_seen(const struct client *client, const struct history_op *op)
{
    const struct client_world *world = client->world;
    if (world->new_era == 0)
        return 0;
    if (client->handle->kept.era >= world->new_era)
        return 1;
    bool is_new = op->node != 0 && (world->new_nodes[op->shard] >> (op->node - 1) & 1) != 0;
    return is_new ? HISTORY_ERA_UNCLEAR : 0;
}

/* Fills the operation from its answer. */
static void op_fill(struct client *client, struct history_op *op,
                    const struct plx_response *response)
{
    op->outcome = outcome_of(client, op, response->outcome);
    op->return_ns = client_now_ns(client);
    op->applied_index = response->applied_index;
    op->contact_age_ns = response->contact_age_ns;
    op->is_pending = response->is_pending;
    if (response->node != 0)
        op->node = response->node;
    op->era = client_era_seen(client, op);
    if (history_is_get(op))
        op->incarnation = response->incarnation;
    uint64_t number = response->version;
    if (response->is_pending)
        number = witness_number(client->world->witness, response->series, response->version);
    if (history_is_relaxed_write(op) && op->outcome == HISTORY_OK)
        op->journal_seq = number;
    else
        op->version = number;
    bool tells_value =
        (history_is_get(op) && op->outcome == HISTORY_OK) || op->outcome == HISTORY_MISMATCH;
    if (tells_value)
        op->seen = seen_of(client, response);
    if (response->applied_index > client->seen_index[op->shard] && !op->is_pending)
        client->seen_index[op->shard] = response->applied_index;
}

static void op_end(struct client *client, uint32_t number, const struct plx_response *response)
{
    struct history_op *op = &client->world->history->ops[number];
    op_fill(client, op, response);
    outcome_count(client->world->tally, op);
    value_learn(client, op);
    verdict_say(client->world->verdict, "c%u.%u op %u ends: %s seen %llu version %llu%s n%u era %u",
                client->number, client->life, number, history_outcome_name(op->outcome),
                (unsigned long long)op->seen, (unsigned long long)response->version,
                op->is_pending ? " pending" : "", op->node, client->handle->kept.era);
    verdict_trace(client->world->verdict, digest_word(number, (uint64_t)op->outcome));
    bool has_token = response->outcome == PLX_UNKNOWN && response->token.session != 0;
    if (has_token)
        tokens_add(&client->world->tokens,
                   &(struct token){.token = response->token,
                                   .op = number,
                                   .client = client->number,
                                   .life = client->life,
                                   .due_ns = client_now_ns(client) +
                                             prng_range(&client->prng, 0, 2 * RESOLVE_WAIT_NS)});
    else if (op->outcome == HISTORY_UNKNOWN && !history_is_relaxed_write(op))
        verdict_break(client->world->verdict, RULE_PROTOCOL, "op %u is unknown without a token",
                      number);
}

static void op_done(void *context, const struct plx_response *response)
{
    struct client_slot *slot = context;
    struct client *client = slot->client;
    op_end(client, slot->op, response);
    slot_free(slot);
}

void client_read_key(struct client *client, uint32_t key)
{
    struct history_op op = {.type = HISTORY_GET,
                            .key = key,
                            .shard = client->world->key_shards[key],
                            .client = client->number,
                            .life = client->life,
                            .is_blocking = true,
                            .process =
                                (client->life * CLIENTS_MAX + client->number) * CLIENT_SLOTS_MAX};
    uint32_t number = op_invoke(client, &op);
    struct plx_call call = {.is_blocking = true};
    struct plx_response response = plx_get(client->handle, key_of(client, key), &call);
    op_end(client, number, &response);
}

/* ---- what is learnt later ---- */

void client_resolve(struct client *client, struct token *token)
{
    struct client_world *world = client->world;
    struct plx_call call = {.is_blocking = world->is_winding_down};
    struct plx_response response = plx_resolve(client->handle, &token->token, &call);
    verdict_say(world->verdict, "c%u.%u resolves op %u: %s", client->number, client->life,
                token->op, plx_outcome_name(response.outcome));
    struct history_op *op = &world->history->ops[token->op];
    if (response.outcome == PLX_UNKNOWN) {
        tokens_return(token, client_now_ns(client) + prng_range(&client->prng, 0, RESOLVE_WAIT_NS));
        return;
    }
    if (token->client == client->number && token->life == client->life)
        token->is_forgotten = true; /* resolving did that */
    tokens_settle(&world->tokens, token);
    if (response.outcome == PLX_E_SESSION_EXPIRED) {
        world->tally->tokens_expired++;
        if (world->draw->session_ttl_ns >= SESSION_TTL_NS_NEVER && world->new_era == 0 &&
            !world->has_ended_session)
            verdict_break(world->verdict, RULE_PROTOCOL, "op %u's session has expired at %llu ns",
                          token->op, (unsigned long long)client_now_ns(client));
        return;
    }
    op->outcome = outcome_of(client, op, response.outcome);
    op->return_ns = client_now_ns(client);
    op->era = client_era_seen(client, op) == 1 ? 1 : world->new_era == 0 ? 0 : HISTORY_ERA_UNCLEAR;
    if (op->outcome == HISTORY_MISMATCH)
        op->seen = HISTORY_UNSEEN;
    world->tally->ops_unknown_resolved++;
    value_learn(client, op);
}

void client_describe(const struct client *client)
{
    for (uint32_t i = 0; i < CLIENT_SLOTS_MAX; i++) {
        const struct client_slot *slot = &client->slots[i];
        if (slot->is_used)
            verdict_say(client->world->verdict, "c%u.%u waits for op %u, preferred %d",
                        client->number, client->life, slot->op, slot->preferred);
    }
    verdict_say(client->world->verdict, "c%u.%u: %s, %u tokens open", client->number, client->life,
                client->socket.fiber.is_live ? "runs" : "has ended",
                client->world->tokens.open_count);
}
