/* The commands of `pollux`. Each returns the exit code. */
#ifndef POLLUX_TOOLS_CLI_CLI_COMMANDS_H
#define POLLUX_TOOLS_CLI_CLI_COMMANDS_H

#include "client/include/pollux_logs.h"
#include "tools/cli/cli_arguments.h"
#include "tools/cli/cli_exit.h"

struct cli_command {
    const char *name;
    const char *operands; /* as the usage names them */
    int operands_min;
    int operands_max;
    int (*run)(struct plx_client *client, const struct cli_arguments *arguments);
};

/* cli_keys.c */
int cli_get(struct plx_client *client, const struct cli_arguments *arguments);
int cli_set(struct plx_client *client, const struct cli_arguments *arguments);
int cli_swap(struct plx_client *client, const struct cli_arguments *arguments);
int cli_del(struct plx_client *client, const struct cli_arguments *arguments);
int cli_resolve(struct plx_client *client, const struct cli_arguments *arguments);

/* cli_nodes.c */
int cli_status(struct plx_client *client, const struct cli_arguments *arguments);
int cli_counters(struct plx_client *client, const struct cli_arguments *arguments);
int cli_ping(struct plx_client *client, const struct cli_arguments *arguments);
int cli_transfer(struct plx_client *client, const struct cli_arguments *arguments);
int cli_shard(struct plx_client *client, const struct cli_arguments *arguments);

/* cli_sessions.c: `sessions [list]`, `sessions end ID` */
int cli_sessions(struct plx_client *client, const struct cli_arguments *arguments);

/* cli_config.c: `config get`, `config set` */
int cli_config(struct plx_client *client, const struct cli_arguments *arguments);

/* cli_member.c: `member list|add|promote|remove|update|replace` */
int cli_member(struct plx_client *client, const struct cli_arguments *arguments);

/* cli_upgrade.c: `upgrade`, `upgrade finish` */
int cli_upgrade(struct plx_client *client, const struct cli_arguments *arguments);

/* cli_backup.c: `backup FILE`, `backup verify FILE` */
int cli_backup(struct plx_client *client, const struct cli_arguments *arguments);

/* cli_key.c: `key new`, `key show`. They ask no node; `client` is NULL. */
int cli_key(struct plx_client *client, const struct cli_arguments *arguments);

/* cli_auth.c: `auth add|grant|revoke|remove|list` */
int cli_auth(struct plx_client *client, const struct cli_arguments *arguments);

/* cli_program.c: commands that are programs of their own, and need no cluster. */
bool cli_is_program(const char *command);
/* Runs the one that argv begins with. Returns only if it cannot be run. */
int cli_run_program(char **argv);

/* cli_load.c */
int cli_load(struct plx_client *client, const struct cli_arguments *arguments);
int cli_check(struct plx_client *client, const struct cli_arguments *arguments);

/* cli_list.c: `list [PREFIX]`, `export [PREFIX] FILE` */
int cli_list(struct plx_client *client, const struct cli_arguments *arguments);
int cli_export(struct plx_client *client, const struct cli_arguments *arguments);

/* cli_import.c */
int cli_import(struct plx_client *client, const struct cli_arguments *arguments);

/* cli_logs.c: `logs take`, `confirm`, `cursor`, `follow` */
int cli_logs(struct plx_client *client, const struct cli_arguments *arguments);

/* cli_follow.c */
int cli_logs_follow(struct plx_client *client, const struct cli_arguments *arguments);

/* From now on an interrupt ends what the client has in flight, instead of the program. For a
 * command that has read its input and goes to the cluster with something that can be undone. */
void cli_cancel_on_interrupt(struct plx_client *client);

/* It did. */
bool cli_is_interrupted(void);

/* Writes to standard output, and through to whatever that is. False: a message is on standard
 * error, and nobody may take the bytes for printed. */
bool cli_print(const char *bytes, size_t size_bytes);

/* An operand that is a key or a value (cli_operand_read). False: a message is on standard error,
 * and the exit code is CLI_EXIT_USAGE. */
bool cli_operand_bytes(const struct cli_arguments *arguments, int at, struct plx_bytes *ret_bytes);

/* A handle for these endpoints, as the arguments have it. `ret_reason`: why not. */
enum plx_outcome cli_open(const struct cli_arguments *arguments, const char *endpoints,
                          struct plx_client **ret_client, char *ret_reason, size_t reason_size);

/* An error in what the caller typed: "pollux: COMMAND: ..." on standard error; the exit code. */
int cli_usage_error(const struct cli_arguments *arguments, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/*
 * All of a file, or of standard input for "-": at most size_bytes_max. The memory is the caller's
 * to free. False: a message is on standard error.
 */
bool cli_read_file(const char *path, size_t size_bytes_max, char **ret_bytes,
                   size_t *ret_size_bytes);

#endif
