/* One getrlimit, one setrlimit. */
#include "bench/load_descriptors.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/resource.h>

enum error load_descriptors_raise(uint32_t clients, char *ret_reason, size_t reason_size)
{
    struct rlimit limit = {0};
    uint64_t needed = (uint64_t)clients + LOAD_DESCRIPTORS_SPARE;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur >= needed) {
        return OK;
    }
    uint64_t hard = limit.rlim_max;
    limit.rlim_cur = needed;
    if (hard >= needed && setrlimit(RLIMIT_NOFILE, &limit) == 0) {
        return OK;
    }
    snprintf(ret_reason, reason_size,
             "--clients: %" PRIu32 " clients need %" PRIu64
             " open files, and the hard limit is %" PRIu64 ": raise it ('ulimit -Hn %" PRIu64
             "' as root, or a nofile line in /etc/security/limits.conf) or lower --clients",
             clients, needed, hard, needed);
    return ERR_ARGUMENT;
}
