/* What a data directory lies on, by a file that is made for the question: see data_directory.h. */
#include "server/data_directory.h"
#include "server/node_files.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

/* Syncs that are timed, and the time after which no other is begun. */
#define PROBES_MAX    5
#define PROBES_NS_MAX UINT64_C(200000000)

static uint64_t probe_clock_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static enum error measure(struct medium *medium, uint64_t *ret_shortest_ns)
{
    uint64_t shortest_ns = UINT64_MAX;
    uint64_t first_ns = probe_clock_ns();
    for (uint64_t i = 0; i < PROBES_MAX && probe_clock_ns() - first_ns < PROBES_NS_MAX; i++) {
        uint64_t begun_ns = probe_clock_ns();
        medium_write_word(medium, 0, i);
        enum error error = medium_persist_wait(medium);
        if (error != OK)
            return error;
        uint64_t sync_ns = probe_clock_ns() - begun_ns;
        shortest_ns = sync_ns < shortest_ns ? sync_ns : shortest_ns;
    }
    *ret_shortest_ns = shortest_ns;
    return OK;
}

enum error data_directory_probe(const struct config *config, struct data_directory_probe *ret_probe,
                                char ret_text[DATA_DIRECTORY_TEXT_BYTES])
{
    char path[NODE_FILE_NAME_BYTES];
    struct medium *medium;
    uint64_t sync_ns = 0;
    snprintf(path, sizeof(path), "%s/probe.tmp-%ld", config->directory, (long)getpid());
    const struct medium_options options = {
        .path = path, .size_bytes = NODE_IDENTITY_FILE_BYTES, .is_created = true};
    enum error error = medium_open(&options, &medium, ret_text, DATA_DIRECTORY_TEXT_BYTES);
    if (error != OK)
        return error;
    error = measure(medium, &sync_ns);
    if (error != OK)
        snprintf(ret_text, DATA_DIRECTORY_TEXT_BYTES, "%.200s: a sync failed; check the medium",
                 path);
    else
        *ret_probe = (struct data_directory_probe){.medium = medium_kind(medium),
                                                   .is_volatile = medium_is_volatile(medium),
                                                   .sync_ns = sync_ns};
    medium_close(medium);
    (void)unlink(path);
    return error;
}
