/*
 * A data directory as pollux-dump shows it: whole, in use, and with each sort of file damaged, cut
 * off, missing, or of another version. The files are made by the code of the node.
 */
#include "tools/dump/dump.h"

#include "base/crc32c.h"
#include "base/le.h"
#include "raft/raft.h"
#include "tools/dump/stream.h"
#include "wire/wire_request.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define LOG_BYTES     (16u * 1024 * 1024)
#define JOURNAL_BYTES (64u * 1024)
#define STREAM_MAX    (4u * SNAPSHOT_BLOCK_BYTES)
#define RECORDS       20u
#define KEYS          100u
#define VALUE_BYTES   1500u
#define POLLS_MAX     100000000u
#define SERIES        4242u
#define SECRET        "my-secret"

static const struct log_identity owner = {.cluster_id = 7, .node = 2, .shard = 0};

struct fixture {
    char directory[64];
    char path[128];
    struct dump_options options;
    char *text;
    size_t text_size;
    uint32_t damaged;
    uint32_t refused;
    char reason[VIEW_NOTE_BYTES];
};

static const char *path_of(struct fixture *fixture, const char *name)
{
    snprintf(fixture->path, sizeof(fixture->path), "%s/%s", fixture->directory, name);
    return fixture->path;
}

static void write_file(struct fixture *fixture, const char *name, const void *bytes, size_t size)
{
    int fd = open(path_of(fixture, name), O_WRONLY | O_CREAT, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, size), size);
    close(fd);
}

static void make_identities(struct fixture *fixture)
{
    const struct node_identity node = {
        .cluster_id = 7, .node = 2, .shard_count = 1, .medium = MEDIUM_FILE, .cluster = "test"};
    uint8_t page[NODE_IDENTITY_FILE_BYTES];
    char note[512];
    node_identity_encode(&node, page);
    write_file(fixture, "identity", page, sizeof(page));
    const char *path = path_of(fixture, "shard-0.identity");
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
                               .value = span_of(SECRET, strlen(SECRET))};
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
    for (uint64_t i = 3; i <= RECORDS; i++) {
        bool is_forwarded = i == RECORDS - 1;
        size_bytes = make_batch(bytes, sizeof(bytes), is_forwarded ? WIRE_NODE_SESSION(SERIES) : 9,
                                is_forwarded ? 2 : i);
        append(log, RAFT_ENTRY_DATA, span_of(bytes, size_bytes));
    }
}

static void make_log(struct fixture *fixture)
{
    const struct log_options options = {.path = path_of(fixture, "shard-0.raft"),
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

static void make_journal(struct fixture *fixture)
{
    const struct journal_options options = {.path = path_of(fixture, "shard-0.journal"),
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
static size_t make_stream(uint8_t *stream, uint64_t index)
{
    size_t at = add_item(stream, SNAPSHOT_HEAD, SNAPSHOT_HEAD_BYTES);
    le64_store(stream + 8, SNAPSHOT_MAGIC);
    le32_store(stream + 16, SNAPSHOT_VERSION);
    le64_store(stream + 24, index);
    for (uint32_t i = 0; i < KEYS; i++) {
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

static void make_snapshot(struct snapshots *snapshots, uint64_t number)
{
    static uint8_t stream[STREAM_MAX];
    const struct snapshot_label label = {.id = number, .index = number * 5, .term = 3};
    struct snapshots_progress progress;
    memset(stream, 0, sizeof(stream));
    size_t size_bytes = make_stream(stream, label.index);
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

static void make_snapshots(struct fixture *fixture)
{
    const struct snapshots_options options = {.path = path_of(fixture, "shard-0.snapshot"),
                                              .size_bytes = snapshots_file_bytes(STREAM_MAX),
                                              .identity = owner};
    struct arena arena;
    struct snapshots *snapshots;
    struct snapshots_recovery recovery;
    assert_int_equal(arena_init(&arena, snapshots_arena_bytes(&options)), OK);
    assert_int_equal(snapshots_open(&options, &arena, &snapshots, &recovery), OK);
    make_snapshot(snapshots, 1);
    make_snapshot(snapshots, 2);
    snapshots_close(snapshots);
    arena_deinit(&arena);
}

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    *state = fixture;
    unsetenv("PMEM2_FORCE_GRANULARITY");
    snprintf(fixture->directory, sizeof(fixture->directory), "/var/tmp/pollux-dump-XXXXXX");
    if (mkdtemp(fixture->directory) == NULL)
        return -1;
    make_identities(fixture);
    make_log(fixture);
    make_journal(fixture);
    make_snapshots(fixture);
    fixture->options = (struct dump_options){
        .parts = DUMP_ALL, .to_index = INDEX_MAX, .has_records = true, .has_keys = true};
    return 0;
}

static const char *const names[] = {"identity",          "shard-0.identity",  "shard-0.raft",
                                    "shard-0.journal-0", "shard-0.journal-1", "shard-0.snapshot-0",
                                    "shard-0.snapshot-1"};

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        unlink(path_of(fixture, names[i]));
    rmdir(fixture->directory);
    free(fixture->text);
    free(fixture);
    return 0;
}

static bool dump_one(struct fixture *fixture, const char *path)
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

static void dump_all(struct fixture *fixture)
{
    assert_true(dump_one(fixture, fixture->directory));
}

static void says(const struct fixture *fixture, const char *words)
{
    if (strstr(fixture->text, words) == NULL)
        fail_msg("does not say '%s': %s", words, fixture->text);
}

static uint32_t count_of(const struct fixture *fixture, const char *words)
{
    uint32_t count = 0;
    for (const char *at = fixture->text; (at = strstr(at, words)) != NULL; at++)
        count++;
    return count;
}

static void flip(struct fixture *fixture, const char *name, off_t offset)
{
    int fd = open(path_of(fixture, name), O_RDWR);
    uint8_t byte;
    assert_int_equal(pread(fd, &byte, 1, offset), 1);
    byte ^= 0x10;
    assert_int_equal(pwrite(fd, &byte, 1, offset), 1);
    close(fd);
}

static void test_dump_shows_everything_of_a_whole_directory(void **state)
{
    struct fixture *fixture = *state;
    dump_all(fixture);
    assert_int_equal(fixture->damaged + fixture->refused, 0);
    says(fixture, "cluster: test");
    says(fixture, "birth 000000000000abcd");
    says(fixture, "last index: 20");
    says(fixture, "term: 3");
    says(fixture, "vote: 000000000000abcd");
    says(fixture, "start 5000000000000000");
    says(fixture, "birth 000000000000beef, start 0000000000000077");
    says(fixture, "node 2, birth 000000000000abcd, membership voter, address 10.77.0.2:7400");
    says(fixture, "operation set, seq 20, key the-key, value size bytes 9");
    says(fixture, "index: 10"); /* of the newest snapshot */
    says(fixture, "key key-099, version 99, value size bytes 1500");
    says(fixture, "is whole: yes");
    says(fixture, "entry count: 4");
    says(fixture, "decided seq: 2");
    says(fixture, "pending entries: 2");
    assert_int_equal(count_of(fixture, "key key-"), 2 * KEYS);
    assert_int_equal(count_of(fixture, "is pending yes"), 2);
    assert_null(strstr(fixture->text, SECRET));
}

static void test_dump_shows_values_only_when_asked(void **state)
{
    struct fixture *fixture = *state;
    static const enum output_format formats[] = {OUTPUT_TEXT, OUTPUT_JSON, OUTPUT_LINES};
    for (size_t i = 0; i < 3; i++) {
        fixture->options.format = formats[i];
        fixture->options.has_values = false;
        dump_all(fixture);
        assert_null(strstr(fixture->text, SECRET));
        fixture->options.has_values = true;
        dump_all(fixture);
        says(fixture, SECRET);
    }
    char sum[32];
    snprintf(sum, sizeof(sum), "%08x", crc32c(0, SECRET, strlen(SECRET)));
    says(fixture, sum);
}

static void test_dump_selects_parts_and_records(void **state)
{
    struct fixture *fixture = *state;
    fixture->options.parts = DUMP_JOURNAL;
    dump_all(fixture);
    says(fixture, "pending entries: 2"); /* the log was read for this, and is not shown */
    assert_null(strstr(fixture->text, "last index"));
    assert_null(strstr(fixture->text, "cluster"));
    fixture->options.parts = DUMP_LOG;
    fixture->options.from_index = 19;
    fixture->options.to_index = 19;
    dump_all(fixture);
    says(fixture, "index 19, term 3");
    assert_int_equal(count_of(fixture, "payload size bytes"), 1);
    assert_null(strstr(fixture->text, "key-"));
    fixture->options.parts = DUMP_STARTS;
    dump_all(fixture);
    says(fixture, "heard starts");
    assert_null(strstr(fixture->text, "last index"));
    fixture->options.parts = DUMP_CONFIGURATION;
    dump_all(fixture);
    says(fixture, "found in: log");
    assert_null(strstr(fixture->text, "heard starts"));
    fixture->options.has_shards = true;
    fixture->options.shards[1] = true;
    dump_all(fixture);
    says(fixture, "shards: none");
}

/* What is damaged where, how many findings that makes, and what is still shown. */
static void test_dump_names_each_damage_and_shows_the_rest(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        const char *name;
        off_t offset;
        uint32_t damaged;
        const char *finding;
        const char *rest;
    } cases[] = {
        {"identity", 30, 1, "what first copy, offset 0", "cluster: test"},
        {"identity", 2048 + 70, 1, "what second copy, offset 2048", "cluster: test"},
        {"shard-0.identity", 40, 1, "what first copy, offset 0", "birth 000000000000abcd"},
        {"shard-0.raft", 20, 1, "header, first copy, offset 0", "last index: 20"},
        {"shard-0.raft", 2048 + 20, 1, "header, second copy, offset 2048", "last index: 20"},
        {"shard-0.raft", 4096 + 3, 1, "term and vote, first copy, offset 4096", "term: 3"},
        {"shard-0.raft", 8192, 1, "table of segments, first copy, offset 8192", "last index: 20"},
        {"shard-0.raft", 12288 + 10, 1, "records, offset 12288, size bytes 128, from index 1",
         "fate behind lost records"},
        {"shard-0.journal-0", 20, 1, "header, first copy, offset 0", "entry count: 4"},
        {"shard-0.snapshot-1", 20, 1, "header, first copy, offset 0", "index: 10"},
        {"shard-0.snapshot-1", 4096 + 9, 1, "completion record, offset 4096", "index: 5"},
        {"shard-0.snapshot-1", 8192 + 65536 + 99, 1, "block, offset 73728, size bytes 65536",
         "is whole: no"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        flip(fixture, cases[i].name, cases[i].offset);
        dump_all(fixture);
        says(fixture, cases[i].finding);
        says(fixture, cases[i].rest);
        assert_int_equal(fixture->damaged, cases[i].damaged);
        assert_int_equal(fixture->refused, 0);
        flip(fixture, cases[i].name, cases[i].offset);
    }
    dump_all(fixture);
    assert_int_equal(fixture->damaged + fixture->refused, 0);
}

static void test_dump_shows_the_keys_beside_a_lost_block(void **state)
{
    struct fixture *fixture = *state;
    flip(fixture, "shard-0.snapshot-1", 8192 + 65536 + 99);
    dump_all(fixture);
    uint32_t keys = count_of(fixture, "key key-") - KEYS; /* without those of the other file */
    assert_true(keys > KEYS / 4 && keys < KEYS);
    says(fixture, "key key-000");
    says(fixture, "is whole: no");
}

static void test_dump_tells_what_is_cut_off_or_missing(void **state)
{
    struct fixture *fixture = *state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct stat status;
        char kept[160];
        assert_int_equal(stat(path_of(fixture, names[i]), &status), 0);
        snprintf(kept, sizeof(kept), "%s.kept", fixture->path);
        assert_int_equal(rename(fixture->path, kept), 0);
        dump_all(fixture);
        says(fixture, "ERR_NOT_FOUND");
        assert_int_equal(fixture->refused, 1);
        assert_int_equal(rename(kept, path_of(fixture, names[i])), 0);
    }
    assert_int_equal(truncate(path_of(fixture, "shard-0.raft"), 14000), 0);
    assert_int_equal(truncate(path_of(fixture, "shard-0.snapshot-0"), 8192 + 70000), 0);
    assert_int_equal(truncate(path_of(fixture, "shard-0.identity"), 2100), 0);
    dump_all(fixture);
    says(fixture, "kind cut off, what log, offset 14000");
    says(fixture, "kind cut off, what snapshot, offset 78192");
    says(fixture, "kind cut off, what second copy, offset 2048");
    says(fixture, "index 3, term 3");
    assert_int_equal(fixture->refused, 0);
    assert_int_equal(truncate(path_of(fixture, "shard-0.raft"), 0), 0);
    dump_all(fixture);
    says(fixture, "only 0 bytes, not even a header");
    assert_int_equal(fixture->refused, 1);
}

static void set_version(struct fixture *fixture, const char *name, size_t copy_bytes)
{
    uint8_t copy[2048];
    int fd = open(path_of(fixture, name), O_RDWR);
    for (off_t at = 0; at <= 2048; at += 2048) {
        assert_int_equal(pread(fd, copy, copy_bytes, at), copy_bytes);
        le32_store(copy + 8, 9);
        le32_store(copy + 12, crc32c_around(copy, copy_bytes, 12));
        assert_int_equal(pwrite(fd, copy, copy_bytes, at), copy_bytes);
    }
    close(fd);
}

static void test_dump_refuses_other_versions_and_names_both(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        const char *name;
        size_t copy_bytes;
        const char *words;
    } cases[] = {
        {"shard-0.raft", 64, "format version 9, this program knows 2"},
        {"shard-0.journal-0", 64, "format version 9, this program knows 2"},
        {"shard-0.snapshot-0", 64, "format version 9, this program knows 1"},
        {"shard-0.identity", 1960, "format version 9, this program knows 2"},
        {"identity", 320, "format version 9, this program knows 1"},
    };
    for (uint32_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        set_version(fixture, cases[i].name, cases[i].copy_bytes);
        dump_all(fixture);
        says(fixture, cases[i].words);
        assert_int_equal(fixture->refused, i + 1);
        assert_int_equal(fixture->damaged, 0);
    }
}

static void test_dump_goes_on_without_an_identity(void **state)
{
    struct fixture *fixture = *state;
    flip(fixture, "identity", 30);
    flip(fixture, "identity", 2048 + 30);
    dump_all(fixture);
    assert_int_equal(fixture->damaged, 2);
    says(fixture, "last index: 20");
    says(fixture, "entry count: 4");
}

static void test_dump_shows_one_file_of_any_sort(void **state)
{
    struct fixture *fixture = *state;
    static const char *const words[] = {"cluster: test",  "births noted: 1", "last index: 20",
                                        "entry count: 4", "state: empty",    "index: 5",
                                        "index: 10"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        assert_true(dump_one(fixture, path_of(fixture, names[i])));
        says(fixture, words[i]);
        assert_int_equal(fixture->damaged + fixture->refused, 0);
    }
    write_file(fixture, "identity", "this is no file of Pollux", 25);
    flip(fixture, "identity", 2048);
    assert_false(dump_one(fixture, path_of(fixture, "identity")));
    assert_non_null(strstr(fixture->reason, "not a file of Pollux"));
    assert_false(dump_one(fixture, "/var/tmp"));
    assert_non_null(strstr(fixture->reason, "no file of a node"));
    assert_false(dump_one(fixture, "/var/tmp/no/such"));
}

static void test_dump_says_that_a_node_runs(void **state)
{
    struct fixture *fixture = *state;
    int fd = open(path_of(fixture, "identity"), O_RDWR);
    assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
    dump_all(fixture);
    says(fixture, "is in use: yes");
    assert_int_equal(fixture->refused, 0);
    close(fd);
    dump_all(fixture);
    says(fixture, "is in use: no");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_dump_shows_everything_of_a_whole_directory),
        TEST(test_dump_shows_values_only_when_asked),
        TEST(test_dump_selects_parts_and_records),
        TEST(test_dump_names_each_damage_and_shows_the_rest),
        TEST(test_dump_shows_the_keys_beside_a_lost_block),
        TEST(test_dump_tells_what_is_cut_off_or_missing),
        TEST(test_dump_refuses_other_versions_and_names_both),
        TEST(test_dump_goes_on_without_an_identity),
        TEST(test_dump_shows_one_file_of_any_sort),
        TEST(test_dump_says_that_a_node_runs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
