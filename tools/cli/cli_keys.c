/* The commands on one key: get, set, swap, del; and resolve. */
#include "tools/cli/cli_commands.h"
#include "tools/cli/cli_render.h"

#include <stdlib.h>
#include <string.h>

static struct plx_call call_of_arguments(const struct cli_arguments *arguments)
{
    return (struct plx_call){.is_relaxed = arguments->is_relaxed,
                             .is_blocking = arguments->is_blocking,
                             .timeout_ns = arguments->timeout_ns,
                             .fence_wait_ns = arguments->fence_wait_ns,
                             .min_index = arguments->min_index,
                             .max_age_ns = arguments->max_age_ns};
}

/* A value operand: the text itself, or standard input for "-"; `ret_memory` is freed by the
 * caller. */
static bool value_of(const struct cli_arguments *arguments, int at, struct plx_bytes *ret_value,
                     char **ret_memory)
{
    size_t size_bytes;
    if (strcmp(arguments->operands[at], "-") != 0)
        return cli_operand_bytes(arguments, at, ret_value);
    if (!cli_read_file("-", PLX_VALUE_SIZE_BYTES_MAX, ret_memory, &size_bytes))
        return false;
    *ret_value = (struct plx_bytes){*ret_memory, size_bytes};
    return true;
}

int cli_get(struct plx_client *client, const struct cli_arguments *arguments)
{
    struct plx_bytes key;
    struct plx_call call = call_of_arguments(arguments);
    if (!cli_operand_bytes(arguments, 0, &key))
        return CLI_EXIT_USAGE;
    cli_cancel_on_interrupt(client);
    struct plx_response response = plx_get(client, key, &call);
    return cli_render_response(arguments, &key, &response);
}

int cli_set(struct plx_client *client, const struct cli_arguments *arguments)
{
    struct plx_bytes key;
    struct plx_call call = call_of_arguments(arguments);
    struct plx_bytes value = PLX_ABSENT;
    char *memory = NULL;
    int wanted = arguments->is_absent ? 1 : 2;
    if (arguments->operand_count != wanted)
        return cli_usage_error(arguments, arguments->is_absent
                                              ? "--absent leaves out the VALUE operand"
                                              : "the VALUE operand is missing (- reads it from "
                                                "standard input)");
    if (!cli_operand_bytes(arguments, 0, &key) ||
        (!arguments->is_absent && !value_of(arguments, 1, &value, &memory)))
        return CLI_EXIT_USAGE;
    cli_cancel_on_interrupt(client);
    struct plx_response response = plx_set(client, key, value, &call);
    free(memory);
    return cli_render_response(arguments, &key, &response);
}

int cli_swap(struct plx_client *client, const struct cli_arguments *arguments)
{
    struct plx_bytes key;
    struct plx_call call = call_of_arguments(arguments);
    struct plx_bytes values[2] = {PLX_ABSENT, PLX_ABSENT}; /* new, old */
    const bool is_absent[2] = {arguments->is_absent, arguments->is_expect_absent};
    char *memory[2] = {NULL, NULL};
    int next = 1;
    bool is_valid = !arguments->is_relaxed;
    if (!is_valid)
        return cli_usage_error(arguments, "--relaxed: a swap is always consistent");
    if (arguments->operand_count != 3 - is_absent[0] - is_absent[1])
        return cli_usage_error(arguments, "operands are KEY NEW OLD; --absent leaves out NEW, "
                                          "--expect-absent leaves out OLD");
    is_valid = cli_operand_bytes(arguments, 0, &key);
    for (int i = 0; i < 2 && is_valid; i++) {
        if (!is_absent[i])
            is_valid = value_of(arguments, next++, &values[i], &memory[i]);
    }
    struct plx_response response = {.outcome = PLX_E_ARGUMENT};
    if (is_valid) {
        cli_cancel_on_interrupt(client);
        response = plx_swap(client, key, values[0], values[1], &call);
    }
    free(memory[0]);
    free(memory[1]);
    return is_valid ? cli_render_response(arguments, &key, &response) : CLI_EXIT_USAGE;
}

int cli_del(struct plx_client *client, const struct cli_arguments *arguments)
{
    struct plx_bytes key;
    struct plx_call call = call_of_arguments(arguments);
    if (!cli_operand_bytes(arguments, 0, &key))
        return CLI_EXIT_USAGE;
    cli_cancel_on_interrupt(client);
    struct plx_response response = plx_del(client, key, &call);
    return cli_render_response(arguments, &key, &response);
}

int cli_resolve(struct plx_client *client, const struct cli_arguments *arguments)
{
    struct plx_token token;
    struct plx_call call = call_of_arguments(arguments);
    if (!plx_token_parse(arguments->operands[0], &token))
        return cli_usage_error(arguments, "'%s' is not a token", arguments->operands[0]);
    cli_cancel_on_interrupt(client);
    struct plx_response response = plx_resolve(client, &token, &call);
    if (response.outcome == PLX_E_ARGUMENT)
        return cli_usage_error(arguments, "the token is of another cluster than '%s'",
                               arguments->cluster);
    return cli_render_response(arguments, NULL, &response);
}
