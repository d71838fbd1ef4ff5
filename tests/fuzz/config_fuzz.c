/*
 * The configuration file of a node, from arbitrary text. What is accepted can be written out and
 * read back to the same; what is refused says why, names the file and a line of it, and leaves the
 * caller's configuration alone.
 */
#include "base/check.h"
#include "tests/fuzz/canary.h"
#include "server/config.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define TEXT_SIZE_BYTES 8192
/* inih reads lines of up to 199 characters. */
#define VALUE_CHARACTERS_MAX 180u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

static char path[64];
static int file = -1;

static enum error read_text(const void *text, size_t size_bytes, struct config *config,
                            char reason[TEXT_SIZE_BYTES])
{
    if (file < 0) {
        file = memfd_create("config", MFD_CLOEXEC);
        CHECK(file >= 0);
        snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
    }
    CHECK(ftruncate(file, 0) == 0);
    CHECK(pwrite(file, text, size_bytes, 0) == (ssize_t)size_bytes);
    memset(config, 0xA5, sizeof(*config));
    reason[0] = '\0';
    enum error error = config_read(path, config, reason, TEXT_SIZE_BYTES);
    /* The longest timeout is lost. */
    CANARY(if (error == OK) config->session_ttl_ns /= 2);
    return error;
}

static void write_address(FILE *out, const struct address *address)
{
    char text[INET6_ADDRSTRLEN];
    bool is_ipv4 = address_is_ipv4(address);
    CHECK(inet_ntop(is_ipv4 ? AF_INET : AF_INET6, address->ip + (is_ipv4 ? 12 : 0), text,
                    sizeof(text)) != NULL);
    fprintf(out, is_ipv4 ? "%s" : "[%s]", text);
}

static void write_port(FILE *out, const struct config *config)
{
    char ipv6[INET6_ADDRSTRLEN];
    const uint8_t *gateway = config->gateway_ipv4;
    CHECK(inet_ntop(AF_INET6, config->ipv6.ip, ipv6, sizeof(ipv6)) != NULL);
    fprintf(out, "[port]\ndevice=%s\nipv6=%s/%u\nnetmask_bits=%u\n", config->device, ipv6,
            config->ipv6_prefix_bits, config->ipv4_prefix_bits);
    fprintf(out, "gateway=%u.%u.%u.%u\nmtu=%u\nring_size=%u\nhugepages=%s\nmemory_mib=%u\n",
            gateway[0], gateway[1], gateway[2], gateway[3], config->mtu_bytes, config->ring_size,
            config->is_hugepages ? "true" : "false", config->memory_mib);
}

static void write_neighbours(FILE *out, const struct config *config)
{
    fprintf(out, "[neighbours]\n");
    for (uint32_t i = 0; i < config->neighbour_count; i++) {
        const struct dp_neighbour *neighbour = &config->neighbours[i];
        char text[INET6_ADDRSTRLEN];
        CHECK(inet_ntop(AF_INET6, neighbour->ip, text, sizeof(text)) != NULL);
        fprintf(out, "n%u=%s", i, text);
        for (uint32_t j = 0; j < sizeof(neighbour->mac); j++)
            fprintf(out, j == 0 ? " %02x" : ":%02x", neighbour->mac[j]);
        fprintf(out, "\n");
    }
}

/* Every value as a file of that node would have it. */
static size_t write_config(const struct config *config, char text[TEXT_SIZE_BYTES])
{
    FILE *out = fmemopen(text, TEXT_SIZE_BYTES, "w");
    CHECK(out != NULL);
    fprintf(out, "[node]\nid=%u\ndirectory=%s\nlog_size=%" PRIu64 "B\n[cluster]\nname=%s\n",
            config->id, config->directory, config->log_size_bytes, config->cluster);
    fprintf(out, "election_timeout_min=%" PRIu64 "us\nelection_timeout_max=%" PRIu64 "us\n",
            config->election_timeout_min_ns / 1000, config->election_timeout_max_ns / 1000);
    fprintf(out, "heartbeat_interval=%" PRIu64 "us\nkeys_max=%u\nstore_size=%" PRIu64 "B\n",
            config->heartbeat_interval_ns / 1000, config->keys_max, config->store_size_bytes);
    fprintf(out, "shards=%u\n", config->shard_count);
    fprintf(out, "sessions_max=%u\nsession_ttl=%" PRIu64 "us\n[peers]\n", config->sessions_max,
            config->session_ttl_ns / 1000);
    for (uint32_t i = 0; i < config->peer_count; i++) {
        fprintf(out, "%u=", config->peers[i].id);
        write_address(out, &config->peers[i].address);
        fprintf(out, ":%u\n", config->peers[i].address.port);
    }
    write_port(out, config);
    write_neighbours(out, config);
    fprintf(out, "[lane]\ncount=%u\nidle_spin_turns=%u\nidle_yield_turns=%u\n", config->lane_count,
            config->idle_spin_turns, config->idle_yield_turns);
    for (uint32_t i = 0; i < config->core_count; i++)
        fprintf(out, "%s%d%s", i == 0 ? "cores=" : ",", config->cores[i],
                i + 1 == config->core_count ? "\n" : "");
    fprintf(out, "idle_sleep_max=%" PRIu64 "us\n", config->idle_sleep_max_ns / 1000);
    long size = ftell(out);
    CHECK(size > 0 && size < TEXT_SIZE_BYTES);
    fclose(out);
    return (size_t)size;
}

static void check_good(const struct config *config)
{
    static char once[TEXT_SIZE_BYTES];
    static char twice[TEXT_SIZE_BYTES];
    static char reason[TEXT_SIZE_BYTES];
    struct config again;
    CHECK(config_self(config) != NULL && config->peer_count <= NODES_MAX);
    CHECK(config->heartbeat_interval_ns * 2 <= config->election_timeout_min_ns);
    CHECK(config->election_timeout_min_ns <= config->election_timeout_max_ns);
    CHECK(config->log_size_bytes % 4096 == 0);
    if (strlen(config->directory) > VALUE_CHARACTERS_MAX ||
        strlen(config->cluster) > VALUE_CHARACTERS_MAX ||
        strlen(config->device) > VALUE_CHARACTERS_MAX)
        return;
    size_t size = write_config(config, once);
    CHECK(read_text(once, size, &again, reason) == OK);
    CHECK(write_config(&again, twice) == size);
    CHECK(memcmp(once, twice, size) == 0);
}

static void check_refused(enum error error, const struct config *config, const char *reason,
                          uint32_t line_count)
{
    const uint8_t *bytes = (const uint8_t *)config;
    size_t length = strlen(path);
    for (size_t i = 0; i < sizeof(*config); i++)
        CHECK(bytes[i] == 0xA5);
    CHECK(error == ERR_SYNTAX || error == ERR_RANGE || error == ERR_ARGUMENT);
    CHECK(strncmp(reason, path, length) == 0 && reason[length] == ':');
    if (error == ERR_ARGUMENT)
        return;
    char *end = NULL;
    unsigned long line = strtoul(reason + length + 1, &end, 10);
    CHECK(*end == ':' && line >= 1 && line <= line_count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    static char reason[TEXT_SIZE_BYTES];
    struct config config;
    uint32_t line_count = 1;
    for (size_t i = 0; i < size_bytes; i++)
        line_count += data[i] == '\n';
    enum error error = read_text(data, size_bytes, &config, reason);
    if (error == OK)
        check_good(&config);
    else
        check_refused(error, &config, reason, line_count);
    return 0;
}
