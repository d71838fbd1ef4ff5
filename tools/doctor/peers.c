/* What the nodes of the cluster tell: see doctor.h. Nodes do not tell their clocks. */
#include "base/address_text.h"
#include "client/include/pollux_cluster.h"
#include "tools/cli/cli_findings.h"
#include "tools/doctor/doctor.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define TIMEOUT_NS      (UINT64_C(500) * 1000 * 1000)
#define ENDPOINTS_BYTES (NODES_MAX * (ADDRESS_IP_TEXT_BYTES + 16u))
#define COUNTER_UNKNOWN UINT64_MAX

/* What all nodes must tell alike. */
static const struct {
    const char *counter;
    const char *what;
    const char *way_out;
} alike[] = {
    {"format_known", "knows files and packets up to format",
     "it runs another release: see docs/upgrade.md"},
    {"security_mode", "has [security] mode as number", "set the same on every node"},
    {"clients_security", "has [security] clients as number", "set the same on every node"},
};

static uint64_t value_of(const struct plx_node *node, const char *name)
{
    for (uint32_t i = 0; i < node->counter_count; i++) {
        if (strcmp(node->counters[i].name, name) == 0)
            return node->counters[i].value;
    }
    return COUNTER_UNKNOWN;
}

/* "10.77.0.1:7400,[fd00::2]:7400" */
static void endpoints_of(const struct config *config, char ret_text[ENDPOINTS_BYTES])
{
    size_t used = 0;
    ret_text[0] = '\0';
    for (uint32_t i = 0; i < config->peer_count; i++) {
        const struct address *address = &config->peers[i].address;
        char ip[ADDRESS_IP_TEXT_BYTES];
        used +=
            (size_t)snprintf(ret_text + used, ENDPOINTS_BYTES - used,
                             address_is_ipv4(address) ? "%s%s:%u" : "%s[%s]:%u",
                             used > 0 ? "," : "", address_ip_text(address->ip, ip), address->port);
    }
}

/* Another value than the first node's. */
static bool tell_difference(const struct doctor_found *found, const char *subject,
                            const struct plx_node *node, const struct plx_node *first)
{
    bool is_alike = true;
    for (size_t i = 0; i < sizeof(alike) / sizeof(alike[0]); i++) {
        uint64_t here = value_of(node, alike[i].counter);
        uint64_t there = value_of(first, alike[i].counter);
        if (here == there || here == COUNTER_UNKNOWN || there == COUNTER_UNKNOWN)
            continue;
        is_alike = false;
        (void)doctor_tell(found, CHECK_WRONG, subject,
                          "node %u %s %" PRIu64 ", and node %u %" PRIu64 ": %s", node->node,
                          alike[i].what, here, first->node, there, alike[i].way_out);
    }
    return is_alike;
}

static bool tell_obstacles(const struct doctor_found *found, const char *subject,
                           const struct plx_node *node)
{
    bool has_none = true;
    for (uint32_t i = 0; i < node->counter_count; i++) {
        const char *kind = findings_obstacle(&node->counters[i]);
        if (kind == NULL)
            continue;
        has_none = false;
        (void)doctor_tell(found, CHECK_WRONG, subject,
                          "node %u: obstacle %s, of %" PRIu64 " nodes: its log has both values and "
                          "the setting (event obstacle)",
                          node->node, kind, node->counters[i].value);
    }
    return has_none;
}

static void tell_node(const struct doctor_found *found, struct plx_client *client, size_t endpoint,
                      const struct plx_node *node, const struct plx_node *first)
{
    const char *subject = plx_endpoint_name(client, endpoint);
    struct plx_cluster cluster;
    plx_cluster(client, &cluster);
    if (node->counter_count == 0) {
        (void)doctor_tell(found, CHECK_UNKNOWN, subject,
                          "node %u answers, and tells no formats and settings: that takes the key "
                          "of an administrator (--key)",
                          node->node);
        return;
    }
    bool is_alike = first == node || tell_difference(found, subject, node, first);
    if (tell_obstacles(found, subject, node) && is_alike)
        (void)doctor_tell(found, CHECK_GOOD, subject,
                          "node %u answers; cluster %016" PRIx64 ", era %" PRIu32
                          ", format %" PRIu64 " of %" PRIu64,
                          node->node, cluster.number, cluster.era, value_of(node, "format"),
                          value_of(node, "format_known"));
}

static void tell_silent(const struct doctor_found *found, struct plx_client *client,
                        size_t endpoint, enum plx_outcome outcome)
{
    const char *subject = plx_endpoint_name(client, endpoint);
    struct plx_cluster theirs;
    struct plx_cluster ours;
    plx_cluster(client, &ours);
    if (plx_endpoint_is_stranger(client, endpoint, &theirs))
        (void)doctor_tell(found, CHECK_WRONG, subject,
                          "the node belongs to cluster %016" PRIx64 " (era %" PRIu32
                          "), the others to %016" PRIx64 " (era %" PRIu32
                          "): it is another cluster of the same name, or was left out of a rescue",
                          theirs.number, theirs.era, ours.number, ours.era);
    else
        (void)doctor_tell(found, CHECK_UNKNOWN, subject,
                          "%s: the node does not run, has another cluster name or key, or packets "
                          "of this machine's kernel do not reach it",
                          plx_outcome_text(outcome));
}

static void ask_all(struct plx_client *client, const struct doctor_found *found)
{
    size_t count = plx_endpoint_count(client);
    struct plx_node *nodes = calloc(count, sizeof(*nodes));
    enum plx_outcome outcomes[PLX_ENDPOINTS_MAX];
    const struct plx_node *first = NULL;
    if (nodes == NULL) {
        (void)doctor_tell(found, CHECK_UNKNOWN, "peers", "out of memory");
        return;
    }
    for (size_t i = 0; i < count; i++) {
        outcomes[i] = plx_status(client, i, 0, TIMEOUT_NS, &nodes[i]);
        if (outcomes[i] == PLX_OK && nodes[i].counter_count > 0 && first == NULL)
            first = &nodes[i];
    }
    for (size_t i = 0; i < count; i++) {
        if (outcomes[i] == PLX_OK)
            tell_node(found, client, i, &nodes[i], first != NULL ? first : &nodes[i]);
        else
            tell_silent(found, client, i, outcomes[i]);
    }
    free(nodes);
}

void doctor_peers(const struct doctor_peers *peers, const struct config *config,
                  const struct doctor_found *found)
{
    char endpoints[ENDPOINTS_BYTES];
    char reason[512];
    struct plx_options options;
    struct plx_client *client;
    if (config == NULL && (peers->endpoints == NULL || peers->cluster == NULL))
        return;
    plx_options_init(&options);
    options.endpoints = peers->endpoints;
    options.cluster = peers->cluster != NULL ? peers->cluster : config->cluster;
    options.key_file = peers->key_file;
    options.may_use_root_key = true;
    if (peers->endpoints == NULL) {
        endpoints_of(config, endpoints);
        options.endpoints = endpoints;
    }
    if (peers->key_file == NULL && config != NULL && config->clients_mode != SECURITY_NONE &&
        config->key_path[0] != '\0')
        options.key_file = config->key_path;
    if (plx_open(&options, &client, reason, sizeof(reason)) != PLX_OK) {
        (void)doctor_tell(found, CHECK_UNKNOWN, "peers", "%s", reason);
        return;
    }
    ask_all(client, found);
    plx_close(client);
}
