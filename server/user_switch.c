/* See user_switch.h. */
#include "server/user_switch.h"

#include "server/node_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define RECORD_BYTES 4096
#define ENTRIES_MAX  65536

enum error user_switch_find(const char *name, struct user_switch *ret_user, char *ret_reason,
                            size_t reason_size)
{
    struct passwd record;
    struct passwd *found = NULL;
    char text[RECORD_BYTES];
    *ret_user = (struct user_switch){.uid = geteuid(), .gid = getegid()};
    if (name[0] == '\0')
        return OK;
    int status = getpwnam_r(name, &record, text, sizeof(text), &found);
    if (found == NULL) {
        snprintf(ret_reason, reason_size, "[node] user = %.64s: %s", name,
                 status == 0 ? "this machine has no such user" : strerror(status));
        return ERR_NOT_FOUND;
    }
    bool is_root = geteuid() == 0;
    bool is_other = record.pw_uid != geteuid();
    *ret_user = (struct user_switch){
        .uid = record.pw_uid, .gid = record.pw_gid, .is_needed = is_root && is_other};
    if (!is_other || is_root)
        return OK;
    snprintf(ret_reason, reason_size,
             "[node] user = %.64s: started by user id %u, which cannot become that user: start it "
             "as root, or as %.64s",
             name, (unsigned)geteuid(), name);
    return ERR_PERMISSION;
}

enum error user_switch_do(const struct user_switch *user, char *ret_reason, size_t reason_size)
{
    if (!user->is_needed)
        return OK;
    /* The group first: without root there is no way to it. */
    if (setgroups(0, NULL) == 0 && setresgid(user->gid, user->gid, user->gid) == 0 &&
        setresuid(user->uid, user->uid, user->uid) == 0)
        return OK;
    snprintf(ret_reason, reason_size, "cannot become the user id %u of [node] user: %s",
             (unsigned)user->uid, strerror(errno));
    return ERR_PERMISSION;
}

static enum error refuse_give(const char *folder, const char *name, char *ret_reason,
                              size_t reason_size)
{
    enum error error = errno == EPERM || errno == EROFS ? ERR_PERMISSION : ERR_IO;
    snprintf(ret_reason, reason_size, "%.200s/%.64s: cannot give it to [node] user: %s", folder,
             name, strerror(errno));
    return error;
}

enum error user_switch_give(const struct user_switch *user, const char *folder, char *ret_reason,
                            size_t reason_size)
{
    if (!user->is_needed)
        return OK;
    DIR *directory = opendir(folder);
    if (directory == NULL)
        return refuse_give(folder, "", ret_reason, reason_size);
    enum error error = OK;
    for (uint32_t i = 0; i < ENTRIES_MAX && error == OK; i++) {
        const struct dirent *entry = readdir(directory);
        if (entry == NULL)
            break;
        /* "." is the folder itself. */
        if (strcmp(entry->d_name, "..") != 0 && fchownat(dirfd(directory), entry->d_name, user->uid,
                                                         user->gid, AT_SYMLINK_NOFOLLOW) != 0)
            error = refuse_give(folder, entry->d_name, ret_reason, reason_size);
    }
    closedir(directory);
    return error;
}

enum error user_switch_hand_over(const char *name, const char *folder, char *ret_reason,
                                 size_t reason_size)
{
    struct user_switch user;
    enum error error = user_switch_find(name, &user, ret_reason, reason_size);
    return error != OK ? error : user_switch_give(&user, folder, ret_reason, reason_size);
}

/* Of what else lies there the node needs nothing. */
static bool is_of_node(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, NODE_IDENTITY_NAME) == 0 ||
           strncmp(name, NODE_SHARD_PREFIX, strlen(NODE_SHARD_PREFIX)) == 0;
}

enum error user_switch_check(const struct user_switch *user, const char *folder, char *ret_reason,
                             size_t reason_size)
{
    DIR *directory = opendir(folder);
    enum error error = OK;
    /* What is missing is told by whoever opens it. */
    for (uint32_t i = 0; directory != NULL && i < ENTRIES_MAX && error == OK; i++) {
        struct stat status;
        const struct dirent *entry = readdir(directory);
        if (entry == NULL)
            break;
        if (!is_of_node(entry->d_name) ||
            fstatat(dirfd(directory), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0 ||
            status.st_uid == user->uid)
            continue;
        snprintf(ret_reason, reason_size,
                 "%.200s/%.64s: belongs to user id %u, and the node runs as user id %u: run chown "
                 "-R %u:%u %.200s, or name the right [node] user",
                 folder, entry->d_name, (unsigned)status.st_uid, (unsigned)user->uid,
                 (unsigned)user->uid, (unsigned)user->gid, folder);
        error = ERR_PERMISSION;
    }
    if (directory != NULL)
        closedir(directory);
    return error;
}
