/* `pollux rescue`: a program of its own (tools/rescue), because it reads and writes the files of
 * nodes, which a client has nothing to do with. */
#include "tools/cli/cli_commands.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PROGRAM "pollux-rescue"

int cli_rescue(char **argv)
{
    char path[PATH_MAX + sizeof(PROGRAM)];
    ssize_t length = readlink("/proc/self/exe", path, PATH_MAX);
    if (length > 0) {
        path[length] = '\0';
        memcpy(strrchr(path, '/') + 1, PROGRAM, sizeof(PROGRAM));
        execv(path, argv);
    }
    fprintf(stderr, "pollux: rescue: cannot run %s, which should be beside pollux: %s\n",
            length > 0 ? path : PROGRAM, strerror(errno));
    return plx_outcome_exit_code(PLX_E_IO);
}
