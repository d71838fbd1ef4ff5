/* polluxd --check: each thing that is wrong has a line that names it, and a good node has none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "server/check.h"
#include "pmem/identity.h"
#include "server/data_directory.h"
#include "server/node_files.h"
#include "wire/wire_packet.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define MIB (UINT64_C(1) << 20)

struct fixture {
    char folder[32];
    struct config config;
    char said[16384];
};

static void remove_file(const struct fixture *f, const char *name)
{
    char path[512];
    snprintf(path, sizeof(path), "%s/%s", f->config.directory, name);
    (void)unlink(path);
}

static void make_file(const struct fixture *f, const char *name, uint64_t size_bytes)
{
    char path[512];
    snprintf(path, sizeof(path), "%s/%s", f->config.directory, name);
    int fd = open(path, O_WRONLY | O_CREAT, 0600);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, (off_t)size_bytes), 0);
    close(fd);
}

static void init(struct fixture *f)
{
    char text[DATA_DIRECTORY_TEXT_BYTES];
    bool is_made;
    if (data_directory_init(&f->config, &is_made, text) != OK)
        fail_msg("%s", text);
    assert_true(is_made);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    unsetenv("PMEM2_FORCE_GRANULARITY");
    snprintf(f->folder, sizeof(f->folder), "/var/tmp/pollux-check-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    f->config = (struct config){.id = 1,
                                .log_size_bytes = 16 * MIB,
                                .relaxed_size_bytes = 8 * MIB,
                                .keys_max = 1000,
                                .keys_capacity = 1000,
                                .store_size_bytes = MIB,
                                .store_capacity_bytes = MIB,
                                .sessions_max = 16,
                                .sessions_capacity = 16,
                                .session_ttl_ns = UINT64_C(3600000000000),
                                .cluster = "test",
                                .device = "net_memif0",
                                .shard_count = 1,
                                .lane_count = 1,
                                .memory_mib = 16,
                                .ipv4_prefix_bits = 24,
                                .peer_count = 2,
                                .election_timeout_min_ns = UINT64_C(60000000000),
                                .election_timeout_max_ns = UINT64_C(120000000000)};
    for (uint8_t i = 0; i < 2; i++)
        f->config.peers[i] = (struct config_peer){
            .id = 1 + i, .address = address_of_ipv4((uint8_t[]){10, 77, 0, 1 + i}, 7400)};
    snprintf(f->config.directory, sizeof(f->config.directory), "%s/node", f->folder);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    static const char *const names[] = {"README",       "identity",          "shard-0.identity",
                                        "shard-0.raft", "shard-0.journal-0", "shard-0.snapshot-1"};
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        remove_file(f, names[i]);
    rmdir(f->config.directory);
    assert_int_equal(rmdir(f->folder), 0); /* nothing else was left */
    free(f);
    return 0;
}

static bool check(struct fixture *f)
{
    memset(f->said, 0, sizeof(f->said));
    /* What the machine itself has is in check_host_test.c: here it tells nothing. */
    const struct host host = {.root = "/nonexistent", .uid = geteuid()};
    const struct check_task task = {.host = &host, .config = &f->config};
    FILE *out = fmemopen(f->said, sizeof(f->said) - 1, "w");
    assert_non_null(out);
    bool is_good = check_print(&task, out);
    fclose(out);
    assert_int_equal(is_good, strstr(f->said, "wrong ") == NULL);
    return is_good;
}

/* A line that begins with "wrong", and has both parts in this order. */
static void expect_wrong(struct fixture *f, const char *place, const char *way_out)
{
    assert_false(check(f));
    for (const char *at = strstr(f->said, "wrong "); at != NULL; at = strstr(at + 1, "wrong ")) {
        const char *end = strchr(at, '\n');
        const char *first = strstr(at, place);
        const char *second = first == NULL ? NULL : strstr(first, way_out);
        if (second != NULL && second < end)
            return;
    }
    fail_msg("no line has '%s' and '%s':\n%s", place, way_out, f->said);
}

static void test_check_finds_nothing_in_a_good_node(void **state)
{
    struct fixture *f = *state;
    init(f);
    make_file(f, "shard-0.raft", 16 * MIB);
    if (!check(f))
        fail_msg("%s", f->said);
    assert_non_null(strstr(f->said, "good [peers]: 2 nodes"));
    assert_non_null(strstr(f->said, "is of node 1 of cluster test"));
    assert_non_null(strstr(f->said, "good [node] directory: lies on the medium file"));
    assert_non_null(strstr(f->said, "good [cluster] election_timeout_min = 60000ms"));
    assert_non_null(strstr(f->said, "good files: "));
    assert_non_null(strstr(f->said, "good memory: "));
}

static void test_check_finds_a_missing_directory(void **state)
{
    struct fixture *f = *state;
    expect_wrong(f, "[node] directory: ", "it does not exist");
    assert_non_null(strstr(f->said, "polluxd --init"));
    assert_int_not_equal(access(f->config.directory, F_OK), 0);
}

static void test_check_finds_the_directory_of_another_node(void **state)
{
    struct fixture *f = *state;
    init(f);
    f->config.id = 2;
    expect_wrong(f, "[node] directory: ", "of node 1, and [node] id is 2");
}

static void test_check_finds_another_medium(void **state)
{
    struct fixture *f = *state;
    init(f);
    setenv("PMEM2_FORCE_GRANULARITY", "CACHE_LINE", 1);
    expect_wrong(f, "made on the medium file, and lies on emulated now", "polluxd --moved");
    unsetenv("PMEM2_FORCE_GRANULARITY");
}

static void test_check_finds_a_medium_that_is_emulated(void **state)
{
    struct fixture *f = *state;
    setenv("PMEM2_FORCE_GRANULARITY", "CACHE_LINE", 1);
    init(f);
    expect_wrong(f, "[node] directory: the medium is emulated", "[node] medium = emulated");
    f->config.medium = MEDIUM_EMULATED;
    assert_true(check(f));
    unsetenv("PMEM2_FORCE_GRANULARITY");
}

static void test_check_finds_a_file_system_in_memory(void **state)
{
    struct fixture *f = *state;
    char on_disk[sizeof(f->folder)];
    struct statfs status;
    if (statfs("/dev/shm", &status) != 0 || status.f_type != TMPFS_MAGIC) {
        print_message("/dev/shm is no file system in memory\n");
        skip();
    }
    memcpy(on_disk, f->folder, sizeof(on_disk));
    assert_int_equal(rmdir(on_disk), 0);
    snprintf(f->folder, sizeof(f->folder), "/dev/shm/pollux-check-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    snprintf(f->config.directory, sizeof(f->config.directory), "%s/node", f->folder);
    init(f);
    expect_wrong(f, "[node] directory: lies on a file system in memory", "choose another place");
}

static void test_check_finds_timeouts_that_do_not_fit_the_medium(void **state)
{
    struct fixture *f = *state;
    init(f);
    f->config.election_timeout_min_ns = 500000; /* below the step in which timeouts are told */
    f->config.election_timeout_max_ns = 1000000;
    expect_wrong(f, "[cluster] election_timeout_min = 0ms", "set election_timeout_min = ");
}

static void test_check_finds_files_that_overrule_settings(void **state)
{
    struct fixture *f = *state;
    init(f);
    make_file(f, "shard-0.raft", 32 * MIB);
    expect_wrong(f, "shard-0.raft: has 33554432 bytes", "[node] log_size asks for 16777216");
    remove_file(f, "shard-0.raft");
    make_file(f, "shard-0.journal-0", 16 * MIB);
    expect_wrong(f, "shard-0.journal-0: has 16777216", "relaxed_pending is 0");
    remove_file(f, "shard-0.journal-0");
    make_file(f, "shard-0.snapshot-1", 128 * 1024);
    expect_wrong(f, "shard-0.snapshot-1: has 131072 bytes", "store_capacity");
    make_file(f, "shard-0.snapshot-1", 64 * MIB);
    assert_true(check(f)); /* more room than needed */
}

/* Nobody has the other end of a fifo. */
static void test_check_finds_what_is_no_file_and_does_not_wait(void **state)
{
    static const char *const names[] = {"identity", "shard-0.identity", "shard-0.raft",
                                        "shard-0.journal-0", "shard-0.snapshot-1"};
    struct fixture *f = *state;
    alarm(10);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char path[512];
        init(f);
        remove_file(f, names[i]);
        snprintf(path, sizeof(path), "%s/%s", f->config.directory, names[i]);
        assert_int_equal(mkfifo(path, 0600), 0);
        expect_wrong(f, names[i], "not a regular file");
        remove_file(f, names[i]);
        remove_file(f, "shard-0.identity");
        remove_file(f, "identity");
    }
    alarm(0);
}

static void test_check_finds_sizes_that_do_not_fit(void **state)
{
    struct fixture *f = *state;
    init(f);
    f->config.log_size_bytes = UINT64_C(1) << 36;
    f->config.relaxed_size_bytes = 0;
    if (check(f))
        print_message("this machine has room for 64 GiB\n");
    else
        expect_wrong(f, "[node] log_size", "free space, or choose smaller sizes");
    f->config.log_size_bytes = 16 * MIB;
    f->config.store_capacity_bytes = UINT64_C(1) << 37;
    f->config.store_size_bytes = UINT64_C(1) << 37;
    if (sysconf(_SC_PHYS_PAGES) > (long)(UINT64_C(1) << 37) / sysconf(_SC_PAGESIZE))
        print_message("this machine has more than 128 GiB of memory\n");
    else
        expect_wrong(f, "[node] store_capacity, keys_capacity", "MiB: choose smaller ones");
}

static void test_check_finds_peers_that_cannot_be_reached(void **state)
{
    struct fixture *f = *state;
    struct config *config = &f->config;
    const uint8_t fd00[16] = {0xfd, [15] = 2};
    init(f);
    config->peers[1].address = address_of_ipv4((uint8_t[]){10, 77, 0, 1}, 7500);
    expect_wrong(f, "[peers]: 1 and 2 have one address, 10.77.0.1", "different ones");
    config->peers[1].address = address_of_ipv4((uint8_t[]){10, 77, 1, 2}, 7400);
    expect_wrong(f, "[peers] 2 = 10.77.1.2: outside the network", "[port] gateway");
    config->ipv4_prefix_bits = 23;
    assert_true(check(f));
    config->ipv4_prefix_bits = 24;
    config->gateway_ipv4[0] = 10;
    assert_true(check(f));
    memcpy(config->peers[1].address.ip, fd00, sizeof(fd00));
    expect_wrong(f, "[peers] 2 = fd00::2: this node has no IPv6", "[port] ipv6");
    memcpy(config->ipv6.ip, fd00, sizeof(fd00));
    expect_wrong(f, "[port] ipv6: fd00::2 is the address of", "[peers] 2");
    config->id = 2;
    memset(config->ipv6.ip, 0, sizeof(config->ipv6.ip));
    expect_wrong(f, "[peers] 1 = 10.77.0.1: this node has no IPv4", "[peers] 2");
}

/* It asks for a look, and is nothing wrong. */
static void test_check_notes_a_journal_that_was_set_aside(void **state)
{
    struct fixture *f = *state;
    init(f);
    make_file(f, "shard-0.journal-0.of.00000000000000ab.17", 1);
    assert_true(check(f));
    assert_non_null(
        strstr(f->said, "/shard-0.journal-0.of.00000000000000ab.17: 17 relaxed writes"));
    remove_file(f, "shard-0.journal-0.of.00000000000000ab.17");
    assert_true(check(f));
    assert_null(strstr(f->said, "relaxed writes"));
}

/* Who runs it, and whether it keeps all rights. */
static void test_check_tells_the_rights(void **state)
{
    struct fixture *f = *state;
    init(f);
    f->config.is_sandboxed = true;
    assert_true(check(f));
    assert_non_null(strstr(f->said, geteuid() == 0 ? "note [node] user: not set"
                                                   : "good [node] user: the node runs as user id"));
    assert_null(strstr(f->said, "[node] sandbox"));
    f->config.is_sandboxed = false;
    assert_true(check(f));
    assert_non_null(strstr(f->said, "note [node] sandbox = false"));
    snprintf(f->config.user, sizeof(f->config.user), "no-such-user");
    assert_false(check(f));
    assert_non_null(strstr(f->said, "wrong [node] user = no-such-user"));
    f->config.user[0] = '\0';
}

/* Who is believed, and whether the key is there. */
static void test_check_reads_the_key(void **state)
{
    struct fixture *f = *state;
    init(f);
    assert_true(check(f));
    assert_non_null(strstr(f->said, "note [security] mode = none"));
    assert_non_null(strstr(f->said, "note [security] clients = none"));
    f->config.clients_mode = SECURITY_REQUIRED;
    assert_false(check(f)); /* without a key */
    assert_null(strstr(f->said, "note [security] clients"));
    f->config.clients_mode = SECURITY_NONE;
    snprintf(f->config.device, sizeof(f->config.device), "net_tap0");
    expect_wrong(f, "[security] mode is not set", "open_port = true");
    f->config.is_mode_written = f->config.is_clients_written = f->config.is_open_port = true;
    assert_true(check(f));
    assert_non_null(strstr(f->said, "note [security] open_port = true"));
    f->config.security_mode = SECURITY_REQUIRED;
    snprintf(f->config.key_path, sizeof(f->config.key_path), "/no/such/file");
    assert_false(check(f));
    assert_non_null(strstr(f->said, "wrong [security] key file /no/such/file"));
    f->config.security_mode = SECURITY_NONE;
}

static void test_check_notes_a_node_that_waits_to_be_taken_in(void **state)
{
    struct fixture *f = *state;
    char path[NODE_FILE_NAME_BYTES];
    char note[512];
    const struct log_identity owner = {
        .cluster_id = wire_cluster_id("test"), .node = 1, .shard = 0};
    init(f);
    f->config.is_joining = true;
    assert_true(check(f));
    assert_non_null(strstr(f->said, "note [node] join = true: this node founds no cluster; it "
                                    "waits until pollux member add 1 ADDRESS"));
    node_identity_name(&f->config, 0, path);
    assert_int_equal(identity_note(path, &owner, 77, note, sizeof(note)), OK);
    assert_int_equal(identity_note_formed(path, &owner, 5, note, sizeof(note)), OK);
    assert_true(check(f));
    assert_null(strstr(f->said, "[node] join")); /* it has been taken in */
}

static void test_check_notes_what_a_client_gets(void **state)
{
    struct fixture *f = *state;
    init(f);
    assert_true(check(f));
    assert_null(strstr(f->said, "client_"));
    f->config.client_operations_rate = 1000;
    assert_true(check(f));
    assert_non_null(strstr(f->said, "note [node] client_operations_rate, client_bytes_rate: where "
                                    "packets are not sealed all programs of a host are one"));
    f->config.lane_count = 4;
    f->config.shard_count = 4;
    f->config.client_bytes_rate = 4 * MIB;
    (void)check(f); /* it lacks the files of three shards */
    assert_non_null(strstr(f->said,
                           "note [node] client_operations_rate = 1000: a client gets 250 a "
                           "second on each of the 4 lanes"));
    assert_non_null(strstr(f->said, "note [node] client_bytes_rate = 4194304: a client gets "
                                    "1048576 a second"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_check_finds_nothing_in_a_good_node),
        TEST(test_check_finds_a_missing_directory),
        TEST(test_check_finds_the_directory_of_another_node),
        TEST(test_check_finds_another_medium),
        TEST(test_check_finds_a_medium_that_is_emulated),
        TEST(test_check_finds_a_file_system_in_memory),
        TEST(test_check_finds_timeouts_that_do_not_fit_the_medium),
        TEST(test_check_finds_files_that_overrule_settings),
        TEST(test_check_finds_what_is_no_file_and_does_not_wait),
        TEST(test_check_finds_sizes_that_do_not_fit),
        TEST(test_check_notes_a_journal_that_was_set_aside),
        TEST(test_check_tells_the_rights),
        TEST(test_check_reads_the_key),
        TEST(test_check_finds_peers_that_cannot_be_reached),
        TEST(test_check_notes_what_a_client_gets),
        TEST(test_check_notes_a_node_that_waits_to_be_taken_in),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
