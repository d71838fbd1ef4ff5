/* See tests/sim/lister.h. */
#include "tests/sim/lister.h"

#include "base/check.h"
#include "client/list.h"
#include "tests/sim/client.h"

#include <stdlib.h>

#define MS            UINT64_C(1000000)
#define FINAL_WAIT_NS (3000 * MS)
#define LONG_WAIT_NS  (800 * MS) /* in most networks of the simulator that is enough */
#define OP_NUMBER_END UINT32_MAX

/* A list that is walked. */
struct walk {
    struct client *client;
    struct plx_list *list;
    struct plx_call call;
    struct span prefix;
    uint32_t ops[HISTORY_KEYS_MAX]; /* the get of each key; OP_NUMBER_END: none, or ended */
    uint64_t pages[SIM_SHARDS_MAX]; /* that were noted */
    uint64_t entries;               /* of them */
    uint8_t from[SIM_SHARDS_MAX][KEY_SIZE_BYTES_MAX];
    size_t from_bytes[SIM_SHARDS_MAX]; /* the last page ended here */
};

static struct span key_span(const struct client_world *world, uint32_t key)
{
    return span_of(world->keys[key], world->key_sizes_bytes[key]);
}

static void gets_begin(struct walk *walk)
{
    struct client *client = walk->client;
    struct client_world *world = client->world;
    for (uint32_t key = 0; key < world->draw->keys; key++) {
        struct history_op op = {.type = walk->call.is_relaxed ? HISTORY_RELAXED_GET : HISTORY_GET,
                                .key = key,
                                .shard = world->key_shards[key],
                                .client = client->number,
                                .life = client->life,
                                .process = CLIENTS_MAX * CLIENT_SLOTS_MAX * 1000 + key};
        if (walk->call.is_relaxed) {
            op.reads_own = client->reads_own;
            op.max_age_ns = walk->call.max_age_ns != 0 ? walk->call.max_age_ns : client->max_age_ns;
        }
        walk->ops[key] = OP_NUMBER_END;
        if (span_begins_with(key_span(world, key), walk->prefix))
            walk->ops[key] = history_invoke(world->history, &op, client_now_ns(client));
    }
}

static void get_end(struct walk *walk, uint32_t key, enum history_outcome outcome)
{
    struct client *client = walk->client;
    struct history_op *op = &client->world->history->ops[walk->ops[key]];
    op->outcome = outcome;
    op->return_ns = client_now_ns(client);
    op->era = client_era_seen(client, op);
    verdict_trace(client->world->verdict, digest_word(walk->ops[key], (uint64_t)outcome));
    verdict_say(client->world->verdict,
                "c%u.%u lists key %u as op %u: %s seen %llu version %llu%s index %llu n%u",
                client->number, client->life, key, walk->ops[key], history_outcome_name(outcome),
                (unsigned long long)op->seen, (unsigned long long)op->version,
                op->is_pending ? " pending" : "", (unsigned long long)op->applied_index, op->node);
    walk->ops[key] = OP_NUMBER_END;
}

/* What the page says of all its keys. */
static void get_fill(struct walk *walk, uint32_t key, const struct wire_reply *head)
{
    struct history_op *op = &walk->client->world->history->ops[walk->ops[key]];
    op->node = head->node;
    op->incarnation = head->incarnation;
    op->applied_index = head->applied_index;
    op->contact_age_ns =
        head->contact_age_us > UINT64_MAX / 1000 ? UINT64_MAX : head->contact_age_us * 1000;
}

static void entry_note(struct walk *walk, uint32_t key, const struct wire_reply *head,
                       const struct wire_list_entry *entry)
{
    struct client_world *world = walk->client->world;
    struct history_op *op = &world->history->ops[walk->ops[key]];
    get_fill(walk, key, head);
    op->is_pending = entry->is_pending;
    op->version = entry->is_pending ? witness_number(world->witness, head->series, entry->version)
                                    : entry->version;
    if (!entry->has_value) { /* too large for a page: which value it is, nobody knows */
        get_end(walk, key, HISTORY_TIMEOUT);
        return;
    }
    op->seen = value_name(world->draw, entry->value, entry->value_size_bytes);
    if (op->seen == 0 || op->seen > world->history->count)
        verdict_break(world->verdict, RULE_PROTOCOL, "a list has a value that nobody wrote");
    get_end(walk, key, HISTORY_OK);
}

/* The keys between, which the page does not have. Of a relaxed page a pending delete may hide
 * them. */
static void absence_note(struct walk *walk, uint32_t shard, const struct wire_list_reply *reply)
{
    struct client_world *world = walk->client->world;
    struct span from = span_of(walk->from[shard], walk->from_bytes[shard]);
    for (uint32_t key = 0; key < world->draw->keys; key++) {
        struct span bytes = key_span(world, key);
        if (walk->ops[key] == OP_NUMBER_END || world->key_shards[key] != shard ||
            span_compare(bytes, from) <= 0 ||
            (reply->has_more && span_compare(bytes, reply->last) > 0))
            continue;
        get_fill(walk, key, &reply->head);
        get_end(walk, key, walk->call.is_relaxed ? HISTORY_TIMEOUT : HISTORY_NOT_FOUND);
    }
}

static void page_note(struct walk *walk, uint32_t shard)
{
    struct client_world *world = walk->client->world;
    const struct list_page *page = &walk->list->pages[shard];
    struct wire_list_reply reply;
    size_t cursor = 0;
    CHECK(wire_list_reply_decode(span_of(page->body, page->body_bytes), &reply) == OK);
    for (uint16_t i = 0; i < reply.entry_count; i++) {
        struct wire_list_entry entry = wire_list_entry_decode(reply.entries, &cursor);
        walk->entries++;
        for (uint32_t key = 0; key < world->draw->keys; key++) {
            if (!span_is_equal(key_span(world, key), entry.key))
                continue;
            if (walk->ops[key] == OP_NUMBER_END)
                verdict_break(world->verdict, RULE_PROTOCOL, "a list has key %u twice", key);
            else
                entry_note(walk, key, &reply.head, &entry);
        }
    }
    absence_note(walk, shard, &reply);
    if (reply.has_more)
        memcpy(walk->from[shard], reply.last.data, reply.last.size_bytes);
    walk->from_bytes[shard] = reply.has_more ? reply.last.size_bytes : walk->from_bytes[shard];
    walk->pages[shard] = page->number;
}

/* Each call takes one page of a shard at most. */
static void pages_note(struct walk *walk)
{
    for (uint32_t shard = 0; shard < walk->client->world->draw->shards; shard++) {
        if (walk->list->has_begun && walk->list->pages[shard].number != walk->pages[shard])
            page_note(walk, shard);
    }
}

static void walk_run(struct walk *walk)
{
    struct client *client = walk->client;
    struct verdict *verdict = client->world->verdict;
    uint8_t last[KEY_SIZE_BYTES_MAX];
    size_t last_bytes = 0;
    uint64_t count = 0;
    struct plx_list_entry entry;
    enum plx_outcome outcome;
    gets_begin(walk);
    while ((outcome = plx_list(client->handle, walk->list, &walk->call, &entry)) == PLX_OK) {
        struct span key = span_of(entry.key.data, entry.key.size_bytes);
        pages_note(walk);
        if (span_compare(span_of(last, last_bytes), key) >= 0 ||
            !span_begins_with(key, walk->prefix))
            verdict_break(verdict, RULE_PROTOCOL, "a list is not in order, or of another prefix");
        memcpy(last, key.data, key.size_bytes);
        last_bytes = key.size_bytes;
        count++;
    }
    pages_note(walk);
    if (outcome == PLX_NOT_FOUND && count != walk->entries)
        verdict_break(verdict, RULE_PROTOCOL, "a list has %llu keys, and its pages %llu",
                      (unsigned long long)count, (unsigned long long)walk->entries);
    if (outcome != PLX_NOT_FOUND && outcome != PLX_TIMEOUT && outcome != PLX_E_TOO_STALE &&
        outcome != PLX_E_UNSUPPORTED && !(outcome == PLX_E_DENIED && client_is_revoked(client)))
        verdict_break(verdict, RULE_PROTOCOL, "a list ends with %s", plx_outcome_name(outcome));
    for (uint32_t key = 0; key < client->world->draw->keys; key++) {
        if (walk->ops[key] == OP_NUMBER_END)
            continue;
        if (outcome == PLX_NOT_FOUND)
            verdict_break(verdict, RULE_PROTOCOL, "a list says nothing of key %u", key);
        get_end(walk, key, HISTORY_TIMEOUT);
    }
    client->world->tally->lists_ended += outcome == PLX_NOT_FOUND;
    client->world->tally->lists_given_up += outcome != PLX_NOT_FOUND;
    client->world->tally->keys_listed += count;
}

static void list_run(struct client *client, const struct plx_call *call, struct span prefix)
{
    struct walk walk = {.client = client, .call = *call, .prefix = prefix};
    const struct plx_list_query query = {.prefix = {prefix.data, prefix.size_bytes},
                                         .has_values = true};
    if (client->list_memory == NULL)
        client->list_memory = malloc(plx_list_size());
    CHECK(client->list_memory != NULL);
    CHECK(plx_list_begin(client->list_memory, plx_list_size(), &query, &walk.list) == PLX_OK);
    walk_run(&walk);
}

void lister_turn(struct client *client)
{
    const struct client_world *world = client->world;
    struct prng *prng = &client->list_prng;
    if (client->lists_left == 0 || world->is_winding_down ||
        !prng_chance(prng, (uint32_t)world->draw->list_chance))
        return;
    client->lists_left--;
    struct span prefix = key_span(world, (uint32_t)prng_range(prng, 0, world->draw->keys - 1));
    prefix.size_bytes = prng_range(prng, 0, 2) == 0 ? prng_range(prng, 0, prefix.size_bytes) : 0;
    struct plx_call call = {.is_relaxed = prng_chance(prng, 500000)};
    if (prng_chance(prng, 700000))
        call.timeout_ns = LONG_WAIT_NS;
    if (call.is_relaxed && prng_chance(prng, (uint32_t)world->draw->max_age_chance))
        call.max_age_ns = prng_range(prng, 1, world->draw->max_age_ns);
    list_run(client, &call, prefix);
}

void lister_list_finally(struct client *client)
{
    const struct plx_call call = {.timeout_ns = FINAL_WAIT_NS};
    if (client->world->draw->list_chance > 0)
        list_run(client, &call, (struct span){0});
}
