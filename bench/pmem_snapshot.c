/*
 * What a snapshot costs: a stream of `megabytes` handed over by this thread, as a lane does it, and
 * written, synced and read back by the thread of the snapshots. Once with bytes that LZ4 cannot
 * shorten, once with records of small numbers. Prints the medium; the megabytes a second up to the
 * end of the handing over, up to the good snapshot, and of reading all blocks; the microseconds of
 * processor time that the other threads took for one block; the nanoseconds that handing over one
 * block took (mean, p50, p99, max; of the first 16 blocks on their own, whose memory is touched for
 * the first time); and the checksum of the contents.
 *
 * Usage: pmem_snapshot [megabytes [directory]]
 * Persistent memory is emulated with PMEM2_FORCE_GRANULARITY=CACHE_LINE on /dev/shm, the default
 * directory, and named so; without that variable the medium is an ordinary file with real syncs.
 */
#include "base/le.h"
#include "base/limits.h"
#include "base/prng.h"
#include "pmem/snapshots.h"

#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define MEGABYTES_UNSET 256
#define MEGABYTES_MAX   UINT64_C(65536)
#define MEGABYTE        UINT64_C(1000000)
#define BLOCKS_FIRST    SNAPSHOT_RING_BLOCKS
#define PATTERNS        64u /* blocks of bytes to choose from */

struct bench {
    const char *directory;
    uint64_t stream_bytes;
    uint32_t blocks;
    uint8_t *patterns;
    uint64_t *each_ns;
    uint64_t others_ns;
    struct arena arena;
    struct snapshots *snapshots;
};

static uint64_t clock_of_ns(clockid_t clock)
{
    struct timespec now;
    (void)clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static uint64_t clock_ns(void)
{
    return clock_of_ns(CLOCK_MONOTONIC);
}

/* Processor time of the other threads. */
static uint64_t others_ns(void)
{
    return clock_of_ns(CLOCK_PROCESS_CPUTIME_ID) - clock_of_ns(CLOCK_THREAD_CPUTIME_ID);
}

static void need(enum error error, const char *what)
{
    if (error != OK) {
        (void)fprintf(stderr, "pmem_snapshot: %s: %s\n", error_name(error), what);
        exit(EXIT_FAILURE);
    }
}

static int compare(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left;
    uint64_t b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

static void patterns_fill(struct bench *bench, bool is_random)
{
    struct prng prng;
    prng_init(&prng, 1);
    for (size_t at = 0; at + 8 <= PATTERNS * (size_t)SNAPSHOT_BLOCK_BYTES; at += 8) {
        uint64_t word = prng_next(&prng);
        le64_store(bench->patterns + at, is_random ? word : at % 32 == 0 ? word % 100000 : at / 32);
    }
}

static void bench_open(struct bench *bench, const char *path)
{
    struct snapshots_recovery recovery;
    const struct snapshots_options options = {.path = path,
                                              .size_bytes =
                                                  snapshots_file_bytes(bench->stream_bytes),
                                              .identity = {.cluster_id = 1, .node = 1}};
    need(arena_init(&bench->arena, snapshots_arena_bytes(&options)), "arena");
    need(snapshots_open(&options, &bench->arena, &bench->snapshots, &recovery), recovery.note);
}

static void bench_close(struct bench *bench, const char *path)
{
    snapshots_close(bench->snapshots);
    arena_deinit(&bench->arena);
    for (uint32_t file = 0; file < SNAPSHOT_FILES; file++) {
        char file_path[SNAPSHOT_PATH_SIZE];
        if (snapshots_file_path(path, file, file_path))
            (void)unlink(file_path);
    }
}

static void hand_over(struct bench *bench)
{
    const struct snapshot_label label = {.id = 1, .index = 1, .term = 1};
    need(snapshots_write_begin(bench->snapshots, &label), "begin");
    for (uint32_t i = 0; i < bench->blocks; i++) {
        const uint8_t *bytes = bench->patterns + i % PATTERNS * (size_t)SNAPSHOT_BLOCK_BYTES;
        while (snapshots_room_bytes(bench->snapshots) < SNAPSHOT_BLOCK_BYTES)
            sched_yield();
        uint64_t begin_ns = clock_ns();
        need(snapshots_write(bench->snapshots, span_of(bytes, SNAPSHOT_BLOCK_BYTES)), "write");
        bench->each_ns[i] = clock_ns() - begin_ns;
    }
    snapshots_write_end(bench->snapshots);
}

static struct snapshot_info become_good(struct bench *bench)
{
    struct snapshots_progress progress;
    do { /* the blocks, and the syncs */
        sched_yield();
        snapshots_poll(bench->snapshots, &progress);
    } while (progress.state == SNAPSHOTS_BUSY);
    need(progress.error, "snapshot");
    return progress.info;
}

static void read_all(struct bench *bench, const struct snapshot_info *info)
{
    static uint8_t block[SNAPSHOT_BLOCK_BYTES];
    struct span raw;
    for (uint32_t i = 0; i < info->block_count; i++)
        need(snapshots_read_block(bench->snapshots, info->generation, i, block, &raw), "read");
}

static uint64_t mean_ns(const uint64_t *each_ns, uint32_t count)
{
    uint64_t sum_ns = 0;
    for (uint32_t i = 0; i < count; i++)
        sum_ns += each_ns[i];
    return count == 0 ? 0 : sum_ns / count;
}

static void figures_print(const struct bench *bench, const char *what, const uint64_t *times_ns,
                          uint32_t checksum)
{
    double megabytes = (double)bench->stream_bytes / (double)MEGABYTE;
    uint32_t first = bench->blocks < BLOCKS_FIRST ? bench->blocks : BLOCKS_FIRST;
    uint32_t count = bench->blocks - first;
    uint64_t *rest_ns = bench->each_ns + first;
    uint64_t first_ns = mean_ns(bench->each_ns, first);
    uint64_t rest_mean_ns = mean_ns(rest_ns, count);
    qsort(rest_ns, count, sizeof(*rest_ns), compare);
    printf("%-12s %5.0f MB: handed over %5.0f MB/s, good %5.0f MB/s, read %5.0f MB/s; threads "
           "%.1f us a block; a block %" PRIu64 " ns (p50 %" PRIu64 " p99 %" PRIu64 " max %" PRIu64
           "; first %u: %" PRIu64 "); checksum %08" PRIx32 "\n",
           what, megabytes, megabytes * 1e9 / (double)(times_ns[1] - times_ns[0]),
           megabytes * 1e9 / (double)(times_ns[2] - times_ns[0]),
           megabytes * 1e9 / (double)(times_ns[3] - times_ns[2]),
           (double)bench->others_ns / 1e3 / bench->blocks, rest_mean_ns,
           count == 0 ? 0 : rest_ns[count / 2], count == 0 ? 0 : rest_ns[count * 99 / 100],
           count == 0 ? 0 : rest_ns[count - 1], first, first_ns, checksum);
}

static void medium_print(const char *path, size_t size_bytes)
{
    char reason[256] = "";
    struct medium *medium = NULL;
    const struct medium_options options = {
        .path = path, .size_bytes = size_bytes, .is_created = true};
    need(medium_open(&options, &medium, reason, sizeof(reason)), reason);
    printf("%s%s%s\n", medium_granularity_name(medium_granularity(medium)),
           medium_is_emulated(medium) ? " (emulated)" : "",
           medium_is_volatile(medium) ? " (volatile)" : "");
    medium_close(medium);
    (void)unlink(path);
}

static void kind_run(struct bench *bench, bool is_random)
{
    char path[256];
    uint64_t times_ns[4];
    (void)snprintf(path, sizeof(path), "%s/pollux-pmem-snapshot-%ld", bench->directory,
                   (long)getpid());
    patterns_fill(bench, is_random);
    bench_open(bench, path);
    uint64_t others_before_ns = others_ns();
    times_ns[0] = clock_ns();
    hand_over(bench);
    times_ns[1] = clock_ns();
    const struct snapshot_info info = become_good(bench);
    times_ns[2] = clock_ns();
    bench->others_ns = others_ns() - others_before_ns;
    read_all(bench, &info);
    times_ns[3] = clock_ns();
    figures_print(bench, is_random ? "random" : "compressible", times_ns, info.content_crc);
    bench_close(bench, path);
}

int main(int argc, char **argv)
{
    char path[256];
    uint64_t megabytes = argc > 1 ? strtoull(argv[1], NULL, 10) : MEGABYTES_UNSET;
    struct bench bench = {.directory = argc > 2 ? argv[2] : "/dev/shm"};
    if (megabytes < 1 || megabytes > MEGABYTES_MAX) {
        (void)fprintf(stderr, "usage: pmem_snapshot [megabytes (1 to 65536) [directory]]\n");
        return EXIT_FAILURE;
    }
    bench.blocks = (uint32_t)(megabytes * MEGABYTE / SNAPSHOT_BLOCK_BYTES);
    bench.stream_bytes = (uint64_t)bench.blocks * SNAPSHOT_BLOCK_BYTES;
    bench.patterns = malloc(PATTERNS * (size_t)SNAPSHOT_BLOCK_BYTES);
    bench.each_ns = calloc(bench.blocks, sizeof(*bench.each_ns));
    if (bench.patterns == NULL || bench.each_ns == NULL)
        return EXIT_FAILURE;
    (void)snprintf(path, sizeof(path), "%s/pollux-pmem-medium-%ld", bench.directory,
                   (long)getpid());
    medium_print(path, 4096);
    kind_run(&bench, true);
    kind_run(&bench, false);
    free(bench.patterns);
    free(bench.each_ns);
    return EXIT_SUCCESS;
}
