/* The file of a backup: a whole one is whole; with any bit flipped, any part lost, or any frame at
 * another place it is refused, at the offset of the damage. */
#include "tests/unit/tools/backup_maker.h"

#include "base/le.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char text[256];

static size_t size_of(int fd)
{
    struct stat status;
    assert_int_equal(fstat(fd, &status), 0);
    return (size_t)status.st_size;
}

static uint64_t offset_told(void)
{
    uint64_t offset = UINT64_MAX;
    assert_int_equal(sscanf(text, "offset %" SCNu64, &offset), 1);
    return offset;
}

static void test_backup_that_is_whole_is_whole(void **state)
{
    (void)state;
    int fd = maker_backup();
    assert_int_equal(maker_verify(fd, text, sizeof(text)), OK);
    close(fd);
}

/* Of the head every bit; elsewhere one bit of each byte, and the offset is that of its frame. */
static void test_backup_with_a_flipped_bit_is_refused_at_its_frame(void **state)
{
    (void)state;
    int fd = maker_backup();
    size_t size = size_of(fd);
    uint8_t *bytes = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    assert_true(bytes != MAP_FAILED);
    for (size_t at = 0; at < BACKUP_HEAD_BYTES * 8; at++) {
        bytes[at / 8] ^= (uint8_t)(1u << at % 8);
        assert_int_not_equal(maker_verify(fd, text, sizeof(text)), OK);
        assert_true(offset_told() == 0);
        bytes[at / 8] ^= (uint8_t)(1u << at % 8);
    }
    size_t frame = BACKUP_HEAD_BYTES;
    for (size_t at = frame; at < size; at += at % 251 == 0 || at < frame + 96 ? 1 : 67) {
        while (at >= frame + BACKUP_FRAME_BYTES + le32_load(bytes + frame + 4))
            frame += BACKUP_FRAME_BYTES + le32_load(bytes + frame + 4);
        bytes[at] ^= (uint8_t)(1u << at % 8);
        assert_int_not_equal(maker_verify(fd, text, sizeof(text)), OK);
        assert_true(offset_told() == frame);
        bytes[at] ^= (uint8_t)(1u << at % 8);
    }
    assert_int_equal(maker_verify(fd, text, sizeof(text)), OK);
    munmap(bytes, size);
    close(fd);
}

static void test_backup_that_ends_early_is_refused(void **state)
{
    (void)state;
    int fd = maker_backup();
    size_t size = size_of(fd);
    for (size_t cut = 1; cut < size; cut += cut < 500 ? 1 : 997) {
        assert_int_equal(ftruncate(fd, (off_t)(size - cut)), 0);
        assert_int_not_equal(maker_verify(fd, text, sizeof(text)), OK);
    }
    close(fd);
}

static void test_backup_with_bytes_behind_its_end_is_refused(void **state)
{
    (void)state;
    int fd = maker_backup();
    size_t size = size_of(fd);
    assert_int_equal(pwrite(fd, "x", 1, (off_t)size), 1);
    assert_int_not_equal(maker_verify(fd, text, sizeof(text)), OK);
    assert_true(offset_told() == size);
    close(fd);
}

/* Two blocks of one size change places: each has a checksum, and each is wrong there. */
static void test_frame_at_another_place_is_refused(void **state)
{
    (void)state;
    int fd = maker_backup();
    size_t size = size_of(fd);
    uint8_t *bytes = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    assert_true(bytes != MAP_FAILED);
    size_t first = 0;
    size_t second = 0;
    for (size_t at = BACKUP_HEAD_BYTES; at < size;
         at += BACKUP_FRAME_BYTES + le32_load(bytes + at + 4)) {
        if (bytes[at + 8] == BACKUP_BLOCK && le32_load(bytes + at + 12) == 0) {
            first = second;
            second = at;
        }
    }
    assert_true(first > 0 && second > first);
    size_t frame_bytes = BACKUP_FRAME_BYTES + SNAPSHOT_BLOCK_BYTES;
    uint8_t *kept = malloc(frame_bytes);
    memcpy(kept, bytes + first, frame_bytes);
    memcpy(bytes + first, bytes + second, frame_bytes);
    memcpy(bytes + second, kept, frame_bytes);
    free(kept);
    assert_int_equal(maker_verify(fd, text, sizeof(text)), ERR_CHECKSUM);
    assert_true(offset_told() == first);
    munmap(bytes, size);
    close(fd);
}

static const struct backup_head lone = {
    .id = 1, .created_s = 2, .shard_count = 1, .cluster = "lone"};

static void begin(struct backup_writer *writer, bool is_file)
{
    *writer = (struct backup_writer){.fd = memfd_create("backup", MFD_CLOEXEC), .is_file = is_file};
    assert_int_equal(backup_write_head(writer, &lone), OK);
}

static void test_shard_that_was_dropped_counts_for_nothing(void **state)
{
    (void)state;
    struct backup_writer writer;
    begin(&writer, false);
    uint8_t body[BACKUP_BODY_BYTES_MAX];
    size_t size;
    uint8_t *stream = maker_stream(0, &size);
    struct backup_shard described = maker_shard(0, stream, size);
    struct backup_mark mark = {.totals = writer.totals};
    struct backup_frame frame = {.kind = BACKUP_SHARD};
    frame.body = span_of(body, backup_shard_encode(&described, body));
    assert_int_equal(backup_write_frame(&writer, &frame), OK);
    frame = (struct backup_frame){.kind = BACKUP_BLOCK};
    frame.body = span_of(stream, SNAPSHOT_BLOCK_BYTES);
    assert_int_equal(backup_write_frame(&writer, &frame), OK);
    assert_int_equal(backup_write_back(&writer, &mark), ERR_UNSUPPORTED);
    assert_int_equal(backup_write_frame(&writer, &(struct backup_frame){.kind = BACKUP_DROPPED}),
                     OK);
    maker_write_shard(&writer, 0);
    assert_int_equal(backup_write_end(&writer, MAKER_KEYS), OK);
    assert_int_equal(maker_verify(writer.fd, text, sizeof(text)), OK);
    free(stream);
    close(writer.fd);
}

static void test_file_goes_back_to_a_mark(void **state)
{
    (void)state;
    struct backup_writer writer;
    begin(&writer, true);
    struct backup_mark mark = {.totals = writer.totals};
    maker_write_shard(&writer, 0);
    assert_int_equal(backup_write_back(&writer, &mark), OK);
    assert_true(size_of(writer.fd) == BACKUP_HEAD_BYTES);
    maker_write_shard(&writer, 0);
    assert_int_equal(backup_write_end(&writer, MAKER_KEYS), OK);
    assert_int_equal(maker_verify(writer.fd, text, sizeof(text)), OK);
    close(writer.fd);
}

static void test_shard_that_comes_twice_or_not_at_all_is_refused(void **state)
{
    (void)state;
    struct backup_writer writer;
    begin(&writer, true);
    assert_int_equal(backup_write_end(&writer, 0), OK);
    assert_int_equal(maker_verify(writer.fd, text, sizeof(text)), ERR_SHORT);
    close(writer.fd);
    begin(&writer, true);
    maker_write_shard(&writer, 0);
    maker_write_shard(&writer, 0);
    assert_int_equal(maker_verify(writer.fd, text, sizeof(text)), ERR_SHARD);
    close(writer.fd);
}

/* Frames whose checksums hold, and a state that is not what the shard says. */
static void test_shard_of_another_content_is_refused(void **state)
{
    (void)state;
    uint8_t body[BACKUP_BODY_BYTES_MAX];
    size_t size;
    uint8_t *stream = maker_stream(0, &size);
    for (int fault = 0; fault < 3; fault++) {
        struct backup_writer writer;
        begin(&writer, true);
        struct backup_shard described = maker_shard(0, stream, size);
        described.content_crc ^= fault == 0;
        described.keys += fault == 1;
        described.index += fault == 2;
        struct backup_frame frame = {.kind = BACKUP_SHARD};
        frame.body = span_of(body, backup_shard_encode(&described, body));
        assert_int_equal(backup_write_frame(&writer, &frame), OK);
        frame = (struct backup_frame){.kind = BACKUP_BLOCK};
        frame.body = span_of(stream, SNAPSHOT_BLOCK_BYTES);
        assert_int_equal(backup_write_frame(&writer, &frame), OK);
        frame = (struct backup_frame){.kind = BACKUP_BLOCK, .block = 1};
        frame.body = span_of(stream + SNAPSHOT_BLOCK_BYTES, size - SNAPSHOT_BLOCK_BYTES);
        assert_int_equal(backup_write_frame(&writer, &frame), OK);
        assert_int_equal(maker_verify(writer.fd, text, sizeof(text)), ERR_CORRUPT);
        close(writer.fd);
    }
    free(stream);
}

/* What a stream may be of is told by its items, whatever the chunks. */
static void test_stream_that_is_none_is_refused(void **state)
{
    (void)state;
    size_t size;
    uint8_t *whole = maker_stream(0, &size);
    struct backup_stream stream;
    assert_true(backup_stream_init(&stream, NULL));
    assert_int_equal(backup_stream_read(&stream, span_of(whole, size)), OK);
    assert_int_equal(backup_stream_end(&stream), OK);
    assert_int_equal(backup_stream_read(&stream, span_of(whole, 8)), ERR_TRAILING);
    backup_stream_begin(&stream);
    for (size_t at = 0; at < size - 1; at++)
        assert_int_equal(backup_stream_read(&stream, span_of(whole + at, 1)), OK);
    assert_int_equal(backup_stream_end(&stream), ERR_SHORT);
    backup_stream_begin(&stream);
    whole[SNAPSHOT_ITEM_HEADER_BYTES + 8]++;
    assert_int_equal(backup_stream_read(&stream, span_of(whole, size)), ERR_VERSION);
    backup_stream_begin(&stream);
    whole[0] = SNAPSHOT_ENTRY;
    assert_int_equal(backup_stream_read(&stream, span_of(whole, size)), ERR_MAGIC);
    backup_stream_deinit(&stream);
    free(whole);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_backup_that_is_whole_is_whole),
        cmocka_unit_test(test_backup_with_a_flipped_bit_is_refused_at_its_frame),
        cmocka_unit_test(test_backup_that_ends_early_is_refused),
        cmocka_unit_test(test_backup_with_bytes_behind_its_end_is_refused),
        cmocka_unit_test(test_frame_at_another_place_is_refused),
        cmocka_unit_test(test_shard_that_was_dropped_counts_for_nothing),
        cmocka_unit_test(test_file_goes_back_to_a_mark),
        cmocka_unit_test(test_shard_that_comes_twice_or_not_at_all_is_refused),
        cmocka_unit_test(test_shard_of_another_content_is_refused),
        cmocka_unit_test(test_stream_that_is_none_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
