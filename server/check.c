/* See check.h. */
#include "server/check_internal.h"

#include "base/units.h"
#include "pmem/file_reader.h"
#include "pmem/identity.h"
#include "server/data_directory.h"
#include "server/exposure.h"
#include "server/journal_aside.h"
#include "server/medium_watch.h"
#include "server/node_security.h"
#include "server/user_switch.h"

#include <stdarg.h>
#include <stdlib.h>

#define MS_NS UINT64_C(1000000)

static void line(FILE *out, const char *verdict, const char *format, va_list arguments)
{
    fprintf(out, "%-5s", verdict);
    vfprintf(out, format, arguments);
    fputc('\n', out);
}

void check_good(struct check *check, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    line(check->out, "good", format, arguments);
    va_end(arguments);
}

void check_is_bad(struct check *check, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    line(check->out, "bad", format, arguments);
    va_end(arguments);
    check->is_bad = true;
}

void check_note(struct check *check, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    line(check->out, "note", format, arguments);
    va_end(arguments);
}

static void check_election_timeout(struct check *check, uint64_t sync_ns)
{
    uint64_t timeout_ms = medium_watch_timeout_ns(sync_ns) / MS_NS;
    uint64_t configured_ms = check->config->election_timeout_min_ns / MS_NS;
    char sync[UNITS_TEXT_BYTES];
    if (timeout_ms > configured_ms)
        check_is_bad(check,
                     "[cluster] election_timeout_min = %lums: a small write takes %s to "
                     "become durable, so elections are slow: use a faster medium, or set "
                     "election_timeout_min = %lums and election_timeout_max = %lums on all nodes",
                     (unsigned long)configured_ms, units_duration(sync_ns, sync),
                     (unsigned long)timeout_ms, (unsigned long)(2 * timeout_ms));
    else
        check_good(check,
                   "[cluster] election_timeout_min = %lums: long enough for the medium; a small "
                   "write takes %s to become durable",
                   (unsigned long)configured_ms, units_duration(sync_ns, sync));
}

/* Whether the medium is the right one, and how fast. */
static void check_medium(struct check *check, const struct node_identity *identity)
{
    const struct config *config = check->config;
    struct data_directory_probe probe;
    char text[DATA_DIRECTORY_TEXT_BYTES] = "";
    if (data_directory_probe(config, &probe, text) != OK) {
        check_is_bad(check, "%s", text);
        return;
    }
    if (probe.medium != identity->medium)
        check_is_bad(check,
                     "[node] directory: made on the medium %s, and lies on %s now: mount the right "
                     "file system with its options; moved on purpose: polluxd --moved",
                     medium_kind_name(identity->medium), medium_kind_name(probe.medium));
    else
        check_good(check, "[node] directory: lies on the medium %s, as when it was made",
                   medium_kind_name(probe.medium));
    if (probe.is_volatile)
        check_is_bad(check, "[node] directory: lies on a file system in memory: nothing there "
                            "survives a power loss; choose another place");
    if (probe.medium == MEDIUM_EMULATED && config->medium != MEDIUM_EMULATED)
        check_is_bad(check, "[node] directory: the medium is emulated, and does not survive a "
                            "power loss: take PMEM2_FORCE_GRANULARITY out of the environment, or, "
                            "for tests, set [node] medium = emulated");
    check_election_timeout(check, probe.sync_ns);
}

static void check_directory(struct check *check)
{
    struct node_identity identity;
    char text[DATA_DIRECTORY_TEXT_BYTES] = "";
    if (data_directory_read(check->config, &identity, text) != OK) {
        check_is_bad(check, "[node] directory: %s", text);
        return;
    }
    check_good(check, "[node] directory: %s is of node %u of cluster %s, shards %u",
               check->config->directory, identity.node, identity.cluster, identity.shard_count);
    check_medium(check, &identity);
}

/* No note once the node belongs to a cluster. */
static void check_join(struct check *check)
{
    const char *path = check->options->replicas[0].identity_path;
    uint8_t page[NODE_IDENTITY_FILE_BYTES] = {0};
    struct identity_contents identity;
    struct file_reader reader;
    char reason[256];
    bool is_formed = false;
    if (!check->config->is_joining)
        return;
    if (file_reader_open(path, &reader, reason, sizeof(reason)) == OK) {
        ssize_t got_bytes = file_reader_fill(&reader, page, sizeof(page), 0);
        is_formed = got_bytes >= 0 && identity_decode(page, (size_t)got_bytes, &identity) == OK &&
                    identity.births.formed != 0;
        file_reader_close(&reader);
    }
    if (!is_formed)
        check_note(check,
                   "[node] join = true: this node founds no cluster; it waits until pollux member "
                   "add %u ADDRESS takes it in. On a founder take join out: without it no cluster "
                   "forms",
                   check->config->id);
}

static void check_asides(struct check *check)
{
    for (uint16_t shard = 0; shard < check->config->shard_count; shard++) {
        struct journal_aside asides[JOURNAL_ASIDES_MAX];
        uint32_t count = journal_asides_find(check->options->journal_names[shard], asides);
        for (uint32_t i = 0; i < count; i++)
            check_note(
                check,
                "%s: %lu relaxed writes of an earlier storage of this node; what of them was "
                "not replicated will not be: set the keys anew if you need them, then move "
                "the file out of the directory",
                asides[i].file, (unsigned long)asides[i].writes);
    }
}

/* The keys are there, and can be read. */
static void check_security(struct check *check)
{
    const struct config *config = check->config;
    struct security_options security;
    char reason[512];
    if (node_security_load(config, &security, reason, sizeof(reason)) != OK) {
        check_is_bad(check, "%s", reason);
        return;
    }
    if (exposure_check(config, reason, sizeof(reason)) != OK)
        check_is_bad(check, "%s", reason);
    else if (config->is_open_port)
        check_note(check, "[security] open_port = true: the port may be any, also without "
                          "authentication");
    if (security.mode == SECURITY_NONE)
        check_note(check, "[security] mode = none: whoever can send packets to this node can harm "
                          "the cluster");
    else
        check_good(check, "[security] mode = %s, root key %u", security_mode_name(security.mode),
                   security.keys[0].id);
    if (security.clients != SECURITY_REQUIRED)
        check_note(check,
                   "[security] clients = %s: whoever can send packets to this node can read "
                   "and write",
                   security_mode_name(security.clients));
    if (security.clients != SECURITY_NONE)
        check_note(check,
                   "[security] clients = %s: until pollux auth add was called, each client "
                   "with a key may do everything; the rights are in the cluster, see pollux "
                   "auth list",
                   security_mode_name(security.clients));
    secret_wipe(&security, sizeof(security));
}

/* Whom the node becomes, and whether the files are that user's. */
static void check_user(struct check *check)
{
    const struct config *config = check->config;
    struct user_switch user;
    char text[DATA_DIRECTORY_TEXT_BYTES];
    if (user_switch_find(config->user, &user, text, sizeof(text)) != OK ||
        user_switch_check(&user, config->directory, text, sizeof(text)) != OK)
        check_is_bad(check, "%s", text);
    else if (user.uid == 0)
        check_note(check, "[node] user is not set: started by root, the node reads packets of "
                          "strangers as root");
    else
        check_good(check, "runs as user id %u", (unsigned)user.uid);
    if (!config->is_sandboxed)
        check_note(check, "[node] sandbox = false: who takes the node over has all of its rights");
}

static void check_rate(struct check *check, const char *setting, uint64_t rate)
{
    const struct config *config = check->config;
    if (rate != 0 && config->lane_count > 1)
        check_note(check,
                   "%s = %lu: a client gets %lu a second on each of the %u lanes; one whose "
                   "keys lie in one shard gets no more",
                   setting, (unsigned long)rate, (unsigned long)(rate / config->lane_count),
                   config->lane_count);
}

static void check_rates(struct check *check)
{
    const struct config *config = check->config;
    check_rate(check, "[node] client_operations_rate", config->client_operations_rate);
    check_rate(check, "[node] client_bytes_rate", config->client_bytes_rate);
    if ((config->client_operations_rate != 0 || config->client_bytes_rate != 0) &&
        config->clients_mode != SECURITY_REQUIRED)
        check_note(check, "[node] client_operations_rate, client_bytes_rate: where packets are not "
                          "sealed all programs of a host are one client");
}

bool check_config(const struct config *config, FILE *out)
{
    static const struct node_start start = {.incarnation = 1};
    struct node_options *options = calloc(1, sizeof(*options));
    struct check check = {.config = config, .options = options, .out = out};
    if (options == NULL) {
        check_is_bad(&check, "out of memory");
        return false;
    }
    node_options_fill(config, &start, options);
    check_peers(&check);
    check_directory(&check);
    check_security(&check);
    check_user(&check);
    check_rates(&check);
    check_sizes(&check);
    check_asides(&check);
    check_join(&check);
    free(options);
    return !check.is_bad;
}
