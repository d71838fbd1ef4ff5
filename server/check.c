/* See check.h. */
#include "server/check_internal.h"

#include "base/units.h"
#include "pmem/file_reader.h"
#include "pmem/identity.h"
#include "server/data_directory.h"
#include "server/journal_aside.h"
#include "server/medium_watch.h"
#include "server/user_switch.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define MS_NS UINT64_C(1000000)

static void say(struct check *check, enum check_state state, const char *subject,
                const char *format, va_list values)
{
    check->last = check_findings_add(check->findings, check->name);
    check->last->state = state;
    snprintf(check->last->subject, sizeof(check->last->subject), "%s", subject);
    vsnprintf(check->last->message, sizeof(check->last->message), format, values);
}

#define DEFINE_SAY(name, state)                                                                    \
    void name(struct check *check, const char *subject, const char *format, ...)                   \
    {                                                                                              \
        va_list values;                                                                            \
        va_start(values, format);                                                                  \
        say(check, state, subject, format, values);                                                \
        va_end(values);                                                                            \
    }
DEFINE_SAY(check_good, CHECK_GOOD)
DEFINE_SAY(check_note, CHECK_NOTE)
DEFINE_SAY(check_wrong, CHECK_WRONG)
DEFINE_SAY(check_unknown, CHECK_UNKNOWN)
#undef DEFINE_SAY

void check_wrong_text(struct check *check, const char *text)
{
    char subject[CHECK_SUBJECT_BYTES];
    const char *colon = strstr(text, ": ");
    size_t size = colon == NULL ? 0 : (size_t)(colon - text);
    snprintf(subject, sizeof(subject), "%.*s", (int)size, text);
    check_wrong(check, colon == NULL ? check->name : subject, "%s",
                colon == NULL ? text : colon + 2);
}

void check_wrong_finding(struct check *check, const struct host_finding *finding)
{
    check_wrong(check, finding->subject, "%s", finding->what);
    memcpy(check->last->command, finding->command, sizeof(finding->command));
    check->last->is_safe = finding->is_safe && finding->command[0] != '\0';
}

void check_command(struct check *check, const char *format, ...)
{
    va_list values;
    va_start(values, format);
    vsnprintf(check->last->command, sizeof(check->last->command), format, values);
    va_end(values);
}

void check_safe_command(struct check *check, const char *format, ...)
{
    va_list values;
    va_start(values, format);
    int size = vsnprintf(check->last->command, sizeof(check->last->command), format, values);
    va_end(values);
    check->last->is_safe = size > 0 && (size_t)size < sizeof(check->last->command);
}

static void check_election_timeout(struct check *check, uint64_t sync_ns)
{
    uint64_t timeout_ms = medium_watch_timeout_ns(sync_ns) / MS_NS;
    uint64_t configured_ms = check->config->election_timeout_min_ns / MS_NS;
    char sync[UNITS_TEXT_BYTES];
    char subject[64];
    snprintf(subject, sizeof(subject), "[cluster] election_timeout_min = %lums",
             (unsigned long)configured_ms);
    if (timeout_ms > configured_ms)
        check_wrong(check, subject,
                    "a small write takes %s to "
                    "become durable, so elections are slow: use a faster medium, or set "
                    "election_timeout_min = %lums and election_timeout_max = %lums on all nodes",
                    units_duration(sync_ns, sync), (unsigned long)timeout_ms,
                    (unsigned long)(2 * timeout_ms));
    else
        check_good(check, subject,
                   "long enough for the medium; a small write takes %s to become durable",
                   units_duration(sync_ns, sync));
}

/* Whether the medium is the right one, and how fast. */
static void check_medium(struct check *check, const struct node_identity *identity)
{
    const struct config *config = check->config;
    struct data_directory_probe probe;
    char text[DATA_DIRECTORY_TEXT_BYTES] = "";
    if (data_directory_probe(config, &probe, text) != OK) {
        check_wrong(check, "[node] directory", "%s", text);
        return;
    }
    if (probe.medium != identity->medium)
        check_wrong(check, "[node] directory",
                    "made on the medium %s, and lies on %s now: mount the right "
                    "file system with its options; moved on purpose: polluxd --moved",
                    medium_kind_name(identity->medium), medium_kind_name(probe.medium));
    else
        check_good(check, "[node] directory", "lies on the medium %s, as when it was made",
                   medium_kind_name(probe.medium));
    if (probe.is_volatile)
        check_wrong(check, "[node] directory",
                    "lies on a file system in memory: nothing there "
                    "survives a power loss; choose another place");
    if (probe.medium == MEDIUM_EMULATED && config->medium != MEDIUM_EMULATED)
        check_wrong(check, "[node] directory",
                    "the medium is emulated, and does not survive a "
                    "power loss: take PMEM2_FORCE_GRANULARITY out of the environment, or, "
                    "for tests, set [node] medium = emulated");
    check_election_timeout(check, probe.sync_ns);
}

static void check_directory(struct check *check)
{
    struct node_identity identity;
    char text[DATA_DIRECTORY_TEXT_BYTES] = "";
    if (data_directory_read(check->config, &identity, text) != OK) {
        check_wrong(check, "[node] directory", "%s", text);
        return;
    }
    check_good(check, "[node] directory", "%s is of node %u of cluster %s, shards %u",
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
        check_note(check, "[node] join = true",
                   "this node founds no cluster; it waits until pollux member "
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
            check_note(check, asides[i].file,
                       "%lu relaxed writes of an earlier storage of this node; what of them was "
                       "not replicated will not be: set the keys anew if you need them, then move "
                       "the file out of the directory",
                       (unsigned long)asides[i].writes);
    }
}

/* Whom the node becomes, and whether the files are that user's. */
static void check_user(struct check *check)
{
    const struct config *config = check->config;
    struct user_switch user;
    char text[DATA_DIRECTORY_TEXT_BYTES];
    if (user_switch_find(config->user, &user, text, sizeof(text)) != OK ||
        user_switch_check(&user, config->directory, text, sizeof(text)) != OK)
        check_wrong_text(check, text);
    else if (user.uid == 0)
        check_note(check, "[node] user",
                   "not set: started by root, the node reads packets of "
                   "strangers as root");
    else
        check_good(check, "[node] user", "the node runs as user id %u", (unsigned)user.uid);
    if (!config->is_sandboxed)
        check_note(check, "[node] sandbox = false",
                   "who takes the node over has all of its rights");
}

static void check_rate(struct check *check, const char *setting, uint64_t rate)
{
    const struct config *config = check->config;
    char subject[96];
    snprintf(subject, sizeof(subject), "%s = %lu", setting, (unsigned long)rate);
    if (rate != 0 && config->lane_count > 1)
        check_note(check, subject,
                   "a client gets %lu a second on each of the %u lanes; one whose keys lie in one "
                   "shard gets no more",
                   (unsigned long)(rate / config->lane_count), config->lane_count);
}

static void check_rates(struct check *check)
{
    const struct config *config = check->config;
    check_rate(check, "[node] client_operations_rate", config->client_operations_rate);
    check_rate(check, "[node] client_bytes_rate", config->client_bytes_rate);
    if ((config->client_operations_rate != 0 || config->client_bytes_rate != 0) &&
        config->clients_mode != SECURITY_REQUIRED)
        check_note(check, "[node] client_operations_rate, client_bytes_rate",
                   "where packets are not sealed all programs of a host are one client");
}

enum need {
    NEED_NOTHING,
    NEED_CONFIG,
    NEED_OPTIONS /* what the configuration makes of a node */
};

static const struct {
    const char *name;
    void (*look)(struct check *check);
    enum need need;
} checks[] = {
    {"peers", check_peers, NEED_CONFIG},
    {"directory", check_directory, NEED_CONFIG},
    {"security", check_security, NEED_CONFIG},
    {"user", check_user, NEED_CONFIG},
    {"rates", check_rates, NEED_CONFIG},
    {"files", check_files, NEED_OPTIONS},
    {"memory", check_memory, NEED_OPTIONS},
    {"journals", check_asides, NEED_OPTIONS},
    {"join", check_join, NEED_OPTIONS},
    {"mount", check_mount, NEED_CONFIG},
    {"dax", check_dax, NEED_CONFIG},
    {"card", check_card, NEED_NOTHING},
    {"iommu", check_iommu, NEED_CONFIG},
    {"vfio", check_vfio, NEED_CONFIG},
    {"memlock", check_memlock, NEED_CONFIG},
    {"hugepages", check_hugepages, NEED_CONFIG},
    {"cores", check_cores, NEED_CONFIG},
    {"interrupts", check_interrupts, NEED_CONFIG},
    {"numa", check_numa, NEED_CONFIG},
    {"governor", check_governor, NEED_NOTHING},
    {"idle-states", check_idle_states, NEED_CONFIG},
    {"clock-source", check_clock_source, NEED_NOTHING},
    {"clock", check_clock, NEED_NOTHING},
};

uint32_t check_count(void)
{
    return sizeof(checks) / sizeof(checks[0]);
}

const char *check_name(uint32_t check)
{
    return checks[check].name;
}

void check_run(uint32_t number, const struct check_task *task, struct check_findings *findings)
{
    static const struct node_start start = {.incarnation = 1};
    struct node_options *options = NULL;
    struct check check = {.name = checks[number].name,
                          .host = task->host,
                          .config = task->config,
                          .config_path = task->config_path,
                          .findings = findings};
    if (task->config == NULL && checks[number].need != NEED_NOTHING)
        return;
    if (checks[number].need == NEED_OPTIONS) {
        options = calloc(1, sizeof(*options));
        if (options == NULL) {
            check_unknown(&check, checks[number].name, "out of memory");
            return;
        }
        node_options_fill(task->config, &start, options);
    }
    check.options = options;
    checks[number].look(&check);
    free(options);
}

bool check_print(const struct check_task *task, FILE *out)
{
    struct check_findings *findings = calloc(1, sizeof(*findings));
    if (findings == NULL) {
        fputs("unknown memory: out of memory\n", out);
        return false;
    }
    for (uint32_t i = 0; i < check_count(); i++)
        check_run(i, task, findings);
    for (uint32_t i = 0; i < findings->count; i++)
        check_finding_print(&findings->list[i], out);
    bool is_good = check_findings_count(findings, CHECK_WRONG) == 0;
    free(findings);
    return is_good;
}
