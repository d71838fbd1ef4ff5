/* The identities of a node that runs: one that is another one, or cut off, is written again; one
 * that is gone is told once, and so is one that cannot be written. */
#include "server/identity_scrub.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILES      2
#define FILE_BYTES 4096

struct fixture {
    char folder[32];
    char paths[FILES][64];
    struct identity_scrub *scrub;
    uint8_t before[FILE_BYTES];
};

static void file_store(const char *path, const void *bytes, size_t size_bytes, off_t offset)
{
    int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, bytes, size_bytes, offset), size_bytes);
    close(fd);
}

static bool file_holds(const char *path, const uint8_t *bytes)
{
    uint8_t found[FILE_BYTES + 1];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    ssize_t got = pread(fd, found, sizeof(found), 0);
    close(fd);
    return got == FILE_BYTES && memcmp(found, bytes, FILE_BYTES) == 0;
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    const char *paths[FILES];
    assert_non_null(f);
    snprintf(f->folder, sizeof(f->folder), "/tmp/pollux-ids-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    for (size_t i = 0; i < FILE_BYTES; i++)
        f->before[i] = (uint8_t)(i * 7);
    for (int i = 0; i < FILES; i++) {
        snprintf(f->paths[i], sizeof(f->paths[i]), "%s/identity-%d", f->folder, i);
        paths[i] = f->paths[i];
        file_store(paths[i], f->before, FILE_BYTES, 0);
    }
    f->scrub = identity_scrub_open(paths, FILES);
    assert_non_null(f->scrub);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    identity_scrub_close(f->scrub);
    for (int i = 0; i < FILES; i++) {
        (void)unlink(f->paths[i]);
        (void)rmdir(f->paths[i]);
    }
    assert_int_equal(rmdir(f->folder), 0);
    free(f);
    return 0;
}

/* Of the last file, after a look at all. */
static struct identity_finding round_of(struct fixture *f)
{
    struct identity_finding finding;
    identity_scrub_step(f->scrub, &finding);
    assert_int_equal(finding.state, IDENTITY_WHOLE);
    identity_scrub_step(f->scrub, &finding);
    return finding;
}

static void test_identity_scrub_says_nothing_of_whole_files(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(round_of(f).state, IDENTITY_WHOLE);
    assert_int_equal(round_of(f).state, IDENTITY_WHOLE);
}

static void test_identity_scrub_writes_a_rotten_file_again(void **state)
{
    struct fixture *f = *state;
    uint8_t byte = (uint8_t)(f->before[300] ^ 16);
    file_store(f->paths[1], &byte, 1, 300);
    struct identity_finding finding = round_of(f);
    assert_int_equal(finding.state, IDENTITY_MENDED);
    assert_int_equal(finding.offset, 300);
    assert_string_equal(finding.path, f->paths[1]);
    assert_true(file_holds(f->paths[1], f->before));
    assert_int_equal(round_of(f).state, IDENTITY_WHOLE);
}

static void test_identity_scrub_writes_a_cut_file_again(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(truncate(f->paths[1], 1000), 0);
    struct identity_finding finding = round_of(f);
    assert_int_equal(finding.state, IDENTITY_MENDED);
    assert_int_equal(finding.offset, 1000);
    assert_true(file_holds(f->paths[1], f->before));
}

static void test_identity_scrub_keeps_what_was_written_since(void **state)
{
    struct fixture *f = *state;
    f->before[5] ^= 1;
    file_store(f->paths[1], f->before, FILE_BYTES, 0);
    identity_scrub_keep(f->scrub, 1);
    assert_int_equal(round_of(f).state, IDENTITY_WHOLE);
    assert_true(file_holds(f->paths[1], f->before));
}

static void test_identity_scrub_tells_a_missing_file_once(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(unlink(f->paths[1]), 0);
    assert_int_equal(round_of(f).state, IDENTITY_GONE);
    assert_int_equal(round_of(f).state, IDENTITY_WHOLE);
}

static void test_identity_scrub_tells_what_it_cannot_write_once(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(unlink(f->paths[1]), 0);
    assert_int_equal(mkdir(f->paths[1], 0700), 0);
    struct identity_finding finding = round_of(f);
    assert_int_equal(finding.state, IDENTITY_LOST);
    assert_int_equal(finding.reason, EISDIR);
    assert_int_equal(round_of(f).state, IDENTITY_WHOLE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_identity_scrub_says_nothing_of_whole_files),
        TEST(test_identity_scrub_writes_a_rotten_file_again),
        TEST(test_identity_scrub_writes_a_cut_file_again),
        TEST(test_identity_scrub_keeps_what_was_written_since),
        TEST(test_identity_scrub_tells_a_missing_file_once),
        TEST(test_identity_scrub_tells_what_it_cannot_write_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
