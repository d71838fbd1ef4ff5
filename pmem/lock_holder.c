/* See lock_holder.h. */
#include "pmem/lock_holder.h"

#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#define LOCKS_MAX 65536

long lock_holder(int fd)
{
    struct stat status;
    char line[256];
    long holder = 0;
    FILE *locks = fstat(fd, &status) == 0 ? fopen("/proc/locks", "re") : NULL;
    if (locks == NULL)
        return 0;
    for (uint32_t i = 0; i < LOCKS_MAX && fgets(line, sizeof(line), locks) != NULL; i++) {
        long pid;
        unsigned int major_number;
        unsigned int minor_number;
        unsigned long inode;
        if (sscanf(line, "%*d: FLOCK %*s %*s %ld %x:%x:%lu", &pid, &major_number, &minor_number,
                   &inode) == 4 &&
            inode == status.st_ino && major_number == major(status.st_dev) &&
            minor_number == minor(status.st_dev))
            holder = pid;
    }
    fclose(locks);
    return holder;
}
