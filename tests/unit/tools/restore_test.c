/* A data directory from a backup: all keys, of versions above all that the old cluster can have
 * written; of a new identity; whole or refused. */
#include "tests/unit/tools/backup_maker.h"
#include "tools/restore/restore.h"

#include "base/arena.h"
#include "base/le.h"
#include "pmem/identity.h"
#include "pmem/snapshots.h"
#include "raft/configuration.h"
#include "server/data_directory.h"
#include "server/node_files.h"
#include "server/restore_marker.h"
#include "wire/wire_packet.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define VERSION (UINT64_C(1) << 40)

struct fixture {
    char folder[32];
    struct config config;
    struct restore_summary summary;
    char text[RESTORE_TEXT_BYTES];
    int backup;
};

/* What a snapshot of the new cluster has. */
struct found {
    uint64_t index;
    uint64_t version_min;
    uint64_t version_max;
    uint32_t keys;
    uint32_t sessions;
    uint32_t nodes; /* series of nodes; the last one: */
    uint16_t node;
    bool is_open;
    uint64_t series;
    uint32_t wrong; /* values that are not the key's */
    struct raft_configuration configuration;
};

static void write_config(const struct fixture *f, const char *path)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fprintf(file,
            "[node]\nid = 2\ndirectory = %s/node\nlog_size = 32MiB\n"
            "[cluster]\nname = new\nshards = %u\nstore_size = 32MiB\nkeys_max = 1000\n"
            "[peers]\n1 = 10.0.0.1:7400\n2 = 10.0.0.2:7400\n"
            "[port]\ndevice = net_tap0\n",
            f->folder, MAKER_SHARDS);
    assert_int_equal(fclose(file), 0);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    char path[64];
    char reason[512];
    assert_non_null(f);
    unsetenv("PMEM2_FORCE_GRANULARITY");
    snprintf(f->folder, sizeof(f->folder), "/tmp/pollux-restore-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    snprintf(path, sizeof(path), "%s/ini", f->folder);
    write_config(f, path);
    if (config_read(path, &f->config, reason, sizeof(reason)) != OK)
        fail_msg("%s", reason);
    assert_int_equal(unlink(path), 0);
    f->backup = maker_backup();
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    DIR *directory = opendir(f->config.directory);
    const struct dirent *entry;
    while (directory != NULL && (entry = readdir(directory)) != NULL)
        (void)unlinkat(dirfd(directory), entry->d_name, 0);
    if (directory != NULL)
        closedir(directory);
    rmdir(f->config.directory);
    assert_int_equal(rmdir(f->folder), 0);
    close(f->backup);
    free(f);
    return 0;
}

static void expect_restored(struct fixture *f)
{
    const struct restore_source source = {.fd = f->backup, .name = "/backups/monday"};
    enum error error = restore_run(&f->config, &source, &f->summary, f->text);
    if (error != OK)
        fail_msg("%s: %s", error_name(error), f->text);
}

static void expect_refused(struct fixture *f, enum error expected, const char *told)
{
    const struct restore_source source = {.fd = f->backup, .name = "/backups/monday"};
    enum error error = restore_run(&f->config, &source, &f->summary, f->text);
    if (error != expected || strstr(f->text, told) == NULL)
        fail_msg("%s: %s", error_name(error), f->text);
}

static struct log_identity owner_of(const struct fixture *f, uint16_t shard)
{
    return (struct log_identity){
        .cluster_id = wire_cluster_id("new"), .node = f->config.id, .shard = shard};
}

/* ---- reading what was made ---- */

static void look_at_entry(struct found *found, struct span body)
{
    uint64_t version = le64_load(body.data);
    uint16_t key_size = le16_load(body.data + 12);
    const uint8_t *key = body.data + SNAPSHOT_ENTRY_BYTES;
    char number[8] = "";
    memcpy(number, key + 3, key_size - 3u); /* "s0-7" */
    found->keys++;
    found->wrong += key[key_size] != 'a' + (int)(strtoul(number, NULL, 10) % 26);
    if (version < found->version_min)
        found->version_min = version;
    if (version > found->version_max)
        found->version_max = version;
}

static enum error look(void *context, enum snapshot_item type, struct span body)
{
    struct found *found = context;
    found->sessions += type == SNAPSHOT_SESSION;
    if (type == SNAPSHOT_NODE) {
        found->nodes++;
        found->node = le16_load(body.data);
        found->is_open = body.data[2] == 1;
        found->series = le64_load(body.data + 16);
    }
    if (type == SNAPSHOT_HEAD) {
        found->index = le64_load(body.data + 16);
        assert_int_equal(le32_load(body.data + 60), 0);
    } else if (type == SNAPSHOT_CONFIGURATION) {
        assert_true(le64_load(body.data) == found->index);
        assert_int_equal(
            raft_configuration_decode(body.data + 8, body.size_bytes - 8, &found->configuration),
            OK);
    } else if (type == SNAPSHOT_ENTRY) {
        look_at_entry(found, body);
    }
    return OK;
}

static void read_blocks(struct snapshots *files, struct found *found)
{
    struct snapshot_info info;
    struct backup_stream stream;
    const struct backup_visitor visitor = {.visit = look, .context = found};
    uint8_t *block = malloc(SNAPSHOT_BLOCK_BYTES);
    assert_true(snapshots_newest(files, &info));
    assert_true(info.label.index == VERSION);
    assert_true(backup_stream_init(&stream, &visitor));
    for (uint32_t number = 0; number < info.block_count; number++) {
        struct span raw;
        assert_int_equal(snapshots_read_block(files, info.generation, number, block, &raw), OK);
        assert_int_equal(backup_stream_read(&stream, raw), OK);
    }
    assert_int_equal(backup_stream_end(&stream), OK);
    backup_stream_deinit(&stream);
    free(block);
}

static void read_shard(const struct fixture *f, uint16_t shard, struct found *ret_found)
{
    char path[NODE_FILE_NAME_BYTES];
    struct arena arena;
    struct snapshots *files;
    struct snapshots_recovery recovery;
    node_snapshot_name(&f->config, shard, path);
    const struct snapshots_options options = {
        .path = path, .size_bytes = 1 << 20, .identity = owner_of(f, shard)};
    *ret_found = (struct found){.version_min = UINT64_MAX};
    assert_int_equal(arena_init(&arena, snapshots_arena_bytes(&options) + 4096), OK);
    assert_int_equal(snapshots_open(&options, &arena, &files, &recovery), OK);
    read_blocks(files, ret_found);
    snapshots_close(files);
    arena_deinit(&arena);
}

static void read_log(const struct fixture *f, uint16_t shard, struct log_recovery *ret_recovery)
{
    char path[NODE_FILE_NAME_BYTES];
    struct arena arena;
    struct log *log;
    node_log_name(&f->config, shard, path);
    size_t size_bytes = f->config.log_size_bytes / MAKER_SHARDS;
    const struct log_options options = {.path = path,
                                        .size_bytes = size_bytes,
                                        .segment_size_bytes = log_segment_size_bytes(size_bytes),
                                        .identity = owner_of(f, shard),
                                        .snapshot_index = VERSION,
                                        .snapshot_term = 1};
    assert_int_equal(arena_init(&arena, log_arena_bytes(size_bytes)), OK);
    assert_int_equal(log_open(&options, &arena, &log, ret_recovery), OK);
    log_close(log);
    arena_deinit(&arena);
}

/* ---- tests ---- */

static void test_version_is_above_all_that_the_old_cluster_can_have(void **state)
{
    (void)state;
    assert_true(restore_version(1) == VERSION);
    assert_true(restore_version(VERSION - 1) == VERSION);
    assert_true(restore_version(VERSION) == 2 * VERSION);
    assert_true(restore_version(restore_version(12345) + 7) == 2 * VERSION);
    assert_true(restore_version(INDEX_MAX) == 0);
    for (uint64_t index = 1; index < INDEX_MAX / 2; index = index * 3 + 1) {
        assert_true(restore_version(index) > index);
        assert_true(restore_version(index) % VERSION == 0);
    }
}

static void test_restored_keys_are_all_there_with_versions_that_rise(void **state)
{
    struct fixture *f = *state;
    expect_restored(f);
    for (uint16_t shard = 0; shard < MAKER_SHARDS; shard++) {
        struct found found;
        read_shard(f, shard, &found);
        assert_int_equal(found.keys, MAKER_KEYS);
        assert_int_equal(found.wrong, 0);
        assert_true(found.version_min > MAKER_INDEX && found.version_max == VERSION);
        assert_true(found.version_min == f->summary.versions[shard]);
        assert_true(found.index == VERSION);
    }
}

static void test_restored_state_has_nothing_of_the_old_cluster(void **state)
{
    struct fixture *f = *state;
    uint64_t identities[MAKER_SHARDS];
    expect_restored(f);
    for (uint16_t shard = 0; shard < MAKER_SHARDS; shard++) {
        struct found found;
        read_shard(f, shard, &found);
        const struct raft_configuration *configuration = &found.configuration;
        assert_int_equal(found.sessions, 0);
        /* Relaxed writes of the only member count from the begin. */
        assert_true(found.nodes == 1 && found.node == 2 && found.is_open);
        assert_true(found.series == wire_series(configuration->members[0].storage.birth));
        assert_true(configuration->cluster != 0 && configuration->cluster != 99);
        assert_true(configuration->slot_count == 1 && configuration->members[0].storage.id == 2);
        assert_int_equal(configuration->members[0].membership, RAFT_VOTER);
        assert_true(configuration->members[0].port == 7400);
        identities[shard] = configuration->cluster;
    }
    assert_true(identities[0] != identities[1]);
}

static void test_restored_storage_is_the_one_that_counts(void **state)
{
    struct fixture *f = *state;
    expect_restored(f);
    for (uint16_t shard = 0; shard < MAKER_SHARDS; shard++) {
        char path[NODE_FILE_NAME_BYTES];
        char note[512];
        struct found found;
        struct identity_births births;
        struct log_recovery recovery;
        const struct log_identity owner = owner_of(f, shard);
        node_identity_name(&f->config, shard, path);
        assert_int_equal(identity_read(path, &owner, &births, note, sizeof(note)), OK);
        read_shard(f, shard, &found);
        read_log(f, shard, &recovery);
        assert_true(births.births[0] == found.configuration.members[0].storage.birth);
        assert_true(births.formed == found.configuration.cluster);
        assert_true(recovery.birth == births.births[0]);
        assert_false(recovery.is_created);
        assert_true(recovery.first_index == VERSION + 1 && recovery.last_index == VERSION);
        assert_false(recovery.is_suspect);
    }
}

static void test_restored_directory_opens_and_is_not_made_again(void **state)
{
    struct fixture *f = *state;
    struct data_directory directory;
    char text[DATA_DIRECTORY_TEXT_BYTES];
    expect_restored(f);
    assert_int_equal(data_directory_open(&f->config, &directory, text), OK);
    data_directory_close(&directory);
    expect_refused(f, ERR_EXISTS, "is there already");
}

/* Killed when it writes the first large file, by the signal for files that are too large. */
static void restore_and_be_killed(struct fixture *f)
{
    int status;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        const struct rlimit limit = {.rlim_cur = 256 << 10, .rlim_max = 256 << 10};
        const struct restore_source source = {.fd = f->backup, .name = "/backups/monday"};
        (void)setrlimit(RLIMIT_FSIZE, &limit);
        signal(SIGXFSZ, SIG_DFL);
        _exit(restore_run(&f->config, &source, &f->summary, f->text) == OK ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGXFSZ);
}

static void test_restore_that_was_killed_is_told_and_begins_anew(void **state)
{
    static const char told[] = "a restore was cut short here, from /backups/monday (a backup of "
                               "cluster ";
    struct fixture *f = *state;
    struct data_directory directory;
    struct node_identity identity;
    struct config recalled;
    char text[DATA_DIRECTORY_TEXT_BYTES];
    char path[512];
    bool is_made;
    restore_and_be_killed(f);
    assert_int_equal(data_directory_open(&f->config, &directory, text), ERR_SHORT);
    assert_non_null(strstr(text, told));
    assert_non_null(strstr(text, "Run pollux restore again: it begins anew"));
    assert_int_equal(data_directory_read(&f->config, &identity, text), ERR_SHORT);
    assert_int_equal(data_directory_recall(f->config.directory, &recalled, text), ERR_SHORT);
    assert_int_equal(data_directory_init(&f->config, &is_made, text), ERR_SHORT);
    assert_non_null(strstr(text, told));
    /* What somebody else has put there stays. */
    snprintf(path, sizeof(path), "%s/letters", f->config.directory);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
    assert_true(fd >= 0);
    close(fd);
    expect_refused(f, ERR_EXISTS, "letters is there, too");
    assert_int_equal(unlink(path), 0);
    expect_restored(f);
    assert_int_equal(data_directory_open(&f->config, &directory, text), OK);
    data_directory_close(&directory);
    struct found found;
    read_shard(f, 1, &found);
    assert_true(found.keys == MAKER_KEYS && found.wrong == 0);
}

/* The last moment: all is there, and the marker, too. */
static void test_restore_counts_only_when_its_marker_is_gone(void **state)
{
    struct fixture *f = *state;
    struct restore_marker marker;
    struct data_directory directory;
    char text[DATA_DIRECTORY_TEXT_BYTES];
    expect_restored(f);
    assert_int_equal(
        restore_marker_begin(f->config.directory, "there", &marker, text, sizeof(text)), OK);
    assert_int_equal(data_directory_open(&f->config, &directory, text), ERR_BUSY);
    expect_refused(f, ERR_BUSY, "fills this directory: wait until it has ended");
    restore_marker_leave(&marker);
    assert_int_equal(data_directory_open(&f->config, &directory, text), ERR_SHORT);
    expect_restored(f);
    assert_int_equal(data_directory_open(&f->config, &directory, text), OK);
    data_directory_close(&directory);
}

static void test_restore_refuses_a_configuration_that_does_not_fit(void **state)
{
    struct fixture *f = *state;
    f->config.shard_count = 1;
    expect_refused(f, ERR_ARGUMENT, "2 shards");
    f->config.shard_count = MAKER_SHARDS;
    f->config.keys_max = MAKER_KEYS * MAKER_SHARDS - 2;
    f->config.keys_capacity = f->config.keys_max;
    expect_refused(f, ERR_ARGUMENT, "keys_capacity");
    assert_int_not_equal(access(f->config.directory, F_OK), 0);
}

static void test_restore_refuses_a_damaged_backup_and_makes_nothing(void **state)
{
    struct fixture *f = *state;
    uint8_t byte;
    assert_int_equal(pread(f->backup, &byte, 1, 100000), 1);
    byte ^= 16;
    assert_int_equal(pwrite(f->backup, &byte, 1, 100000), 1);
    expect_refused(f, ERR_CHECKSUM, "offset ");
    assert_int_not_equal(access(f->config.directory, F_OK), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_version_is_above_all_that_the_old_cluster_can_have),
        cmocka_unit_test_setup_teardown(test_restored_keys_are_all_there_with_versions_that_rise,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_restored_state_has_nothing_of_the_old_cluster, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_restored_storage_is_the_one_that_counts, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_restored_directory_opens_and_is_not_made_again, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_restore_that_was_killed_is_told_and_begins_anew, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_restore_counts_only_when_its_marker_is_gone, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_restore_refuses_a_configuration_that_does_not_fit,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_restore_refuses_a_damaged_backup_and_makes_nothing,
                                        setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
