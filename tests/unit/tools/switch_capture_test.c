/* The pcap writer: bytes of the file, its limit, and where it cannot write. */
#include "tools/switch/capture.h"

#include "base/le.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

static char dir[] = "/tmp/pollux-capture-XXXXXX";
static char path[64];

static int setup(void **state)
{
    (void)state;
    if (mkdtemp(dir) == NULL) {
        return -1;
    }
    snprintf(path, sizeof(path), "%s/a.pcap", dir);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    (void)unlink(path);
    return rmdir(dir);
}

static size_t read_file(uint8_t *to, size_t room)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t size = fread(to, 1, room, file);
    fclose(file);
    return size;
}

static void test_capture_writes_pcap_with_nanoseconds(void **state)
{
    (void)state;
    uint8_t bytes[256];
    const uint8_t frame[60] = {1, 2, 3};
    struct capture capture = {0};
    assert_int_equal(capture_open(&capture, path, 1000, 5000000000), OK);
    capture_write(&capture, 2000000007, span_of(frame, sizeof(frame)));
    assert_int_equal(capture_close(&capture), OK);
    assert_int_equal(read_file(bytes, sizeof(bytes)), 24 + 16 + 60);
    assert_int_equal(le32_load(bytes), 0xa1b23c4d);
    assert_int_equal(le16_load(bytes + 4), 2);
    assert_int_equal(le16_load(bytes + 6), 4);
    assert_int_equal(le32_load(bytes + 20), 1);
    assert_int_equal(le32_load(bytes + 24), 7);
    assert_int_equal(le32_load(bytes + 28), 7);
    assert_int_equal(le32_load(bytes + 32), 60);
    assert_memory_equal(bytes + 40, frame, sizeof(frame));
}

static void test_capture_stops_at_its_limit(void **state)
{
    (void)state;
    uint8_t bytes[512];
    const uint8_t frame[60] = {0};
    struct capture capture = {0};
    assert_int_equal(capture_open(&capture, path, 24 + 2 * 76, 0), OK);
    for (uint64_t i = 0; i < 5; i++) {
        capture_write(&capture, i, span_of(frame, sizeof(frame)));
    }
    assert_int_equal(capture.written_packets, 2);
    assert_int_equal(capture.skipped_packets, 3);
    assert_int_equal(capture_close(&capture), OK);
    assert_int_equal(read_file(bytes, sizeof(bytes)), 24 + 2 * 76);
}

static void test_capture_is_off_without_a_file(void **state)
{
    (void)state;
    const uint8_t frame[60] = {0};
    struct capture capture = {0};
    capture_write(&capture, 1, span_of(frame, sizeof(frame)));
    assert_int_equal(capture.written_packets + capture.skipped_packets, 0);
    assert_int_equal(capture_close(&capture), OK);
}

static void test_capture_reports_what_it_cannot_write(void **state)
{
    (void)state;
    struct capture capture = {0};
    const uint8_t frame[1000] = {0};
    assert_int_equal(capture_open(&capture, "/nonexistent/a.pcap", 1000, 0), ERR_IO);
    assert_null(capture.file);
    assert_int_equal(capture_open(&capture, "/dev/full", 1000000, 0), OK);
    capture_write(&capture, 1, span_of(frame, sizeof(frame)));
    assert_int_equal(capture_close(&capture), ERR_IO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_capture_writes_pcap_with_nanoseconds),
        cmocka_unit_test(test_capture_stops_at_its_limit),
        cmocka_unit_test(test_capture_is_off_without_a_file),
        cmocka_unit_test(test_capture_reports_what_it_cannot_write),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
