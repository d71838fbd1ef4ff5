/* Snapshots, as they are read: see engine/state/snapshot_read.h. */
#include "engine/state/snapshot_read.h"

#include "base/check.h"
#include "base/le.h"
#include "engine/state/install.h"

static_assert(SNAPSHOT_ITEM_BYTES_MAX + 64 + SESSIONS_MAX * sizeof(uint32_t) <=
                  (size_t)SERIES_MAX * SNAPSHOT_NODE_BYTES_MAX,
              "the memory of a snapshot's images has room for an item and the heap");

/* A machine never writes and reads a snapshot at once: both use the memory of the images. */
void snapshot_read_begin(struct snapshot_reader *reader, struct machine *machine)
{
    CHECK(machine->applied_index == 0 && machine->keys == 0 && machine->sessions.count == 0);
    CHECK(machine->snapshot.phase == SNAPSHOT_IDLE);
    uint8_t *memory = machine->snapshot.images;
    size_t heap_at = ((size_t)SNAPSHOT_ITEM_BYTES_MAX + 63) / 64 * 64;
    *reader = (struct snapshot_reader){
        .machine = machine, .item = memory, .heap = (uint32_t *)(void *)(memory + heap_at)};
}

static enum error check_head(struct span body)
{
    const uint8_t *from = body.data;
    if (body.size_bytes < 12)
        return ERR_SHORT;
    if (le64_load(from) != SNAPSHOT_MAGIC)
        return ERR_MAGIC;
    if (le32_load(from + 8) != SNAPSHOT_VERSION)
        return ERR_VERSION;
    if (body.size_bytes != SNAPSHOT_HEAD_BYTES)
        return body.size_bytes < SNAPSHOT_HEAD_BYTES ? ERR_SHORT : ERR_TRAILING;
    return OK;
}

/* The limits of a head; of number 0 they are those of the machine that reads. */
static struct machine_limits head_limits(const uint8_t *head)
{
    return (struct machine_limits){.number = le32_load(head + 12),
                                   .values = {.keys_max = le32_load(head + 48),
                                              .blocks_max = le32_load(head + 52),
                                              .sessions_max = le32_load(head + 56)}};
}

bool snapshot_read_limits(struct span begin, struct wire_limits *ret_limits)
{
    if (begin.size_bytes < SNAPSHOT_ITEM_HEADER_BYTES + SNAPSHOT_HEAD_BYTES ||
        le32_load(begin.data) != SNAPSHOT_HEAD)
        return false;
    const uint8_t *head = begin.data + SNAPSHOT_ITEM_HEADER_BYTES;
    struct machine_limits limits = head_limits(head);
    if (check_head(span_of(head, SNAPSHOT_HEAD_BYTES)) != OK || limits.number == 0)
        return false;
    *ret_limits = limits.values;
    return true;
}

static enum error read_head(struct snapshot_reader *reader, struct span body)
{
    const struct machine *machine = reader->machine;
    enum error error = check_head(body);
    if (error != OK)
        return error;
    uint64_t index = le64_load(body.data + 16);
    uint64_t keys = le64_load(body.data + 32);
    uint64_t blocks = le64_load(body.data + 40);
    uint32_t sessions = le32_load(body.data + 60);
    struct machine_limits limits = head_limits(body.data);
    if (limits.number == 0)
        limits.values = machine->configured;
    if (limits.values.keys_max == 0 || limits.values.blocks_max == 0 ||
        limits.values.sessions_max == 0 || !machine_can_hold(machine, &limits.values))
        return ERR_RANGE;
    if (index > INDEX_MAX || keys > machine->capacity.keys_max ||
        blocks > machine->capacity.blocks_max || sessions > machine->capacity.sessions_max ||
        le64_load(body.data + 72) > UINT64_MAX / 2)
        return ERR_RANGE;
    reader->has_head = true;
    reader->index = index;
    reader->log_time_ns = le64_load(body.data + 24);
    reader->keys = keys;
    reader->blocks = blocks;
    reader->sessions = sessions;
    reader->limits = limits;
    reader->next_rank = le64_load(body.data + 72);
    reader->digest = le64_load(body.data + 80);
    return OK;
}

static enum error read_cancels(struct node_progress *progress, const uint8_t *from, uint32_t count,
                               size_t cancel_bytes)
{
    for (uint32_t i = 0; i < count; i++, from += cancel_bytes) {
        struct node_cancel cancel = {.seq = le64_load(from)};
        memcpy(cancel.name.bytes, from + 8, cancel_bytes - 8);
        enum error error = node_progress_restore(progress, &cancel);
        if (error != OK)
            return error;
    }
    return OK;
}

static enum error read_node(struct snapshot_reader *reader, struct span body)
{
    if (body.size_bytes < SNAPSHOT_NODE_BYTES)
        return ERR_SHORT;
    uint16_t node = le16_load(body.data);
    uint32_t count = le32_load(body.data + 4);
    size_t cancel_bytes = snapshot_cancel_bytes(reader->machine->nodes.new_names);
    if (body.data[2] > 1 || body.data[3] != 0)
        return ERR_RESERVED;
    if (node > VOTER_ID_MAX || count > NODE_CANCELS_CAPACITY)
        return ERR_RANGE;
    if (body.size_bytes != SNAPSHOT_NODE_BYTES + count * cancel_bytes)
        return ERR_CORRUPT;
    struct node_progress *progress;
    enum error error =
        nodes_progress_restore(&reader->machine->nodes,
                               &(struct series_known){.series = le64_load(body.data + 16),
                                                      .last_seq = le64_load(body.data + 8),
                                                      .rank = le64_load(body.data + 24),
                                                      .node = node,
                                                      .is_open = body.data[2] != 0},
                               reader->has_series, &progress);
    if (error != OK)
        return error;
    return read_cancels(progress, body.data + SNAPSHOT_NODE_BYTES, count, cancel_bytes);
}

static enum error check_session(const struct snapshot_reader *reader, struct span body)
{
    const struct sessions *sessions = &reader->machine->sessions;
    const uint8_t *from = body.data;
    if (body.size_bytes < SNAPSHOT_SESSION_BYTES)
        return ERR_SHORT;
    uint64_t id = le64_load(from);
    uint64_t nonce = le64_load(from + 8);
    uint32_t count = le16_load(from + 42);
    if (le32_load(from + 44) != 0)
        return ERR_RESERVED;
    if (id == 0 || le64_load(from + 16) == 0 || from[40] > 1 || from[41] > 1 ||
        count > SESSION_WINDOW || le64_load(from + 16) > UINT64_MAX - SESSION_WINDOW ||
        le64_load(from + 24) > reader->log_time_ns || le64_load(from + 32) >= reader->next_rank)
        return ERR_RANGE;
    if (body.size_bytes != SNAPSHOT_SESSION_BYTES + (size_t)count * SNAPSHOT_OUTCOME_BYTES ||
        (from[41] == 1 && count > 0))
        return ERR_CORRUPT;
    if (sessions->count == reader->sessions || sessions_is_future(id, reader->index) ||
        sessions_find(sessions, id) != NULL ||
        (nonce != 0 && sessions_find_nonce(sessions, nonce) != NULL))
        return ERR_CORRUPT;
    return OK;
}

/* The outcomes rise by seq. */
static enum error read_outcomes(struct session *session, const uint8_t *from, uint32_t count)
{
    uint32_t distance_min = 0;
    for (uint32_t i = 0; i < count; i++, from += SNAPSHOT_OUTCOME_BYTES) {
        uint32_t distance = from[9];
        if (from[8] == 0 || from[8] >= WIRE_OUTCOME_END || distance < distance_min ||
            distance >= SESSION_WINDOW)
            return ERR_RANGE;
        struct session_outcome outcome = {
            .seq = session->floor + distance, .version = le64_load(from), .outcome = from[8]};
        session_remember(session, &outcome);
        distance_min = distance + 1;
    }
    return OK;
}

static uint64_t heap_rank(const struct snapshot_reader *reader, uint32_t at)
{
    return reader->machine->sessions.slots[reader->heap[at]].rank;
}

static void heap_swap(struct snapshot_reader *reader, uint32_t a, uint32_t b)
{
    uint32_t slot = reader->heap[a];
    reader->heap[a] = reader->heap[b];
    reader->heap[b] = slot;
}

static void heap_add(struct snapshot_reader *reader, uint32_t slot)
{
    uint32_t at = reader->heap_count++;
    reader->heap[at] = slot;
    while (at > 0 && heap_rank(reader, at) < heap_rank(reader, (at - 1) / 2)) {
        heap_swap(reader, at, (at - 1) / 2);
        at = (at - 1) / 2;
    }
}

/* Takes the slot of the smallest rank. */
static uint32_t heap_take(struct snapshot_reader *reader)
{
    uint32_t slot = reader->heap[0];
    uint32_t count = --reader->heap_count;
    uint32_t at = 0;
    reader->heap[0] = reader->heap[count];
    while (2 * at + 1 < count) { /* down one level each time */
        uint32_t child = 2 * at + 1;
        if (child + 1 < count && heap_rank(reader, child + 1) < heap_rank(reader, child))
            child++;
        if (heap_rank(reader, at) <= heap_rank(reader, child))
            break;
        heap_swap(reader, at, child);
        at = child;
    }
    return slot;
}

static enum error read_session(struct snapshot_reader *reader, struct span body)
{
    struct sessions *sessions = &reader->machine->sessions;
    const uint8_t *from = body.data;
    enum error error = check_session(reader, body);
    if (error != OK)
        return error;
    struct session *session = sessions_open(sessions, le64_load(from), le64_load(from + 24));
    CHECK(session != NULL);
    session->floor = le64_load(from + 16);
    session->rank = le64_load(from + 32);
    if (le64_load(from + 8) != 0)
        sessions_set_nonce(sessions, session, le64_load(from + 8));
    heap_add(reader, (uint32_t)(session - sessions->slots));
    error = read_outcomes(session, from + SNAPSHOT_SESSION_BYTES, le16_load(from + 42));
    session->is_used = from[40] == 1;
    sessions_move_to_end(sessions, session, from[41] == 1);
    return error;
}

static enum error check_entry(const struct snapshot_reader *reader, struct span body)
{
    if (body.size_bytes < SNAPSHOT_ENTRY_BYTES)
        return ERR_SHORT;
    uint64_t version = le64_load(body.data);
    uint32_t value_size = le32_load(body.data + 8);
    uint16_t key_size = le16_load(body.data + 12);
    if (le16_load(body.data + 14) != 0)
        return ERR_RESERVED;
    if (version == 0 || version > reader->index || value_size > VALUE_SIZE_BYTES_MAX ||
        key_size == 0 || key_size > KEY_SIZE_BYTES_MAX)
        return ERR_RANGE;
    if (body.size_bytes != SNAPSHOT_ENTRY_BYTES + key_size + (size_t)value_size)
        return ERR_CORRUPT;
    return OK;
}

static enum error read_entry(struct snapshot_reader *reader, struct span body)
{
    struct machine *machine = reader->machine;
    enum error error = check_entry(reader, body);
    if (error != OK)
        return error;
    uint16_t key_size = le16_load(body.data + 12);
    struct store_content content = {
        .key = span_of(body.data + SNAPSHOT_ENTRY_BYTES, key_size),
        .value = span_of(body.data + SNAPSHOT_ENTRY_BYTES + key_size, le32_load(body.data + 8)),
        .version = le64_load(body.data)};
    uint64_t blocks = store_entry_blocks(content.key.size_bytes, content.value.size_bytes);
    content.hash = index_hash(&machine->index, content.key);
    if (machine->keys == reader->keys || machine->blocks + blocks > reader->blocks ||
        index_lookup(&machine->index, content.key, content.hash) != NULL)
        return ERR_CORRUPT;
    index_add(&machine->index, store_new(&machine->store, &content));
    machine->keys++;
    machine->blocks += blocks;
    return OK;
}

static enum error read_end_item(struct snapshot_reader *reader, struct span body)
{
    const struct machine *machine = reader->machine;
    if (body.size_bytes != SNAPSHOT_END_BYTES)
        return body.size_bytes < SNAPSHOT_END_BYTES ? ERR_SHORT : ERR_TRAILING;
    if (le64_load(body.data) != reader->bytes || le64_load(body.data + 8) != reader->items ||
        machine->keys != reader->keys || machine->blocks != reader->blocks ||
        machine->sessions.count != reader->sessions)
        return ERR_CORRUPT;
    reader->has_end = true;
    return OK;
}

static enum error read_configuration(struct snapshot_reader *reader, struct span body)
{
    struct raft_configuration configuration;
    if (body.size_bytes < SNAPSHOT_CHANGE_BYTES)
        return ERR_SHORT;
    struct span change =
        span_of(body.data + SNAPSHOT_CHANGE_BYTES, body.size_bytes - SNAPSHOT_CHANGE_BYTES);
    uint64_t index = le64_load(body.data);
    if (reader->items != 1 || index == 0 || index > reader->index)
        return ERR_CORRUPT;
    if (raft_configuration_decode(change.data, change.size_bytes, &configuration) != OK)
        return ERR_RANGE;
    machine_configure(reader->machine, index, change);
    return OK;
}

static enum error read_body(struct snapshot_reader *reader, uint32_t type, struct span body)
{
    switch ((enum snapshot_item)type) {
    case SNAPSHOT_HEAD:
        return reader->has_head ? ERR_CORRUPT : read_head(reader, body);
    case SNAPSHOT_CONFIGURATION:
        return read_configuration(reader, body);
    case SNAPSHOT_NODE:
        return read_node(reader, body);
    case SNAPSHOT_SESSION:
        return read_session(reader, body);
    case SNAPSHOT_ENTRY:
        return read_entry(reader, body);
    case SNAPSHOT_END:
        return read_end_item(reader, body);
    }
    return ERR_TYPE;
}

/* What an item's header says of it. */
static enum error check_header(const struct snapshot_reader *reader, const uint8_t *from)
{
    uint32_t type = le32_load(from);
    if (reader->has_end)
        return ERR_TRAILING;
    if (!reader->has_head && type != SNAPSHOT_HEAD)
        return ERR_MAGIC;
    if (type < SNAPSHOT_HEAD || type > SNAPSHOT_END)
        return ERR_TYPE;
    if (le32_load(from + 4) > SNAPSHOT_ENTRY_BYTES_MAX)
        return ERR_TOO_LARGE;
    return OK;
}

static size_t item_size(const uint8_t *from)
{
    return SNAPSHOT_ITEM_HEADER_BYTES + (size_t)le32_load(from + 4);
}

/* A whole item. */
static enum error read_item(struct snapshot_reader *reader, const uint8_t *from)
{
    size_t size = item_size(from);
    enum error error =
        read_body(reader, le32_load(from),
                  span_of(from + SNAPSHOT_ITEM_HEADER_BYTES, size - SNAPSHOT_ITEM_HEADER_BYTES));
    reader->bytes += size;
    reader->items++;
    return error;
}

/* Moves bytes of the chunk to the item that is gathered, until it has `size_bytes`. */
static bool gather(struct snapshot_reader *reader, struct span *chunk, size_t size_bytes)
{
    size_t size = size_bytes - reader->item_bytes;
    if (size > chunk->size_bytes)
        size = chunk->size_bytes;
    if (size > 0)
        memcpy(reader->item + reader->item_bytes, chunk->data, size);
    reader->item_bytes += size;
    *chunk = span_of(chunk->data + size, chunk->size_bytes - size);
    return reader->item_bytes == size_bytes;
}

/* Gathers on; reads the item when it is whole. */
static enum error read_gathered(struct snapshot_reader *reader, struct span *chunk)
{
    if (reader->item_bytes < SNAPSHOT_ITEM_HEADER_BYTES &&
        !gather(reader, chunk, SNAPSHOT_ITEM_HEADER_BYTES))
        return OK;
    enum error error = check_header(reader, reader->item);
    if (error != OK || !gather(reader, chunk, item_size(reader->item)))
        return error;
    reader->item_bytes = 0;
    return read_item(reader, reader->item);
}

/* Reads the next item where it lies; false: the chunk has not the whole of it. */
static bool read_in_place(struct snapshot_reader *reader, struct span *chunk, enum error *ret_error)
{
    if (reader->item_bytes > 0 || chunk->size_bytes < SNAPSHOT_ITEM_HEADER_BYTES)
        return false;
    const uint8_t *from = chunk->data;
    *ret_error = check_header(reader, from);
    if (*ret_error != OK)
        return true;
    if (item_size(from) > chunk->size_bytes)
        return false;
    *chunk = span_of(from + item_size(from), chunk->size_bytes - item_size(from));
    *ret_error = read_item(reader, from);
    return true;
}

bool snapshot_peek_configuration(struct span begin, uint64_t *ret_index,
                                 struct raft_configuration *ret_configuration)
{
    size_t head = SNAPSHOT_ITEM_HEADER_BYTES + SNAPSHOT_HEAD_BYTES;
    size_t least = head + SNAPSHOT_ITEM_HEADER_BYTES + SNAPSHOT_CHANGE_BYTES;
    if (begin.size_bytes < least ||
        check_head(span_of(begin.data + SNAPSHOT_ITEM_HEADER_BYTES, SNAPSHOT_HEAD_BYTES)) != OK ||
        le32_load(begin.data + head) != SNAPSHOT_CONFIGURATION)
        return false;
    size_t size = item_size(begin.data + head);
    if (size > begin.size_bytes - head || head + size < least)
        return false;
    const uint8_t *change = begin.data + least;
    *ret_index = le64_load(change - SNAPSHOT_CHANGE_BYTES);
    return raft_configuration_decode(change, head + size - least, ret_configuration) == OK;
}

enum error snapshot_read(struct snapshot_reader *reader, struct span chunk)
{
    /* Each round takes bytes or ends with an error. */
    while (reader->error == OK && chunk.size_bytes > 0) {
        enum error error = OK;
        if (!read_in_place(reader, &chunk, &error))
            error = read_gathered(reader, &chunk);
        reader->error = error;
    }
    return reader->error;
}

/* The session of the next rank goes behind those before it. */
static enum error restore_order(struct snapshot_reader *reader)
{
    struct sessions *sessions = &reader->machine->sessions;
    struct session *session = &sessions->slots[heap_take(reader)];
    if (session->rank < reader->rank_min || session->last_active_ns < reader->active_ns)
        return ERR_CORRUPT;
    reader->rank_min = session->rank + 1;
    reader->active_ns = session->last_active_ns;
    sessions_move_to_end(sessions, session, session->is_idle);
    return OK;
}

/* The next piece of what is left when the stream is whole; false: nothing. */
static bool finish_on(struct snapshot_reader *reader)
{
    if (reader->heap_count > 0) {
        reader->error = restore_order(reader);
        return true;
    }
    return install_restore_window(reader->machine);
}

enum error snapshot_read_end(struct snapshot_reader *reader, uint32_t visits_max)
{
    struct machine *machine = reader->machine;
    if (reader->error == OK && (!reader->has_end || reader->item_bytes > 0))
        reader->error = ERR_SHORT;
    for (uint32_t i = 0; reader->error == OK && finish_on(reader); i++) {
        if (i == visits_max)
            return ERR_NOT_YET;
    }
    if (reader->error == OK)
        reader->error = nodes_progress_restore_end(&machine->nodes, reader->has_series);
    if (reader->error != OK)
        return reader->error;
    machine->sessions.next_rank = reader->next_rank;
    machine->limits = reader->limits;
    machine->applied_index = reader->index;
    machine->log_time_ns = reader->log_time_ns;
    state_digest_begin(&machine->digest, reader->digest);
    return OK;
}
