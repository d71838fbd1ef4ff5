/* Every public header and constant, in what C and C++ have in common. */
#include "client/include/pollux.h"
#include "client/include/pollux_backup.h"
#include "client/include/pollux_cluster.h"
#include "client/include/pollux_leadership.h"
#include "client/include/pollux_limits.h"
#include "client/include/pollux_list.h"
#include "client/include/pollux_logs.h"
#include "client/include/pollux_members.h"

static const uint64_t numbers[] = {
    PLX_KEY_SIZE_BYTES_MAX, PLX_VALUE_SIZE_BYTES_MAX, PLX_ENDPOINTS_MAX,
    PLX_WINDOW_MAX,         PLX_PACKET_OPS_MAX,       PLX_COUNTERS_MAX,
    PLX_CLUSTER_SIZE_MAX,   PLX_TOKEN_TEXT_SIZE,      PLX_LOGS_SERVER_SIZE_BYTES_MAX,
    PLX_LOGS_REMEMBERED,    PLX_LOGS_SKEW_NS,         PLX_LOGS_ID_TEXT_SIZE,
    PLX_BACKUP_BLOCK_BYTES, PLX_MEMBERS_MAX,          PLX_OUTCOME_COUNT};

static struct plx_response call_all(struct plx_client *client, const struct plx_call *call)
{
    struct plx_bytes absent = PLX_ABSENT;
    struct plx_response response = plx_set(client, plx_text("key"), PLX_ABSENT, call);
    if (plx_is_absent(absent))
        response = plx_swap(client, plx_text("key"), plx_text("new"), PLX_ABSENT, call);
    return response;
}

int main(void)
{
    struct plx_options options;
    struct plx_client *client;
    plx_options_init(&options);
    if (plx_open(&options, &client, NULL, 0) != PLX_OK)
        return (int)numbers[0];
    return plx_outcome_exit_code(call_all(client, NULL).outcome);
}
