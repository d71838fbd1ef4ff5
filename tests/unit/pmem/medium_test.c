/*
 * The medium on real files: creation, locking, refusals, sync. The sync is wrapped
 * (--wrap=fdatasync) so that one can be held back and one can fail.
 */
#include "pmem/medium.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define FILE_BYTES (1024u * 1024)

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER; /* held: syncs wait */
static int sync_errno;                                   /* under the gate; 0: syncs succeed */
static int sync_count;

int __real_fdatasync(int fd);
int __wrap_fdatasync(int fd);

int __wrap_fdatasync(int fd)
{
    pthread_mutex_lock(&gate);
    int status = __real_fdatasync(fd);
    sync_count++;
    if (sync_errno != 0) {
        errno = sync_errno;
        status = -1;
    }
    pthread_mutex_unlock(&gate);
    return status;
}

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
    fixture->reason[0] = '\0';
    return medium_open(&options, &fixture->medium, fixture->reason, sizeof(fixture->reason));
}

static int setup_in(void **state, const char *base)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    snprintf(fixture->directory, sizeof(fixture->directory), "%s/pollux-medium-XXXXXX", base);
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
    int status = rmdir(fixture->directory); /* fails if a temporary file was left */
    free(fixture);
    unsetenv("PMEM2_FORCE_GRANULARITY");
    return status;
}

static void assert_reason(const struct fixture *fixture, const char *words)
{
    assert_non_null(strstr(fixture->reason, fixture->path));
    assert_non_null(strstr(fixture->reason, words));
}

static void test_medium_is_created_zeroed_and_keeps_its_size(void **state)
{
    struct fixture *fixture = *state;
    static const uint8_t zeros[FILE_BYTES];
    assert_int_equal(fixture_open(fixture, true), OK);
    assert_string_equal(fixture->reason, "");
    assert_int_equal(medium_size_bytes(fixture->medium), FILE_BYTES);
    assert_memory_equal(medium_data(fixture->medium), zeros, FILE_BYTES);
    assert_int_equal(medium_granularity(fixture->medium), MEDIUM_PAGE);
    assert_false(medium_is_emulated(fixture->medium));
    medium_close(fixture->medium);
    assert_int_equal(truncate(fixture->path, 8192 + 100), 0);
    assert_int_equal(fixture_open(fixture, true), OK);
    assert_int_equal(medium_size_bytes(fixture->medium), 8192);
    medium_close(fixture->medium);
}

static void write_and_reopen(struct fixture *fixture)
{
    uint8_t bytes[200];
    uint64_t ticket = 0;
    memset(bytes, 0x5a, sizeof(bytes));
    assert_int_equal(fixture_open(fixture, true), OK);
    medium_write(fixture->medium, 4093, bytes, sizeof(bytes));
    medium_write_word(fixture->medium, FILE_BYTES - 8, 0x0102030405060708);
    assert_int_equal(medium_persist_wait(fixture->medium), OK);
    uint64_t asked = medium_persist(fixture->medium);
    assert_int_equal(medium_persist_wait(fixture->medium), OK);
    assert_int_equal(medium_persisted(fixture->medium, &ticket), OK);
    assert_true(ticket >= asked);
    medium_close(fixture->medium);
    assert_int_equal(fixture_open(fixture, false), OK);
    assert_memory_equal(medium_data(fixture->medium) + 4093, bytes, sizeof(bytes));
    assert_int_equal(medium_data(fixture->medium)[4092], 0);
    assert_int_equal(medium_data(fixture->medium)[4293], 0);
    assert_int_equal(medium_data(fixture->medium)[FILE_BYTES - 8], 8);
    assert_int_equal(medium_data(fixture->medium)[FILE_BYTES - 1], 1);
    medium_close(fixture->medium);
}

static void test_medium_keeps_what_was_written(void **state)
{
    write_and_reopen(*state);
}

static void test_medium_emulates_persistent_memory_and_says_so(void **state)
{
    struct fixture *fixture = *state;
    write_and_reopen(fixture);
    assert_int_equal(fixture_open(fixture, false), OK);
    assert_int_equal(medium_granularity(fixture->medium), MEDIUM_CACHE_LINE);
    assert_true(medium_is_emulated(fixture->medium));
    assert_true(medium_is_volatile(fixture->medium));
    uint64_t first = medium_persist(fixture->medium);
    assert_int_equal(medium_persist(fixture->medium), first + 1);
    medium_close(fixture->medium);
}

static void test_medium_names_granularities(void **state)
{
    (void)state;
    assert_string_equal(medium_granularity_name(MEDIUM_BYTE), "byte");
    assert_string_equal(medium_granularity_name(MEDIUM_CACHE_LINE), "cache-line");
    assert_string_equal(medium_granularity_name(MEDIUM_PAGE), "page");
    assert_string_equal(medium_granularity_name((enum medium_granularity)9), "unknown");
}

static void test_medium_is_byte_granular_when_told(void **state)
{
    struct fixture *fixture = *state;
    setenv("PMEM2_FORCE_GRANULARITY", "BYTE", 1);
    assert_int_equal(fixture_open(fixture, true), OK);
    assert_int_equal(medium_granularity(fixture->medium), MEDIUM_BYTE);
    medium_close(fixture->medium);
}

static void test_medium_refuses_a_second_opener(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(fixture_open(fixture, true), OK);
    struct medium *first = fixture->medium;
    assert_int_equal(fixture_open(fixture, true), ERR_BUSY);
    assert_reason(fixture, "another polluxd has it open");
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(fixture_open(fixture, true) == ERR_BUSY ? 0 : 1);
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    medium_close(first);
    assert_int_equal(fixture_open(fixture, true), OK);
    medium_close(fixture->medium);
}

static void test_medium_tells_that_there_is_no_file(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(fixture_open(fixture, false), ERR_NOT_FOUND);
    assert_reason(fixture, "No such file");
    snprintf(fixture->path, sizeof(fixture->path), "%s/no/such/folder", fixture->directory);
    assert_int_equal(fixture_open(fixture, true), ERR_NOT_FOUND);
    assert_reason(fixture, "No such file");
}

static void test_medium_refuses_where_space_ends_and_leaves_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    const struct rlimit low = {.rlim_cur = FILE_BYTES / 2, .rlim_max = before.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &low), 0);
    enum error error = fixture_open(fixture, true);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(error, ERR_NO_SPACE);
    assert_reason(fixture, "cannot write");
    assert_int_equal(access(fixture->path, F_OK), -1);
}

static void test_medium_refuses_a_full_disk(void **state)
{
    struct fixture *fixture = *state;
    if (geteuid() != 0 || mount("none", fixture->directory, "tmpfs", 0, "size=65536") != 0) {
        print_message("skipped: mounting a small tmpfs needs root\n");
        skip();
    }
    enum error error = fixture_open(fixture, true);
    int left = access(fixture->path, F_OK);
    assert_int_equal(umount(fixture->directory), 0);
    assert_int_equal(error, ERR_NO_SPACE);
    assert_reason(fixture, "No space left");
    assert_int_equal(left, -1);
}

static void test_medium_refuses_what_it_may_not_write(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(fixture_open(fixture, true), OK);
    medium_close(fixture->medium);
    assert_int_equal(chmod(fixture->path, 0), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        if (geteuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0))
            _exit(2);
        chmod(fixture->directory, 0755);
        enum error error = fixture_open(fixture, false);
        _exit(error == ERR_PERMISSION && strstr(fixture->reason, fixture->path) != NULL ? 0 : 1);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void test_medium_refuses_a_file_below_one_page(void **state)
{
    struct fixture *fixture = *state;
    int fd = open(fixture->path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    assert_int_equal(write(fd, "x", 1), 1);
    close(fd);
    assert_int_equal(fixture_open(fixture, true), ERR_SHORT);
    assert_reason(fixture, "less than one page");
}

static void test_medium_refuses_what_is_no_file(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(mkfifo(fixture->path, 0600), 0);
    assert_int_equal(fixture_open(fixture, true), ERR_IO);
    assert_reason(fixture, "not a regular file");
    unlink(fixture->path);
    assert_int_equal(mkdir(fixture->path, 0700), 0);
    assert_int_equal(fixture_open(fixture, true), ERR_IO);
    assert_reason(fixture, "Is a directory");
    rmdir(fixture->path);
}

static void test_medium_shares_one_sync_among_many_requests(void **state)
{
    struct fixture *fixture = *state;
    uint64_t ticket = 0;
    uint64_t asked = 0;
    assert_int_equal(fixture_open(fixture, true), OK);
    assert_int_equal(medium_persist_wait(fixture->medium), OK);
    pthread_mutex_lock(&gate);
    int before_count = sync_count;
    for (uint32_t i = 0; i < 1000; i++)
        asked = medium_persist(fixture->medium);
    assert_int_equal(medium_persisted(fixture->medium, &ticket), OK);
    assert_true(ticket < asked); /* the sync is held back, the requests were not */
    pthread_mutex_unlock(&gate);
    assert_int_equal(medium_persist_wait(fixture->medium), OK);
    assert_int_equal(medium_persisted(fixture->medium, &ticket), OK);
    assert_true(ticket > asked);
    assert_in_range(sync_count - before_count, 1, 3);
    medium_close(fixture->medium);
}

static void test_medium_acknowledges_nothing_after_a_failed_sync(void **state)
{
    struct fixture *fixture = *state;
    uint64_t ticket = 0;
    assert_int_equal(fixture_open(fixture, true), OK);
    pthread_mutex_lock(&gate);
    sync_errno = EIO;
    pthread_mutex_unlock(&gate);
    assert_int_equal(medium_persist_wait(fixture->medium), ERR_SYNC);
    pthread_mutex_lock(&gate);
    sync_errno = 0;
    int failed_count = sync_count;
    pthread_mutex_unlock(&gate);
    assert_int_equal(medium_persisted(fixture->medium, &ticket), ERR_SYNC);
    medium_persist(fixture->medium);
    assert_int_equal(medium_persist_wait(fixture->medium), ERR_SYNC);
    assert_int_equal(medium_persisted(fixture->medium, &ticket), ERR_SYNC);
    medium_close(fixture->medium);
    assert_int_equal(sync_count, failed_count); /* none was tried again */
}

static void test_medium_acknowledges_nothing_after_a_failed_write(void **state)
{
    struct fixture *fixture = *state;
    uint64_t ticket = 0;
    struct rlimit before;
    assert_int_equal(fixture_open(fixture, true), OK);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    const struct rlimit low = {.rlim_cur = FILE_BYTES / 2, .rlim_max = before.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &low), 0);
    medium_write(fixture->medium, FILE_BYTES / 2 - 2, "good", 4); /* half of it fits */
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(medium_persisted(fixture->medium, &ticket), ERR_SYNC);
    medium_write(fixture->medium, 0, "good", 4);
    medium_write_word(fixture->medium, 8, 1);
    medium_persist(fixture->medium);
    assert_int_equal(medium_persist_wait(fixture->medium), ERR_SYNC);
    assert_int_equal(medium_persisted(fixture->medium, &ticket), ERR_SYNC);
    medium_close(fixture->medium);
}

/* Through the file or through the mapping: readers see it before any sync. */
static void test_medium_shows_what_was_written_at_once(void **state)
{
    struct fixture *fixture = *state;
    uint8_t bytes[3 * 4096];
    memset(bytes, 0x5a, sizeof(bytes));
    assert_int_equal(fixture_open(fixture, true), OK);
    pthread_mutex_lock(&gate); /* no sync until it is read */
    medium_write(fixture->medium, 100, bytes, sizeof(bytes));
    medium_write_word(fixture->medium, FILE_BYTES - 8, 0x0102030405060708);
    assert_memory_equal(medium_data(fixture->medium) + 100, bytes, sizeof(bytes));
    assert_int_equal(medium_data(fixture->medium)[99], 0);
    assert_int_equal(medium_data(fixture->medium)[FILE_BYTES - 8], 8);
    assert_int_equal(medium_data(fixture->medium)[FILE_BYTES - 1], 1);
    pthread_mutex_unlock(&gate);
    medium_close(fixture->medium);
}

/* Bytes that this process has had fetched from devices; -1: the kernel does not tell. */
static long long bytes_fetched(void)
{
    char line[128];
    long long bytes = -1;
    FILE *file = fopen("/proc/self/io", "re");
    while (file != NULL && fgets(line, sizeof(line), file) != NULL)
        if (sscanf(line, "read_bytes: %lld", &bytes) == 1)
            break;
    if (file != NULL)
        fclose(file);
    return bytes;
}

static void test_medium_reads_again_from_the_device(void **state)
{
    struct fixture *fixture = *state;
    static uint8_t bytes[FILE_BYTES / 2];
    memset(bytes, 0x5a, sizeof(bytes));
    assert_int_equal(fixture_open(fixture, true), OK);
    medium_write(fixture->medium, 4096, bytes, sizeof(bytes));
    assert_int_equal(medium_await(fixture->medium, medium_persist(fixture->medium)), OK);
    long long before = bytes_fetched();
    medium_drop_cache(fixture->medium);
    assert_int_equal(medium_fetch(fixture->medium, 4096, sizeof(bytes)), OK);
    long long after = bytes_fetched();
    bool has_device =
        !medium_is_volatile(fixture->medium) && !medium_is_emulated(fixture->medium) && before >= 0;
    assert_memory_equal(medium_data(fixture->medium) + 4096, bytes, sizeof(bytes));
    medium_close(fixture->medium);
    assert_true(!has_device || after - before >= (long long)sizeof(bytes));
}

/* To wait for one request is to wait for no later one. */
static void test_medium_awaits_a_ticket(void **state)
{
    struct fixture *fixture = *state;
    uint64_t ticket = 0;
    assert_int_equal(fixture_open(fixture, true), OK);
    medium_write(fixture->medium, 0, "good", 4);
    uint64_t asked = medium_persist(fixture->medium);
    assert_int_equal(medium_await(fixture->medium, asked), OK);
    assert_int_equal(medium_persisted(fixture->medium, &ticket), OK);
    assert_true(ticket >= asked);
    pthread_mutex_lock(&gate);
    medium_persist(fixture->medium);
    assert_int_equal(medium_await(fixture->medium, asked), OK);
    sync_errno = EIO;
    pthread_mutex_unlock(&gate);
    enum error error = medium_await(fixture->medium, medium_persist(fixture->medium));
    medium_close(fixture->medium);
    sync_errno = 0;
    assert_int_equal(error, ERR_SYNC);
}

int main(void)
{
#define TEST(name)          cmocka_unit_test_setup_teardown(name, setup, teardown)
#define TEST_EMULATED(name) cmocka_unit_test_setup_teardown(name, setup_emulated, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_medium_is_created_zeroed_and_keeps_its_size),
        TEST(test_medium_keeps_what_was_written),
        TEST_EMULATED(test_medium_emulates_persistent_memory_and_says_so),
        TEST(test_medium_names_granularities),
        TEST_EMULATED(test_medium_is_byte_granular_when_told),
        TEST(test_medium_refuses_a_second_opener),
        TEST(test_medium_tells_that_there_is_no_file),
        TEST(test_medium_refuses_where_space_ends_and_leaves_nothing),
        TEST(test_medium_refuses_a_full_disk),
        TEST(test_medium_refuses_what_it_may_not_write),
        TEST(test_medium_refuses_a_file_below_one_page),
        TEST(test_medium_refuses_what_is_no_file),
        TEST(test_medium_shares_one_sync_among_many_requests),
        TEST(test_medium_acknowledges_nothing_after_a_failed_sync),
        TEST(test_medium_acknowledges_nothing_after_a_failed_write),
        TEST(test_medium_shows_what_was_written_at_once),
        TEST_EMULATED(test_medium_shows_what_was_written_at_once),
        TEST(test_medium_reads_again_from_the_device),
        TEST_EMULATED(test_medium_reads_again_from_the_device),
        TEST(test_medium_awaits_a_ticket),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
