/* `pollux doctor`, `pollux rescue` and `pollux restore`: programs of their own (tools/doctor,
 * tools/rescue, tools/restore). They read and write the files of nodes and machines, which a client
 * has nothing to do with. */
#include "tools/cli/cli_commands.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PREFIX         "pollux-"
#define NAME_BYTES_MAX (sizeof(PREFIX) + 16)

static const char *const programs[] = {"doctor", "rescue", "restore"};

bool cli_is_program(const char *command)
{
    for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++) {
        if (strcmp(programs[i], command) == 0)
            return true;
    }
    return false;
}

int cli_run_program(char **argv)
{
    char path[PATH_MAX + NAME_BYTES_MAX];
    ssize_t length = readlink("/proc/self/exe", path, PATH_MAX);
    if (length > 0) {
        path[length] = '\0';
        snprintf(strrchr(path, '/') + 1, NAME_BYTES_MAX, PREFIX "%s", argv[0]);
        execv(path, argv);
    }
    fprintf(stderr, "pollux: %s: cannot run %s, which should be beside pollux: %s\n", argv[0],
            length > 0 ? path : "the program", strerror(errno));
    return plx_outcome_exit_code(PLX_E_IO);
}
