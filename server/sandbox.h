/*
 * What a node that runs may ask of the kernel. Its lanes read packets of strangers; should one of
 * them take a lane over, it finds a process without capabilities, which can start no program, look
 * into no other process, and open no connection of the kernel's network.
 *
 * - No new privileges, whatever is executed.
 * - No capability, in the thread that calls and in those that it starts. (EAL's interrupt thread,
 *   which handles no packets, keeps those that it has; if [node] user is set, no thread has any.)
 * - A seccomp filter for all threads. Calls that no node ever makes and every intruder tries end
 *   the process (SIGSYS). Of the others, those that are not on the list fail with EPERM.
 *
 * Main thread, once the port is open and before the lanes start. Source: seccomp(2),
 * capabilities(7), libseccomp, libcap-ng.
 */
#ifndef POLLUX_SERVER_SANDBOX_H
#define POLLUX_SERVER_SANDBOX_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

/* False of a build with a sanitizer: at its end that starts a process which looks into this one. */
bool sandbox_is_possible(void);

/* There is no way back. ERR_PERMISSION: the kernel refuses; ret_reason has the part. */
MUST_USE enum error sandbox_enter(char *ret_reason, size_t reason_size);

#endif
