/*
 * What makes a core slow, or reading the clock: see check.h.
 *
 * Sources: the kernel's Documentation/admin-guide/pm/cpufreq.rst, cpuidle.rst,
 * Documentation/timers.
 */
#include "server/check_internal.h"

#include <string.h>

#define SYSTEM_CPUS      "/sys/devices/system/cpu"
#define CLOCK_SOURCE     "/sys/devices/system/clocksource/clocksource0"
#define STATES_MAX       16u
#define WAKE_US_MAX      10 /* a lane that sleeps may wait so long for its core */
#define CPUS_TEXT_BYTES  512
#define STATES_TEXT_SIZE 256

/* The cores of lanes; without, all of the machine. */
static struct host_cpus cores_of_interest(const struct check *check)
{
    return check->config == NULL || check->config->core_count == 0
               ? host_cpus_read(check->host, SYSTEM_CPUS "/online")
               : check_lane_cores(check->config);
}

/* "2-3,8" as the words of a shell's loop. */
static void words_of(const struct host_cpus *cpus, char ret_text[CPUS_TEXT_BYTES])
{
    size_t used = 0;
    ret_text[0] = '\0';
    for (uint32_t cpu = 0; cpu < HOST_CPUS_MAX && used + 8 < CPUS_TEXT_BYTES; cpu++) {
        if (host_cpus_has(cpus, cpu))
            used += (size_t)snprintf(ret_text + used, CPUS_TEXT_BYTES - used, "%s%u",
                                     used > 0 ? " " : "", cpu);
    }
}

void check_governor(struct check *check)
{
    struct host_cpus cpus = cores_of_interest(check);
    struct host_cpus slow = {{0}};
    uint32_t told = 0;
    char line[HOST_LINE_BYTES];
    char path[PATH_MAX];
    char governor[HOST_ENTRY_BYTES] = "";
    char list[CPUS_TEXT_BYTES];
    for (uint32_t cpu = 0; cpu < HOST_CPUS_MAX; cpu++) {
        snprintf(path, sizeof(path), SYSTEM_CPUS "/cpu%u/cpufreq/scaling_governor", cpu);
        if (!host_cpus_has(&cpus, cpu) || !host_line(check->host, path, line))
            continue;
        told++;
        if (strcmp(line, "performance") == 0)
            continue;
        host_cpus_set(&slow, cpu, true);
        snprintf(governor, sizeof(governor), "%.64s", line);
    }
    if (told == 0) {
        check_unknown(check, "governor",
                      "the kernel does not tell how it chooses the frequency: a guest, a "
                      "container, or the firmware does it");
    } else if (governor[0] == '\0') {
        check_good(check, "governor", "performance, on %u cores", told);
    } else {
        check_wrong(check, "governor",
                    "%s on the cores %s: they are slow when work comes after a pause. The command "
                    "lasts until the next start of the machine",
                    governor, host_cpus_text(&slow, list, sizeof(list)));
        words_of(&slow, list);
        check_safe_command(check,
                           "for cpu in %s; do echo performance >%s" SYSTEM_CPUS
                           "/cpu$cpu/cpufreq/scaling_governor; done",
                           list, check->host->root);
    }
}

/* Deep states of a core that are allowed. Returns how many states there are. */
static uint32_t deep_states(const struct check *check, uint32_t cpu, bool ret_is_deep[STATES_MAX])
{
    char path[PATH_MAX];
    uint32_t count = 0;
    for (uint32_t state = 0; state < STATES_MAX; state++) {
        int64_t latency_us;
        int64_t is_disabled = 0;
        snprintf(path, sizeof(path), SYSTEM_CPUS "/cpu%u/cpuidle/state%u/latency", cpu, state);
        if (!host_number(check->host, path, &latency_us))
            break;
        count++;
        snprintf(path, sizeof(path), SYSTEM_CPUS "/cpu%u/cpuidle/state%u/disable", cpu, state);
        (void)host_number(check->host, path, &is_disabled);
        ret_is_deep[state] |= latency_us > WAKE_US_MAX && is_disabled == 0;
    }
    return count;
}

static void tell_deep(struct check *check, const bool is_deep[STATES_MAX])
{
    struct host_cpus cpus = cores_of_interest(check);
    char words[CPUS_TEXT_BYTES];
    char states[STATES_TEXT_SIZE] = "";
    size_t used = 0;
    for (uint32_t state = 0; state < STATES_MAX; state++) {
        if (is_deep[state])
            used += (size_t)snprintf(states + used, sizeof(states) - used, "%s%u",
                                     used > 0 ? " " : "", state);
    }
    check_wrong(check, "idle states",
                "a lane's core may fall into states (%s) that it needs more than %d us to leave. "
                "The command lasts until the next start of the machine",
                states, WAKE_US_MAX);
    words_of(&cpus, words);
    check_safe_command(check,
                       "for cpu in %s; do for state in %s; do echo 1 >%s" SYSTEM_CPUS
                       "/cpu$cpu/cpuidle/state$state/disable; done; done",
                       words, states, check->host->root);
}

void check_idle_states(struct check *check)
{
    const struct config *config = check->config;
    bool is_deep[STATES_MAX] = {false};
    uint32_t states = 0;
    if (config->core_count == 0)
        return; /* whichever core it is, others use it, too */
    if (config->idle_spin_turns == UINT32_MAX) {
        check_good(check, "idle states", "the lanes never sleep: idle_spin_turns = forever");
        return;
    }
    for (uint32_t i = 0; i < config->core_count; i++)
        states += deep_states(check, (uint32_t)config->cores[i], is_deep);
    bool has_deep = false;
    for (uint32_t state = 0; state < STATES_MAX; state++)
        has_deep |= is_deep[state];
    if (states == 0)
        check_unknown(check, "idle states",
                      "the kernel does not tell the idle states of the cores: a guest or a "
                      "container");
    else if (has_deep)
        tell_deep(check, is_deep);
    else
        check_good(check, "idle states", "each is left in %d us at most", WAKE_US_MAX);
}

void check_clock_source(struct check *check)
{
    static const char *const slow[] = {"hpet", "acpi_pm", "jiffies", "refined-jiffies", "pit"};
    char line[HOST_LINE_BYTES];
    char available[HOST_LINE_BYTES];
    if (!host_line(check->host, CLOCK_SOURCE "/current_clocksource", line)) {
        check_unknown(check, "clock source", "%s" CLOCK_SOURCE " cannot be read: a container",
                      check->host->root);
        return;
    }
    for (size_t i = 0; i < sizeof(slow) / sizeof(slow[0]); i++) {
        if (strcmp(line, slow[i]) != 0)
            continue;
        (void)host_line(check->host, CLOCK_SOURCE "/available_clocksource", available);
        bool has_tsc = strstr(available, "tsc") != NULL;
        check_wrong(check, "clock source",
                    "%.64s: each turn of a lane reads the clock, and waits for a device then%s",
                    line,
                    has_tsc ? "" : "; the kernel offers no faster one (why it gave up tsc: dmesg)");
        if (has_tsc)
            check_command(check, "echo tsc >%s" CLOCK_SOURCE "/current_clocksource",
                          check->host->root);
        else
            check_command(check, "dmesg | grep -i -e tsc -e clocksource");
        return;
    }
    check_good(check, "clock source", "%.64s", line);
}

/* No promise needs right clocks: times of day are for those who read logs and leases. */
void check_clock(struct check *check)
{
    if (check->host->is_clock_set) {
        check_good(check, "clock", "kept by a time service");
        return;
    }
    check_note(check, "clock",
               "no time service keeps it: the times in logs, and of leases on log files, differ "
               "from those of other machines");
    check_command(check, "timedatectl set-ntp true");
}
