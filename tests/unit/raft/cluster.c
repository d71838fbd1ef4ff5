/* See cluster.h. Broken promises abort through CHECK, which fails the test that caused them. */
#include "tests/unit/raft/cluster.h"

#include "base/check.h"

#include <stdlib.h>
#include <string.h>

/* The value of a record that is a configuration: that of no other record. */
#define CHANGE_VALUE_FIRST (UINT64_C(1) << 40)

static uint32_t record_size(const void *context, uint64_t index)
{
    const struct cluster_node *node = context;
    CHECK(index >= 1 && index <= node->written->last);
    return 100;
}

/* Pages that a test never touches cost nothing. */
static void *zeroed(size_t size)
{
    void *memory = calloc(1, size);
    CHECK(memory != NULL);
    return memory;
}

static void *raft_memory(const struct raft_options *options)
{
    void *memory = aligned_alloc(64, raft_size(options));
    CHECK(memory != NULL);
    return memset(memory, 0, raft_size(options));
}

static void image_copy(struct cluster_image *to, const struct cluster_image *from)
{
    memcpy(to, from, offsetof(struct cluster_image, log) + (from->last + 1) * sizeof(from->log[0]));
}

static void init_node(struct cluster *cluster, uint16_t id)
{
    struct cluster_node *node = &cluster->nodes[id];
    node->options = (struct raft_options){
        .self = cluster_storage(id),
        .founder_count = cluster->node_count,
        .election_timeout_min_ns = (100 + 20 * (uint64_t)(id - 1)) * MS,
        .election_timeout_max_ns = (100 + 20 * (uint64_t)(id - 1)) * MS,
        .heartbeat_interval_ns = 10 * MS,
        .append_entries_max = 8,
        .append_size_bytes_soft = 100 * 8,
        .inflight_max = 4,
        .trail_runs_max = 1024,
        .seed = id,
        .sizes = {.size_bytes = record_size, .context = node},
    };
    for (uint32_t i = 0; i < cluster->node_count; i++)
        node->options.founders[i] = (uint16_t)(i + 1);
    node->written = zeroed(sizeof(*node->written));
    node->durable = zeroed(sizeof(*node->durable));
    node->after = zeroed(CLUSTER_PACKETS_MAX * sizeof(*node->after));
}

static void found(struct cluster *cluster, uint32_t voter_count)
{
    cluster->founding = (struct raft_configuration){.cluster = 1};
    for (uint16_t id = 1; id <= voter_count; id++) {
        const struct raft_member member = {.storage = cluster_storage(id),
                                           .membership = RAFT_VOTER};
        CHECK(raft_configuration_add(&cluster->founding, &member) == OK);
        cluster->nodes[id].durable->is_founded = true;
    }
}

struct cluster *cluster_new_of(uint32_t node_count, uint32_t voter_count)
{
    struct cluster *cluster = zeroed(sizeof(*cluster));
    cluster->node_count = node_count;
    cluster->now_ns = 1000 * MS;
    cluster->value_next = 1;
    cluster->packets = zeroed(CLUSTER_PACKETS_MAX * sizeof(*cluster->packets));
    cluster->saved = zeroed(sizeof(*cluster->saved));
    for (uint16_t id = 1; id <= node_count; id++)
        init_node(cluster, id);
    found(cluster, voter_count);
    for (uint16_t id = 1; id <= node_count; id++)
        cluster_start(cluster, id, false);
    return cluster;
}

struct cluster *cluster_new(uint32_t node_count)
{
    return cluster_new_of(node_count, node_count);
}

struct cluster *cluster_new_unformed(uint32_t node_count)
{
    return cluster_new_of(node_count, 0);
}

struct cluster *cluster_new_led(uint32_t node_count)
{
    struct cluster *cluster = cluster_new(node_count);
    cluster_run(cluster, 115 * MS);
    CHECK(cluster_leader(cluster) == 1);
    for (uint16_t id = 1; id <= node_count; id++)
        CHECK(cluster_status(cluster, id).commit_index == 1);
    return cluster;
}

void cluster_free(struct cluster *cluster)
{
    for (uint16_t id = 1; id <= cluster->node_count; id++) {
        free(cluster->nodes[id].memory);
        free(cluster->nodes[id].written);
        free(cluster->nodes[id].durable);
        free(cluster->nodes[id].after);
    }
    free(cluster->packets);
    free(cluster->saved);
    free(cluster);
}

void cluster_crash(struct cluster *cluster, uint16_t id)
{
    struct cluster_node *node = &cluster->nodes[id];
    node->is_alive = false;
    node->after_count = 0;
    node->dirty_from = 0;
    image_copy(node->written, node->durable);
}

static void restore_record(const struct cluster *cluster, struct cluster_node *node, uint64_t index)
{
    const struct cluster_record *record = &node->durable->log[index];
    CHECK(raft_restore_entry(node->raft, index, record->term) == OK);
    if (record->change == 0)
        return;
    const struct cluster_change *change = &cluster->changes[record->change - 1];
    CHECK(raft_restore_configuration(node->raft, change->bytes, change->size_bytes) == OK);
}

void cluster_start(struct cluster *cluster, uint16_t id, bool is_suspect)
{
    struct cluster_node *node = &cluster->nodes[id];
    CHECK(!node->is_alive);
    struct raft_restored restored = {
        .hard_state = node->durable->hard_state,
        .is_tail_suspect = is_suspect,
    };
    if (node->durable->is_founded)
        restored.configuration = cluster->founding;
    cluster_starts_begin(cluster, id, is_suspect);
    free(node->memory);
    node->memory = raft_memory(&node->options);
    CHECK(raft_init(node->memory, &node->options, &restored, cluster->now_ns, &node->raft) == OK);
    for (uint64_t i = 1; i <= node->durable->last; i++)
        restore_record(cluster, node, i);
    image_copy(node->written, node->durable);
    node->is_alive = true;
    node->commit_index = 0;
    memset(node->read_floor, 0, sizeof(node->read_floor));
    cluster_tell_start(cluster, id);
}

void cluster_write(struct cluster *cluster, uint16_t id, struct raft_hard_state hard_state,
                   const uint64_t *terms)
{
    struct cluster_node *node = &cluster->nodes[id];
    CHECK(!node->is_alive);
    node->durable->hard_state = hard_state;
    node->durable->last = 0;
    for (uint32_t i = 0; terms[i] != 0; i++) {
        node->durable->last++;
        /* Equal index and term are the same record, as if one leader had written both. */
        node->durable->log[i + 1] =
            (struct cluster_record){.term = terms[i], .value = terms[i] * 1000000 + i};
    }
    image_copy(node->written, node->durable);
}

void cluster_lose(struct cluster *cluster, uint16_t id)
{
    struct cluster_node *node = &cluster->nodes[id];
    cluster_write(cluster, id, (struct raft_hard_state){0}, (const uint64_t[]){0});
    node->durable->is_founded = false;
    node->written->is_founded = false;
    node->options.self.birth += 100;
    node->durable->start_count = 0;
    node->heard = (struct peer_starts){0};
}

static void network_add(struct cluster *cluster, const struct cluster_packet *packet)
{
    if (cluster->is_cut[packet->message.from.id][packet->message.to.id])
        return;
    CHECK(cluster->packet_count < CLUSTER_PACKETS_MAX);
    cluster->packets[cluster->packet_count++] = *packet;
}

static void make_packet(const struct cluster_node *node, const struct raft_message *message,
                        struct cluster_packet *packet)
{
    packet->message = *message;
    packet->start = node->own_start.start;
    if (message->type != RAFT_APPEND_REQUEST)
        return;
    for (uint32_t i = 0; i < message->append_request.entry_count; i++) {
        uint64_t index = message->append_request.previous_index + 1 + i;
        CHECK(index <= node->written->last);
        packet->records[i] = node->written->log[index];
    }
}

/* A configuration travels as its number; the core is given its bytes. */
static uint32_t add_change(struct cluster *cluster, const struct raft_effects *effects)
{
    CHECK(cluster->change_count < CLUSTER_CHANGES_MAX);
    struct cluster_change *change = &cluster->changes[cluster->change_count++];
    CHECK(effects->append_size_bytes <= sizeof(change->bytes));
    memcpy(change->bytes, effects->append_payload, effects->append_size_bytes);
    change->size_bytes = effects->append_size_bytes;
    return cluster->change_count;
}

static void read_payload(const struct cluster *cluster, const struct raft_entry *entry,
                         struct cluster_record *record)
{
    if (entry->kind != RAFT_ENTRY_CONFIGURATION) {
        memcpy(&record->value, entry->payload, sizeof(record->value));
        return;
    }
    while (record->change < cluster->change_count &&
           cluster->changes[record->change].bytes != entry->payload)
        record->change++;
    CHECK(record->change < cluster->change_count);
    record->change++;
    record->value = CHANGE_VALUE_FIRST + record->change;
}

static void write_effects(struct cluster *cluster, struct cluster_node *node,
                          const struct raft_event *event)
{
    const struct raft_effects *effects = &node->effects;
    struct cluster_image *written = node->written;
    written->hard_state = effects->hard_state;
    uint64_t first = effects->truncate_from != 0 ? effects->truncate_from : effects->append_first;
    if (first != 0 && (node->dirty_from == 0 || first < node->dirty_from))
        node->dirty_from = first;
    if (effects->truncate_from != 0) {
        CHECK(effects->truncate_from > node->commit_index);
        CHECK(effects->truncate_from <= written->last);
        written->last = effects->truncate_from - 1;
    }
    if (effects->append_count > 0)
        CHECK(effects->append_first == written->last + 1);
    for (uint32_t i = 0; i < effects->append_count; i++) {
        struct cluster_record record = {.term = effects->hard_state.term};
        if (event->type == RAFT_EVENT_RECEIVE &&
            event->receive.message->type == RAFT_APPEND_REQUEST) {
            const struct raft_entry *entry = &event->receive.entries[effects->append_skip + i];
            record.term = entry->term;
            read_payload(cluster, entry, &record);
        } else {
            CHECK(effects->append_count == 1);
            record.value = cluster->value_next++;
            if (effects->append_own == RAFT_ENTRY_CONFIGURATION) {
                record.change = add_change(cluster, effects);
                record.value = CHANGE_VALUE_FIRST + record.change;
            }
        }
        CHECK(written->last + 1 < CLUSTER_LOG_MAX);
        written->log[++written->last] = record;
    }
}

static void send_effects(struct cluster *cluster, struct cluster_node *node)
{
    struct cluster_packet packet;
    for (uint32_t i = 0; i < node->effects.now_count; i++) {
        make_packet(node, &node->effects.now[i], &packet);
        network_add(cluster, &packet);
    }
    for (uint32_t i = 0; i < node->effects.after_count; i++) {
        CHECK(node->after_count < CLUSTER_PACKETS_MAX);
        make_packet(node, &node->effects.after[i], &node->after[node->after_count++]);
    }
}

/* State machine safety: no two nodes ever apply different records at one index (paper, figure
 * 3). */
static void check_commits(struct cluster *cluster, struct cluster_node *node)
{
    CHECK(node->effects.commit_index >= node->commit_index);
    CHECK(node->effects.commit_index <= node->written->last);
    while (node->commit_index < node->effects.commit_index) {
        const struct cluster_record *record = &node->written->log[++node->commit_index];
        if (node->commit_index > cluster->committed_last) {
            cluster->committed[++cluster->committed_last] = *record;
            cluster->committed_in[cluster->committed_last] = node->effects.hard_state.term;
        }
        CHECK(cluster->committed[node->commit_index].term == record->term);
        CHECK(cluster->committed[node->commit_index].value == record->value);
    }
}

/* Election safety, leader append-only, leader completeness (paper, figure 3). */
static void check_leadership(struct cluster *cluster, const struct cluster_node *node)
{
    struct raft_status status;
    raft_status(node->raft, &status);
    if (status.role != RAFT_LEADER)
        return;
    CHECK(status.term < CLUSTER_TERMS_MAX);
    CHECK(node->effects.truncate_from == 0);
    uint64_t *leader = &cluster->leader_of_term[status.term];
    CHECK(*leader == 0 || *leader == node->options.self.birth);
    *leader = node->options.self.birth;
    if (node->effects.append_own != RAFT_ENTRY_NOOP)
        return;
    /* A record committed by a later leader than this one is not meant by the property. */
    for (uint64_t i = 1; i <= cluster->committed_last; i++) {
        if (cluster->committed_in[i] >= status.term)
            break;
        CHECK(i <= node->written->last);
        CHECK(node->written->log[i].value == cluster->committed[i].value);
    }
}

static void check_reads(const struct cluster_node *node)
{
    uint64_t id = node->effects.read_released_id;
    if (id != 0)
        CHECK(node->effects.read_released_index >= node->read_floor[id % (CLUSTER_READS_MAX / 64)]);
}

static bool is_drain_owed(const struct cluster_node *node)
{
    return node->dirty_from != 0 || node->after_count > 0 ||
           node->durable->hard_state.term != node->written->hard_state.term ||
           node->durable->hard_state.vote != node->written->hard_state.vote;
}

enum error cluster_step(struct cluster *cluster, uint16_t id, struct raft_event event)
{
    struct cluster_node *node = &cluster->nodes[id];
    CHECK(node->is_alive);
    event.now_ns = cluster->now_ns;
    cluster->steps++;
    enum error error = raft_step(node->raft, &event, &node->effects);
    raft_check_invariants(node->raft);
    if (error != OK)
        return error;
    write_effects(cluster, node, &event);
    send_effects(cluster, node);
    if (cluster->watch != NULL)
        cluster->watch(cluster->watch_context, id, &event);
    check_leadership(cluster, node);
    check_commits(cluster, node);
    check_reads(node);
    if (!node->is_manual && event.type != RAFT_EVENT_DURABLE) {
        struct raft_effects effects = node->effects;
        while (is_drain_owed(node)) /* twice where the vote that became durable elects the node */
            cluster_drain(cluster, id);
        node->effects = effects; /* a test asks what the event did, not its drain */
    }
    return OK;
}

void cluster_drain(struct cluster *cluster, uint16_t id)
{
    struct cluster_node *node = &cluster->nodes[id];
    node->durable->hard_state = node->written->hard_state;
    if (node->dirty_from != 0) {
        for (uint64_t i = node->dirty_from; i <= node->written->last; i++)
            node->durable->log[i] = node->written->log[i];
        node->durable->last = node->written->last;
    }
    node->dirty_from = 0;
    uint32_t count = node->after_count;
    node->after_count = 0;
    for (uint32_t i = 0; i < count; i++)
        network_add(cluster, &node->after[i]);
    struct raft_event event = {
        .type = RAFT_EVENT_DURABLE,
        .durable = {.index = node->durable->last, .hard_state = node->durable->hard_state}};
    CHECK(cluster_step(cluster, id, event) == OK);
}

enum error cluster_tick(struct cluster *cluster, uint16_t id)
{
    return cluster_step(cluster, id, (struct raft_event){.type = RAFT_EVENT_TICK});
}

enum error cluster_propose(struct cluster *cluster, uint16_t id)
{
    return cluster_step(cluster, id, (struct raft_event){.type = RAFT_EVENT_PROPOSE});
}

enum error cluster_read(struct cluster *cluster, uint16_t id, uint64_t read_id)
{
    cluster->nodes[id].read_floor[read_id % (CLUSTER_READS_MAX / 64)] = cluster->committed_last;
    return cluster_step(cluster, id,
                        (struct raft_event){.type = RAFT_EVENT_READ, .read_id = read_id});
}

enum error cluster_transfer(struct cluster *cluster, uint16_t id, uint16_t to)
{
    return cluster_step(cluster, id,
                        (struct raft_event){.type = RAFT_EVENT_TRANSFER, .transfer_to = to});
}

enum error cluster_reconfigure(struct cluster *cluster, uint16_t id,
                               const struct raft_configuration *configuration)
{
    return cluster_step(
        cluster, id,
        (struct raft_event){.type = RAFT_EVENT_RECONFIGURE, .configuration = configuration});
}

const struct raft_configuration *cluster_configuration(const struct cluster *cluster, uint16_t id)
{
    uint64_t index;
    return raft_configuration_of(cluster->nodes[id].raft, &index);
}

static struct raft_entry entry_of(const struct cluster *cluster,
                                  const struct cluster_record *record)
{
    struct raft_entry entry = {.term = record->term,
                               .payload = (const uint8_t *)&record->value,
                               .size_bytes = sizeof(record->value),
                               .kind = RAFT_ENTRY_DATA};
    if (record->change == 0)
        return entry;
    entry.payload = cluster->changes[record->change - 1].bytes;
    entry.size_bytes = cluster->changes[record->change - 1].size_bytes;
    entry.kind = RAFT_ENTRY_CONFIGURATION;
    return entry;
}

static enum error receive_packet(struct cluster *cluster, const struct cluster_packet *packet)
{
    struct raft_entry entries[APPEND_ENTRIES_MAX];
    struct raft_event event = {.type = RAFT_EVENT_RECEIVE};
    event.receive.message = &packet->message;
    event.receive.entries = entries;
    uint32_t count = packet->message.type == RAFT_APPEND_REQUEST
                         ? packet->message.append_request.entry_count
                         : 0;
    for (uint32_t i = 0; i < count && i < APPEND_ENTRIES_MAX; i++)
        entries[i] = entry_of(cluster, &packet->records[i]);
    return cluster_step(cluster, packet->message.to.id, event);
}

enum error cluster_receive(struct cluster *cluster, struct raft_message message,
                           const uint64_t *terms)
{
    struct cluster_packet packet = {.message = message};
    uint32_t count = message.type == RAFT_APPEND_REQUEST ? message.append_request.entry_count : 0;
    for (uint32_t i = 0; i < count && i < APPEND_ENTRIES_MAX; i++) {
        uint64_t index = message.append_request.previous_index + i;
        packet.records[i] =
            (struct cluster_record){.term = terms[i], .value = terms[i] * 1000000 + index};
    }
    uint16_t to = message.to.id; /* an ill-addressed message is still handed to somebody */
    if (to >= 1 && to <= cluster->node_count)
        return receive_packet(cluster, &packet);
    struct raft_event event = {.type = RAFT_EVENT_RECEIVE};
    event.receive.message = &message;
    return cluster_step(cluster, 1, event);
}

void cluster_drop(struct cluster *cluster, uint32_t at)
{
    CHECK(at < cluster->packet_count);
    cluster->packet_count--;
    memmove(&cluster->packets[at], &cluster->packets[at + 1],
            (cluster->packet_count - at) * sizeof(cluster->packets[0]));
}

void cluster_deliver(struct cluster *cluster, uint32_t at)
{
    CHECK(at < cluster->packet_count);
    struct cluster_packet packet = cluster->packets[at];
    cluster_drop(cluster, at);
    if (cluster->is_cut[packet.message.from.id][packet.message.to.id] ||
        !cluster->nodes[packet.message.to.id].is_alive)
        return;
    if (!cluster_is_start_known(cluster, &packet))
        return;
    enum error error = receive_packet(cluster, &packet);
    if (error == OK)
        cluster_note_start(cluster, &packet.message);
    CHECK(error == OK || error == ERR_STORAGE); /* a storage that was replaced is sent to, too */
    while (raft_has_backlog(cluster->nodes[packet.message.to.id].raft))
        CHECK(cluster_tick(cluster, packet.message.to.id) == OK);
}

void cluster_settle(struct cluster *cluster)
{
    for (uint32_t i = 0; cluster->packet_count > 0; i++) {
        CHECK(i < 100000); /* silence must come without the clock */
        cluster_deliver(cluster, 0);
    }
}

void cluster_run(struct cluster *cluster, uint64_t duration_ns)
{
    uint64_t end_ns = cluster->now_ns + duration_ns;
    cluster_settle(cluster);
    for (;;) {
        uint64_t next_ns = UINT64_MAX;
        uint16_t next_id = 0;
        for (uint16_t id = 1; id <= cluster->node_count; id++) {
            if (!cluster->nodes[id].is_alive)
                continue;
            uint64_t deadline_ns = raft_deadline_ns(cluster->nodes[id].raft);
            if (deadline_ns < next_ns) {
                next_ns = deadline_ns;
                next_id = id;
            }
        }
        if (next_ns > end_ns)
            break;
        if (next_ns > cluster->now_ns)
            cluster->now_ns = next_ns;
        CHECK(cluster_tick(cluster, next_id) == OK);
        CHECK(raft_deadline_ns(cluster->nodes[next_id].raft) > cluster->now_ns);
        cluster_settle(cluster);
    }
    cluster->now_ns = end_ns;
}

void cluster_isolate(struct cluster *cluster, uint16_t id, bool is_cut)
{
    for (uint16_t other = 1; other <= cluster->node_count; other++) {
        cluster->is_cut[id][other] = is_cut;
        cluster->is_cut[other][id] = is_cut;
    }
}

struct raft_status cluster_status(const struct cluster *cluster, uint16_t id)
{
    struct raft_status status;
    raft_status(cluster->nodes[id].raft, &status);
    return status;
}

uint16_t cluster_leader(const struct cluster *cluster)
{
    uint16_t leader = 0;
    uint64_t term = 0;
    for (uint16_t id = 1; id <= cluster->node_count; id++) {
        if (!cluster->nodes[id].is_alive)
            continue;
        struct raft_status status = cluster_status(cluster, id);
        if (status.role == RAFT_LEADER && status.term > term) {
            leader = id;
            term = status.term;
        }
    }
    return leader;
}

uint32_t cluster_find(const struct cluster *cluster, enum raft_message_type type, uint16_t to,
                      uint32_t from)
{
    for (uint32_t i = from; i < cluster->packet_count; i++) {
        if (cluster->packets[i].message.type == type && cluster->packets[i].message.to.id == to)
            return i;
    }
    return UINT32_MAX;
}

struct raft_storage cluster_storage(uint16_t id)
{
    return (struct raft_storage){.birth = id, .id = id};
}

struct raft_message cluster_message(enum raft_message_type type, uint16_t from, uint16_t to,
                                    uint64_t term)
{
    return (struct raft_message){
        .type = type, .from = cluster_storage(from), .to = cluster_storage(to), .term = term};
}
