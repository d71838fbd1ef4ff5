/*
 * The limit of sessions, for tests/cluster/sessions: as many handles as the cluster allows write
 * and stay; one more is refused for longer than an idle session lives, and gets in when one has
 * left.
 *
 * usage: sessions SERVERS CLUSTER SESSIONS_MAX LIFETIME_MS
 */
#include "client/include/pollux.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define HANDLES_MAX   16
#define MILLISECOND   UINT64_C(1000000)
#define KEEP_ALIVE_NS (300 * MILLISECOND)
#define TRY_NS        (300 * MILLISECOND)
#define POLL_NS       (10 * MILLISECOND)

static struct plx_client *handles[HANDLES_MAX];

static uint64_t clock_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 * MILLISECOND + (uint64_t)now.tv_nsec;
}

static bool open_all(const struct plx_options *options, int count)
{
    char reason[256];
    for (int i = 0; i < count; i++) {
        if (plx_open(options, &handles[i], reason, sizeof(reason)) != PLX_OK) {
            fprintf(stderr, "sessions: %s\n", reason);
            return false;
        }
    }
    return true;
}

/* How many of the handles can write. */
static int count_writers(int count)
{
    const struct plx_call call = {.timeout_ns = 5000 * MILLISECOND};
    int good = 0;
    for (int i = 0; i < count; i++)
        good += plx_set(handles[i], plx_text("sessions/key"), plx_text("value"), &call).outcome ==
                PLX_OK;
    return good;
}

static uint64_t count_sessions(int count)
{
    uint64_t sessions = 0;
    for (int i = 0; i < count; i++) {
        struct plx_statistics statistics;
        plx_statistics(handles[i], &statistics);
        sessions += statistics.sessions;
    }
    return sessions;
}

/* Tries to get one more in for that long, while the others are at work. False: it was let in. */
static bool is_refused(int count, uint64_t lifetime_ns, int *ret_tries)
{
    const struct plx_call call = {.timeout_ns = TRY_NS};
    uint64_t end_ns = clock_ns() + lifetime_ns;
    *ret_tries = 0;
    while (clock_ns() < end_ns) {
        struct plx_response response =
            plx_set(handles[count], plx_text("sessions/over"), plx_text("value"), &call);
        if (response.outcome != PLX_E_OVERLOADED)
            return false;
        ++*ret_tries;
        for (int i = 0; i < count; i++)
            (void)plx_poll(handles[i], POLL_NS);
    }
    return true;
}

static int run(int count, uint64_t lifetime_ns)
{
    int tries;
    int before = count_writers(count);
    bool is_full = is_refused(count, lifetime_ns, &tries);
    int after = count_writers(count);
    uint64_t sessions = count_sessions(count);
    plx_close(handles[0]);
    handles[0] = NULL;
    enum plx_outcome outcome = plx_set(handles[count], plx_text("sessions/over"), plx_text("value"),
                                       &(struct plx_call){.timeout_ns = 5000 * MILLISECOND})
                                   .outcome;
    printf("writers=%d refused=%d writers_then=%d sessions=%lu next=%s\n", before,
           is_full ? tries : -1, after, (unsigned long)sessions, plx_outcome_name(outcome));
    return before == count && is_full && tries > 0 && after == count &&
                   sessions == (uint64_t)count && outcome == PLX_OK
               ? EXIT_SUCCESS
               : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    struct plx_options options;
    if (argc != 5)
        return EXIT_FAILURE;
    int count = (int)strtol(argv[3], NULL, 10);
    if (count < 1 || count >= HANDLES_MAX)
        return EXIT_FAILURE;
    plx_options_init(&options);
    options.endpoints = argv[1];
    options.cluster = argv[2];
    options.keep_alive_ns = KEEP_ALIVE_NS;
    if (!open_all(&options, count + 1))
        return EXIT_FAILURE;
    int status = run(count, strtoull(argv[4], NULL, 10) * MILLISECOND);
    for (int i = 0; i <= count; i++)
        plx_close(handles[i]);
    return status;
}
