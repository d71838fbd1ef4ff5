/* Opens a handle, then sets, reads and swaps a key. usage: first_steps ENDPOINTS CLUSTER */
#include "client/include/pollux.h"

#include <stdio.h>

static void show(const char *what, const struct plx_response *response)
{
    printf("%-16s %-14s %.*s\n", what, plx_outcome_name(response->outcome),
           (int)response->value.size_bytes, (const char *)response->value.data);
}

int main(int argc, char **argv)
{
    struct plx_options options;
    struct plx_client *client;
    char reason[256];
    if (argc != 3)
        return 2;
    plx_options_init(&options);
    options.endpoints = argv[1]; /* all nodes: any of them may lead */
    options.cluster = argv[2];
    options.timeout_ns = UINT64_C(1000000000);
    if (plx_open(&options, &client, reason, sizeof(reason)) != PLX_OK) {
        fprintf(stderr, "first_steps: %s\n", reason);
        return 1;
    }

    struct plx_bytes key = plx_text("example/colour");
    struct plx_response response = plx_set(client, key, plx_text("red"), NULL);
    show("set red", &response);
    response = plx_get(client, key, NULL);
    show("get", &response);
    /* The new value comes first, then the one that must be stored. */
    response = plx_swap(client, key, plx_text("blue"), plx_text("green"), NULL);
    show("green to blue", &response); /* PLX_MISMATCH: nothing changed; the value is returned */
    response = plx_swap(client, key, plx_text("blue"), plx_text("red"), NULL);
    show("red to blue", &response);
    response = plx_del(client, key, NULL);
    show("del", &response);

    plx_close(client);
    return response.outcome == PLX_OK ? 0 : 1;
}
