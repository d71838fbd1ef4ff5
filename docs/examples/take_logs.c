/*
 * Takes lines of a log, processes them, and confirms. usage: take_logs ENDPOINTS CLUSTER
 *
 * Each line is handed out once, however many callers there are. A caller that dies before it
 * confirms gives its lines back when the lease is over.
 */
#include "client/include/pollux_logs.h"

#include <inttypes.h>
#include <stdio.h>

static const char text[] = "2026-01-31T10:00:00Z started\n"
                           "2026-01-31T10:00:01Z one client\n"
                           "2026-01-31T10:00:01Z another client in the same second\n"
                           "2026-01-31T10:00:02Z still being writ"; /* no newline: is left */

int main(int argc, char **argv)
{
    struct plx_options options;
    struct plx_client *client;
    char reason[256];
    if (argc != 3)
        return 2;
    plx_options_init(&options);
    options.endpoints = argv[1];
    options.cluster = argv[2];
    if (plx_open(&options, &client, reason, sizeof(reason)) != PLX_OK) {
        fprintf(stderr, "take_logs: %s\n", reason);
        return 1;
    }

    const struct plx_logs_how how = {.timeout_ns = UINT64_C(2000000000),
                                     .lease_ns = UINT64_C(30000000000)};
    struct plx_logs_result taken =
        plx_logs_take_text(client, "web1", plx_text(text), PLX_LOGS_RFC3339, &how);
    enum plx_outcome outcome = taken.outcome;
    if (taken.outcome != PLX_OK) {
        printf("nothing taken: %s, line %zu\n", plx_outcome_text(taken.outcome), taken.line);
    } else if (taken.is_leased) {
        printf("somebody else has a lease for %" PRIu64 " ms more\n",
               taken.lease_left_ns / 1000000);
    } else if (taken.count > 0) {
        printf("%zu lines:\n%.*s", taken.count, (int)taken.size_bytes, text + taken.offset_bytes);
        /* ... process them; then: */
        const struct plx_call call = {.is_blocking = true};
        outcome = plx_logs_confirm(client, "web1", &taken.id, &call).outcome;
        printf("confirmed: %s\n", plx_outcome_name(outcome));
    }
    plx_close(client);
    return outcome == PLX_OK ? 0 : 1;
}
