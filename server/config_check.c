/* What the keys of a configuration say together: see server/config.h. */
#include "server/config_internal.h"
#include "server/node_files.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define CLIENT_BYTES_RATE_MIN (UINT64_C(256) << 10)

static const char *capacity_contradiction(const struct config *config)
{
    if (config->store_capacity_bytes / config->shard_count > STORE_SIZE_BYTES_MAX)
        return "[node] store_capacity must be at most 128GiB for each of the [cluster] shards";
    if (config->keys_capacity != 0 && config->keys_capacity < config->keys_max)
        return "[node] keys_capacity is below [cluster] keys_max";
    if (config->store_capacity_bytes != 0 &&
        config->store_capacity_bytes < config->store_size_bytes)
        return "[node] store_capacity is below [cluster] store_size";
    if (config->sessions_capacity != 0 && config->sessions_capacity < config->sessions_max)
        return "[node] sessions_capacity is below [cluster] sessions_max";
    return NULL;
}

const char *config_contradiction(const struct config *config)
{
    if (config->id == 0)
        return "[node] id is missing";
    if (config->directory[0] == '\0')
        return "[node] directory is missing: where this node's files lie";
    if (config->log_size_bytes % 4096 != 0)
        return "[node] log_size must be in whole 4KiB";
    if (config->relaxed_size_bytes % 4096 != 0 ||
        (config->relaxed_size_bytes != 0 && config->relaxed_size_bytes < JOURNAL_SIZE_BYTES_MIN))
        return "[node] relaxed_size must be 0B, or at least 8MiB in whole 4KiB";
    if (config->client_bytes_rate != 0 && config->client_bytes_rate < CLIENT_BYTES_RATE_MIN)
        return "[node] client_bytes_rate must be 0B, or at least 256KiB: a value of 1MiB would "
               "hold its client up for long";
    if (config->log_size_bytes / config->shard_count < LOG_SIZE_BYTES_MIN)
        return "[node] log_size must be at least 16MiB for each of the [cluster] shards";
    if (config->relaxed_size_bytes != 0 &&
        config->relaxed_size_bytes / config->shard_count < JOURNAL_SIZE_BYTES_MIN)
        return "[node] relaxed_size must be 0B, or at least 8MiB for each of the [cluster] shards";
    if (config->relaxed_size_bytes / config->shard_count > RELAXED_SIZE_BYTES_MAX)
        return "[node] relaxed_size must be at most 384MiB for each of the [cluster] shards";
    if (config->store_size_bytes / config->shard_count > STORE_SIZE_BYTES_MAX)
        return "[cluster] store_size must be at most 128GiB for each of the [cluster] shards";
    if (config->lane_count > config->shard_count)
        return "[lane] count is above [cluster] shards: a lane without a shard has nothing to do";
    if (config->core_count != 0 && config->core_count != config->lane_count)
        return "[lane] cores must name one core for each of the [lane] count lanes";
    if (config_self(config) != NULL &&
        config_self(config)->address.port > UINT16_MAX - config->shard_count + 1)
        return "[peers] the port of [node] id is too high: shard s has that port plus s";
    if (config->cluster[0] == '\0')
        return "[cluster] name is missing";
    if (config->device[0] == '\0')
        return "[port] device is missing: a PCI address or a vdev string";
    if (config_self(config) == NULL)
        return "[peers] has no entry for [node] id: list every node, this one included";
    if ((config->security_mode != SECURITY_NONE || config->clients_mode != SECURITY_NONE) &&
        config->key_path[0] == '\0')
        return "[security] key is missing: the file of the cluster's root key (pollux key new)";
    if (config->other_key_path[0] != '\0' && config->key_path[0] == '\0')
        return "[security] other_key is set, and key is not: key is the one that is used first";
    if (config->election_timeout_max_ns < config->election_timeout_min_ns)
        return "[cluster] election_timeout_max is below election_timeout_min";
    if (config->heartbeat_interval_ns * 2 > config->election_timeout_min_ns)
        return "[cluster] heartbeat_interval must be at most half of election_timeout_min";
    return capacity_contradiction(config);
}

bool config_has_peers_in_one_place(const struct config *config, char *ret_reason,
                                   size_t reason_size)
{
    for (uint32_t i = 0; i < config->peer_count; i++) {
        for (uint32_t j = i + 1; j < config->peer_count; j++) {
            const struct config_peer *a = &config->peers[i];
            const struct config_peer *b = &config->peers[j];
            if (!address_is_clash(&a->address, &b->address, config->shard_count))
                continue;
            snprintf(ret_reason, reason_size,
                     "[peers] %u and %u have one address, or ports that overlap (%u and %u, for %u "
                     "shards: shard s has the port plus s): correct one of them",
                     a->id, b->id, a->address.port, b->address.port, config->shard_count);
            return true;
        }
    }
    return false;
}

bool config_has_stranded_journal(const struct config *config, char *ret_reason, size_t reason_size)
{
    if (config->relaxed_size_bytes != 0)
        return false;
    for (uint32_t i = 0; i < 2u * config->shard_count; i++) {
        char journal[NODE_FILE_NAME_BYTES];
        char bank[NODE_NUMBERED_NAME_BYTES];
        node_journal_name(config, (uint16_t)(i / 2), journal);
        node_numbered_name(journal, i % 2, bank);
        if (access(bank, F_OK) != 0)
            continue;
        snprintf(ret_reason, reason_size,
                 "%s: may hold acknowledged relaxed writes, which [node] relaxed_size = 0B would "
                 "strand: start with relaxed_size = 16MiB until relaxed_pending is 0 in the node's "
                 "status, then stop it and remove %s-0 and -1",
                 bank, journal);
        return true;
    }
    return false;
}
