/* Runs a check, and what mends: see doctor.h. */
#include "tools/doctor/doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROUNDS_MAX 3u /* what was mended may uncover something else */

extern char **environ;

struct check_finding *doctor_tell(const struct doctor_found *found, enum check_state state,
                                  const char *subject, const char *format, ...)
{
    struct check_finding *finding = check_findings_add(found->findings, found->name);
    va_list values;
    finding->state = state;
    snprintf(finding->subject, sizeof(finding->subject), "%s", subject);
    va_start(values, format);
    vsnprintf(finding->message, sizeof(finding->message), format, values);
    va_end(values);
    return finding;
}

/* With nothing to read, and what it prints on standard error. */
static bool run_command(char *command)
{
    char shell[] = "sh";
    char flag[] = "-ec";
    char *arguments[] = {shell, flag, command, NULL};
    posix_spawn_file_actions_t actions;
    pid_t process;
    int status = -1;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
    int error = posix_spawn(&process, "/bin/sh", &actions, NULL, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (error != 0) {
        fprintf(stderr, "pollux: doctor: /bin/sh: %s\n", strerror(error));
        return false;
    }
    while (waitpid(process, &status, 0) < 0 && errno == EINTR)
        ;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static bool is_to_be_mended(const struct check_finding *finding)
{
    return finding->state == CHECK_WRONG && finding->is_safe && finding->command[0] != '\0';
}

/* Returns how many commands have run. */
static uint32_t mend_all(struct check_findings *findings)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < findings->count; i++) {
        struct check_finding *finding = &findings->list[i];
        if (!is_to_be_mended(finding))
            continue;
        fprintf(stderr, "pollux: doctor: %s: %s\n    runs: %s\n", finding->subject,
                finding->message, finding->command);
        if (!run_command(finding->command))
            fprintf(stderr, "pollux: doctor: %s: the command failed\n", finding->subject);
        count++;
    }
    return count;
}

/* What is wrong with a subject: several things, perhaps. */
static uint32_t count_wrong(const struct check_findings *findings, const char *subject)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < findings->count; i++)
        count += findings->list[i].state == CHECK_WRONG &&
                 strcmp(findings->list[i].subject, subject) == 0;
    return count;
}

/* It is still there, with the command that has run: it must not run again. */
static bool is_unmoved(struct check_findings *findings, const struct check_finding *old)
{
    bool is_found = false;
    for (uint32_t i = 0; i < findings->count; i++) {
        struct check_finding *now = &findings->list[i];
        if (now->state != CHECK_WRONG || strcmp(now->subject, old->subject) != 0 ||
            strcmp(now->command, old->command) != 0)
            continue;
        now->is_safe = false;
        is_found = true;
    }
    return is_found;
}

static struct check_finding *find_good(struct check_findings *findings, const char *subject)
{
    for (uint32_t i = 0; i < findings->count; i++) {
        if (findings->list[i].state != CHECK_WRONG &&
            strcmp(findings->list[i].subject, subject) == 0)
            return &findings->list[i];
    }
    return NULL;
}

/* What was wrong and no longer is, is fixed: whatever the check calls it now. */
static void note_fixed(const struct check_findings *before, struct check_findings *after)
{
    for (uint32_t i = 0; i < before->count; i++) {
        const struct check_finding *old = &before->list[i];
        uint32_t left = count_wrong(after, old->subject);
        if ((!is_to_be_mended(old) && !old->is_fixed) || is_unmoved(after, old) ||
            (!old->is_fixed && left > 0 && left >= count_wrong(before, old->subject)))
            continue;
        struct check_finding *now = find_good(after, old->subject);
        if (now == NULL) {
            now = check_findings_add(after, old->name);
            memcpy(now->subject, old->subject, sizeof(now->subject));
            snprintf(now->message, sizeof(now->message), "mended");
        }
        now->is_fixed = true;
        memcpy(now->command, old->command, sizeof(now->command));
    }
}

static void add_all(const struct check_findings *from, struct check_findings *to)
{
    for (uint32_t i = 0; i < from->count; i++)
        *check_findings_add(to, from->list[i].name) = from->list[i];
}

void doctor_run(uint32_t check, const struct check_task *task, bool is_mending,
                struct check_findings *findings)
{
    struct check_findings *before = calloc(1, sizeof(*before));
    struct check_findings *after = calloc(1, sizeof(*after));
    if (before == NULL || after == NULL) {
        const struct doctor_found found = {.findings = findings, .name = check_name(check)};
        (void)doctor_tell(&found, CHECK_UNKNOWN, found.name, "out of memory");
    } else {
        check_run(check, task, before);
        for (uint32_t i = 0; is_mending && i < ROUNDS_MAX && mend_all(before) > 0; i++) {
            after->count = 0;
            check_run(check, task, after);
            note_fixed(before, after);
            memcpy(before, after, sizeof(*before));
        }
        add_all(before, findings);
    }
    free(before);
    free(after);
}
