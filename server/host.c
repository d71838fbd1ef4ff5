/* See host.h. The kernel's lists of CPUs: Documentation/admin-guide/cputopology.rst. */
#include "server/host.h"

#include "base/regular_file.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timex.h>
#include <unistd.h>

void host_init(struct host *ret_host)
{
    struct timex clock = {.modes = 0};
    int state = adjtimex(&clock);
    *ret_host = (struct host){.root = "",
                              .uid = geteuid(),
                              .is_clock_set = state >= 0 && state != TIME_ERROR &&
                                              (clock.status & STA_UNSYNC) == 0};
}

const char *host_path(const struct host *host, char ret_path[PATH_MAX], const char *format, ...)
{
    va_list values;
    int size = snprintf(ret_path, PATH_MAX, "%s", host->root);
    if (size < 0 || size >= PATH_MAX)
        size = 0;
    va_start(values, format);
    vsnprintf(ret_path + size, PATH_MAX - (size_t)size, format, values);
    va_end(values);
    return ret_path;
}

bool host_has(const struct host *host, const char *path)
{
    char full[PATH_MAX];
    return access(host_path(host, full, "%s", path), F_OK) == 0;
}

FILE *host_open(const struct host *host, const char *path)
{
    char full[PATH_MAX];
    const char *why;
    int fd = regular_file_open(host_path(host, full, "%s", path), O_RDONLY, &why);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "r");
    if (file == NULL && fd >= 0)
        close(fd);
    return file;
}

bool host_line(const struct host *host, const char *path, char ret_line[HOST_LINE_BYTES])
{
    FILE *file = host_open(host, path);
    ret_line[0] = '\0';
    if (file == NULL)
        return false;
    bool is_read = fgets(ret_line, HOST_LINE_BYTES, file) != NULL || !ferror(file);
    ret_line[strcspn(ret_line, "\n")] = '\0';
    fclose(file);
    return is_read;
}

bool host_field(const struct host *host, const char *path, const char *key,
                char ret_value[HOST_LINE_BYTES])
{
    char line[HOST_LINE_BYTES];
    bool is_found = false;
    FILE *file = host_open(host, path);
    ret_value[0] = '\0';
    for (uint32_t i = 0; file != NULL && !is_found && i < HOST_LINES_MAX; i++) {
        if (fgets(line, sizeof(line), file) == NULL)
            break;
        is_found = strncmp(line, key, strlen(key)) == 0;
        if (is_found) {
            const char *value = line + strlen(key);
            value += strspn(value, " \t");
            snprintf(ret_value, HOST_LINE_BYTES, "%.*s", (int)strcspn(value, "\n"), value);
        }
    }
    if (file != NULL)
        fclose(file);
    return is_found;
}

bool host_number(const struct host *host, const char *path, int64_t *ret_number)
{
    char line[HOST_LINE_BYTES];
    char *end;
    if (!host_line(host, path, line))
        return false;
    long long number = strtoll(line, &end, 0);
    if (end == line)
        return false;
    *ret_number = number;
    return true;
}

bool host_link(const struct host *host, const char *path, char ret_name[HOST_ENTRY_BYTES])
{
    char full[PATH_MAX];
    char target[PATH_MAX];
    ret_name[0] = '\0';
    ssize_t size = readlink(host_path(host, full, "%s", path), target, sizeof(target) - 1);
    if (size < 0)
        return false;
    target[size] = '\0';
    const char *slash = strrchr(target, '/');
    snprintf(ret_name, HOST_ENTRY_BYTES, "%.255s", slash == NULL ? target : slash + 1);
    return true;
}

bool host_each(const struct host *host, const char *path,
               void (*entry)(void *context, const char *name), void *context)
{
    char full[PATH_MAX];
    DIR *folder = opendir(host_path(host, full, "%s", path));
    if (folder == NULL)
        return false;
    for (uint32_t i = 0; i < HOST_ENTRIES_MAX; i++) {
        const struct dirent *found = readdir(folder);
        if (found == NULL)
            break;
        if (found->d_name[0] != '.')
            entry(context, found->d_name);
    }
    closedir(folder);
    return true;
}

static void take_entry(void *context, const char *name)
{
    snprintf(context, HOST_ENTRY_BYTES, "%.255s", name);
}

bool host_entry(const struct host *host, const char *path, char ret_name[HOST_ENTRY_BYTES])
{
    ret_name[0] = '\0';
    (void)host_each(host, path, take_entry, ret_name);
    return ret_name[0] != '\0';
}

bool host_has_unit(const struct host *host, const char *unit)
{
    static const char *const places[] = {"/etc/systemd/system", "/run/systemd/generator",
                                         "/usr/lib/systemd/system", "/lib/systemd/system"};
    char path[PATH_MAX];
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        snprintf(path, sizeof(path), "%s/%s", places[i], unit);
        if (host_has(host, path))
            return true;
    }
    return false;
}

bool host_has_enabled(const struct host *host, const char *unit)
{
    static const char *const targets[] = {"multi-user", "sysinit", "basic", "local-fs", "default"};
    char path[PATH_MAX];
    char link[HOST_ENTRY_BYTES];
    for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
        snprintf(path, sizeof(path), "/etc/systemd/system/%s.target.wants/%s", targets[i], unit);
        if (host_link(host, path, link)) /* its target may be missing in the root of a test */
            return true;
    }
    return false;
}

void host_cpus_set(struct host_cpus *cpus, uint32_t cpu, bool is_in)
{
    uint64_t bit = UINT64_C(1) << cpu % 64;
    if (cpu < HOST_CPUS_MAX)
        cpus->words[cpu / 64] = is_in ? cpus->words[cpu / 64] | bit : cpus->words[cpu / 64] & ~bit;
}

bool host_cpus_has(const struct host_cpus *cpus, uint32_t cpu)
{
    return cpu < HOST_CPUS_MAX && (cpus->words[cpu / 64] >> cpu % 64 & 1) != 0;
}

struct host_cpus host_cpus_parse(const char *list)
{
    struct host_cpus cpus = {{0}};
    const char *at = list;
    for (uint32_t i = 0; i < HOST_CPUS_MAX && *at >= '0' && *at <= '9'; i++) {
        char *end;
        unsigned long first = strtoul(at, &end, 10);
        unsigned long last = *end == '-' ? strtoul(end + 1, &end, 10) : first;
        for (unsigned long cpu = first; cpu <= last && cpu < HOST_CPUS_MAX; cpu++)
            host_cpus_set(&cpus, (uint32_t)cpu, true);
        at = *end == ',' ? end + 1 : end;
    }
    return cpus;
}

struct host_cpus host_cpus_read(const struct host *host, const char *path)
{
    char line[HOST_LINE_BYTES];
    (void)host_line(host, path, line);
    return host_cpus_parse(line);
}

const char *host_cpus_text(const struct host_cpus *cpus, char *ret_text, size_t text_size)
{
    size_t used = 0;
    ret_text[0] = '\0';
    for (uint32_t cpu = 0; cpu < HOST_CPUS_MAX && used + 16 < text_size; cpu++) {
        if (!host_cpus_has(cpus, cpu))
            continue;
        uint32_t last = cpu;
        while (host_cpus_has(cpus, last + 1))
            last++;
        used += (size_t)snprintf(ret_text + used, text_size - used, used > 0 ? ",%u" : "%u", cpu);
        if (last > cpu)
            used += (size_t)snprintf(ret_text + used, text_size - used, "-%u", last);
        cpu = last;
    }
    return ret_text;
}

int32_t host_numa_node_of(const struct host *host, uint32_t cpu)
{
    char path[PATH_MAX];
    for (int32_t node = 0; node < (int32_t)HOST_NODES_MAX; node++) {
        snprintf(path, sizeof(path), "/sys/devices/system/node/node%d/cpulist", (int)node);
        struct host_cpus cpus = host_cpus_read(host, path);
        if (host_cpus_has(&cpus, cpu))
            return node;
    }
    return HOST_NO_NUMA_NODE;
}

uint32_t host_numa_nodes(const struct host *host)
{
    char path[PATH_MAX];
    uint32_t count = 0;
    for (uint32_t node = 0; node < HOST_NODES_MAX; node++) {
        snprintf(path, sizeof(path), "/sys/devices/system/node/node%u", node);
        count += host_has(host, path);
    }
    return count;
}
