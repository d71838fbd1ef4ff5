/*
 * What one durable append costs: log_append of a payload and one persist that is waited for, record
 * after record. Fixed work: `appends` of each size. Prints the medium, nanoseconds an append (mean
 * without a clock in the loop, then p50, p99 and max with one), and a checksum of what was read
 * back.
 *
 * Usage: pmem_append [appends a size [directory]]
 * Persistent memory is emulated with PMEM2_FORCE_GRANULARITY=CACHE_LINE on /dev/shm, the default
 * directory, and named so; without that variable the medium is an ordinary file with a real sync.
 */
#include "base/crc32c.h"
#include "base/le.h"
#include "base/limits.h"
#include "pmem/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define APPENDS_UNSET 100000
#define APPENDS_MAX   UINT64_C(10000000)

static const uint32_t sizes[] = {16, 64, 256, 1024, 4096};

struct figures {
    uint64_t appends;
    uint64_t mean_ns;
    uint64_t *each_ns;
    uint32_t checksum;
};

static uint64_t clock_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void need(enum error error, const char *what)
{
    if (error != OK) {
        (void)fprintf(stderr, "pmem_append: %s: %s\n", error_name(error), what);
        exit(EXIT_FAILURE);
    }
}

static int compare(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left;
    uint64_t b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

static void append_durably(struct log *log, uint32_t size_bytes)
{
    static uint8_t payload[4096];
    struct medium *medium = log_medium(log);
    uint64_t index = log_last_index(log) + 1;
    uint64_t ticket = 0;
    uint64_t durable_index = 0;
    le64_store(payload, index);
    const struct log_record record = {.index = index,
                                      .term = 1,
                                      .commit_index = index - 1,
                                      .kind = 2,
                                      .payload = span_of(payload, size_bytes)};
    need(log_append(log, &record), "append");
    if (medium_granularity(medium) == MEDIUM_PAGE)
        need(medium_persist_wait(medium), "sync");
    else
        (void)log_persist(log);
    need(log_persisted(log, &ticket, &durable_index), "persisted");
}

static uint32_t log_checksum(const struct log *log)
{
    uint32_t checksum = 0;
    for (uint64_t index = 1; index <= log_last_index(log); index++) {
        struct log_record record;
        log_read(log, index, &record);
        checksum = crc32c(checksum, record.payload.data, record.payload.size_bytes);
    }
    return checksum;
}

/* Half of the work without a clock in the loop, half with one. */
static void measure(struct log *log, uint32_t size_bytes, struct figures *ret_figures)
{
    uint64_t half = ret_figures->appends / 2;
    uint64_t begin_ns = clock_ns();
    for (uint64_t i = 0; i < half; i++)
        append_durably(log, size_bytes);
    ret_figures->mean_ns = (clock_ns() - begin_ns) / half;
    for (uint64_t i = 0; i < half; i++) {
        begin_ns = clock_ns();
        append_durably(log, size_bytes);
        ret_figures->each_ns[i] = clock_ns() - begin_ns;
    }
    qsort(ret_figures->each_ns, half, sizeof(uint64_t), compare);
    ret_figures->checksum = log_checksum(log);
}

static void size_run(const char *directory, uint32_t size_bytes, struct figures *figures)
{
    char path[256];
    struct arena arena;
    struct log *log = NULL;
    struct log_recovery recovery;
    uint64_t half = figures->appends / 2;
    (void)snprintf(path, sizeof(path), "%s/pollux-pmem-append-%ld", directory, (long)getpid());
    const struct log_options options = {
        .path = path,
        .size_bytes =
            16384 + (log_record_room_bytes(size_bytes) * figures->appends + 4095) / 4096 * 4096,
        .is_created = true,
        .identity = {.cluster_id = 1, .node = 1, .shard = 0}};

    need(arena_init(&arena, log_arena_bytes(options.size_bytes)), "arena");
    need(log_open(&options, &arena, &log, &recovery), recovery.note);
    const struct medium *medium = log_medium(log);
    measure(log, size_bytes, figures);
    printf("%s%s%s, %4u B: %" PRIu64 " ns an append, p50 %" PRIu64 " p99 %" PRIu64 " max %" PRIu64
           " ns, %" PRIu64 " appends, checksum %08" PRIx32 "\n",
           medium_granularity_name(medium_granularity(medium)),
           medium_is_emulated(medium) ? " (emulated)" : "",
           medium_is_volatile(medium) ? " (volatile)" : "", size_bytes, figures->mean_ns,
           figures->each_ns[half / 2], figures->each_ns[half * 99 / 100],
           figures->each_ns[half - 1], figures->appends, figures->checksum);
    log_close(log);
    arena_deinit(&arena);
    (void)unlink(path);
}

int main(int argc, char **argv)
{
    struct figures figures = {.appends = argc > 1 ? strtoull(argv[1], NULL, 10) : APPENDS_UNSET};
    const char *directory = argc > 2 ? argv[2] : "/dev/shm";
    if (figures.appends < 2 || figures.appends > APPENDS_MAX) {
        (void)fprintf(stderr, "usage: pmem_append [appends a size (2 to 10000000) [directory]]\n");
        return EXIT_FAILURE;
    }
    figures.each_ns = calloc(figures.appends, sizeof(*figures.each_ns));
    if (figures.each_ns == NULL)
        return EXIT_FAILURE;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
        size_run(directory, sizes[i], &figures);
    free(figures.each_ns);
    return EXIT_SUCCESS;
}
