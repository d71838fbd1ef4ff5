/* Files of one log as a stream: where it begins, what it gives, and what it notices. */
#include "tools/cli/log_files.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/pollux-log-files-XXXXXX";
static char log_path[64];
static char old_path[64];
static char *text; /* that the stream has given */
static size_t text_size;

static int setup_folder(void **state)
{
    (void)state;
    if (mkdtemp(folder) == NULL)
        return -1;
    snprintf(log_path, sizeof(log_path), "%s/log", folder);
    snprintf(old_path, sizeof(old_path), "%s/log.1", folder);
    return 0;
}

static int empty_folder(void **state)
{
    (void)state;
    (void)unlink(log_path);
    (void)unlink(old_path);
    free(text);
    text = NULL;
    text_size = 0;
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    return rmdir(folder);
}

static void put(const char *path, const char *mode, const char *bytes)
{
    FILE *file = fopen(path, mode);
    assert_non_null(file);
    assert_true(fputs(bytes, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

/* All that the stream gives from where it begins; then it ends behind all of it. */
static enum plx_logs_fault read_all(struct log_files *files, struct logs_mark *mark,
                                    bool *ret_is_marked)
{
    struct logs_stream stream = log_files_stream(files);
    struct plx_bytes piece = {.size_bytes = 1};
    text_size = 0;
    enum plx_logs_fault fault = stream.begin(stream.context, mark, ret_is_marked);
    while (fault == PLX_LOGS_VALID && piece.size_bytes > 0) {
        fault = stream.read(stream.context, &piece);
        text = realloc(text, text_size + piece.size_bytes + 1);
        assert_non_null(text);
        memcpy(text + text_size, piece.data, piece.size_bytes);
        text_size += piece.size_bytes;
        text[text_size] = '\0';
    }
    return fault == PLX_LOGS_VALID ? stream.end(stream.context, text_size, mark) : fault;
}

static struct cli_arguments arguments_of_log(void)
{
    return (struct cli_arguments){.files = {log_path}, .file_count = 1};
}

static void test_log_files_go_on_at_the_mark(void **state)
{
    (void)state;
    const struct cli_arguments arguments = arguments_of_log();
    struct log_files files;
    struct logs_mark mark = {.file = 0};
    bool is_marked;
    assert_true(log_files_init(&files, &arguments));
    assert_int_equal(read_all(&files, &mark, &is_marked), PLX_LOGS_VALID); /* there is no file */
    assert_true(!is_marked && text_size == 0 && mark.file == 0);
    put(log_path, "w", "1 a\n2 b\n");
    assert_int_equal(read_all(&files, &mark, &is_marked), PLX_LOGS_VALID);
    assert_string_equal(text, "1 a\n2 b\n");
    assert_true(!is_marked && mark.offset_bytes == 8);
    put(log_path, "a", "3 c\n");
    assert_int_equal(read_all(&files, &mark, &is_marked), PLX_LOGS_VALID);
    assert_string_equal(text, "3 c\n");
    assert_true(is_marked && mark.offset_bytes == 12);
    uint64_t offset;
    assert_int_equal(log_files_line(log_files_locate(&files, 0, &offset), 8), 3);
    log_files_deinit(&files);
}

/* A line is read, another one begun; then the log is renamed, and goes on with `fresh`. */
static void rotate_after_half_a_line(struct log_files *files, struct logs_mark *mark,
                                     const char *fresh)
{
    bool is_marked;
    put(log_path, "w", "1 a\n");
    assert_int_equal(read_all(files, mark, &is_marked), PLX_LOGS_VALID);
    put(log_path, "a", "2 half");
    assert_int_equal(rename(log_path, old_path), 0);
    put(log_path, "w", fresh);
}

static void test_log_files_find_the_renamed_one_beside(void **state)
{
    (void)state;
    const struct cli_arguments arguments = arguments_of_log();
    struct log_files files;
    struct logs_mark mark = {.file = 0};
    bool is_marked;
    assert_true(log_files_init(&files, &arguments));
    rotate_after_half_a_line(&files, &mark, "3 c\n");
    assert_int_equal(read_all(&files, &mark, &is_marked), PLX_LOGS_VALID);
    assert_string_equal(text, "2 half\n3 c\n");
    assert_true(is_marked && mark.offset_bytes == 4);
    assert_int_equal(read_all(&files, &mark, &is_marked), PLX_LOGS_VALID);
    assert_int_equal(text_size, 0);
    log_files_deinit(&files);
}

/* All was read, and the log is empty: its begin would be a place that tells nothing. What is
 * written there and rotated before the next look comes in between, whatever became of the log. */
static void test_log_files_end_behind_a_byte(void **state)
{
    (void)state;
    const struct cli_arguments arguments = arguments_of_log();
    struct log_files files;
    struct logs_mark mark = {.file = 0};
    struct stat old;
    bool is_marked;
    assert_true(log_files_init(&files, &arguments));
    rotate_after_half_a_line(&files, &mark, "");
    assert_int_equal(read_all(&files, &mark, &is_marked), PLX_LOGS_VALID);
    assert_string_equal(text, "2 half\n");
    assert_int_equal(stat(old_path, &old), 0);
    assert_true(mark.file == old.st_ino && mark.offset_bytes == 10);
    assert_int_equal(read_all(&files, &mark, &is_marked), PLX_LOGS_VALID); /* nothing more */
    assert_true(is_marked && mark.file == old.st_ino && mark.offset_bytes == 10);
    struct logs_mark begin = {.file = old.st_ino}; /* as a program of before has kept it */
    assert_int_equal(read_all(&files, &begin, &is_marked), PLX_LOGS_MOVED_ON);
    log_files_deinit(&files);
}

static void test_log_files_refuse_where_the_mark_is_gone(void **state)
{
    (void)state;
    struct cli_arguments arguments = arguments_of_log();
    struct log_files files;
    struct logs_mark mark = {.file = 0};
    bool is_marked;
    assert_true(log_files_init(&files, &arguments));
    put(log_path, "w", "1 a\n2 b\n");
    assert_int_equal(read_all(&files, &mark, &is_marked), PLX_LOGS_VALID);
    struct logs_mark before = mark;
    put(log_path, "w", "1 x\n2 y\n3 z\n"); /* the same inode, and longer */
    assert_int_equal(read_all(&files, &mark, &is_marked), PLX_LOGS_MOVED_ON);
    assert_int_equal(truncate(log_path, 3), 0);
    assert_int_equal(read_all(&files, &mark, &is_marked), PLX_LOGS_MOVED_ON);
    assert_memory_equal(&mark, &before, sizeof(mark));
    arguments.is_by_time = true;
    assert_int_equal(read_all(&files, &mark, &is_marked), PLX_LOGS_VALID);
    assert_true(!is_marked && text_size == 3);
    log_files_deinit(&files);
}

static void test_log_files_notice_what_changes_while_they_are_read(void **state)
{
    (void)state;
    const struct cli_arguments arguments = arguments_of_log();
    struct log_files files;
    struct logs_mark mark = {.file = 0};
    bool is_marked;
    assert_true(log_files_init(&files, &arguments));
    struct logs_stream stream = log_files_stream(&files);
    struct plx_bytes piece;
    static const char *const others[] = {"", "1 x\n2 y\n3 longer than before\n"};
    for (size_t i = 0; i < 2; i++) {
        put(log_path, "w", "1 a\n2 b\n");
        assert_int_equal(stream.begin(stream.context, &mark, &is_marked), PLX_LOGS_VALID);
        assert_int_equal(stream.read(stream.context, &piece), PLX_LOGS_VALID);
        assert_int_equal(piece.size_bytes, 8);
        put(log_path, "w", others[i]);
        assert_int_equal(stream.end(stream.context, 8, &mark), PLX_LOGS_CHANGING);
    }
    /* Cut, and grown again, between the begin and the first byte. */
    put(log_path, "w", "1 a\n2 b\n");
    assert_int_equal(read_all(&files, &mark, &is_marked), PLX_LOGS_VALID);
    put(log_path, "a", "3 c\n");
    assert_int_equal(stream.begin(stream.context, &mark, &is_marked), PLX_LOGS_VALID);
    put(log_path, "w", "5 x\n6 y\n7 z\n");
    assert_int_equal(stream.read(stream.context, &piece), PLX_LOGS_VALID);
    assert_int_equal(stream.end(stream.context, 4, &mark), PLX_LOGS_CHANGING);
    /* A follower's place is looked for at each begin. */
    put(log_path, "w", "1 a\n2 b\n");
    mark.file = 0;
    assert_int_equal(read_all(&files, &mark, &is_marked), PLX_LOGS_VALID);
    files.has_place = true;
    files.place = mark;
    files.files[0].begin_bytes = mark.offset_bytes;
    put(log_path, "w", "");
    assert_int_equal(stream.begin(stream.context, &mark, &is_marked), PLX_LOGS_CHANGING);
    files.has_place = false;
    mark.file = 0;
    put(log_path, "w", "1 a\n2 b\n");
    assert_int_equal(stream.begin(stream.context, &mark, &is_marked), PLX_LOGS_VALID);
    put(log_path, "w", "1");
    assert_int_equal(stream.read(stream.context, &piece), PLX_LOGS_CHANGING);
    log_files_deinit(&files);
}

/* The begin of a line comes with its timestamp, wherever the pieces are cut. */
static void test_log_files_do_not_cut_timestamps(void **state)
{
    (void)state;
    const struct cli_arguments arguments = arguments_of_log();
    struct log_files files;
    struct logs_mark mark = {.file = 0};
    bool is_marked;
    assert_true(log_files_init(&files, &arguments));
    FILE *file = fopen(log_path, "w");
    assert_non_null(file);
    for (int i = 0; i < 40; i++)
        assert_true(fprintf(file, "%040d %0*d\n", i, 262144 - 60 + i, 0) > 0);
    assert_int_equal(fclose(file), 0);
    struct logs_stream stream = log_files_stream(&files);
    struct plx_bytes piece = {.size_bytes = 1};
    bool is_begin = true;
    assert_int_equal(stream.begin(stream.context, &mark, &is_marked), PLX_LOGS_VALID);
    for (uint64_t at = 0;;) {
        assert_int_equal(stream.read(stream.context, &piece), PLX_LOGS_VALID);
        if (piece.size_bytes == 0)
            break;
        const char *bytes = piece.data;
        for (size_t i = 0; i < piece.size_bytes; i++) {
            assert_true(!is_begin || piece.size_bytes - i >= LOG_FILES_TIMESTAMP_BYTES);
            is_begin = bytes[i] == '\n';
        }
        at += piece.size_bytes;
        assert_int_equal(files.stream_bytes, at);
    }
    log_files_deinit(&files);
}

static void test_log_files_refuse_one_file_under_two_names(void **state)
{
    (void)state;
    struct cli_arguments arguments = {.files = {old_path, log_path}, .file_count = 2};
    struct log_files files;
    struct logs_mark mark = {.file = 0};
    bool is_marked;
    assert_true(log_files_init(&files, &arguments));
    put(log_path, "w", "1 a\n");
    assert_int_equal(link(log_path, old_path), 0);
    assert_int_equal(read_all(&files, &mark, &is_marked), PLX_LOGS_UNREAD);
    arguments.files[0] = folder;
    assert_int_equal(read_all(&files, &mark, &is_marked), PLX_LOGS_UNREAD);
    log_files_deinit(&files);
}

static bool gather(void *context, const char *bytes, size_t size_bytes)
{
    uint64_t *sum = context;
    for (size_t i = 0; i < size_bytes; i++)
        *sum = *sum * 31 + (uint8_t)bytes[i];
    return true;
}

static void test_log_spool_returns_what_it_was_given(void **state)
{
    (void)state;
    struct log_spool spool;
    char piece[70000];
    uint64_t wanted = 0;
    uint64_t got = 0;
    assert_true(log_spool_init(&spool));
    for (int i = 0; i < 40; i++) {
        memset(piece, i, sizeof(piece));
        (void)gather(&wanted, piece, sizeof(piece));
        assert_true(log_spool_add(&spool, piece, sizeof(piece)));
    }
    assert_non_null(spool.file);
    assert_true(log_spool_add(&spool, "more", 4));
    assert_true(log_spool_each(&spool, 40 * sizeof(piece), gather, &got));
    assert_true(got == wanted);
    log_spool_clear(&spool);
    got = 0;
    assert_true(log_spool_add(&spool, "few", 3) && log_spool_each(&spool, 2, gather, &got));
    assert_int_equal(got, 'f' * 31 + 'e');
    log_spool_deinit(&spool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_log_files_go_on_at_the_mark, empty_folder),
        cmocka_unit_test_teardown(test_log_files_find_the_renamed_one_beside, empty_folder),
        cmocka_unit_test_teardown(test_log_files_end_behind_a_byte, empty_folder),
        cmocka_unit_test_teardown(test_log_files_refuse_where_the_mark_is_gone, empty_folder),
        cmocka_unit_test_teardown(test_log_files_notice_what_changes_while_they_are_read,
                                  empty_folder),
        cmocka_unit_test_teardown(test_log_files_do_not_cut_timestamps, empty_folder),
        cmocka_unit_test_teardown(test_log_files_refuse_one_file_under_two_names, empty_folder),
        cmocka_unit_test(test_log_spool_returns_what_it_was_given),
    };
    return cmocka_run_group_tests(tests, setup_folder, remove_folder);
}
