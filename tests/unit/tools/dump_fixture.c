/* See dump_fixture.h. */
#include "tests/unit/tools/dump_fixture.h"

#include "base/le.h"
#include "raft/raft.h"
#include "tools/dump/stream.h"
#include "wire/wire_request.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#define LOG_BYTES     (16u * 1024 * 1024)
#define JOURNAL_BYTES (64u * 1024)
#define STREAM_MAX    (4u * SNAPSHOT_BLOCK_BYTES)
#define VALUE_BYTES   1500u
#define POLLS_MAX     100000000u
#define SERIES        4242u

static const struct log_identity owner = {.cluster_id = 7, .node = 2, .shard = 0};

const char *dump_fixture_path(struct dump_fixture *fixture, const char *name)
{
    snprintf(fixture->path, sizeof(fixture->path), "%s/%s", fixture->directory, name);
    return fixture->path;
}

void dump_fixture_write(struct dump_fixture *fixture, const char *name, const void *bytes,
                        size_t size)
{
    int fd = open(dump_fixture_path(fixture, name), O_WRONLY | O_CREAT, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, size), size);
    close(fd);
}

static void make_identities(struct dump_fixture *fixture)
{
    const struct node_identity node = {
        .cluster_id = 7, .node = 2, .shard_count = 1, .medium = MEDIUM_FILE, .cluster = "test"};
    uint8_t page[NODE_IDENTITY_FILE_BYTES];
    char note[512];
    node_identity_encode(&node, page);
    dump_fixture_write(fixture, "identity", page, sizeof(page));
    const char *path = dump_fixture_path(fixture, "shard-0.identity");
    assert_int_equal(identity_make(path, &owner, note, sizeof(note)), OK);
    assert_int_equal(identity_note(path, &owner, 0xabcd, note, sizeof(note)), OK);
}

/* A request with one set. */
static size_t make_request(uint8_t *bytes, size_t size, uint64_t session, uint64_t seq)
{
    struct wire_writer writer = {.data = bytes, .capacity_bytes = size};
    const struct wire_op op = {.type = WIRE_OP_SET,
                               .has_value = true,
                               .seq = seq,
                               .tag = (session & WIRE_NODE_SESSION_FLAG) != 0 ? 1 : 0,
                               .key = span_of("the-key", 7),
                               .value = span_of(DUMP_FIXTURE_SECRET, strlen(DUMP_FIXTURE_SECRET))};
    wire_request_begin(&writer, session, 0);
    wire_request_add(&writer, &op);
    return writer.size_bytes;
}

static size_t make_batch(uint8_t *bytes, size_t size, uint64_t session, uint64_t seq)
{
    memset(bytes, 0, size);
    size_t request_bytes = make_request(bytes + 20, size - 20, session, seq);
    le32_store(bytes + 8, 1);
    le32_store(bytes + 16, (uint32_t)request_bytes);
    return 16 + (4 + request_bytes + 7) / 8 * 8;
}

static void append(struct log *log, uint8_t kind, struct span payload)
{
    uint64_t ticket;
    uint64_t index;
    const struct log_record record = {.index = log_last_index(log) + 1,
                                      .term = 3,
                                      .commit_index = log_last_index(log),
                                      .kind = kind,
                                      .payload = payload};
    assert_int_equal(log_append(log, &record), OK);
    (void)log_persist(log);
    assert_int_equal(medium_persist_wait(log_medium(log)), OK);
    assert_int_equal(log_persisted(log, &ticket, &index), OK);
}

static void append_all(struct log *log)
{
    uint8_t bytes[RAFT_CONFIGURATION_BYTES_MAX];
    struct raft_configuration configuration = {.cluster = 0xc1, .slot_count = 1};
    configuration.members[0] = (struct raft_member){
        .storage = {.birth = 0xabcd, .id = 2}, .membership = RAFT_VOTER, .port = 7400};
    memcpy(configuration.members[0].address, "\0\0\0\0\0\0\0\0\0\0\xff\xff\x0a\x4d\x00\x02", 16);
    size_t size_bytes = raft_configuration_encode(&configuration, bytes);
    append(log, RAFT_ENTRY_CONFIGURATION, span_of(bytes, size_bytes));
    append(log, RAFT_ENTRY_NOOP, span_of(NULL, 0));
    for (uint64_t i = 3; i <= DUMP_FIXTURE_RECORDS; i++) {
        bool is_forwarded = i == DUMP_FIXTURE_RECORDS - 1;
        size_bytes = make_batch(bytes, sizeof(bytes), is_forwarded ? WIRE_NODE_SESSION(SERIES) : 9,
                                is_forwarded ? 2 : i);
        append(log, RAFT_ENTRY_DATA, span_of(bytes, size_bytes));
    }
}

static void make_log(struct dump_fixture *fixture)
{
    const struct log_options options = {.path = dump_fixture_path(fixture, "shard-0.raft"),
                                        .size_bytes = LOG_BYTES,
                                        .segment_size_bytes = log_segment_size_bytes(LOG_BYTES),
                                        .is_created = true,
                                        .birth = 0xabcd,
                                        .start = 0x5000000000000000,
                                        .identity = owner};
    struct arena arena;
    struct log *log;
    struct log_recovery recovery;
    assert_int_equal(arena_init(&arena, log_arena_bytes(LOG_BYTES)), OK);
    assert_int_equal(log_open(&options, &arena, &log, &recovery), OK);
    append_all(log);
    log_write_hard_state(log, 3, 0xabcd);
    log_hear(log, 0xbeef, 0x77);
    (void)log_persist(log);
    assert_int_equal(medium_persist_wait(log_medium(log)), OK);
    log_close(log);
    arena_deinit(&arena);
}

static void make_journal(struct dump_fixture *fixture)
{
    const struct journal_options options = {.path = dump_fixture_path(fixture, "shard-0.journal"),
                                            .size_bytes = JOURNAL_BYTES,
                                            .identity = owner,
                                            .series = SERIES};
    struct arena arena;
    struct journal *journal;
    struct journal_recovery recovery;
    assert_int_equal(arena_init(&arena, journal_arena_bytes(&options)), OK);
    assert_int_equal(journal_open(&options, &arena, &journal, &recovery), OK);
    for (uint64_t seq = 1; seq <= 4; seq++) {
        uint8_t bytes[256];
        size_t size_bytes = make_request(bytes, sizeof(bytes), 5, seq);
        assert_int_equal(journal_append(journal, seq, span_of(bytes, size_bytes)), OK);
    }
    journal_persist(journal);
    journal_close(journal);
    arena_deinit(&arena);
}

static size_t add_item(uint8_t *to, uint32_t type, size_t body_bytes)
{
    le32_store(to, type);
    le32_store(to + 4, (uint32_t)body_bytes);
    return SNAPSHOT_ITEM_HEADER_BYTES + body_bytes;
}

/* A stream of keys of the state at `index`. */
static size_t make_stream(uint8_t *stream, uint64_t index, uint32_t version)
{
    size_t at = add_item(stream, SNAPSHOT_HEAD, SNAPSHOT_HEAD_BYTES);
    le64_store(stream + 8, SNAPSHOT_MAGIC);
    le32_store(stream + 16, version);
    le64_store(stream + 24, index);
    for (uint32_t i = 0; i < DUMP_FIXTURE_KEYS; i++) {
        uint8_t *body = stream + at + SNAPSHOT_ITEM_HEADER_BYTES;
        char key[16];
        int length = snprintf(key, sizeof(key), "key-%03u", i);
        at += add_item(stream + at, SNAPSHOT_ENTRY,
                       SNAPSHOT_ENTRY_BYTES + (size_t)length + VALUE_BYTES);
        le64_store(body, i);
        le32_store(body + 8, VALUE_BYTES);
        le16_store(body + 12, (uint16_t)length);
        memcpy(body + 16, key, (size_t)length);
        for (size_t j = 0; j < VALUE_BYTES; j++) /* which nothing compresses */
            body[16 + (size_t)length + j] = (uint8_t)(i * 31 + j * j * 7 + (j >> 3) * 13);
    }
    return at + add_item(stream + at, SNAPSHOT_END, SNAPSHOT_END_BYTES);
}

static void make_snapshot(struct snapshots *snapshots, uint64_t number, uint32_t version)
{
    static uint8_t stream[STREAM_MAX];
    const struct snapshot_label label = {.id = number, .index = number * 5, .term = 3};
    struct snapshots_progress progress;
    memset(stream, 0, sizeof(stream));
    size_t size_bytes = make_stream(stream, label.index, version);
    assert_true(size_bytes <= sizeof(stream));
    assert_int_equal(snapshots_write_begin(snapshots, &label), OK);
    assert_int_equal(snapshots_write(snapshots, span_of(stream, size_bytes)), OK);
    snapshots_write_end(snapshots);
    for (uint32_t i = 0; i < POLLS_MAX; i++) {
        snapshots_poll(snapshots, &progress);
        if (progress.state != SNAPSHOTS_BUSY)
            break;
    }
    assert_int_equal(progress.state, SNAPSHOTS_GOOD);
}

void dump_fixture_make_snapshots(struct dump_fixture *fixture, uint32_t version)
{
    const struct snapshots_options options = {.path =
                                                  dump_fixture_path(fixture, "shard-0.snapshot"),
                                              .size_bytes = snapshots_file_bytes(STREAM_MAX),
                                              .identity = owner};
    struct arena arena;
    struct snapshots *snapshots;
    struct snapshots_recovery recovery;
    assert_int_equal(arena_init(&arena, snapshots_arena_bytes(&options)), OK);
    assert_int_equal(snapshots_open(&options, &arena, &snapshots, &recovery), OK);
    make_snapshot(snapshots, 1, version);
    make_snapshot(snapshots, 2, version);
    snapshots_close(snapshots);
    arena_deinit(&arena);
}

int dump_fixture_setup(void **state)
{
    struct dump_fixture *fixture = calloc(1, sizeof(*fixture));
    *state = fixture;
    unsetenv("PMEM2_FORCE_GRANULARITY");
    snprintf(fixture->directory, sizeof(fixture->directory), "/var/tmp/pollux-dump-XXXXXX");
    if (mkdtemp(fixture->directory) == NULL)
        return -1;
    make_identities(fixture);
    make_log(fixture);
    make_journal(fixture);
    dump_fixture_make_snapshots(fixture, SNAPSHOT_VERSION);
    fixture->options = (struct dump_options){
        .parts = DUMP_ALL, .to_index = INDEX_MAX, .has_records = true, .has_keys = true};
    return 0;
}

const char *const dump_fixture_names[DUMP_FIXTURE_FILES] = {
    "identity",          "shard-0.identity",   "shard-0.raft",      "shard-0.journal-0",
    "shard-0.journal-1", "shard-0.snapshot-0", "shard-0.snapshot-1"};

int dump_fixture_teardown(void **state)
{
    struct dump_fixture *fixture = *state;
    for (size_t i = 0; i < DUMP_FIXTURE_FILES; i++)
        unlink(dump_fixture_path(fixture, dump_fixture_names[i]));
    rmdir(fixture->directory);
    free(fixture->text);
    free(fixture);
    return 0;
}

bool dump_fixture_dump(struct dump_fixture *fixture, const char *path)
{
    struct dump dump = {.options = &fixture->options};
    free(fixture->text);
    FILE *to = open_memstream(&fixture->text, &fixture->text_size);
    output_init(&dump.output, to, fixture->options.format);
    bool is_shown = dump_path(&dump, path, fixture->reason, sizeof(fixture->reason));
    output_deinit(&dump.output);
    fclose(to);
    fixture->damaged = dump.damaged;
    fixture->refused = dump.refused;
    return is_shown;
}

void dump_fixture_dump_all(struct dump_fixture *fixture)
{
    assert_true(dump_fixture_dump(fixture, fixture->directory));
}

void dump_fixture_says(const struct dump_fixture *fixture, const char *words)
{
    if (strstr(fixture->text, words) == NULL)
        fail_msg("does not say '%s': %s", words, fixture->text);
}

uint32_t dump_fixture_count(const struct dump_fixture *fixture, const char *words)
{
    uint32_t count = 0;
    for (const char *at = fixture->text; (at = strstr(at, words)) != NULL; at++)
        count++;
    return count;
}

void dump_fixture_flip(struct dump_fixture *fixture, const char *name, off_t offset)
{
    int fd = open(dump_fixture_path(fixture, name), O_RDWR);
    uint8_t byte;
    assert_int_equal(pread(fd, &byte, 1, offset), 1);
    byte ^= 0x10;
    assert_int_equal(pwrite(fd, &byte, 1, offset), 1);
    close(fd);
}
