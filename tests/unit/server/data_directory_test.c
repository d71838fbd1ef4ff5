/* The data directory: made by order only, whole or not at all; refused where it does not fit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "pmem/identity.h"
#include "server/data_directory.h"
#include "server/node_files.h"
#include "wire/wire_packet.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct fixture {
    char folder[32];
    struct config config;
    char text[DATA_DIRECTORY_TEXT_BYTES];
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    unsetenv("PMEM2_FORCE_GRANULARITY");
    snprintf(f->folder, sizeof(f->folder), "/tmp/pollux-data-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    f->config = (struct config){.id = 2, .shard_count = 2, .cluster = "test"};
    snprintf(f->config.directory, sizeof(f->config.directory), "%s/node", f->folder);
    *state = f;
    return 0;
}

static void empty(const char *path)
{
    DIR *directory = opendir(path);
    if (directory == NULL)
        return;
    const struct dirent *entry;
    while ((entry = readdir(directory)) != NULL) {
        if (unlinkat(dirfd(directory), entry->d_name, 0) != 0)
            (void)unlinkat(dirfd(directory), entry->d_name, AT_REMOVEDIR);
    }
    closedir(directory);
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    unsetenv("PMEM2_FORCE_GRANULARITY");
    empty(f->config.directory);
    rmdir(f->config.directory);
    empty(f->folder);
    assert_int_equal(rmdir(f->folder), 0);
    free(f);
    return 0;
}

static const char *path_of(const struct fixture *f, const char *name)
{
    static char path[512];
    snprintf(path, sizeof(path), "%s/%s", f->config.directory, name);
    return path;
}

static bool exists(const struct fixture *f, const char *name)
{
    return access(path_of(f, name), F_OK) == 0;
}

static void touch(const struct fixture *f, const char *name)
{
    int fd = open(path_of(f, name), O_WRONLY | O_CREAT | O_EXCL, 0600);
    assert_true(fd >= 0);
    close(fd);
}

static void expect_init(struct fixture *f, bool is_made)
{
    bool was_made = !is_made;
    enum error error = data_directory_init(&f->config, &was_made, f->text);
    if (error != OK)
        fail_msg("%s: %s", error_name(error), f->text);
    assert_int_equal(was_made, is_made);
}

static void expect_init_refused(struct fixture *f, enum error expected, const char *told)
{
    bool is_made = true;
    enum error error = data_directory_init(&f->config, &is_made, f->text);
    if (error != expected || strstr(f->text, told) == NULL)
        fail_msg("%s: %s", error_name(error), f->text);
    assert_false(is_made);
}

static void expect_open(struct fixture *f)
{
    struct data_directory directory;
    enum error error = data_directory_open(&f->config, &directory, f->text);
    if (error != OK)
        fail_msg("%s: %s", error_name(error), f->text);
    data_directory_close(&directory);
}

static void expect_refused(struct fixture *f, enum error expected, const char *told)
{
    struct data_directory directory;
    enum error error = data_directory_open(&f->config, &directory, f->text);
    if (error != expected || strstr(f->text, told) == NULL)
        fail_msg("%s: %s", error_name(error), f->text);
}

static void test_data_directory_is_made_and_opened(void **state)
{
    struct fixture *f = *state;
    struct node_identity identity;
    expect_init(f, true);
    assert_non_null(strstr(f->text, "made: node 2 of cluster test, shards 2, medium file"));
    assert_true(exists(f, "identity") && exists(f, "README"));
    assert_true(exists(f, "shard-0.identity") && exists(f, "shard-1.identity"));
    assert_false(exists(f, "shard-2.identity"));
    assert_int_equal(data_directory_read(&f->config, &identity, f->text), OK);
    assert_true(identity.cluster_id == wire_cluster_id("test"));
    assert_int_equal(identity.node, 2);
    expect_open(f);
    expect_open(f); /* what was closed is not locked */
}

static void test_data_directory_init_is_safe_to_repeat(void **state)
{
    struct fixture *f = *state;
    char name[NODE_FILE_NAME_BYTES];
    const struct log_identity owner = {
        .cluster_id = wire_cluster_id("test"), .node = 2, .shard = 1};
    struct identity_births births;
    expect_init(f, true);
    node_identity_name(&f->config, 1, name);
    assert_int_equal(identity_note(name, &owner, 77, f->text, sizeof(f->text)), OK);
    touch(f, "shard-1.raft");
    expect_init(f, false);
    assert_non_null(strstr(f->text, "is there already, and whole: node 2"));
    assert_int_equal(identity_read(name, &owner, &births, f->text, sizeof(f->text)), OK);
    assert_true(births.births[0] == 77);
    unlink(name);
    expect_init_refused(f, ERR_NOT_FOUND,
                        "shard-1.identity: the identity of this storage is missing");
    expect_refused(f, ERR_NOT_FOUND, "shard-1.identity: the identity of this storage is missing");
    assert_false(exists(f, "shard-1.identity"));
}

/* A power loss leaves any of the files that come before the identity. */
static void test_data_directory_init_goes_on_where_it_was_cut_short(void **state)
{
    struct fixture *f = *state;
    expect_init(f, true);
    unlink(path_of(f, "identity"));
    unlink(path_of(f, "shard-1.identity"));
    touch(f, "identity.tmp-12");
    assert_int_equal(mkdir(path_of(f, "lost+found"), 0700), 0); /* of a new file system */
    expect_refused(f, ERR_NOT_FOUND, "it is empty");
    expect_init(f, true);
    expect_open(f);
}

static void test_data_directory_init_overwrites_nothing(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(mkdir(f->config.directory, 0700), 0);
    touch(f, "node2.log.identity");
    expect_init_refused(f, ERR_EXISTS, "node2.log.identity, of a version of Pollux whose files");
    unlink(path_of(f, "node2.log.identity"));
    touch(f, "letters");
    expect_init_refused(f, ERR_EXISTS, "it holds other files, like letters");
    assert_false(exists(f, "README"));
    unlink(path_of(f, "letters"));
    touch(f, "shard-0.raft");
    expect_init_refused(f, ERR_EXISTS, "the file identity is lost, and shard-0.raft is there");
    assert_false(exists(f, "identity"));
}

/* The storage was made, so its identity is not taken for a new one. */
static void test_data_directory_init_takes_no_storage_that_was_used(void **state)
{
    struct fixture *f = *state;
    char name[NODE_FILE_NAME_BYTES];
    const struct log_identity owner = {
        .cluster_id = wire_cluster_id("test"), .node = 2, .shard = 0};
    expect_init(f, true);
    node_identity_name(&f->config, 0, name);
    assert_int_equal(identity_note(name, &owner, 77, f->text, sizeof(f->text)), OK);
    unlink(path_of(f, "identity"));
    expect_init_refused(f, ERR_EXISTS, "shard-0.identity: the identity of a storage is there");
    assert_false(exists(f, "identity"));
}

static void test_data_directory_init_makes_no_folders_above(void **state)
{
    struct fixture *f = *state;
    snprintf(f->config.directory, sizeof(f->config.directory), "%s/mount/node", f->folder);
    expect_init_refused(f, ERR_IO, "mount/node: cannot make the directory: No such file");
    assert_non_null(strstr(f->text, ", mounted at /"));
}

static void test_data_directory_that_is_missing_is_refused(void **state)
{
    struct fixture *f = *state;
    expect_refused(f, ERR_NOT_FOUND, "it does not exist");
    assert_non_null(strstr(f->text, f->folder));
    assert_non_null(strstr(f->text, ", mounted at /"));
    assert_non_null(strstr(f->text, "polluxd --init"));
    assert_int_not_equal(access(f->config.directory, F_OK), 0); /* nothing was made */
}

static void test_data_directory_of_another_node_is_refused(void **state)
{
    struct fixture *f = *state;
    expect_init(f, true);
    f->config.id = 3;
    expect_refused(f, ERR_NODE, "is of node 2, and [node] id is 3");
    expect_init_refused(f, ERR_NODE, "is of node 2, and [node] id is 3");
    f->config.id = 2;
    snprintf(f->config.cluster, sizeof(f->config.cluster), "other");
    expect_refused(f, ERR_CLUSTER, "of the cluster test, and [cluster] name is other");
    snprintf(f->config.cluster, sizeof(f->config.cluster), "test");
    f->config.shard_count = 3;
    expect_refused(f, ERR_SHARD, "made for 2 shards, and [cluster] shards is 3");
    f->config.shard_count = 2;
    expect_open(f);
}

static void test_data_directory_with_a_rotten_identity_is_refused(void **state)
{
    struct fixture *f = *state;
    expect_init(f, true);
    int fd = open(path_of(f, "identity"), O_WRONLY);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, "x", 1, 30), 1);
    struct data_directory directory;
    assert_int_equal(data_directory_open(&f->config, &directory, f->text), OK);
    assert_true(directory.is_mended); /* one copy */
    data_directory_close(&directory);
    assert_int_equal(data_directory_open(&f->config, &directory, f->text), OK);
    assert_false(directory.is_mended);
    data_directory_close(&directory);
    assert_int_equal(pwrite(fd, "x", 1, 30), 1);
    assert_int_equal(pwrite(fd, "x", 1, 2048 + 30), 1);
    close(fd);
    expect_refused(f, ERR_CHECKSUM, "node/identity: checksum mismatch");
    expect_init_refused(f, ERR_CHECKSUM, "bring back a copy");
    assert_int_equal(truncate(path_of(f, "identity"), 100), 0);
    expect_refused(f, ERR_SHORT, "node/identity: ends too early: bring back a copy");
}

/* A fifo, whose other end nobody has: neither a start, nor a tool, nor an init waits for it. */
static void test_data_directory_waits_for_nobody(void **state)
{
    struct fixture *f = *state;
    struct config config;
    bool is_made;
    alarm(10);
    expect_init(f, true);
    unlink(path_of(f, "identity"));
    assert_int_equal(mkfifo(path_of(f, "identity"), 0600), 0);
    expect_refused(f, ERR_IO, "node/identity: not a regular file: move it away");
    expect_init_refused(f, ERR_IO, "node/identity: not a regular file: move it away");
    assert_int_equal(data_directory_recall(f->config.directory, &config, f->text), ERR_IO);
    unlink(path_of(f, "identity"));
    expect_init(f, true);
    unlink(path_of(f, "shard-1.identity"));
    assert_int_equal(mkfifo(path_of(f, "shard-1.identity"), 0600), 0);
    expect_refused(f, ERR_IO, "shard-1.identity: cannot open: not a regular file");
    assert_int_equal(data_directory_init(&f->config, &is_made, f->text), ERR_IO);
    /* What an init that was cut short has left under the name that this one uses, too. */
    char name[64];
    unlink(path_of(f, "shard-1.identity"));
    unlink(path_of(f, "identity"));
    snprintf(name, sizeof(name), "identity.tmp-%ld", (long)getpid());
    assert_int_equal(mkfifo(path_of(f, name), 0600), 0);
    snprintf(name, sizeof(name), "shard-1.identity.tmp-%ld", (long)getpid());
    assert_int_equal(mkfifo(path_of(f, name), 0600), 0);
    expect_init(f, true);
    alarm(0);
}

static void test_data_directory_has_one_process(void **state)
{
    struct fixture *f = *state;
    struct data_directory directory;
    char process[64];
    expect_init(f, true);
    assert_int_equal(data_directory_open(&f->config, &directory, f->text), OK);
    snprintf(process, sizeof(process), "another polluxd, process %ld, runs", (long)getpid());
    expect_refused(f, ERR_BUSY, access("/proc/locks", R_OK) == 0 ? process : "another polluxd");
    data_directory_close(&directory);
    expect_open(f);
}

static void test_data_directory_on_another_medium_is_refused(void **state)
{
    struct fixture *f = *state;
    f->config.medium = MEDIUM_PMEM;
    expect_init_refused(f, ERR_ARGUMENT, "lies on the medium file, and [node] medium is pmem");
    assert_false(exists(f, "identity"));
    f->config.medium = 0;
    expect_init(f, true);
    f->config.medium = MEDIUM_PMEM;
    expect_refused(f, ERR_ARGUMENT, "made on the medium file, and [node] medium is pmem");
    f->config.medium = MEDIUM_FILE;
    expect_open(f);
    f->config.medium = 0;
    setenv("PMEM2_FORCE_GRANULARITY", "CACHE_LINE", 1);
    expect_refused(f, ERR_ARGUMENT, "made on the medium file, and now lies on emulated: ");
    expect_init_refused(f, ERR_ARGUMENT, "made on the medium file, and now lies on emulated: ");
}

static void test_data_directory_moves_on_an_order_only(void **state)
{
    struct fixture *f = *state;
    struct data_directory directory;
    expect_init(f, true);
    setenv("PMEM2_FORCE_GRANULARITY", "CACHE_LINE", 1);
    assert_int_equal(data_directory_move(&f->config, f->text), ERR_ARGUMENT);
    assert_non_null(strstr(f->text, "say in [node] medium"));
    f->config.medium = MEDIUM_PMEM;
    assert_int_equal(data_directory_move(&f->config, f->text), ERR_ARGUMENT);
    assert_non_null(strstr(f->text, "lies on the medium emulated, and [node] medium is pmem"));
    f->config.medium = MEDIUM_EMULATED;
    assert_int_equal(data_directory_move(&f->config, f->text), OK);
    assert_non_null(strstr(f->text, "medium emulated"));
    expect_open(f);
    assert_int_equal(data_directory_open(&f->config, &directory, f->text), OK);
    assert_int_equal(data_directory_move(&f->config, f->text), ERR_BUSY);
    data_directory_close(&directory);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_data_directory_is_made_and_opened),
        TEST(test_data_directory_init_is_safe_to_repeat),
        TEST(test_data_directory_init_goes_on_where_it_was_cut_short),
        TEST(test_data_directory_init_overwrites_nothing),
        TEST(test_data_directory_init_takes_no_storage_that_was_used),
        TEST(test_data_directory_init_makes_no_folders_above),
        TEST(test_data_directory_that_is_missing_is_refused),
        TEST(test_data_directory_of_another_node_is_refused),
        TEST(test_data_directory_with_a_rotten_identity_is_refused),
        TEST(test_data_directory_waits_for_nobody),
        TEST(test_data_directory_has_one_process),
        TEST(test_data_directory_on_another_medium_is_refused),
        TEST(test_data_directory_moves_on_an_order_only),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
