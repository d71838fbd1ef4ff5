/*
 * Snapshots on real files, with the thread that writes them. The sync is wrapped
 * (--wrap=fdatasync) so that one can be held back and one can fail.
 */
#include "pmem/snapshots.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define BLOCKS_MAX 40u /* more than the ring has */

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER; /* held: syncs wait */
static int sync_errno;                                   /* under the gate; 0: syncs succeed */

int __real_fdatasync(int fd);
int __wrap_fdatasync(int fd);

int __wrap_fdatasync(int fd)
{
    pthread_mutex_lock(&gate);
    int status = __real_fdatasync(fd);
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
    struct arena arena;
    struct snapshots *snapshots;
    struct snapshots_options options;
    struct snapshots_recovery recovery;
};

static enum error fixture_open(struct fixture *fixture)
{
    if (fixture->arena.base != NULL)
        arena_deinit(&fixture->arena);
    assert_int_equal(arena_init(&fixture->arena, snapshots_arena_bytes(&fixture->options)), OK);
    return snapshots_open(&fixture->options, &fixture->arena, &fixture->snapshots,
                          &fixture->recovery);
}

static void fixture_reopen(struct fixture *fixture)
{
    snapshots_close(fixture->snapshots);
    fixture->snapshots = NULL;
    assert_int_equal(fixture_open(fixture), OK);
}

static int setup_in(void **state, const char *base)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    snprintf(fixture->directory, sizeof(fixture->directory), "%s/pollux-snapshots-XXXXXX", base);
    if (mkdtemp(fixture->directory) == NULL)
        return -1;
    snprintf(fixture->path, sizeof(fixture->path), "%s/state", fixture->directory);
    fixture->options = (struct snapshots_options){
        .path = fixture->path,
        .size_bytes = snapshots_file_bytes((uint64_t)BLOCKS_MAX * SNAPSHOT_BLOCK_BYTES),
        .identity = {.cluster_id = 7, .node = 2, .shard = 1}};
    *state = fixture;
    return fixture_open(fixture) == OK ? 0 : -1;
}

static int setup(void **state)
{
    unsetenv("PMEM2_FORCE_GRANULARITY");
    return setup_in(state, "/var/tmp");
}

static int setup_emulated(void **state)
{
    setenv("PMEM2_FORCE_GRANULARITY", "CACHE_LINE", 1);
    return setup_in(state, "/dev/shm");
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    if (fixture->snapshots != NULL)
        snapshots_close(fixture->snapshots);
    for (uint32_t file = 0; file < SNAPSHOT_FILES; file++) {
        char path[SNAPSHOT_PATH_SIZE];
        assert_true(snapshots_file_path(fixture->path, file, path));
        unlink(path);
    }
    int status = rmdir(fixture->directory); /* fails if a temporary file was left */
    arena_deinit(&fixture->arena);
    free(fixture);
    unsetenv("PMEM2_FORCE_GRANULARITY");
    return status;
}

static struct snapshots_progress job_await(struct fixture *fixture)
{
    struct snapshots_progress progress;
    snapshots_poll(fixture->snapshots, &progress);
    while (progress.state == SNAPSHOTS_BUSY) { /* the blocks, and a few syncs */
        sched_yield();
        snapshots_poll(fixture->snapshots, &progress);
    }
    return progress;
}

static struct snapshot_label label_of(uint64_t number)
{
    return (struct snapshot_label){.id = number << 40 | 5, .index = number, .term = 3};
}

/* Half of the words are the same everywhere, in every second block. */
static void fill(uint64_t number, uint64_t offset, uint64_t *words, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint64_t at = offset / sizeof(*words) + i;
        bool is_plain = at / 8192 % 2 == 0;
        words[i] = is_plain ? number : (number + at) * UINT64_C(0x9e3779b97f4a7c15);
    }
}

static void put(struct fixture *fixture, uint64_t number, uint64_t from, uint64_t to)
{
    uint64_t words[999];
    for (uint64_t at = from; at < to;) { /* the stream, and the waits for room */
        size_t size_bytes = to - at < sizeof(words) ? (size_t)(to - at) : sizeof(words);
        if (snapshots_room_bytes(fixture->snapshots) < size_bytes) {
            sched_yield();
            continue;
        }
        fill(number, at, words, size_bytes / sizeof(words[0]));
        assert_int_equal(snapshots_write(fixture->snapshots, span_of(words, size_bytes)), OK);
        at += size_bytes;
    }
}

static void begin(struct fixture *fixture, uint64_t number)
{
    const struct snapshot_label label = label_of(number);
    assert_int_equal(snapshots_write_begin(fixture->snapshots, &label), OK);
}

static void write_good(struct fixture *fixture, uint64_t number, uint64_t stream_bytes)
{
    begin(fixture, number);
    put(fixture, number, 0, stream_bytes);
    snapshots_write_end(fixture->snapshots);
    struct snapshots_progress progress = job_await(fixture);
    assert_int_equal(progress.state, SNAPSHOTS_GOOD);
    assert_int_equal(progress.info.label.index, number);
    assert_int_equal(progress.info.stream_bytes, stream_bytes);
    snapshots_poll(fixture->snapshots, &progress);
    assert_int_equal(progress.state, SNAPSHOTS_IDLE);
}

static void assert_contents(struct fixture *fixture, const struct snapshot_info *info)
{
    static uint64_t expected[SNAPSHOT_BLOCK_BYTES / sizeof(uint64_t)];
    static uint8_t buffer[SNAPSHOT_BLOCK_BYTES];
    uint64_t at = 0;
    for (uint32_t number = 0; number < info->block_count; number++) {
        struct span raw;
        assert_int_equal(
            snapshots_read_block(fixture->snapshots, info->generation, number, buffer, &raw), OK);
        fill(info->label.index, at, expected, raw.size_bytes / sizeof(expected[0]));
        assert_memory_equal(raw.data, expected, raw.size_bytes);
        at += raw.size_bytes;
    }
    assert_int_equal(at, info->stream_bytes);
}

static void assert_kept(struct fixture *fixture, uint64_t newest, uint64_t older)
{
    struct snapshot_info info;
    assert_int_equal(snapshots_newest(fixture->snapshots, &info), newest != 0);
    if (newest != 0) {
        assert_int_equal(info.label.index, newest);
        assert_contents(fixture, &info);
    }
    assert_int_equal(snapshots_older(fixture->snapshots, &info), older != 0);
    if (older != 0) {
        assert_int_equal(info.label.index, older);
        assert_contents(fixture, &info);
    }
}

static void test_snapshots_begin_empty(void **state)
{
    struct fixture *fixture = *state;
    struct snapshot_info info;
    uint8_t buffer[1];
    struct span raw;
    assert_true(fixture->recovery.is_created);
    assert_string_equal(fixture->recovery.note, "");
    assert_false(snapshots_newest(fixture->snapshots, &info));
    assert_false(snapshots_older(fixture->snapshots, &info));
    assert_int_equal(snapshots_read_block(fixture->snapshots, 0, 0, buffer, &raw), ERR_NOT_FOUND);
    assert_int_equal(snapshots_room_bytes(fixture->snapshots), 0);
    assert_int_equal(job_await(fixture).state, SNAPSHOTS_IDLE);
    snapshots_abandon(fixture->snapshots);
    assert_int_equal(job_await(fixture).state, SNAPSHOTS_IDLE);
    fixture_reopen(fixture);
    assert_false(fixture->recovery.is_created);
    assert_false(snapshots_newest(fixture->snapshots, &info));
}

static void test_snapshots_keep_the_newest_two(void **state)
{
    struct fixture *fixture = *state;
    write_good(fixture, 1, BLOCKS_MAX * (uint64_t)SNAPSHOT_BLOCK_BYTES);
    assert_kept(fixture, 1, 0);
    write_good(fixture, 2, 3 * SNAPSHOT_BLOCK_BYTES + 8);
    assert_kept(fixture, 2, 1);
    write_good(fixture, 3, 80);
    assert_kept(fixture, 3, 2);
    fixture_reopen(fixture);
    assert_string_equal(fixture->recovery.note, "");
    assert_kept(fixture, 3, 2);
    write_good(fixture, 4, 0);
    assert_kept(fixture, 4, 3);
    fixture_reopen(fixture);
    assert_kept(fixture, 4, 3);
}

static void test_snapshots_read_no_block_that_is_not_there(void **state)
{
    struct fixture *fixture = *state;
    static uint8_t buffer[SNAPSHOT_BLOCK_BYTES];
    struct snapshot_info info;
    struct span raw;
    write_good(fixture, 1, 2 * SNAPSHOT_BLOCK_BYTES);
    assert_true(snapshots_newest(fixture->snapshots, &info));
    uint64_t generation = info.generation;
    assert_int_equal(snapshots_read_block(fixture->snapshots, generation, 2, buffer, &raw),
                     ERR_RANGE);
    assert_int_equal(snapshots_read_block(fixture->snapshots, generation + 1, 0, buffer, &raw),
                     ERR_NOT_FOUND);
    write_good(fixture, 2, 80);
    begin(fixture, 3);
    assert_int_equal(snapshots_read_block(fixture->snapshots, generation, 0, buffer, &raw),
                     ERR_NOT_FOUND);
    assert_kept(fixture, 2, 0);
}

/* The lane never waits: with the medium stalled, the ring takes what it has room for. */
static void test_snapshots_push_back_while_the_medium_is_busy(void **state)
{
    struct fixture *fixture = *state;
    struct snapshots_progress progress;
    pthread_mutex_lock(&gate);
    begin(fixture, 1);
    assert_int_equal(snapshots_room_bytes(fixture->snapshots),
                     SNAPSHOT_RING_BLOCKS * SNAPSHOT_BLOCK_BYTES);
    put(fixture, 1, 0, SNAPSHOT_RING_BLOCKS * (uint64_t)SNAPSHOT_BLOCK_BYTES);
    assert_int_equal(snapshots_room_bytes(fixture->snapshots), 0);
    snapshots_poll(fixture->snapshots, &progress);
    assert_int_equal(progress.state, SNAPSHOTS_BUSY);
    pthread_mutex_unlock(&gate);
    put(fixture, 1, SNAPSHOT_RING_BLOCKS * (uint64_t)SNAPSHOT_BLOCK_BYTES,
        BLOCKS_MAX * (uint64_t)SNAPSHOT_BLOCK_BYTES);
    snapshots_write_end(fixture->snapshots);
    assert_int_equal(job_await(fixture).state, SNAPSHOTS_GOOD);
    assert_kept(fixture, 1, 0);
}

static void test_snapshots_give_up_a_stream_that_is_too_long(void **state)
{
    struct fixture *fixture = *state;
    write_good(fixture, 1, 800);
    write_good(fixture, 2, 1600);
    begin(fixture, 3);
    put(fixture, 3, 0, BLOCKS_MAX * (uint64_t)SNAPSHOT_BLOCK_BYTES);
    while (snapshots_room_bytes(fixture->snapshots) == 0)
        sched_yield();
    assert_int_equal(snapshots_write(fixture->snapshots, span_of("x", 1)), ERR_TOO_LARGE);
    struct snapshots_progress progress = job_await(fixture);
    assert_int_equal(progress.state, SNAPSHOTS_FAILED);
    assert_int_equal(progress.error, ERR_TOO_LARGE);
    assert_kept(fixture, 2, 0);
    fixture_reopen(fixture);
    assert_kept(fixture, 2, 0);
    write_good(fixture, 4, 800);
    assert_kept(fixture, 4, 2);
}

static void test_snapshots_are_given_up_by_their_caller(void **state)
{
    struct fixture *fixture = *state;
    const struct snapshot_label label = label_of(4);
    write_good(fixture, 1, 800);
    write_good(fixture, 2, 1600);
    begin(fixture, 3);
    put(fixture, 3, 0, 5 * SNAPSHOT_BLOCK_BYTES);
    snapshots_abandon(fixture->snapshots);
    assert_int_equal(snapshots_write_begin(fixture->snapshots, &label), ERR_NOT_YET);
    assert_int_equal(job_await(fixture).state, SNAPSHOTS_IDLE);
    assert_kept(fixture, 2, 0);
    write_good(fixture, 4, 800);
    assert_kept(fixture, 4, 2);
}

static void test_snapshots_that_were_not_ended_are_gone(void **state)
{
    struct fixture *fixture = *state;
    write_good(fixture, 1, 800);
    begin(fixture, 2);
    put(fixture, 2, 0, 5 * SNAPSHOT_BLOCK_BYTES);
    fixture_reopen(fixture);
    assert_kept(fixture, 1, 0);
}

static void test_snapshots_are_locked(void **state)
{
    struct fixture *fixture = *state;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct arena arena;
        struct snapshots *snapshots = NULL;
        struct snapshots_recovery recovery;
        if (arena_init(&arena, snapshots_arena_bytes(&fixture->options)) != OK)
            _exit(2);
        enum error error = snapshots_open(&fixture->options, &arena, &snapshots, &recovery);
        bool is_told = strstr(recovery.note, "state-0: another polluxd has it open") != NULL;
        _exit(error == ERR_BUSY && is_told ? 0 : 1);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void test_snapshots_end_with_a_failed_sync(void **state)
{
    struct fixture *fixture = *state;
    const struct snapshot_label label = label_of(3);
    write_good(fixture, 1, 800);
    begin(fixture, 2);
    put(fixture, 2, 0, 5 * SNAPSHOT_BLOCK_BYTES);
    pthread_mutex_lock(&gate);
    sync_errno = EIO;
    pthread_mutex_unlock(&gate);
    snapshots_write_end(fixture->snapshots);
    for (uint32_t i = 0; i < 2; i++) {
        struct snapshots_progress progress = job_await(fixture);
        assert_int_equal(progress.state, SNAPSHOTS_FAILED);
        assert_int_equal(progress.error, ERR_SYNC);
        assert_non_null(strstr(progress.path, "state-1"));
    }
    pthread_mutex_lock(&gate);
    sync_errno = 0;
    pthread_mutex_unlock(&gate);
    assert_int_equal(snapshots_write_begin(fixture->snapshots, &label), ERR_SYNC);
    assert_kept(fixture, 1, 0);
    fixture_reopen(fixture);
    assert_kept(fixture, 1, 0);
}

static void test_snapshots_are_not_opened_after_a_failed_sync(void **state)
{
    struct fixture *fixture = *state;
    snapshots_close(fixture->snapshots);
    fixture->snapshots = NULL;
    sync_errno = EIO;
    enum error error = fixture_open(fixture);
    sync_errno = 0;
    assert_int_equal(error, ERR_SYNC);
    assert_non_null(strstr(fixture->recovery.note, "state-0: the sync at the start failed"));
}

static void test_snapshots_refuse_a_name_that_is_too_long(void **state)
{
    (void)state;
    static char path[SNAPSHOT_PATH_SIZE];
    char ret_path[SNAPSHOT_PATH_SIZE];
    memset(path, 'x', sizeof(path) - 1);
    struct fixture other = {.options = {.path = path, .size_bytes = snapshots_file_bytes(1)}};
    assert_false(snapshots_file_path(path, 0, ret_path));
    assert_int_equal(fixture_open(&other), ERR_ARGUMENT);
    assert_non_null(strstr(other.recovery.note, "too long"));
    arena_deinit(&other.arena);
}

/* The id of the thread with this name; 0: there is none. */
static pid_t thread_find(const char *name)
{
    DIR *tasks = opendir("/proc/self/task");
    pid_t found = 0;
    assert_non_null(tasks);
    for (struct dirent *task = readdir(tasks); task != NULL; task = readdir(tasks)) {
        char path[300];
        char comm[32] = "";
        snprintf(path, sizeof(path), "/proc/self/task/%s/comm", task->d_name);
        FILE *file = fopen(path, "re");
        if (file == NULL)
            continue;
        if (fgets(comm, sizeof(comm), file) != NULL && strncmp(comm, name, strlen(name)) == 0)
            found = (pid_t)strtol(task->d_name, NULL, 10);
        fclose(file);
    }
    closedir(tasks);
    return found;
}

/* Pinned, as a lane may be. */
static void *open_pinned(void *context)
{
    cpu_set_t cores;
    cpu_set_t one;
    CPU_ZERO(&one);
    assert_int_equal(sched_getaffinity(0, sizeof(cores), &cores), 0);
    for (size_t core = 0; core < CPU_SETSIZE && CPU_COUNT(&one) == 0; core++)
        if (CPU_ISSET(core, &cores))
            CPU_SET(core, &one);
    assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
    fixture_reopen(context);
    return NULL;
}

static void test_snapshots_thread_leaves_the_core_of_its_lane(void **state)
{
    struct fixture *fixture = *state;
    cpu_set_t cores;
    cpu_set_t found;
    pthread_t lane;
    assert_int_equal(pthread_create(&lane, NULL, open_pinned, fixture), 0);
    assert_int_equal(pthread_join(lane, NULL), 0);
    write_good(fixture, 1, 800); /* the thread has begun */
    pid_t thread = thread_find("pollux-snapshot");
    assert_int_not_equal(thread, 0);
    assert_int_equal(sched_getaffinity(getpid(), sizeof(cores), &cores), 0);
    assert_int_equal(sched_getaffinity(thread, sizeof(found), &found), 0);
    assert_true(CPU_EQUAL(&cores, &found));
    int nice_wanted = getpriority(PRIO_PROCESS, 0) + 5;
    assert_int_equal(getpriority(PRIO_PROCESS, (id_t)thread), nice_wanted < 19 ? nice_wanted : 19);
}

int main(void)
{
#define TEST(name)          cmocka_unit_test_setup_teardown(name, setup, teardown)
#define TEST_EMULATED(name) cmocka_unit_test_setup_teardown(name, setup_emulated, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_snapshots_begin_empty),
        TEST(test_snapshots_keep_the_newest_two),
        TEST_EMULATED(test_snapshots_keep_the_newest_two),
        TEST(test_snapshots_read_no_block_that_is_not_there),
        TEST(test_snapshots_push_back_while_the_medium_is_busy),
        TEST(test_snapshots_give_up_a_stream_that_is_too_long),
        TEST_EMULATED(test_snapshots_give_up_a_stream_that_is_too_long),
        TEST(test_snapshots_are_given_up_by_their_caller),
        TEST_EMULATED(test_snapshots_are_given_up_by_their_caller),
        TEST(test_snapshots_that_were_not_ended_are_gone),
        TEST(test_snapshots_are_locked),
        TEST(test_snapshots_end_with_a_failed_sync),
        TEST(test_snapshots_are_not_opened_after_a_failed_sync),
        TEST(test_snapshots_refuse_a_name_that_is_too_long),
        TEST(test_snapshots_thread_leaves_the_core_of_its_lane),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
