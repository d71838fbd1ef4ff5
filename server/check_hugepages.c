/*
 * Huge pages: enough of them where the card is, and again after a new start of the machine. See
 * check.h.
 *
 * Sources: the kernel's Documentation/admin-guide/mm/hugetlbpage.rst; sysctl.d(5), tmpfiles.d(5).
 */
#include "server/check_internal.h"

#include <stdlib.h>
#include <string.h>

#define KIB         UINT64_C(1024)
#define MIB         (1024 * KIB)
#define PAGE_PREFIX "hugepages-"
/* Which Pollux brings, and what it reserves without a setting. */
#define OWN_UNIT     "pollux-hugepages.service"
#define OWN_SETTINGS "/etc/default/pollux-hugepages"
#define OWN_PAGES    512

/* ---- what is there ---- */

static void look_at_pages(struct check *check, const struct host_port *port)
{
    const struct host_memory *memory = &port->memory;
    struct host_finding finding;
    char folder[HOST_ENTRY_BYTES];
    host_pages_begin(memory, &finding);
    if (!memory->has_pages)
        check_unknown(check, finding.subject,
                      "%s%s cannot be read: a container, or a kernel without them",
                      check->host->root, host_pages_folder(memory->numa_node, folder));
    else if (check_faults(check, HOST_PART_PAGES, port) == 0)
        check_good(check, finding.subject, "%lu MiB free, the node needs %lu MiB",
                   (unsigned long)(memory->near_free_bytes / MIB),
                   (unsigned long)(port->need.memory_bytes / MIB));
}

/* ---- after a new start ---- */

struct kept {
    const struct check *check;
    uint64_t page_bytes; /* of a page of the usual size */
    const char *folder;
    uint64_t bytes;               /* the most that one place asks for */
    bool is_unit;                 /* a unit of systemd sets some number */
    char where[HOST_ENTRY_BYTES]; /* that place */
};

static void keep(struct kept *kept, uint64_t bytes, const char *where)
{
    if (bytes < kept->bytes || bytes == 0)
        return;
    kept->bytes = bytes;
    snprintf(kept->where, sizeof(kept->where), "%.255s", where);
}

/* "hugepagesz=1G hugepages=4 hugepages=0:512": a number is of the size before it. */
static void keep_command_line(struct kept *kept)
{
    char line[HOST_LINE_BYTES];
    uint64_t page_bytes = kept->page_bytes;
    uint64_t bytes = 0;
    char *rest = line;
    if (!host_line(kept->check->host, "/proc/cmdline", line))
        return;
    for (char *word = strsep(&rest, " "); word != NULL; word = strsep(&rest, " ")) {
        char *end;
        if (strncmp(word, "hugepagesz=", 11) == 0) {
            uint64_t size = strtoull(word + 11, &end, 10);
            page_bytes = size * (*end == 'G' ? 1024 * MIB : *end == 'M' ? MIB : KIB);
        } else if (strncmp(word, "hugepages=", 10) == 0) {
            for (char *at = word + 10; *at != '\0'; at = *end == ',' ? end + 1 : end) {
                uint64_t count = strtoull(at, &end, 10);
                if (*end == ':')
                    count = strtoull(end + 1, &end, 10);
                else if (end == at)
                    break;
                bytes += count * page_bytes;
            }
        }
    }
    keep(kept, bytes, "the kernel's command line");
}

/* One file of settings: sysctl.d has NAME = N, tmpfiles.d has w PATH - - - - N. */
static void keep_file(struct kept *kept, const char *path)
{
    char line[HOST_LINE_BYTES];
    FILE *file = host_open(kept->check->host, path);
    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        const char *name = strstr(line, "nr_hugepages");
        uint64_t page_bytes = kept->page_bytes;
        const char *size = strstr(line, PAGE_PREFIX);
        if (name == NULL || line[0] == '#' || line[0] == ';')
            continue;
        if (size != NULL)
            page_bytes = strtoull(size + strlen(PAGE_PREFIX), NULL, 10) * KIB;
        const char *number = name + strcspn(name, " \t=");
        number += strspn(number, " \t=-");
        keep(kept, strtoull(number, NULL, 10) * page_bytes, path);
        if (strstr(path, "/system/") != NULL) {
            kept->is_unit = true;
            snprintf(kept->where, sizeof(kept->where), "%.255s", path);
        }
    }
    if (file != NULL)
        fclose(file);
}

static void keep_entry(void *context, const char *name)
{
    struct kept *kept = context;
    char path[PATH_MAX];
    const char *dot = strrchr(name, '.');
    if (dot == NULL || (strcmp(dot, ".conf") != 0 && strcmp(dot, ".service") != 0))
        return;
    snprintf(path, sizeof(path), "%s/%s", kept->folder, name);
    if (strcmp(dot, ".service") != 0 || host_has_enabled(kept->check->host, name))
        keep_file(kept, path);
}

/* The unit that Pollux brings: its settings are those of a shell. */
static void keep_own_unit(struct kept *kept)
{
    char line[HOST_LINE_BYTES];
    uint64_t count = OWN_PAGES;
    uint64_t page_bytes = 2 * MIB;
    if (!host_has_enabled(kept->check->host, OWN_UNIT))
        return;
    FILE *file = host_open(kept->check->host, OWN_SETTINGS);
    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        if (strncmp(line, "POLLUX_HUGEPAGES=", 17) == 0)
            count = strtoull(line + 17, NULL, 10);
        else if (strncmp(line, "POLLUX_HUGEPAGES_SIZE=", 22) == 0)
            page_bytes = strtoull(line + 22, NULL, 10) * KIB;
    }
    if (file != NULL)
        fclose(file);
    keep(kept, count * page_bytes, OWN_UNIT " (" OWN_SETTINGS ")");
}

static void command_keep(struct check *check, const struct host_port *port)
{
    const struct host_memory *memory = &port->memory;
    uint64_t page_bytes = memory->page_bytes;
    unsigned long page_kib = (unsigned long)(page_bytes / KIB);
    unsigned long count = (unsigned long)((port->need.memory_bytes + page_bytes - 1) / page_bytes);
    const char *root = check->host->root;
    char folder[HOST_ENTRY_BYTES];
    char number[32] = "";
    if (!host_has_unit(check->host, OWN_UNIT)) {
        check_safe_command(check,
                           "mkdir -p %s/etc/tmpfiles.d && echo 'w %s/" PAGE_PREFIX
                           "%lukB/nr_hugepages - - - - %lu' >%s/etc/tmpfiles.d/"
                           "pollux-hugepages.conf",
                           root, host_pages_folder(memory->numa_node, folder), page_kib, count,
                           root);
        return;
    }
    if (memory->numa_node != HOST_NO_NUMA_NODE)
        snprintf(number, sizeof(number), "%d", (int)memory->numa_node);
    check_safe_command(check,
                       "printf 'POLLUX_HUGEPAGES=%lu\\nPOLLUX_HUGEPAGES_SIZE=%lukB\\n"
                       "POLLUX_HUGEPAGES_NODE=%s\\n' >%s" OWN_SETTINGS
                       " && systemctl enable --now " OWN_UNIT,
                       count, page_kib, number, root);
}

static void look_at_persistence(struct check *check, const struct host_port *port)
{
    static const char *const folders[] = {"/etc/sysctl.d",           "/run/sysctl.d",
                                          "/usr/lib/sysctl.d",       "/etc/tmpfiles.d",
                                          "/usr/lib/tmpfiles.d",     "/etc/systemd/system",
                                          "/usr/lib/systemd/system", "/lib/systemd/system"};
    struct kept kept = {.check = check, .page_bytes = port->memory.page_bytes, .where = ""};
    uint64_t needed = port->need.memory_bytes;
    keep_command_line(&kept);
    keep_own_unit(&kept);
    keep_file(&kept, "/etc/sysctl.conf");
    for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
        kept.folder = folders[i];
        (void)host_each(check->host, folders[i], keep_entry, &kept);
    }
    if (kept.bytes >= needed || kept.is_unit) {
        check_good(check, "huge pages after a new start", "reserved by %s", kept.where);
        return;
    }
    if (kept.bytes > 0)
        check_wrong(check, "huge pages after a new start",
                    "%s reserves %lu MiB, and the node needs %lu MiB", kept.where,
                    (unsigned long)(kept.bytes / MIB), (unsigned long)(needed / MIB));
    else
        check_wrong(check, "huge pages after a new start",
                    "nothing reserves them: neither the kernel's command line, nor sysctl.d, "
                    "tmpfiles.d or a unit of systemd");
    command_keep(check, port);
}

/* Without [port] hugepages: whether the card can do without. */
static void look_at_need(struct check *check, const struct host_port *port)
{
    const char *subject = "[port] hugepages = false";
    if (check_faults(check, HOST_PART_PAGES, port) > 0)
        return;
    if (!port->has_card || host_port_is_usable(port))
        check_good(check, subject, "none are needed");
    else
        check_unknown(check, subject, "whether %s needs some is not known: see [port] device",
                      port->need.device);
}

void check_hugepages(struct check *check)
{
    struct host_port port;
    check_port_look(check, &port);
    if (!check->config->is_hugepages) {
        look_at_need(check, &port);
        return;
    }
    look_at_pages(check, &port);
    look_at_persistence(check, &port);
}
