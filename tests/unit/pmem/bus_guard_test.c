/*
 * Pages of a mapped file that cannot be read. As a device that has an error there, the kernel sends
 * SIGBUS for a page that was cut off, so files are cut here while they are open.
 */
#include "pmem/medium.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define FILE_BYTES (1024u * 1024)

struct fixture {
    char directory[64];
    char path[96];
    char reason[256];
    struct medium *medium;
};

static enum error fixture_open(struct fixture *fixture, bool is_created)
{
    const struct medium_options options = {
        .path = fixture->path, .size_bytes = FILE_BYTES, .is_created = is_created};
    return medium_open(&options, &fixture->medium, fixture->reason, sizeof(fixture->reason));
}

static int setup_in(void **state, const char *base)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    snprintf(fixture->directory, sizeof(fixture->directory), "%s/pollux-guard-XXXXXX", base);
    if (mkdtemp(fixture->directory) == NULL)
        return -1;
    snprintf(fixture->path, sizeof(fixture->path), "%s/file", fixture->directory);
    *state = fixture;
    return 0;
}

static int setup(void **state)
{
    unsetenv("PMEM2_FORCE_GRANULARITY");
    return setup_in(state, "/tmp");
}

static int setup_emulated(void **state)
{
    setenv("PMEM2_FORCE_GRANULARITY", "CACHE_LINE", 1);
    return setup_in(state, "/dev/shm");
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    unlink(fixture->path);
    int status = rmdir(fixture->directory);
    free(fixture);
    unsetenv("PMEM2_FORCE_GRANULARITY");
    return status;
}

static void test_medium_reads_zeros_where_nothing_can_be_read(void **state)
{
    struct fixture *fixture = *state;
    static const uint8_t zeros[4096];
    uint8_t bytes[4096];
    uint64_t ticket = 0;
    size_t offset = 0;
    memset(bytes, 0x5a, sizeof(bytes));
    assert_int_equal(fixture_open(fixture, true), OK);
    medium_write(fixture->medium, 4096, bytes, sizeof(bytes));
    medium_write(fixture->medium, 65536, bytes, sizeof(bytes));
    assert_int_equal(medium_persist_wait(fixture->medium), OK);
    assert_int_equal(truncate(fixture->path, 8192), 0);
    assert_memory_equal(medium_data(fixture->medium) + 4096, bytes, sizeof(bytes));
    assert_false(medium_is_unreadable(fixture->medium, &offset));
    assert_memory_equal(medium_data(fixture->medium) + 65536, zeros, sizeof(zeros));
    assert_true(medium_is_unreadable(fixture->medium, &offset));
    assert_int_equal(offset, 65536);
    assert_int_equal(medium_persisted(fixture->medium, &ticket), ERR_IO);
    assert_int_equal(medium_persist_wait(fixture->medium), ERR_IO);
    /* Whoever needs nothing of it writes the file anew. */
    assert_int_equal(medium_map_again(fixture->medium), OK);
    medium_write(fixture->medium, 65536, bytes, sizeof(bytes));
    assert_int_equal(medium_persist_wait(fixture->medium), OK);
    assert_memory_equal(medium_data(fixture->medium) + 65536, bytes, sizeof(bytes));
    assert_memory_equal(medium_data(fixture->medium) + 4096, bytes, sizeof(bytes));
    medium_close(fixture->medium);
    assert_int_equal(fixture_open(fixture, false), OK);
    assert_int_equal(medium_size_bytes(fixture->medium), FILE_BYTES);
    medium_close(fixture->medium);
}

static void test_medium_calls_nothing_durable_that_went_nowhere(void **state)
{
    struct fixture *fixture = *state;
    uint8_t bytes[64] = {1};
    uint64_t ticket = 0;
    assert_int_equal(fixture_open(fixture, true), OK);
    assert_int_equal(truncate(fixture->path, 8192), 0);
    medium_write(fixture->medium, 65536, bytes, sizeof(bytes)); /* a store: SIGBUS */
    (void)medium_persist(fixture->medium);
    assert_int_equal(medium_persisted(fixture->medium, &ticket), ERR_IO);
    medium_close(fixture->medium);
}

/* What is no medium's ends the process as ever. */
static void test_medium_leaves_other_faults_alone(void **state)
{
    struct fixture *fixture = *state;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        const struct rlimit none = {0};
        setrlimit(RLIMIT_CORE, &none);
        signal(SIGBUS, SIG_DFL); /* not that of the test framework */
        if (fixture_open(fixture, true) != OK)
            _exit(0);
        int fd = open(fixture->path, O_RDWR | O_CLOEXEC);
        volatile char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, FILE_BYTES);
        page[0] = 1;
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
}

int main(void)
{
#define TEST(name)          cmocka_unit_test_setup_teardown(name, setup, teardown)
#define TEST_EMULATED(name) cmocka_unit_test_setup_teardown(name, setup_emulated, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_medium_reads_zeros_where_nothing_can_be_read),
        TEST_EMULATED(test_medium_reads_zeros_where_nothing_can_be_read),
        TEST_EMULATED(test_medium_calls_nothing_durable_that_went_nowhere),
        TEST(test_medium_leaves_other_faults_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
