/* Lines of logs that are the caller's, printed. */
#ifndef POLLUX_TOOLS_CLI_CLI_LOGS_PRINT_H
#define POLLUX_TOOLS_CLI_CLI_LOGS_PRINT_H

#include "tools/cli/log_files.h"

/* The lines, as they are. False: a message is on standard error, and nobody may take them for
 * printed. */
bool cli_logs_print(struct log_files *files, const struct plx_logs_result *result);

/* What `logs take` has come to, as JSON; a line that is not UTF-8 is an object with line_base64.
 * False: as above. */
bool cli_logs_print_json(const struct cli_arguments *arguments, struct log_files *files,
                         const struct plx_logs_result *result);

/* ---- cli_logs.c ---- */

/* Why logs were not handed out: on standard error; the exit code. */
int cli_logs_explain(const struct cli_arguments *arguments, const struct log_files *files,
                     const struct plx_logs_result *result);

#endif
