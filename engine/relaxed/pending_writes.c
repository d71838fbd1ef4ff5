/* Pending relaxed writes: see engine/relaxed/pending_writes.h. */
#include "engine/relaxed/pending_writes.h"

#include "base/check.h"

static_assert((PENDING_WRITES_CANCELS_CAPACITY & (PENDING_WRITES_CANCELS_CAPACITY - 1)) == 0,
              "indexed by a mask");
static_assert(PENDING_WRITES_CANCELS_CAPACITY <= UINT16_MAX,
              "those of one node are counted in 16 bits");
static_assert(REQUEST_OPS_MAX <= UINT8_MAX, "an op's cancels are counted in a byte");

/* How far an older op of a client is looked for: other clients may have written since. */
#define OLDER_STEPS_MAX 64

/* What a restart may find where `max` were accepted. */
static uint64_t with_reserve(uint64_t max)
{
    return max + max / 4;
}

static uint64_t ops_capacity(uint32_t ops_max)
{
    uint64_t capacity = 1;
    while (capacity < with_reserve(ops_max))
        capacity *= 2;
    return capacity;
}

/* Each key has an op, and takes a block at least. */
static uint32_t keys_max_of(uint32_t ops_max, uint32_t blocks_max)
{
    return (uint32_t)with_reserve(ops_max < blocks_max ? ops_max : blocks_max);
}

size_t pending_writes_arena_bytes(uint32_t ops_max, uint32_t blocks_max)
{
    return principals_arena_bytes() + store_arena_bytes((uint32_t)with_reserve(blocks_max)) +
           index_arena_bytes(keys_max_of(ops_max, blocks_max)) +
           ops_capacity(ops_max) * sizeof(struct pending_write) +
           PENDING_WRITES_CANCELS_CAPACITY * sizeof(struct pending_cancel) + 128;
}

enum error pending_writes_init(struct pending_writes *writes, struct arena *arena,
                               const struct pending_writes_options *options)
{
    CHECK(options->ops_max > 0 && options->ops_max <= PENDING_WRITES_OPS_MAX);
    uint64_t capacity = ops_capacity(options->ops_max);
    *writes = (struct pending_writes){.judge = options->judge,
                                      .ops_mask = capacity - 1,
                                      .ops_max = options->ops_max,
                                      .blocks_max = options->blocks_max};
    principals_init(&writes->principals, arena, options->hash_key);
    writes->ops = arena_take(arena, capacity * sizeof(struct pending_write), 64);
    writes->cancels =
        arena_take(arena, PENDING_WRITES_CANCELS_CAPACITY * sizeof(struct pending_cancel), 64);
    enum error error =
        store_init(&writes->store, arena, (uint32_t)with_reserve(options->blocks_max));
    if (error != OK)
        return error;
    index_init(&writes->index, arena, &writes->store,
               keys_max_of(options->ops_max, options->blocks_max), options->hash_key);
    return OK;
}

void pending_writes_deinit(struct pending_writes *writes)
{
    store_deinit(&writes->store);
}

bool pending_writes_has_room(const struct pending_writes *writes, const struct pending_need *need)
{
    return writes->tail - writes->head + need->ops <= writes->ops_max &&
           writes->blocks + need->blocks <= writes->blocks_max &&
           writes->cancels_tail - writes->cancels_head + need->cancels <=
               PENDING_WRITES_CANCELS_MAX;
}

bool pending_writes_has_room_again(const struct pending_writes *writes,
                                   const struct pending_need *need)
{
    uint64_t cancels = writes->cancels_tail - writes->cancels_head;
    return writes->tail - writes->head + need->ops <= with_reserve(writes->ops_max) &&
           writes->blocks + need->blocks <= with_reserve(writes->blocks_max) &&
           cancels + need->cancels <= PENDING_WRITES_CANCELS_CAPACITY;
}

void pending_writes_add_cancel(struct pending_writes *writes, const struct op *cancel)
{
    CHECK(cancel->node <= VOTER_ID_MAX);
    CHECK(writes->cancels_tail - writes->cancels_head < PENDING_WRITES_CANCELS_CAPACITY);
    writes->cancels[writes->cancels_tail++ & (PENDING_WRITES_CANCELS_CAPACITY - 1)] =
        (struct pending_cancel){.position = writes->tail,
                                .seq = cancel->seq,
                                .series = op_series(cancel),
                                .tag = cancel->tag,
                                .node = cancel->node};
    writes->cancels_of[cancel->node]++;
}

uint64_t pending_writes_first_cancel(const struct pending_writes *writes, uint64_t position)
{
    uint64_t low = writes->cancels_head;
    uint64_t high = writes->cancels_tail;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (pending_writes_cancel_at(writes, middle)->position < position)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void pending_writes_add(struct pending_writes *writes, const struct request *request,
                        const struct op *op, uint64_t seq, uint16_t principal)
{
    CHECK(writes->tail - writes->head < with_reserve(writes->ops_max));
    CHECK(seq != 0 && (seq & PENDING_WRITES_ABSENT) == 0);
    CHECK(writes->tail == writes->head || pending_writes_at(writes, writes->tail - 1)->seq < seq);
    struct store_content content = {.key = op_key(request, op),
                                    .value = op_value(request, op),
                                    .hash = op->hash,
                                    .version = seq | (op->has_value ? 0 : PENDING_WRITES_ABSENT)};
    writes->blocks += store_entry_blocks(op->key_size_bytes, op->value_size_bytes);
    CHECK(writes->blocks <= with_reserve(writes->blocks_max));
    uint64_t cancels = writes->cancels_tail - pending_writes_first_cancel(writes, writes->tail);
    *pending_writes_at(writes, writes->tail++) =
        (struct pending_write){.seq = seq,
                               .entry = store_new(&writes->store, &content),
                               .tag = wire_tag(request->session),
                               .principal = principal,
                               .cancel_count = (uint8_t)cancels};
    principals_hold(&writes->principals, principal);
    writes->live++;
}

/* Gives an op's entry back; it is in the index no more. */
static void write_release(struct pending_writes *writes, struct pending_write *op)
{
    writes->blocks -=
        store_entry_blocks(store_entry_key_size(op->entry), op->entry->value_size_bytes);
    writes->live--;
    principals_release(&writes->principals, op->principal);
    store_retire(&writes->store, op->entry);
    op->entry = NULL;
}

/* Seqs rise along the queue. */
uint64_t pending_writes_position_of(const struct pending_writes *writes, uint64_t seq)
{
    uint64_t low = writes->head;
    uint64_t high = writes->tail;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (pending_writes_at(writes, middle)->seq < seq)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

uint64_t pending_writes_next_seq(const struct pending_writes *writes, uint64_t seq)
{
    uint64_t at = pending_writes_position_of(writes, seq);
    while (at < writes->tail && (pending_writes_at(writes, at)->entry == NULL ||
                                 pending_writes_at(writes, at)->seq < seq))
        at++;
    return at < writes->tail ? pending_writes_at(writes, at)->seq : UINT64_MAX;
}

/* Live ops move up against the tail, which stays, and their cancels with them. */
void pending_writes_close_gaps(struct pending_writes *writes, uint64_t *position)
{
    uint64_t to = writes->tail;
    uint64_t cancel = writes->cancels_tail;
    uint64_t mapped = writes->tail;
    if ((writes->tail - writes->head - writes->live) * 2 < writes->ops_max)
        return;
    for (uint64_t from = writes->tail; from-- > writes->head;) {
        const struct pending_write *op = pending_writes_at(writes, from);
        /* One that was revoked may have left cancels in the ring: until they go, it stays a gap. */
        if (op->entry != NULL || op->cancel_count > 0) {
            *pending_writes_at(writes, --to) = *op;
            for (uint8_t i = 0; i < op->cancel_count; i++)
                writes->cancels[--cancel & (PENDING_WRITES_CANCELS_CAPACITY - 1)].position = to;
        }
        if (from >= *position)
            mapped = to;
    }
    writes->head = to;
    *position = mapped;
}

struct pending_write *pending_writes_op_of(const struct pending_writes *writes,
                                           const struct store_entry *entry)
{
    struct pending_write *op =
        pending_writes_at(writes, pending_writes_position_of(writes, pending_writes_seq(entry)));
    CHECK(op->entry == entry);
    return op;
}

/* The next older op of the key that is in the queue, overruled or not; NULL: none. */
static struct pending_write *next_older(const struct pending_writes *writes,
                                        const struct pending_write *op)
{
    if (op->older_seq < pending_writes_at(writes, writes->head)->seq)
        return NULL;
    struct pending_write *older =
        pending_writes_at(writes, pending_writes_position_of(writes, op->older_seq));
    CHECK(older->entry != NULL && older->seq == op->older_seq && older->seq < op->seq);
    return older;
}

/* The log has applied it, or will not. */
static bool is_past(const struct pending_writes *writes, const struct pending_write *op)
{
    uint8_t scratch[KEY_SIZE_BYTES_MAX];
    return writes->judge.is_decided(writes->judge.context, op->seq,
                                    store_key(&writes->store, op->entry, scratch), op->tag);
}

const struct pending_write *pending_writes_carrying(const struct pending_writes *writes,
                                                    const struct pending_write *op)
{
    while (op != NULL && (op->cancel_count == 0 || is_past(writes, op))) /* each step: an older */
        op = next_older(writes, op);
    return op;
}

const struct pending_write *pending_writes_older(const struct pending_writes *writes,
                                                 const struct pending_write *op)
{
    return next_older(writes, op);
}

/* Moves the head over gaps, and forgets the cancels of ops that are gone. */
static void queue_trim(struct pending_writes *writes)
{
    while (writes->head < writes->shown && pending_writes_at(writes, writes->head)->entry == NULL)
        writes->head++;
    while (writes->cancels_head < writes->cancels_tail &&
           pending_writes_cancel_at(writes, writes->cancels_head)->position < writes->head)
        writes->cancels_of[pending_writes_cancel_at(writes, writes->cancels_head++)->node]--;
}

static void count_keys(struct pending_writes *writes, uint64_t keys)
{
    atomic_store_explicit(&writes->keys, keys, memory_order_release);
}

static uint64_t keys_of(const struct pending_writes *writes)
{
    return atomic_load_explicit(&writes->keys, memory_order_acquire);
}

/* Drops `older`, which comes behind `op` in its chain. False: it must be decided. */
static bool write_drop(struct pending_writes *writes, struct pending_write *op,
                       struct pending_write *older)
{
    if (older->is_forwarded || older->cancel_count > 0)
        return false;
    op->older_seq = older->older_seq;
    write_release(writes, older);
    return true;
}

static bool is_of_one(const struct pending_write *one, const struct pending_write *other)
{
    return one->tag == other->tag && one->principal == other->principal;
}

/*
 * Of each client the newest op of a key that was not forwarded is kept. Never is the op of another
 * client dropped: the newer one may be overruled by its own client, and what it had replaced be in
 * the log all the same, as after a restart nobody knows what was forwarded before. In a long chain
 * an older one of the client may stay, too, and comes into the log before the newer one.
 */
static bool drop_older_of_client(struct pending_writes *writes, struct pending_write *op)
{
    struct pending_write *newer = op;
    struct pending_write *older = next_older(writes, op);
    for (uint32_t i = 0; older != NULL && !is_of_one(older, op); i++) {
        if (i == OLDER_STEPS_MAX)
            return false;
        newer = older;
        older = next_older(writes, older);
    }
    return older != NULL && write_drop(writes, newer, older);
}

/* Shows one op; true when an older one of its key was dropped. */
static bool write_show(struct pending_writes *writes, struct pending_write *op)
{
    uint8_t scratch[KEY_SIZE_BYTES_MAX];
    struct span key = store_key(&writes->store, op->entry, scratch);
    struct store_entry *old = index_lookup(&writes->index, key, op->entry->hash);
    op->is_shown = true;
    if (old == NULL) {
        index_add(&writes->index, op->entry);
        count_keys(writes, keys_of(writes) + 1);
        return false;
    }
    struct pending_write *old_op = pending_writes_op_of(writes, old);
    index_replace(&writes->index, old, op->entry);
    old_op->is_shown = false;
    op->older_seq = old_op->seq;
    return drop_older_of_client(writes, op);
}

/* The index has it: what is left of its key takes its place. What is passed over for that is never
 * shown again, and leads nowhere any more. */
static void write_hide(struct pending_writes *writes, struct pending_write *op)
{
    struct pending_write *hidden = op;
    struct pending_write *older = next_older(writes, op);
    hidden->older_seq = 0;
    while (older != NULL && is_past(writes, older)) {
        hidden = older;
        older = next_older(writes, hidden);
        hidden->older_seq = 0;
    }
    op->is_shown = false;
    if (older != NULL) {
        index_replace(&writes->index, op->entry, older->entry);
        older->is_shown = true;
        return;
    }
    index_remove(&writes->index, op->entry);
    count_keys(writes, keys_of(writes) - 1);
}

void pending_writes_overrule(struct pending_writes *writes, struct span key, uint64_t hash)
{
    struct store_entry *entry = pending_writes_lookup(writes, key, hash);
    if (entry == NULL)
        return;
    struct pending_write *newest = pending_writes_op_of(writes, entry);
    if (is_past(writes, newest))
        write_hide(writes, newest);
}

void pending_writes_overrule_all(struct pending_writes *writes)
{
    for (uint64_t at = writes->head; at < writes->shown; at++) {
        struct pending_write *op = pending_writes_at(writes, at);
        if (op->is_shown && is_past(writes, op))
            write_hide(writes, op);
    }
}

uint32_t pending_writes_show(struct pending_writes *writes, uint64_t seq)
{
    uint32_t dropped = 0;
    bool has_gaps = false;
    while (writes->shown < writes->tail && pending_writes_at(writes, writes->shown)->seq <= seq) {
        struct pending_write *op = pending_writes_at(writes, writes->shown);
        bool is_late = op->entry != NULL && is_past(writes, op); /* a cancel was faster */
        if (is_late && op->cancel_count == 0)
            write_release(writes, op);
        has_gaps |= op->entry == NULL; /* or it was revoked before it was durable */
        if (op->entry != NULL && !is_late)
            dropped += write_show(writes, op);
        writes->shown++;
    }
    if (dropped > 0 || has_gaps)
        queue_trim(writes);
    return dropped;
}

/* ---- what is revoked ---- */

static bool is_to_be_dropped(const struct pending_writes *writes, const struct pending_write *op)
{
    return op->entry != NULL && writes->principals.places[op->principal].is_revoked;
}

uint64_t pending_writes_next_revoked(const struct pending_writes *writes, uint64_t *at)
{
    if (*at < writes->head)
        *at = writes->head;
    while (*at < writes->tail) {
        const struct pending_write *op = pending_writes_at(writes, (*at)++);
        if (is_to_be_dropped(writes, op))
            return op->seq;
    }
    return 0;
}

static void revoked_mark(struct pending_writes *writes, struct pending_revoked *revoked)
{
    for (uint64_t at = writes->head; at < writes->tail; at++) {
        struct pending_write *op = pending_writes_at(writes, at);
        op->is_revoked = is_to_be_dropped(writes, op);
        if (!op->is_revoked)
            continue;
        if (revoked->count++ == 0)
            revoked->first_seq = op->seq;
        revoked->last_seq = op->seq;
    }
}

/* Leads past those of its chain that go. Each is passed once: one op at most is newer than it. */
static void revoked_pass(const struct pending_writes *writes, struct pending_write *op)
{
    const struct pending_write *older = next_older(writes, op);
    while (older != NULL && older->is_revoked) {
        op->older_seq = older->older_seq;
        older = next_older(writes, op);
    }
}

/* Each place of those that were revoked is owed. */
static void revoked_end(struct principals *principals)
{
    uint16_t place = principals_next_owed(principals, 1);
    while (place != PRINCIPAL_NONE) { /* PRINCIPALS_CAPACITY */
        if (principals->places[place].is_revoked)
            principals_revoked(principals, place);
        place = principals_next_owed(principals, place + 1u);
    }
}

struct pending_revoked pending_writes_revoke(struct pending_writes *writes)
{
    struct pending_revoked revoked = {0};
    revoked_mark(writes, &revoked);
    for (uint64_t at = writes->head; at < writes->tail; at++) {
        if (pending_writes_at(writes, at)->entry != NULL)
            revoked_pass(writes, pending_writes_at(writes, at));
    }
    for (uint64_t at = writes->head; at < writes->tail; at++) {
        struct pending_write *op = pending_writes_at(writes, at);
        if (op->is_revoked && op->is_shown)
            write_hide(writes, op);
    }
    for (uint64_t at = writes->head; at < writes->tail; at++) {
        struct pending_write *op = pending_writes_at(writes, at);
        if (op->is_revoked)
            write_release(writes, op);
        op->is_revoked = false;
    }
    queue_trim(writes);
    revoked_end(&writes->principals);
    return revoked;
}

uint32_t pending_writes_decide(struct pending_writes *writes, uint64_t seq)
{
    uint32_t count = 0;
    while (writes->head < writes->shown && pending_writes_at(writes, writes->head)->seq <= seq) {
        struct pending_write *op = pending_writes_at(writes, writes->head++);
        if (op->entry == NULL)
            continue;
        if (op->is_shown) {
            index_remove(&writes->index, op->entry);
            count_keys(writes, keys_of(writes) - 1);
        }
        write_release(writes, op);
        count++;
    }
    queue_trim(writes);
    return count;
}

struct store_entry *pending_writes_lookup(const struct pending_writes *writes, struct span key,
                                          uint64_t hash)
{
    return keys_of(writes) == 0 ? NULL : index_lookup(&writes->index, key, hash);
}

static void count_shown(void *context, const struct store_entry *entry)
{
    uint64_t *count = context;
    CHECK(pending_writes_seq(entry) != 0);
    ++*count;
}

void pending_writes_check_invariants(const struct pending_writes *writes)
{
    CHECK(writes->head <= writes->shown && writes->shown <= writes->tail);
    CHECK(writes->tail - writes->head <= with_reserve(writes->ops_max));
    uint64_t last_seq = 0;
    uint64_t live = 0;
    uint64_t shown = 0;
    uint64_t blocks = 0;
    uint64_t cancels = 0;
    for (uint64_t at = writes->head; at < writes->tail; at++) {
        const struct pending_write *op = pending_writes_at(writes, at);
        CHECK(op->seq > last_seq);
        last_seq = op->seq;
        cancels += op->cancel_count;
        if (op->entry == NULL)
            continue;
        live++;
        shown += op->is_shown;
        blocks += store_entry_blocks(store_entry_key_size(op->entry), op->entry->value_size_bytes);
        CHECK(pending_writes_seq(op->entry) == op->seq);
        CHECK(at < writes->shown || (!op->is_shown && !op->is_forwarded));
        CHECK(next_older(writes, op) == NULL || next_older(writes, op)->seq < op->seq);
    }
    CHECK(live == writes->live && blocks == writes->blocks);
    principals_check_invariants(&writes->principals, live);
    CHECK(writes->cancels_tail - writes->cancels_head == cancels);
    uint64_t entries = 0;
    index_walk(&writes->index, count_shown, &entries);
    CHECK(entries == shown && entries == keys_of(writes));
    key_order_check_invariants(&writes->index, entries);
    store_check_invariants(&writes->store, blocks);
}
