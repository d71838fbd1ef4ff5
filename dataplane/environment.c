/*
 * EAL's start: the argument list, the tests that turn its typical failures into advice beforehand,
 * and its log, which is kept for the reason texts and never printed. Source: DPDK 22.11, Linux EAL
 * parameters.
 */
#include "dataplane/environment.h"

#include "base/check.h"
#include "dataplane/frame.h"
#include "dataplane/gone_peer.h"
#include "dataplane/vdev.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_log.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARGUMENTS_MAX           (16 + 2 * DP_VDEVS_MAX)
#define ARGUMENT_SIZE_BYTES_MAX 512
#define CPU_LIST_SIZE_BYTES_MAX 480
#define LOG_SIZE_BYTES_MAX      1024
#define HUGEPAGE_FOLDERS_MAX    16

struct arguments {
    int count;
    char *list[ARGUMENTS_MAX + 1];
    char text[ARGUMENTS_MAX][ARGUMENT_SIZE_BYTES_MAX];
};

/* The last messages of EAL and the drivers; written by any of their threads. */
static struct {
    pthread_mutex_t lock;
    char text[LOG_SIZE_BYTES_MAX];
    size_t size_bytes;
} driver_log = {.lock = PTHREAD_MUTEX_INITIALIZER};

static FILE *driver_log_stream;
static bool is_started;

void environment_reason(char *ret_reason, size_t reason_size, const char *format, ...)
{
    va_list values;
    va_start(values, format);
    if (reason_size > 0) {
        (void)vsnprintf(ret_reason, reason_size, format, values);
    }
    va_end(values);
}

static ssize_t driver_log_write(void *cookie, const char *data, size_t size_bytes)
{
    (void)cookie;
    (void)pthread_mutex_lock(&driver_log.lock);
    size_t size = size_bytes < LOG_SIZE_BYTES_MAX / 2 ? size_bytes : LOG_SIZE_BYTES_MAX / 2;
    if (driver_log.size_bytes + size >= LOG_SIZE_BYTES_MAX) {
        /* The newest messages explain a failure best: older ones make room. */
        size_t gone = driver_log.size_bytes + size - LOG_SIZE_BYTES_MAX + 1;
        driver_log.size_bytes -= gone;
        memmove(driver_log.text, driver_log.text + gone, driver_log.size_bytes);
    }
    for (size_t i = 0; i < size; i++) {
        char letter = data[i] == '\n' ? ';' : data[i];
        driver_log.text[driver_log.size_bytes++] = letter;
    }
    driver_log.text[driver_log.size_bytes] = '\0';
    (void)pthread_mutex_unlock(&driver_log.lock);
    return (ssize_t)size_bytes;
}

void environment_log_clear(void)
{
    (void)pthread_mutex_lock(&driver_log.lock);
    driver_log.size_bytes = 0;
    driver_log.text[0] = '\0';
    (void)pthread_mutex_unlock(&driver_log.lock);
}

void environment_log_copy(char *ret_text, size_t text_size)
{
    (void)pthread_mutex_lock(&driver_log.lock);
    environment_reason(ret_text, text_size, "%s",
                       driver_log.size_bytes > 0 ? driver_log.text : "no message from the driver");
    (void)pthread_mutex_unlock(&driver_log.lock);
}

static void argument_add(struct arguments *arguments, const char *text)
{
    int at = arguments->count;
    if (at < ARGUMENTS_MAX) {
        (void)snprintf(arguments->text[at], ARGUMENT_SIZE_BYTES_MAX, "%s", text);
        arguments->list[at] = arguments->text[at];
        arguments->count = at + 1;
    }
}

static void argument_add_pair(struct arguments *arguments, const char *name, const char *value)
{
    argument_add(arguments, name);
    argument_add(arguments, value);
}

/* One lcore over every CPU that this thread may use, so that EAL's binding changes nothing. */
static void lcores_format(char *ret_text, size_t text_size)
{
    cpu_set_t cpus;
    size_t used = 0;
    CPU_ZERO(&cpus);
    (void)sched_getaffinity(0, sizeof(cpus), &cpus);
    used += (size_t)snprintf(ret_text, text_size, "0@(");
    const char *comma = "";
    for (int cpu = 0; cpu < RTE_MAX_LCORE && used + 8 < text_size; cpu++) {
        if (CPU_ISSET(cpu, &cpus)) {
            used += (size_t)snprintf(ret_text + used, text_size - used, "%s%d", comma, cpu);
            comma = ",";
        }
    }
    (void)snprintf(ret_text + used, text_size - used, ")");
}

static void arguments_build(const struct dp_environment_options *options,
                            struct arguments *arguments)
{
    char text[CPU_LIST_SIZE_BYTES_MAX];
    argument_add(arguments, options->program != NULL ? options->program : "pollux");
    lcores_format(text, sizeof(text));
    argument_add_pair(arguments, "--lcores", text);
    argument_add_pair(arguments, "--file-prefix", options->file_prefix);
    argument_add(arguments, "--no-telemetry");
    argument_add_pair(arguments, "--log-level", "error");
    /* In this release --in-memory contradicts --no-huge, which needs no file but its
     * configuration. */
    argument_add(arguments, options->is_hugepages ? "--in-memory" : "--no-huge");
    argument_add(arguments, "--no-shconf");
    if (options->memory_mib > 0) {
        (void)snprintf(text, sizeof(text), "%u", options->memory_mib);
        argument_add_pair(arguments, "-m", text);
    }
    if (options->pci_allow != NULL) {
        argument_add_pair(arguments, "--allow", options->pci_allow);
    } else {
        argument_add(arguments, "--no-pci");
    }
    for (uint32_t i = 0; i < options->vdev_count; i++) {
        argument_add_pair(arguments, "--vdev", options->vdevs[i]);
    }
}

static bool has_free_hugepages(void)
{
    DIR *folder = opendir("/sys/kernel/mm/hugepages");
    bool has_free = false;
    if (folder == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < HUGEPAGE_FOLDERS_MAX && !has_free; i++) {
        char path[512];
        unsigned long count = 0;
        const struct dirent *entry = readdir(folder);
        if (entry == NULL) {
            break;
        }
        (void)snprintf(path, sizeof(path), "/sys/kernel/mm/hugepages/%s/free_hugepages",
                       entry->d_name);
        FILE *file = fopen(path, "re");
        if (file != NULL) {
            has_free = fscanf(file, "%lu", &count) == 1 && count > 0;
            (void)fclose(file);
        }
    }
    (void)closedir(folder);
    return has_free;
}

static enum error options_check(const struct dp_environment_options *options, char *ret_reason,
                                size_t reason_size)
{
    if (options->vdev_count > DP_VDEVS_MAX || options->file_prefix == NULL) {
        environment_reason(ret_reason, reason_size, "more than %d virtual ports, or no file prefix",
                           DP_VDEVS_MAX);
        return ERR_ARGUMENT;
    }
    if (options->is_hugepages && !has_free_hugepages()) {
        environment_reason(ret_reason, reason_size,
                           "no free hugepages: reserve some as root (sysctl vm.nr_hugepages=512), "
                           "or turn hugepages off in the configuration");
        return ERR_NO_MEMORY;
    }
    for (uint32_t i = 0; i < options->vdev_count; i++) {
        if (strlen(options->vdevs[i]) >= ARGUMENT_SIZE_BYTES_MAX) {
            environment_reason(ret_reason, reason_size, "virtual port %u: longer than %d letters",
                               i, ARGUMENT_SIZE_BYTES_MAX - 1);
            return ERR_TOO_LARGE;
        }
        enum error error = vdev_check(options->vdevs[i], ret_reason, reason_size);
        if (error != OK) {
            return error;
        }
    }
    return OK;
}

/* EAL starts even when a device failed: each must have become a port. */
static enum error ports_check(const struct dp_environment_options *options, char *ret_reason,
                              size_t reason_size)
{
    char log[LOG_SIZE_BYTES_MAX];
    uint16_t port;
    environment_log_copy(log, sizeof(log));
    for (uint32_t i = 0; i < options->vdev_count; i++) {
        char name[VDEV_NAME_SIZE_BYTES];
        vdev_name(options->vdevs[i], name);
        if (rte_eth_dev_get_port_by_name(name, &port) != 0) {
            environment_reason(ret_reason, reason_size,
                               "port \"%s\" could not be made; check its driver's name and "
                               "arguments, and that this user may open it (%s)",
                               options->vdevs[i], log);
            return ERR_NOT_FOUND;
        }
    }
    return OK;
}

static enum error environment_init(struct arguments *arguments, char *ret_reason,
                                   size_t reason_size)
{
    cpu_set_t cpus;
    char log[LOG_SIZE_BYTES_MAX];
    CPU_ZERO(&cpus);
    bool has_affinity = sched_getaffinity(0, sizeof(cpus), &cpus) == 0;
    int result = rte_eal_init(arguments->count, arguments->list);
    if (has_affinity) {
        (void)sched_setaffinity(0, sizeof(cpus), &cpus);
    }
    if (result >= 0) {
        return OK;
    }
    environment_log_copy(log, sizeof(log));
    if (rte_errno == ENODEV) {
        environment_reason(ret_reason, reason_size,
                           "a virtual port has no driver; check its driver's name (%s)", log);
        return ERR_NOT_FOUND;
    }
    environment_reason(
        ret_reason, reason_size,
        "DPDK did not start: %s; check the memory size ([port] memory_mib), the file "
        "prefix and the port's arguments (%s)",
        rte_strerror(rte_errno), log);
    return rte_errno == ENOMEM ? ERR_NO_MEMORY : ERR_IO;
}

enum error dp_start(const struct dp_environment_options *options, char *ret_reason,
                    size_t reason_size)
{
    static struct arguments arguments;
    static const cookie_io_functions_t functions = {.write = driver_log_write};
    if (is_started) {
        environment_reason(ret_reason, reason_size, "DPDK is started once a process");
        return ERR_EXISTS;
    }
    enum error error = options_check(options, ret_reason, reason_size);
    if (error != OK) {
        return error;
    }
    CHECK(gone_peer_is_watched());
    driver_log_stream = fopencookie(NULL, "w", functions);
    if (driver_log_stream == NULL) {
        environment_reason(ret_reason, reason_size, "no memory for the driver log");
        return ERR_NO_MEMORY;
    }
    setbuf(driver_log_stream, NULL);
    (void)rte_openlog_stream(driver_log_stream);
    arguments_build(options, &arguments);
    error = environment_init(&arguments, ret_reason, reason_size);
    if (error != OK) {
        return error;
    }
    is_started = true;
    return ports_check(options, ret_reason, reason_size);
}

void dp_stop(void)
{
    /*
     * Not rte_eal_cleanup: it unmaps the memory in which EAL's interrupt thread, which it leaves
     * running, still looks up its sources. The ports are closed; the end of the process does the
     * rest.
     */
    is_started = false;
}
