/* A data directory as pollux-dump shows it: whole, in use, in parts; and each file alone. */
#include "base/crc32c.h"
#include "tests/unit/tools/dump_fixture.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/file.h>
#include <unistd.h>

#include <cmocka.h>

static void test_dump_shows_everything_of_a_whole_directory(void **state)
{
    struct dump_fixture *fixture = *state;
    dump_fixture_dump_all(fixture);
    assert_int_equal(fixture->damaged + fixture->refused, 0);
    dump_fixture_says(fixture, "cluster: test");
    dump_fixture_says(fixture, "birth 000000000000abcd");
    dump_fixture_says(fixture, "last index: 20");
    dump_fixture_says(fixture, "term: 3");
    dump_fixture_says(fixture, "vote: 000000000000abcd");
    dump_fixture_says(fixture, "start 5000000000000000");
    dump_fixture_says(fixture, "birth 000000000000beef, start 0000000000000077");
    dump_fixture_says(fixture,
                      "node 2, birth 000000000000abcd, membership voter, address 10.77.0.2:7400");
    dump_fixture_says(fixture, "operation set, seq 20, key the-key, value size bytes 9");
    dump_fixture_says(fixture, "index: 10"); /* of the newest snapshot */
    dump_fixture_says(fixture, "key key-099, version 99, value size bytes 1500");
    dump_fixture_says(fixture, "is whole: yes");
    dump_fixture_says(fixture, "entry count: 4");
    dump_fixture_says(fixture, "decided seq: 2");
    dump_fixture_says(fixture, "pending entries: 2");
    assert_int_equal(dump_fixture_count(fixture, "key key-"), 2 * DUMP_FIXTURE_KEYS);
    assert_int_equal(dump_fixture_count(fixture, "is pending yes"), 2);
    assert_null(strstr(fixture->text, DUMP_FIXTURE_SECRET));
}

static void test_dump_shows_values_only_when_asked(void **state)
{
    struct dump_fixture *fixture = *state;
    static const enum output_format formats[] = {OUTPUT_TEXT, OUTPUT_JSON, OUTPUT_LINES};
    for (size_t i = 0; i < 3; i++) {
        fixture->options.format = formats[i];
        fixture->options.has_values = false;
        dump_fixture_dump_all(fixture);
        assert_null(strstr(fixture->text, DUMP_FIXTURE_SECRET));
        fixture->options.has_values = true;
        dump_fixture_dump_all(fixture);
        dump_fixture_says(fixture, DUMP_FIXTURE_SECRET);
    }
    char sum[32];
    snprintf(sum, sizeof(sum), "%08x", crc32c(0, DUMP_FIXTURE_SECRET, strlen(DUMP_FIXTURE_SECRET)));
    dump_fixture_says(fixture, sum);
}

static void test_dump_selects_parts_and_records(void **state)
{
    struct dump_fixture *fixture = *state;
    fixture->options.parts = DUMP_JOURNAL;
    dump_fixture_dump_all(fixture);
    dump_fixture_says(fixture,
                      "pending entries: 2"); /* the log was read for this, and is not shown */
    assert_null(strstr(fixture->text, "last index"));
    assert_null(strstr(fixture->text, "cluster"));
    fixture->options.parts = DUMP_LOG;
    fixture->options.from_index = 19;
    fixture->options.to_index = 19;
    dump_fixture_dump_all(fixture);
    dump_fixture_says(fixture, "index 19, term 3");
    assert_int_equal(dump_fixture_count(fixture, "payload size bytes"), 1);
    assert_null(strstr(fixture->text, "key-"));
    fixture->options.parts = DUMP_STARTS;
    dump_fixture_dump_all(fixture);
    dump_fixture_says(fixture, "heard starts");
    assert_null(strstr(fixture->text, "last index"));
    fixture->options.parts = DUMP_CONFIGURATION;
    dump_fixture_dump_all(fixture);
    dump_fixture_says(fixture, "found in: log");
    assert_null(strstr(fixture->text, "heard starts"));
    fixture->options.has_shards = true;
    fixture->options.shards[1] = true;
    dump_fixture_dump_all(fixture);
    dump_fixture_says(fixture, "shards: none");
}

static void test_dump_misses_nothing_that_was_never_made(void **state)
{
    struct dump_fixture *fixture = *state;
    static const uint8_t zeros[4096];
    assert_int_equal(unlink(dump_fixture_path(fixture, "shard-0.journal-0")), 0);
    assert_int_equal(unlink(dump_fixture_path(fixture, "shard-0.journal-1")), 0);
    dump_fixture_dump_all(fixture);
    assert_int_equal(fixture->damaged + fixture->refused, 0);
    dump_fixture_says(fixture, "journal: none");
    for (size_t i = 2; i < DUMP_FIXTURE_FILES; i++)
        unlink(dump_fixture_path(fixture, dump_fixture_names[i]));
    dump_fixture_dump_all(fixture);
    assert_int_equal(fixture->refused, 3); /* the storage was made */
    fixture->options.parts = DUMP_IDENTITY;
    dump_fixture_dump_all(fixture);
    assert_int_equal(fixture->refused, 0);
    fixture->options.parts = DUMP_ALL;
    dump_fixture_write(fixture, "shard-0.identity", zeros, sizeof(zeros));
    dump_fixture_dump_all(fixture);
    assert_int_equal(fixture->damaged + fixture->refused, 0);
    dump_fixture_says(fixture, "no start has made this file yet");
}

static void test_dump_shows_one_file_of_any_sort(void **state)
{
    struct dump_fixture *fixture = *state;
    static const char *const words[] = {"cluster: test",  "births noted: 1", "last index: 20",
                                        "entry count: 4", "state: empty",    "index: 5",
                                        "index: 10"};
    for (size_t i = 0; i < DUMP_FIXTURE_FILES; i++) {
        assert_true(dump_fixture_dump(fixture, dump_fixture_path(fixture, dump_fixture_names[i])));
        dump_fixture_says(fixture, words[i]);
        assert_int_equal(fixture->damaged + fixture->refused, 0);
    }
    dump_fixture_write(fixture, "identity", "this is no file of Pollux", 25);
    dump_fixture_flip(fixture, "identity", 2048);
    assert_false(dump_fixture_dump(fixture, dump_fixture_path(fixture, "identity")));
    assert_non_null(strstr(fixture->reason, "not a file of Pollux"));
    assert_false(dump_fixture_dump(fixture, "/var/tmp"));
    assert_non_null(strstr(fixture->reason, "no file of a node"));
    assert_false(dump_fixture_dump(fixture, "/var/tmp/no/such"));
}

static void test_dump_says_that_a_node_runs(void **state)
{
    struct dump_fixture *fixture = *state;
    int fd = open(dump_fixture_path(fixture, "identity"), O_RDWR);
    assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
    dump_fixture_dump_all(fixture);
    char words[64];
    snprintf(words, sizeof(words), "used by process: %ld", (long)getpid());
    dump_fixture_says(fixture, words);
    assert_int_equal(fixture->refused, 0);
    close(fd);
    dump_fixture_dump_all(fixture);
    assert_null(strstr(fixture->text, "used by process"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, dump_fixture_setup, dump_fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_dump_shows_everything_of_a_whole_directory),
        TEST(test_dump_shows_values_only_when_asked),
        TEST(test_dump_selects_parts_and_records),
        TEST(test_dump_misses_nothing_that_was_never_made),
        TEST(test_dump_shows_one_file_of_any_sort),
        TEST(test_dump_says_that_a_node_runs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
