/* Journals that were set aside: found by their names, each once, and nothing else is. */
#include "server/journal_aside.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct fixture {
    char folder[32];
    char journal[64];
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    snprintf(f->folder, sizeof(f->folder), "/tmp/pollux-aside-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    snprintf(f->journal, sizeof(f->journal), "%s/shard-1.journal", f->folder);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    DIR *directory = opendir(f->folder);
    assert_non_null(directory);
    const struct dirent *entry;
    while ((entry = readdir(directory)) != NULL)
        (void)unlinkat(dirfd(directory), entry->d_name, 0);
    closedir(directory);
    assert_int_equal(rmdir(f->folder), 0);
    free(f);
    return 0;
}

static void make(const struct fixture *f, const char *name)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/%s", f->folder, name);
    int file = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(file >= 0);
    close(file);
}

static void test_journal_asides_are_found_each_once(void **state)
{
    struct fixture *f = *state;
    struct journal_aside found[JOURNAL_ASIDES_MAX];
    make(f, "shard-1.journal-0");
    make(f, "shard-1.journal-0.of.00000000000000ab.17");
    make(f, "shard-1.journal-1.of.00000000000000ab.17");
    make(f, "shard-1.journal-1.of.ffffffffffffffff.3");
    assert_int_equal(journal_asides_find(f->journal, found), 2);
    const struct journal_aside *first = &found[found[0].series != 0xab];
    const struct journal_aside *second = &found[found[0].series == 0xab];
    assert_true(first->series == 0xab && first->writes == 17);
    assert_true(second->series == UINT64_MAX && second->writes == 3);
    assert_memory_equal(second->file, f->folder, strlen(f->folder));
    assert_string_equal(second->file + strlen(f->folder),
                        "/shard-1.journal-1.of.ffffffffffffffff.3");
}

static void test_journal_asides_of_others_are_not_found(void **state)
{
    struct fixture *f = *state;
    struct journal_aside found[JOURNAL_ASIDES_MAX];
    make(f, "shard-11.journal-0.of.00000000000000ab.17");
    make(f, "shard-1.raft.set-back.00000000000000ab");
    make(f, "shard-1.journal-0.of.00000000000000ab.0"); /* it had no write */
    make(f, "shard-1.journal-2.of.00000000000000ab.1");
    make(f, "shard-1.journal-0.of.00000000000000ab");
    make(f, "shard-1.journal-0.of.00000000000000ab.1.old"); /* renamed by somebody */
    assert_int_equal(journal_asides_find(f->journal, found), 0);
    assert_int_equal(journal_asides_find("/nonexistent/shard-1.journal", found), 0);
}

static void test_journal_asides_are_bounded(void **state)
{
    struct fixture *f = *state;
    struct journal_aside found[JOURNAL_ASIDES_MAX];
    for (unsigned i = 1; i <= JOURNAL_ASIDES_MAX + 3; i++) {
        char name[64];
        snprintf(name, sizeof(name), "shard-1.journal-0.of.%016x.%u", i, i);
        make(f, name);
    }
    assert_int_equal(journal_asides_find(f->journal, found), JOURNAL_ASIDES_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_journal_asides_are_found_each_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_journal_asides_of_others_are_not_found, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_journal_asides_are_bounded, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
