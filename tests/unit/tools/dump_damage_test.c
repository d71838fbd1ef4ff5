/*
 * What pollux-dump shows of files that are damaged, cut off, missing, or of another version: each
 * such place, and the rest.
 */
#include "base/crc32c.h"
#include "base/le.h"
#include "tests/unit/tools/dump_fixture.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* What is damaged where, how many findings that makes, and what is still shown. */
static void test_dump_names_each_damage_and_shows_the_rest(void **state)
{
    struct dump_fixture *fixture = *state;
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
        dump_fixture_flip(fixture, cases[i].name, cases[i].offset);
        dump_fixture_dump_all(fixture);
        dump_fixture_says(fixture, cases[i].finding);
        dump_fixture_says(fixture, cases[i].rest);
        assert_int_equal(fixture->damaged, cases[i].damaged);
        assert_int_equal(fixture->refused, 0);
        dump_fixture_flip(fixture, cases[i].name, cases[i].offset);
    }
    dump_fixture_dump_all(fixture);
    assert_int_equal(fixture->damaged + fixture->refused, 0);
}

static void test_dump_shows_the_keys_beside_a_lost_block(void **state)
{
    struct dump_fixture *fixture = *state;
    dump_fixture_flip(fixture, "shard-0.snapshot-1", 8192 + 65536 + 99);
    dump_fixture_dump_all(fixture);
    uint32_t keys = dump_fixture_count(fixture, "key key-") -
                    DUMP_FIXTURE_KEYS; /* without those of the other file */
    assert_true(keys > DUMP_FIXTURE_KEYS / 4 && keys < DUMP_FIXTURE_KEYS);
    dump_fixture_says(fixture, "key key-000");
    dump_fixture_says(fixture, "is whole: no");
}

static void test_dump_tells_what_is_cut_off_or_missing(void **state)
{
    struct dump_fixture *fixture = *state;
    for (size_t i = 0; i < DUMP_FIXTURE_FILES; i++) {
        struct stat status;
        char kept[160];
        assert_int_equal(stat(dump_fixture_path(fixture, dump_fixture_names[i]), &status), 0);
        snprintf(kept, sizeof(kept), "%s.kept", fixture->path);
        assert_int_equal(rename(fixture->path, kept), 0);
        dump_fixture_dump_all(fixture);
        dump_fixture_says(fixture, "ERR_NOT_FOUND");
        assert_int_equal(fixture->refused, 1);
        assert_int_equal(rename(kept, dump_fixture_path(fixture, dump_fixture_names[i])), 0);
    }
    assert_int_equal(truncate(dump_fixture_path(fixture, "shard-0.raft"), 14000), 0);
    assert_int_equal(truncate(dump_fixture_path(fixture, "shard-0.snapshot-0"), 8192 + 70000), 0);
    assert_int_equal(truncate(dump_fixture_path(fixture, "shard-0.identity"), 2100), 0);
    dump_fixture_dump_all(fixture);
    dump_fixture_says(fixture, "kind cut off, what log, offset 14000");
    dump_fixture_says(fixture, "kind cut off, what snapshot, offset 78192");
    dump_fixture_says(fixture, "kind cut off, what second copy, offset 2048");
    dump_fixture_says(fixture, "index 3, term 3");
    assert_int_equal(fixture->refused, 0);
    assert_int_equal(truncate(dump_fixture_path(fixture, "shard-0.raft"), 0), 0);
    dump_fixture_dump_all(fixture);
    dump_fixture_says(fixture, "only 0 bytes, not even a header");
    assert_int_equal(fixture->refused, 1);
}

static void set_version(struct dump_fixture *fixture, const char *name, size_t copy_bytes)
{
    uint8_t copy[2048];
    int fd = open(dump_fixture_path(fixture, name), O_RDWR);
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
    struct dump_fixture *fixture = *state;
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
        dump_fixture_dump_all(fixture);
        dump_fixture_says(fixture, cases[i].words);
        assert_int_equal(fixture->refused, i + 1);
        assert_int_equal(fixture->damaged, 0);
    }
}

/* The stream of a snapshot and a configuration have versions of their own. */
static void test_dump_refuses_other_versions_within_files(void **state)
{
    struct dump_fixture *fixture = *state;
    struct dump dump = {.options = &fixture->options};
    static const uint8_t configuration[RAFT_CONFIGURATION_HEAD_BYTES] = {9};
    assert_int_equal(unlink(dump_fixture_path(fixture, "shard-0.snapshot-0")), 0);
    assert_int_equal(unlink(dump_fixture_path(fixture, "shard-0.snapshot-1")), 0);
    dump_fixture_make_snapshots(fixture, 9);
    dump_fixture_dump_all(fixture);
    assert_int_equal(fixture->refused, 2);
    assert_int_equal(fixture->damaged, 0);
    dump_fixture_says(fixture, "the stream has version 9, this program knows 3");
    free(fixture->text);
    FILE *to = open_memstream(&fixture->text, &fixture->text_size);
    output_init(&dump.output, to, OUTPUT_TEXT);
    dump_configuration(&dump, "log", 1, span_of(configuration, sizeof(configuration)));
    output_deinit(&dump.output);
    fclose(to);
    dump_fixture_says(fixture, "version 9, this program knows 3");
    assert_int_equal(dump.refused, 1);
}

static void test_dump_goes_on_without_an_identity(void **state)
{
    struct dump_fixture *fixture = *state;
    dump_fixture_flip(fixture, "identity", 30);
    dump_fixture_flip(fixture, "identity", 2048 + 30);
    dump_fixture_dump_all(fixture);
    assert_int_equal(fixture->damaged, 2);
    dump_fixture_says(fixture, "last index: 20");
    dump_fixture_says(fixture, "entry count: 4");
    static const char *const headed[] = {"shard-0.raft", "shard-0.journal-0", "shard-0.snapshot-1"};
    for (size_t i = 0; i < 3; i++) {
        dump_fixture_flip(fixture, headed[i], 20);
        dump_fixture_flip(fixture, headed[i], 2048 + 20);
    }
    dump_fixture_dump_all(fixture); /* the identity of the storage is left */
    assert_int_equal(fixture->damaged, 8);
    assert_int_equal(fixture->refused, 0);
    assert_int_equal(dump_fixture_count(fixture, "is header lost: yes"), 2);
    dump_fixture_says(fixture, "last index: 20");
    dump_fixture_says(fixture, "segment bytes: 2154496");
    dump_fixture_says(fixture, "entry count: 4");
    assert_int_equal(dump_fixture_count(fixture, "is whole: yes"), 2);
    assert_int_equal(unlink(dump_fixture_path(fixture, "shard-0.identity")), 0);
    dump_fixture_dump_all(fixture); /* and now nothing */
    dump_fixture_says(fixture, "nothing else says whose the file is");
    assert_int_equal(fixture->refused, 4);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, dump_fixture_setup, dump_fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_dump_names_each_damage_and_shows_the_rest),
        TEST(test_dump_shows_the_keys_beside_a_lost_block),
        TEST(test_dump_tells_what_is_cut_off_or_missing),
        TEST(test_dump_refuses_other_versions_and_names_both),
        TEST(test_dump_refuses_other_versions_within_files),
        TEST(test_dump_goes_on_without_an_identity),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
