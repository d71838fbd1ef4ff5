/* Configuration: a table of keys, one parser a type, checks across keys at the end. */
#include "server/config_internal.h"
#include "server/config_neighbours.h"

#include "base/regular_file.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ini.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum key_type { KEY_TEXT, KEY_U16, KEY_U32, KEY_BOOL, KEY_DURATION, KEY_SIZE, KEY_TURNS };

struct key {
    const char *section;
    const char *name;
    enum key_type type;
    size_t offset;
    uint64_t low;
    uint64_t high;
    const char *expected;
};

#define AT(field)            offsetof(struct config, field)
#define SECOND_NS            UINT64_C(1000000000)
#define RELAXED_SIZE_UNSET   UINT64_MAX
#define RELAXED_SIZE_DEFAULT (UINT64_C(16) << 20)
#define CORE_MAX             (CPU_SETSIZE - 1)

static const struct key keys[] = {
    {"node", "id", KEY_U16, AT(id), 1, VOTER_ID_MAX, "1 to 255"},
    {"node", "join", KEY_BOOL, AT(is_joining), 0, 0, "true or false"},
    {"node", "user", KEY_TEXT, AT(user), 1, 0, "a user's name"},
    {"node", "sandbox", KEY_BOOL, AT(is_sandboxed), 0, 0, "true or false"},
    {"node", "directory", KEY_TEXT, AT(directory), 1, 0, "a path"},
    {"node", "log_size", KEY_SIZE, AT(log_size_bytes), LOG_SIZE_BYTES_MIN, UINT64_C(1) << 37,
     "16MiB to 128GiB, in whole 4KiB"},
    {"node", "relaxed_size", KEY_SIZE, AT(relaxed_size_bytes), 0,
     SHARDS_MAX *RELAXED_SIZE_BYTES_MAX,
     "0B (no relaxed writes), or 8MiB to 384MiB for each shard, in whole 4KiB"},
    {"node", "snapshot_rate", KEY_SIZE, AT(snapshot_rate_bytes), 1 << 20, UINT64_C(1) << 40,
     "1MiB to 1024GiB"},
    {"node", "unproven_rate", KEY_SIZE, AT(unproven_rate_bytes), 0, UINT64_C(1) << 30,
     "0B (nothing without a cookie) to 1GiB"},
    {"node", "client_operations_rate", KEY_U32, AT(client_operations_rate), 0, 1000000000,
     "0 (no limit) to 1000000000"},
    {"node", "client_bytes_rate", KEY_SIZE, AT(client_bytes_rate), 0, UINT64_C(1) << 40,
     "0B (no limit), or 256KiB to 1024GiB"},
    {"node", "scrub", KEY_SIZE, AT(scrub_bytes), 0, UINT64_C(1) << 40, "0B (never) to 1024GiB"},
    {"node", "keys_capacity", KEY_U32, AT(keys_capacity), 1, 1u << 30, "1 to 1073741824"},
    {"node", "store_capacity", KEY_SIZE, AT(store_capacity_bytes), 1 << 20,
     SHARDS_MAX *STORE_SIZE_BYTES_MAX, "1MiB to 128GiB for each shard"},
    {"node", "sessions_capacity", KEY_U32, AT(sessions_capacity), 1, 1u << 20, "1 to 1048576"},
    {"node", "priority", KEY_U16, AT(priority), 0, PRIORITY_MAX, "0 to 100"},
    {"cluster", "shards", KEY_U16, AT(shard_count), 1, SHARDS_MAX, "1 to 64"},
    {"cluster", "name", KEY_TEXT, AT(cluster), 1, 0, "a name"},
    {"cluster", "election_timeout_min", KEY_DURATION, AT(election_timeout_min_ns), 500000,
     60 * SECOND_NS, "500us to 60s"},
    {"cluster", "election_timeout_max", KEY_DURATION, AT(election_timeout_max_ns), 500000,
     120 * SECOND_NS, "500us to 120s"},
    {"cluster", "heartbeat_interval", KEY_DURATION, AT(heartbeat_interval_ns), 100000,
     30 * SECOND_NS, "100us to 30s"},
    {"cluster", "transfer_interval", KEY_DURATION, AT(transfer_interval_ns), 0, 3600 * SECOND_NS,
     "0s (no limit) to 1h"},
    {"cluster", "keys_max", KEY_U32, AT(keys_max), 1, 1u << 30, "1 to 1073741824"},
    {"cluster", "store_size", KEY_SIZE, AT(store_size_bytes), 1 << 20,
     SHARDS_MAX *STORE_SIZE_BYTES_MAX, "1MiB to 128GiB for each shard"},
    {"cluster", "sessions_max", KEY_U32, AT(sessions_max), 1, 1u << 20, "1 to 1048576"},
    {"cluster", "session_ttl", KEY_DURATION, AT(session_ttl_ns), SECOND_NS,
     30 * 24 * 3600 * SECOND_NS, "1s to 720h"},
    {"security", "key", KEY_TEXT, AT(key_path), 1, 0, "a path"},
    {"security", "other_key", KEY_TEXT, AT(other_key_path), 1, 0, "a path"},
    {"security", "open_port", KEY_BOOL, AT(is_open_port), 0, 0, "true or false"},
    {"security", "encrypt", KEY_BOOL, AT(is_encrypted), 0, 0, "true or false"},
    {"port", "device", KEY_TEXT, AT(device), 1, 0, "a PCI address or a DPDK vdev string"},
    {"port", "mtu", KEY_U16, AT(mtu_bytes), MTU_MIN, MTU_MAX, "1280 to 9000"},
    {"port", "ring_size", KEY_U32, AT(ring_size), 64, 16384, "64 to 16384"},
    {"port", "hugepages", KEY_BOOL, AT(is_hugepages), 0, 0, "true or false"},
    {"port", "memory_mib", KEY_U32, AT(memory_mib), 16, 65536, "16 to 65536"},
    {"lane", "count", KEY_U16, AT(lane_count), 1, LANES_MAX, "1 to 32"},
    {"lane", "idle_spin_turns", KEY_TURNS, AT(idle_spin_turns), 0, UINT32_MAX,
     "a number of turns, or forever"},
    {"lane", "idle_yield_turns", KEY_U32, AT(idle_yield_turns), 0, UINT32_MAX, "a number of turns"},
    {"lane", "idle_sleep_max", KEY_DURATION, AT(idle_sleep_max_ns), 1000, SECOND_NS, "1us to 1s"},
};

struct reading {
    struct config *config;
    const char *path;
    char *reason;
    size_t reason_size;
    FILE *file;
    int line; /* being read */
    enum error error;
};

struct unit {
    const char *suffix;
    uint64_t factor;
};

static const struct unit duration_units[] = {{"ns", 1},
                                             {"us", 1000},
                                             {"ms", 1000000},
                                             {"s", SECOND_NS},
                                             {"min", 60 * SECOND_NS},
                                             {"h", 3600 * SECOND_NS},
                                             {NULL, 0}};
static const struct unit size_units[] = {
    {"B", 1}, {"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {NULL, 0}};
static const struct unit count_units[] = {
    {"", 1}, {"K", 1000}, {"M", 1000 * 1000}, {"G", 1000 * 1000 * 1000}, {NULL, 0}};
static const struct unit no_units[] = {{"", 1}, {NULL, 0}};

static bool parse_number(const char *text, const struct unit *units, uint64_t *ret_number)
{
    if (*text < '0' || *text > '9')
        return false;
    char *end;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    if (errno != 0)
        return false;
    while (*end == ' ')
        end++;
    for (const struct unit *unit = units; unit->suffix != NULL; unit++) {
        if (strcmp(end, unit->suffix) == 0)
            return !__builtin_mul_overflow((uint64_t)number, unit->factor, ret_number);
    }
    return false;
}

static const struct unit *units_of(enum key_type type)
{
    if (type == KEY_DURATION)
        return duration_units;
    if (type == KEY_U32)
        return count_units;
    return type == KEY_SIZE ? size_units : no_units;
}

static bool store_text(char *field, const char *text)
{
    size_t length = strlen(text);
    if (length == 0 || length >= CONFIG_TEXT_MAX)
        return false;
    memcpy(field, text, length + 1);
    return true;
}

static bool store_bool(bool *field, const char *text)
{
    *field = strcmp(text, "true") == 0;
    return *field || strcmp(text, "false") == 0;
}

static bool field_store_number(const struct key *key, uint8_t *field, const char *text)
{
    uint64_t number;
    if (!parse_number(text, units_of(key->type), &number) || number < key->low ||
        number > key->high)
        return false;
    switch (key->type) {
    case KEY_U16:
        *(uint16_t *)(void *)field = (uint16_t)number;
        return true;
    case KEY_U32:
    case KEY_TURNS:
        *(uint32_t *)(void *)field = (uint32_t)number;
        return true;
    case KEY_DURATION:
    case KEY_SIZE:
        *(uint64_t *)(void *)field = number;
        return true;
    case KEY_TEXT:
    case KEY_BOOL:
        break;
    }
    return false;
}

static bool store(const struct key *key, struct config *config, const char *text)
{
    uint8_t *field = (uint8_t *)config + key->offset;
    if (key->type == KEY_TEXT)
        return store_text((char *)field, text);
    if (key->type == KEY_BOOL)
        return store_bool((bool *)field, text);
    if (key->type == KEY_TURNS && strcmp(text, "forever") == 0) {
        *(uint32_t *)(void *)field = UINT32_MAX;
        return true;
    }
    return field_store_number(key, field, text);
}

/* "10.77.0.1:7400" or "[fd00::1]:7400". */
static bool parse_endpoint(const char *text, struct address *ret_address)
{
    const char *colon = strrchr(text, ':');
    uint64_t port;
    if (colon == NULL || !parse_number(colon + 1, no_units, &port) || port < 1 || port > 65535)
        return false;
    char host[INET6_ADDRSTRLEN + 2];
    size_t length = (size_t)(colon - text);
    if (length == 0 || length >= sizeof(host))
        return false;
    memcpy(host, text, length);
    host[length] = '\0';
    uint8_t ipv4[4];
    if (inet_pton(AF_INET, host, ipv4) == 1) {
        *ret_address = address_of_ipv4(ipv4, (uint16_t)port);
        return true;
    }
    if (host[0] != '[' || host[length - 1] != ']')
        return false;
    host[length - 1] = '\0';
    ret_address->port = (uint16_t)port;
    return inet_pton(AF_INET6, host + 1, ret_address->ip) == 1;
}

static bool parse_prefix(const char *text, int family, uint8_t *ret_ip, uint8_t *ret_bits)
{
    const char *slash = strchr(text, '/');
    char host[INET6_ADDRSTRLEN];
    uint64_t bits;
    if (slash == NULL || (size_t)(slash - text) >= sizeof(host) ||
        !parse_number(slash + 1, no_units, &bits) || bits > (family == AF_INET ? 32 : 128))
        return false;
    memcpy(host, text, (size_t)(slash - text));
    host[slash - text] = '\0';
    *ret_bits = (uint8_t)bits;
    return inet_pton(family, host, ret_ip) == 1;
}

static bool store_peer(struct config *config, const char *name, const char *value)
{
    uint64_t id;
    if (config->peer_count == NODES_MAX || !parse_number(name, no_units, &id) || id < 1 ||
        id > VOTER_ID_MAX)
        return false;
    for (uint32_t i = 0; i < config->peer_count; i++) {
        if (config->peers[i].id == id)
            return false;
    }
    struct config_peer *peer = &config->peers[config->peer_count];
    peer->id = (uint16_t)id;
    if (!parse_endpoint(value, &peer->address))
        return false;
    config->peer_count++;
    return true;
}

/* "2, 3": a core for each lane. */
static bool store_cores(struct config *config, const char *text)
{
    config->core_count = 0;
    for (const char *at = text; at != NULL;) {
        char number[16];
        uint64_t core;
        at += strspn(at, " ");
        size_t length = strcspn(at, " ,");
        if (length == 0 || length >= sizeof(number) || config->core_count == LANES_MAX)
            return false;
        memcpy(number, at, length);
        number[length] = '\0';
        if (!parse_number(number, no_units, &core) || core > CORE_MAX)
            return false;
        for (uint32_t i = 0; i < config->core_count; i++) {
            if (config->cores[i] == (int32_t)core)
                return false;
        }
        config->cores[config->core_count++] = (int32_t)core;
        at += length + strspn(at + length, " ");
        if (*at != ',' && *at != '\0')
            return false;
        at = *at == ',' ? at + 1 : NULL;
    }
    return true;
}

static bool store_medium(struct config *config, const char *text)
{
    static const struct {
        const char *name;
        enum medium_kind kind;
    } kinds[] = {{"pmem", MEDIUM_PMEM}, {"file", MEDIUM_FILE}, {"emulated", MEDIUM_EMULATED}};
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (strcmp(kinds[i].name, text) != 0)
            continue;
        config->medium = kinds[i].kind;
        return true;
    }
    return false;
}

static bool store_security_mode(enum security_mode *ret_mode, const char *text)
{
    for (int mode = SECURITY_NONE; mode <= SECURITY_REQUIRED; mode++) {
        if (strcmp(security_mode_name((enum security_mode)mode), text) != 0)
            continue;
        *ret_mode = (enum security_mode)mode;
        return true;
    }
    return false;
}

/* Keys whose shape is their own: *ret_expected is set when the key is one of them. */
static bool store_special(struct config *config, const char *section, const char *name,
                          const char *value, const char **ret_expected)
{
    if (strcmp(section, "peers") == 0) {
        *ret_expected = "up to 9 distinct ids (1 to 255), each ip:port";
        return store_peer(config, name, value);
    }
    if (strcmp(section, "neighbours") == 0) {
        *ret_expected = "up to 32 lines name = ip mac, like node2 = 10.0.0.2 52:54:00:00:00:02";
        return config_store_neighbour(config, value);
    }
    if (strcmp(section, "lane") == 0 && strcmp(name, "cores") == 0) {
        *ret_expected = "a core number for each lane, all different, like 2, 3";
        return store_cores(config, value);
    }
    if (strcmp(section, "node") == 0 && strcmp(name, "address") == 0) {
        *ret_expected = "ip:port";
        return parse_endpoint(value, &config->address);
    }
    if (strcmp(section, "node") == 0 && strcmp(name, "medium") == 0) {
        *ret_expected = "pmem, file or emulated";
        return store_medium(config, value);
    }
    if (strcmp(section, "security") == 0 && strcmp(name, "mode") == 0) {
        *ret_expected = "none, accept or required";
        config->is_mode_written = true;
        return store_security_mode(&config->security_mode, value);
    }
    if (strcmp(section, "security") == 0 && strcmp(name, "clients") == 0) {
        *ret_expected = "none, accept or required";
        config->is_clients_written = true;
        return store_security_mode(&config->clients_mode, value);
    }
    if (strcmp(section, "port") != 0)
        return false;
    if (strcmp(name, "netmask_bits") == 0) {
        *ret_expected = "1 to 32";
        uint64_t bits;
        bool is_good = parse_number(value, no_units, &bits) && bits >= 1 && bits <= 32;
        if (is_good)
            config->ipv4_prefix_bits = (uint8_t)bits;
        return is_good;
    }
    if (strcmp(name, "ipv6") == 0) {
        *ret_expected = "an address with prefix, like fd00::1/64";
        return parse_prefix(value, AF_INET6, config->ipv6.ip, &config->ipv6_prefix_bits);
    }
    if (strcmp(name, "gateway") == 0) {
        *ret_expected = "an IPv4 address";
        return inet_pton(AF_INET, value, config->gateway_ipv4) == 1;
    }
    return false;
}

static int fail(struct reading *reading, enum error error, const char *text)
{
    if (reading->error == OK) {
        snprintf(reading->reason, reading->reason_size, "%s:%d: %s", reading->path, reading->line,
                 text);
        reading->error = error;
    }
    return 0;
}

/*
 * Counts lines on inih's behalf: Debian's build of it does not tell handlers where they are. An
 * indented line is a line like others: inih would take it, whole, for the value of the key above.
 */
static char *read_line(char *to, int size, void *context)
{
    struct reading *reading = context;
    bool is_text = true;
    int length = 0;
    int byte = 0;
    reading->line++;
    while (length < size - 1 && byte != '\n' && (byte = getc(reading->file)) != EOF) {
        is_text &= byte != '\0';
        to[length++] = (char)byte;
    }
    to[length] = '\0';
    if (length == size - 1 && byte != '\n')
        is_text = false;
    if (!is_text) {
        fail(reading, ERR_SYNTAX, "a line with a NUL byte, or of 199 bytes or more");
        return NULL;
    }
    size_t blanks = strspn(to, " \t\r\v\f");
    memmove(to, to + blanks, (size_t)length + 1 - blanks);
    return length > 0 ? to : NULL;
}

/* Of versions whose files had no directory of their own. */
static bool is_old_log(const char *section, const char *name)
{
    return strcmp(section, "node") == 0 && strncmp(name, "log", sizeof("log")) == 0;
}

static int on_key(void *context, const char *section, const char *name, const char *value)
{
    struct reading *reading = context;
    char text[2 * CONFIG_TEXT_MAX];
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        const struct key *key = &keys[i];
        if (strcmp(key->section, section) != 0 || strcmp(key->name, name) != 0)
            continue;
        if (store(key, reading->config, value))
            return 1;
        snprintf(text, sizeof(text), "[%.32s] %.64s = %.64s: expected %s", section, name, value,
                 key->expected);
        return fail(reading, ERR_RANGE, text);
    }
    const char *expected = NULL;
    if (store_special(reading->config, section, name, value, &expected))
        return 1;
    if (expected != NULL) {
        snprintf(text, sizeof(text), "[%.32s] %.64s = %.64s: expected %s", section, name, value,
                 expected);
        return fail(reading, ERR_RANGE, text);
    }
    snprintf(text, sizeof(text), "unknown key %.64s in section [%.32s]: %s", name, section,
             is_old_log(section, name)
                 ? "files are no longer named one by one; name a data directory with [node] "
                   "directory, and make it with polluxd --init"
                 : "remove it, or see polluxd.example.ini");
    return fail(reading, ERR_SYNTAX, text);
}

static void set_defaults(struct config *config)
{
    *config = (struct config){
        .log_size_bytes = UINT64_C(1) << 30,
        .snapshot_rate_bytes = UINT64_C(64) << 20,
        .unproven_rate_bytes = UINT64_C(256) << 10,
        .scrub_bytes = UINT64_C(2) << 20,
        .relaxed_size_bytes = RELAXED_SIZE_UNSET,
        .election_timeout_min_ns = UINT64_C(150000000),
        .election_timeout_max_ns = UINT64_C(300000000),
        .heartbeat_interval_ns = UINT64_C(30000000),
        .transfer_interval_ns = 10 * SECOND_NS,
        .priority = PRIORITY_DEFAULT,
        .is_sandboxed = true,
        .keys_max = 1u << 20,
        .store_size_bytes = UINT64_C(512) << 20,
        .sessions_max = 4096,
        .session_ttl_ns = 3600 * SECOND_NS,
        .ipv4_prefix_bits = 24,
        .mtu_bytes = 1500,
        .ring_size = 1024,
        .shard_count = 1,
        .lane_count = 1,
        .idle_spin_turns = 0,
        .idle_yield_turns = 2000,
        .idle_sleep_max_ns = 100000,
    };
}

#define MEMORY_LEAST_MIB  64u
#define MEMORY_BESIDE_MIB 40u

/* Enough for each shard to have a journal at all. */
static uint64_t relaxed_size_default(uint16_t shard_count)
{
    uint64_t least = (uint64_t)shard_count * JOURNAL_SIZE_BYTES_MIN;
    return least > RELAXED_SIZE_DEFAULT ? least : RELAXED_SIZE_DEFAULT;
}

/* What the buffers of node_port.c take, and as much again as DPDK takes without them. */
static uint32_t memory_mib_default(const struct config *config)
{
    uint64_t buffers_bytes = 8 * (uint64_t)config->ring_size * (config->mtu_bytes + 1024u);
    uint32_t mib = MEMORY_BESIDE_MIB + (uint32_t)(buffers_bytes >> 20);
    return mib < MEMORY_LEAST_MIB ? MEMORY_LEAST_MIB : mib;
}

uint64_t config_packet_bytes(const struct config *config)
{
    return ((uint64_t)config->memory_mib << 20) * config->lane_count;
}

const struct config_peer *config_self(const struct config *config)
{
    for (uint32_t i = 0; i < config->peer_count; i++) {
        if (config->peers[i].id == config->id)
            return &config->peers[i];
    }
    return NULL;
}

/* [node] address is the node's own line of [peers], and better than the one that is there. */
static void place_self(struct config *config)
{
    struct config_peer self = {.id = config->id, .address = config->address};
    if (config->address.port == 0)
        return;
    for (uint32_t i = 0; i < config->peer_count; i++) {
        if (config->peers[i].id == config->id) {
            config->peers[i] = self;
            return;
        }
    }
    if (config->peer_count < NODES_MAX)
        config->peers[config->peer_count++] = self;
}

static enum error open_text(struct reading *reading)
{
    const char *why;
    int fd = regular_file_open(reading->path, O_RDONLY, &why);
    enum error error = ERR_IO; /* no regular file */
    if (fd < 0) {
        if (errno != EINVAL)
            error = errno == ENOENT ? ERR_NOT_FOUND : ERR_PERMISSION;
        snprintf(reading->reason, reading->reason_size, "%s: %s", reading->path, why);
        return error;
    }
    reading->file = fdopen(fd, "r");
    if (reading->file != NULL)
        return OK;
    close(fd);
    snprintf(reading->reason, reading->reason_size, "%s: out of memory", reading->path);
    return ERR_NO_MEMORY;
}

enum error config_read(const char *path, struct config *ret_config, char *ret_reason,
                       size_t reason_size)
{
    struct config config;
    set_defaults(&config);
    struct reading reading = {
        .config = &config, .path = path, .reason = ret_reason, .reason_size = reason_size};
    enum error error = open_text(&reading);
    if (error != OK)
        return error;
    int bad_line = ini_parse_stream(read_line, &reading, on_key, &reading);
    fclose(reading.file);
    reading.line = bad_line;
    if (bad_line != 0)
        fail(&reading, ERR_SYNTAX, "not a section, a key = value, or a comment");
    if (reading.error != OK)
        return reading.error;
    if (config.memory_mib == 0)
        config.memory_mib = memory_mib_default(&config);
    if (config.relaxed_size_bytes == RELAXED_SIZE_UNSET)
        config.relaxed_size_bytes = relaxed_size_default(config.shard_count);
    place_self(&config);
    const char *wrong = config_contradiction(&config);
    if (wrong != NULL) {
        snprintf(ret_reason, reason_size, "%s: %s", path, wrong);
        return ERR_ARGUMENT;
    }
    size_t length = (size_t)snprintf(ret_reason, reason_size, "%s: ", path);
    if (length < reason_size &&
        config_has_peers_in_one_place(&config, ret_reason + length, reason_size - length))
        return ERR_ARGUMENT;
    if (config_has_stranded_journal(&config, ret_reason, reason_size))
        return ERR_ARGUMENT;
    ret_reason[0] = '\0';
    *ret_config = config;
    return OK;
}
