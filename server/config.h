/*
 * A node's configuration file (INI, by inih). Every key is known or an error; every error names the
 * file, the line and what would be right. Durations carry a unit (us, ms, s, min, h), sizes too (B,
 * KiB, MiB, GiB). tools/polluxd.example.ini lists every key with its default.
 */
#ifndef POLLUX_SERVER_CONFIG_H
#define POLLUX_SERVER_CONFIG_H

#include "base/address.h"
#include "base/error.h"
#include "base/limits.h"
#include "dataplane/port.h"
#include "pmem/medium.h"
#include "security/security_mode.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONFIG_TEXT_MAX 256
static_assert(CONFIG_TEXT_MAX <= NODE_IDENTITY_NAME_BYTES, "the cluster's name has room");

struct config_peer {
    uint16_t id;
    struct address address;
};

struct config {
    /* [node] */
    uint16_t id;
    char directory[CONFIG_TEXT_MAX]; /* that holds the node's files */
    struct address address;          /* of this node, first UDP port; zero: as in [peers] */
    bool is_joining;                 /* it joins a cluster, and forms none */
    bool is_sandboxed;               /* it gives up all rights that it does not need */
    char user[CONFIG_TEXT_MAX];      /* whom it becomes once the port is open; empty: nobody */
    enum medium_kind medium;         /* 0: whatever was there when the directory was made */
    uint64_t log_size_bytes;         /* of all shards' logs together */
    uint64_t snapshot_rate_bytes;    /* a second, of each shard */
    uint64_t unproven_rate_bytes;    /* a second, to a host that has not proven its address */
    uint32_t client_operations_rate; /* a second, of each client; 0: any */
    uint64_t client_bytes_rate;      /* likewise, to it and from it */
    uint64_t scrub_bytes;            /* a second, of all shards together; 0: none */
    uint64_t relaxed_size_bytes;     /* of all shards' journals together; 0: no relaxed writes */
    /* What the memory is made for; 0 where the file has none: the limit of [cluster]. */
    uint32_t keys_capacity;        /* of all shards together */
    uint64_t store_capacity_bytes; /* of all shards together */
    uint32_t sessions_capacity;    /* of each shard */
    uint16_t priority;             /* as a leader: 0 to PRIORITY_MAX */
    /* [cluster] */
    char cluster[CONFIG_TEXT_MAX];
    uint64_t election_timeout_min_ns;
    uint64_t election_timeout_max_ns;
    uint64_t heartbeat_interval_ns;
    uint64_t transfer_interval_ns; /* of each shard; 0: transfers are not limited */
    uint16_t shard_count;
    uint32_t keys_max;         /* of all shards together */
    uint64_t store_size_bytes; /* of all shards together */
    uint32_t sessions_max;     /* of each shard: a client opens one in each shard it writes to */
    uint64_t session_ttl_ns;
    /* [peers] id = ip:port, this node included */
    struct config_peer peers[NODES_MAX];
    uint32_t peer_count;
    /* [security] */
    enum security_mode security_mode;
    enum security_mode clients_mode;
    bool is_mode_written; /* the file has these settings */
    bool is_clients_written;
    bool is_open_port; /* it may be any port without authentication: server/exposure.h */
    bool is_encrypted; /* the payloads of sealed packets */
    char key_path[CONFIG_TEXT_MAX];       /* of the root key; empty: none */
    char other_key_path[CONFIG_TEXT_MAX]; /* of one that is valid, too; empty: none */
    /* [port] */
    char device[CONFIG_TEXT_MAX]; /* PCI address or vdev string */
    struct address ipv6;          /* additional; all zero: none */
    uint8_t ipv4_prefix_bits;
    uint8_t ipv6_prefix_bits;
    uint8_t gateway_ipv4[4];
    uint16_t mtu_bytes;
    uint32_t ring_size;
    bool is_hugepages;
    uint32_t memory_mib; /* of packet buffers, for each lane */
    /* [neighbours] name = ip mac */
    struct dp_neighbour neighbours[DP_NEIGHBOURS_PINNED_MAX];
    uint32_t neighbour_count;
    /* [lane] */
    uint16_t lane_count;
    int32_t cores[LANES_MAX];  /* of each lane */
    uint32_t core_count;       /* lane_count, or 0: not pinned */
    uint32_t idle_spin_turns;  /* then sched_yield; UINT32_MAX: spin for ever */
    uint32_t idle_yield_turns; /* then short sleeps */
    uint64_t idle_sleep_max_ns;
};

/* Reads `path`. On an error ret_reason names file, line, key and what is expected. ERR_NOT_FOUND,
 * ERR_PERMISSION, ERR_SYNTAX (malformed, unknown key), ERR_RANGE, ERR_ARGUMENT (keys
 * contradict). */
MUST_USE enum error config_read(const char *path, struct config *ret_config, char *ret_reason,
                                size_t reason_size);

/* This node's own entry of [peers]. */
const struct config_peer *config_self(const struct config *config);

/* Memory of packet buffers, of all lanes. */
uint64_t config_packet_bytes(const struct config *config);

#endif
