/*
 * The limit of sessions, for tests/cluster/sessions: as many handles as the cluster allows write
 * and go on writing; one more is refused for longer than an idle session lives, and gets in when
 * one has left. When all are idle for that long, their sessions end: others get in, and those that
 * were idle write on in new sessions.
 *
 * usage: sessions SERVERS CLUSTER SESSIONS_MAX LIFETIME_MS
 *        sessions SERVERS CLUSTER hold
 *
 * The second form writes, keeps a write open, says so, and waits to be killed.
 */
#include "client/include/pollux.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define HANDLES_MAX 16
#define MILLISECOND UINT64_C(1000000)
#define TRY_NS      (300 * MILLISECOND)
#define POLL_NS     (10 * MILLISECOND)

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

/* Waits for a new leader, under whom an idle session lives as long as one that was just used. */
static bool can_write(struct plx_client *handle)
{
    const struct plx_call call = {.timeout_ns = 15000 * MILLISECOND};
    return plx_set(handle, plx_text("sessions/key"), plx_text("value"), &call).outcome == PLX_OK;
}

/* How many of the handles can write. */
static int count_writers(int count)
{
    int good = 0;
    for (int i = 0; i < count; i++)
        good += can_write(handles[i]);
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
        /* Out of time on a slow machine: it was neither refused nor let in. */
        if (response.outcome != PLX_E_SESSIONS && response.outcome != PLX_TIMEOUT)
            return false;
        *ret_tries += response.outcome == PLX_E_SESSIONS;
        if (count_writers(count) != count)
            return false;
    }
    return true;
}

/* All but the first were idle for that long: it gets in, and another one writes on. */
static bool idle_make_room(const struct plx_options *options, int count, uint64_t lifetime_ns)
{
    struct plx_statistics statistics;
    uint64_t end_ns = clock_ns() + lifetime_ns;
    while (clock_ns() < end_ns) {
        for (int i = 1; i <= count; i++)
            (void)plx_poll(handles[i], POLL_NS);
    }
    if (!open_all(options, 1) || !can_write(handles[0]) || !can_write(handles[1]))
        return false;
    plx_statistics(handles[1], &statistics);
    return statistics.sessions == 2;
}

static int run(const struct plx_options *options, int count, uint64_t lifetime_ns)
{
    int tries;
    int before = count_writers(count);
    bool is_full = is_refused(count, lifetime_ns, &tries);
    int after = count_writers(count);
    uint64_t sessions = count_sessions(count);
    plx_close(handles[0]);
    handles[0] = NULL;
    bool is_in = can_write(handles[count]);
    bool has_room = idle_make_room(options, count, lifetime_ns);
    printf("writers=%d refused=%d writers_then=%d sessions=%lu next=%d after_idle=%d\n", before,
           is_full ? tries : -1, after, (unsigned long)sessions, is_in, has_room);
    return before == count && is_full && tries > 0 && after == count &&
                   sessions == (uint64_t)count && is_in && has_room
               ? EXIT_SUCCESS
               : EXIT_FAILURE;
}

static void on_end(void *context, const struct plx_response *response)
{
    (void)response;
    *(bool *)context = true;
}

/* Its session has a write that was never told to be over: nothing else is turned after it. */
static int hold(const struct plx_options *options)
{
    bool is_done = false;
    if (!open_all(options, 1) || !can_write(handles[0]))
        return EXIT_FAILURE;
    const struct plx_op op = {.type = PLX_OP_SET,
                              .key = plx_text("sessions/held"),
                              .value = plx_text("value"),
                              .call = {.timeout_ns = UINT64_MAX},
                              .done = on_end,
                              .context = &is_done};
    if (plx_submit(handles[0], &op) != PLX_OK)
        return EXIT_FAILURE;
    (void)plx_poll(handles[0], 0);
    printf("held\n");
    fflush(stdout);
    pause();
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    struct plx_options options;
    if (argc == 4 && strcmp(argv[3], "hold") == 0) {
        plx_options_init(&options);
        options.endpoints = argv[1];
        options.cluster = argv[2];
        return hold(&options);
    }
    if (argc != 5)
        return EXIT_FAILURE;
    int count = (int)strtol(argv[3], NULL, 10);
    if (count < 1 || count >= HANDLES_MAX)
        return EXIT_FAILURE;
    plx_options_init(&options);
    options.endpoints = argv[1];
    options.cluster = argv[2];
    if (!open_all(&options, count + 1))
        return EXIT_FAILURE;
    int status = run(&options, count, strtoull(argv[4], NULL, 10) * MILLISECOND);
    for (int i = 0; i <= count; i++)
        plx_close(handles[i]);
    return status;
}
