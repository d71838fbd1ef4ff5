/* Lines without a timestamp and timestamps that step back, in text, logs and streams. */
#include "client/logs_internal.h"
#include "tests/unit/client/fake_node.h"

#include <string.h>

#define KEPT_MAX 256

static const struct logs_walk_options from_begin;

/* ---- a stream that a test plays: a text in pieces ---- */

struct play {
    const char *text;
    size_t piece_bytes;
    size_t at;
    char kept[KEPT_MAX];
    size_t kept_size;
    bool is_marked;
    enum plx_logs_fault begin_fault;
    enum plx_logs_fault read_fault;
    enum plx_logs_fault keep_fault;
    enum plx_logs_fault end_fault;
    uint64_t ended_bytes;
};

static enum plx_logs_fault play_begin(void *context, const struct logs_mark *mark,
                                      bool *ret_is_marked)
{
    struct play *play = context;
    play->at = mark->file != 0 ? mark->offset_bytes : 0;
    play->kept_size = 0;
    *ret_is_marked = play->is_marked;
    return play->begin_fault;
}

static enum plx_logs_fault play_read(void *context, struct plx_bytes *ret_bytes)
{
    struct play *play = context;
    size_t left = strlen(play->text) - play->at;
    size_t size = left < play->piece_bytes ? left : play->piece_bytes;
    *ret_bytes = (struct plx_bytes){play->text + play->at, size};
    play->at += size;
    return play->read_fault;
}

static enum plx_logs_fault play_keep(void *context, struct plx_bytes bytes)
{
    struct play *play = context;
    assert_true(play->kept_size + bytes.size_bytes <= KEPT_MAX);
    memcpy(play->kept + play->kept_size, bytes.data, bytes.size_bytes);
    play->kept_size += bytes.size_bytes;
    return play->keep_fault;
}

static enum plx_logs_fault play_end(void *context, uint64_t size_bytes, struct logs_mark *ret_mark)
{
    struct play *play = context;
    play->ended_bytes = size_bytes;
    *ret_mark = (struct logs_mark){7, size_bytes, 9};
    return play->end_fault;
}

static enum plx_logs_fault play_walk(struct play *play, const struct logs_walk_options *options,
                                     struct plx_logs_result *ret_result)
{
    struct logs_mark mark;
    const struct logs_stream stream = {.context = play,
                                       .begin = play_begin,
                                       .read = play_read,
                                       .keep = play_keep,
                                       .end = play_end};
    const struct logs_source source = {.stream = &stream, .format = PLX_LOGS_INTEGER};
    return logs_walk(&source, options, ret_result, &mark);
}

static struct plx_logs_result walk_text(const char *text, enum plx_logs_odd odd)
{
    struct plx_logs_result result;
    struct logs_mark mark;
    const struct logs_source source = {
        .is_text = true, .text = plx_text(text), .format = PLX_LOGS_INTEGER, .odd = odd};
    (void)logs_walk(&source, &from_begin, &result, &mark);
    return result;
}

/* ---- tests ---- */

static void test_logs_odd_lines_are_refused_or_end_the_hand_out(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum plx_logs_fault fault;
    } cases[] = {{"1 a\n2 b\n at c\n3 d\n", PLX_LOGS_MALFORMED},
                 {"1 a\n2 b\n1 c\n3 d\n", PLX_LOGS_BACKWARD}};
    for (size_t i = 0; i < 2; i++) {
        struct plx_logs_result result = walk_text(cases[i].text, PLX_LOGS_ODD_REFUSE);
        assert_true(result.fault == cases[i].fault && result.line == 3);
        assert_int_equal(result.offset_bytes, 8);
        result = walk_text(cases[i].text, PLX_LOGS_ODD_STOP);
        assert_true(result.fault == cases[i].fault && result.line == 3 && result.count == 2);
        assert_true(result.offset_bytes == 0 && result.size_bytes == 8);
        assert_true(result.end.timestamp == 2 && result.end.count == 1);
    }
    struct plx_logs_result result = walk_text("x\n1 a\n", PLX_LOGS_ODD_STOP);
    assert_true(result.fault == PLX_LOGS_MALFORMED && result.count == 0);
}

static void test_logs_odd_lines_count_with_the_line_before(void **state)
{
    (void)state;
    struct plx_logs_result result = walk_text("5 a\n at b\n4 c\n5 d\n6 e\n", PLX_LOGS_ODD_ATTACH);
    assert_true(result.fault == PLX_LOGS_VALID && result.count == 5 && result.size_bytes == 22);
    assert_true(result.end.timestamp == 6 && result.end.count == 1);
    result = walk_text("5 a\n at b\n4 c\n5 d\n", PLX_LOGS_ODD_ATTACH);
    assert_true(result.end.timestamp == 5 && result.end.count == 4);
    result = walk_text(" at b\n-3 c\n", PLX_LOGS_ODD_ATTACH);
    assert_true(result.count == 2 && result.end.timestamp == -3);
    /* Logs given as such, too. */
    const struct plx_log logs[] = {{.timestamp = 5}, {.timestamp = 3}};
    const struct logs_source source = {.logs = logs, .count = 2, .odd = PLX_LOGS_ODD_ATTACH};
    struct logs_mark mark;
    assert_int_equal(logs_walk(&source, &from_begin, &result, &mark), PLX_LOGS_VALID);
    assert_true(result.end.timestamp == 5 && result.end.count == 2 && mark.file == 0);
}

/* Whatever the pieces are, the same lines are kept, and none that has no end. */
static void test_logs_stream_of_any_pieces_is_one_text(void **state)
{
    (void)state;
    const struct logs_walk_options options = {.cursor = {2, 1}};
    for (size_t piece = 4; piece < 30; piece++) {
        struct play play = {.text = "1 aaa\n2 bbb\n2 ccc\n3 ddd\n4 unfinished",
                            .piece_bytes = piece};
        struct plx_logs_result result;
        assert_int_equal(play_walk(&play, &options, &result), PLX_LOGS_VALID);
        assert_true(result.first == 2 && result.count == 2);
        assert_true(result.offset_bytes == 12 && result.size_bytes == 12);
        assert_true(play.kept_size >= 12 && memcmp(play.kept, "2 ccc\n3 ddd\n", 12) == 0);
        assert_int_equal(play.ended_bytes, 24);
    }
}

/* At the mark the lines lie behind the cursor, whatever their timestamps are. */
static void test_logs_stream_at_the_mark_begins_behind_the_cursor(void **state)
{
    (void)state;
    const struct logs_walk_options options = {.cursor = {2, 1}, .mark = {7, 8, 9}};
    struct play play = {.text = "1 a\n2 b\n2 c\n3 d\n", .piece_bytes = 100, .is_marked = true};
    struct plx_logs_result result;
    assert_int_equal(play_walk(&play, &options, &result), PLX_LOGS_VALID);
    assert_true(result.count == 2 && result.end.timestamp == 3 && play.ended_bytes == 8);
    play.text = "1 a\n2 b\n1 c\n";
    assert_int_equal(play_walk(&play, &options, &result), PLX_LOGS_BACKWARD);
    assert_true(result.line == 1 && result.offset_bytes == 0);
}

static void test_logs_stream_refuses_what_its_source_refuses(void **state)
{
    (void)state;
    struct play plays[] = {
        {.text = "1 a\n", .piece_bytes = 9, .begin_fault = PLX_LOGS_MOVED_ON},
        {.text = "1 a\n", .piece_bytes = 9, .read_fault = PLX_LOGS_CHANGING},
        {.text = "1 a\n", .piece_bytes = 9, .keep_fault = PLX_LOGS_UNREAD},
        {.text = "1 a\n", .piece_bytes = 9, .end_fault = PLX_LOGS_CHANGING},
    };
    static const enum plx_logs_fault faults[] = {PLX_LOGS_MOVED_ON, PLX_LOGS_CHANGING,
                                                 PLX_LOGS_UNREAD, PLX_LOGS_CHANGING};
    for (size_t i = 0; i < sizeof(plays) / sizeof(plays[0]); i++) {
        struct plx_logs_result result;
        assert_int_equal(play_walk(&plays[i], &from_begin, &result), faults[i]);
        assert_int_equal(result.fault, faults[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_logs_odd_lines_are_refused_or_end_the_hand_out),
        cmocka_unit_test(test_logs_odd_lines_count_with_the_line_before),
        cmocka_unit_test(test_logs_stream_of_any_pieces_is_one_text),
        cmocka_unit_test(test_logs_stream_at_the_mark_begins_behind_the_cursor),
        cmocka_unit_test(test_logs_stream_refuses_what_its_source_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
