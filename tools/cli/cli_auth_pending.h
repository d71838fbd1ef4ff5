/*
 * What `auth revoke NAME --drop-pending` and `auth remove NAME --drop-pending` tell of the nodes:
 * how many writes each has dropped. Asked before the change and after it.
 */
#ifndef POLLUX_TOOLS_CLI_CLI_AUTH_PENDING_H
#define POLLUX_TOOLS_CLI_CLI_AUTH_PENDING_H

#include "tools/cli/cli_survey.h"

/* 0: the nodes can drop by name, and *ret_before is what they count; the caller frees. Else the
 * exit code, and a message is on standard error. */
int auth_pending_look(struct plx_client *client, const struct cli_arguments *arguments,
                      struct survey **ret_before);

/* Waits a few seconds until each node that answers has dropped what the table with this count of
 * drops says, and tells how many writes that were. */
void auth_pending_tell(struct plx_client *client, const struct cli_arguments *arguments,
                       const struct survey *before, uint64_t drops);

#endif
