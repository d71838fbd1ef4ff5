/* What commands print: responses, nodes and summaries, each as plain text, a table, or JSON. */
#ifndef POLLUX_TOOLS_CLI_CLI_RENDER_H
#define POLLUX_TOOLS_CLI_CLI_RENDER_H

#include "client/include/pollux.h"
#include "client/include/pollux_list.h"
#include "tools/cli/cli_arguments.h"

#include <stdio.h>

/*
 * The outcome of one operation on `key` (NULL: none). The value goes to standard output; whatever
 * is not success is explained on standard error. Returns the exit code.
 */
int cli_render_response(const struct cli_arguments *arguments, const struct plx_bytes *key,
                        const struct plx_response *response);

/* A key of a list on one line. False: it was not written. */
bool cli_json_entry(FILE *to, const struct plx_list_entry *entry, bool has_value);

/* What one endpoint answered. */
struct cli_node_row {
    const char *endpoint;
    uint16_t shard;
    enum plx_outcome outcome; /* PLX_OK: `node` is filled */
    struct plx_node *node;
    size_t at; /* the endpoint, by number; of a member without an endpoint: of no meaning */
    /* No answer, and the configuration says that there is such a node: its number, else 0. */
    uint16_t member;
    bool is_silence_told; /* a leader says the next one: */
    uint64_t silent_ns;   /* since it has heard of the node; UINT64_MAX: never, since it leads */
};

/* One row for each endpoint and shard. */
void cli_render_nodes(const struct cli_arguments *arguments, const struct cli_node_row *rows,
                      size_t row_count);

/* The counters of nodes, name by name. */
void cli_render_counters(const struct cli_arguments *arguments, const struct cli_node_row *rows,
                         size_t row_count);

#endif
