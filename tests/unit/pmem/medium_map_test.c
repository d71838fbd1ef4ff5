/*
 * A medium is mapped without a moment in which its place belongs to nobody: a mapping at a fixed
 * address that fails leaves such a hole, and what another thread maps then is mapped over. This
 * program stands in for mmap, for itself and for libpmem2, and sees each failure.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "pmem/medium.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FILE_BYTES ((size_t)1024 * 1024)

static _Atomic uint32_t maps_of_files;
static _Atomic uint32_t holes;

/* The library calls the function by its plain name, this program by that with large offsets. */
void *mmap_of_library(void *address, size_t size_bytes, int protection, int flags, int fd,
                      long offset) __asm__("mmap");

void *mmap(void *address, size_t size_bytes, int protection, int flags, int fd, off_t offset)
{
    void *data = (void *)syscall(SYS_mmap, address, size_bytes, protection, flags, fd, offset);
    maps_of_files += fd >= 0 && data != MAP_FAILED;
    holes += (flags & MAP_FIXED) != 0 && data == MAP_FAILED;
    return data;
}

void *mmap_of_library(void *address, size_t size_bytes, int protection, int flags, int fd,
                      long offset)
{
    return mmap(address, size_bytes, protection, flags, fd, offset);
}

static void map_one(void)
{
    char path[] = "/var/tmp/pollux-medium-XXXXXX";
    char reason[256] = "";
    int file = mkstemp(path);
    assert_true(file >= 0);
    assert_int_equal(ftruncate(file, (off_t)FILE_BYTES), 0);
    close(file);
    const struct medium_options options = {.path = path};
    struct medium *medium;
    assert_int_equal(medium_open(&options, &medium, reason, sizeof(reason)), OK);
    assert_int_equal(medium_size_bytes(medium), FILE_BYTES);
    medium_write(medium, FILE_BYTES - 4, "last", 4);
    assert_memory_equal(medium_data(medium) + FILE_BYTES - 4, "last", 4);
    medium_close(medium);
    unlink(path);
}

static void test_medium_map_leaves_no_hole(void **state)
{
    (void)state;
    unsetenv("PMEM2_FORCE_GRANULARITY");
    map_one();
    assert_true(maps_of_files > 0);
    assert_int_equal(holes, 0);
}

static void test_medium_map_leaves_no_hole_when_emulated(void **state)
{
    (void)state;
    setenv("PMEM2_FORCE_GRANULARITY", "CACHE_LINE", 1);
    map_one();
    unsetenv("PMEM2_FORCE_GRANULARITY");
    assert_int_equal(holes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_medium_map_leaves_no_hole),
        cmocka_unit_test(test_medium_map_leaves_no_hole_when_emulated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
