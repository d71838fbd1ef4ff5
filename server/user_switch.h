/*
 * Which user a node is. A network card that the kernel has given up needs root to be opened; what
 * comes after that does not, and reads packets of strangers. So `[node] user` names whom polluxd
 * becomes once its port is open, before it opens a file of the node.
 *
 * Main thread, at the start; the C library takes all threads along.
 */
#ifndef POLLUX_SERVER_USER_SWITCH_H
#define POLLUX_SERVER_USER_SWITCH_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct user_switch {
    uid_t uid;
    gid_t gid;
    bool is_needed; /* this process is another user, and may become that one */
};

/*
 * Looks a user up by name; "": whoever this process is. ERR_NOT_FOUND: there is no such user.
 * ERR_PERMISSION: this process is neither that user nor root. ret_reason says what to do.
 */
MUST_USE enum error user_switch_find(const char *name, struct user_switch *ret_user,
                                     char *ret_reason, size_t reason_size);

/* For good: user, group and groups. ERR_PERMISSION, with the reason. */
MUST_USE enum error user_switch_do(const struct user_switch *user, char *ret_reason,
                                   size_t reason_size);

/*
 * Gives a folder and the files in it (not those of folders in it) to the user, if this process is
 * root. ERR_IO, ERR_PERMISSION: ret_reason names the file.
 */
MUST_USE enum error user_switch_give(const struct user_switch *user, const char *folder,
                                     char *ret_reason, size_t reason_size);

/* Both: what root has made in the folder is that of the user with this name. Errors of either. */
MUST_USE enum error user_switch_hand_over(const char *name, const char *folder, char *ret_reason,
                                          size_t reason_size);

/*
 * Whether a data directory and the node's files in it belong to the user; else ret_reason names one
 * and says what to do (ERR_PERMISSION).
 */
MUST_USE enum error user_switch_check(const struct user_switch *user, const char *folder,
                                      char *ret_reason, size_t reason_size);

#endif
