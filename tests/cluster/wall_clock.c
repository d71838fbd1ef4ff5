/*
 * A wall clock for real nodes that shows another time: loaded before the C library (LD_PRELOAD), it
 * sets CLOCK_REALTIME back by WALL_CLOCK_BACK_S seconds.
 */
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t id, struct timespec *ret_now);

int clock_gettime(clockid_t id, struct timespec *ret_now)
{
    int status = (int)syscall(SYS_clock_gettime, id, ret_now);
    const char *text = getenv("WALL_CLOCK_BACK_S");
    if (status == 0 && id == CLOCK_REALTIME && text != NULL)
        ret_now->tv_sec -= strtol(text, NULL, 10);
    return status;
}
