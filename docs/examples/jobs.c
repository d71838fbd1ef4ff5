/*
 * Runs numbered jobs, each once, however many runners there are and whichever of them die.
 * usage: jobs ENDPOINTS CLUSTER NAME JOBS
 *
 * The key of a job says what has become of it: absent, nobody has begun it; "run NAME", the runner
 * of that name has it; "done NAME". A runner that is started again under its name goes on with what
 * it had. Prints a line for each job that it runs.
 */
#include "client/include/pollux.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum job { JOB_MINE, JOB_NOT_MINE, JOB_UNDECIDED };

/* Blocks until the outcome is known: nobody waits for a job that is late. */
static const struct plx_call patient = {.is_blocking = true};

static bool is_text(struct plx_bytes value, const char *text)
{
    return value.size_bytes == strlen(text) && memcmp(value.data, text, value.size_bytes) == 0;
}

/* Has the job, or learns who has it: a swap decides, and its mismatch says what is stored. */
static enum job claim(struct plx_client *client, struct plx_bytes key, const char *mine)
{
    struct plx_response response = plx_swap(client, key, plx_text(mine), PLX_ABSENT, &patient);
    if (response.outcome == PLX_OK)
        return JOB_MINE;
    if (response.outcome != PLX_MISMATCH)
        return JOB_UNDECIDED;
    if (response.has_value && response.value.data == NULL) /* stored, but not told */
        response = plx_get(client, key, &patient);
    return response.has_value && is_text(response.value, mine) ? JOB_MINE : JOB_NOT_MINE;
}

static enum plx_outcome run_job(struct plx_client *client, const char *name, long number)
{
    char key[32];
    char mine[64];
    char done[64];
    snprintf(key, sizeof(key), "jobs/%ld", number);
    snprintf(mine, sizeof(mine), "run %s", name);
    snprintf(done, sizeof(done), "done %s", name);
    enum job job = claim(client, plx_text(key), mine);
    if (job != JOB_MINE)
        return job == JOB_NOT_MINE ? PLX_OK : PLX_E_OVERLOADED;
    printf("%ld %s\n", number, name); /* ... the work; it must bear being begun twice ... */
    fflush(stdout);
    return plx_swap(client, plx_text(key), plx_text(done), plx_text(mine), &patient).outcome;
}

int main(int argc, char **argv)
{
    struct plx_options options;
    struct plx_client *client;
    char reason[256];
    if (argc != 5)
        return 2;
    plx_options_init(&options);
    options.endpoints = argv[1];
    options.cluster = argv[2];
    if (plx_open(&options, &client, reason, sizeof(reason)) != PLX_OK) {
        fprintf(stderr, "jobs: %s\n", reason);
        return 1;
    }
    enum plx_outcome outcome = PLX_OK;
    long count = strtol(argv[4], NULL, 10);
    for (long i = 0; i < count && (outcome == PLX_OK || outcome == PLX_MISMATCH); i++)
        outcome = run_job(client, argv[3], i);
    if (outcome != PLX_OK && outcome != PLX_MISMATCH)
        fprintf(stderr, "jobs: %s\n", plx_outcome_text(outcome));
    plx_close(client);
    return outcome == PLX_OK || outcome == PLX_MISMATCH ? 0 : 1;
}
