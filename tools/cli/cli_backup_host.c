/* What surrounds `pollux backup`: see tools/cli/cli_backup_copy.h. */
#include "tools/cli/cli_backup_copy.h"
#include "tools/cli/cli_commands.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>

uint64_t backup_clock_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

bool backup_is_interrupted(void)
{
    return cli_is_interrupted();
}

void backup_tell(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("pollux: backup: ", stderr);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
}
