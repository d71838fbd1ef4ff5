/*
 * A slow medium for real nodes: loaded before the C library (LD_PRELOAD), it makes each sync take
 * SLOW_SYNC_MS milliseconds longer.
 */
#include <dlfcn.h>
#include <poll.h>
#include <stdlib.h>

int fdatasync(int fd);

int fdatasync(int fd)
{
    int (*real)(int) = NULL;
    *(void **)(&real) = dlsym(RTLD_NEXT, "fdatasync");
    const char *text = getenv("SLOW_SYNC_MS");
    long ms = text != NULL ? strtol(text, NULL, 10) : 0;
    poll(NULL, 0, (int)ms);
    return real(fd);
}
