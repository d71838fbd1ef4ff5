/* Snapshots, as they are written: see engine/state/snapshot.h. */
#include "engine/state/snapshot.h"

#include "base/check.h"
#include "base/le.h"
#include "engine/state/machine.h"

/* Work of the walk where it writes nothing, in bytes of the budget: a cache line each. */
#define VISIT_BYTES 64

/* Places of the index whose entries are fetched ahead of the walk. */
#define FETCH_PLACES ((uint64_t)8 * INDEX_PLACES_PER_LINE)

/* What begins an entry is written at once. */
#define ENTRY_HEAD_BYTES (SNAPSHOT_ITEM_HEADER_BYTES + SNAPSHOT_ENTRY_BYTES)

/* What is encoded when the snapshot begins, at most. */
#define BEGIN_BYTES_MAX                                                                            \
    (2 * SNAPSHOT_ITEM_HEADER_BYTES + SNAPSHOT_HEAD_BYTES + SNAPSHOT_CHANGE_BYTES_MAX +            \
     (size_t)SERIES_MAX * (SNAPSHOT_ITEM_HEADER_BYTES + SNAPSHOT_NODE_BYTES_MAX))

#define SESSION_ITEM_BYTES_MAX (SNAPSHOT_ITEM_HEADER_BYTES + SNAPSHOT_SESSION_BYTES_MAX)

static_assert(ENTRY_HEAD_BYTES <= SNAPSHOT_ROOM_MIN, "a sink with room takes the head of an entry");
static_assert(EXPIRE_MAX <= BATCH_REQUESTS_MAX, "SNAPSHOT_RECORD_SESSIONS_MAX counts these");
/* A record that may begin while an eighth of the store is kept (snapshot_must_wait) takes at most
 * SNAPSHOT_RECORD_BLOCKS_MAX more. */
static_assert(SNAPSHOT_RECORD_BLOCKS_MAX >=
                  2 * SNAPSHOT_RECORD_OPS_MAX + RECORD_PAYLOAD_SIZE_BYTES_MAX / STORE_PIECE_BYTES,
              "the reserve has room for a whole record");
static_assert(STORE_BLOCKS_MAX + STORE_BLOCKS_MAX / 8 + SNAPSHOT_RECORD_BLOCKS_MAX <=
                  UINT32_MAX / 2 - STORE_SLACK_BLOCKS - 1,
              "the store has numbers for the reserve");

/* Bytes that the sessions which one record changes can take, of `count` sessions. */
static size_t record_images_bytes(uint32_t count)
{
    if (count > SNAPSHOT_RECORD_SESSIONS_MAX)
        count = SNAPSHOT_RECORD_SESSIONS_MAX;
    return count * (size_t)SESSION_ITEM_BYTES_MAX;
}

/* Room for one record's sessions beside what the beginning encodes, which is far less than its
 * maximum unless thousands of cancels wait: so there is room for the sessions of many records. */
static size_t images_capacity_of(uint32_t sessions_max)
{
    return BEGIN_BYTES_MAX + record_images_bytes(sessions_max);
}

size_t snapshot_arena_bytes(uint32_t sessions_max)
{
    return images_capacity_of(sessions_max) + SNAPSHOT_STAGE_BYTES + 2 * (size_t)64;
}

void snapshot_init(struct snapshot *snapshot, struct arena *arena, uint32_t sessions_max)
{
    size_t capacity = images_capacity_of(sessions_max);
    *snapshot = (struct snapshot){.images = arena_take(arena, capacity, 64),
                                  .images_capacity = capacity,
                                  .stage = arena_take(arena, SNAPSHOT_STAGE_BYTES, 64)};
    /* Memory that is touched for the first time costs a lane up to 300 us: the kernel zeroes a huge
     * page. Every snapshot uses the stage and the begin of the images. */
    memset(snapshot->images, 0, capacity < SNAPSHOT_STAGE_BYTES ? capacity : SNAPSHOT_STAGE_BYTES);
    memset(snapshot->stage, 0, SNAPSHOT_STAGE_BYTES);
}

static void item_begin(uint8_t *to, enum snapshot_item type, size_t body_bytes)
{
    le32_store(to, (uint32_t)type);
    le32_store(to + 4, (uint32_t)body_bytes);
}

/* Room for an item that waits for the sink: its body. */
static uint8_t *image_add(struct snapshot *snapshot, enum snapshot_item type, size_t body_bytes)
{
    size_t size = SNAPSHOT_ITEM_HEADER_BYTES + body_bytes;
    CHECK(size <= snapshot->images_capacity - snapshot->images_tail);
    uint8_t *to = snapshot->images + snapshot->images_tail;
    snapshot->images_tail += size;
    snapshot->bytes += size;
    snapshot->items++;
    item_begin(to, type, body_bytes);
    return to + SNAPSHOT_ITEM_HEADER_BYTES;
}

static void encode_head(struct machine *machine)
{
    uint8_t *to = image_add(&machine->snapshot, SNAPSHOT_HEAD, SNAPSHOT_HEAD_BYTES);
    le64_store(to, SNAPSHOT_MAGIC);
    le32_store(to + 8, SNAPSHOT_VERSION);
    le32_store(to + 12, machine->limits.number);
    le64_store(to + 16, machine->applied_index);
    le64_store(to + 24, machine->log_time_ns);
    le64_store(to + 32, machine->keys);
    le64_store(to + 40, machine->blocks);
    le32_store(to + 48, machine->limits.values.keys_max);
    le32_store(to + 52, machine->limits.values.blocks_max);
    le32_store(to + 56, machine->limits.values.sessions_max);
    le32_store(to + 60, machine->sessions.count);
    le64_store(to + 64, machine->session_ttl_ns);
    le64_store(to + 72, machine->sessions.next_rank);
    le64_store(to + 80, machine->digest.value);
}

static void encode_configuration(struct machine *machine)
{
    const struct machine_configuration *configuration = &machine->configuration;
    if (configuration->index == 0)
        return;
    uint8_t *to = image_add(&machine->snapshot, SNAPSHOT_CONFIGURATION,
                            SNAPSHOT_CHANGE_BYTES + configuration->size_bytes);
    le64_store(to, configuration->index);
    memcpy(to + SNAPSHOT_CHANGE_BYTES, configuration->bytes, configuration->size_bytes);
}

static void encode_series(struct snapshot *snapshot, const struct node_progress *progress,
                          enum cancel_names names)
{
    size_t cancel_bytes = snapshot_cancel_bytes(names);
    size_t size = SNAPSHOT_NODE_BYTES + progress->cancel_count * cancel_bytes;
    CHECK(names == CANCEL_NAMES_256 || progress->wide_count == 0);
    uint8_t *to = image_add(snapshot, SNAPSHOT_NODE, size);
    le16_store(to, progress->node);
    to[2] = progress->is_open;
    to[3] = 0;
    le32_store(to + 4, progress->cancel_count);
    le64_store(to + 8, progress->last_seq);
    le64_store(to + 16, progress->series);
    le64_store(to + 24, progress->rank);
    for (uint32_t i = 0; i < progress->cancel_count; i++) {
        uint8_t *cancel = to + SNAPSHOT_NODE_BYTES + i * cancel_bytes;
        le64_store(cancel, progress->cancels[i].seq);
        memcpy(cancel + 8, progress->cancels[i].name.bytes, cancel_bytes - 8);
    }
}

static void encode_nodes(struct machine *machine)
{
    for (uint32_t i = 0; i < SERIES_MAX; i++) {
        if (machine->nodes.names[i] != 0)
            encode_series(&machine->snapshot, &machine->nodes.places[i], machine->nodes.new_names);
    }
}

/* Outcomes of seqs below the floor are finished: nothing asks for them any more. */
static uint32_t live_outcomes(struct session *session)
{
    uint32_t count = 0;
    for (uint64_t distance = 0; distance < SESSION_WINDOW; distance++)
        count += session_outcome_of(session, session->floor + distance) != NULL;
    return count;
}

static void encode_outcomes(uint8_t *to, struct session *session)
{
    for (uint64_t distance = 0; distance < SESSION_WINDOW; distance++) {
        const struct session_outcome *outcome =
            session_outcome_of(session, session->floor + distance);
        if (outcome == NULL)
            continue;
        le64_store(to, outcome->version);
        to[8] = outcome->outcome;
        to[9] = (uint8_t)distance;
        to += SNAPSHOT_OUTCOME_BYTES;
    }
}

static void encode_session(struct snapshot *snapshot, struct session *session)
{
    uint32_t count = live_outcomes(session);
    uint8_t *to = image_add(snapshot, SNAPSHOT_SESSION,
                            SNAPSHOT_SESSION_BYTES + (size_t)count * SNAPSHOT_OUTCOME_BYTES);
    le64_store(to, session->id);
    le64_store(to + 8, session->nonce);
    le64_store(to + 16, session->floor);
    le64_store(to + 24, session->last_active_ns);
    le64_store(to + 32, session->rank);
    to[40] = session->is_used;
    to[41] = session->is_idle;
    le16_store(to + 42, (uint16_t)count);
    le32_store(to + 44, 0);
    encode_outcomes(to + SNAPSHOT_SESSION_BYTES, session);
}

/* Encodes the session as it is, once. */
static void see_session(void *context, struct session *session)
{
    struct machine *machine = context;
    CHECK(machine->snapshot.sessions_unseen > 0);
    machine->snapshot.sessions_unseen--;
    sessions_set_seen(&machine->sessions, session);
    encode_session(&machine->snapshot, session);
}

void snapshot_begin(struct machine *machine, const struct snapshot_sink *sink)
{
    struct snapshot *snapshot = &machine->snapshot;
    CHECK(snapshot->phase == SNAPSHOT_IDLE);
    CHECK(snapshot->kept_blocks == 0);
    struct snapshot begun = {.phase = SNAPSHOT_WALKING,
                             .sink = *sink,
                             .index = machine->applied_index,
                             .slot = 1,
                             .slot_end = machine->sessions.untouched,
                             .sessions_unseen = machine->sessions.count,
                             .images = snapshot->images,
                             .images_capacity = snapshot->images_capacity,
                             .stage = snapshot->stage};
    *snapshot = begun;
    encode_head(machine);
    encode_configuration(machine);
    encode_nodes(machine);
    struct sessions_watch watch = {.before_change = see_session, .context = machine};
    sessions_watch_begin(&machine->sessions, &watch);
}

bool snapshot_is_running(const struct machine *machine)
{
    return machine->snapshot.phase != SNAPSHOT_IDLE;
}

static bool has_image_room(const struct snapshot *snapshot)
{
    return record_images_bytes(snapshot->sessions_unseen) <=
           snapshot->images_capacity - snapshot->images_tail;
}

bool snapshot_must_wait(const struct machine *machine)
{
    const struct snapshot *snapshot = &machine->snapshot;
    if (snapshot->phase == SNAPSHOT_IDLE)
        return false;
    /* Kept and in use together grow by what the record writes, SNAPSHOT_RECORD_BLOCKS_MAX at most:
     * an entry that is kept was in use before. So they stay within the capacity and the reserve. */
    uint64_t blocks = machine->capacity.blocks_max;
    return machine->blocks + snapshot->kept_blocks > blocks + blocks / 8 ||
           (snapshot->phase == SNAPSHOT_WALKING && !has_image_room(snapshot));
}

static uint32_t blocks_of(const struct store_entry *entry)
{
    return store_entry_blocks(store_entry_key_size(entry), entry->value_size_bytes);
}

bool snapshot_wants(const struct machine *machine, const struct store_entry *entry)
{
    const struct snapshot *snapshot = &machine->snapshot;
    if (entry->version > snapshot->index)
        return false;
    return entry == snapshot->entry || index_place(&machine->index, entry) >= snapshot->place;
}

void snapshot_keep(struct machine *machine, struct store_entry *entry)
{
    struct snapshot *snapshot = &machine->snapshot;
    snapshot->kept_blocks += blocks_of(entry);
    uint32_t blocks = machine->capacity.blocks_max;
    CHECK(machine->blocks + snapshot->kept_blocks <=
          blocks + (uint64_t)snapshot_reserve_blocks(blocks));
    if (entry == snapshot->entry) {
        CHECK(!snapshot->is_entry_kept);
        snapshot->is_entry_kept = true;
        return;
    }
    uint32_t number = store_number(&machine->store, entry);
    entry->next_kept = 0;
    if (snapshot->kept_first == 0)
        snapshot->kept_first = number;
    else
        store_at(&machine->store, snapshot->kept_last)->next_kept = number;
    snapshot->kept_last = number;
}

static struct store_entry *kept_take(struct machine *machine)
{
    struct snapshot *snapshot = &machine->snapshot;
    struct store_entry *entry = store_at(&machine->store, snapshot->kept_first);
    snapshot->kept_first = entry->next_kept;
    return entry;
}

static void kept_retire(struct machine *machine, struct store_entry *entry)
{
    CHECK(machine->snapshot.kept_blocks >= blocks_of(entry));
    machine->snapshot.kept_blocks -= blocks_of(entry);
    store_retire(&machine->store, entry);
}

/* A slice: what may still be done in it, and the bytes gathered for the sink. */
struct slice {
    size_t budget_bytes;
    size_t room_bytes; /* at `to` */
    uint8_t *to;
};

static void slice_spend(struct slice *slice, size_t bytes)
{
    slice->budget_bytes -= bytes < slice->budget_bytes ? bytes : slice->budget_bytes;
}

static void slice_wrote(struct slice *slice, size_t bytes)
{
    slice->to += bytes;
    slice->room_bytes -= bytes;
    slice_spend(slice, bytes);
}

/* What one piece of the slice may fill. */
static size_t slice_piece(const struct slice *slice)
{
    return slice->room_bytes < slice->budget_bytes ? slice->room_bytes : slice->budget_bytes;
}

static void entry_begin(struct machine *machine, struct slice *slice, struct store_entry *entry)
{
    struct snapshot *snapshot = &machine->snapshot;
    uint8_t *to = slice->to + SNAPSHOT_ITEM_HEADER_BYTES;
    uint32_t key_size = store_entry_key_size(entry);
    size_t size = SNAPSHOT_ENTRY_BYTES + key_size + (size_t)entry->value_size_bytes;
    item_begin(slice->to, SNAPSHOT_ENTRY, size);
    le64_store(to, entry->version);
    le32_store(to + 8, entry->value_size_bytes);
    le16_store(to + 12, (uint16_t)key_size);
    le16_store(to + 14, 0);
    slice_wrote(slice, ENTRY_HEAD_BYTES);
    snapshot->bytes += SNAPSHOT_ITEM_HEADER_BYTES + size;
    snapshot->items++;
    snapshot->entry = entry;
    snapshot->cursor = store_cursor_of(entry);
}

static void entry_copy(struct machine *machine, struct slice *slice)
{
    struct snapshot *snapshot = &machine->snapshot;
    size_t size =
        store_cursor_copy(&machine->store, &snapshot->cursor, slice->to, slice_piece(slice));
    slice_wrote(slice, size);
    if (snapshot->cursor.left_bytes > 0)
        return;
    if (snapshot->is_entry_kept)
        kept_retire(machine, snapshot->entry);
    snapshot->is_entry_kept = false;
    snapshot->entry = NULL;
}

static void images_write(struct snapshot *snapshot, struct slice *slice)
{
    size_t size = snapshot->images_tail - snapshot->images_head;
    if (size > slice_piece(slice))
        size = slice_piece(slice);
    memcpy(slice->to, snapshot->images + snapshot->images_head, size);
    slice_wrote(slice, size);
    snapshot->images_head += size;
    if (snapshot->images_head == snapshot->images_tail) {
        snapshot->images_head = 0;
        snapshot->images_tail = 0;
    }
}

static void sessions_walk(struct machine *machine, struct slice *slice)
{
    struct session *session = &machine->sessions.slots[machine->snapshot.slot++];
    slice_spend(slice, VISIT_BYTES);
    if (session->id != 0 && sessions_is_unseen(&machine->sessions, session))
        see_session(machine, session);
}

/* Goes on in the index up to the next entry of the snapshot, or to the next line. */
static void entries_walk(struct machine *machine, struct slice *slice)
{
    struct snapshot *snapshot = &machine->snapshot;
    if (snapshot->place % INDEX_PLACES_PER_LINE == 0) {
        index_fetch_place(&machine->index, snapshot->place + FETCH_PLACES);
        slice_spend(slice, VISIT_BYTES);
    }
    do {
        struct store_entry *entry = index_entry_at(&machine->index, snapshot->place++);
        if (entry != NULL && entry->version <= snapshot->index) {
            entry_begin(machine, slice, entry);
            return;
        }
    } while (snapshot->place % INDEX_PLACES_PER_LINE != 0);
}

static void encode_end(struct snapshot *snapshot)
{
    uint64_t bytes = snapshot->bytes;
    uint64_t items = snapshot->items;
    uint8_t *to = image_add(snapshot, SNAPSHOT_END, SNAPSHOT_END_BYTES);
    le64_store(to, bytes);
    le64_store(to + 8, items);
    snapshot->is_ended = true;
}

/* The next piece of work; false: everything is gathered. An item that was begun ends first. */
static bool snapshot_walk_on(struct machine *machine, struct slice *slice)
{
    struct snapshot *snapshot = &machine->snapshot;
    if (snapshot->entry != NULL) {
        entry_copy(machine, slice);
    } else if (snapshot->images_tail > 0) {
        images_write(snapshot, slice);
    } else if (snapshot->kept_first != 0) {
        struct store_entry *entry = kept_take(machine);
        snapshot->is_entry_kept = true;
        entry_begin(machine, slice, entry);
    } else if (snapshot->slot < snapshot->slot_end) {
        sessions_walk(machine, slice);
    } else if (snapshot->place < index_place_end(&machine->index)) {
        entries_walk(machine, slice);
    } else if (!snapshot->is_ended) {
        encode_end(snapshot);
    } else {
        return false;
    }
    return true;
}

/* Gathers one write for the sink; false: the snapshot is at its end. */
static bool stage_fill(struct machine *machine, struct slice *slice)
{
    /* Each piece of work spends budget, but the last one. */
    while (slice->room_bytes >= SNAPSHOT_ROOM_MIN && slice->budget_bytes > 0) {
        if (!snapshot_walk_on(machine, slice))
            return false;
    }
    return true;
}

static void walk_end(struct machine *machine)
{
    CHECK(machine->snapshot.sessions_unseen == 0);
    CHECK(machine->snapshot.kept_blocks == 0);
    sessions_watch_end(&machine->sessions);
    machine->snapshot.phase = SNAPSHOT_IDLE;
}

static bool walk_step(struct machine *machine, struct slice *slice)
{
    struct snapshot *snapshot = &machine->snapshot;
    bool is_going_on = true;
    while (is_going_on && slice->budget_bytes > 0) {
        size_t room = snapshot->sink.room_bytes(snapshot->sink.context);
        if (room < SNAPSHOT_ROOM_MIN)
            return true;
        slice->to = snapshot->stage;
        slice->room_bytes = room < SNAPSHOT_STAGE_BYTES ? room : SNAPSHOT_STAGE_BYTES;
        is_going_on = stage_fill(machine, slice);
        size_t size = (size_t)(slice->to - snapshot->stage);
        if (size > 0)
            snapshot->sink.write(snapshot->sink.context, span_of(snapshot->stage, size));
    }
    if (!is_going_on)
        walk_end(machine);
    return is_going_on;
}

/* Retires what an abandoned snapshot has kept. */
static bool abandoned_step(struct machine *machine, struct slice *slice)
{
    struct snapshot *snapshot = &machine->snapshot;
    while (snapshot->kept_first != 0 && slice->budget_bytes > 0) {
        kept_retire(machine, kept_take(machine));
        slice_spend(slice, ENGINE_BLOCK_SIZE_BYTES);
    }
    if (snapshot->kept_first != 0)
        return true;
    CHECK(snapshot->kept_blocks == 0);
    snapshot->phase = SNAPSHOT_IDLE;
    return false;
}

bool snapshot_step(struct machine *machine, size_t budget_bytes)
{
    struct slice slice = {.budget_bytes = budget_bytes};
    switch (machine->snapshot.phase) {
    case SNAPSHOT_IDLE:
        break;
    case SNAPSHOT_WALKING:
        return walk_step(machine, &slice);
    case SNAPSHOT_ABANDONED:
        return abandoned_step(machine, &slice);
    }
    return false;
}

void snapshot_abandon(struct machine *machine)
{
    struct snapshot *snapshot = &machine->snapshot;
    if (snapshot->phase != SNAPSHOT_WALKING)
        return;
    sessions_watch_end(&machine->sessions);
    if (snapshot->is_entry_kept)
        kept_retire(machine, snapshot->entry);
    snapshot->is_entry_kept = false;
    snapshot->entry = NULL;
    snapshot->phase = SNAPSHOT_ABANDONED;
}

void snapshot_check_invariants(const struct machine *machine)
{
    const struct snapshot *snapshot = &machine->snapshot;
    uint64_t blocks = snapshot->is_entry_kept ? blocks_of(snapshot->entry) : 0;
    for (uint32_t number = snapshot->kept_first; number != 0;) {
        const struct store_entry *entry = store_at(&machine->store, number);
        blocks += blocks_of(entry);
        CHECK(blocks <= snapshot->kept_blocks);
        CHECK(entry->version <= snapshot->index);
        number = entry->next_kept;
    }
    CHECK(blocks == snapshot->kept_blocks);
    CHECK(snapshot->images_head <= snapshot->images_tail);
    CHECK(snapshot->phase != SNAPSHOT_IDLE || blocks == 0);
}
